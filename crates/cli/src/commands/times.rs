//! Times of runs and what is reported of them.

use serde::Serialize;

/// Percentiles of the times of one configuration.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Percentiles {
    /// The shortest time.
    pub(crate) min_ms: f64,
    /// 50th percentile.
    pub(crate) median_ms: f64,
    /// 90th percentile.
    pub(crate) p90_ms: f64,
    /// 99th percentile.
    pub(crate) p99_ms: f64,
    /// Samples answered in a second at the median.
    pub(crate) samples_per_second: f64,
    /// Timed runs.
    pub(crate) samples: usize,
}

impl Percentiles {
    /// Of runs of `batch` samples each.
    pub(crate) fn of(times_ms: &mut [f64], batch: usize) -> Self {
        let median_ms = quantile(times_ms, 0.5);
        #[expect(clippy::cast_precision_loss, reason = "batches are small")]
        let samples_per_second = if median_ms > 0.0 {
            batch as f64 / median_ms * 1e3
        } else {
            0.0
        };
        Self {
            min_ms: quantile(times_ms, 0.0),
            median_ms,
            p90_ms: quantile(times_ms, 0.9),
            p99_ms: quantile(times_ms, 0.99),
            samples_per_second,
            samples: times_ms.len(),
        }
    }
}

/// The smallest time that at least a share `q` of all times does not exceed.
pub(crate) fn quantile(times: &mut [f64], q: f64) -> f64 {
    times.sort_by(f64::total_cmp);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "q is in 0..=1, and the counts of rounds are small"
    )]
    let rank = (times.len() as f64 * q).ceil() as usize;
    times
        .get(rank.saturating_sub(1))
        .copied()
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quantile_is_one_of_the_times() {
        let mut times = [4.0, 1.0, 3.0, 2.0];
        let wanted = [(0.0, 1.0), (0.5, 2.0), (0.9, 4.0), (0.99, 4.0)];
        for (q, time) in wanted {
            assert!((quantile(&mut times, q) - time).abs() < 1e-12);
        }
        assert!((quantile(&mut [], 0.5)).abs() < 1e-12);
    }

    #[test]
    fn throughput_counts_samples_not_runs() {
        let found = Percentiles::of(&mut [4.0, 2.0, 8.0], 16);
        assert!((found.samples_per_second - 4000.0).abs() < 1e-9);
    }
}
