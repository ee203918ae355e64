//! The rules set: its addresses follow from its rules id, its rules id from the committed code.
//!
//! Spec: claims, 3.1 and 3.2.

use alloy_primitives::{Address, B256, U256, address, keccak256};
use alloy_sol_types::{SolCall as _, SolConstructor as _};

use crate::bindings::RulesSet;
use crate::client::Client;
use crate::error::ChainError;

/// The canonical deterministic deployment proxy.
pub const DEPLOYMENT_PROXY: Address = address!("4e59b44847b379578588920cA78FbF26c0B4956C");

/// The set's members, in the order of their index.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Child {
    /// Models.
    ModelRegistry,
    /// Stakes.
    ProviderRegistry,
    /// Requests, claims, the ledger.
    Requests,
    /// The game.
    DisputeGame,
    /// Judge of matmul and convolution.
    LinearLeaf,
    /// Judge of pools.
    PoolLeaf,
    /// Judge of moves and concatenations.
    MoveLeaf,
    /// Judge of pointwise nodes.
    PointwiseLeaf,
    /// Judge of products of two inputs.
    ProductLeaf,
    /// Judge of reductions, normalisations and embeddings.
    RowLeaf,
}

impl Child {
    /// Every member, in order.
    pub const ALL: [Self; 10] = [
        Self::ModelRegistry,
        Self::ProviderRegistry,
        Self::Requests,
        Self::DisputeGame,
        Self::LinearLeaf,
        Self::PoolLeaf,
        Self::MoveLeaf,
        Self::PointwiseLeaf,
        Self::ProductLeaf,
        Self::RowLeaf,
    ];

    /// Contract name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::ModelRegistry => "ModelRegistry",
            Self::ProviderRegistry => "ProviderRegistry",
            Self::Requests => "Requests",
            Self::DisputeGame => "DisputeGame",
            Self::LinearLeaf => "LinearLeaf",
            Self::PoolLeaf => "PoolLeaf",
            Self::MoveLeaf => "MoveLeaf",
            Self::PointwiseLeaf => "PointwiseLeaf",
            Self::ProductLeaf => "ProductLeaf",
            Self::RowLeaf => "RowLeaf",
        }
    }

    const fn artifact(self) -> &'static str {
        match self {
            Self::ModelRegistry => include_str!("../../../contracts/artifacts/ModelRegistry.json"),
            Self::ProviderRegistry => {
                include_str!("../../../contracts/artifacts/ProviderRegistry.json")
            }
            Self::Requests => include_str!("../../../contracts/artifacts/Requests.json"),
            Self::DisputeGame => include_str!("../../../contracts/artifacts/DisputeGame.json"),
            Self::LinearLeaf => include_str!("../../../contracts/artifacts/LinearLeaf.json"),
            Self::PoolLeaf => include_str!("../../../contracts/artifacts/PoolLeaf.json"),
            Self::MoveLeaf => include_str!("../../../contracts/artifacts/MoveLeaf.json"),
            Self::PointwiseLeaf => {
                include_str!("../../../contracts/artifacts/PointwiseLeaf.json")
            }
            Self::ProductLeaf => include_str!("../../../contracts/artifacts/ProductLeaf.json"),
            Self::RowLeaf => include_str!("../../../contracts/artifacts/RowLeaf.json"),
        }
    }
}

/// Constants of a chain, fixed with the set. Times in seconds, amounts in wei.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChainConstants {
    /// C: the longest forced-inclusion delay.
    pub censorship_seconds: u64,
    /// One ordinary inclusion.
    pub inclusion_seconds: u64,
    /// Of a slow honest machine that makes a trace.
    pub macs_per_second: u64,
    /// Of a slow honest machine that fetches a model.
    pub bytes_per_second: u64,
    /// From unstaking to withdrawal.
    pub unbonding_seconds: u64,
    /// Paid to a convictor.
    pub bounty_wei: u128,
    /// Put up by a challenger.
    pub challenge_bond_wei: u128,
    /// Gas price that bonds are computed with, at least.
    pub gas_price_floor_wei: u128,
    /// Shortest window.
    pub window_min_seconds: u64,
}

impl ChainConstants {
    /// For the embedded devnet: short times, small amounts.
    pub const DEVNET: Self = Self {
        censorship_seconds: 60,
        inclusion_seconds: 2,
        macs_per_second: 10_000_000,
        bytes_per_second: 1_000_000,
        unbonding_seconds: 3_600,
        bounty_wei: 10_000_000_000_000_000,
        challenge_bond_wei: 50_000_000_000_000_000,
        gas_price_floor_wei: 1_000_000_000,
        window_min_seconds: 60,
    };

    fn to_solidity(self) -> RulesSet::Chain {
        RulesSet::Chain {
            censorshipSeconds: self.censorship_seconds,
            inclusionSeconds: self.inclusion_seconds,
            macsPerSecond: self.macs_per_second,
            bytesPerSecond: self.bytes_per_second,
            unbondingSeconds: self.unbonding_seconds,
            bountyWei: self.bounty_wei,
            challengeBondWei: self.challenge_bond_wei,
            gasPriceFloorWei: self.gas_price_floor_wei,
            windowMinSeconds: self.window_min_seconds,
        }
    }
}

/// A rules set before or after deployment: everything follows from the constants.
#[derive(Debug, Clone)]
pub struct Deployment {
    /// Constants.
    pub constants: ChainConstants,
    /// Init code of the set with its constructor arguments.
    pub init_code: Vec<u8>,
    /// keccak256 of `init_code`.
    pub rules_id: B256,
    /// Address of the set.
    pub set: Address,
    /// Init code of each member.
    pub children: Vec<Vec<u8>>,
}

impl Deployment {
    /// Computes code, rules id and addresses from the committed artifacts.
    pub fn new(constants: ChainConstants) -> Result<Self, ChainError> {
        let children = Child::ALL
            .iter()
            .map(|child| bytecode(child.name(), child.artifact()))
            .collect::<Result<Vec<_>, _>>()?;
        let artifact = include_str!("../../../contracts/artifacts/RulesSet.json");
        let mut init_code = bytecode("RulesSet", artifact)?;
        let arguments = RulesSet::constructorCall {
            chain_: constants.to_solidity(),
            initCodeHashes_: children.iter().map(keccak256).collect(),
        };
        init_code.extend(arguments.abi_encode());
        let rules_id = keccak256(&init_code);
        let set = DEPLOYMENT_PROXY.create2(B256::ZERO, rules_id);
        Ok(Self {
            constants,
            init_code,
            rules_id,
            set,
            children,
        })
    }

    /// Address of a member.
    pub fn address(&self, child: Child) -> Address {
        let index = Child::ALL
            .iter()
            .position(|&other| other == child)
            .unwrap_or_default();
        self.set.create(index as u64 + 1)
    }

    /// Deploys what is missing; anyone may, and the result is the same.
    pub async fn deploy(&self, client: &Client) -> Result<u64, ChainError> {
        let mut gas = 0;
        if client.code(self.set).await?.is_empty() {
            let mut data = vec![0; 32];
            data.extend(&self.init_code);
            gas += client
                .send("deploy RulesSet", DEPLOYMENT_PROXY, data, U256::ZERO)
                .await?
                .gas_used;
        }
        for (index, (child, code)) in Child::ALL.iter().zip(&self.children).enumerate() {
            if client.code(self.address(*child)).await?.is_empty() {
                let call = RulesSet::deployCall {
                    index: U256::from(index),
                    initCode: code.clone().into(),
                };
                let mined = client.send("RulesSet.deploy", self.set, call.abi_encode(), U256::ZERO);
                gas += mined.await?.gas_used;
            }
        }
        Ok(gas)
    }

    /// Whether every contract of the set is on the chain.
    pub async fn is_deployed(&self, client: &Client) -> Result<bool, ChainError> {
        for address in Child::ALL
            .map(|child| self.address(child))
            .into_iter()
            .chain([self.set])
        {
            if client.code(address).await?.is_empty() {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

fn bytecode(name: &'static str, artifact: &str) -> Result<Vec<u8>, ChainError> {
    let refuse = |reason: String| ChainError::Artifact { name, reason };
    let json: serde_json::Value =
        serde_json::from_str(artifact).map_err(|error| refuse(error.to_string()))?;
    let text = json.get("bytecode").and_then(serde_json::Value::as_str);
    let text = text.ok_or_else(|| refuse("no bytecode".into()))?;
    alloy_primitives::hex::decode(text).map_err(|error| refuse(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Spec: claims, 3.1.
    #[test]
    fn another_constant_is_another_rules_id_and_another_address() {
        let first = Deployment::new(ChainConstants::DEVNET).unwrap();
        let longer = ChainConstants {
            censorship_seconds: 61,
            ..ChainConstants::DEVNET
        };
        let second = Deployment::new(longer).unwrap();
        assert_ne!(first.rules_id, second.rules_id);
        assert_ne!(
            first.address(Child::Requests),
            second.address(Child::Requests)
        );
    }
}
