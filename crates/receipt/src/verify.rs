//! The check of a receipt: named checks in a fixed order, and the level that they support.
//!
//! Facts from outside (a chain, a replay, the committed code) are arguments. A check whose facts are
//! missing is not made and does not count; a check that fails makes the receipt refused.
//!
//! Spec: receipts, 5.1, 5.3 and 5.4.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use selfsame_commit::{root, tile_hashes};
use selfsame_protocol::{Availability, CheckableBy, Hash, Level};

use crate::Address;
use crate::core_fields::{Core, RECEIPT_VERSION};
use crate::eip712::{Domain, claim_key, digest};
use crate::file::Receipt;
use crate::json::hex;
use crate::rules::{CHILD_REQUESTS, SetCode, child_address, set_address};
use crate::signature::recover;

/// One check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// Its name, as in the specification.
    pub name: &'static str,
    /// Whether it holds.
    pub ok: bool,
    /// What was compared.
    pub detail: String,
}

/// What a verifier's own run of the model gave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Replay {
    /// Id of the model that was run.
    pub model_id: Hash,
    /// Hash of the values of its symbols.
    pub dimensions_hash: Hash,
    /// Root of the input that was run.
    pub input_root: Hash,
    /// Root of its output.
    pub output_root: Hash,
}

/// Where a request stands on chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChainStatus {
    /// There is no claim.
    NoClaim,
    /// Claimed; the window or a game is open.
    Claimed,
    /// Final.
    Final,
    /// The claim was convicted.
    Convicted,
}

/// What the chain says about the receipt's request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChainFacts {
    /// Chain id and the contract that was asked.
    pub domain: Domain,
    /// Where the request stands.
    pub status: ChainStatus,
    /// Key of the claim.
    pub claim_key: Hash,
    /// Who asked.
    pub requester: Address,
    /// Who answered.
    pub provider: Address,
    /// The model.
    pub model_id: Hash,
    /// Hash of the dimension values.
    pub dimensions_hash: Hash,
    /// Root of the input.
    pub input_root: Hash,
    /// Root of the claimed output.
    pub output_root: Hash,
    /// The claimant's trace root, once a game made it post one; else zero.
    pub trace_root: Hash,
    /// Price in wei.
    pub price: u128,
    /// Value at risk in wei.
    pub value_at_risk: u128,
    /// The bond that was locked at acceptance, in wei.
    pub bond: u128,
    /// Window in seconds.
    pub window: u32,
    /// Where the input is.
    pub availability: u8,
    /// When the claim was made.
    pub answered_at: u64,
    /// The block that the request names, and its hash, as the request's event gives them.
    pub block: (u64, Hash),
}

/// What a verifier has at hand.
#[derive(Debug, Clone, Copy, Default)]
pub struct Context<'a> {
    /// The committed code of the rules set.
    pub code: Option<&'a SetCode>,
    /// An input given beside the receipt.
    pub input: Option<&'a [u8]>,
    /// A replay of the model.
    pub replay: Option<Replay>,
    /// What the chain says.
    pub chain: Option<ChainFacts>,
}

/// The outcome.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// What the evidence supports; `None` if a check failed or nothing supports anything.
    pub level: Option<Level>,
    /// The checks made, in order.
    pub checks: Vec<Check>,
}

impl Report {
    /// The first check that failed, if any.
    pub fn failed(&self) -> Option<&Check> {
        self.checks.iter().find(|check| !check.ok)
    }
}

/// Makes every check that the receipt's evidence and the context allow.
pub fn verify(receipt: &Receipt, context: &Context<'_>) -> Report {
    let checks: Vec<Check> = [
        Some(format_check(receipt)),
        signature_check(receipt),
        bytes_check("output-root", receipt.output(), receipt.core.output_root),
        input_check(receipt, context),
        context
            .replay
            .map(|replay| replay_check(&receipt.core, &replay)),
        rules_check(receipt, context),
        context.chain.map(|facts| chain_check(receipt, &facts)),
        context.chain.and_then(|facts| final_check(&facts)),
    ]
    .into_iter()
    .flatten()
    .collect();
    let level = level_of(&checks);
    Report { level, checks }
}

/// The level that passed checks support.
fn level_of(checks: &[Check]) -> Option<Level> {
    if checks.iter().any(|check| !check.ok) {
        return None;
    }
    let passed = |name: &str| checks.iter().any(|check| check.name == name);
    if !passed("signature") {
        return None;
    }
    // A contract that the rules id does not name vouches for nothing.
    if !passed("rules-id") || !passed("chain-claim") {
        return Some(Level::Signed);
    }
    Some(if passed("chain-final") {
        Level::OptimisticFinal
    } else {
        Level::OptimisticOpen
    })
}

/// Compares fields one by one; the first that differs is named.
struct Comparison(Option<String>);

impl Comparison {
    fn new() -> Self {
        Self(None)
    }

    fn equal<T: PartialEq + Copy + core::fmt::Debug>(&mut self, field: &str, receipt: T, other: T) {
        if self.0.is_none() && receipt != other {
            self.0 = Some(format!(
                "{field}: the receipt says {receipt:?}, found {other:?}"
            ));
        }
    }

    fn account(&mut self, field: &str, receipt: &Address, other: &Address) {
        self.holds(receipt == other, || {
            format!(
                "{field}: the receipt says {}, found {}",
                hex(receipt),
                hex(other)
            )
        });
    }

    fn holds(&mut self, condition: bool, otherwise: impl FnOnce() -> String) {
        if self.0.is_none() && !condition {
            self.0 = Some(otherwise());
        }
    }

    fn check(self, name: &'static str, passed: &str) -> Check {
        match self.0 {
            None => Check {
                name,
                ok: true,
                detail: passed.to_string(),
            },
            Some(detail) => Check {
                name,
                ok: false,
                detail,
            },
        }
    }
}

fn format_check(receipt: &Receipt) -> Check {
    let core = &receipt.core;
    let mut compare = Comparison::new();
    compare.equal("version", core.version, RECEIPT_VERSION);
    compare.holds(Availability::from_code(core.availability).is_some(), || {
        format!(
            "availability: {} is no code; known are 0 to 2",
            core.availability
        )
    });
    compare.holds(CheckableBy::from_code(core.checkable_by).is_some(), || {
        format!(
            "checkableBy: {} is no code; known are 0 to 2",
            core.checkable_by
        )
    });
    let private = core.availability == Availability::Private.code();
    let parties = core.checkable_by == CheckableBy::Parties.code();
    compare.holds(private == parties, || {
        format!(
            "checkableBy: {} does not go with availability {}; private inputs, and only those, are checkable by the parties",
            core.checkable_by, core.availability
        )
    });
    compare.account("asset", &core.asset, &Address::default());
    for (name, value) in [
        ("parametersHash", core.parameters_hash),
        ("toolsHash", core.tools_hash),
        ("streamHash", core.stream_hash),
        ("policyHash", core.policy_hash),
        ("previousReceipt", core.previous_receipt),
    ] {
        compare.holds(value.is_zero(), || {
            format!("{name}: {value} in a field reserved for later")
        });
    }
    let key = claim_key(
        &receipt.domain,
        core.request_id,
        core.provider,
        core.output_root,
    );
    compare.equal("claimKey", core.claim_key, key);
    if let Some(chain) = receipt.chain() {
        compare.equal("requestId", core.request_id, chain.request_id);
    }
    compare.check(
        "format",
        "version 1, known codes, the claim key follows from the other fields",
    )
}

fn signature_check(receipt: &Receipt) -> Option<Check> {
    let signature = receipt.signature()?;
    let mut compare = Comparison::new();
    match recover(digest(&receipt.domain, &receipt.core), signature) {
        Ok(signer) => compare.holds(signer == receipt.core.provider, || {
            format!(
                "signed by {}, the receipt names provider {}",
                hex(&signer),
                hex(&receipt.core.provider)
            )
        }),
        Err(error) => compare.holds(false, || error.to_string()),
    }
    Some(compare.check(
        "signature",
        &format!("signed by {}", hex(&receipt.core.provider)),
    ))
}

fn bytes_check(name: &'static str, bytes: Option<&[u8]>, expected: Hash) -> Option<Check> {
    let bytes = bytes?;
    let found = root(&tile_hashes(bytes));
    let mut compare = Comparison::new();
    compare.equal("root of the attached bytes", expected, found);
    Some(compare.check(name, &format!("{} bytes hash to {expected}", bytes.len())))
}

fn input_check(receipt: &Receipt, context: &Context<'_>) -> Option<Check> {
    let attached = bytes_check("input-root", receipt.input(), receipt.core.input_root);
    let given = bytes_check("input-root", context.input, receipt.core.input_root);
    match (attached, given) {
        (Some(attached), Some(given)) => Some(if attached.ok { given } else { attached }),
        (one, other) => one.or(other),
    }
}

fn replay_check(core: &Core, replay: &Replay) -> Check {
    let mut compare = Comparison::new();
    compare.equal("modelId", core.model_id, replay.model_id);
    compare.equal(
        "dimensionsHash",
        core.dimensions_hash,
        replay.dimensions_hash,
    );
    compare.equal("inputRoot", core.input_root, replay.input_root);
    compare.equal("outputRoot", core.output_root, replay.output_root);
    compare.check("model-replay", "the model gives this output for this input")
}

fn rules_check(receipt: &Receipt, context: &Context<'_>) -> Option<Check> {
    let (code, chain) = (context.code?, receipt.chain()?);
    let mut compare = Comparison::new();
    let rules_id = code.rules_id(&chain.constants);
    compare.equal("rulesId", receipt.core.rules_id, rules_id);
    let censorship = u64::from(receipt.core.censorship_seconds);
    compare.equal(
        "censorshipSeconds",
        censorship,
        chain.constants.censorship_seconds,
    );
    let requests = child_address(set_address(rules_id), CHILD_REQUESTS);
    compare.account(
        "verifyingContract",
        &receipt.domain.verifying_contract,
        &requests,
    );
    Some(compare.check(
        "rules-id",
        &format!("the committed contracts have rules id {rules_id}"),
    ))
}

fn chain_check(receipt: &Receipt, facts: &ChainFacts) -> Check {
    let core = &receipt.core;
    let mut compare = Comparison::new();
    compare.equal("chain id", receipt.domain.chain_id, facts.domain.chain_id);
    compare.account(
        "contract",
        &receipt.domain.verifying_contract,
        &facts.domain.verifying_contract,
    );
    compare.holds(facts.status != ChainStatus::NoClaim, || {
        "there is no claim on the request".to_string()
    });
    compare.holds(facts.status != ChainStatus::Convicted, || {
        "the claim was convicted: the answer was wrong".to_string()
    });
    compare.equal("claimKey", core.claim_key, facts.claim_key);
    compare.account("requester", &core.requester, &facts.requester);
    compare.account("provider", &core.provider, &facts.provider);
    compare.equal("modelId", core.model_id, facts.model_id);
    compare.equal(
        "dimensionsHash",
        core.dimensions_hash,
        facts.dimensions_hash,
    );
    compare.equal("inputRoot", core.input_root, facts.input_root);
    compare.equal("outputRoot", core.output_root, facts.output_root);
    if !core.trace_root.is_zero() && !facts.trace_root.is_zero() {
        compare.equal("traceRoot", core.trace_root, facts.trace_root);
    }
    compare.equal("price", core.price, facts.price);
    compare.equal("valueAtRisk", core.value_at_risk, facts.value_at_risk);
    compare.equal("bond", core.bond, facts.bond);
    compare.equal("window", core.window, facts.window);
    compare.equal("availability", core.availability, facts.availability);
    compare.equal("answeredAt", core.answered_at, facts.answered_at);
    compare.equal("blockNumber", core.block_number, facts.block.0);
    compare.equal("blockHash", core.block_hash, facts.block.1);
    compare.check("chain-claim", "the claim on chain has the receipt's fields")
}

/// Made only when the claim is final: an open one is no failure, it is a lower level.
fn final_check(facts: &ChainFacts) -> Option<Check> {
    let detail = "the window is over and no challenge succeeded".to_string();
    let is_final = facts.status == ChainStatus::Final;
    is_final.then_some(Check {
        name: "chain-final",
        ok: true,
        detail,
    })
}
