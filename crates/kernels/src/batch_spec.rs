//! What is fixed about products of two inputs, and which of it can be planned.

use std::ops::RangeInclusive;

use crate::spec::{Bits, LinearError};

/// Most terms of bytes whose sum fits 32 bits; those of words are summed up in planes.
const TERMS_MAX: usize = 1 << 17;
const _: () = assert!((TERMS_MAX as i64) * Bits::Eight.bound() * 127 < 1 << 31);
/// Most bytes of an operand or of the output; sums of some of them are addresses.
const BYTES_MAX: usize = 1 << 40;

/// What is fixed about products of two inputs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BatchSpec {
    /// Batches of x.
    pub batch: usize,
    /// Batches of x that share one of y.
    pub group: usize,
    /// Rows of a batch of x.
    pub rows: usize,
    /// Rows of a batch of y.
    pub columns: usize,
    /// Elements of a row of either.
    pub k: usize,
    /// Bits of the elements of x; those of y have eight.
    pub bits: Bits,
    /// x is `[rows][batch][k]`, else `[batch][rows][k]`.
    pub x_interleaved: bool,
    /// y is `[columns][batch / group][k]`, else `[batch / group][columns][k]`.
    pub y_interleaved: bool,
    /// The output is `[rows][batch][columns]`, else `[batch][rows][columns]`.
    pub output_interleaved: bool,
    /// M.
    pub multiplier: i32,
    /// s in 1..=46.
    pub shift: i32,
    /// S, with a row factor.
    pub factor_shift: Option<u32>,
    /// Clamp, lower bound.
    pub lo: i32,
    /// Clamp, upper bound.
    pub hi: i32,
}

impl BatchSpec {
    /// Refuses what would divide by nothing, shift too far, or not fit into memory.
    pub(crate) fn check(&self) -> Result<(), LinearError> {
        in_range("batch", self.batch, 1..=BYTES_MAX)?;
        in_range("group", self.group, 1..=self.batch)?;
        in_range("batch modulo group", self.batch % self.group, 0..=0)?;
        in_range("rows", self.rows, 1..=BYTES_MAX)?;
        in_range("columns", self.columns, 1..=BYTES_MAX)?;
        in_range("k", self.k, 1..=TERMS_MAX)?;
        for (what, extents) in [
            ("bytes of x", [self.batch, self.rows, 2 * self.k]),
            ("bytes of y", [self.batch, self.columns, 2 * self.k]),
            (
                "bytes of the output",
                [self.batch, self.rows, self.columns.saturating_mul(4)],
            ),
        ] {
            let bytes = extents.into_iter().fold(1, usize::saturating_mul);
            in_range(what, bytes, 1..=BYTES_MAX)?;
        }
        in_range("M", self.multiplier, 0..=32_767)?;
        in_range("s", self.shift, 1..=46)?;
        in_range("factor shift", self.factor_shift.unwrap_or(1), 1..=46)?;
        in_range("lo", self.lo, i32::MIN..=self.hi)
    }
}

fn in_range<T>(what: &'static str, value: T, range: RangeInclusive<T>) -> Result<(), LinearError>
where
    T: Copy + PartialOrd + TryInto<i64>,
{
    if range.contains(&value) {
        return Ok(());
    }
    Err(LinearError::Range {
        what,
        index: 0,
        value: value.try_into().unwrap_or(i64::MAX),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: BatchSpec = BatchSpec {
        batch: 12,
        group: 3,
        rows: 7,
        columns: 5,
        k: 32,
        bits: Bits::Eight,
        x_interleaved: false,
        y_interleaved: false,
        output_interleaved: false,
        multiplier: 3,
        shift: 8,
        factor_shift: Some(20),
        lo: -127,
        hi: 127,
    };

    #[test]
    fn every_number_that_cannot_be_planned_is_named() {
        assert_eq!(GOOD.check(), Ok(()));
        let bad = [
            ("batch", BatchSpec { batch: 0, ..GOOD }),
            ("group", BatchSpec { group: 0, ..GOOD }),
            ("group", BatchSpec { group: 13, ..GOOD }),
            ("batch modulo group", BatchSpec { group: 5, ..GOOD }),
            ("rows", BatchSpec { rows: 0, ..GOOD }),
            ("columns", BatchSpec { columns: 0, ..GOOD }),
            ("k", BatchSpec { k: 0, ..GOOD }),
            (
                "k",
                BatchSpec {
                    k: (1 << 17) + 1,
                    ..GOOD
                },
            ),
            (
                "bytes of x",
                BatchSpec {
                    rows: 1 << 40,
                    ..GOOD
                },
            ),
            (
                "bytes of y",
                BatchSpec {
                    columns: 1 << 40,
                    ..GOOD
                },
            ),
            (
                "bytes of the output",
                BatchSpec {
                    rows: 1 << 20,
                    columns: 1 << 20,
                    ..GOOD
                },
            ),
            (
                "M",
                BatchSpec {
                    multiplier: -1,
                    ..GOOD
                },
            ),
            ("s", BatchSpec { shift: 0, ..GOOD }),
            ("s", BatchSpec { shift: 47, ..GOOD }),
            (
                "factor shift",
                BatchSpec {
                    factor_shift: Some(64),
                    ..GOOD
                },
            ),
            ("lo", BatchSpec { lo: 128, ..GOOD }),
        ];
        for (expected, spec) in bad {
            match spec.check() {
                Err(LinearError::Range { what, .. }) => assert_eq!(what, expected, "{spec:?}"),
                other => panic!("{expected}: {other:?}"),
            }
        }
    }
}
