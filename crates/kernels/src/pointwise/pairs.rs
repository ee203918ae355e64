//! Sums of two elements of 16 bits, `clamp((x*A + y*B + 2^(s-1)) >> s)`, and what an interpolation or an
//! exponential makes of them, straight from the inputs to the output.
//!
//! A and B have 16 bits as well, so that one `pmaddwd` makes a whole sum, wherever 32 bits hold it.

use crate::finish::Output;
use crate::kernel::Kernel;
use crate::pointwise::{Formula, Lay, PointwiseSpec, Source, fits_32_bits, limbs};
use crate::x86::{pair256, pair512};

/// Columns of the narrowest rows that are worth it, and the most that a vector path makes together.
pub(crate) const COLUMNS_MIN: usize = 32;

/// `clamp((x*A + y*B + half) >> s, lo, hi)` in 32 bits.
pub(crate) struct Pair {
    /// A in the lower half, B in the upper one.
    pub(crate) multipliers: i32,
    pub(crate) half: i32,
    pub(crate) s: u32,
    pub(crate) lo: i32,
    pub(crate) hi: i32,
}

impl Pair {
    /// The sum, if 32 bits hold it and both multipliers have 16.
    fn new(spec: &PointwiseSpec, x: &Source, y: Option<&Source>) -> Option<Self> {
        let b = match spec.formula {
            Formula::Scale => 0,
            Formula::Sum { second } => i16::try_from(second).ok()?,
            Formula::Product => return None,
        };
        let a = i16::try_from(spec.multiplier).ok()?;
        fits_32_bits(spec, x, y).then(|| Self {
            multipliers: i32::from(a) & 0xffff | i32::from(b) << 16,
            half: 1 << (spec.shift - 1),
            s: spec.shift,
            lo: spec.lo,
            hi: spec.hi,
        })
    }
}

/// The second operand of a row.
#[derive(Clone, Copy)]
pub(crate) enum Second<'a> {
    /// An element for each column.
    Each(&'a [i16]),
    /// One for all.
    One(i16),
}

/// Both operands: whole rows of at least [`COLUMNS_MIN`] columns.
#[derive(Clone, Copy)]
pub(crate) struct Operands<'a> {
    pub(crate) x: &'a [i16],
    pub(crate) columns: usize,
    y: &'a [i16],
    lay: Lay,
}

impl<'a> Operands<'a> {
    /// Nothing where the rows are narrow. Without a second operand, `y` is empty.
    fn new(spec: &PointwiseSpec, x: &'a [i16], y: &'a [i16]) -> Option<Self> {
        let lay = if y.is_empty() { Lay::One } else { spec.lay };
        let columns = match lay {
            Lay::Full | Lay::One => x.len(),
            Lay::Column | Lay::Row => spec.columns,
        };
        (COLUMNS_MIN <= columns).then_some(Self { x, columns, y, lay })
    }

    /// The second operand of a row.
    pub(crate) fn second(&self, row: usize) -> Second<'a> {
        match self.lay {
            Lay::Full | Lay::Column => Second::Each(self.y),
            Lay::Row => Second::One(self.y[row]),
            Lay::One => Second::One(self.y.first().copied().unwrap_or(0)),
        }
    }
}

/// Runs the node if it is such a sum and the kernel has a vector path for it; says whether.
pub(super) fn run(
    kernel: Kernel,
    spec: &PointwiseSpec,
    x: Source,
    y: Option<Source>,
    to: &mut Output,
) -> bool {
    let Some(is_512) = limbs::is_512(kernel) else {
        return false;
    };
    let (Source::I16(words), None | Some(Source::I16(_))) = (x, y) else {
        return false;
    };
    let second = match y {
        Some(Source::I16(y)) => y,
        None | Some(Source::I8(_) | Source::I32(_)) => &[],
    };
    let operands = Operands::new(spec, words, second);
    let (Some(pair), Some(operands)) = (Pair::new(spec, &x, y.as_ref()), operands) else {
        return false;
    };
    let (pair, operands, flip) = (&pair, &operands, kernel.flip());
    match (
        spec.function.in_words(),
        spec.function.exponential_table(),
        to,
    ) {
        // SAFETY: the token proves the instruction set, here and below.
        (Ok(None), _, Output::I8(to)) => unsafe {
            if is_512 {
                pair512::bytes(pair, flip, operands, to);
            } else {
                pair256::bytes(pair, flip, operands, to);
            }
        },
        (Ok(table), _, Output::I16(to)) => {
            // SAFETY: as above.
            unsafe {
                if is_512 {
                    pair512::words(pair, operands, to);
                } else {
                    pair256::words(pair, operands, to);
                }
            }
            if let Some(table) = table {
                limbs::interpolate(kernel, spec, table, is_512, to);
            }
        }
        // SAFETY: as above.
        (Err(()), Some(table), Output::I16(to)) => unsafe {
            if is_512 {
                pair512::exponentials(pair, table, operands, to);
            } else {
                pair256::exponentials(pair, table, operands, to);
            }
        },
        (Err(()), _, _) | (Ok(_), _, Output::I8(_) | Output::I32(_)) => return false,
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::function::Function;
    use crate::pointwise::pointwise;

    /// Random words with all extremes among them.
    fn words(len: usize, seed: usize) -> Vec<i16> {
        let mixed = |i: usize| {
            ((i + seed) as i32)
                .wrapping_mul(0x9e37_79b1_u32 as i32)
                .rotate_left(7)
        };
        let word = |i: usize| match mixed(i) & 15 {
            0 => i16::MIN,
            1 => i16::MAX,
            2 => 0,
            _ => (mixed(i) >> 16) as i16,
        };
        (0..len).map(word).collect()
    }

    fn run_words(kernel: Kernel, spec: &PointwiseSpec, x: &[i16], y: &[i16]) -> Vec<i16> {
        let mut to = vec![0; x.len()];
        let second = (spec.formula != Formula::Scale).then_some(Source::I16(y));
        pointwise(kernel, spec, Source::I16(x), second, Output::I16(&mut to));
        to
    }

    fn functions() -> [(Function, i32, i32); 5] {
        let entries = words(513, 3);
        let positive: Vec<i16> = words(512, 4).iter().map(|&v| v & i16::MAX).collect();
        [
            (Function::IDENTITY, -32_768, 32_767),
            (Function::IDENTITY, -100, 127),
            (Function::interpolation(&entries), -32_768, 32_767),
            (Function::exponential(&positive), 0, 65_535),
            (Function::exponential(&positive), 300, 40_000),
        ]
    }

    #[test]
    fn sums_of_words_have_the_plain_bits_on_every_kernel() {
        let scales = [
            (1, -1, 1),
            (32_767, -32_767, 15),
            (-32_768, 32_767, 2),
            (77, 16_000, 30),
        ];
        for (function, lo, hi) in functions() {
            for columns in [5, 31, 32, 33, 64, 100] {
                for lay in [Lay::Full, Lay::Column, Lay::Row, Lay::One] {
                    for (multiplier, second, shift) in scales {
                        for formula in [Formula::Scale, Formula::Sum { second }] {
                            let spec = PointwiseSpec {
                                columns,
                                lay,
                                formula,
                                multiplier,
                                shift,
                                lo,
                                hi,
                                function: function.clone(),
                            };
                            agree(&spec);
                        }
                    }
                }
            }
        }
    }

    fn agree(spec: &PointwiseSpec) {
        let (rows, columns) = (3, spec.columns);
        let x = words(rows * columns, 1);
        let len = match spec.lay {
            Lay::Full => rows * columns,
            Lay::Column => columns,
            Lay::Row => rows,
            Lay::One => 1,
        };
        let y = words(len, 2);
        let want = run_words(Kernel::PORTABLE, spec, &x, &y);
        for kernel in Kernel::available() {
            assert_eq!(
                run_words(kernel, spec, &x, &y),
                want,
                "{} {spec:?}",
                kernel.name()
            );
            if spec.function != Function::IDENTITY || spec.hi > 127 {
                continue;
            }
            let mut bytes = vec![0; x.len()];
            let second = (spec.formula != Formula::Scale).then_some(Source::I16(&y));
            pointwise(
                kernel,
                spec,
                Source::I16(&x),
                second,
                Output::I8(&mut bytes),
            );
            let found: Vec<i16> = bytes
                .iter()
                .map(|&b| i16::from((b ^ kernel.flip()) as i8))
                .collect();
            assert_eq!(found, want, "{} {spec:?}", kernel.name());
        }
    }
}
