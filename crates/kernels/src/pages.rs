//! Fresh memory of a size at which pages count.
//!
//! A first touch of each 4 KiB costs more than writing them. Large memory is therefore taken from the
//! operating system in one piece whose whole 2 MiB pages it may hand out at once (an advice, which it may
//! ignore). What lies behind the last whole one stays in small pages, so that no more becomes resident
//! than is written.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::bytes::Line;

/// Memory from here on gets pages of its own.
pub(crate) const LARGE_BYTES: usize = 4 << 20;
/// Rooms from here on too: the allocator would leave gaps between their pieces.
const ROOM_BYTES: usize = 1 << 20;
/// Bytes of a large page.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
const PAGE: usize = 2 << 20;

/// Advises the system to back the whole large pages among `bytes` bytes of memory by large pages. Without
/// such a call this does nothing.
fn advise(start: *mut u8, bytes: usize) {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    {
        const HUGE: std::ffi::c_int = 14;
        let first = start.addr().next_multiple_of(PAGE);
        let end = (start.addr() + bytes) / PAGE * PAGE;
        if first < end {
            // SAFETY: an advice on pages that the caller has allocated, which changes no content. Refused,
            // it changes nothing at all.
            unsafe { system::madvise(start.with_addr(first).cast(), end - first, HUGE) };
        }
    }
    #[cfg(not(all(target_os = "linux", target_env = "gnu")))]
    let _ = (start, bytes);
}

/// The system's allocator, which backs large allocations by large pages: for programs that read and
/// decode large tensors.
#[derive(Debug, Clone, Copy, Default)]
pub struct LargePages;

// SAFETY: every call is passed on to the system's allocator; an advice changes no content.
unsafe impl GlobalAlloc for LargePages {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promise, passed on.
        let start = unsafe { System.alloc(layout) };
        large(start, layout.size())
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promise, passed on.
        let start = unsafe { System.alloc_zeroed(layout) };
        large(start, layout.size())
    }

    unsafe fn realloc(&self, old: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: the caller's promise, passed on.
        let start = unsafe { System.realloc(old, layout, size) };
        large(start, size)
    }

    unsafe fn dealloc(&self, start: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise, passed on.
        unsafe { System.dealloc(start, layout) }
    }
}

fn large(start: *mut u8, bytes: usize) -> *mut u8 {
    if LARGE_BYTES <= bytes && !start.is_null() {
        advise(start, bytes);
    }
    start
}

/// Lines of zeros that nobody else has.
pub(crate) struct Pages {
    start: *mut Line,
    lines: usize,
}

// SAFETY: the only owner of its memory, as `Vec` is.
unsafe impl Send for Pages {}
// SAFETY: shared, it gives out addresses only.
unsafe impl Sync for Pages {}

impl Pages {
    /// `lines` lines of zeros; none where the system has no such call or refuses it.
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    pub(crate) fn new(lines: usize) -> Option<Self> {
        const READ_WRITE: std::ffi::c_int = 1 | 2;
        const PRIVATE_ANONYMOUS: std::ffi::c_int = 0x02 | 0x20;
        let bytes = lines.checked_mul(size_of::<Line>()).filter(|&n| 0 < n)?;
        // SAFETY: a new mapping at an address of the system's choice touches no memory that is in use.
        let start = unsafe {
            system::mmap(
                std::ptr::null_mut(),
                bytes,
                READ_WRITE,
                PRIVATE_ANONYMOUS,
                -1,
                0,
            )
        };
        // MAP_FAILED is the address -1, the only odd one.
        if start.is_null() || start.addr() % 2 == 1 {
            return None;
        }
        advise(start.cast(), bytes);
        let start = start.cast();
        Some(Self { start, lines })
    }

    /// None: the allocator's pages have to do.
    #[cfg(not(all(target_os = "linux", target_env = "gnu")))]
    pub(crate) fn new(_: usize) -> Option<Self> {
        None
    }

    pub(crate) fn as_ptr(&self) -> *mut Line {
        self.start
    }

    pub(crate) fn lines(&self) -> usize {
        self.lines
    }
}

impl Drop for Pages {
    fn drop(&mut self) {
        #[cfg(all(target_os = "linux", target_env = "gnu"))]
        // SAFETY: exactly the mapping that `new` made; whoever had an address into it borrowed or shared
        // this value. A refusal leaves it mapped, which is no harm.
        unsafe {
            system::munmap(self.start.cast(), self.lines * size_of::<Line>());
        }
    }
}

#[cfg(all(target_os = "linux", target_env = "gnu"))]
mod system {
    use std::ffi::{c_int, c_void};

    unsafe extern "C" {
        pub(super) fn mmap(
            address: *mut c_void,
            bytes: usize,
            protection: c_int,
            flags: c_int,
            file: c_int,
            offset: i64,
        ) -> *mut c_void;
        pub(super) fn madvise(address: *mut c_void, bytes: usize, advice: c_int) -> c_int;
        pub(super) fn munmap(address: *mut c_void, bytes: usize) -> c_int;
    }
}

/// Room for many [`Cells`](crate::bytes::Cells), handed out piece by piece; what does not fit gets memory of its own.
///
/// Can be shared between threads: no two pieces overlap, and each keeps the whole room alive.
#[derive(Debug, Clone, Default)]
pub struct Room(Option<Arc<Shared>>);

struct Shared {
    pages: Pages,
    /// Lines handed out; may count beyond the end.
    used: AtomicUsize,
}

/// Some lines of a room, which nobody else has.
pub(crate) struct Piece {
    room: Arc<Shared>,
    first: usize,
    lines: usize,
}

impl Room {
    /// Room for `bytes` bytes; none at all if they are few.
    pub fn new(bytes: usize) -> Self {
        let pages = (ROOM_BYTES <= bytes).then(|| Pages::new(bytes / size_of::<Line>()));
        let used = AtomicUsize::new(0);
        Self(
            pages
                .flatten()
                .map(|pages| Arc::new(Shared { pages, used })),
        )
    }

    /// Bytes that a room needs for cells of `bytes` bytes, slack included.
    pub fn bytes_of(bytes: usize) -> usize {
        bytes.next_multiple_of(size_of::<Line>()) + size_of::<Line>()
    }

    /// Lines that nobody else has, if so many are left.
    pub(crate) fn take(&self, lines: usize) -> Option<Piece> {
        let shared = self.0.as_ref()?;
        let all = shared.pages.lines();
        let next = |used: usize| used.checked_add(lines).filter(|&end| end <= all);
        let (set, fetch) = (Ordering::Relaxed, Ordering::Relaxed);
        let first = shared.used.fetch_update(set, fetch, next).ok()?;
        Some(Piece {
            room: Arc::clone(shared),
            first,
            lines,
        })
    }
}

impl Piece {
    pub(crate) fn as_ptr(&self) -> *mut Line {
        self.room.pages.as_ptr().wrapping_add(self.first)
    }

    pub(crate) fn lines(&self) -> usize {
        self.lines
    }
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Room({} lines)", self.pages.lines())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bytes::{Bytes, Cells};

    #[test]
    fn pieces_of_a_room_are_zero_apart_and_outlive_it() {
        let room = Room::new(LARGE_BYTES);
        let lengths = [0, 1, 63, 64, 1000, 1 << 20, 3 << 20, 5 << 20, 17];
        let mut pieces: Vec<_> = lengths
            .iter()
            .map(|&len| Bytes::filled_in(&room, len, 0))
            .collect();
        drop(room);
        for (piece, value) in pieces.iter_mut().zip(1..) {
            assert!(piece.iter().all(|&byte| byte == 0));
            piece.fill(value);
        }
        for ((piece, &len), value) in pieces.iter().zip(&lengths).zip(1..) {
            assert_eq!(piece.as_ptr().align_offset(64), 0);
            assert_eq!(piece.len(), len);
            assert!(piece.iter().all(|&byte| byte == value));
        }
    }

    #[test]
    fn pages_hold_what_was_written_and_are_refused_without_size() {
        assert!(Pages::new(0).is_none());
        assert!(Pages::new(usize::MAX).is_none());
        let large = Cells::filled(LARGE_BYTES + 12_345, 7_u8);
        assert!(large.iter().all(|&byte| byte == 7));
        assert_eq!(Bytes::filled_in(&Room::new(100), 5, 0).as_slice(), [0; 5]);
    }
}
