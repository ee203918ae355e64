//! Functions of many numbers at once, with the bits of one number after the other.
//!
//! An expression is evaluated operator by operator over a block of numbers, and the functions that take
//! long are written over lanes, which become vectors.

use selfsame_kernels::{Loops, Vectors, Width};

use super::function::{Function, Primitive};
use super::math::{erf_lanes, exp_lanes, sigmoid_lanes, tanh_lanes};
use super::run::single;

/// Numbers that go through an expression together.
const BLOCK: usize = 1024;
/// Numbers that go through a function together: enough independent chains for a core's pipelines.
const LANES: usize = 64;

impl Function {
    /// Puts the value at each number, rounded to single precision, in its place.
    pub(super) fn replace_each(&self, width: Width, x: &mut [f32]) {
        let mut block = Vec::with_capacity(BLOCK);
        for x in x.chunks_mut(BLOCK) {
            block.clear();
            block.extend(x.iter().map(|&v| f64::from(v)));
            self.replace(width, &mut block);
            for (x, &v) in x.iter_mut().zip(&block) {
                *x = single(v);
            }
        }
    }

    /// Puts the value at each number in its place.
    fn replace(&self, width: Width, x: &mut [f64]) {
        match self {
            Self::X => {}
            Self::Constant(value) => x.fill(*value),
            Self::Add(f, g) => pairs(width, (f, g), x, |x, y| *x += y),
            Self::Mul(f, g) => pairs(width, (f, g), x, |x, y| *x *= y),
            Self::Apply(primitive, f) => {
                f.replace(width, x);
                primitive.replace(width, x);
            }
        }
    }
}

/// Two functions of the same numbers, combined.
fn pairs(
    width: Width,
    (f, g): (&Function, &Function),
    x: &mut [f64],
    combine: impl Fn(&mut f64, f64),
) {
    if let Function::Constant(value) = g {
        f.replace(width, x);
        for x in x {
            combine(x, *value);
        }
        return;
    }
    let mut second = x.to_vec();
    f.replace(width, x);
    g.replace(width, &mut second);
    for (x, y) in x.iter_mut().zip(second) {
        combine(x, y);
    }
}

impl Primitive {
    /// Puts the value at each number in its place.
    fn replace(self, width: Width, x: &mut [f64]) {
        let long = match self {
            Self::Sigmoid => Long::Sigmoid,
            Self::Tanh => Long::Tanh,
            Self::Erf => Long::Erf,
            Self::Exp => Long::Exp,
            Self::Log
            | Self::Softplus
            | Self::Softsign
            | Self::Abs
            | Self::Clip(..)
            | Self::Slope(_)
            | Self::Elu(_)
            | Self::Power(_)
            | Self::RealPower(_)
            | Self::Sqrt
            | Self::Reciprocal
            | Self::Sin
            | Self::Cos
            | Self::Atan
            | Self::Floor
            | Self::Round
            | Self::Sign => {
                for x in x {
                    *x = self.at(*x);
                }
                return;
            }
        };
        replace_long(width, long, x);
    }
}

/// `e^x` in the place of each number.
pub(super) fn exp_each(width: Width, x: &mut [f64]) {
    replace_long(width, Long::Exp, x);
}

/// Functions that are sums of many terms.
#[derive(Debug, Clone, Copy)]
enum Long {
    Sigmoid,
    Tanh,
    Erf,
    Exp,
}

fn replace_long(width: Width, long: Long, x: &mut [f64]) {
    width.run(Each { long, x });
}

/// A function of each number.
struct Each<'a> {
    long: Long,
    x: &'a mut [f64],
}

impl Loops for Each<'_> {
    type Output = ();

    #[inline(always)]
    fn run<V: Vectors>(self) {
        if V::FUSED {
            self.all::<true>();
        } else {
            self.all::<false>();
        }
    }
}

impl Each<'_> {
    /// All numbers, block by block, the last ones with zeros behind them.
    #[inline(always)]
    fn all<const FUSED: bool>(self) {
        let (blocks, rest) = self.x.as_chunks_mut::<LANES>();
        for block in blocks {
            self.long.replace_lanes::<FUSED>(block);
        }
        if !rest.is_empty() {
            let mut block = [0.0; LANES];
            block[..rest.len()].copy_from_slice(rest);
            self.long.replace_lanes::<FUSED>(&mut block);
            rest.copy_from_slice(&block[..rest.len()]);
        }
    }
}

impl Long {
    #[inline(always)]
    fn replace_lanes<const FUSED: bool>(self, x: &mut [f64; LANES]) {
        match self {
            Self::Sigmoid => sigmoid_lanes::<FUSED, LANES>(x),
            Self::Tanh => tanh_lanes::<FUSED, LANES>(x),
            Self::Erf => erf_lanes::<FUSED, LANES>(x),
            Self::Exp => exp_lanes::<FUSED, LANES>(x),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_numbers_have_the_bits_of_one_after_the_other() {
        let functions = [
            Function::gelu(),
            Function::gelu_tanh(),
            Function::X.times(Function::primitive(Primitive::Sigmoid)),
            Function::primitive(Primitive::Exp),
            Function::mish(),
            Function::hard_swish(),
        ];
        let fine = (-20_000_i16..20_000).map(|i| f32::from(i) / 1371.3);
        let coarse = (-3_000_i16..3_000).map(|i| f32::from(i) * 0.77);
        let ends = [0.0, -0.0, 1e-30, -1e-40, f32::MAX, f32::MIN, f32::INFINITY];
        let x: Vec<f32> = fine.chain(coarse).chain(ends).collect();
        for function in functions {
            let wanted: Vec<u32> = x
                .iter()
                .map(|&v| super::single(function.at(f64::from(v))).to_bits())
                .collect();
            for width in Width::available() {
                let mut found = x.clone();
                function.replace_each(width, &mut found);
                for ((x, found), wanted) in x.iter().zip(found).zip(&wanted) {
                    assert_eq!(found.to_bits(), *wanted, "{function:?} {width:?} {x}");
                }
            }
        }
    }

    /// The whole bits, before they are rounded to single precision.
    #[test]
    fn fused_quotients_are_rounded_once() {
        let x: Vec<f64> = (0_u32..200_000)
            .map(|i| f64::from(i.wrapping_mul(2_654_435_761)) / 715_827_882.7 - 3.0)
            .collect();
        for long in [Long::Sigmoid, Long::Tanh, Long::Erf, Long::Exp] {
            let mut wanted = x.clone();
            replace_long(Width::BASELINE, long, &mut wanted);
            for width in Width::available() {
                let mut found = x.clone();
                replace_long(width, long, &mut found);
                let same = found
                    .iter()
                    .zip(&wanted)
                    .all(|(a, b)| a.to_bits() == b.to_bits());
                assert!(same, "{long:?} {width:?}");
            }
        }
    }
}
