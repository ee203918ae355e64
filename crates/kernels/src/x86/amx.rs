//! AMX: squares of sums, 16 positions by 16 channels each, unsigned times signed bytes.
//!
//! ```text
//! tile  0 1 2 3        4 5                   6 7
//!       sums           inputs                weights
//!       16 x i32[16]   16 positions x 4g     g groups x [16 channels][4]
//! ```
//!
//! Packed weights `[run][group][N][16][4]` are tiles as they lie there: g rows, `N * 64` bytes apart.
//! Inputs are read in place, one row for each position, `pixel_step` bytes apart. The groups of a run
//! are cut into equal steps of g, at most 16, of which packing has made whole ones by zero weights
//! ([`groups_for_tiles`]); so one shape of tiles does for a node. What is read behind a run is less
//! than [`SLACK`] and meets zero weights. Sums begin with the start values by
//! a tile load whose rows all are the same.
//!
//! Two tiles of positions share the weights that were read: neighbours, or two rows of a narrow output.
//!
//! Inputs are stored with the sign bit flipped, as for `vpdpbusd`, and `tdpbusd` multiplies just so:
//! products of few positions, depthwise convolutions and inputs of 16 bits stay with AVX-512.
//! The wrapping sum is exact because the true accumulator fits 32 bits.
//!
//! The compiler knows nothing of tiles: each product is one block of assembly, and the configuration
//! is held by a [`Session`], which releases it.

use core::arch::asm;
use core::mem::offset_of;
use std::cell::Cell;

use crate::bytes::SLACK;

/// Channels of a tile, and the most positions and groups.
pub(crate) const SIDE: usize = 16;
/// With fewer positions than this most rows of a tile would be idle, and vectors do as well.
pub(crate) const POSITIONS_MIN: usize = 4;

/// A step of fewer groups leaves most of a product idle: a tile of 16 by 16 sums takes 16 cycles
/// whatever its depth, vectors take 8 for each group.
const GROUPS_MIN: usize = 3;

// A run is padded by less than one step, and read up to three bytes further.
const _: () = assert!(4 * (SIDE - 1) + 3 <= SLACK);

/// The groups to which a run of `groups` groups is padded: equal steps of at most 16.
pub(crate) fn groups_for_tiles(groups: usize) -> usize {
    groups.next_multiple_of(groups.div_ceil(SIDE).max(1))
}

/// The steps of a run and the groups of each, if they are whole and deep enough.
fn steps(groups: usize) -> Option<(usize, usize)> {
    if groups <= SIDE {
        return (GROUPS_MIN <= groups).then_some((1, groups));
    }
    if groups.is_multiple_of(SIDE) {
        return Some((groups / SIDE, SIDE));
    }
    // Only here by a number that the compiler does not know.
    let steps = groups.div_ceil(SIDE);
    let is_whole = groups.is_multiple_of(steps);
    is_whole.then(|| (steps, groups / steps))
}

/// Whether runs of `groups` groups are computed by tiles.
pub(crate) fn takes(groups: usize) -> bool {
    steps(groups).is_some()
}

/// Rows of the two tiles of inputs (the second may have none) and groups of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Shape {
    rows: [usize; 2],
    groups: usize,
}

/// What `ldtilecfg` reads: palette 1, bytes of a row of each tile at 16, rows at 48.
#[repr(C, align(64))]
struct Configuration([u8; 64]);

impl Shape {
    /// The shape for the first of `left` neighbouring positions, which are not none.
    fn of(left: usize, groups: usize) -> Self {
        let first = left.min(SIDE);
        let second = (left - first).min(SIDE);
        Self {
            rows: [first, second],
            groups,
        }
    }

    fn positions(self) -> usize {
        self.rows[0] + self.rows[1]
    }

    fn configuration(self) -> Configuration {
        let ([first, second], k) = (self.rows, 4 * self.groups);
        // One tile of positions has sums of four vectors, two have two each.
        let lower = if second == 0 { first } else { second };
        let rows = [
            first,
            first,
            lower,
            lower,
            first,
            second,
            self.groups,
            self.groups,
        ];
        let row_bytes = [64, 64, 64, 64, k, if second == 0 { 0 } else { k }, 64, 64];
        let mut bytes = [0; 64];
        bytes[0] = 1;
        for tile in 0..8 {
            bytes[16 + 2 * tile] = row_bytes[tile] as u8;
            bytes[48 + tile] = rows[tile] as u8;
        }
        Configuration(bytes)
    }
}

/// The configuration of the tiles of this thread while a node runs; at most one exists in a thread.
/// Nothing else here configures tiles, and the system keeps them over a change of threads.
#[derive(Debug, Default)]
pub(crate) struct Session(Cell<Option<Shape>>);

impl Session {
    /// Gives the tiles a shape, which makes them zero, unless they have it.
    ///
    /// # Safety
    ///
    /// The processor has AMX-INT8 and the process may use it.
    unsafe fn configure(&self, shape: Shape) {
        if self.0.replace(Some(shape)) == Some(shape) {
            return;
        }
        let configuration = shape.configuration();
        // SAFETY: the caller's promise; 64 readable bytes, which the block reads as memory.
        unsafe {
            asm!("ldtilecfg [{0}]", in(reg) &raw const configuration,
                options(readonly, nostack, preserves_flags));
        }
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        if self.0.get().is_some() {
            // SAFETY: the tiles were configured, so the instruction exists.
            unsafe { asm!("tilerelease", options(nomem, nostack, preserves_flags)) };
        }
    }
}

/// Neighbouring positions times one block of channels; the formula is that of `accumulate::Tile`. The
/// maker promises that every access of it is inside an allocation, and `SLACK` bytes behind runs.
#[derive(Clone, Copy)]
pub(crate) struct Strip<'a> {
    pub(crate) input: *const u8,
    pub(crate) pixel_step: usize,
    /// Positions.
    pub(crate) count: usize,
    /// Bytes from one row to the next, where these are two rows of up to 16 positions each.
    pub(crate) row_step: Option<usize>,
    pub(crate) runs: &'a [usize],
    /// Groups of four bytes of a run, zero weights included.
    pub(crate) groups: usize,
    pub(crate) weights: *const i8,
    /// Vectors of channels: 1, 2 or 4.
    pub(crate) vectors: usize,
    /// Start values, `[vectors][16]`.
    pub(crate) start: *const i32,
}

impl Strip<'_> {
    /// The shape of the tiles from `position` on, and the bytes from the first of positions to the
    /// second.
    fn next(&self, position: usize, groups: usize) -> (Shape, usize) {
        match self.row_step {
            Some(step) => {
                let rows = [self.count / 2; 2];
                (Shape { rows, groups }, step)
            }
            None => (
                Shape::of(self.count - position, groups),
                SIDE * self.pixel_step,
            ),
        }
    }
}

/// One square as its block of assembly reads it.
#[repr(C)]
struct Square {
    input: *const u8,
    /// Bytes from the first tile of positions to the second.
    second: usize,
    runs: *const usize,
    runs_end: *const usize,
    /// Steps of a run.
    steps: usize,
    weights: *const i8,
    start: *const i32,
    to: *mut i32,
    /// Bytes from the sums of the first tile of positions to those of the second.
    second_to: usize,
}

/// The steps of a block of assembly that do not change.
struct Strides {
    /// Bytes between positions.
    pixel: usize,
    /// Bytes of a step of inputs.
    k: usize,
    /// Bytes between groups of weights, and between positions of sums.
    group: usize,
    /// Bytes of a step of weights.
    weights: usize,
}

/// Makes a function that computes one square: loads of start values from `{w}`, products of one step
/// from `{a}`, `{b}` and `{w}`, stores to `{a}` and `{b}`.
macro_rules! square {
    ($name:ident, [$($start:literal)*], [$($step:literal)*], [$($store:literal)*]) => {
        /// # Safety
        ///
        /// The tiles have the square's shape, and the square keeps its promise.
        unsafe fn $name(square: &Square, strides: &Strides) {
            // SAFETY: the caller's promise; the block reads and writes memory that the maker of the
            // square vouches for, and the registers that it names.
            unsafe {
                asm!(
                    "xor {a:e}, {a:e}",
                    "mov {w}, [{s} + {start}]",
                    $($start,)*
                    "mov {w}, [{s} + {weights}]",
                    "mov {run}, [{s} + {runs}]",
                    "2:",
                    "mov {a}, [{run}]",
                    "add {a}, [{s} + {input}]",
                    "mov {b}, [{s} + {second}]",
                    "add {b}, {a}",
                    "mov {n}, [{s} + {steps}]",
                    "3:",
                    $($step,)*
                    "add {a}, {k}",
                    "add {b}, {k}",
                    "add {w}, {ws}",
                    "dec {n}",
                    "jnz 3b",
                    "add {run}, 8",
                    "cmp {run}, [{s} + {runs_end}]",
                    "jne 2b",
                    "mov {a}, [{s} + {to}]",
                    "mov {b}, [{s} + {second_to}]",
                    "add {b}, {a}",
                    $($store,)*
                    s = in(reg) square,
                    ps = in(reg) strides.pixel,
                    k = in(reg) strides.k,
                    gs = in(reg) strides.group,
                    ws = in(reg) strides.weights,
                    a = out(reg) _,
                    b = out(reg) _,
                    w = out(reg) _,
                    run = out(reg) _,
                    n = out(reg) _,
                    start = const offset_of!(Square, start),
                    weights = const offset_of!(Square, weights),
                    runs = const offset_of!(Square, runs),
                    runs_end = const offset_of!(Square, runs_end),
                    input = const offset_of!(Square, input),
                    second = const offset_of!(Square, second),
                    steps = const offset_of!(Square, steps),
                    to = const offset_of!(Square, to),
                    second_to = const offset_of!(Square, second_to),
                    out("tmm0") _, out("tmm1") _, out("tmm2") _, out("tmm3") _,
                    out("tmm4") _, out("tmm5") _, out("tmm6") _, out("tmm7") _,
                    options(nostack),
                );
            }
        }
    };
}

square!(two_by_two, [
    "tileloadd tmm0, [{w} + {a}*1]"
    "tileloadd tmm1, [{w} + {a}*1 + 64]"
    "tileloadd tmm2, [{w} + {a}*1]"
    "tileloadd tmm3, [{w} + {a}*1 + 64]"
], [
    "tileloadd tmm6, [{w} + {gs}*1]"
    "tileloadd tmm4, [{a} + {ps}*1]"
    "tdpbusd tmm0, tmm4, tmm6"
    "tileloadd tmm7, [{w} + {gs}*1 + 64]"
    "tdpbusd tmm1, tmm4, tmm7"
    "tileloadd tmm5, [{b} + {ps}*1]"
    "tdpbusd tmm2, tmm5, tmm6"
    "tdpbusd tmm3, tmm5, tmm7"
], [
    "tilestored [{a} + {gs}*1], tmm0"
    "tilestored [{a} + {gs}*1 + 64], tmm1"
    "tilestored [{b} + {gs}*1], tmm2"
    "tilestored [{b} + {gs}*1 + 64], tmm3"
]);

square!(two_by_one, [
    "tileloadd tmm0, [{w} + {a}*1]"
    "tileloadd tmm2, [{w} + {a}*1]"
], [
    "tileloadd tmm6, [{w} + {gs}*1]"
    "tileloadd tmm4, [{a} + {ps}*1]"
    "tdpbusd tmm0, tmm4, tmm6"
    "tileloadd tmm5, [{b} + {ps}*1]"
    "tdpbusd tmm2, tmm5, tmm6"
], [
    "tilestored [{a} + {gs}*1], tmm0"
    "tilestored [{b} + {gs}*1], tmm2"
]);

square!(one_by_one, [
    "tileloadd tmm0, [{w} + {a}*1]"
], [
    "tileloadd tmm6, [{w} + {gs}*1]"
    "tileloadd tmm4, [{a} + {ps}*1]"
    "tdpbusd tmm0, tmm4, tmm6"
], [
    "tilestored [{a} + {gs}*1], tmm0"
]);

square!(one_by_two, [
    "tileloadd tmm0, [{w} + {a}*1]"
    "tileloadd tmm1, [{w} + {a}*1 + 64]"
], [
    "tileloadd tmm6, [{w} + {gs}*1]"
    "tileloadd tmm4, [{a} + {ps}*1]"
    "tdpbusd tmm0, tmm4, tmm6"
    "tileloadd tmm7, [{w} + {gs}*1 + 64]"
    "tdpbusd tmm1, tmm4, tmm7"
], [
    "tilestored [{a} + {gs}*1], tmm0"
    "tilestored [{a} + {gs}*1 + 64], tmm1"
]);

square!(one_by_four, [
    "tileloadd tmm0, [{w} + {a}*1]"
    "tileloadd tmm1, [{w} + {a}*1 + 64]"
    "tileloadd tmm2, [{w} + {a}*1 + 128]"
    "tileloadd tmm3, [{w} + {a}*1 + 192]"
], [
    "tileloadd tmm6, [{w} + {gs}*1]"
    "tileloadd tmm4, [{a} + {ps}*1]"
    "tdpbusd tmm0, tmm4, tmm6"
    "tileloadd tmm7, [{w} + {gs}*1 + 64]"
    "tdpbusd tmm1, tmm4, tmm7"
    "tileloadd tmm6, [{w} + {gs}*1 + 128]"
    "tdpbusd tmm2, tmm4, tmm6"
    "tileloadd tmm7, [{w} + {gs}*1 + 192]"
    "tdpbusd tmm3, tmm4, tmm7"
], [
    "tilestored [{a} + {gs}*1], tmm0"
    "tilestored [{a} + {gs}*1 + 64], tmm1"
    "tilestored [{a} + {gs}*1 + 128], tmm2"
    "tilestored [{a} + {gs}*1 + 192], tmm3"
]);

/// Vectors of the next square of a block of which `left` are left (a power of two, at most four), and
/// its function.
fn next_square(two_tiles: bool, left: usize) -> (usize, unsafe fn(&Square, &Strides)) {
    match (two_tiles, left) {
        (true, 1) => (1, two_by_one),
        (true, _) => (2, two_by_two),
        (false, 1) => (1, one_by_one),
        (false, 2) => (2, one_by_two),
        (false, _) => (4, one_by_four),
    }
}

/// Computes `[count][vectors][16]` sums. Does nothing for runs that [`takes`] refuses.
///
/// # Safety
///
/// The processor has AMX-INT8 and the process may use it; the strip keeps its promise; `to` takes
/// the sums; no other session of this thread is alive.
pub(crate) unsafe fn strip(strip: &Strip, session: &Session, to: *mut i32) {
    let Some((steps, groups)) = steps(strip.groups).filter(|_| !strip.runs.is_empty()) else {
        return;
    };
    let group_bytes = strip.vectors * SIDE * 4;
    let strides = Strides {
        pixel: strip.pixel_step,
        k: 4 * groups,
        group: group_bytes,
        weights: groups * group_bytes,
    };
    let mut position = 0;
    while position < strip.count {
        let (shape, second) = strip.next(position, groups);
        // SAFETY: the caller's promise.
        unsafe { session.configure(shape) };
        let mut vector = 0;
        while vector < strip.vectors {
            let (vectors, run) = next_square(shape.rows[1] != 0, strip.vectors - vector);
            let runs = strip.runs.as_ptr_range();
            let square = Square {
                input: strip.input.wrapping_add(position * strip.pixel_step),
                second,
                runs: runs.start,
                runs_end: runs.end,
                steps,
                weights: strip.weights.wrapping_add(vector * SIDE * 4),
                start: strip.start.wrapping_add(vector * SIDE),
                to: to.wrapping_add((position * strip.vectors + vector) * SIDE),
                second_to: shape.rows[0] * group_bytes,
            };
            // SAFETY: the tiles have just been given the shape; the strip's promise covers the rest.
            unsafe { run(&square, &strides) };
            vector += vectors;
        }
        position += shape.positions();
    }
}

/// Makes `rounds` rounds of products in tiles; returns the multiply-accumulates.
///
/// # Safety
///
/// The processor has AMX-INT8 and the process may use it; no other session of this thread is alive.
pub(crate) unsafe fn products_in_tiles(rounds: u64) -> u64 {
    let session = Session::default();
    // SAFETY: the caller's promise; the block touches no memory.
    unsafe {
        session.configure(Shape::of(2 * SIDE, SIDE));
        asm!(
            "test {n}, {n}",
            "jz 3f",
            "2:",
            "tdpbusd tmm0, tmm4, tmm6",
            "tdpbusd tmm1, tmm4, tmm7",
            "tdpbusd tmm2, tmm5, tmm6",
            "tdpbusd tmm3, tmm5, tmm7",
            "dec {n}",
            "jnz 2b",
            "3:",
            n = inout(reg) rounds => _,
            out("tmm0") _, out("tmm1") _, out("tmm2") _, out("tmm3") _,
            out("tmm4") _, out("tmm5") _, out("tmm6") _, out("tmm7") _,
            options(nomem, nostack),
        );
    }
    rounds * (4 * SIDE * SIDE * SIDE * 4) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_are_cut_into_the_fewest_equal_steps() {
        for groups in GROUPS_MIN..=4096 {
            let padded = groups_for_tiles(groups);
            let (count, each) = steps(padded).expect("whole steps");
            assert_eq!(count * each, padded);
            assert_eq!(count, groups.div_ceil(SIDE), "{groups} groups");
            assert!(
                groups <= padded && padded - groups < count.min(each),
                "{groups} groups"
            );
            assert!(each <= SIDE);
        }
        assert_eq!(groups_for_tiles(37), 39);
        assert_eq!(steps(37), None, "three steps of no whole number of groups");
        for groups in 0..GROUPS_MIN {
            assert_eq!((groups_for_tiles(groups), steps(groups)), (groups, None));
        }
    }

    #[test]
    fn what_is_read_behind_a_run_stays_in_the_slack() {
        for bytes in 1..=10_000_usize {
            let read = 4 * groups_for_tiles(bytes.div_ceil(4));
            assert!(read - bytes <= SLACK, "a run of {bytes} bytes");
        }
    }

    #[test]
    fn shapes_cover_all_positions_once() {
        for count in 1..=100 {
            let mut left = count;
            while 0 < left {
                let shape = Shape::of(left, 16);
                assert!(0 < shape.rows[0] && shape.rows.iter().all(|&rows| rows <= SIDE));
                assert!(shape.rows[1] == 0 || shape.rows[0] == SIDE);
                left -= shape.positions();
            }
        }
    }

    #[test]
    fn two_rows_of_a_narrow_output_take_a_tile_each() {
        let strip = Strip {
            input: core::ptr::null(),
            pixel_step: 64,
            count: 14,
            row_step: Some(576),
            runs: &[0],
            groups: 16,
            weights: core::ptr::null(),
            vectors: 4,
            start: core::ptr::null(),
        };
        let joined = Shape {
            rows: [7, 7],
            groups: 16,
        };
        assert_eq!(strip.next(0, 16), (joined, 576));
        let (alone, _) = Strip {
            row_step: None,
            ..strip
        }
        .next(0, 16);
        assert_eq!(alone.rows, [14, 0]);
    }

    /// Intel's manual, LDTILECFG: palette, start row, 14 zeros, eight widths of 16 bits, 16 zeros,
    /// eight heights, eight zeros; a tile without rows has no width.
    #[test]
    fn a_configuration_names_rows_and_widths_of_eight_tiles() {
        let bytes = Shape::of(32, 16).configuration().0;
        assert_eq!(
            bytes[..16],
            [1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]
        );
        assert_eq!(bytes[16..32], [64, 0].repeat(8));
        assert_eq!(bytes[32..48], [0; 16]);
        assert_eq!(bytes[48..56], [16; 8]);
        assert_eq!(bytes[56..], [0; 8]);
        let bytes = Shape::of(21, 9).configuration().0;
        assert_eq!(
            bytes[16..32],
            [64, 0, 64, 0, 64, 0, 64, 0, 36, 0, 36, 0, 64, 0, 64, 0]
        );
        assert_eq!(bytes[48..56], [16, 16, 5, 5, 16, 5, 9, 9]);
        let bytes = Shape::of(7, 3).configuration().0;
        assert_eq!(
            bytes[16..32],
            [64, 0, 64, 0, 64, 0, 64, 0, 12, 0, 0, 0, 64, 0, 64, 0]
        );
        assert_eq!(bytes[48..56], [7, 7, 7, 7, 7, 0, 3, 3]);
    }

    /// A product needs rows of sums and inputs to agree, and groups of inputs and weights.
    #[test]
    fn every_configuration_suits_the_products_that_use_it() {
        for (positions, groups) in [(1, 1), (16, 16), (17, 3), (32, 16), (40, 11)] {
            let bytes = Shape::of(positions, groups).configuration().0;
            let tile = |i: usize| (usize::from(bytes[48 + i]), usize::from(bytes[16 + 2 * i]));
            let suits = |c, a, b| {
                let ((c_rows, c_width), (a_rows, a_width)) = (tile(c), tile(a));
                let (b_rows, b_width) = tile(b);
                c_rows == a_rows && a_width == 4 * b_rows && c_width == b_width
            };
            if SIDE < positions {
                assert!(suits(0, 4, 6) && suits(1, 4, 7) && suits(2, 5, 6) && suits(3, 5, 7));
            } else {
                assert!(suits(0, 4, 6) && suits(1, 4, 7) && suits(2, 4, 6) && suits(3, 4, 7));
            }
        }
    }

    #[test]
    fn a_block_is_cut_into_squares_that_fit_its_vectors() {
        for (two_tiles, vectors) in [(true, 4), (true, 2), (true, 1), (false, 4), (false, 1)] {
            let mut left = vectors;
            while 0 < left {
                let (taken, _) = next_square(two_tiles, left);
                assert!(taken <= left && taken * usize::from(two_tiles) <= 2);
                left -= taken;
            }
        }
    }
}
