//! Receipts and their JSON form.
//!
//! Spec: receipts, 5.3 and 5.5.

use alloc::borrow::ToOwned;
use alloc::string::String;
use alloc::vec::Vec;

use selfsame_protocol::Hash;

use crate::core_fields::Core;
use crate::eip712::Domain;
use crate::json::{Field as _, JsonError, Object, Value, parse};
use crate::rules::ChainConstants;

/// Where the claim stands on chain, and under which constants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChainEvidence {
    /// The request to look up.
    pub request_id: Hash,
    /// Constants of the rules set; with the committed code they give the rules id.
    pub constants: ChainConstants,
}

/// One attachment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Evidence {
    /// The provider's signature of the core: r, s, v.
    Signature([u8; 65]),
    /// The output's canonical bytes.
    Output(Vec<u8>),
    /// The input's canonical bytes.
    Input(Vec<u8>),
    /// The claim on chain.
    Chain(ChainEvidence),
}

/// A core, what it is signed for, and evidence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    /// Chain and contract.
    pub domain: Domain,
    /// What is signed.
    pub core: Core,
    /// Attachments, at most one of a kind.
    pub evidence: Vec<Evidence>,
}

/// Why a file is no receipt.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReceiptError {
    /// The JSON form.
    #[error(transparent)]
    Json(#[from] JsonError),
    /// A kind of evidence that this version does not know.
    #[error("evidence {0:?} is not checkable by this version")]
    NotCheckable(String),
    /// A kind of evidence that nobody knows.
    #[error("evidence {0:?} is none of the known kinds")]
    UnknownEvidence(String),
    /// Two attachments of one kind.
    #[error("two attachments of kind {0:?}; at most one is allowed")]
    RepeatedEvidence(&'static str),
}

const SIGNATURE: &str = "signature";
const OUTPUT: &str = "output";
const INPUT: &str = "input";
const CHAIN: &str = "chain";
/// Kinds that belong to a later version.
const RESERVED: [&str; 4] = ["quorum", "sample", "quote", "proof"];

impl Evidence {
    /// The name of the kind.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Signature(_) => SIGNATURE,
            Self::Output(_) => OUTPUT,
            Self::Input(_) => INPUT,
            Self::Chain(_) => CHAIN,
        }
    }
}

impl Receipt {
    /// The signature, if one is attached.
    pub fn signature(&self) -> Option<&[u8; 65]> {
        self.evidence.iter().find_map(|evidence| match evidence {
            Evidence::Signature(signature) => Some(signature),
            Evidence::Output(_) | Evidence::Input(_) | Evidence::Chain(_) => None,
        })
    }

    /// The output's bytes, if attached.
    pub fn output(&self) -> Option<&[u8]> {
        self.evidence.iter().find_map(|evidence| match evidence {
            Evidence::Output(bytes) => Some(bytes.as_slice()),
            Evidence::Signature(_) | Evidence::Input(_) | Evidence::Chain(_) => None,
        })
    }

    /// The input's bytes, if attached.
    pub fn input(&self) -> Option<&[u8]> {
        self.evidence.iter().find_map(|evidence| match evidence {
            Evidence::Input(bytes) => Some(bytes.as_slice()),
            Evidence::Signature(_) | Evidence::Output(_) | Evidence::Chain(_) => None,
        })
    }

    /// Where the claim stands, if attached.
    pub fn chain(&self) -> Option<&ChainEvidence> {
        self.evidence.iter().find_map(|evidence| match evidence {
            Evidence::Chain(chain) => Some(chain),
            Evidence::Signature(_) | Evidence::Output(_) | Evidence::Input(_) => None,
        })
    }
}

/// The JSON form, ending in a newline.
pub fn encode(receipt: &Receipt) -> String {
    let mut out = String::from("{\n  \"domain\": {");
    receipt
        .domain
        .chain_id
        .write_member(true, "chainId", &mut out);
    receipt
        .domain
        .verifying_contract
        .write_member(false, "verifyingContract", &mut out);
    out.push_str("\n  },\n  \"core\": ");
    receipt.core.write(&mut out);
    out.push_str(",\n  \"evidence\": [");
    for (index, evidence) in receipt.evidence.iter().enumerate() {
        out.push_str(if index == 0 {
            "\n  {\n    \"kind\": \""
        } else {
            ",\n  {\n    \"kind\": \""
        });
        out.push_str(evidence.kind());
        out.push('"');
        match evidence {
            Evidence::Signature(bytes) => bytes.write_member(false, "bytes", &mut out),
            Evidence::Output(bytes) | Evidence::Input(bytes) => {
                bytes.write_member(false, "bytes", &mut out);
            }
            Evidence::Chain(chain) => write_chain(chain, &mut out),
        }
        out.push_str("\n  }");
    }
    out.push_str("\n  ]\n}\n");
    out
}

fn write_chain(chain: &ChainEvidence, out: &mut String) {
    chain.request_id.write_member(false, "requestId", out);
    let c = &chain.constants;
    c.censorship_seconds
        .write_member(false, "censorshipSeconds", out);
    c.inclusion_seconds
        .write_member(false, "inclusionSeconds", out);
    c.macs_per_second.write_member(false, "macsPerSecond", out);
    c.bytes_per_second
        .write_member(false, "bytesPerSecond", out);
    c.unbonding_seconds
        .write_member(false, "unbondingSeconds", out);
    c.bounty_wei.write_member(false, "bountyWei", out);
    c.challenge_bond_wei
        .write_member(false, "challengeBondWei", out);
    c.gas_price_floor_wei
        .write_member(false, "gasPriceFloorWei", out);
    c.window_min_seconds
        .write_member(false, "windowMinSeconds", out);
}

/// Reads the JSON form. Unknown, missing and repeated members are refused.
pub fn decode(text: &str) -> Result<Receipt, ReceiptError> {
    let mut file = parse(text)?;
    let mut domain = file.take_object("domain")?;
    let mut core = file.take_object("core")?;
    let attachments = file.take_array("evidence")?;
    file.finish()?;
    let receipt = Receipt {
        domain: Domain {
            chain_id: domain.take("chainId")?,
            verifying_contract: domain.take("verifyingContract")?,
        },
        core: Core::read(&mut core)?,
        evidence: attachments
            .into_iter()
            .map(decode_evidence)
            .collect::<Result<_, _>>()?,
    };
    domain.finish()?;
    core.finish()?;
    for (index, evidence) in receipt.evidence.iter().enumerate() {
        if receipt
            .evidence
            .iter()
            .take(index)
            .any(|other| other.kind() == evidence.kind())
        {
            return Err(ReceiptError::RepeatedEvidence(evidence.kind()));
        }
    }
    Ok(receipt)
}

fn decode_evidence(value: Value) -> Result<Evidence, ReceiptError> {
    let wrong = |expected| JsonError::Value {
        member: "evidence".to_owned(),
        expected,
    };
    let Value::Object(mut object) = value else {
        return Err(wrong("objects").into());
    };
    let Value::Text(kind) = object.take_value("kind")? else {
        return Err(wrong("a kind as text").into());
    };
    let evidence = match kind.as_str() {
        SIGNATURE => Evidence::Signature(object.take("bytes")?),
        OUTPUT => Evidence::Output(object.take("bytes")?),
        INPUT => Evidence::Input(object.take("bytes")?),
        CHAIN => Evidence::Chain(decode_chain(&mut object)?),
        reserved if RESERVED.contains(&reserved) => return Err(ReceiptError::NotCheckable(kind)),
        _ => return Err(ReceiptError::UnknownEvidence(kind)),
    };
    object.finish()?;
    Ok(evidence)
}

fn decode_chain(object: &mut Object) -> Result<ChainEvidence, JsonError> {
    Ok(ChainEvidence {
        request_id: object.take("requestId")?,
        constants: ChainConstants {
            censorship_seconds: object.take("censorshipSeconds")?,
            inclusion_seconds: object.take("inclusionSeconds")?,
            macs_per_second: object.take("macsPerSecond")?,
            bytes_per_second: object.take("bytesPerSecond")?,
            unbonding_seconds: object.take("unbondingSeconds")?,
            bounty_wei: object.take("bountyWei")?,
            challenge_bond_wei: object.take("challengeBondWei")?,
            gas_price_floor_wei: object.take("gasPriceFloorWei")?,
            window_min_seconds: object.take("windowMinSeconds")?,
        },
    })
}
