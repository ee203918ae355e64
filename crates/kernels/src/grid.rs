//! Where a stored tensor keeps its elements.
//!
//! A tensor `[height][width][channels]` is stored with a halo of constant elements around it, so
//! that a convolution reads its padding instead of testing for it:
//!
//! ```text
//! index(y, x) = ((top + y) * (left + width + right) + left + x) * channels
//! ```

use thiserror::Error;

/// The largest side of a stored tensor, halo included.
const SIDE_MAX: usize = 1 << 30;
/// The largest number of stored elements: keeps every index computation far from overflow.
const LEN_MAX: usize = 1 << 31;

/// The stored form of a tensor `[height][width][channels]`, with its halo.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Grid {
    height: usize,
    width: usize,
    channels: usize,
    halo: [usize; 4],
}

/// A side of the grid is zero or too long.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error(
    "grid [{height}][{width}][{channels}] with halo {halo:?}: each side must be 1..=2^30 and all together at most 2^31 elements"
)]
pub struct GridError {
    /// Rows without halo.
    pub height: usize,
    /// Columns without halo.
    pub width: usize,
    /// Elements of one position.
    pub channels: usize,
    /// Halo: top, left, bottom, right.
    pub halo: [usize; 4],
}

impl Grid {
    /// A grid with a halo (top, left, bottom, right).
    pub fn new(
        height: usize,
        width: usize,
        channels: usize,
        halo: [usize; 4],
    ) -> Result<Self, GridError> {
        let error = GridError {
            height,
            width,
            channels,
            halo,
        };
        let sides = [height, width, channels];
        let side_is_bad = |&side: &usize| side == 0 || SIDE_MAX < side;
        if sides.iter().any(side_is_bad) || halo.iter().any(|&h| SIDE_MAX < h) {
            return Err(error);
        }
        let rows = halo[0] + height + halo[2];
        let columns = halo[1] + width + halo[3];
        let len = rows
            .checked_mul(columns)
            .and_then(|n| n.checked_mul(channels));
        match len {
            Some(len) if len <= LEN_MAX => Ok(Self {
                height,
                width,
                channels,
                halo,
            }),
            Some(_) | None => Err(error),
        }
    }

    /// A grid without halo: its elements are the flat row-major sequence.
    pub fn dense(height: usize, width: usize, channels: usize) -> Result<Self, GridError> {
        Self::new(height, width, channels, [0; 4])
    }

    /// Rows, without halo.
    pub const fn height(&self) -> usize {
        self.height
    }

    /// Columns, without halo.
    pub const fn width(&self) -> usize {
        self.width
    }

    /// Elements of one position.
    pub const fn channels(&self) -> usize {
        self.channels
    }

    /// Halo: top, left, bottom, right.
    pub const fn halo(&self) -> [usize; 4] {
        self.halo
    }

    /// Elements from one stored row to the next.
    pub const fn row_len(&self) -> usize {
        (self.halo[1] + self.width + self.halo[3]) * self.channels
    }

    /// Stored rows, halo included.
    pub const fn row_count(&self) -> usize {
        self.halo[0] + self.height + self.halo[2]
    }

    /// Stored elements, halo included.
    pub const fn len(&self) -> usize {
        self.row_count() * self.row_len()
    }

    /// Never true: a grid has at least one element.
    pub const fn is_empty(&self) -> bool {
        false
    }

    /// Elements, without halo.
    pub const fn element_count(&self) -> usize {
        self.height * self.width * self.channels
    }

    /// Whether there is no halo.
    pub const fn is_dense(&self) -> bool {
        let [top, left, bottom, right] = self.halo;
        top == 0 && left == 0 && bottom == 0 && right == 0
    }

    /// Index of the first element of position (`y`, `x`).
    pub const fn index(&self, y: usize, x: usize) -> usize {
        ((self.halo[0] + y) * (self.halo[1] + self.width + self.halo[3]) + self.halo[1] + x)
            * self.channels
    }

    /// Whether `other` has the same height, width and channels.
    pub const fn same_shape(&self, other: &Self) -> bool {
        self.height == other.height && self.width == other.width && self.channels == other.channels
    }

    /// Writes `value` to the halo of a stored tensor; the elements stay.
    ///
    /// # Panics
    ///
    /// If the length is not [`Grid::len`].
    pub fn fill_halo<T: Copy>(&self, stored: &mut [T], value: T) {
        assert_eq!(stored.len(), self.len(), "fill_halo: stored length");
        let row = self.width * self.channels;
        let mut end = 0;
        for y in 0..self.height {
            let start = self.index(y, 0);
            stored[end..start].fill(value);
            end = start + row;
        }
        stored[end..].fill(value);
    }

    /// Copies the flat row-major sequence `dense` into `stored`, combining each byte by exclusive or with `flip`.
    ///
    /// # Panics
    ///
    /// If a length does not fit the grid.
    pub fn store(&self, dense: &[i8], flip: u8, stored: &mut [u8]) {
        assert_eq!(dense.len(), self.element_count(), "store: dense length");
        assert_eq!(stored.len(), self.len(), "store: stored length");
        let row = self.width * self.channels;
        for (y, source) in dense.chunks_exact(row).enumerate() {
            let start = self.index(y, 0);
            for (to, &from) in stored[start..start + row].iter_mut().zip(source) {
                *to = from as u8 ^ flip;
            }
        }
    }

    /// Copies the elements out of `stored`, in flat row-major order, combining each by exclusive or with `flip`.
    ///
    /// # Panics
    ///
    /// If a length does not fit the grid.
    pub fn load(&self, stored: &[u8], flip: u8, dense: &mut [i8]) {
        assert_eq!(dense.len(), self.element_count(), "load: dense length");
        assert_eq!(stored.len(), self.len(), "load: stored length");
        let row = self.width * self.channels;
        for (y, target) in dense.chunks_exact_mut(row).enumerate() {
            let start = self.index(y, 0);
            for (to, &from) in target.iter_mut().zip(&stored[start..start + row]) {
                *to = (from ^ flip) as i8;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_halo_is_filled_and_nothing_else() {
        for halo in [[0; 4], [1, 2, 3, 1], [0, 1, 0, 0], [2, 0, 1, 0]] {
            let grid = Grid::new(3, 4, 2, halo).expect("small");
            let dense: Vec<i8> = (1..=24).collect();
            let mut stored = vec![99; grid.len()];
            grid.store(&dense, 0, &mut stored);
            grid.fill_halo(&mut stored, 7);
            let mut fresh = vec![7; grid.len()];
            grid.store(&dense, 0, &mut fresh);
            assert_eq!(stored, fresh);
        }
    }

    #[test]
    fn sides_of_zero_or_beyond_the_bound_are_refused() {
        for (h, w, c, halo) in [
            (0, 1, 1, [0; 4]),
            (1, 0, 1, [0; 4]),
            (1, 1, 0, [0; 4]),
            (1 << 31, 1, 1, [0; 4]),
            (1, 1, 1, [1 << 31, 0, 0, 0]),
            (1 << 20, 1 << 20, 1, [0; 4]),
            (1 << 30, 1 << 30, 1 << 30, [0; 4]),
        ] {
            assert!(Grid::new(h, w, c, halo).is_err(), "{h} {w} {c} {halo:?}");
        }
    }

    #[test]
    fn storing_and_loading_is_the_identity_and_leaves_the_halo_alone() {
        let grid = Grid::new(2, 3, 2, [1, 2, 0, 1]).expect("small");
        let dense: Vec<i8> = (0..12).map(|i| i - 6).collect();
        let mut stored = vec![0x80; grid.len()];
        grid.store(&dense, 0x80, &mut stored);
        let mut back = vec![0; 12];
        grid.load(&stored, 0x80, &mut back);
        assert_eq!(back, dense);
        let untouched = stored
            .iter()
            .map(|&b| usize::from(b == 0x80))
            .sum::<usize>();
        // One interior element is zero, stored as 0x80 too.
        assert_eq!(untouched, grid.len() - 12 + 1);
    }
}
