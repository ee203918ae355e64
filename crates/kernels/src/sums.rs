//! What packing knows of the weights of each output channel, in one pass over them.
//!
//! ```text
//! sum[o] = sum of w[o][k]        magnitude[o] = sum of |w[o][k]|        least = min of all w
//! ```

use std::ops::Range;

use crate::kernel::Kernel;
use crate::sets::per_set;
use crate::spec::Bits;

/// Terms whose sum fits 32 bits, and then the lanes of a vector.
const PART: usize = 4096;
/// Terms that [`planes`] looks at together.
const STRIDE: usize = 64;

/// Sums over the weights of each output channel.
#[derive(Debug)]
pub(crate) struct Sums {
    pub(crate) sum: Vec<i64>,
    pub(crate) magnitude: Vec<i64>,
    /// The least of all weights.
    pub(crate) least: i8,
}

impl Sums {
    /// Of `weights: [outputs][terms]`.
    pub(crate) fn new(kernel: Kernel, weights: &[i8], terms: usize) -> Self {
        let outputs = weights.len() / terms.max(1);
        let mut sums = Self {
            sum: vec![0; outputs],
            magnitude: vec![0; outputs],
            least: 0,
        };
        let to = &mut sums;
        per_set!(kernel, fill, (weights: &[i8], terms: usize, to: &mut Sums));
        sums
    }

    /// `bias -= 128 * sum(weights)`, because inputs are stored as x + 128.
    pub(crate) fn fold_flip(&self, bias: &mut [i32]) {
        for (bias, sum) in bias.iter_mut().zip(&self.sum) {
            *bias = bias.wrapping_sub((128 * sum) as i32);
        }
    }
}

#[inline(always)]
fn fill(weights: &[i8], terms: usize, sums: &mut Sums) {
    let channels = sums.sum.iter_mut().zip(&mut sums.magnitude);
    for (row, (sum, magnitude)) in weights.chunks_exact(terms.max(1)).zip(channels) {
        for part in row.chunks(PART) {
            let (mut plain, mut absolute) = (0_i32, 0_u32);
            let mut least = 0;
            for &w in part {
                plain += i32::from(w);
                absolute += u32::from(w.unsigned_abs());
                least = w.min(least);
            }
            *sum += i64::from(plain);
            *magnitude += i64::from(absolute);
            sums.least = sums.least.min(least);
        }
    }
}

/// Cuts a contraction of 16-bit inputs so that the sum of each plane fits 32 bits, its bias in the
/// first; returns where planes begin, in groups of two terms, of runs of `run_len` terms. A plane has
/// whole runs, or a part of one that does not fit.
///
/// Two terms and a bias fit, so every plane has some. With 516 terms behind the first plane, and 8,192
/// in all, there are at most 33 planes.
pub(crate) fn planes(
    kernel: Kernel,
    weights: &[i8],
    bias: &[i32],
    terms: usize,
    run_len: usize,
) -> Vec<usize> {
    let groups = run_len.div_ceil(2);
    let mut starts = vec![0];
    let mut from = 0;
    while from < terms {
        let (run, inside) = (from / run_len, from % run_len);
        let mut cut = from;
        if inside == 0 {
            cut = end_of_plane(kernel, weights, bias, (terms, run_len, from..terms));
        }
        if cut == from {
            let rest = from..(run + 1) * run_len;
            // Two terms fit, so it is more than nothing.
            cut = end_of_plane(kernel, weights, bias, (terms, 2, rest)).max(from + 1);
        }
        from = cut;
        if from < terms {
            starts.push(from / run_len * groups + from % run_len / 2);
        }
    }
    starts
}

/// Pieces of a contraction: the terms of a channel, those of a piece, and which are still to be cut.
type Pieces = (usize, usize, Range<usize>);

/// Where a plane of whole pieces, perhaps none, ends at the latest.
fn end_of_plane(kernel: Kernel, weights: &[i8], bias: &[i32], pieces: Pieces) -> usize {
    let mut cut = pieces.2.end;
    let end = &mut cut;
    per_set!(kernel, cut_by_channel, (weights: &[i8], bias: &[i32], pieces: Pieces, end: &mut usize,));
    cut
}

#[inline(always)]
fn cut_by_channel(weights: &[i8], bias: &[i32], (terms, piece, rest): Pieces, end: &mut usize) {
    for (weights, &bias) in weights.chunks_exact(terms).zip(bias) {
        let bias = if rest.start == 0 {
            i64::from(bias).abs()
        } else {
            0
        };
        let most = ((1_i64 << 31) - 1 - bias) / Bits::Sixteen.bound();
        *end = rest.start + fitting(&weights[rest.start..*end], piece, most);
    }
}

/// Terms of the most whole pieces whose magnitudes come to no more than `most`.
#[inline(always)]
fn fitting(weights: &[i8], piece: usize, most: i64) -> usize {
    let (mut at, mut sum) = (0, 0);
    for step in [piece * STRIDE.div_ceil(piece), piece] {
        for part in weights[at..].chunks(step) {
            let absolute: u32 = part.iter().map(|w| u32::from(w.unsigned_abs())).sum();
            if most < sum + i64::from(absolute) {
                break;
            }
            sum += i64::from(absolute);
            at += part.len();
        }
    }
    at
}

#[cfg(test)]
mod tests {
    use super::*;

    fn weights(count: usize) -> Vec<i8> {
        let value = |i: usize| (i * 37 + i / 11) % 255;
        (0..count).map(|i| (value(i) as i32 - 127) as i8).collect()
    }

    /// Whether the sums of terms `from..to` of every channel fit 32 bits, whatever the inputs.
    fn fits(w: &[i8], bias: &[i32], terms: usize, (from, to): (usize, usize)) -> bool {
        w.chunks_exact(terms).zip(bias).all(|(w, &bias)| {
            let magnitude: i64 = w[from..to].iter().map(|&w| i64::from(w).abs()).sum();
            let bias = if from == 0 { i64::from(bias).abs() } else { 0 };
            (magnitude << 15) + bias < 1 << 31
        })
    }

    #[test]
    fn sums_are_those_of_every_channel_on_every_kernel() {
        for (outputs, terms) in [(1, 1), (3, 100), (5, 4097), (2, 10_000)] {
            let mut w = weights(outputs * terms);
            w[outputs * terms - 1] = -128;
            for kernel in Kernel::available() {
                let sums = Sums::new(kernel, &w, terms);
                for (channel, w) in w.chunks_exact(terms).enumerate() {
                    let sum: i64 = w.iter().map(|&w| i64::from(w)).sum();
                    let magnitude: i64 = w.iter().map(|&w| i64::from(w).abs()).sum();
                    assert_eq!(
                        (sums.sum[channel], sums.magnitude[channel]),
                        (sum, magnitude)
                    );
                }
                assert_eq!(sums.least, -128);
            }
        }
    }

    #[test]
    fn planes_fit_and_are_as_long_as_whole_runs_or_parts_of_one_can_be() {
        let cases = [
            (1_usize, 1_usize, 1_usize),
            (3, 2000, 2000),
            (7, 5001, 5001),
            (4, 2304, 256),
            (2, 2025, 225),
            (2, 6516, 1086),
            (3, 8190, 273),
            (2, 8181, 909),
        ];
        for (outputs, terms, run_len) in cases {
            let bias: Vec<i32> = (0..outputs).map(|i| (i as i32 % 4 - 1) << 29).collect();
            let groups = run_len.div_ceil(2);
            let term = |group: usize| group / groups * run_len + group % groups * 2;
            for scale in [1, 40, 127] {
                let small = |w: &i8| (i32::from(*w) * scale / 127) as i8;
                let w: Vec<i8> = weights(outputs * terms).iter().map(small).collect();
                let found = planes(Kernel::PORTABLE, &w, &bias, terms, run_len);
                for kernel in Kernel::available() {
                    assert_eq!(planes(kernel, &w, &bias, terms, run_len), found);
                }
                let ends = found[1..].iter().map(|&group| term(group)).chain([terms]);
                for (&first, end) in found.iter().zip(ends) {
                    let from = term(first);
                    assert!(fits(&w, &bias, terms, (from, end)), "{from}..{end}");
                    let run_end = (from / run_len + 1) * run_len;
                    let is_whole = from % run_len == 0 && end % run_len == 0;
                    assert!(is_whole || end <= run_end, "{from}..{end}");
                    let more = if is_whole {
                        end + run_len
                    } else {
                        run_end.min(end + 2)
                    };
                    let could = end < more && more <= terms;
                    assert!(
                        !could || !fits(&w, &bias, terms, (from, more)),
                        "{from}..{end}"
                    );
                }
            }
        }
        let full = vec![127; 8192];
        assert_eq!(
            planes(Kernel::PORTABLE, &full, &[1 << 30], 8192, 8192).len(),
            17
        );
        let runs = vec![127; 31 * 264];
        assert_eq!(
            planes(Kernel::PORTABLE, &runs, &[1 << 30], 31 * 264, 264).len(),
            32
        );
    }
}
