//! Which tile kernels exist for each instruction set, and how large a tile may be.
//!
//! The accumulators of a tile, its weights and one input vector must fit the registers: 32 of them
//! with AVX-512 and Neon, 16 with AVX2. Few positions (a matrix product of one row) want many
//! vectors of channels instead, so that the latency of the products is hidden.

use crate::accumulate::{Isa, SCRATCH, Tile, tile};
use crate::depthwise::words::{DepthwiseWords, depthwise_words};
use crate::depthwise::{Depthwise, depthwise};
use crate::finish::Finish;
use crate::kernel::{InstructionSet, Kernel};
use crate::planar::PlanarTile;
use crate::portable::{Portable, PortableWide};
use crate::strip::{Session, Strip};
use crate::widen::Widen;

/// Computes the sums of one tile.
///
/// # Safety
///
/// The instruction set is there, the tile keeps its promise, and there is room for its sums.
pub(crate) type TileKernel = unsafe fn(&Tile, *mut i32);

/// The kernels of (positions, vectors).
pub(crate) type TileTable = fn(usize, usize) -> Option<TileKernel>;

/// Computes the sums of some positions of a depthwise convolution.
///
/// # Safety
///
/// The instruction set is there, the positions keep their promise, and there is room for the sums.
pub(crate) type DepthwiseKernel = unsafe fn(&Depthwise, *mut i32);

/// The same for inputs of 16 bits.
///
/// # Safety
///
/// As for [`DepthwiseKernel`].
pub(crate) type DepthwiseWordsKernel = unsafe fn(&DepthwiseWords, *mut i32);

/// Computes and requantises one tile of positions in lanes.
///
/// # Safety
///
/// The instruction set is there, the tile keeps its promise, shifted values fit 32 bits, and the
/// clamp is one of bytes.
pub(crate) type PlanarKernel = unsafe fn(&PlanarTile);

/// Computes the sums of a strip by squares.
///
/// # Safety
///
/// The instruction set is there, the strip keeps its promise, there is room for its sums, and no other
/// session of this thread is alive.
pub(crate) type StripKernel = unsafe fn(&Strip, &Session, *mut i32);

/// Squares of positions times channels, for inputs of bytes.
#[derive(Clone, Copy)]
#[cfg_attr(
    not(target_arch = "x86_64"),
    expect(dead_code, reason = "no squares here")
)]
pub(crate) struct Squares {
    /// Positions of a square; two are computed together.
    pub(crate) side: usize,
    /// The fewest for which squares are the better way.
    pub(crate) positions_min: usize,
    /// The groups to which a run is padded.
    pub(crate) groups: fn(usize) -> usize,
    /// Whether runs of so many groups can be computed by squares, and should.
    pub(crate) take: fn(usize) -> bool,
    pub(crate) strip: StripKernel,
}

/// The functions of one instruction set.
pub(crate) struct Engine {
    pub(crate) lanes: usize,
    /// Vectors of a block, given the positions of an output row.
    pub(crate) vectors_max: fn(usize) -> usize,
    /// The most positions of a tile, given the vectors of its block.
    pub(crate) pixels_max: fn(usize) -> usize,
    /// The kernel for (positions, vectors).
    pub(crate) tile: TileTable,
    /// The same for bytes of which none is negative; `tile` where that makes no difference.
    pub(crate) unsigned_tile: TileTable,
    /// The same with groups in pairs.
    pub(crate) paired_tile: TileTable,
    /// Most of what the products of two groups may add up to in one half of a lane, if groups come in
    /// pairs and are added there.
    pub(crate) pair_max: Option<i32>,
    /// The same for inputs of 16 bits.
    pub(crate) wide_tile: TileTable,
    /// The most positions of a tile of 16-bit inputs.
    pub(crate) wide_pixels_max: fn(usize) -> usize,
    /// Makes words of signed bytes, where products of words are the faster ones.
    pub(crate) widen: Option<Widen>,
    /// The sums of one vector of channels of a depthwise convolution.
    pub(crate) depthwise: DepthwiseKernel,
    /// The same for bytes of which none is negative.
    pub(crate) unsigned_depthwise: DepthwiseKernel,
    /// The sums of two vectors of channels of a depthwise convolution of 16-bit inputs.
    pub(crate) wide_depthwise: DepthwiseWordsKernel,
    /// Requantises one vector of channels.
    pub(crate) finish: unsafe fn(&Finish),
    /// Requantises two whole vectors of channels side by side; where it says no, nothing is done.
    pub(crate) finish_two: unsafe fn(&Finish) -> bool,
    /// Computes and requantises positions in lanes.
    pub(crate) planar: Option<PlanarKernel>,
    /// Computes strips by squares.
    pub(crate) squares: Option<Squares>,
}

/// Makes `fn(positions, vectors) -> Option<TileKernel>` over the listed sizes.
macro_rules! tile_table {
    ($name:ident, $isa:ty, #[$feature:meta], $($n:literal: [$($m:literal)*]),*) => {
        fn $name(pixels: usize, vectors: usize) -> Option<TileKernel> {
            match (pixels, vectors) {
                $($(($m, $n) => {
                    #[$feature]
                    unsafe fn kernel(at: &Tile, to: *mut i32) {
                        const { assert!($m * $n * <$isa as Isa>::LANES <= SCRATCH) };
                        // SAFETY: the caller passes on its promises.
                        unsafe { tile::<$isa, $m, $n>(at, to) }
                    }
                    Some(kernel)
                })*)*
                _ => None,
            }
        }
    };
}

/// Compiles the depthwise body for an instruction set.
macro_rules! depthwise_kernel {
    ($name:ident, $isa:ty, #[$feature:meta]) => {
        #[$feature]
        unsafe fn $name(at: &Depthwise, to: *mut i32) {
            // SAFETY: the caller passes on its promises.
            unsafe { depthwise::<$isa>(at, to) }
        }
    };
}

/// The same for inputs of 16 bits.
macro_rules! wide_depthwise_kernel {
    ($name:ident, $isa:ty, #[$feature:meta]) => {
        #[$feature]
        unsafe fn $name(at: &DepthwiseWords, to: *mut i32) {
            // SAFETY: the caller passes on its promises.
            unsafe { depthwise_words::<$isa>(at, to) }
        }
    };
}

depthwise_kernel!(portable_depthwise, Portable, #[inline(never)]);
wide_depthwise_kernel!(portable_wide_depthwise, Portable, #[inline(never)]);
tile_table!(portable_tile, Portable, #[inline(never)], 1: [1 2 3 4]);
tile_table!(portable_wide_tile, PortableWide, #[inline(never)], 1: [1 2 3 4]);

const PORTABLE: Engine = Engine {
    lanes: Portable::LANES,
    vectors_max: |_| 1,
    pixels_max: |_| 4,
    tile: portable_tile,
    unsigned_tile: portable_tile,
    paired_tile: portable_tile,
    pair_max: None,
    wide_tile: portable_wide_tile,
    wide_pixels_max: |_| 4,
    widen: None,
    depthwise: portable_depthwise,
    unsigned_depthwise: portable_depthwise,
    wide_depthwise: portable_wide_depthwise,
    finish: Portable::finish,
    finish_two: |_| false,
    planar: None,
    squares: None,
};

#[cfg(target_arch = "aarch64")]
mod arm {
    use super::{
        Depthwise, DepthwiseWords, Engine, Isa, SCRATCH, Tile, TileKernel, depthwise,
        depthwise_words, tile,
    };
    use crate::arm::{Neon, NeonWide};

    depthwise_kernel!(neon_depthwise, Neon, #[target_feature(enable = "neon,dotprod")]);
    wide_depthwise_kernel!(neon_wide_depthwise, Neon, #[target_feature(enable = "neon,dotprod")]);

    tile_table!(neon_tile, Neon, #[target_feature(enable = "neon,dotprod")],
        1: [1 2 3 4 5 6 7 8 9 10 11 12], 2: [1 2 3 4 5 6 7 8], 4: [1 2 3 4 5]);
    tile_table!(neon_wide_tile, NeonWide, #[target_feature(enable = "neon,dotprod")],
        1: [1 2 3 4 5 6 7 8 9 10 11 12], 2: [1 2 3 4 5 6 7 8], 4: [1 2 3 4 5]);

    pub(super) const NEON: Engine = Engine {
        lanes: Neon::LANES,
        vectors_max: |_| 4,
        pixels_max: |vectors| match vectors {
            1 => 12,
            2 => 8,
            _ => 5,
        },
        tile: neon_tile,
        unsigned_tile: neon_tile,
        paired_tile: neon_tile,
        pair_max: None,
        wide_tile: neon_wide_tile,
        wide_pixels_max: |vectors| match vectors {
            1 => 12,
            2 => 8,
            _ => 5,
        },
        widen: None,
        depthwise: neon_depthwise,
        unsigned_depthwise: neon_depthwise,
        wide_depthwise: neon_wide_depthwise,
        finish: Neon::finish,
        finish_two: |_| false,
        planar: None,
        squares: None,
    };
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use super::{
        Depthwise, DepthwiseWords, Engine, Isa, SCRATCH, Squares, Tile, TileKernel, Widen,
        depthwise, depthwise_words, tile,
    };
    use crate::x86::{
        Avx2, Avx2Paired, Avx2Unsigned, Avx2Wide, Avx2Words, Avx512, Avx512Wide, AvxVnni,
        AvxVnniWide, PAIR_MAX, amx,
    };

    depthwise_kernel!(avx2_depthwise, Avx2, #[target_feature(enable = "avx2")]);
    depthwise_kernel!(avx2_unsigned_depthwise, Avx2Unsigned, #[target_feature(enable = "avx2")]);
    depthwise_kernel!(avx_vnni_depthwise, AvxVnni, #[target_feature(enable = "avx2,avxvnni")]);
    depthwise_kernel!(avx512_depthwise, Avx512,
        #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]);
    wide_depthwise_kernel!(avx2_wide_depthwise, Avx2, #[target_feature(enable = "avx2")]);
    wide_depthwise_kernel!(avx_vnni_wide_depthwise, AvxVnni,
        #[target_feature(enable = "avx2,avxvnni")]);
    wide_depthwise_kernel!(avx512_wide_depthwise, Avx512,
        #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]);

    tile_table!(avx2_tile, Avx2, #[target_feature(enable = "avx2")],
        1: [1 2 3 4 5 6], 2: [1 2 3 4]);
    tile_table!(avx2_unsigned_tile, Avx2Unsigned, #[target_feature(enable = "avx2")],
        1: [1 2 3 4 5 6], 2: [1 2 3 4]);
    tile_table!(avx2_paired_tile, Avx2Paired, #[target_feature(enable = "avx2")],
        1: [1 2 3 4 5 6], 2: [1 2 3 4]);
    tile_table!(avx_vnni_tile, AvxVnni, #[target_feature(enable = "avx2,avxvnni")],
        1: [1 2 3 4 5 6 7 8 9 10], 2: [1 2 3 4 5 6], 4: [1 2]);
    tile_table!(avx512_tile, Avx512,
        #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")],
        1: [1 2 3 4 5 6 7 8 9 10 11 12 13 14],
        2: [1 2 3 4 5 6 7 8 9 10 11 12 13 14],
        4: [1 2 3 4 5 6]);
    tile_table!(avx2_wide_tile, Avx2Wide, #[target_feature(enable = "avx2")],
        1: [1 2 3 4 5 6], 2: [1 2 3 4 5 6]);
    tile_table!(avx2_widened_tile, Avx2Words, #[target_feature(enable = "avx2")],
        1: [1 2 3 4 5 6], 2: [1 2 3 4 5 6]);
    tile_table!(avx_vnni_wide_tile, AvxVnniWide, #[target_feature(enable = "avx2,avxvnni")],
        1: [1 2 3 4 5 6 7 8 9 10], 2: [1 2 3 4 5 6], 4: [1 2]);
    tile_table!(avx512_wide_tile, Avx512Wide,
        #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")],
        1: [1 2 3 4 5 6 7 8 9 10 11 12 13 14],
        2: [1 2 3 4 5 6 7 8 9 10 11 12 13 14],
        4: [1 2 3 4 5 6]);

    pub(super) const AVX2: Engine = Engine {
        lanes: Avx2::LANES,
        vectors_max: |_| 2,
        pixels_max: |vectors| match vectors {
            1 => 6,
            _ => 4,
        },
        tile: avx2_tile,
        unsigned_tile: avx2_unsigned_tile,
        paired_tile: avx2_paired_tile,
        pair_max: Some(PAIR_MAX),
        wide_tile: avx2_wide_tile,
        wide_pixels_max: |_| 6,
        widen: Some(Widen {
            inputs: crate::x86::widen::inputs,
            weights: crate::x86::widen::weights,
            tile: avx2_widened_tile,
        }),
        depthwise: avx2_depthwise,
        unsigned_depthwise: avx2_unsigned_depthwise,
        wide_depthwise: avx2_wide_depthwise,
        finish: Avx2::finish,
        finish_two: |_| false,
        planar: None,
        squares: None,
    };

    pub(super) const AVX_VNNI: Engine = Engine {
        lanes: AvxVnni::LANES,
        vectors_max: |width| if width <= 2 { 4 } else { 2 },
        pixels_max: |vectors| match vectors {
            1 => 10,
            2 => 6,
            _ => 2,
        },
        tile: avx_vnni_tile,
        unsigned_tile: avx_vnni_tile,
        paired_tile: avx_vnni_tile,
        pair_max: None,
        wide_tile: avx_vnni_wide_tile,
        wide_pixels_max: |vectors| match vectors {
            1 => 10,
            2 => 6,
            _ => 2,
        },
        widen: None,
        depthwise: avx_vnni_depthwise,
        unsigned_depthwise: avx_vnni_depthwise,
        wide_depthwise: avx_vnni_wide_depthwise,
        finish: AvxVnni::finish,
        finish_two: |_| false,
        planar: None,
        squares: None,
    };

    pub(super) const AVX512: Engine = Engine {
        lanes: Avx512::LANES,
        vectors_max: |width| if width <= 6 { 4 } else { 2 },
        pixels_max: |vectors| match vectors {
            1 | 2 => 14,
            _ => 6,
        },
        tile: avx512_tile,
        unsigned_tile: avx512_tile,
        paired_tile: avx512_tile,
        pair_max: None,
        wide_tile: avx512_wide_tile,
        wide_pixels_max: |vectors| match vectors {
            1 | 2 => 14,
            _ => 6,
        },
        widen: None,
        depthwise: avx512_depthwise,
        unsigned_depthwise: avx512_depthwise,
        wide_depthwise: avx512_wide_depthwise,
        finish: Avx512::finish,
        finish_two: crate::x86::avx512_finish_two,
        planar: Some(crate::x86::planar::tile),
        squares: None,
    };

    /// Squares of tiles, and AVX-512 for everything else.
    pub(super) const AMX: Engine = Engine {
        vectors_max: |_| 4,
        squares: Some(Squares {
            side: amx::SIDE,
            positions_min: amx::POSITIONS_MIN,
            groups: amx::groups_for_tiles,
            take: amx::takes,
            strip: amx::strip,
        }),
        ..AVX512
    };
}

/// The functions of `kernel`'s instruction set.
pub(crate) fn engine(kernel: Kernel) -> Engine {
    match kernel.instruction_set() {
        #[cfg(target_arch = "x86_64")]
        InstructionSet::Avx2 => x86::AVX2,
        #[cfg(target_arch = "x86_64")]
        InstructionSet::AvxVnni => x86::AVX_VNNI,
        #[cfg(target_arch = "x86_64")]
        InstructionSet::Avx512Vnni => x86::AVX512,
        #[cfg(target_arch = "x86_64")]
        InstructionSet::Amx => x86::AMX,
        #[cfg(target_arch = "aarch64")]
        InstructionSet::Neon => arm::NEON,
        InstructionSet::Portable => PORTABLE,
        // Sets of other processors never become a token.
        #[cfg(not(target_arch = "x86_64"))]
        InstructionSet::Avx2
        | InstructionSet::AvxVnni
        | InstructionSet::Avx512Vnni
        | InstructionSet::Amx => PORTABLE,
        #[cfg(not(target_arch = "aarch64"))]
        InstructionSet::Neon => PORTABLE,
    }
}
