//! Magnitudes of one activation over many samples: counts by their leading bits.
//!
//! A bin is an exponent and five bits of mantissa, about 2 % wide, so one pass over the data needs
//! to know no range beforehand. Counts add up the same in any order.

use selfsame_kernels::{Loops, Vectors, Width};

/// Exponents from `2^-48` to `2^48`; smaller and larger magnitudes go into the outer bins.
const FIRST: u32 = (127 - 48) << 5;
const BINS: u32 = 96 << 5;
/// Bits of the exponent: all of them are set in what is not finite.
const EXPONENT: u32 = 0xff << 23;
const MAGNITUDE: u32 = 0x7fff_ffff;

/// Values that are looked at together.
const BLOCK: usize = 1024;
/// Counters of one bin, and values from which on they pay. Values of one magnitude often stand side by
/// side, and a counter cannot be read before its last increment is written.
const COUNTERS: usize = 4;
const MANY: usize = 1 << 14;

/// Counts of magnitudes.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Histogram {
    counts: Vec<u64>,
    ends: Ends,
}

/// Smallest and largest value, and zero.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Ends {
    low: f32,
    high: f32,
    /// The largest exponent, in its place in a number.
    exponent: u32,
}

/// Bins of values, and their ends.
struct Scan<'a> {
    values: &'a [f32],
    bins: &'a mut [u16],
    ends: Ends,
}

impl Loops for Scan<'_> {
    type Output = Ends;

    #[inline(always)]
    fn run<V: Vectors>(self) -> Ends {
        const LANES: usize = 32;
        let Ends {
            low,
            high,
            exponent,
        } = self.ends;
        let (mut low, mut high, mut exponent) = ([low; LANES], [high; LANES], [exponent; LANES]);
        for (values, bins) in self.values.chunks(LANES).zip(self.bins.chunks_mut(LANES)) {
            let mut block = [0.0; LANES];
            block[..values.len()].copy_from_slice(values);
            let mut found = [0; LANES];
            for (bin, value) in found.iter_mut().zip(&block) {
                *bin = bin_of(*value);
            }
            for (low, &value) in low.iter_mut().zip(&block) {
                *low = if value < *low { value } else { *low };
            }
            for (high, &value) in high.iter_mut().zip(&block) {
                *high = if value > *high { value } else { *high };
            }
            for (exponent, value) in exponent.iter_mut().zip(&block) {
                *exponent = (*exponent).max(value.to_bits() & EXPONENT);
            }
            bins.copy_from_slice(&found[..bins.len()]);
        }
        Ends {
            low: low.into_iter().fold(0.0, f32::min),
            high: high.into_iter().fold(0.0, f32::max),
            exponent: exponent.into_iter().fold(0, u32::max),
        }
    }
}

/// The bin of a value's magnitude.
#[inline(always)]
fn bin_of(value: f32) -> u16 {
    let leading = (value.to_bits() & MAGNITUDE) >> 18;
    let bin = leading.max(FIRST).wrapping_sub(FIRST).min(BINS - 1);
    // The compiler sees that no bit is lost: there are fewer than 2^16 bins.
    bin as u16
}

impl Histogram {
    pub(crate) fn new() -> Self {
        Self {
            counts: vec![0; BINS as usize],
            ends: Ends {
                low: 0.0,
                high: 0.0,
                exponent: 0,
            },
        }
    }

    /// Counts values.
    pub(crate) fn add(&mut self, values: &[f32]) {
        let width = Width::best();
        let mut counts = Vec::new();
        if values.len() >= MANY {
            counts = vec![[0_u32; COUNTERS]; BINS as usize];
        }
        let mut bins = [0; BLOCK];
        for values in values.chunks(BLOCK) {
            let bins = &mut bins[..values.len()];
            self.ends = width.run(Scan {
                values,
                bins,
                ends: self.ends,
            });
            if counts.is_empty() {
                for &bin in &*bins {
                    self.counts[usize::from(bin)] += 1;
                }
                continue;
            }
            for (at, &bin) in bins.iter().enumerate() {
                let counter = &mut counts[usize::from(bin)][at % COUNTERS];
                *counter = counter.wrapping_add(1);
            }
        }
        for (count, more) in self.counts.iter_mut().zip(&counts) {
            *count += more.iter().map(|&counter| u64::from(counter)).sum::<u64>();
        }
    }

    /// Adds the counts of another histogram.
    pub(crate) fn merge(&mut self, other: &Self) {
        for (count, more) in self.counts.iter_mut().zip(&other.counts) {
            *count += more;
        }
        self.ends = Ends {
            low: self.ends.low.min(other.ends.low),
            high: self.ends.high.max(other.ends.high),
            exponent: self.ends.exponent.max(other.ends.exponent),
        };
    }

    /// Whether every value was a finite number.
    pub(crate) fn is_finite(&self) -> bool {
        self.ends.exponent < EXPONENT
    }

    /// Largest magnitude.
    pub(crate) fn largest(&self) -> f32 {
        self.ends.high.max(self.ends.low.abs())
    }

    /// Smallest and largest value, and zero.
    pub(crate) fn range(&self) -> (f32, f32) {
        (self.ends.low, self.ends.high)
    }

    /// Number of values.
    pub(crate) fn values(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// The middle of each bin that is not empty, and its count.
    pub(crate) fn bins(&self) -> Bins {
        let counted = (FIRST..).zip(&self.counts).filter(|&(_, &count)| count > 0);
        #[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^52")]
        let of_bin = |(bin, &count): (u32, &u64)| {
            let middle = f64::from(f32::from_bits((bin << 18) + (1 << 17)));
            (middle, count as f64)
        };
        Bins(counted.map(of_bin).collect())
    }
}

/// Magnitudes in ascending order, and how often they were seen.
#[derive(Debug)]
pub(crate) struct Bins(Vec<(f64, f64)>);

impl Bins {
    /// The magnitudes and their counts.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (f64, f64)> {
        self.0.iter().copied()
    }

    /// The smallest magnitude that is at least `least`.
    pub(crate) fn first_above(&self, least: f64) -> Option<f64> {
        let bin = self.0.iter().find(|(middle, _)| *middle >= least);
        bin.map(|&(middle, _)| middle)
    }

    /// Sum of squared errors when magnitudes are rounded to multiples of `step` up to `clip`.
    pub(crate) fn squared_error(&self, clip: f64, step: f64) -> f64 {
        let rounded = step * step / 12.0;
        let error = |middle: f64| {
            if middle > clip {
                (middle - clip) * (middle - clip)
            } else if middle < step / 2.0 {
                middle * middle
            } else {
                rounded
            }
        };
        let errors = self.0.iter().map(|&(middle, count)| error(middle) * count);
        errors.fold(0.0, |sum, error| sum + error)
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
    fn many_values_are_counted_as_few_are() {
        let value = |i: u16| f32::from(i.wrapping_mul(40_503)) / 1371.0 - 21.0;
        let values: Vec<f32> = (0..50_003).map(value).chain([0.0; 17]).collect();
        let (mut few, mut many) = (Histogram::new(), Histogram::new());
        values.chunks(1000).for_each(|part| few.add(part));
        many.add(&values);
        assert_eq!(few, many);
        let magnitudes = values.iter().map(|v| v.abs());
        let largest = magnitudes.fold(0.0, f32::max);
        assert_eq!(many.largest().to_bits(), largest.to_bits());
        many.add(&[f32::NEG_INFINITY]);
        assert!(!many.is_finite());
    }

    #[test]
    fn clipping_costs_its_square() {
        let mut histogram = Histogram::new();
        histogram.add(&[10.0]);
        let error = histogram.bins().squared_error(8.0, 0.1);
        assert!((error - 4.0).abs() < 1.0, "{error}");
    }
}
