//! Which contracts a rules id names: recomputed, so that a look-alike cannot vouch.
//!
//! ```text
//! rules id = keccak256(creation code of RulesSet, abi.encode(chain constants, init code hashes))
//! set      = last 20 bytes of keccak256(0xff, proxy, salt 0, rules id)
//! child i  = last 20 bytes of keccak256(rlp([set, i + 1]))
//! ```
//!
//! Source: EIP-1014; the yellow paper, section 7. Spec: claims, 3.1 and 3.2.

use alloc::vec::Vec;

use selfsame_protocol::{Hash, keccak256};

use crate::Address;
use crate::json::Field;

/// The proxy that every set is deployed through.
pub const PROXY: Address = [
    0x4e, 0x59, 0xb4, 0x48, 0x47, 0xb3, 0x79, 0x57, 0x85, 0x88, 0x92, 0x0c, 0xa7, 0x8f, 0xbf, 0x26,
    0xc0, 0xb4, 0x95, 0x6c,
];

/// Index of `Requests` among the children.
pub const CHILD_REQUESTS: u8 = 2;

/// Constants of one chain, in the order of the contract's struct. Amounts in wei, times in seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ChainConstants {
    /// Longest forced-inclusion delay C.
    pub censorship_seconds: u64,
    /// One ordinary inclusion.
    pub inclusion_seconds: u64,
    /// Of a slow honest machine making a trace.
    pub macs_per_second: u64,
    /// Of a slow honest machine fetching a model.
    pub bytes_per_second: u64,
    /// Time that stake takes to leave.
    pub unbonding_seconds: u64,
    /// What a conviction pays beside gas.
    pub bounty_wei: u128,
    /// What a challenger stakes on a game.
    pub challenge_bond_wei: u128,
    /// Least gas price that a bond counts with.
    pub gas_price_floor_wei: u128,
    /// Least window of any request.
    pub window_min_seconds: u64,
}

impl ChainConstants {
    /// The constants as words, in order.
    pub fn words(&self) -> [[u8; 32]; 9] {
        [
            self.censorship_seconds.word(),
            self.inclusion_seconds.word(),
            self.macs_per_second.word(),
            self.bytes_per_second.word(),
            self.unbonding_seconds.word(),
            self.bounty_wei.word(),
            self.challenge_bond_wei.word(),
            self.gas_price_floor_wei.word(),
            self.window_min_seconds.word(),
        ]
    }
}

/// The committed code of a set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SetCode {
    /// Creation code of `RulesSet`, without constructor arguments.
    pub creation_code: Vec<u8>,
    /// keccak256 of each child's init code, in order.
    pub child_hashes: Vec<Hash>,
}

impl SetCode {
    /// Init code of the set: creation code and encoded constructor arguments.
    pub fn init_code(&self, constants: &ChainConstants) -> Vec<u8> {
        let mut code = self.creation_code.clone();
        constants
            .words()
            .iter()
            .for_each(|word| code.extend_from_slice(word));
        // Offset of the array behind nine constants and itself, then its length.
        code.extend_from_slice(&(10_u64 * 32).word());
        code.extend_from_slice(&(self.child_hashes.len() as u64).word());
        self.child_hashes
            .iter()
            .for_each(|hash| code.extend_from_slice(&hash.0));
        code
    }

    /// The rules id under these constants.
    pub fn rules_id(&self, constants: &ChainConstants) -> Hash {
        keccak256(&self.init_code(constants))
    }
}

/// Address of the set with this rules id.
pub fn set_address(rules_id: Hash) -> Address {
    let mut bytes = alloc::vec![0xff];
    bytes.extend_from_slice(&PROXY);
    bytes.extend_from_slice(&[0; 32]);
    bytes.extend_from_slice(&rules_id.0);
    low_bytes(&bytes)
}

/// Address of child `index` (below 126) of a set.
pub fn child_address(set: Address, index: u8) -> Address {
    let mut bytes = alloc::vec![0xd6, 0x94];
    bytes.extend_from_slice(&set);
    bytes.push(index.saturating_add(1));
    low_bytes(&bytes)
}

fn low_bytes(preimage: &[u8]) -> Address {
    let mut address = [0; 20];
    address.copy_from_slice(&keccak256(preimage).0[12..]);
    address
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> Address {
        let padded = Hash::from_hex(&alloc::format!("{text:0>64}")).unwrap();
        padded.0[12..].try_into().unwrap()
    }

    /// Source: the account 0x6ac7..., nonces of which are a published example of CREATE.
    #[test]
    fn created_addresses_are_the_published_ones() {
        let creator = address("6ac7ea33f8831ea9dcc53393aaa88b25a785dbf0");
        assert_eq!(
            child_address(creator, 0),
            address("343c43a37d37dff08ae8c4a11544c718abb4fcf8")
        );
        assert_eq!(
            child_address(creator, 1),
            address("f778b86fa74e846c4f0a1fbd1335fe81c00a0c91")
        );
    }

    #[test]
    fn every_constant_and_every_child_changes_the_rules_id() {
        let code = SetCode {
            creation_code: alloc::vec![1, 2],
            child_hashes: alloc::vec![Hash([1; 32]); 7],
        };
        let constants = ChainConstants::default();
        let id = code.rules_id(&constants);
        assert_ne!(
            id,
            code.rules_id(&ChainConstants {
                bounty_wei: 1,
                ..constants
            })
        );
        let mut other = code.clone();
        other.child_hashes[6] = Hash([2; 32]);
        assert_ne!(id, other.rules_id(&constants));
        assert_ne!(set_address(id), set_address(other.rules_id(&constants)));
    }
}
