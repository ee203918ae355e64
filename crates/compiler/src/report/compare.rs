//! Agreement of two sets of answers.

use super::rank::{mean_spearman, pair_spearman};
use crate::quant::decibels;

/// How near exact answers are to float answers.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Comparison {
    /// Answers compared.
    pub samples: usize,
    /// Share of answers with the same largest element (ties: the lowest index).
    pub top1_agreement: f64,
    /// Mean cosine of float and exact answer.
    pub cosine_mean: f64,
    /// Smallest cosine.
    pub cosine_min: f64,
    /// Signal-to-noise ratio of all elements together, in decibels.
    pub snr_db: f64,
    /// Largest difference of an element.
    pub max_abs_error: f64,
    /// Mean rank correlation of the elements of an answer; `None` if answers have one element.
    pub spearman: Option<f64>,
    /// Rank correlation of the cosines between pairs of answers, what counts for embeddings; `None`
    /// with fewer than three answers.
    pub spearman_pairs: Option<f64>,
}

/// Compares answers of `classes` elements each, `float` as the signal.
///
/// # Panics
///
/// If the lengths differ or are no multiple of `classes`.
pub fn compare(float: &[f32], exact: &[f32], classes: usize) -> Comparison {
    assert_eq!(float.len(), exact.len(), "compare: lengths differ");
    assert!(
        classes > 0 && float.len().is_multiple_of(classes),
        "compare: no whole answers"
    );
    let samples = float.len() / classes;
    let mut agreements = 0_usize;
    let (mut cosine_sum, mut cosine_min) = (0.0, 1.0_f64);
    let mut noise = Noise::default();
    for (a, b) in float.chunks_exact(classes).zip(exact.chunks_exact(classes)) {
        agreements += usize::from(top1(a) == top1(b));
        let cosine = cosine(a, b);
        cosine_sum += cosine;
        cosine_min = cosine_min.min(cosine);
        a.iter()
            .zip(b)
            .for_each(|(&a, &b)| noise.add(f64::from(a), f64::from(b)));
    }
    #[expect(clippy::cast_precision_loss, reason = "counts of samples")]
    let per_sample = 1.0 / samples.max(1) as f64;
    #[expect(clippy::cast_precision_loss, reason = "counts of samples")]
    let agreements = agreements as f64;
    Comparison {
        samples,
        top1_agreement: agreements * per_sample,
        cosine_mean: cosine_sum * per_sample,
        cosine_min,
        snr_db: noise.snr_db(),
        max_abs_error: noise.largest,
        spearman: mean_spearman(float, exact, classes),
        spearman_pairs: pair_spearman(float, exact, classes),
    }
}

/// Index of the largest element; the lowest one of equals.
pub(crate) fn top1(values: &[f32]) -> usize {
    let mut best = 0;
    for (index, value) in values.iter().enumerate() {
        if *value > values[best] {
            best = index;
        }
    }
    best
}

fn cosine(a: &[f32], b: &[f32]) -> f64 {
    let dot = |x: &[f32], y: &[f32]| -> f64 {
        x.iter()
            .zip(y)
            .map(|(&x, &y)| f64::from(x) * f64::from(y))
            .sum()
    };
    let norms = (dot(a, a) * dot(b, b)).sqrt();
    if norms == 0.0 {
        f64::from(u8::from(a == b))
    } else {
        dot(a, b) / norms
    }
}

/// Energies of a signal and of the difference to it.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Noise {
    signal: f64,
    error: f64,
    largest: f64,
}

impl Noise {
    pub(crate) fn add(&mut self, wanted: f64, found: f64) {
        self.signal += wanted * wanted;
        self.error += (found - wanted) * (found - wanted);
        self.largest = self.largest.max((found - wanted).abs());
    }

    pub(crate) fn merge(&mut self, other: &Self) {
        self.signal += other.signal;
        self.error += other.error;
        self.largest = self.largest.max(other.largest);
    }

    /// Infinite without noise.
    pub(crate) fn snr_db(&self) -> f64 {
        decibels(self.signal, self.error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_answers_are_perfect_and_ties_go_to_the_lowest_index() {
        let answers = [1.0, 2.0, 2.0, -1.0, 0.5, 0.25];
        let same = compare(&answers, &answers, 3);
        assert_eq!((same.samples, same.top1_agreement), (2, 1.0));
        assert!(same.snr_db.is_infinite() && (same.cosine_min - 1.0).abs() < 1e-12);
        assert_eq!(top1(&answers[..3]), 1);
    }

    #[test]
    fn a_tenth_of_the_amplitude_is_twenty_decibels() {
        let noisy = compare(&[1.0, 0.0, 0.0], &[1.0, 0.1, 0.0], 3);
        assert!((noisy.snr_db - 20.0).abs() < 1e-5);
        assert!((noisy.max_abs_error - 0.1).abs() < 1e-7);
    }
}
