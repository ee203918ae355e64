//! Reading parameters: by position, each with its name in the error.

use super::error::RpcError;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// The positional parameters of one request.
#[derive(Debug)]
pub(crate) struct Params(Vec<Value>);

impl Params {
    /// Takes an array; nothing at all is an empty one.
    pub(crate) fn new(params: Option<Value>) -> Result<Self, RpcError> {
        match params {
            None | Some(Value::Null) => Ok(Self(Vec::new())),
            Some(Value::Array(values)) => Ok(Self(values)),
            Some(_) => Err(RpcError::params("params must be an array")),
        }
    }

    /// Refuses more than `count` parameters.
    pub(crate) fn at_most(&self, count: usize) -> Result<(), RpcError> {
        if self.0.len() <= count {
            return Ok(());
        }
        let have = self.0.len();
        Err(RpcError::params(format!(
            "too many params: have {have}, want at most {count}"
        )))
    }

    /// Parameter `index`, `None` if it is absent or null.
    pub(crate) fn optional<T: DeserializeOwned>(
        &mut self,
        index: usize,
        name: &str,
    ) -> Result<Option<T>, RpcError> {
        match self.raw(index) {
            None => Ok(None),
            Some(value) => serde_json::from_value(value)
                .map(Some)
                .map_err(|error| RpcError::params(format!("params[{index}] ({name}): {error}"))),
        }
    }

    /// Parameter `index`, which must be there.
    pub(crate) fn required<T: DeserializeOwned>(
        &mut self,
        index: usize,
        name: &str,
    ) -> Result<T, RpcError> {
        self.optional(index, name)?
            .ok_or_else(|| RpcError::params(format!("params[{index}] ({name}) is missing")))
    }

    /// Parameter `index` as it is, `None` if it is absent or null.
    pub(crate) fn raw(&mut self, index: usize) -> Option<Value> {
        self.0
            .get_mut(index)
            .map(Value::take)
            .filter(|value| !value.is_null())
    }

    /// A number that clients write as `7`, `"7"` or `"0x7"`.
    pub(crate) fn number(&mut self, index: usize, name: &str) -> Result<Option<u64>, RpcError> {
        self.raw(index)
            .map(|value| number(&value, name))
            .transpose()
    }
}

/// A number that clients write as `7`, `"7"` or `"0x7"`.
pub(crate) fn number(value: &Value, name: &str) -> Result<u64, RpcError> {
    let parsed = match value {
        Value::Number(number) => number.as_u64(),
        Value::String(text) => match text.strip_prefix("0x") {
            Some(digits) if !digits.starts_with('+') => u64::from_str_radix(digits, 16).ok(),
            Some(_) => None,
            None if text.starts_with('+') => None,
            None => text.parse().ok(),
        },
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    };
    parsed.ok_or_else(|| RpcError::params(format!("{name} must be a number below 2^64")))
}
