//! Magnitudes of one activation over many samples: counts by their leading bits.
//!
//! A bin is an exponent and five bits of mantissa, about 2 % wide, so one pass over the data needs
//! to know no range beforehand. Counts add up the same in any order.

/// Exponents from `2^-48` to `2^48`; smaller and larger magnitudes go into the outer bins.
const FIRST: u32 = (127 - 48) << 5;
const BINS: u32 = 96 << 5;

/// Counts of magnitudes.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Histogram {
    counts: Vec<u64>,
    largest: f32,
    low: f32,
    high: f32,
    finite: bool,
}

impl Histogram {
    pub(crate) fn new() -> Self {
        Self {
            counts: vec![0; BINS as usize],
            largest: 0.0,
            low: 0.0,
            high: 0.0,
            finite: true,
        }
    }

    /// Counts values.
    pub(crate) fn add(&mut self, values: &[f32]) {
        for value in values {
            let magnitude = value.abs();
            let bin = (magnitude.to_bits() >> 18)
                .saturating_sub(FIRST)
                .min(BINS - 1);
            self.counts[bin as usize] += 1;
            self.finite &= value.is_finite();
            self.largest = self.largest.max(magnitude);
            self.low = self.low.min(*value);
            self.high = self.high.max(*value);
        }
    }

    /// Adds the counts of another histogram.
    pub(crate) fn merge(&mut self, other: &Self) {
        for (count, more) in self.counts.iter_mut().zip(&other.counts) {
            *count += more;
        }
        self.finite &= other.finite;
        self.largest = self.largest.max(other.largest);
        self.low = self.low.min(other.low);
        self.high = self.high.max(other.high);
    }

    /// Whether every value was a finite number.
    pub(crate) fn is_finite(&self) -> bool {
        self.finite
    }

    /// Largest magnitude.
    pub(crate) fn largest(&self) -> f32 {
        self.largest
    }

    /// Smallest and largest value, and zero.
    pub(crate) fn range(&self) -> (f32, f32) {
        (self.low, self.high)
    }

    /// Number of values.
    pub(crate) fn values(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// Sum of squared errors when magnitudes are rounded to multiples of `step` up to `clip`.
    pub(crate) fn squared_error(&self, clip: f64, step: f64) -> f64 {
        let mut sum = 0.0;
        for (bin, &count) in (FIRST..).zip(&self.counts) {
            if count == 0 {
                continue;
            }
            // The middle of the bin.
            let middle = f64::from(f32::from_bits((bin << 18) + (1 << 17)));
            let error = if middle > clip {
                (middle - clip) * (middle - clip)
            } else if middle < step / 2.0 {
                middle * middle
            } else {
                step * step / 12.0
            };
            #[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^52")]
            {
                sum += error * count as f64;
            }
        }
        sum
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_of_parts_does_not_show() {
        let (mut a, mut b, mut all) = (Histogram::new(), Histogram::new(), Histogram::new());
        a.add(&[1.0, -3.5, 1e-30]);
        b.add(&[0.0, 7.25, f32::MAX]);
        all.add(&[7.25, 0.0, 1.0, 1e-30, f32::MAX, -3.5]);
        a.merge(&b);
        assert_eq!(a, all);
        assert_eq!((a.values(), a.largest()), (6, f32::MAX));
        a.add(&[f32::NAN]);
        assert!(!a.is_finite());
    }

    #[test]
    fn clipping_costs_its_square() {
        let mut histogram = Histogram::new();
        histogram.add(&[10.0]);
        let error = histogram.squared_error(8.0, 0.1);
        assert!((error - 4.0).abs() < 1.0, "{error}");
    }
}
