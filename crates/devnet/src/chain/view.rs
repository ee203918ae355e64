//! What code and clients read: the newest state, or an older one through its [`Past`].

use super::ledger::Ledger;
use super::world::{Past, World};
use alloy_primitives::{Address, B256, Bytes, U256};
use revm::DatabaseRef;
use revm::bytecode::Bytecode;
use revm::state::AccountInfo;
use std::convert::Infallible;

/// A state that can be read.
#[derive(Debug, Clone, Copy)]
pub(crate) struct View<'a> {
    pub(crate) world: &'a World,
    pub(crate) past: Option<&'a Past>,
    pub(crate) ledger: &'a Ledger,
}

impl<'a> View<'a> {
    pub(crate) fn account(&self, address: Address) -> Option<&'a AccountInfo> {
        let newest = self.world.account(address);
        self.past
            .map_or(newest, |past| past.account(address, newest))
    }

    pub(crate) fn slot(&self, address: Address, slot: U256) -> U256 {
        let before = self.past.and_then(|past| past.slot(address, slot));
        before.unwrap_or_else(|| self.world.slot(address, slot))
    }

    pub(crate) fn code(&self, address: Address) -> Bytes {
        self.account(address)
            .map(|info| self.world.code(info.code_hash).original_bytes())
            .unwrap_or_default()
    }
}

impl DatabaseRef for View<'_> {
    type Error = Infallible;

    fn basic_ref(&self, address: Address) -> Result<Option<AccountInfo>, Infallible> {
        Ok(self.account(address).cloned())
    }

    fn code_by_hash_ref(&self, code_hash: B256) -> Result<Bytecode, Infallible> {
        Ok(self.world.code(code_hash))
    }

    fn storage_ref(&self, address: Address, slot: U256) -> Result<U256, Infallible> {
        Ok(self.slot(address, slot))
    }

    fn block_hash_ref(&self, number: u64) -> Result<B256, Infallible> {
        Ok(self.ledger.hash_or_zero(number))
    }
}
