//! Receipts between a chain and a file: made from the request's record, signed by the provider.
//!
//! Spec: receipts, 5.2 to 5.5.

use selfsame_chain::bindings::Requests::{self, RequestsEvents, Terms};
use selfsame_chain::bindings::{DisputeGame, ModelRegistry};
use selfsame_chain::{Address, B256, Bytes, ChainConstants, Child, Deployment, Event, Key, Set};
use selfsame_protocol::{Availability, CheckableBy, Hash, keccak256};
use selfsame_receipt::rules::{ChainConstants as ReceiptConstants, SetCode};
use selfsame_receipt::{
    ChainEvidence, ChainFacts, ChainStatus, Core, Domain, Evidence, RECEIPT_VERSION, Receipt,
    digest,
};

use crate::exit::Exit;
use crate::failure::{Failure, Outcome};
use crate::network::{chain, request};
use crate::wei::narrow;

/// What the events of one request tell beside its record.
#[derive(Debug, Clone)]
pub(crate) struct Told {
    /// The terms.
    pub(crate) terms: Terms,
    /// The input's bytes, where they are on chain.
    pub(crate) input: Bytes,
    /// The claimed output's bytes, once claimed.
    pub(crate) output: Option<Bytes>,
    /// The bond that was locked at acceptance, in wei.
    pub(crate) bond: u128,
}

/// Reads the events of a request.
pub(crate) async fn told(set: &Set, id: B256) -> Outcome<Told> {
    let head = set.client().block(None).await.map_err(chain)?.number;
    let mut found: Option<Told> = None;
    for logged in set.events(0, head).await.map_err(chain)? {
        match logged.event {
            Event::Requests(RequestsEvents::Requested(e)) if e.requestId == id => {
                found = Some(Told {
                    terms: e.terms,
                    input: e.input,
                    output: None,
                    bond: 0,
                });
            }
            Event::Requests(RequestsEvents::Accepted(e)) if e.requestId == id => {
                if let Some(told) = &mut found {
                    told.bond = narrow(e.bond);
                }
            }
            Event::Requests(RequestsEvents::Claimed(e)) if e.requestId == id => {
                if let Some(told) = &mut found {
                    told.output = Some(e.output);
                }
            }
            Event::Requests(_) | Event::Games(_) | Event::Models(_) | Event::Stakes(_) => {}
        }
    }
    found.ok_or_else(|| {
        let what = format!(
            "request {id} is not among the events of {}",
            set.client().url()
        );
        Failure::new(Exit::Chain, what).hint("`selfsame claims` lists the requests of this chain")
    })
}

/// Where receipts of a set are valid.
pub(crate) fn domain(set: &Set) -> Domain {
    Domain {
        chain_id: set.client().chain_id(),
        verifying_contract: set.address(Child::Requests).into_array(),
    }
}

/// What the chain says about a request, for `verify`.
pub(crate) async fn facts(set: &Set, id: B256) -> Outcome<ChainFacts> {
    let record = match request(set, id).await {
        Ok(record) => record,
        Err(failure) if failure.exit() == Exit::Chain => return Ok(nothing(set)),
        Err(failure) => return Err(failure),
    };
    let told = told(set, id).await?;
    let games = DisputeGame::gamesCall {
        claimKey: record.claimKey,
    };
    let games = set.read(Child::DisputeGame, games).await.map_err(chain)?;
    Ok(ChainFacts {
        domain: domain(set),
        status: match record.status {
            3 => ChainStatus::Claimed,
            4 => ChainStatus::Final,
            6 => ChainStatus::Convicted,
            _ => ChainStatus::NoClaim,
        },
        claim_key: hash(record.claimKey),
        requester: record.requester.into_array(),
        provider: record.provider.into_array(),
        model_id: hash(record.modelId),
        dimensions_hash: hash(record.dimensionsHash),
        input_root: hash(record.inputRoot),
        output_root: hash(record.outputRoot),
        trace_root: hash(games.traceRoot),
        price: record.price,
        value_at_risk: record.valueAtRisk,
        bond: told.bond,
        window: record.window,
        availability: record.availability,
        answered_at: narrow_time(&record),
        block: (told.terms.blockNumber, hash(told.terms.blockHash)),
    })
}

/// The facts of a request that does not exist: no field agrees with any receipt.
fn nothing(set: &Set) -> ChainFacts {
    ChainFacts {
        domain: domain(set),
        status: ChainStatus::NoClaim,
        claim_key: Hash::ZERO,
        requester: [0; 20],
        provider: [0; 20],
        model_id: Hash::ZERO,
        dimensions_hash: Hash::ZERO,
        input_root: Hash::ZERO,
        output_root: Hash::ZERO,
        trace_root: Hash::ZERO,
        price: 0,
        value_at_risk: 0,
        bond: 0,
        window: 0,
        availability: 0,
        answered_at: 0,
        block: (0, Hash::ZERO),
    }
}

fn narrow_time(record: &Requests::Request) -> u64 {
    u64::try_from(narrow(selfsame_chain::U256::from(record.claimedAt))).unwrap_or(u64::MAX)
}

fn hash(word: B256) -> Hash {
    Hash(word.0)
}

/// The receipt of a claimed request; signed if the provider's key is given.
pub(crate) async fn receipt(set: &Set, id: B256, key: Option<&Key>) -> Outcome<Receipt> {
    let facts = facts(set, id).await?;
    let told = told(set, id).await?;
    let output = told.output.ok_or_else(|| {
        Failure::new(Exit::Pending, format!("request {id} has no claim yet"))
            .hint("a provider has to answer first")
    })?;
    let constants = set.deployment().constants;
    let core = Core {
        version: RECEIPT_VERSION,
        request_id: hash(id),
        claim_key: facts.claim_key,
        requester: facts.requester,
        provider: facts.provider,
        model_id: facts.model_id,
        rules_id: hash(set.deployment().rules_id),
        dimensions_hash: facts.dimensions_hash,
        input_root: facts.input_root,
        output_root: facts.output_root,
        trace_root: facts.trace_root,
        price: facts.price,
        value_at_risk: facts.value_at_risk,
        bond: facts.bond,
        window: facts.window,
        censorship_seconds: u32::try_from(constants.censorship_seconds).unwrap_or(u32::MAX),
        availability: facts.availability,
        checkable_by: if facts.availability == Availability::Private.code() {
            CheckableBy::Parties.code()
        } else {
            CheckableBy::AnyoneWithArtefact.code()
        },
        block_number: facts.block.0,
        block_hash: facts.block.1,
        answered_at: facts.answered_at,
        ..Core::default()
    };
    let domain = domain(set);
    let mut evidence = Vec::new();
    if let Some(key) = key {
        let signature = key.sign_digest(digest(&domain, &core).0).map_err(chain)?;
        evidence.push(Evidence::Signature(signature));
    }
    evidence.push(Evidence::Output(output.to_vec()));
    if facts.availability == Availability::OnChain.code() {
        evidence.push(Evidence::Input(told.input.to_vec()));
    }
    evidence.push(Evidence::Chain(ChainEvidence {
        request_id: hash(id),
        constants: receipt_constants(&constants),
    }));
    Ok(Receipt {
        domain,
        core,
        evidence,
    })
}

/// The same constants in the words of the receipt.
fn receipt_constants(constants: &ChainConstants) -> ReceiptConstants {
    ReceiptConstants {
        censorship_seconds: constants.censorship_seconds,
        inclusion_seconds: constants.inclusion_seconds,
        macs_per_second: constants.macs_per_second,
        bytes_per_second: constants.bytes_per_second,
        unbonding_seconds: constants.unbonding_seconds,
        bounty_wei: constants.bounty_wei,
        challenge_bond_wei: constants.challenge_bond_wei,
        gas_price_floor_wei: constants.gas_price_floor_wei,
        window_min_seconds: constants.window_min_seconds,
    }
}

/// The code of this release's rules set.
pub(crate) fn set_code() -> Outcome<SetCode> {
    let deployment = Deployment::new(ChainConstants::DEVNET).map_err(chain)?;
    // Nine constants, offset and length of the array, one hash for each child.
    let arguments = 32 * (9 + 2 + deployment.children.len());
    let code = deployment.init_code.len().saturating_sub(arguments);
    Ok(SetCode {
        creation_code: deployment.init_code[..code].to_vec(),
        child_hashes: deployment
            .children
            .iter()
            .map(|code| keccak256(code))
            .collect(),
    })
}

/// The provider with the most free stake that ever staked on this set.
pub(crate) async fn best_provider(set: &Set) -> Outcome<Option<Address>> {
    use selfsame_chain::bindings::ProviderRegistry::{self, ProviderRegistryEvents};
    let head = set.client().block(None).await.map_err(chain)?.number;
    let mut best: Option<(selfsame_chain::U256, Address)> = None;
    for logged in set.events(0, head).await.map_err(chain)? {
        let Event::Stakes(ProviderRegistryEvents::Staked(staked)) = logged.event else {
            continue;
        };
        let call = ProviderRegistry::freeOfCall {
            provider: staked.provider,
        };
        let free = set
            .read(Child::ProviderRegistry, call)
            .await
            .map_err(chain)?;
        if best.is_none_or(|(most, _)| most < free) {
            best = Some((free, staked.provider));
        }
    }
    Ok(best.map(|(_, provider)| provider))
}

/// Least window of a model's requests, in seconds.
pub(crate) async fn window_floor(set: &Set, model: B256) -> Outcome<u64> {
    let call = ModelRegistry::windowFloorCall { modelId: model };
    set.read(Child::ModelRegistry, call).await.map_err(chain)
}
