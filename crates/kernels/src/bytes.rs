//! Elements aligned to a cache line, with readable slack behind the end.
//!
//! Vector loads of packed weights never cross a cache line, and a kernel that reads a few bytes
//! past the last element (it multiplies them by zero weights) stays inside the allocation.

use std::marker::PhantomData;
use std::ops::{Deref, DerefMut};

use crate::pages::{LARGE_BYTES, Pages, Piece, Room};

/// Bytes readable behind the last element of all [`Cells`].
pub(crate) const SLACK: usize = 64;

/// A cache line.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
pub(crate) struct Line([u8; 64]);

mod sealed {
    /// # Safety
    ///
    /// Every pattern of bits is a value, that of zeros is the default one, and the alignment is at most 64.
    pub unsafe trait Plain: Copy + Default + PartialEq {}

    // SAFETY: an integer.
    unsafe impl Plain for u8 {}
    // SAFETY: an integer.
    unsafe impl Plain for i16 {}
    // SAFETY: an integer.
    unsafe impl Plain for i32 {}
}

/// `T[len]`, aligned to 64 bytes, followed by 64 readable bytes; the default one is empty and has none.
pub struct Cells<T> {
    lines: Lines,
    len: usize,
    element: PhantomData<T>,
}

/// Lines that nobody else has.
enum Lines {
    Own(Vec<Line>),
    /// Large ones.
    Pages(Pages),
    /// Of a room that others use too.
    Piece(Piece),
}

impl Lines {
    fn count(&self) -> usize {
        match self {
            Self::Own(lines) => lines.len(),
            Self::Pages(pages) => pages.lines(),
            Self::Piece(piece) => piece.lines(),
        }
    }

    fn as_ptr(&self) -> *const Line {
        match self {
            Self::Own(lines) => lines.as_ptr(),
            Self::Pages(pages) => pages.as_ptr(),
            Self::Piece(piece) => piece.as_ptr(),
        }
    }

    fn as_mut_ptr(&mut self) -> *mut Line {
        match self {
            Self::Own(lines) => lines.as_mut_ptr(),
            Self::Pages(pages) => pages.as_ptr(),
            Self::Piece(piece) => piece.as_ptr(),
        }
    }
}

/// Stored bytes.
pub type Bytes = Cells<u8>;
/// Stored elements of 16 bits.
pub type Words = Cells<i16>;
/// Stored elements of 32 bits.
pub type Longs = Cells<i32>;

impl<T: sealed::Plain> Cells<T> {
    /// `len` elements, each `value`.
    ///
    /// # Panics
    ///
    /// If no memory can hold so many.
    pub fn filled(len: usize, value: T) -> Self {
        Self::filled_in(&Room::default(), len, value)
    }

    /// The same in a room, as long as it has some left.
    pub fn filled_in(room: &Room, len: usize, value: T) -> Self {
        let count = Self::lines_of(len);
        let large = LARGE_BYTES <= len * size_of::<T>();
        let lines = if let Some(piece) = room.take(count) {
            Lines::Piece(piece)
        } else {
            match large.then(|| Pages::new(count)).flatten() {
                Some(pages) => Lines::Pages(pages),
                None => Lines::Own(vec![Line([0; 64]); count]),
            }
        };
        let element = PhantomData;
        let mut cells = Self {
            lines,
            len,
            element,
        };
        if value != T::default() {
            cells.fill(value);
        }
        cells
    }

    /// Lines for `len` elements and the slack.
    ///
    /// # Panics
    ///
    /// If no memory can hold so many.
    fn lines_of(len: usize) -> usize {
        // A product that wraps would promise more elements than there are.
        assert!(
            len <= isize::MAX as usize / size_of::<T>(),
            "bytes: too many elements"
        );
        (len * size_of::<T>()).div_ceil(64) + 1
    }

    /// Takes another length, at most that of the allocation; the elements are what was there.
    ///
    /// # Panics
    ///
    /// If `len` elements and the slack do not fit.
    pub fn set_len(&mut self, len: usize) {
        assert!(Self::lines_of(len) <= self.lines.count(), "bytes: no room");
        self.len = len;
    }

    /// `len` elements of another type in the same memory; their values are whatever its bits say.
    ///
    /// # Panics
    ///
    /// If `len` elements and the slack do not fit.
    pub fn recast<U: sealed::Plain>(self, len: usize) -> Cells<U> {
        let element = PhantomData;
        let mut cells = Cells {
            lines: self.lines,
            len: 0,
            element,
        };
        cells.set_len(len);
        cells
    }

    /// The elements.
    pub fn as_slice(&self) -> &[T] {
        // SAFETY: `lines` holds at least `len` initialised elements, contiguous by `repr(C)`.
        unsafe { std::slice::from_raw_parts(self.lines.as_ptr().cast(), self.len) }
    }

    /// The elements, to be written.
    pub fn as_mut_slice(&mut self) -> &mut [T] {
        // SAFETY: as in `as_slice`, and `self` is borrowed exclusively.
        unsafe { std::slice::from_raw_parts_mut(self.lines.as_mut_ptr().cast(), self.len) }
    }

    /// Start of an allocation of which `SLACK` bytes more than the elements may be read.
    pub(crate) fn as_ptr(&self) -> *const T {
        self.lines.as_ptr().cast()
    }
}

impl AsRef<[i8]> for Cells<u8> {
    /// The same bytes, read as two's complement.
    fn as_ref(&self) -> &[i8] {
        let bytes = self.as_slice();
        // SAFETY: the same elements; bytes and signed bytes have one layout.
        unsafe { std::slice::from_raw_parts(bytes.as_ptr().cast(), bytes.len()) }
    }
}

impl<T> Default for Cells<T> {
    fn default() -> Self {
        Self {
            lines: Lines::Own(Vec::new()),
            len: 0,
            element: PhantomData,
        }
    }
}

impl<T: sealed::Plain> Deref for Cells<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        self.as_slice()
    }
}

impl<T: sealed::Plain> DerefMut for Cells<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        self.as_mut_slice()
    }
}

impl<T> std::fmt::Debug for Cells<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Cells({})", self.len)
    }
}

const _: () = assert!(SLACK <= 64);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_beyond_all_memory_are_refused() {
        for len in [usize::MAX / 2 + 1, usize::MAX, usize::MAX / 4 + 2] {
            let filled = std::panic::catch_unwind(|| Words::filled(len, 0).len());
            assert!(filled.is_err(), "{len} filled");
            let set = std::panic::catch_unwind(|| Words::filled(4, 0).set_len(len));
            assert!(set.is_err(), "{len} set");
        }
    }

    #[test]
    fn memory_serves_every_type_as_far_as_it_reaches() {
        let longs = Bytes::filled(400, 0xff).recast::<i32>(100);
        assert_eq!(longs.as_slice(), [-1; 100]);
        let words = longs.recast::<i16>(200);
        assert_eq!(words.as_slice(), [-1; 200]);
        let grown = std::panic::catch_unwind(|| words.recast::<i32>(129).len());
        assert!(grown.is_err(), "400 bytes and slack are eight lines");
    }

    #[test]
    fn storage_is_aligned_and_filled() {
        for len in [0, 1, 31, 32, 33, 63, 64, 65, 1000] {
            let mut bytes = Bytes::filled(len, 7);
            assert_eq!(bytes.as_ptr().align_offset(64), 0);
            assert_eq!(bytes.as_slice(), vec![7; len]);
            bytes.as_mut_slice().fill(9);
            assert!(bytes.as_slice().iter().all(|&b| b == 9));
            bytes.set_len(len / 2);
            assert_eq!(bytes.as_slice(), vec![9; len / 2]);
            bytes.set_len(len);
            assert_eq!(bytes.len(), len);
            let words = Words::filled(len, -2);
            assert_eq!(words.as_slice(), vec![-2; len]);
            assert!(len * 2 + SLACK <= words.lines.count() * 64);
        }
    }
}
