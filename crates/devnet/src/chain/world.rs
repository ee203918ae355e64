//! Accounts, storage and code of the newest block, and the way back.
//!
//! Every change records what was there before. Undoing the records of blocks `head`, `head - 1`,
//! ..., `n + 1` in that order gives the state after block `n`; [`World::undo`] does it for good
//! (`evm_revert`), [`Past`] does it on the side (reads at an old block).

use alloy_primitives::{Address, B256, Bytes, KECCAK256_EMPTY, U256};
use revm::bytecode::Bytecode;
use revm::state::{AccountInfo, EvmState};
use std::collections::HashMap;

/// What one change overwrote.
#[derive(Debug, Clone)]
pub(crate) enum Undo {
    /// The account as it was; `None` if there was none.
    Account(Address, Option<AccountInfo>),
    /// A storage slot as it was; zero if it was not set.
    Slot(Address, U256, U256),
}

/// The state after the newest block. No account in it is empty (EIP-161), no slot is zero.
#[derive(Debug, Default)]
pub(crate) struct World {
    accounts: HashMap<Address, AccountInfo>,
    slots: HashMap<Address, HashMap<U256, U256>>,
    codes: HashMap<B256, Bytecode>,
}

impl World {
    /// Puts an account of block 0 in place.
    pub(crate) fn seed(&mut self, address: Address, balance: U256, code: &Bytes) {
        let mut info = AccountInfo {
            balance,
            code: None,
            ..AccountInfo::default()
        };
        if !code.is_empty() {
            let code = Bytecode::new_raw(code.clone());
            info.code_hash = code.hash_slow();
            info.nonce = 1;
            self.codes.insert(info.code_hash, code);
        }
        self.accounts.insert(address, info);
    }

    /// Code by its hash; empty if there is none.
    pub(crate) fn code(&self, hash: B256) -> Bytecode {
        self.codes.get(&hash).cloned().unwrap_or_default()
    }

    pub(crate) fn account(&self, address: Address) -> Option<&AccountInfo> {
        self.accounts.get(&address)
    }

    pub(crate) fn slot(&self, address: Address, slot: U256) -> U256 {
        self.slots
            .get(&address)
            .and_then(|slots| slots.get(&slot))
            .copied()
            .unwrap_or_default()
    }

    fn set_account(&mut self, address: Address, info: Option<AccountInfo>) -> Option<AccountInfo> {
        match info {
            Some(info) => self.accounts.insert(address, info),
            None => self.accounts.remove(&address),
        }
    }

    fn set_slot(&mut self, address: Address, slot: U256, value: U256) -> U256 {
        let slots = self.slots.entry(address).or_default();
        let before = if value.is_zero() {
            slots.remove(&slot)
        } else {
            slots.insert(slot, value)
        };
        if slots.is_empty() {
            self.slots.remove(&address);
        }
        before.unwrap_or_default()
    }

    /// Takes over what one transaction changed and appends what it overwrote to `undo`.
    pub(crate) fn commit(&mut self, changes: EvmState, undo: &mut Vec<Undo>) {
        for (address, account) in changes {
            if !account.is_touched() {
                continue;
            }
            if account.is_created() || account.is_selfdestructed() {
                for (slot, before) in self.slots.remove(&address).unwrap_or_default() {
                    undo.push(Undo::Slot(address, slot, before));
                }
            }
            let gone = account.is_selfdestructed() || account.info.is_empty();
            let after = (!gone).then(|| self.stripped(account.info));
            if self.account(address) != after.as_ref() {
                let before = self.set_account(address, after);
                undo.push(Undo::Account(address, before));
            }
            if gone {
                continue;
            }
            for (slot, value) in account.storage {
                if value.is_changed() {
                    let before = self.set_slot(address, slot, value.present_value);
                    undo.push(Undo::Slot(address, slot, before));
                }
            }
        }
    }

    /// Moves the code of an account into the shared table.
    fn stripped(&mut self, mut info: AccountInfo) -> AccountInfo {
        if let Some(code) = info.code.take()
            && info.code_hash != KECCAK256_EMPTY
        {
            self.codes.entry(info.code_hash).or_insert(code);
        }
        info.account_id = None;
        info
    }

    /// Reverses the records of one block, newest first.
    pub(crate) fn undo(&mut self, records: Vec<Undo>) {
        for record in records.into_iter().rev() {
            match record {
                Undo::Account(address, before) => {
                    self.set_account(address, before);
                }
                Undo::Slot(address, slot, before) => {
                    self.set_slot(address, slot, before);
                }
            }
        }
    }
}

/// What differs between the newest state and an older one.
#[derive(Debug, Default)]
pub(crate) struct Past {
    accounts: HashMap<Address, Option<AccountInfo>>,
    slots: HashMap<(Address, U256), U256>,
}

impl Past {
    /// Steps over the records of one block; call it for the newest block first.
    pub(crate) fn step_back(&mut self, records: &[Undo]) {
        for record in records.iter().rev() {
            match record {
                Undo::Account(address, before) => {
                    self.accounts.insert(*address, before.clone());
                }
                Undo::Slot(address, slot, before) => {
                    self.slots.insert((*address, *slot), *before);
                }
            }
        }
    }

    /// The account as it was; `newest` is what it is now, and what it was if nothing changed it.
    pub(crate) fn account<'a>(
        &'a self,
        address: Address,
        newest: Option<&'a AccountInfo>,
    ) -> Option<&'a AccountInfo> {
        self.accounts.get(&address).map_or(newest, Option::as_ref)
    }

    /// The slot as it was, if it changed since.
    pub(crate) fn slot(&self, address: Address, slot: U256) -> Option<U256> {
        self.slots.get(&(address, slot)).copied()
    }
}
