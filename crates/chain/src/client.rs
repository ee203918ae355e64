//! One endpoint, one key: calls, transactions, logs.
//!
//! A transaction is simulated first, so a refusal costs nothing and uses no nonce. Sends of one
//! client are serial: the next one asks for its nonce only after the one before was mined, so that
//! no nonce can be lost between them.

use std::sync::Arc;
use std::time::Duration;

use alloy_consensus::BlockHeader as _;
use alloy_eips::{BlockNumberOrTag, Encodable2718 as _};
use alloy_network::{
    BlockResponse as _, EthereumWallet, NetworkTransactionBuilder as _, TransactionBuilder as _,
};
use alloy_primitives::{Address, B256, Bytes, TxHash, U256};
use alloy_provider::{Provider as _, RootProvider};
use alloy_rpc_types_eth::{Filter, Log, TransactionReceipt, TransactionRequest};
use tokio::sync::Mutex;

use crate::error::{ChainError, Transport, explain};
use crate::key::Key;

/// EIP-7825: most gas of one transaction.
pub const TRANSACTION_GAS_MAX: u64 = 16_777_216;
const MINED_WITHIN: Duration = Duration::from_mins(3);

/// A mined transaction.
#[derive(Debug, Clone)]
pub struct Mined {
    /// Transaction hash.
    pub hash: B256,
    /// Block that holds it.
    pub block: u64,
    /// Gas used.
    pub gas_used: u64,
    /// Wei paid for gas.
    pub fee: U256,
    /// Logs.
    pub logs: Vec<Log>,
}

/// What a dry run would have sent.
#[derive(Debug, Clone)]
pub struct Preview {
    /// The call.
    pub call: &'static str,
    /// Contract.
    pub to: Address,
    /// Wei sent along.
    pub value: U256,
    /// Estimated gas.
    pub gas: u64,
    /// Bytes of calldata.
    pub calldata_bytes: usize,
}

/// A block's number, hash and time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BlockStamp {
    /// Number.
    pub number: u64,
    /// Hash.
    pub hash: B256,
    /// Unix seconds.
    pub timestamp: u64,
    /// Base fee, wei per gas.
    pub base_fee: u64,
}

/// A connection to a chain, with a key if it may send.
#[derive(Clone)]
pub struct Client {
    provider: RootProvider,
    url: String,
    chain_id: u64,
    key: Option<Key>,
    poll: Duration,
    sending: Arc<Mutex<()>>,
}

impl Client {
    /// Connects; refuses another chain than `expected_chain_id`, where one is given.
    pub async fn connect(
        url: &str,
        expected_chain_id: Option<u64>,
        key: Option<Key>,
    ) -> Result<Self, ChainError> {
        let loopback =
            url.contains("127.0.0.1") || url.contains("localhost") || url.contains("[::1]");
        // An error means that a provider was installed before, which serves as well.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let provider =
            url.parse()
                .map(RootProvider::new_http)
                .map_err(|error| ChainError::Url {
                    url: url.into(),
                    reason: error.to_string(),
                })?;
        let mut client = Self {
            provider,
            url: url.into(),
            chain_id: 0,
            key,
            poll: if loopback {
                Duration::from_millis(20)
            } else {
                Duration::from_secs(2)
            },
            sending: Arc::new(Mutex::new(())),
        };
        let actual = client
            .provider
            .get_chain_id()
            .await
            .map_err(|e| client.rpc("eth_chainId", &e))?;
        client.chain_id = actual;
        match expected_chain_id {
            Some(expected) if expected != actual => Err(ChainError::ChainId { expected, actual }),
            _ => Ok(client),
        }
    }

    /// The same connection with another key.
    #[must_use]
    pub fn with_key(&self, key: Key) -> Self {
        Self {
            key: Some(key),
            sending: Arc::new(Mutex::new(())),
            ..self.clone()
        }
    }

    /// The chain's id.
    pub fn chain_id(&self) -> u64 {
        self.chain_id
    }

    /// The endpoint.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The key, or a refusal that names the call.
    pub fn key(&self, call: &'static str) -> Result<&Key, ChainError> {
        self.key.as_ref().ok_or(ChainError::NoKey { call })
    }

    fn rpc(&self, method: &'static str, error: &Transport) -> ChainError {
        ChainError::Rpc {
            method,
            url: self.url.clone(),
            reason: error.to_string(),
        }
    }

    fn refusal(&self, call: &'static str, error: &Transport) -> ChainError {
        let Some(payload) = error.as_error_resp() else {
            return self.rpc(call, error);
        };
        match payload.as_revert_data() {
            Some(data) => ChainError::Refused {
                call,
                reason: explain(&data),
                data,
            },
            None => ChainError::Refused {
                call,
                reason: payload.message.to_string(),
                data: Bytes::new(),
            },
        }
    }

    /// Wei of an account.
    pub async fn balance(&self, account: Address) -> Result<U256, ChainError> {
        self.provider
            .get_balance(account)
            .await
            .map_err(|e| self.rpc("eth_getBalance", &e))
    }

    /// Code at an address.
    pub async fn code(&self, address: Address) -> Result<Bytes, ChainError> {
        self.provider
            .get_code_at(address)
            .await
            .map_err(|e| self.rpc("eth_getCode", &e))
    }

    /// The newest block, or the block with a number.
    pub async fn block(&self, number: Option<u64>) -> Result<BlockStamp, ChainError> {
        let tag = number.map_or(BlockNumberOrTag::Latest, BlockNumberOrTag::Number);
        let block = self
            .provider
            .get_block_by_number(tag)
            .await
            .map_err(|e| self.rpc("eth_getBlockByNumber", &e))?
            .ok_or_else(|| ChainError::Rpc {
                method: "eth_getBlockByNumber",
                url: self.url.clone(),
                reason: format!("block {tag} is not known"),
            })?;
        let header = block.header();
        Ok(BlockStamp {
            number: header.number(),
            hash: header.hash,
            timestamp: header.timestamp(),
            base_fee: header.base_fee_per_gas().unwrap_or_default(),
        })
    }

    /// A read-only call.
    pub async fn call(
        &self,
        call: &'static str,
        to: Address,
        data: Vec<u8>,
    ) -> Result<Bytes, ChainError> {
        let mut request = TransactionRequest::default().with_to(to).with_input(data);
        if let Some(key) = &self.key {
            request = request.with_from(key.address());
        }
        self.provider
            .call(request)
            .await
            .map_err(|e| self.refusal(call, &e))
    }

    /// Logs of `addresses` in a range of blocks, both ends included.
    pub async fn logs(
        &self,
        addresses: Vec<Address>,
        from: u64,
        to: u64,
    ) -> Result<Vec<Log>, ChainError> {
        let filter = Filter::new()
            .address(addresses)
            .from_block(from)
            .to_block(to);
        self.provider
            .get_logs(&filter)
            .await
            .map_err(|e| self.rpc("eth_getLogs", &e))
    }

    /// Calldata of a mined transaction.
    pub async fn transaction_input(&self, hash: TxHash) -> Result<Option<Bytes>, ChainError> {
        use alloy_consensus::Transaction as _;
        let found = self
            .provider
            .get_transaction_by_hash(hash)
            .await
            .map_err(|e| self.rpc("eth_getTransactionByHash", &e))?;
        Ok(found.map(|transaction| transaction.input().clone()))
    }

    /// Simulates a transaction and says what it would cost.
    pub async fn preview(
        &self,
        call: &'static str,
        to: Address,
        data: &[u8],
        value: U256,
    ) -> Result<Preview, ChainError> {
        let from = self.key(call)?.address();
        let request = TransactionRequest::default()
            .with_from(from)
            .with_to(to)
            .with_value(value)
            .with_input(data.to_vec());
        let gas = self
            .provider
            .estimate_gas(request)
            .await
            .map_err(|e| self.refusal(call, &e))?;
        Ok(Preview {
            call,
            to,
            value,
            gas,
            calldata_bytes: data.len(),
        })
    }

    /// Simulates, signs, sends, and waits until mined.
    pub async fn send(
        &self,
        call: &'static str,
        to: Address,
        data: Vec<u8>,
        value: U256,
    ) -> Result<Mined, ChainError> {
        let key = self.key(call)?;
        let _serial = self.sending.lock().await;
        let estimate = self.preview(call, to, &data, value).await?.gas;
        // The base fee and the state may move until it is mined.
        let gas = (estimate + estimate / 5 + 20_000).min(TRANSACTION_GAS_MAX);
        let fees = self
            .provider
            .estimate_eip1559_fees()
            .await
            .map_err(|e| self.rpc("eth_feeHistory", &e))?;
        let have = self.balance(key.address()).await?;
        let need = value + U256::from(gas) * U256::from(fees.max_fee_per_gas);
        if have < need {
            return Err(ChainError::Funds {
                account: key.address(),
                have,
                need,
            });
        }
        let nonce = self
            .provider
            .get_transaction_count(key.address())
            .pending()
            .await
            .map_err(|e| self.rpc("eth_getTransactionCount", &e))?;
        let envelope = TransactionRequest::default()
            .with_chain_id(self.chain_id)
            .with_nonce(nonce)
            .with_to(to)
            .with_value(value)
            .with_input(data)
            .with_gas_limit(gas)
            .with_max_fee_per_gas(fees.max_fee_per_gas)
            .with_max_priority_fee_per_gas(fees.max_priority_fee_per_gas)
            .build(&EthereumWallet::from(key.0.clone()))
            .await
            .map_err(|error| ChainError::Key(error.to_string()))?;
        let hash = *envelope.tx_hash();
        let sent = self
            .provider
            .send_raw_transaction(&envelope.encoded_2718())
            .await;
        // Waiting is ours (`mined`): the library's own watcher polls at its own pace.
        drop(sent.map_err(|e| self.refusal(call, &e))?);
        self.mined(call, hash).await
    }

    async fn mined(&self, call: &'static str, hash: B256) -> Result<Mined, ChainError> {
        let mut waited = Duration::ZERO;
        loop {
            let receipt = self
                .provider
                .get_transaction_receipt(hash)
                .await
                .map_err(|e| self.rpc("eth_getTransactionReceipt", &e))?;
            if let Some(receipt) = receipt {
                return outcome(call, hash, &receipt);
            }
            if MINED_WITHIN <= waited {
                let seconds = waited.as_secs();
                return Err(ChainError::NotMined {
                    call,
                    hash: hash.to_string(),
                    seconds,
                });
            }
            tokio::time::sleep(self.poll).await;
            waited += self.poll;
        }
    }

    /// The interval at which this client looks for news.
    pub fn poll_interval(&self) -> Duration {
        self.poll
    }

    /// A raw JSON-RPC call without arguments or result, for the time control of test chains.
    pub async fn test_control(
        &self,
        method: &'static str,
        argument: Option<u64>,
    ) -> Result<(), ChainError> {
        let params: Vec<serde_json::Value> = argument.map(Into::into).into_iter().collect();
        self.provider
            .raw_request::<_, serde_json::Value>(method.into(), params)
            .await
            .map(|_| ())
            .map_err(|e| self.rpc(method, &e))
    }
}

fn outcome(
    call: &'static str,
    hash: B256,
    receipt: &TransactionReceipt,
) -> Result<Mined, ChainError> {
    if !receipt.status() {
        return Err(ChainError::Failed {
            call,
            hash: hash.to_string(),
            gas_used: receipt.gas_used,
        });
    }
    let fee = U256::from(receipt.gas_used) * U256::from(receipt.effective_gas_price);
    Ok(Mined {
        hash,
        block: receipt.block_number.unwrap_or_default(),
        gas_used: receipt.gas_used,
        fee,
        logs: receipt.inner.logs().to_vec(),
    })
}
