//! Rank correlation: whether two lists of numbers order their places alike.
//!
//! ```text
//! Spearman's rho = Pearson's r of the ranks; equal numbers share the mean of their ranks
//! ```
//!
//! Source: C. Spearman, The proof and measurement of association between two things, 1904.

/// Most answers whose pairs are compared; more are thinned out evenly.
const PAIRED_ANSWERS_MAX: usize = 256;

/// Spearman's rho of `a` and `b`, -1 to 1; `None` if they have fewer than two places, differ in
/// length, or one of them is constant.
pub fn spearman(a: &[f32], b: &[f32]) -> Option<f64> {
    if a.len() != b.len() || a.len() < 2 {
        return None;
    }
    pearson(&ranks(a), &ranks(b))
}

/// Mean of Spearman's rho over answers of `width` elements; `None` if it exists for none of them.
pub(super) fn mean_spearman(float: &[f32], exact: &[f32], width: usize) -> Option<f64> {
    let pairs = float.chunks_exact(width).zip(exact.chunks_exact(width));
    let found: Vec<f64> = pairs.filter_map(|(a, b)| spearman(a, b)).collect();
    #[expect(clippy::cast_precision_loss, reason = "counts of answers")]
    (!found.is_empty()).then(|| found.iter().sum::<f64>() / found.len() as f64)
}

/// Spearman's rho of the cosines between all pairs of float answers and all pairs of exact answers:
/// whether embeddings find the same neighbours.
pub(super) fn pair_spearman(float: &[f32], exact: &[f32], width: usize) -> Option<f64> {
    let count = float.len() / width.max(1);
    let step = count.div_ceil(PAIRED_ANSWERS_MAX).max(1);
    let thinned = |answers: &[f32]| -> Vec<Vec<f32>> {
        let rows = answers.chunks_exact(width).step_by(step);
        rows.map(unit).collect()
    };
    spearman(&cosines(&thinned(float)), &cosines(&thinned(exact)))
}

/// The answer at length one; zeros stay zeros.
fn unit(answer: &[f32]) -> Vec<f32> {
    let norm = answer.iter().map(|v| v * v).sum::<f32>().sqrt();
    let scale = if norm > 0.0 { 1.0 / norm } else { 0.0 };
    answer.iter().map(|v| v * scale).collect()
}

/// The cosine of each pair of unit vectors, first with second, first with third, ...
fn cosines(answers: &[Vec<f32>]) -> Vec<f32> {
    let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f32>();
    let with_later = |(index, a): (usize, &Vec<f32>)| -> Vec<f32> {
        answers[index + 1..].iter().map(|b| dot(a, b)).collect()
    };
    answers.iter().enumerate().flat_map(with_later).collect()
}

/// Rank of each number from 0; equal ones share the mean of theirs.
fn ranks(values: &[f32]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|&a, &b| values[a].total_cmp(&values[b]));
    let mut ranks = vec![0.0; values.len()];
    let mut first = 0;
    for group in order.chunk_by(|&a, &b| values[a].total_cmp(&values[b]).is_eq()) {
        #[expect(clippy::cast_precision_loss, reason = "places of a list in memory")]
        let mean = first as f64 + (group.len() - 1) as f64 / 2.0;
        for &place in group {
            ranks[place] = mean;
        }
        first += group.len();
    }
    ranks
}

fn pearson(a: &[f64], b: &[f64]) -> Option<f64> {
    #[expect(clippy::cast_precision_loss, reason = "places of a list in memory")]
    let count = a.len() as f64;
    let (mean_a, mean_b) = (a.iter().sum::<f64>() / count, b.iter().sum::<f64>() / count);
    let (mut ab, mut aa, mut bb) = (0.0, 0.0, 0.0);
    for (a, b) in a.iter().zip(b) {
        let (a, b) = (a - mean_a, b - mean_b);
        ab += a * b;
        aa += a * a;
        bb += b * b;
    }
    (aa > 0.0 && bb > 0.0).then(|| (ab / (aa * bb).sqrt()).clamp(-1.0, 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(found: Option<f64>, wanted: f64) -> bool {
        found.is_some_and(|found| (found - wanted).abs() < 1e-12)
    }

    #[test]
    fn order_alone_counts() {
        assert!(near(spearman(&[1.0, 2.0, 9.0], &[-4.0, 0.5, 0.6]), 1.0));
        assert!(near(spearman(&[1.0, 2.0, 9.0], &[3.0, 2.0, 1.0]), -1.0));
        // 1 - 6 * (0 + 1 + 1 + 0) / (4 * 15)
        assert!(near(
            spearman(&[1.0, 2.0, 3.0, 4.0], &[1.0, 3.0, 2.0, 4.0]),
            0.8
        ));
    }

    #[test]
    fn equal_numbers_share_their_ranks() {
        assert_eq!(ranks(&[5.0, 1.0, 5.0, 7.0]), [1.5, 0.0, 1.5, 3.0]);
    }

    #[test]
    fn a_constant_or_a_single_place_has_no_correlation() {
        assert_eq!(spearman(&[1.0], &[1.0]), None);
        assert_eq!(spearman(&[1.0, 1.0], &[1.0, 2.0]), None);
        assert_eq!(spearman(&[1.0, 2.0], &[1.0]), None);
    }

    #[test]
    fn embeddings_of_another_length_find_the_same_neighbours() {
        let float = [1.0, 0.0, 0.8, 0.6, 0.0, 1.0, -1.0, 0.1];
        let scaled: Vec<f32> = float.iter().map(|v| v * 3.0).collect();
        assert!(near(pair_spearman(&float, &scaled, 2), 1.0));
        let turned = [0.0, 1.0, 0.8, 0.6, 1.0, 0.0, 0.9, 0.1];
        assert!(pair_spearman(&float, &turned, 2).is_some_and(|rho| rho < 0.9));
    }
}
