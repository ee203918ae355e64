//! What packing knows of the weights of each output channel, in one pass over them.
//!
//! ```text
//! sum[o] = sum of w[o][k]        magnitude[o] = sum of |w[o][k]|        least = min of all w
//! ```

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
/// first; returns where planes begin, in groups of two terms. Of several runs, of `run_len` terms,
/// a plane has whole ones.
///
/// Two terms and a bias fit, and so does a run of several, so every plane has one.
pub(crate) fn planes(
    kernel: Kernel,
    weights: &[i8],
    bias: &[i32],
    terms: usize,
    run_len: usize,
) -> Vec<usize> {
    let (piece, per_piece) = if run_len == terms {
        (2, 1)
    } else {
        (run_len, run_len.div_ceil(2))
    };
    let mut starts = vec![0];
    let mut from = 0;
    while from < terms {
        let mut cut = terms;
        let (place, end) = ((terms, piece, from), &mut cut);
        per_set!(kernel, end_of_plane, (weights: &[i8], bias: &[i32], place: (usize, usize, usize), end: &mut usize,));
        from = cut;
        if from < terms {
            starts.push(from / piece * per_piece);
        }
    }
    starts
}

/// Where the plane that begins at term `from` of each channel ends at the latest.
#[inline(always)]
fn end_of_plane(
    weights: &[i8],
    bias: &[i32],
    (terms, piece, from): (usize, usize, usize),
    end: &mut usize,
) {
    for (weights, &bias) in weights.chunks_exact(terms).zip(bias) {
        let bias = if from == 0 { i64::from(bias).abs() } else { 0 };
        let most = ((1_i64 << 31) - 1 - bias) / Bits::Sixteen.bound();
        *end = from + fitting(&weights[from..*end], piece, most);
    }
}

/// Terms of the most whole pieces, one at least, whose magnitudes come to no more than `most`.
#[inline(always)]
fn fitting(weights: &[i8], piece: usize, most: i64) -> usize {
    let (mut at, mut sum) = (0, 0);
    for step in [piece * STRIDE.div_ceil(piece), piece] {
        for part in weights[at..].chunks(step) {
            let absolute: u32 = part.iter().map(|w| u32::from(w.unsigned_abs())).sum();
            if most < sum + i64::from(absolute) && (0 < at || step != piece) {
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

    /// Piece by piece, all channels side by side: the meaning.
    fn cut_piece_by_piece(w: &[i8], bias: &[i32], terms: usize, run_len: usize) -> Vec<usize> {
        let (piece, per_piece) = if run_len == terms {
            (2, 1)
        } else {
            (run_len, run_len.div_ceil(2))
        };
        let mut starts = vec![0];
        let mut sums: Vec<i64> = bias.iter().map(|&b| i64::from(b).abs()).collect();
        for index in 0..terms.div_ceil(piece) {
            let (first, end) = (piece * index, terms.min(piece * (index + 1)));
            let added = |channel: usize| {
                let part = &w[channel * terms..][first..end];
                part.iter().map(|&w| i64::from(w).abs()).sum::<i64>() << 15
            };
            if (0..sums.len()).any(|channel| 1 << 31 <= sums[channel] + added(channel)) {
                starts.push(index * per_piece);
                sums.fill(0);
            }
            for (channel, sum) in sums.iter_mut().enumerate() {
                *sum += added(channel);
            }
        }
        starts
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
    fn planes_are_cut_where_the_first_channel_would_overflow() {
        let cases = [
            (1, 1, 1),
            (3, 2000, 2000),
            (7, 5001, 5001),
            (4, 2304, 256),
            (2, 2025, 225),
        ];
        for (outputs, terms, run_len) in cases {
            let bias: Vec<i32> = (0..outputs).map(|i| (i as i32 % 4 - 1) << 29).collect();
            for scale in [1, 40, 127] {
                let small = |w: &i8| (i32::from(*w) * scale / 127) as i8;
                let w: Vec<i8> = weights(outputs * terms).iter().map(small).collect();
                let want = cut_piece_by_piece(&w, &bias, terms, run_len);
                for kernel in Kernel::available() {
                    assert_eq!(planes(kernel, &w, &bias, terms, run_len), want, "{terms}");
                }
            }
        }
        let full = vec![127; 3000];
        assert!(2 < planes(Kernel::PORTABLE, &full, &[1 << 30], 3000, 3000).len());
    }
}
