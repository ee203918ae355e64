//! Elements of 16 bits with one second operand for each row: `clamp((x*m + c) >> s)` with constants m
//! and c of the row, straight from the input to the output.

use crate::finish::Output;
use crate::kernel::{InstructionSet, Kernel};
use crate::pointwise::{Lay, PointwiseSpec, Source, line};
use crate::x86::{gather, line256 as lines_256, line512 as lines};

/// Whether the kernel has vectors of 512 bits, or else of 256; nothing where it has neither.
pub(super) fn is_512(kernel: Kernel) -> Option<bool> {
    match kernel.instruction_set() {
        InstructionSet::Avx512Vnni | InstructionSet::Amx => Some(true),
        InstructionSet::Avx2 | InstructionSet::AvxVnni => Some(false),
        InstructionSet::Portable | InstructionSet::Neon => None,
    }
}

/// `clamp((x*m + c) >> s, lo, hi)`, where the shifted value fits 32 bits.
pub(crate) struct Line {
    pub(crate) m: i32,
    pub(crate) c: i64,
    pub(crate) s: u32,
    pub(crate) lo: i32,
    pub(crate) hi: i32,
}

impl Line {
    /// The line of elements of at most `bound`, if it fits.
    fn new(spec: &PointwiseSpec, bound: i64, y: i32) -> Option<Self> {
        let (m, c) = line(spec, y);
        let m = i32::try_from(m).ok()?;
        let largest = bound * i64::from(m).abs() + c.abs();
        (largest >> spec.shift < 1 << 31).then_some(Self {
            m,
            c,
            s: spec.shift,
            lo: spec.lo,
            hi: spec.hi,
        })
    }
}

/// Runs 16-bit elements whose second operand is one for each row straight to their place, if all rows
/// fit and the kernel has such a path; says whether.
pub(super) fn run(
    kernel: Kernel,
    spec: &PointwiseSpec,
    x: Source,
    y: Option<Source>,
    to: &mut Output,
) -> bool {
    let by_rows = y.is_none() || matches!(spec.lay, Lay::Row | Lay::One);
    let Some(is_512) = is_512(kernel) else {
        return false;
    };
    let Ok(table) = spec.function.in_words() else {
        return false;
    };
    if !by_rows {
        return false;
    }
    let Source::I16(x) = x else { return false };
    let columns = match spec.lay {
        Lay::Row => spec.columns.max(1),
        Lay::Full | Lay::Column | Lay::One => x.len().max(1),
    };
    let bound = Source::I16(x).bound();
    let row_line = |row: usize| {
        let at = if spec.lay == Lay::Row { row } else { 0 };
        Line::new(spec, bound, y.map_or(0, |y| y.at(kernel.flip(), at)))
    };
    let flip = kernel.flip();
    let rows = x.len().div_ceil(columns);
    let is_word = matches!(to, Output::I16(_));
    let is_byte = matches!(to, Output::I8(_)) && table.is_none();
    if !(is_word || is_byte) || !(0..rows).all(|row| row_line(row).is_some()) {
        return false;
    }
    for (row, x) in x.chunks(columns).enumerate() {
        let Some(line) = row_line(row) else { continue };
        let first = row * columns;
        // SAFETY: the token proves the instruction set.
        let done = unsafe {
            match (&mut *to, is_512) {
                (Output::I8(to), true) => lines::bytes(&line, flip, x, &mut to[first..]),
                (Output::I8(to), false) => lines_256::bytes(&line, flip, x, &mut to[first..]),
                (Output::I16(to), true) => lines::words(&line, x, &mut to[first..]),
                (Output::I16(to), false) => lines_256::words(&line, x, &mut to[first..]),
                (Output::I32(_), _) => 0,
            }
        };
        for (i, &x) in x.iter().enumerate().skip(done) {
            let v = (i64::from(x) * i64::from(line.m) + line.c) >> line.s;
            let v = v.clamp(i64::from(line.lo), i64::from(line.hi));
            to.put(flip, first + i, v as i32);
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
