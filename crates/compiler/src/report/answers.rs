//! Answers for pictures of them: a sample of pairs of elements, and how errors are spread.

/// Most pairs that are kept.
const POINTS_MAX: usize = 600;
/// Bins of the errors, an odd number: the middle one is about zero.
pub const ERROR_BINS: usize = 25;

/// Pairs of answers' elements, and all errors in bins.
#[derive(Debug, Clone, PartialEq)]
pub struct Scatter {
    /// Some elements, evenly spaced: float, exact.
    pub points: Vec<[f32; 2]>,
    /// Elements by `exact - float`, from `-largest` to `largest`.
    pub bins: [u64; ERROR_BINS],
    /// Largest magnitude of an error.
    pub largest: f64,
}

impl Scatter {
    /// Of all elements of all answers.
    pub fn of(float: &[f32], exact: &[f32]) -> Self {
        // An odd distance meets all elements of answers of even width in turn.
        let step = float.len().div_ceil(POINTS_MAX).max(1) | 1;
        let pairs = || float.iter().zip(exact);
        let error = |(a, b): (&f32, &f32)| f64::from(*b) - f64::from(*a);
        let largest = pairs()
            .map(error)
            .fold(0.0, |most: f64, e| most.max(e.abs()));
        let mut bins = [0; ERROR_BINS];
        for error in pairs().map(error) {
            bins[bin(error, largest)] += 1;
        }
        Self {
            points: pairs().step_by(step).map(|(&a, &b)| [a, b]).collect(),
            bins,
            largest,
        }
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "brought into the range of the bins; a cast of NaN is 0"
)]
fn bin(error: f64, largest: f64) -> usize {
    if largest == 0.0 {
        return ERROR_BINS / 2;
    }
    let place = f64::midpoint(error / largest, 1.0) * ERROR_BINS as f64;
    (place.max(0.0) as usize).min(ERROR_BINS - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_error_is_in_one_bin_and_none_are_in_the_middle() {
        let found = Scatter::of(&[0.0, 1.0, 2.0, 3.0], &[0.0, 2.0, 1.0, 3.0]);
        assert_eq!(found.points.len(), 4);
        assert_eq!(found.bins.iter().sum::<u64>(), 4);
        let middle = found.bins[ERROR_BINS / 2];
        assert_eq!(
            (found.bins[0], middle, found.bins[ERROR_BINS - 1]),
            (1, 2, 1)
        );
        let ones = vec![1.0; 5000];
        let same = Scatter::of(&ones, &ones);
        assert_eq!(same.bins[ERROR_BINS / 2], 5000);
        assert!(same.points.len() <= POINTS_MAX);
    }
}
