//! Lookup tables: which stretch of a function 256 entries show, and the entries.
//!
//! ```text
//! table[v + 128] = round(f(center + v * step) / step_out),  v in -128..=127
//! ```

use crate::float::Function;
use crate::quant::{INT8_LEVELS, to_i8, to_i16};

/// Points at which flatness is looked for.
const POINTS: u32 = 4_096;
/// Largest ratio of an operand's step to that of the entries.
const RATIO_MAX: f64 = 16_383.0;

/// The stretch of arguments that a table shows.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Stretch {
    /// Argument of `v = 0`.
    pub(super) center: f64,
    /// Distance of two entries.
    pub(super) step: f64,
}

impl Stretch {
    /// The part of `low..=high` outside of which `f`, cut to 127 steps of the output, is flat.
    pub(super) fn of(f: &Function, (low, high): (f64, f64), step_out: f64) -> Self {
        let (from, to) = varying(f, (low, high), step_out, INT8_LEVELS);
        let step = ((to - from) / 255.0).max(1e-9);
        Self {
            center: from + 128.0 * step,
            step,
        }
    }

    /// The same with 0 in the middle, for sums and products that have no bias.
    ///
    /// `levels` integers on each side of 0; operands of `finest` steps reach the entries by
    /// multipliers of 15 bits.
    pub(super) fn around_zero(
        f: &Function,
        range: (f64, f64),
        step_out: f64,
        (levels, finest): (f64, f64),
    ) -> Self {
        let (from, to) = varying(f, range, step_out, levels);
        let least = (finest / RATIO_MAX).max(1e-12);
        Self {
            center: 0.0,
            step: (from.abs().max(to.abs()) / levels).max(least),
        }
    }

    /// The same for an interpolation: the outermost nodes are two cells beyond the last change, so
    /// that what saturates meets a function that is flat already.
    pub(super) fn interpolated(
        f: &Function,
        range: (f64, f64),
        step_out: f64,
        (levels, finest): (f64, f64),
    ) -> Self {
        let inner = levels * 254.0 / 256.0;
        Self::around_zero(f, range, step_out, (inner, finest))
    }

    /// The nodes of an interpolation: 513 points, 128 steps apart.
    pub(super) fn nodes(self, f: impl Fn(f64) -> f64, step_out: f64) -> Vec<i16> {
        let node = |k: i32| {
            let at = self.center + f64::from(128 * k - 32_768) * self.step;
            to_i16(f(at) / step_out)
        };
        (0..513).map(node).collect()
    }

    /// What nodes give at a real argument, before rounding.
    pub(super) fn interpolate(self, nodes: &[i16], at: f64) -> f64 {
        let index = ((at - self.center) / self.step).clamp(-32_768.0, 32_767.0) / 128.0 + 256.0;
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "between 0 and 511"
        )]
        let cell = index.floor() as usize;
        let (from, to) = (f64::from(nodes[cell]), f64::from(nodes[cell + 1]));
        from + (to - from) * (index - index.floor())
    }

    /// The entries.
    pub(super) fn table(self, f: &Function, step_out: f64) -> [i8; 256] {
        let mut entries = [0; 256];
        for (entry, v) in entries.iter_mut().zip(-128_i32..) {
            *entry = to_i8(f.at(self.center + f64::from(v) * self.step) / step_out);
        }
        entries
    }
}

fn varying(f: &Function, (low, high): (f64, f64), step_out: f64, levels: f64) -> (f64, f64) {
    let most = levels * step_out;
    let at = |point: u32| low + (high - low) * f64::from(point) / f64::from(POINTS);
    let value = |point: u32| f.at(at(point)).clamp(-most, most);
    let moved = |point: &u32, end: f64| (value(*point) - end).abs() > step_out / 4.0;
    let first = (0..=POINTS).find(|point| moved(point, value(0)));
    let last = (0..=POINTS).rev().find(|point| moved(point, value(POINTS)));
    match (first, last) {
        (Some(first), Some(last)) if first <= last + 2 => {
            (at(first.saturating_sub(1)), at((last + 1).min(POINTS)))
        }
        (Some(_) | None, Some(_) | None) => (low, high),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::float::Primitive;

    #[test]
    fn coarse_operands_reach_the_entries_of_a_jump() {
        let sign = Function::primitive(Primitive::Sign);
        let stretch = Stretch::around_zero(&sign, (0.0, 4.0), 1e-4, (32_767.0, 1.0));
        assert!(1.0 / stretch.step <= RATIO_MAX * (1.0 + 1e-9));
    }

    #[test]
    fn flat_ends_take_no_entries() {
        let silu = Function::X.times(Function::primitive(Primitive::Sigmoid));
        let stretch = Stretch::of(&silu, (-40.0, 10.0), 10.0 / 127.0);
        let from = stretch.center - 128.0 * stretch.step;
        assert!(-7.0 < from && from < -3.0, "{from}");
        let table = stretch.table(&silu, 10.0 / 127.0);
        assert_eq!((table[0], table[255]), (0, 127));
        let sigmoid = Function::primitive(Primitive::Sigmoid);
        let stretch = Stretch::around_zero(&sigmoid, (-100.0, 50.0), 1.0 / 127.0, (127.0, 1.0));
        assert!(stretch.step * 127.0 < 8.0 && stretch.center == 0.0);
    }
}
