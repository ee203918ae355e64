//! `eth_feeHistory`.

use super::error::RpcError;
use super::params::Params;
use super::read::height_of;
use crate::chain::Chain;
use crate::chain::ledger::Block;
use alloy_consensus::Transaction;
use alloy_eips::BlockNumberOrTag;
use alloy_primitives::{U64, U128};
use serde_json::{Value, json};

/// Most blocks in one answer.
pub(crate) const FEE_BLOCKS_MAX: u64 = 1_024;
/// Most percentiles in one request.
const PERCENTILES_MAX: usize = 100;
/// One percent in the unit in which percentiles are read.
const PERCENT: u64 = 100;

/// Base fees, fullness and tips of past blocks, and the base fee of the next.
pub(crate) fn history(chain: &Chain, mut params: Params) -> Result<Value, RpcError> {
    params.at_most(3)?;
    let asked = params.number(0, "blockCount")?;
    let asked = asked.ok_or_else(|| RpcError::params("params[0] (blockCount) is missing"))?;
    let newest: BlockNumberOrTag = params.required(1, "newestBlock")?;
    let percentiles: Vec<Value> = params.optional(2, "rewardPercentiles")?.unwrap_or_default();
    let percentiles = read_percentiles(&percentiles)?;
    let newest = height_of(chain, newest);
    chain.held(newest)?;
    let held = newest - chain.ledger().oldest() + 1;
    let count = asked.min(FEE_BLOCKS_MAX).min(held);
    let first = newest + 1 - count;
    let (mut fees, mut ratios, mut rewards) = (Vec::new(), Vec::new(), Vec::new());
    for number in first..=newest {
        let block = chain.held(number)?;
        fees.push(U64::from(block.base_fee()));
        ratios.push(ratio(block.header.gas_used, block.header.gas_limit));
        rewards.push(tips(block, &percentiles));
    }
    fees.push(match chain.held(newest + 1) {
        Ok(next) => U64::from(next.base_fee()),
        Err(_) => U64::from(chain.next_base_fee()),
    });
    let mut answer = json!({
        "oldestBlock": U64::from(first),
        "baseFeePerGas": fees,
        "gasUsedRatio": ratios,
        "baseFeePerBlobGas": vec![U64::from(1); ratios.len() + 1],
        "blobGasUsedRatio": vec![0; ratios.len()],
    });
    if !percentiles.is_empty() {
        answer["reward"] = json!(rewards);
    }
    Ok(answer)
}

/// `part / whole` as a JSON number with six digits, `part <= whole`.
fn ratio(part: u64, whole: u64) -> Value {
    let millionths = u128::from(part) * 1_000_000 / u128::from(whole.max(1));
    let text = format!("{}.{:06}", millionths / 1_000_000, millionths % 1_000_000);
    serde_json::from_str(&text).unwrap_or(Value::Null)
}

/// Percentiles in hundredths of a percent, ascending, at most 100 %.
fn read_percentiles(values: &[Value]) -> Result<Vec<u64>, RpcError> {
    if PERCENTILES_MAX < values.len() {
        let have = values.len();
        return Err(RpcError::params(format!(
            "{have} percentiles, the cap is {PERCENTILES_MAX}"
        )));
    }
    let mut percentiles = Vec::new();
    for value in values {
        let parsed = value
            .as_number()
            .and_then(|number| read_percent(&number.to_string()));
        let percent = parsed
            .filter(|percent| *percent <= 100 * PERCENT)
            .ok_or_else(|| {
                RpcError::params(format!("percentile {value} is no number from 0 to 100"))
            })?;
        if percentiles.last().is_some_and(|last| percent < *last) {
            return Err(RpcError::params("percentiles must ascend"));
        }
        percentiles.push(percent);
    }
    Ok(percentiles)
}

fn read_percent(text: &str) -> Option<u64> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let digits = format!("{fraction:0<2}");
    let hundredths: u64 = digits.get(..2)?.parse().ok()?;
    whole
        .parse::<u64>()
        .ok()?
        .checked_mul(PERCENT)?
        .checked_add(hundredths)
}

/// Tip at each percentile of the gas used; zeroes for an empty block.
fn tips(block: &Block, percentiles: &[u64]) -> Vec<U128> {
    let mut paid: Vec<(u128, u64)> = block
        .transactions
        .iter()
        .map(|mined| {
            let tip = mined.envelope.effective_tip_per_gas(block.base_fee());
            (tip.unwrap_or_default(), mined.gas_used)
        })
        .collect();
    paid.sort_unstable();
    let total = u128::from(block.header.gas_used);
    let tip_at = |percentile: u64| {
        let wanted = total * u128::from(percentile) / u128::from(100 * PERCENT);
        let mut sum = 0;
        for (tip, gas) in &paid {
            sum += u128::from(*gas);
            if wanted <= sum {
                return *tip;
            }
        }
        0
    };
    percentiles
        .iter()
        .map(|percentile| U128::from(tip_at(*percentile)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_read_to_the_hundredth() {
        let rows = [
            ("0", Some(0)),
            ("25.5", Some(2_550)),
            ("99.999", Some(9_999)),
            ("1e3", None),
        ];
        for (text, expected) in rows {
            assert_eq!(read_percent(text), expected, "{text}");
        }
    }

    #[test]
    fn a_ratio_is_a_json_number() {
        assert_eq!(ratio(15_000_000, 60_000_000).to_string(), "0.25");
        assert_eq!(ratio(60_000_000, 60_000_000).to_string(), "1.0");
    }
}
