//! Outputs cut into bands of rows, which threads compute side by side.

use std::ops::Range;

use selfsame_kernels::{Output, THREADS_MAX, ThreadPool};

use crate::storage::Buffer;

/// Rows of an output that can be computed one by one.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rows {
    /// First stored element of the first row.
    pub(crate) first: usize,
    /// Stored elements of a row.
    pub(crate) row_len: usize,
    /// Number of rows.
    pub(crate) count: usize,
    /// Rows that are computed together: bands end between such groups.
    pub(crate) group: usize,
    /// Bands that are worth the start of a thread.
    pub(crate) worth: u64,
}

/// Some of the rows and where they are stored.
struct Band<'a> {
    rows: Range<usize>,
    output: Output<'a>,
}

/// Cost that makes a band worth the start of a thread, about two microseconds; a cost of one is what an
/// element of a sum takes.
const COST_PER_BAND: usize = 16_384;
/// Most bands for each thread: the more, the shorter the wait for the last one. A worker that waits for
/// longer than some microseconds falls asleep, and waking it takes longer than many a step.
const BANDS_PER_THREAD: usize = 8;

impl Rows {
    /// `count` rows of `row_len` elements of a dense output, of which each costs `cost`.
    pub(crate) fn flat(row_len: usize, count: usize, cost: usize) -> Self {
        let worth = count.saturating_mul(cost) / COST_PER_BAND;
        Self {
            first: 0,
            row_len,
            count,
            group: 1,
            worth: worth as u64,
        }
    }

    /// Runs `work` on all rows at once, or on bands of them on several threads.
    ///
    /// A band is the same part of the rows in every step, so that the thread that takes it finds its
    /// input in its own caches.
    pub(crate) fn run(
        &self,
        output: &mut Buffer,
        pool: Option<&mut ThreadPool>,
        work: &(impl Fn(Range<usize>, Output) + Sync),
    ) {
        let stored = self.first..self.first + self.count * self.row_len;
        let threads = pool.as_ref().map_or(1, |pool| pool.threads());
        let count = self.bands(threads);
        let Some(pool) = pool.filter(|_| 1 < count) else {
            let output = match output {
                Buffer::I8(y) => Output::I8(&mut y[stored]),
                Buffer::I16(y) => Output::I16(&mut y[stored]),
                Buffer::I32(y) => Output::I32(&mut y[stored]),
            };
            work(0..self.count, output);
            return;
        };
        let mut bands: [Option<Band>; THREADS_MAX] = [const { None }; THREADS_MAX];
        let bands = &mut bands[..count];
        match output {
            Buffer::I8(y) => self.cut(bands, &mut y[stored], Output::I8),
            Buffer::I16(y) => self.cut(bands, &mut y[stored], Output::I16),
            Buffer::I32(y) => self.cut(bands, &mut y[stored], Output::I32),
        }
        pool.for_each(bands, &|_, band: &mut Option<Band>| {
            if let Some(Band { rows, output }) = band.take() {
                work(rows, output);
            }
        });
    }

    fn groups(&self) -> usize {
        self.count.div_ceil(self.group.max(1))
    }

    /// Number of bands for `threads` threads: as many for each, if they are worth it.
    fn bands(&self, threads: usize) -> usize {
        let worth = usize::try_from(self.worth).unwrap_or(usize::MAX);
        let worth = worth.min(BANDS_PER_THREAD * threads).min(THREADS_MAX);
        if threads <= 1 || worth <= 1 {
            return 1;
        }
        let even = worth.next_multiple_of(threads).min(2 * worth);
        even.min(THREADS_MAX).min(self.groups())
    }

    /// Fills `bands`, each with its part of the cut output.
    fn cut<'a, T>(
        &self,
        bands: &mut [Option<Band<'a>>],
        mut rest: &'a mut [T],
        part: fn(&'a mut [T]) -> Output<'a>,
    ) {
        let (groups, count) = (self.groups(), bands.len());
        let start = |band: usize| self.count.min(band * groups / count * self.group);
        for (band, to) in bands.iter_mut().enumerate() {
            let rows = start(band)..start(band + 1);
            let output;
            (output, rest) = rest.split_at_mut(rows.len() * self.row_len);
            let output = part(output);
            *to = Some(Band { rows, output });
        }
    }
}

#[cfg(test)]
mod tests {
    use selfsame_kernels::Longs;

    use super::*;

    #[test]
    fn bands_hold_every_row_once_and_end_between_groups() {
        for (count, group, threads) in [(128, 6, 2), (128, 14, 4), (7, 3, 3), (5, 8, 2), (1, 1, 4)]
        {
            let rows = Rows {
                first: 3,
                row_len: 2,
                count,
                group,
                worth: 1_000,
            };
            let mut pool = ThreadPool::new(threads);
            let mut output = Buffer::I32(Longs::filled(3 + 2 * count + 5, -1));
            rows.run(&mut output, Some(&mut pool), &|rows, output| {
                assert!(rows.start.is_multiple_of(group), "{rows:?}");
                let Output::I32(y) = output else {
                    unreachable!("a band has the type of its buffer");
                };
                assert_eq!(y.len(), 2 * rows.len());
                for (row, y) in rows.zip(y.chunks_exact_mut(2)) {
                    assert_eq!(y, [-1, -1], "row {row} twice");
                    y.fill(i32::try_from(row).expect("small"));
                }
            });
            let want = (0..count).flat_map(|row| [i32::try_from(row).expect("small"); 2]);
            let want: Vec<i32> = [-1; 3].into_iter().chain(want).chain([-1; 5]).collect();
            let Buffer::I32(output) = output else {
                unreachable!("a buffer keeps its type");
            };
            assert_eq!(*output, *want, "{count} rows in groups of {group}");
        }
    }

    #[test]
    fn little_work_stays_on_one_thread_and_much_gives_every_thread_some_bands() {
        assert_eq!(Rows::flat(384, 32, 384).bands(2), 1);
        assert_eq!(Rows::flat(384, 32, 8 * 384).bands(2), 6);
        assert_eq!(Rows::flat(1, 128, 384).bands(2), 4);
        assert_eq!(Rows::flat(1, 128, 384).bands(64), 6);
        assert_eq!(Rows::flat(384, 128, 8 * 384).bands(2), 16);
        assert_eq!(Rows::flat(384, 128, 8 * 384).bands(1), 1);
        assert_eq!(Rows::flat(384, 3, 1 << 20).bands(2), 3);
    }
}
