//! Elements of 16 bits scaled by a number of their row, `clamp((x*m + 2^(s-1)) >> s)`, straight from the
//! input to the output.
//!
//! m has up to 46 bits, more than one product of vectors takes. It is cut to three limbs of 16 bits with
//! sign, m = l2*2^32 + l1*2^16 + l0, and rounding down may be done in between:
//!
//! ```text
//! (x*m + 2^(s-1)) >> s  =  (x*l2 + ((x*l1 + ((x*l0) >> 16)) >> 16) + 2^(s-33)) >> (s-32)
//! ```

use crate::finish::Output;
use crate::kernel::{InstructionSet, Kernel};
use crate::pointwise::pairs::COLUMNS_MIN;
use crate::pointwise::{Formula, Lay, PointwiseSpec, Source, line};
use crate::x86::{gather, limb256, limb512};

/// Bits below the top limb.
const BELOW: u32 = 32;
/// Bits of the magnitude of m, so that no sum of the top limb leaves 32 bits.
const BITS: u32 = 46;

/// Whether the kernel has vectors of 512 bits, or else of 256; nothing where it has neither.
pub(super) fn is_512(kernel: Kernel) -> Option<bool> {
    match kernel.instruction_set() {
        InstructionSet::Avx512Vnni | InstructionSet::Amx => Some(true),
        InstructionSet::Avx2 | InstructionSet::AvxVnni => Some(false),
        InstructionSet::Portable | InstructionSet::Neon => None,
    }
}

/// A scale of a row.
pub(crate) struct Limbs {
    /// From the lowest on.
    pub(crate) parts: [i16; 3],
    /// `2^(s-33)`.
    pub(crate) half: i32,
    /// s - 32, in 1..=14.
    pub(crate) shift: u32,
    pub(crate) lo: i32,
    pub(crate) hi: i32,
}

impl Limbs {
    /// The limbs of m, if it has few enough bits; a short shift is made longer, and m with it.
    fn new(spec: &PointwiseSpec, m: i64) -> Option<Self> {
        let raised = (BELOW + 1).saturating_sub(spec.shift);
        if m.unsigned_abs() >= 1 << (BITS - raised) {
            return None;
        }
        let (m, s) = (m << raised, spec.shift + raised);
        let low = m as i16;
        let above = (m - i64::from(low)) >> 16;
        let middle = above as i16;
        let top = (above - i64::from(middle)) >> 16;
        Some(Self {
            parts: [low, middle, top as i16],
            half: 1 << (s - BELOW - 1),
            shift: s - BELOW,
            lo: spec.lo,
            hi: spec.hi,
        })
    }
}

/// Runs the node if every row of it has such a scale and the kernel has a vector path for it; says
/// whether.
pub(super) fn run(
    kernel: Kernel,
    spec: &PointwiseSpec,
    x: Source,
    y: Option<Source>,
    to: &mut Output,
) -> bool {
    let by_rows = y.is_none() || matches!(spec.lay, Lay::Row | Lay::One);
    let scales = matches!(spec.formula, Formula::Scale | Formula::Product);
    let (true, Source::I16(x), Some(is_512), Ok(table)) = (
        by_rows && scales,
        x,
        is_512(kernel),
        spec.function.in_words(),
    ) else {
        return false;
    };
    let flip = kernel.flip();
    let columns = match spec.lay {
        Lay::Row if y.is_some() => spec.columns,
        Lay::Full | Lay::Column | Lay::Row | Lay::One => x.len(),
    };
    let limbs = |row: usize| {
        let at = if spec.lay == Lay::Row { row } else { 0 };
        let (m, _) = line(spec, y.map_or(0, |y| y.at(flip, at)));
        Limbs::new(spec, m)
    };
    let is_stored = match (&to, table) {
        (Output::I16(_), _) | (Output::I8(_), None) => true,
        (Output::I8(_), Some(_)) | (Output::I32(_), _) => false,
    };
    let rows = x.len() / columns.max(1);
    if columns < COLUMNS_MIN || !is_stored || !(0..rows).all(|row| limbs(row).is_some()) {
        return false;
    }
    for (row, x) in x.chunks_exact(columns).enumerate() {
        let Some(limbs) = limbs(row) else { continue };
        let range = row * columns..(row + 1) * columns;
        // SAFETY: the token proves the instruction set.
        unsafe {
            match (&mut *to, is_512) {
                (Output::I8(to), true) => limb512::bytes(&limbs, flip, x, &mut to[range]),
                (Output::I8(to), false) => limb256::bytes(&limbs, flip, x, &mut to[range]),
                (Output::I16(to), true) => limb512::words(&limbs, x, &mut to[range]),
                (Output::I16(to), false) => limb256::words(&limbs, x, &mut to[range]),
                (Output::I32(_), _) => {}
            }
        }
    }
    if let (Some(table), Output::I16(to)) = (table, to) {
        interpolate(kernel, spec, table, is_512, to);
    }
    true
}

/// Passes what has been written through the table.
pub(super) fn interpolate(
    kernel: Kernel,
    spec: &PointwiseSpec,
    table: &[i32; 512],
    is_512: bool,
    to: &mut [i16],
) {
    // SAFETY: the token proves the instruction set.
    let done = unsafe {
        if is_512 {
            gather::avx512::interpolate_words(table, to)
        } else {
            gather::avx2::interpolate_words(table, to)
        }
    };
    for y in &mut to[done..] {
        let mut one = [i32::from(*y)];
        spec.function.apply(kernel, &mut one);
        *y = one[0] as i16;
    }
}
