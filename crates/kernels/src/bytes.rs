//! Bytes aligned to a cache line, with readable slack behind the end.
//!
//! Vector loads of packed weights never cross a cache line, and a kernel that reads a few bytes
//! past the last element (it multiplies them by zero weights) stays inside the allocation.

/// Bytes readable behind the last element of every [`Bytes`].
pub(crate) const SLACK: usize = 64;

#[derive(Clone, Copy)]
#[repr(C, align(64))]
struct Line([u8; 64]);

/// `u8[len]`, aligned to 64 bytes, followed by 64 readable bytes.
#[derive(Default)]
pub struct Bytes {
    lines: Vec<Line>,
    len: usize,
}

impl Bytes {
    /// `len` bytes, each `value`.
    pub fn filled(len: usize, value: u8) -> Self {
        let line_count = len.div_ceil(64) + 1;
        let lines = vec![Line([value; 64]); line_count];
        Self { lines, len }
    }

    /// Takes another length, at most that of the allocation; the elements are what was there.
    ///
    /// # Panics
    ///
    /// If `len` elements and the slack do not fit.
    pub fn set_len(&mut self, len: usize) {
        assert!(len.div_ceil(64) < self.lines.len(), "bytes: no room");
        self.len = len;
    }

    /// The elements.
    pub fn as_slice(&self) -> &[u8] {
        // SAFETY: `lines` holds at least `len` initialised bytes, contiguous by `repr(C)`.
        unsafe { std::slice::from_raw_parts(self.lines.as_ptr().cast(), self.len) }
    }

    /// The elements, to be written.
    pub fn as_mut_slice(&mut self) -> &mut [u8] {
        // SAFETY: as in `as_slice`, and `self` is borrowed exclusively.
        unsafe { std::slice::from_raw_parts_mut(self.lines.as_mut_ptr().cast(), self.len) }
    }

    /// Start of an allocation of which `len + SLACK` bytes may be read.
    pub(crate) fn as_ptr(&self) -> *const u8 {
        self.lines.as_ptr().cast()
    }

    /// Number of elements.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is no element.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }
}

impl std::fmt::Debug for Bytes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Bytes({})", self.len)
    }
}

const _: () = assert!(SLACK <= 64);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn storage_is_aligned_and_filled() {
        for len in [0, 1, 63, 64, 65, 1000] {
            let mut bytes = Bytes::filled(len, 7);
            assert_eq!(bytes.as_ptr().align_offset(64), 0);
            assert_eq!(bytes.as_slice(), vec![7; len]);
            bytes.as_mut_slice().fill(9);
            assert!(bytes.as_slice().iter().all(|&b| b == 9));
            bytes.set_len(len / 2);
            assert_eq!(bytes.as_slice(), vec![9; len / 2]);
            bytes.set_len(len);
            assert_eq!(bytes.len(), len);
        }
    }
}
