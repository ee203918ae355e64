//! Errors as JSON-RPC carries them: code, message, data.
//!
//! Codes: JSON-RPC 2.0 section 5.1; EIP-1474 for -32001 to -32005; 3 with the returned bytes as
//! `data` for a revert, which is what clients decode custom errors from.

use crate::chain::SnapshotsFull;
use crate::chain::admit::Refusal;
use crate::chain::clock::TimeError;
use crate::chain::logs::LogsError;
use crate::chain::message::{CallError, StateError};
use serde::Serialize;
use serde_json::Value;

pub(crate) const PARSE: i64 = -32_700;
pub(crate) const REQUEST: i64 = -32_600;
pub(crate) const METHOD: i64 = -32_601;
pub(crate) const PARAMS: i64 = -32_602;
pub(crate) const INTERNAL: i64 = -32_603;
const SERVER: i64 = -32_000;
const MISSING: i64 = -32_001;
pub(crate) const LIMIT: i64 = -32_005;
const REVERTED: i64 = 3;

/// The `error` member of a response.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct RpcError {
    pub(crate) code: i64,
    pub(crate) message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) data: Option<Value>,
}

impl RpcError {
    pub(crate) fn new(code: i64, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            data: None,
        }
    }

    pub(crate) fn params(message: impl Into<String>) -> Self {
        Self::new(PARAMS, message)
    }
}

impl From<Refusal> for RpcError {
    fn from(refusal: Refusal) -> Self {
        Self::new(SERVER, refusal.to_string())
    }
}

impl From<StateError> for RpcError {
    fn from(error: StateError) -> Self {
        Self::new(MISSING, error.to_string())
    }
}

impl From<TimeError> for RpcError {
    fn from(error: TimeError) -> Self {
        Self::params(error.to_string())
    }
}

impl From<SnapshotsFull> for RpcError {
    fn from(error: SnapshotsFull) -> Self {
        Self::new(LIMIT, error.to_string())
    }
}

impl From<LogsError> for RpcError {
    fn from(error: LogsError) -> Self {
        match error {
            LogsError::State(error) => error.into(),
            LogsError::Range { .. } => Self::params(error.to_string()),
            LogsError::Filter { .. } | LogsError::Count { .. } | LogsError::Bytes { .. } => {
                Self::new(LIMIT, error.to_string())
            }
        }
    }
}

impl From<CallError> for RpcError {
    fn from(error: CallError) -> Self {
        let message = error.to_string();
        match error {
            CallError::Reverted { data, .. } => Self {
                code: REVERTED,
                message,
                data: Some(Value::String(data.to_string())),
            },
            CallError::State(error) => error.into(),
            CallError::Halted { .. } | CallError::GasCap { .. } | CallError::Invalid(_) => {
                Self::new(SERVER, message)
            }
        }
    }
}
