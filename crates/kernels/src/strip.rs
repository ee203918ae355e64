//! The sums of a strip: neighbouring positions times one block of channels, tile by tile.
//!
//! Sums that need more than 32 bits are made in planes: parts of the contraction whose sums fit, one
//! behind the other in the scratch; who reads them adds them up in 64 bits.

use crate::accumulate::{LANES_MAX, SCRATCH, SHARED, Tile};
use crate::excess::Excess;
use crate::spec::{Bits, LinearSpec};
use crate::tiles::{Engine, Squares, TileTable};
#[cfg(target_arch = "x86_64")]
pub(crate) use crate::x86::amx::{Session, Strip};

/// The most positions that are computed before they are requantised.
pub(crate) const STRIP_PIXELS: usize = 48;
/// The most vectors of a block.
pub(crate) const VECTORS_MAX: usize = 4;
/// The most planes.
pub(crate) const PLANES_MAX: usize = STRIP_PIXELS;
const _: () = assert!(STRIP_PIXELS * VECTORS_MAX * LANES_MAX <= SCRATCH);

/// What sums of the planes behind the first begin with.
static ZEROS: [i32; VECTORS_MAX * LANES_MAX] = [0; VECTORS_MAX * LANES_MAX];

/// How elements are multiplied by weights.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Products {
    /// Bytes, flipped as the kernel says.
    Bytes,
    /// Bytes of which none is negative.
    Unsigned,
    /// The same, groups in pairs, with the excess.
    Paired,
    /// 16 bits.
    Words,
    /// The same, with weights that are words too.
    Widened,
}

impl From<Bits> for Products {
    fn from(bits: Bits) -> Self {
        match bits {
            Bits::Eight => Self::Bytes,
            Bits::Sixteen => Self::Words,
        }
    }
}

impl Products {
    /// Those of a node, before its weights are cut.
    pub(crate) fn of(spec: &LinearSpec) -> Self {
        match spec.bits {
            Bits::Eight if spec.non_negative => Self::Unsigned,
            Bits::Eight | Bits::Sixteen => spec.bits.into(),
        }
    }

    /// The most positions of a tile of `vectors` vectors.
    fn pixels_max(self, engine: &Engine, vectors: usize) -> usize {
        match self {
            Self::Bytes | Self::Unsigned | Self::Paired => (engine.pixels_max)(vectors),
            Self::Words | Self::Widened => (engine.wide_pixels_max)(vectors),
        }
    }

    fn table(self, engine: &Engine) -> TileTable {
        match self {
            Self::Bytes => engine.tile,
            Self::Unsigned => engine.unsigned_tile,
            Self::Paired => engine.paired_tile,
            Self::Words => engine.wide_tile,
            Self::Widened => engine.widen.map_or(engine.wide_tile, |widen| widen.tile),
        }
    }

    /// Bytes of the packed weights of a lane in a group.
    fn weight_bytes(self) -> usize {
        match self {
            Self::Bytes | Self::Unsigned | Self::Paired | Self::Widened => 4,
            Self::Words => Bits::Sixteen.group_len(),
        }
    }
}

/// The weights of one block of channels.
#[derive(Clone, Copy)]
pub(crate) struct BlockWeights<'a> {
    /// Vectors of the block.
    pub(crate) vectors: usize,
    pub(crate) products: Products,
    /// As [`Tile`] takes them.
    pub(crate) weights: *const i8,
    /// What sums begin with.
    pub(crate) start: *const i32,
    pub(crate) excess: Excess<'a>,
}

/// The state of no tiles.
#[cfg(not(target_arch = "x86_64"))]
#[derive(Debug, Default)]
pub(crate) struct Session(());

/// A strip for no tiles.
#[cfg(not(target_arch = "x86_64"))]
pub(crate) enum Strip {}

/// What the strips of a node have in common.
#[derive(Clone, Copy)]
pub(crate) struct Contraction<'a> {
    pub(crate) engine: &'a Engine,
    /// The tiles of this thread, while the node runs.
    #[cfg_attr(
        not(target_arch = "x86_64"),
        expect(dead_code, reason = "no tiles here")
    )]
    pub(crate) session: &'a Session,
    /// Starts of the runs, relative to a window, in bytes.
    pub(crate) runs: &'a [usize],
    /// Groups of four bytes in a run.
    pub(crate) groups: usize,
    /// First group of each plane, at most [`PLANES_MAX`]. A plane has a part of one run, or whole runs.
    pub(crate) planes: &'a [usize],
    /// Bytes between the windows of neighbouring positions.
    pub(crate) pixel_step: usize,
}

/// Positions whose sums are computed before they are requantised.
#[derive(Clone, Copy)]
pub(crate) struct Span {
    /// Stored input at the window of the first position.
    pub(crate) input: *const u8,
    /// Positions, at most [`Contraction::strip_max`].
    pub(crate) count: usize,
    /// Bytes from one row to the next, where these are two rows of half the positions each; else all
    /// positions are neighbours.
    pub(crate) row_step: Option<usize>,
}

impl Contraction<'_> {
    /// The most positions of a strip.
    pub(crate) fn strip_max(&self) -> usize {
        match self.planes {
            [_] => STRIP_PIXELS,
            planes => STRIP_PIXELS / planes.len(),
        }
    }

    /// The length of strips that `width` neighbouring positions are cut into: whole squares, or whole
    /// tiles, as even as they can be.
    pub(crate) fn strip_len(&self, products: Products, vectors: usize, width: usize) -> usize {
        if let Some(squares) = self.squares(products, width) {
            return width.min(2 * squares.side);
        }
        let pixels = self.pixels(products, vectors, width);
        width.min(self.strip_max() / pixels * pixels)
    }

    /// The most positions that are computed at once: of two squares, or of a tile of `vectors` vectors.
    pub(crate) fn pixels_max(&self, products: Products, vectors: usize) -> usize {
        match self.squares(products, STRIP_PIXELS) {
            Some(squares) => 2 * squares.side,
            None => products
                .pixels_max(self.engine, vectors)
                .min(self.strip_max()),
        }
    }

    /// The positions of a tile, where `count` positions are cut into tiles as even as they can be.
    fn pixels(&self, products: Products, vectors: usize, count: usize) -> usize {
        let pixels_max = products
            .pixels_max(self.engine, vectors)
            .min(self.strip_max());
        // Short products would feel a division by a number that only this machine knows.
        if count <= pixels_max {
            count.max(1)
        } else if count <= 2 * pixels_max {
            count.div_ceil(2)
        } else if count <= 3 * pixels_max {
            count.div_ceil(3)
        } else {
            count.div_ceil(count.div_ceil(pixels_max))
        }
    }

    /// The squares by which `count` positions are computed, if they are.
    fn squares(&self, products: Products, count: usize) -> Option<&Squares> {
        let squares = self.engine.squares.as_ref()?;
        let serves = !matches!(products, Products::Words | Products::Widened)
            && squares.positions_min <= count
            && (squares.take)(self.groups);
        serves.then_some(squares)
    }

    /// Whether a tile of `vectors` vectors, or two squares, take two rows of `width` positions at once.
    pub(crate) fn joins_rows(&self, products: Products, vectors: usize, width: usize) -> bool {
        if let Some(squares) = self.squares(products, 2 * width) {
            return width <= squares.side;
        }
        let both = 2 * SHARED;
        let pixels_max = products.pixels_max(self.engine, vectors);
        width == SHARED && both <= pixels_max && both <= self.strip_max()
    }

    /// Computes `[planes][count][vectors][lanes]` sums.
    ///
    /// # Safety
    ///
    /// The engine's instruction set is there; weights, starts and excess are those of whole vectors;
    /// the windows of all positions of the strip, and three bytes behind each run of them and its
    /// padding, can be read; two rows are joined only where `joins_rows` says so; `to` takes
    /// [`SCRATCH`] sums; no other session of this thread is alive.
    pub(crate) unsafe fn sums(&self, block: BlockWeights, strip: Span, to: *mut i32) {
        let Span {
            input,
            count,
            row_step,
        } = strip;
        let vectors = block.vectors;
        #[cfg(target_arch = "x86_64")]
        if let Some(squares) = self.squares(block.products, count) {
            let strip = Strip {
                input,
                pixel_step: self.pixel_step,
                count,
                row_step,
                runs: self.runs,
                groups: self.groups,
                weights: block.weights,
                vectors,
                start: block.start,
            };
            // SAFETY: the caller's promises.
            return unsafe { (squares.strip)(&strip, self.session, to) };
        }
        let pixels = self.pixels(block.products, vectors, count);
        let table = block.products.table(self.engine);
        let kernel = |pixels: usize| {
            table(pixels, vectors).expect("every size up to `pixels_max` is compiled")
        };
        let whole = kernel(pixels);
        let vector = vectors * self.engine.lanes;
        let group = vector * block.products.weight_bytes();
        for (plane, &first) in self.planes.iter().enumerate() {
            let all = self.groups * self.runs.len();
            let end = self.planes.get(plane + 1).copied().unwrap_or(all);
            // A part of one run, or whole runs.
            let (run, inside) = (first / self.groups, first % self.groups);
            let (runs, groups, skipped) = if end <= (run + 1) * self.groups {
                (&self.runs[run..=run], end - first, 4 * inside)
            } else {
                (&self.runs[run..end / self.groups], self.groups, 0)
            };
            let mut tile = Tile {
                input,
                pixel_step: self.pixel_step,
                second: row_step.unwrap_or(SHARED * self.pixel_step),
                runs,
                groups,
                weights: block.weights.wrapping_add(first * group),
                bias: if plane == 0 {
                    block.start
                } else {
                    ZEROS.as_ptr()
                },
                excess: block.excess,
            };
            let to = to.wrapping_add(plane * count * vector);
            let mut x = 0;
            while x < count {
                let rest = count - x;
                let kernel = if rest < pixels { kernel(rest) } else { whole };
                tile.input = input.wrapping_add(x * self.pixel_step + skipped);
                // SAFETY: the caller's promises; the planes are parts of a run, or runs.
                unsafe { kernel(&tile, to.wrapping_add(x * vector)) };
                x += pixels;
            }
        }
    }
}
