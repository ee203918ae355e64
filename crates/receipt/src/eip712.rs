//! Typed hashes: what is signed.
//!
//! ```text
//! digest = keccak256(0x1901, domain separator, keccak256(type hash, words))
//! ```
//!
//! Source: EIP-712. Spec: receipts, 5.2; claims, 3.10; game, 4.9.

use alloc::vec::Vec;

use selfsame_protocol::{Hash, keccak256};

use crate::Address;
use crate::core_fields::Core;
use crate::json::Field;

/// The EIP-712 type of the core.
pub const TYPE_STRING: &str = Core::TYPE;

const DOMAIN_TYPE: &str =
    "EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)";
const TRACE_TYPE: &str = "Trace(bytes32 claimKey,bytes32 traceRoot)";
const NAME: &str = "Selfsame";
const VERSION: &str = "1";

/// The chain and contract that a signature is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Domain {
    /// Chain id.
    pub chain_id: u64,
    /// The contract `Requests` of the rules set.
    pub verifying_contract: Address,
}

impl Domain {
    /// keccak256 of the domain's type and values.
    pub fn separator(&self) -> Hash {
        hash_words(&[
            keccak256(DOMAIN_TYPE.as_bytes()).0,
            keccak256(NAME.as_bytes()).0,
            keccak256(VERSION.as_bytes()).0,
            self.chain_id.word(),
            self.verifying_contract.word(),
        ])
    }

    fn digest(&self, message: Hash) -> Hash {
        let mut bytes = alloc::vec![0x19, 0x01];
        bytes.extend_from_slice(&self.separator().0);
        bytes.extend_from_slice(&message.0);
        keccak256(&bytes)
    }
}

/// Struct hash of a core.
pub fn core_hash(core: &Core) -> Hash {
    let mut words: Vec<[u8; 32]> = alloc::vec![keccak256(TYPE_STRING.as_bytes()).0];
    words.extend_from_slice(&core.words());
    hash_words(&words)
}

/// What a provider signs.
pub fn digest(domain: &Domain, core: &Core) -> Hash {
    domain.digest(core_hash(core))
}

/// What a claimant signs of a trace root outside the chain; two of them convict it.
pub fn trace_digest(domain: &Domain, claim_key: Hash, trace_root: Hash) -> Hash {
    let words = [
        keccak256(TRACE_TYPE.as_bytes()).0,
        claim_key.0,
        trace_root.0,
    ];
    domain.digest(hash_words(&words))
}

/// keccak256(abi.encode(chain id, Requests, request id, claimant, claim nonce 0, output root)).
pub fn claim_key(domain: &Domain, request_id: Hash, claimant: Address, output_root: Hash) -> Hash {
    hash_words(&[
        domain.chain_id.word(),
        domain.verifying_contract.word(),
        request_id.0,
        claimant.word(),
        [0; 32],
        output_root.0,
    ])
}

fn hash_words(words: &[[u8; 32]]) -> Hash {
    let bytes: Vec<u8> = words.iter().flatten().copied().collect();
    keccak256(&bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The published example of EIP-712: domain "Ether Mail" differs, so only the recipe is shared;
    /// this pins ours.
    #[test]
    fn the_type_string_is_that_of_the_specification() {
        assert!(TYPE_STRING.starts_with(
            "Receipt(uint16 version,bytes32 requestId,bytes32 claimKey,address requester,"
        ));
        assert!(TYPE_STRING.ends_with(",bytes32 policyHash,bytes32 previousReceipt)"));
        assert_eq!(TYPE_STRING.matches(',').count(), 26);
    }

    #[test]
    fn another_chain_or_contract_gives_another_digest() {
        let core = Core::default();
        let here = Domain {
            chain_id: 1,
            verifying_contract: [1; 20],
        };
        let chain = Domain {
            chain_id: 2,
            ..here
        };
        let contract = Domain {
            verifying_contract: [2; 20],
            ..here
        };
        assert_ne!(digest(&here, &core), digest(&chain, &core));
        assert_ne!(digest(&here, &core), digest(&contract, &core));
    }
}
