//! Calls that change nothing, and the least gas that a transaction needs.

use super::evm::{self, BlockView, Purpose};
use super::message::{At, CallError, Called, Message, StateError};
use super::view::View;
use super::world::Past;
use super::{Chain, seal};
use crate::config::TX_GAS_CAP;
use alloy_primitives::{Address, Bytes, U256};
use revm::context::TxEnv;
use revm::context::result::ExecutionResult;

/// A state, and the block that code run on it sees.
struct Stage<'a> {
    chain: &'a Chain,
    past: Option<Past>,
    block: BlockView,
}

impl Chain {
    /// Runs `message` and forgets its effects.
    pub fn call(&self, message: &Message, at: At) -> Result<Called, CallError> {
        let gas = message.gas.unwrap_or(TX_GAS_CAP);
        succeed(self.stage(at)?.run(message, gas)?)
    }

    /// The least gas limit with which `message` succeeds, exact to the unit (for code whose
    /// success does not depend on the gas left in any other way than having enough).
    pub fn estimate(&self, message: &Message, at: At) -> Result<u64, CallError> {
        let stage = self.stage(at)?;
        let mut enough = message.gas.unwrap_or(TX_GAS_CAP);
        let affordable = stage.affordable_gas(message);
        let bounded = affordable < enough;
        enough = enough.min(affordable);
        let first = stage.run(message, enough);
        let first = match first {
            Err(CallError::Invalid(_)) | Ok(ExecutionResult::Halt { .. }) if bounded => {
                let have = stage.view().account(message.from).map(|info| info.balance);
                let have = have.unwrap_or_default();
                return Err(CallError::Invalid(format!(
                    "gas required exceeds {enough}, all that the balance of {have} wei can pay"
                )));
            }
            first => first?,
        };
        let spent = first.gas().total_gas_spent();
        let used = succeed(first)?.gas_used;
        // No limit below what was used can do; the guesses only shorten the search.
        let mut too_little = used.saturating_sub(1).min(enough);
        let guesses = [spent, spent.saturating_add(2_300).saturating_mul(64) / 63];
        for guess in guesses {
            if too_little < guess && guess < enough {
                stage.narrow(message, guess, &mut too_little, &mut enough);
            }
        }
        while too_little + 1 < enough {
            let middle = too_little + (enough - too_little) / 2;
            stage.narrow(message, middle, &mut too_little, &mut enough);
        }
        Ok(enough)
    }

    /// Balance in wei.
    pub fn balance(&self, address: Address, at: At) -> Result<U256, StateError> {
        let stage = self.stage(at)?;
        Ok(stage
            .view()
            .account(address)
            .map(|info| info.balance)
            .unwrap_or_default())
    }

    /// Number of transactions sent, or contracts created, by `address`.
    pub fn nonce_at(&self, address: Address, at: At) -> Result<u64, StateError> {
        let stage = self.stage(at)?;
        Ok(stage
            .view()
            .account(address)
            .map(|info| info.nonce)
            .unwrap_or_default())
    }

    /// Runtime code.
    pub fn code(&self, address: Address, at: At) -> Result<Bytes, StateError> {
        Ok(self.stage(at)?.view().code(address))
    }

    /// One storage slot.
    pub fn storage(&self, address: Address, slot: U256, at: At) -> Result<U256, StateError> {
        Ok(self.stage(at)?.view().slot(address, slot))
    }

    fn stage(&self, at: At) -> Result<Stage<'_>, StateError> {
        let number = match at {
            At::Next => {
                return Ok(Stage {
                    chain: self,
                    past: None,
                    block: self.next_block(),
                });
            }
            At::Block(number) => number,
        };
        let head = self.held(number)?;
        let block = BlockView {
            number,
            time: head.time(),
            base_fee: head.base_fee(),
            coinbase: head.header.beneficiary,
            randao: head.header.mix_hash,
        };
        let mut past = Past::default();
        for block in self.ledger.above(number) {
            past.step_back(&block.undo);
        }
        Ok(Stage {
            chain: self,
            past: Some(past),
            block,
        })
    }
}

impl Stage<'_> {
    fn view(&self) -> View<'_> {
        View {
            world: &self.chain.world,
            past: self.past.as_ref(),
            ledger: &self.chain.ledger,
        }
    }

    fn run(&self, message: &Message, gas: u64) -> Result<ExecutionResult, CallError> {
        if TX_GAS_CAP < gas {
            return Err(CallError::GasCap { have: gas });
        }
        let view = self.view();
        let next = view.account(message.from).map_or(0, |info| info.nonce);
        let transaction = TxEnv {
            tx_type: 2,
            caller: message.from,
            gas_limit: gas,
            gas_price: message.fee.map_or(0, |fee| fee.max_wei),
            kind: message.kind(),
            value: message.value,
            data: message.data.clone(),
            nonce: message.nonce.unwrap_or(next),
            chain_id: Some(self.chain.config.chain_id),
            access_list: message.access_list.clone(),
            gas_priority_fee: Some(message.fee.map_or(0, |fee| fee.tip_wei)),
            ..TxEnv::default()
        };
        let chain_id = self.chain.config.chain_id;
        evm::run(view, chain_id, self.block, transaction, Purpose::Simulation)
            .map(|outcome| outcome.result)
            .map_err(|error| CallError::Invalid(error.to_string()))
    }

    /// Tries `gas` and moves one end of the search to it.
    fn narrow(&self, message: &Message, gas: u64, too_little: &mut u64, enough: &mut u64) {
        match self.run(message, gas) {
            Ok(result) if result.is_success() => *enough = gas,
            _ => *too_little = gas,
        }
    }

    /// The gas that the sender's balance pays for at the fee of `message`.
    fn affordable_gas(&self, message: &Message) -> u64 {
        let Some(fee) = message.fee.filter(|fee| 0 < fee.max_wei) else {
            return u64::MAX;
        };
        let balance = self.view().account(message.from).map(|info| info.balance);
        let left = balance.unwrap_or_default().saturating_sub(message.value);
        (left / U256::from(fee.max_wei)).saturating_to()
    }
}

fn succeed(result: ExecutionResult) -> Result<Called, CallError> {
    let (success, reverted) = (result.is_success(), !result.is_halt());
    let gas_used = result.tx_gas_used();
    let (output, contract, halt, logs) = seal::parts(result);
    if success {
        return Ok(Called {
            output,
            gas_used,
            logs,
            contract,
        });
    }
    if reverted {
        return Err(CallError::Reverted {
            data: output,
            gas_used,
        });
    }
    Err(CallError::Halted {
        reason: halt.unwrap_or_default(),
        gas_used,
    })
}
