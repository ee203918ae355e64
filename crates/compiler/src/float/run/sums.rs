//! Sums of products: the core of convolutions, dense nodes and products of two activations.
//!
//! ```text
//! out[row][column] = ((start[row] + a[row][0] * b[0][column]) + a[row][1] * b[1][column]) + ...
//! ```
//!
//! Every sum adds its terms in their order, each product rounded before it is added. Lanes of vectors
//! are columns, so that their width cannot show in the bits. Columns are packed into panels,
//! `[panel][term][lane]`, in blocks that stay in a core's cache while all rows of `a` pass by.

use core::ops::{AddAssign, Mul, Range};

use selfsame_kernels::{Loops, Vectors, Width};

use super::single;

/// Bytes of the panels of one block.
const BLOCK_BYTES: usize = 1 << 19;

/// The type of sums.
pub(super) trait Real: Copy + Default + From<f32> + AddAssign + Mul<Output = Self> {
    /// The nearest number of single precision.
    fn single(self) -> f32;

    /// `values` in this type, by way of `converted` where it is another one.
    fn operands<'a>(values: &'a [f32], converted: &'a mut Vec<Self>) -> &'a [Self];
}

impl Real for f32 {
    #[inline(always)]
    fn single(self) -> f32 {
        self
    }

    #[inline(always)]
    fn operands<'a>(values: &'a [f32], _: &'a mut Vec<Self>) -> &'a [Self] {
        values
    }
}

impl Real for f64 {
    #[inline(always)]
    fn single(self) -> f32 {
        single(self)
    }

    #[inline(always)]
    fn operands<'a>(values: &'a [f32], converted: &'a mut Vec<Self>) -> &'a [Self] {
        converted.resize(values.len(), 0.0);
        for (slot, &value) in converted.iter_mut().zip(values) {
            *slot = Self::from(value);
        }
        converted
    }
}

/// Where sums are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    /// `[rows][columns]`.
    Rows,
    /// `[columns][rows]`.
    Columns,
}

/// The first operand of a matrix product, and how its sums start.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rows<'a> {
    /// `[rows][terms]`.
    pub(super) values: &'a [f32],
    /// One for each row.
    pub(super) starts: &'a [f32],
}

/// Columns of the second operand, packed.
#[derive(Debug)]
pub(super) struct Panels<T> {
    values: Vec<T>,
    terms: usize,
    lanes: usize,
    /// Columns in use.
    count: usize,
}

impl<T: Real> Panels<T> {
    /// Writes what all columns have at `term`.
    pub(super) fn set_term(&mut self, term: usize, columns: &[f32]) {
        let (terms, lanes) = (self.terms, self.lanes);
        let panels = self.values.chunks_exact_mut(terms * lanes);
        for (panel, columns) in panels.zip(columns.chunks(lanes)) {
            let slots = &mut panel[term * lanes..][..lanes];
            for (slot, &value) in slots.iter_mut().zip(columns) {
                *slot = T::from(value);
            }
            slots[columns.len()..].fill(T::default());
        }
    }

    /// Writes a column.
    pub(super) fn set_column(&mut self, column: usize, terms: &[f32]) {
        let (panel, lane) = (column / self.lanes, column % self.lanes);
        let panel = &mut self.values[panel * self.terms * self.lanes..];
        let slots = panel[lane..].iter_mut().step_by(self.lanes);
        for (slot, &value) in slots.zip(terms) {
            *slot = T::from(value);
        }
    }
}

/// Columns of a panel: two vectors, one if that is enough, or one column.
fn lanes<T>(width: Width, columns: usize) -> usize {
    let vector = width.bytes() / size_of::<T>();
    match columns {
        0 | 1 => 1,
        _ if columns <= vector => vector,
        _ => 2 * vector,
    }
}

/// All sums of `rows` with `columns` columns; `pack` writes a range of them into panels.
pub(super) fn sums<T: Real>(
    width: Width,
    rows: Rows<'_>,
    columns: usize,
    order: Order,
    out: &mut [f32],
    mut pack: impl FnMut(Range<usize>, &mut Panels<T>),
) {
    let terms = rows.values.len() / rows.starts.len().max(1);
    let lanes = lanes::<T>(width, columns);
    let panel_bytes = (terms * lanes * size_of::<T>()).max(1);
    let block = (BLOCK_BYTES / panel_bytes).clamp(1, columns.div_ceil(lanes).max(1));
    let mut panels = Panels {
        values: vec![T::default(); block * lanes * terms],
        terms,
        lanes,
        count: 0,
    };
    for start in (0..columns).step_by(block * lanes) {
        panels.count = (block * lanes).min(columns - start);
        pack(start..start + panels.count, &mut panels);
        width.run(Block {
            rows,
            panels: &panels,
            start,
            columns,
            order,
            out,
        });
    }
}

/// The sums of one block of columns.
struct Block<'a, T> {
    rows: Rows<'a>,
    panels: &'a Panels<T>,
    /// First column.
    start: usize,
    /// Columns of all blocks.
    columns: usize,
    order: Order,
    out: &'a mut [f32],
}

impl<T: Real> Loops for Block<'_, T> {
    type Output = ();

    /// Tiles of two vectors by eight rows, or by four where there are sixteen registers.
    #[inline(always)]
    fn run<V: Vectors>(self) {
        let lanes = self.panels.lanes;
        if lanes == 1 {
            self.tiles::<8, 1, 1>();
        } else if V::BYTES == 64 {
            match lanes {
                32 => self.tiles::<8, 32, 16>(),
                16 => self.tiles::<8, 16, 8>(),
                _ => self.tiles::<8, 8, 8>(),
            }
        } else if V::BYTES == 32 {
            match lanes {
                16 => self.tiles::<4, 16, 8>(),
                8 => self.tiles::<4, 8, 4>(),
                _ => self.tiles::<4, 4, 4>(),
            }
        } else {
            match lanes {
                8 => self.tiles::<4, 8, 4>(),
                4 => self.tiles::<4, 4, 2>(),
                _ => self.tiles::<4, 2, 2>(),
            }
        }
    }
}

impl<T: Real> Block<'_, T> {
    /// Tiles of `ROWS` rows and `LANES` columns; the last one of a row may need `FEW` columns only.
    #[inline(always)]
    fn tiles<const ROWS: usize, const LANES: usize, const FEW: usize>(mut self) {
        let terms = self.panels.terms;
        let panel_len = terms * LANES;
        let count = self.rows.starts.len();
        let mut converted = Vec::new();
        for first in (0..count).step_by(ROWS) {
            let used = ROWS.min(count - first);
            let rows = &self.rows.values[first * terms..(first + used) * terms];
            let rows = T::operands(rows, &mut converted);
            // Rows beyond the last one repeat it; their sums are not used.
            let operands: [&[T]; ROWS] =
                core::array::from_fn(|row| &rows[row.min(used - 1) * terms..][..terms]);
            let starts: [T; ROWS] =
                core::array::from_fn(|row| T::from(self.rows.starts[first + row.min(used - 1)]));
            for lane in (0..self.panels.count).step_by(LANES) {
                let panel = &self.panels.values[lane * terms..][..panel_len];
                let width = LANES.min(self.panels.count - lane);
                let at = (first, used, self.start + lane, width);
                if width <= FEW {
                    let sums = tile::<T, ROWS, LANES, FEW>(starts, operands, panel);
                    self.write(at, &sums);
                } else {
                    let sums = tile::<T, ROWS, LANES, LANES>(starts, operands, panel);
                    self.write(at, &sums);
                }
            }
        }
    }

    /// Writes the sums of rows and columns from `first` and `column` on.
    #[inline(always)]
    fn write<const ROWS: usize, const LANES: usize>(
        &mut self,
        (first, rows, column, width): (usize, usize, usize, usize),
        sums: &[[T; LANES]; ROWS],
    ) {
        match self.order {
            Order::Rows => {
                for (row, sums) in sums.iter().enumerate().take(rows) {
                    let out = &mut self.out[(first + row) * self.columns + column..][..width];
                    for (slot, sum) in out.iter_mut().zip(sums) {
                        *slot = sum.single();
                    }
                }
            }
            Order::Columns => {
                let stride = self.rows.starts.len();
                for lane in 0..width {
                    let out = &mut self.out[(column + lane) * stride + first..][..rows];
                    for (slot, sums) in out.iter_mut().zip(sums) {
                        *slot = sums[lane].single();
                    }
                }
            }
        }
    }
}

/// Sums of `ROWS` rows with the first `USED` columns of a panel, each in order of its terms.
#[inline(always)]
fn tile<T: Real, const ROWS: usize, const LANES: usize, const USED: usize>(
    starts: [T; ROWS],
    rows: [&[T]; ROWS],
    panel: &[T],
) -> [[T; USED]; ROWS] {
    let columns = panel.as_chunks::<LANES>().0;
    let rows = rows.map(|row| &row[..columns.len()]);
    let mut sums = starts.map(|start| [start; USED]);
    for (term, column) in columns.iter().enumerate() {
        for (sums, row) in sums.iter_mut().zip(rows) {
            let factor = row[term];
            for (sum, &value) in sums.iter_mut().zip(&column[..USED]) {
                *sum += factor * value;
            }
        }
    }
    sums
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(count: usize, seed: u32) -> Vec<f32> {
        let mut state = seed;
        let mut next = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            single(f64::from(state >> 8) / f64::from(1 << 22) - 2.0)
        };
        (0..count).map(|_| next()).collect()
    }

    /// One sum after the other, in the order of the terms.
    fn plain<T: Real>(rows: Rows<'_>, columns: &[f32], terms: usize) -> Vec<u32> {
        let mut out = Vec::new();
        for (row, &start) in rows.values.chunks_exact(terms).zip(rows.starts) {
            for column in columns.chunks_exact(terms) {
                let mut sum = T::from(start);
                for (&a, &b) in row.iter().zip(column) {
                    sum += T::from(a) * T::from(b);
                }
                out.push(sum.single().to_bits());
            }
        }
        out
    }

    fn agree<T: Real>(rows: usize, terms: usize, columns: usize) {
        let (a, b) = (numbers(rows * terms, 3), numbers(columns * terms, 5));
        let starts = numbers(rows, 7);
        let rows = Rows {
            values: &a,
            starts: &starts,
        };
        let wanted = plain::<T>(rows, &b, terms);
        for width in Width::available() {
            for order in [Order::Rows, Order::Columns] {
                let mut out = vec![0.0; wanted.len()];
                sums::<T>(width, rows, columns, order, &mut out, |range, panels| {
                    for (at, column) in range.enumerate() {
                        panels.set_column(at, &b[column * terms..][..terms]);
                    }
                });
                let found = (0..wanted.len()).map(|i| match order {
                    Order::Rows => out[i].to_bits(),
                    Order::Columns => out[i % columns * starts.len() + i / columns].to_bits(),
                });
                assert!(found.eq(wanted.iter().copied()), "{width:?} {order:?}");
            }
        }
    }

    #[test]
    fn every_width_sums_in_the_order_of_the_terms() {
        for rows in [1, 4, 7, 17] {
            for columns in [1, 2, 5, 16, 31, 33, 70] {
                agree::<f32>(rows, 13, columns);
                agree::<f64>(rows, 13, columns);
            }
        }
        // Several blocks.
        agree::<f32>(3, 9_000, 50);
        agree::<f64>(3, 9_000, 50);
    }
}
