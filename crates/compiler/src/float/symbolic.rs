//! Whole numbers that may depend on the batch size: `constant + per_sample * batch`.
//!
//! Exporters compute reshape targets from `Shape(x)`. Carrying the batch size as a symbol shows
//! exactly which targets keep the samples apart.

/// `constant + per_sample * batch`; arithmetic is checked and `None` on overflow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct SymInt {
    pub(super) constant: i64,
    pub(super) per_sample: i64,
}

impl SymInt {
    pub(super) const BATCH: Self = Self {
        constant: 0,
        per_sample: 1,
    };

    pub(super) const fn fixed(constant: i64) -> Self {
        Self {
            constant,
            per_sample: 0,
        }
    }

    /// The number, if it does not depend on the batch size.
    pub(super) fn known(self) -> Option<i64> {
        (self.per_sample == 0).then_some(self.constant)
    }

    /// The number at batch size 1.
    pub(super) fn at_one(self) -> Option<i64> {
        self.constant.checked_add(self.per_sample)
    }

    /// The larger and the smaller of two numbers, if they stand so at every batch size from 1 on.
    pub(super) fn ordered(self, other: Self) -> Option<(Self, Self)> {
        let difference = self.sub(other)?;
        let at_one = difference.at_one()?;
        if 0 <= difference.per_sample && 0 <= at_one {
            Some((self, other))
        } else if difference.per_sample <= 0 && at_one <= 0 {
            Some((other, self))
        } else {
            None
        }
    }

    pub(super) fn add(self, other: Self) -> Option<Self> {
        Some(Self {
            constant: self.constant.checked_add(other.constant)?,
            per_sample: self.per_sample.checked_add(other.per_sample)?,
        })
    }

    pub(super) fn sub(self, other: Self) -> Option<Self> {
        Some(Self {
            constant: self.constant.checked_sub(other.constant)?,
            per_sample: self.per_sample.checked_sub(other.per_sample)?,
        })
    }

    pub(super) fn mul(self, other: Self) -> Option<Self> {
        let (factor, value) = match (self.known(), other.known()) {
            (Some(factor), _) => (factor, other),
            (_, Some(factor)) => (factor, self),
            (None, None) => return None,
        };
        Some(Self {
            constant: value.constant.checked_mul(factor)?,
            per_sample: value.per_sample.checked_mul(factor)?,
        })
    }

    /// Quotient rounded towards zero as ONNX does; exact where the batch size takes part.
    pub(super) fn div(self, other: Self) -> Option<Self> {
        let divisor = other.known()?;
        if self.per_sample == 0 {
            return Some(Self::fixed(self.constant.checked_div(divisor)?));
        }
        let exact =
            self.constant.checked_rem(divisor)? == 0 && self.per_sample.checked_rem(divisor)? == 0;
        exact.then(|| Self {
            constant: self.constant / divisor,
            per_sample: self.per_sample / divisor,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_batch_size_survives_linear_arithmetic_only() {
        let twice = SymInt::BATCH.mul(SymInt::fixed(2)).unwrap();
        assert_eq!(twice.div(SymInt::fixed(2)), Some(SymInt::BATCH));
        assert_eq!(twice.sub(SymInt::BATCH), Some(SymInt::BATCH));
        assert_eq!(SymInt::BATCH.mul(SymInt::BATCH), None);
        assert_eq!(SymInt::BATCH.div(SymInt::fixed(2)), None);
        assert_eq!(SymInt::fixed(7).div(SymInt::fixed(0)), None);
        assert_eq!(SymInt::fixed(i64::MIN).div(SymInt::fixed(-1)), None);
    }

    #[test]
    fn the_batch_size_is_at_least_one_and_may_be_above_any_other_number() {
        let (one, two) = (SymInt::fixed(1), SymInt::fixed(2));
        assert_eq!(one.ordered(two), Some((two, one)));
        assert_eq!(one.ordered(SymInt::BATCH), Some((SymInt::BATCH, one)));
        assert_eq!(SymInt::BATCH.ordered(one), Some((SymInt::BATCH, one)));
        assert_eq!(SymInt::BATCH.ordered(two), None);
    }
}
