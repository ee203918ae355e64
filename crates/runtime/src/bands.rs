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
    /// Threads that the work keeps busy.
    pub(crate) worth: u64,
}

/// Some of the rows and where they are stored.
struct Band<'a> {
    rows: Range<usize>,
    output: Output<'a>,
}

/// Elements read or written that make a second thread worth its start.
const ELEMENTS_PER_THREAD: usize = 16_384;

impl Rows {
    /// `count` rows of `row_len` elements of a dense output; `cost` elements are read or written
    /// for each.
    pub(crate) fn flat(row_len: usize, count: usize, cost: usize) -> Self {
        let worth = count.saturating_mul(cost) / ELEMENTS_PER_THREAD;
        Self {
            first: 0,
            row_len,
            count,
            worth: worth as u64,
        }
    }

    /// Runs `work` on all rows at once, or on bands of them on several threads.
    pub(crate) fn run(
        &self,
        output: &mut Buffer,
        pool: Option<&mut ThreadPool>,
        work: &(impl Fn(Range<usize>, Output) + Sync),
    ) {
        let stored = self.first..self.first + self.count * self.row_len;
        let worth = usize::try_from(self.worth).unwrap_or(usize::MAX);
        let threads = pool.as_ref().map_or(1, |pool| pool.threads());
        let threads = threads.min(worth).min(self.count);
        let Some(pool) = pool.filter(|_| 1 < threads) else {
            let output = match output {
                Buffer::I8(y) => Output::I8(&mut y[stored]),
                Buffer::I16(y) => Output::I16(&mut y[stored]),
                Buffer::I32(y) => Output::I32(&mut y[stored]),
            };
            work(0..self.count, output);
            return;
        };
        // Twice as many bands as threads, so that a slow thread leaves its second one to the others.
        let band_rows = self.count.div_ceil((2 * threads).min(THREADS_MAX));
        let band_len = band_rows * self.row_len;
        let mut bands: [Option<Band>; THREADS_MAX] = [const { None }; THREADS_MAX];
        let count = match output {
            Buffer::I8(y) => {
                let outputs = y[stored].chunks_mut(band_len).map(Output::I8);
                self.cut(&mut bands, outputs, band_rows)
            }
            Buffer::I16(y) => {
                let outputs = y[stored].chunks_mut(band_len).map(Output::I16);
                self.cut(&mut bands, outputs, band_rows)
            }
            Buffer::I32(y) => {
                let outputs = y[stored].chunks_mut(band_len).map(Output::I32);
                self.cut(&mut bands, outputs, band_rows)
            }
        };
        pool.for_each(&mut bands[..count], &|_, band: &mut Option<Band>| {
            if let Some(Band { rows, output }) = band.take() {
                work(rows, output);
            }
        });
    }

    /// Fills `bands` from the cut output; returns their number.
    fn cut<'a>(
        &self,
        bands: &mut [Option<Band<'a>>],
        outputs: impl Iterator<Item = Output<'a>>,
        band_rows: usize,
    ) -> usize {
        let mut count = 0;
        for (band, output) in bands.iter_mut().zip(outputs) {
            let start = count * band_rows;
            *band = Some(Band {
                rows: start..self.count.min(start + band_rows),
                output,
            });
            count += 1;
        }
        count
    }
}
