//! Sums of products of one tile: M positions times N vectors of output channels.
//!
//! ```text
//! acc[m][n][lane] = bias[n][lane] + sum over runs r, groups g, bytes b < 4 of
//!                   x[m * pixel_step + runs[r] + 4g + b] * w[r][g][n][lane][b]
//! ```
//!
//! A convolution needs no gathered copy of its input: for one row of its window, the `kw * C`
//! inputs of a position are contiguous in `[H][W][C]`, hence one run per window row. Four inputs
//! are broadcast to all lanes at once; each lane holds the weights of one output channel. Runs are
//! padded to four bytes by zero weights, so the up to three bytes read behind a run do not count.
//!
//! One generic body is compiled for each instruction set; [`Isa`] names the few operations. A set whose
//! products are added in pairs of groups before they are widened takes the weights that would
//! overflow there from a list of its own: what [`crate::excess`] has cut off.

use crate::excess::Excess;
use crate::finish::Finish;

/// The most lanes that any instruction set has.
pub(crate) const LANES_MAX: usize = 16;
/// The most accumulators of a strip of tiles.
pub(crate) const SCRATCH: usize = 192 * LANES_MAX;

/// The accumulators of a strip on their way from the products to the requantisation.
#[repr(C, align(64))]
pub(crate) struct Scratch(pub(crate) core::mem::MaybeUninit<[i32; SCRATCH]>);

/// One tile. The maker promises that every access of the formula above is inside an allocation.
#[derive(Clone, Copy)]
pub(crate) struct Tile<'a> {
    /// Stored input at the window of the first position.
    pub(crate) input: *const u8,
    /// Bytes between the windows of neighbouring positions.
    pub(crate) pixel_step: usize,
    /// Bytes between the window of the first position and that of position [`SHARED`].
    pub(crate) second: usize,
    /// Starts of the runs, relative to the window, in bytes.
    pub(crate) runs: &'a [usize],
    /// Groups of four bytes in a run: four elements, or two of 16 bits.
    pub(crate) groups: usize,
    /// Packed weights of the block: `[runs][groups][N][LANES][G]`, a lane's G weights in
    /// [`Isa::WEIGHT_BYTES`].
    pub(crate) weights: *const i8,
    /// Start values, `[N][LANES]`.
    pub(crate) bias: *const i32,
    /// Weights of single groups that are missing above; only where groups are added in pairs.
    pub(crate) excess: Excess<'a>,
}

/// The operations of an instruction set, on bytes or, four bytes being two elements, on 16 bits.
///
/// # Safety
///
/// Every method may only be called when the processor has the instruction set, what it reads can be read
/// and what it writes be written; `finish` asks for the promise of [`Finish`].
pub(crate) unsafe trait Isa {
    /// `i32[LANES]`.
    type Sums: Copy;
    /// The weights of each lane, four bytes.
    type Weights: Copy;
    /// Inputs, four bytes, the same in each lane.
    type Inputs: Copy;
    /// Four inputs of each lane.
    type Spread: Copy;
    /// Lanes of a vector.
    const LANES: usize;
    /// Bytes that the weights of a lane take in a group.
    const WEIGHT_BYTES: usize = 4;
    /// Whether groups are multiplied two at a time, and `dot8` is called.
    const PAIRS: bool = false;

    /// Reads `i32[LANES]`.
    unsafe fn load_sums(from: *const i32) -> Self::Sums;
    /// Writes `i32[LANES]`.
    unsafe fn store_sums(sums: Self::Sums, to: *mut i32);
    /// Reads `LANES` times [`Isa::WEIGHT_BYTES`].
    unsafe fn load_weights(from: *const i8) -> Self::Weights;
    /// Reads four stored bytes.
    unsafe fn load_inputs(from: *const u8) -> Self::Inputs;
    /// Adds the products of each lane.
    unsafe fn dot4(sums: Self::Sums, x: Self::Inputs, w: Self::Weights) -> Self::Sums;
    /// Adds the products of two groups.
    #[inline(always)]
    unsafe fn dot8(sums: Self::Sums, x: [Self::Inputs; 2], w: [Self::Weights; 2]) -> Self::Sums {
        // SAFETY: the caller's promise, passed on.
        unsafe { Self::dot4(Self::dot4(sums, x[0], w[0]), x[1], w[1]) }
    }
    /// Lane l takes byte l behind each of the addresses, of which there are three or four; a missing
    /// fourth byte is anything. Reads `LANES` bytes behind each.
    unsafe fn spread<const TAPS: usize>(taps: [*const u8; TAPS]) -> Self::Spread;
    /// Adds four products of each lane.
    unsafe fn dot_spread(sums: Self::Sums, x: Self::Spread, w: Self::Weights) -> Self::Sums;
    /// Requantises and writes `pixels` vectors of one block of channels.
    unsafe fn finish(finish: &Finish);
}

/// Four addresses; a missing one is the last again.
#[inline(always)]
pub(crate) fn four<const TAPS: usize>(taps: [*const u8; TAPS]) -> [*const u8; 4] {
    const { assert!(3 <= TAPS && TAPS <= 4) };
    core::array::from_fn(|i| taps[i.min(TAPS - 1)])
}

/// Positions that share one address register: all multiples of the step up to six are one of its
/// multiples by one, three or five, shifted, hence one instruction away.
pub(crate) const SHARED: usize = 7;
/// Address registers of the largest tile.
const BASES: usize = 2;

/// The multiples of a step that stay in registers.
#[derive(Clone, Copy)]
struct Multiples {
    one: usize,
    three: usize,
    five: usize,
}

impl Multiples {
    #[inline(always)]
    fn of(step: usize) -> Self {
        Self {
            one: step,
            three: opaque(core::ptr::without_provenance(3 * step)).addr(),
            five: opaque(core::ptr::without_provenance(5 * step)).addr(),
        }
    }

    /// `factor` steps, `factor` below [`SHARED`].
    #[inline(always)]
    fn times(self, factor: usize) -> usize {
        match factor {
            0..=2 => factor * self.one,
            3 => self.three,
            4 => 4 * self.one,
            5 => self.five,
            _ => 2 * self.three,
        }
    }
}

/// Hides how a pointer was computed, so that the compiler keeps it in a register of its own
/// instead of adding the step again for every position.
#[inline(always)]
#[cfg_attr(
    target_arch = "x86_64",
    expect(clippy::pointers_in_nomem_asm_block, reason = "the assembly is empty")
)]
fn opaque(pointer: *const u8) -> *const u8 {
    #[cfg(target_arch = "x86_64")]
    {
        let mut pointer = pointer;
        // SAFETY: the assembly is empty; it has no effect on any register, flag or byte.
        unsafe {
            core::arch::asm!("/* {0} */", inout(reg) pointer,
                options(pure, nomem, nostack, preserves_flags));
        }
        pointer
    }
    #[cfg(not(target_arch = "x86_64"))]
    {
        pointer
    }
}

/// The body of every tile kernel; the formula is in the module comment.
///
/// # Safety
///
/// `I` is available and `tile` keeps its promise; `to` takes `M * N * LANES` numbers.
#[inline(always)]
pub(crate) unsafe fn tile<I: Isa, const M: usize, const N: usize>(tile: &Tile, to: *mut i32) {
    const { assert!(M <= SHARED * BASES) };
    let step = Multiples::of(tile.pixel_step);
    // SAFETY: the caller's promise covers every pointer below, all offsets are those of the formula.
    unsafe {
        let mut sums = [[I::load_sums(tile.bias); N]; M];
        for row in &mut sums {
            for (n, sum) in row.iter_mut().enumerate() {
                *sum = I::load_sums(tile.bias.add(n * I::LANES));
            }
        }
        let mut w = tile.weights;
        for &run in tile.runs {
            let mut bases = [tile.input.wrapping_add(run); BASES];
            bases[1] = bases[1].wrapping_add(tile.second);
            let pairs = if I::PAIRS { tile.groups / 2 } else { 0 };
            for _ in 0..pairs {
                add_pair::<I, M, N>(&mut sums, &bases, step, w);
                for (b, base) in bases.iter_mut().enumerate() {
                    if b * SHARED < M {
                        *base = opaque(base.wrapping_add(8));
                    }
                }
                w = w.add(2 * N * I::LANES * I::WEIGHT_BYTES);
            }
            for _ in 2 * pairs..tile.groups {
                let mut weights = [I::load_weights(w); N];
                for (n, weight) in weights.iter_mut().enumerate().skip(1) {
                    *weight = I::load_weights(w.add(n * I::LANES * I::WEIGHT_BYTES));
                }
                for (m, row) in sums.iter_mut().enumerate() {
                    let inputs = I::load_inputs(bases[m / SHARED].add(step.times(m % SHARED)));
                    for (sum, &weight) in row.iter_mut().zip(&weights) {
                        *sum = I::dot4(*sum, inputs, weight);
                    }
                }
                for (b, base) in bases.iter_mut().enumerate() {
                    if b * SHARED < M {
                        *base = opaque(base.wrapping_add(4));
                    }
                }
                w = w.add(N * I::LANES * I::WEIGHT_BYTES);
            }
        }
        if I::PAIRS {
            add_excess::<I, M, N>(&mut sums, tile);
        }
        for (m, row) in sums.iter().enumerate() {
            for (n, &sum) in row.iter().enumerate() {
                I::store_sums(sum, to.add((m * N + n) * I::LANES));
            }
        }
    }
}

/// Adds the products of two neighbouring groups, of which the weights begin at `w`.
///
/// # Safety
///
/// As for [`tile`], of which this is a part.
#[inline(always)]
unsafe fn add_pair<I: Isa, const M: usize, const N: usize>(
    sums: &mut [[I::Sums; N]; M],
    bases: &[*const u8; BASES],
    step: Multiples,
    w: *const i8,
) {
    for (m, row) in sums.iter_mut().enumerate() {
        let from = bases[m / SHARED].wrapping_add(step.times(m % SHARED));
        // SAFETY: the caller's promise covers both groups of inputs and of weights.
        unsafe {
            let inputs = [I::load_inputs(from), I::load_inputs(from.wrapping_add(4))];
            for (n, sum) in row.iter_mut().enumerate() {
                let near = w.wrapping_add(n * I::LANES * I::WEIGHT_BYTES);
                let far = near.wrapping_add(N * I::LANES * I::WEIGHT_BYTES);
                *sum = I::dot8(*sum, inputs, [I::load_weights(near), I::load_weights(far)]);
            }
        }
    }
}

/// Adds the products of the weights that were cut off.
///
/// # Safety
///
/// As for [`tile`], of which this is a part.
#[inline(always)]
unsafe fn add_excess<I: Isa, const M: usize, const N: usize>(
    sums: &mut [[I::Sums; N]; M],
    tile: &Tile,
) {
    let mut w = tile.excess.weights;
    for place in tile.excess.places {
        let from = tile
            .input
            .wrapping_add(tile.runs[place.run] + 4 * place.group);
        for (m, row) in sums.iter_mut().enumerate() {
            // SAFETY: the caller's promise covers these inputs, and the excess has weights for each
            // of its places.
            unsafe {
                let position = m / SHARED * tile.second + m % SHARED * tile.pixel_step;
                let inputs = I::load_inputs(from.wrapping_add(position));
                for (n, sum) in row.iter_mut().enumerate() {
                    let weights = I::load_weights(w.wrapping_add(n * I::LANES * I::WEIGHT_BYTES));
                    *sum = I::dot4(*sum, inputs, weights);
                }
            }
        }
        w = w.wrapping_add(N * I::LANES * I::WEIGHT_BYTES);
    }
}
