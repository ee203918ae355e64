//! The end of a linear node: addend, requantisation, clamp, table.
//!
//! ```text
//! v = clamp((acc * M + addend * A + 2^(s-1)) >> s, lo, hi);  y = v or table[v + 128]
//! ```
//!
//! With a row factor g and its shift S:
//!
//! ```text
//! t = clamp to i32((acc * M + 2^(s-1)) >> s)
//! v = clamp((t * g + (bias + addend * A) * 2^15 + 2^(S-1)) >> S, lo, hi)
//! ```
//!
//! `acc` has at most 38 bits, as a sum of planes of 32; the addend has 32, M and A at most 15, so
//! every sum fits 64 bits with room to spare. Where the bounds of a node prove that the shifted value
//! fits 32 bits, vector paths clamp there; the others take the scalar path.
//!
//! Spec: operators, 2.10, 2.11 and 2.21.

use crate::grid::Grid;

/// The second input of a linear node, stored on `Grid`.
#[derive(Debug, Clone, Copy)]
pub enum Addend<'a> {
    /// No second input.
    None,
    /// Stored bytes (flipped as the kernel says).
    I8(&'a [u8], Grid),
    /// `i16` elements.
    I16(&'a [i16], Grid),
    /// `i32` elements.
    I32(&'a [i32], Grid),
}

impl Addend<'_> {
    /// Stored elements and their grid, where there is a second input.
    pub(crate) fn extent(&self) -> Option<(usize, Grid)> {
        match *self {
            Self::None => None,
            Self::I8(data, grid) => Some((data.len(), grid)),
            Self::I16(data, grid) => Some((data.len(), grid)),
            Self::I32(data, grid) => Some((data.len(), grid)),
        }
    }
}

/// Where the output goes: whole stored rows of the output grid.
#[derive(Debug)]
pub enum Output<'a> {
    /// Stored bytes (flipped as the kernel says).
    I8(&'a mut [u8]),
    /// `i16` elements.
    I16(&'a mut [i16]),
    /// `i32` elements.
    I32(&'a mut [i32]),
}

/// Row factors count in units of `2^-15` of what they scale.
pub(crate) const FACTOR_BITS: u32 = 15;

impl Output<'_> {
    /// Stored elements.
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::I8(y) => y.len(),
            Self::I16(y) => y.len(),
            Self::I32(y) => y.len(),
        }
    }

    /// Stores a value of the type's range.
    pub(crate) fn put(&mut self, flip: u8, index: usize, value: i32) {
        match self {
            Self::I8(y) => y[index] = value as u8 ^ flip,
            Self::I16(y) => y[index] = value as i16,
            Self::I32(y) => y[index] = value,
        }
    }

    /// Stores values of the type's range, from element `first` on.
    #[inline(always)]
    pub(crate) fn put_all(&mut self, flip: u8, first: usize, values: &[i32]) {
        let range = first..first + values.len();
        match self {
            Self::I8(y) => {
                for (y, &v) in y[range].iter_mut().zip(values) {
                    *y = (v as u8) ^ flip;
                }
            }
            Self::I16(y) => {
                for (y, &v) in y[range].iter_mut().zip(values) {
                    *y = v as i16;
                }
            }
            Self::I32(y) => y[range].copy_from_slice(values),
        }
    }
}

/// Second input at the first channel of a tile.
#[derive(Clone, Copy)]
pub(crate) enum RawAddend {
    None,
    I8(*const u8),
    I16(*const i16),
    I32(*const i32),
}

/// Output at the first channel of a tile.
#[derive(Clone, Copy)]
pub(crate) enum RawOutput {
    I8(*mut u8),
    I16(*mut i16),
    I32(*mut i32),
}

impl RawAddend {
    /// `offset` elements further; the caller of the kernel promises that they exist.
    pub(crate) fn add(self, offset: usize) -> Self {
        match self {
            Self::None => Self::None,
            Self::I8(x) => Self::I8(x.wrapping_add(offset)),
            Self::I16(x) => Self::I16(x.wrapping_add(offset)),
            Self::I32(x) => Self::I32(x.wrapping_add(offset)),
        }
    }
}

impl RawOutput {
    /// `offset` elements further; the caller of the kernel promises that they exist.
    pub(crate) fn add(self, offset: usize) -> Self {
        match self {
            Self::I8(y) => Self::I8(y.wrapping_add(offset)),
            Self::I16(y) => Self::I16(y.wrapping_add(offset)),
            Self::I32(y) => Self::I32(y.wrapping_add(offset)),
        }
    }
}

/// Clamp, table and form of the output; the same for all channels of a node.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rule<'a> {
    pub(crate) lo: i32,
    pub(crate) hi: i32,
    /// Stored bytes are combined with this by exclusive or.
    pub(crate) flip: u8,
    /// Whether all channels [can be raised](can_be_raised) and shall be: every shift becomes 32, and an
    /// addend counts `2^ADDEND_BITS` times.
    #[cfg_attr(
        not(target_arch = "x86_64"),
        expect(dead_code, reason = "no vector path here")
    )]
    pub(crate) raises: bool,
    /// Whether the shifted value of every channel fits 32 bits.
    #[cfg_attr(
        not(target_arch = "x86_64"),
        expect(dead_code, reason = "no vector path here")
    )]
    pub(crate) fits: bool,
    /// `table[v + 128]`.
    pub(crate) table: Option<&'a [i8; 256]>,
    /// S, with a row factor.
    pub(crate) factor_shift: Option<u32>,
    /// No row factor up to this magnitude brings a value outside 32 bits; below 0 any may.
    #[cfg_attr(
        not(target_arch = "x86_64"),
        expect(dead_code, reason = "no vector path here")
    )]
    pub(crate) factor_max: i64,
}

/// An addend counts `2^ADDEND_BITS` times where constants are raised.
pub(crate) const ADDEND_BITS: u32 = 2;

/// Whether both factors, of sums and of addends, of a channel can be multiplied so that its shift becomes
/// 32 and its value stays the same, and keep 32 bits. The shifted value then is the upper half of a sum,
/// which needs no shift. Only for nodes whose shifted values fit 32 bits: their sums fit 64.
pub(crate) fn can_be_raised(&[_, m, a, s]: &[i32; 4]) -> bool {
    let raised = |factor: i32, target: i32| {
        let left = u32::try_from(target - s).ok()?;
        i32::try_from(i64::from(factor) << left).ok()
    };
    raised(m, 32).is_some() && (a == 0 || raised(a, 32 - ADDEND_BITS as i32).is_some())
}

/// The largest row factor for which `t*g + offset*2^15` with S behind it fits 32 bits, given bounds on
/// the magnitudes of t and of the offset; -1 where the offset alone does not.
pub(crate) fn factor_max(shift: u32, t: i64, offset: i64) -> i64 {
    let room = (1_i128 << (30 + shift)) - (i128::from(offset) << FACTOR_BITS);
    if room < 0 {
        return -1;
    }
    i64::try_from(room / i128::from(t.max(1))).unwrap_or(i64::MAX)
}

/// The row factors of `pixels` positions, and what is added behind them.
#[derive(Clone, Copy)]
pub(crate) struct RawFactor {
    /// The factor of the first position; not read without a factor shift.
    pub(crate) at: *const i32,
    /// Factors between neighbouring positions.
    pub(crate) step: usize,
    /// Bias of each channel, a whole vector.
    pub(crate) bias: *const i32,
}

impl RawFactor {
    pub(crate) const NONE: Self = Self {
        at: core::ptr::null(),
        step: 0,
        bias: core::ptr::null(),
    };
}

/// Requantisation of one vector of channels, or of two side by side, at `pixels` positions.
///
/// The maker promises: constants hold whole vectors, `sums` holds `pixels` times these `sums_step`
/// apart in each of `planes` planes `plane_step` apart, a row factor has its factors and biases,
/// output and addend hold `channels` elements at each of `pixels` positions `pixel_step`
/// apart.
#[derive(Clone, Copy)]
pub(crate) struct Finish<'a> {
    pub(crate) rule: Rule<'a>,
    pub(crate) multiplier: *const u16,
    pub(crate) addend_multiplier: *const u16,
    pub(crate) shift: *const u8,
    pub(crate) sums: *const i32,
    pub(crate) sums_step: usize,
    /// The sum of all planes is the accumulator.
    pub(crate) planes: usize,
    pub(crate) plane_step: usize,
    pub(crate) factor: RawFactor,
    pub(crate) pixels: usize,
    pub(crate) pixel_step: usize,
    /// Channels that exist, at most the lanes; all where there are two vectors.
    pub(crate) channels: usize,
    pub(crate) addend: RawAddend,
    pub(crate) output: RawOutput,
}

/// `clamp((acc * M + addend * A + 2^(s-1)) >> s, lo, hi)`; `s` in 1..=46.
pub(crate) fn requantize(acc: i64, m: i32, addend: i32, a: i32, s: i32, rule: &Rule) -> i32 {
    let sum = acc * i64::from(m) + i64::from(addend) * i64::from(a);
    let rounded = (sum + (1_i64 << (s - 1))) >> s;
    rounded.clamp(i64::from(rule.lo), i64::from(rule.hi)) as i32
}

/// The same with a row factor: `(t*factor + offset*2^15 + 2^(S-1)) >> S`, clamped.
pub(crate) fn factored(acc: i64, m: i32, s: i32, factor: i32, offset: i64, rule: &Rule) -> i32 {
    let t = (acc * i64::from(m) + (1_i64 << (s - 1))) >> s;
    let t = t.clamp(i64::from(i32::MIN), i64::from(i32::MAX));
    let shift = rule.factor_shift.unwrap_or(1);
    let wide = t * i64::from(factor) + (offset << FACTOR_BITS);
    let v = (wide + (1_i64 << (shift - 1))) >> shift;
    v.clamp(i64::from(rule.lo), i64::from(rule.hi)) as i32
}

/// The meaning of every `finish`: one element after the other.
///
/// # Safety
///
/// `f` keeps the promise of [`Finish`].
pub(crate) unsafe fn scalar(f: &Finish) {
    // SAFETY: the maker of `f` promises that all indices below are inside their allocations.
    unsafe {
        for p in 0..f.pixels {
            for c in 0..f.channels {
                let at = p * f.pixel_step + c;
                let addend = match f.addend {
                    RawAddend::None => 0,
                    RawAddend::I8(x) => i32::from((*x.add(at) ^ f.rule.flip) as i8),
                    RawAddend::I16(x) => i32::from(*x.add(at)),
                    RawAddend::I32(x) => *x.add(at),
                };
                let sums = f.sums.add(p * f.sums_step + c);
                let planes = (0..f.planes).map(|plane| i64::from(*sums.add(plane * f.plane_step)));
                let acc: i64 = planes.sum();
                let (m, a) = (*f.multiplier.add(c), *f.addend_multiplier.add(c));
                let (m, a) = (i32::from(m), i32::from(a));
                let s = i32::from(*f.shift.add(c));
                let mut v = if f.rule.factor_shift.is_some() {
                    let factor = *f.factor.at.add(p * f.factor.step);
                    let bias = i64::from(*f.factor.bias.add(c));
                    let offset = bias + i64::from(addend) * i64::from(a);
                    factored(acc, m, s, factor, offset, &f.rule)
                } else {
                    requantize(acc, m, addend, a, s, &f.rule)
                };
                if let Some(table) = f.rule.table {
                    v = i32::from(table[usize::from((v + 128) as u8)]);
                }
                match f.output {
                    RawOutput::I8(y) => *y.add(at) = v as i8 as u8 ^ f.rule.flip,
                    RawOutput::I16(y) => *y.add(at) = v as i16,
                    RawOutput::I32(y) => *y.add(at) = v,
                }
            }
        }
    }
}

/// Passes the bytes that a vector path has just written through the table, if there is one.
///
/// # Safety
///
/// `f` keeps the promise of [`Finish`].
#[cfg_attr(
    not(target_arch = "x86_64"),
    expect(dead_code, reason = "no vector path here")
)]
pub(crate) unsafe fn look_up(f: &Finish) {
    let (Some(table), RawOutput::I8(to)) = (f.rule.table, f.output) else {
        return;
    };
    for p in 0..f.pixels {
        for c in 0..f.channels {
            // SAFETY: the maker of `f` promises room for `channels` bytes at each position.
            unsafe {
                let y = to.add(p * f.pixel_step + c);
                // Stored byte to v + 128.
                let index = *y ^ f.rule.flip ^ 0x80;
                *y = table[usize::from(index)] as u8 ^ f.rule.flip;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Spec: operators, 2.21: a bias at its limit leaves 32 bits whatever the row factor is, also 0.
    #[test]
    fn an_offset_that_alone_leaves_32_bits_is_clamped_at_every_row_factor() {
        assert_eq!(factor_max(8, 1, 1 << 30), -1);
        assert_eq!(factor_max(15, 1, 1 << 30), 0);
        assert_eq!(factor_max(16, 4, 0), 1 << 44);
    }

    #[test]
    fn raised_constants_keep_the_value_of_every_channel() {
        let sum = |acc: i64, x: i64, m: i64, a: i64| acc * m + x * a;
        for (m, a, s) in [
            (20_000, 30_000, 25),
            (32_767, 0, 17),
            (1, 32_767, 16),
            (1, 0, 32),
            (0, 0, 1),
        ] {
            assert!(can_be_raised(&[0, m, a, s]), "{m} {a} {s}");
            let (m, a) = (i64::from(m), i64::from(a));
            let raised = (m << (32 - s), if a == 0 { 0 } else { a << (30 - s) });
            for (acc, x) in [(1, 1), (-70_000, 127), (65_535, -128), (33_333, -32_768)] {
                let value = (sum(acc, x, m, a) + (1 << (s - 1))) >> s;
                let upper = sum(acc, x << ADDEND_BITS, raised.0, raised.1) + (1 << 31);
                assert_eq!(upper >> 32, value, "{m} {a} {s} {acc} {x}");
            }
        }
        for (m, a, s) in [(1, 0, 33), (32_767, 0, 15), (1, 1, 31), (1, 32_767, 13)] {
            assert!(!can_be_raised(&[0, m, a, s]), "{m} {a} {s}");
        }
    }

    #[test]
    fn halves_round_up_on_both_sides_of_zero() {
        let rule = Rule {
            lo: -127,
            hi: 127,
            flip: 0,
            raises: false,
            fits: true,
            table: None,
            factor_shift: None,
            factor_max: 0,
        };
        for (acc, want) in [(1, 1), (-1, 0), (3, 2), (-3, -1), (300, 127), (-300, -127)] {
            assert_eq!(requantize(acc, 1, 0, 0, 1, &rule), want, "{acc} / 2");
        }
    }

    #[test]
    fn the_widest_operands_do_not_overflow() {
        let (high, low) = (i64::from(i32::MAX), i64::from(i32::MIN));
        let rule = Rule {
            lo: i32::MIN,
            hi: i32::MAX,
            flip: 0,
            raises: false,
            fits: false,
            table: None,
            factor_shift: None,
            factor_max: 0,
        };
        let m = 32_767;
        assert_eq!(requantize(high, m, i32::MAX, m, 1, &rule), i32::MAX);
        assert_eq!(requantize(low, m, i32::MIN, m, 1, &rule), i32::MIN);
        assert_eq!(requantize(low, m, i32::MIN, m, 46, &rule), -2);
    }
}
