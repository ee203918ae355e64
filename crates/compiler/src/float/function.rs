//! Functions of one real number: what the tables of a program are made of.
//!
//! Exporters spell an activation in many ways (`x * Sigmoid(x)`, `x * Clip(x / 6 + 1/2, 0, 1)`). A
//! chain of such nodes over one value becomes one expression here, whatever its spelling, and one
//! table in the program. Only `+ - * /` and [`super::math`] take part.

use super::math::{atan, cos, erf, exp, ln, sigmoid, sin, softplus, tanh};

/// Most operators of one expression; longer ones stay several nodes.
pub(crate) const SIZE_MAX: usize = 64;

/// An expression in one variable.
#[derive(Debug, Clone, PartialEq)]
pub enum Function {
    /// The variable.
    X,
    /// A number.
    Constant(f64),
    /// Sum.
    Add(Box<Self>, Box<Self>),
    /// Product.
    Mul(Box<Self>, Box<Self>),
    /// A primitive of an expression.
    Apply(Primitive, Box<Self>),
}

/// Functions that expressions are built from.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Primitive {
    /// `1 / (1 + e^-x)`.
    Sigmoid,
    /// Hyperbolic tangent.
    Tanh,
    /// Error function.
    Erf,
    /// `e^x`.
    Exp,
    /// Natural logarithm; of 0 and less that of the smallest normal number.
    Log,
    /// `ln(1 + e^x)`.
    Softplus,
    /// `x / (1 + |x|)`.
    Softsign,
    /// `|x|`.
    Abs,
    /// Clamp; either bound may be infinite.
    Clip(f64, f64),
    /// `x` where positive, else `slope * x`.
    Slope(f64),
    /// `x` where positive, else `alpha * (e^x - 1)`.
    Elu(f64),
    /// `x` to a power of 2 or more.
    Power(u32),
    /// `x` to a real power: of less than 0 that of 0, of 0 to a negative power infinity.
    RealPower(f64),
    /// Square root; of less than 0 that of 0.
    Sqrt,
    /// `1 / x`.
    Reciprocal,
    /// Sine.
    Sin,
    /// Cosine.
    Cos,
    /// Arc tangent.
    Atan,
    /// Largest whole number that is not larger.
    Floor,
    /// Nearest whole number, ties to even.
    Round,
    /// 1, 0 or -1.
    Sign,
}

impl Primitive {
    pub(super) fn at(self, x: f64) -> f64 {
        match self {
            Self::Sigmoid => sigmoid(x),
            Self::Tanh => tanh(x),
            Self::Erf => erf(x),
            Self::Exp => exp(x),
            Self::Log => ln(x),
            Self::Softplus => softplus(x),
            Self::Softsign => x / (1.0 + x.abs()),
            Self::Abs => x.abs(),
            // Written out: `clamp` panics on the bounds that `max` and `min` take.
            Self::Clip(low, high) => x.max(low).min(high),
            Self::Slope(slope) => x.max(0.0) + slope * x.min(0.0),
            Self::Elu(alpha) => x.max(0.0) + alpha * (exp(x.min(0.0)) - 1.0),
            Self::Power(power) => (1..power).fold(x, |product, _| product * x),
            Self::RealPower(power) => real_power(x, power),
            Self::Sqrt => x.max(0.0).sqrt(),
            Self::Reciprocal => 1.0 / x,
            Self::Sin => sin(x),
            Self::Cos => cos(x),
            Self::Atan => atan(x),
            Self::Floor => x.floor(),
            Self::Round => x.round_ties_even(),
            Self::Sign => f64::from(i8::from(x > 0.0) - i8::from(x < 0.0)),
        }
    }

    /// Whether a larger argument never gives a smaller value.
    fn is_monotone(self) -> bool {
        match self {
            Self::Sigmoid
            | Self::Tanh
            | Self::Erf
            | Self::Exp
            | Self::Log
            | Self::Softplus
            | Self::Softsign
            | Self::Sqrt
            | Self::Atan
            | Self::Floor
            | Self::Round
            | Self::Sign
            | Self::Clip(..) => true,
            Self::Slope(slope) => slope >= 0.0,
            Self::Elu(alpha) => alpha >= 0.0,
            Self::RealPower(power) => power >= 0.0,
            Self::Abs | Self::Power(_) | Self::Reciprocal | Self::Sin | Self::Cos => false,
        }
    }
}

/// `x` to a real power, by `e^(power ln x)`.
fn real_power(x: f64, power: f64) -> f64 {
    if x > 0.0 {
        return exp(power * ln(x));
    }
    if power > 0.0 {
        0.0
    } else if power < 0.0 {
        f64::INFINITY
    } else {
        1.0
    }
}

impl Function {
    /// A primitive of the variable.
    pub fn primitive(primitive: Primitive) -> Self {
        Self::X.then(primitive)
    }

    /// A primitive of this expression.
    #[must_use]
    pub fn then(self, primitive: Primitive) -> Self {
        Self::Apply(primitive, Box::new(self))
    }

    /// `self * scale + shift`.
    #[must_use]
    pub fn affine(self, scale: f64, shift: f64) -> Self {
        self.times(Self::Constant(scale))
            .plus(Self::Constant(shift))
    }

    /// Sum.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        match (self, other) {
            (f, Self::Constant(0.0)) | (Self::Constant(0.0), f) => f,
            (f, g) => Self::Add(Box::new(f), Box::new(g)),
        }
    }

    /// Product.
    #[must_use]
    pub fn times(self, other: Self) -> Self {
        match (self, other) {
            (f, Self::Constant(1.0)) | (Self::Constant(1.0), f) => f,
            (f, g) => Self::Mul(Box::new(f), Box::new(g)),
        }
    }

    /// `clamp(x * alpha + beta, 0, 1)`.
    pub fn hard_sigmoid(alpha: f64, beta: f64) -> Self {
        Self::X.affine(alpha, beta).then(Primitive::Clip(0.0, 1.0))
    }

    /// `x * clamp(x / 6 + 1/2, 0, 1)`.
    pub fn hard_swish() -> Self {
        Self::X.times(Self::hard_sigmoid(1.0 / 6.0, 0.5))
    }

    /// `x / 2 * (1 + erf(x / sqrt 2))`.
    pub fn gelu() -> Self {
        let inner = Self::X.times(Self::Constant(core::f64::consts::FRAC_1_SQRT_2));
        let gate = inner.then(Primitive::Erf).affine(0.5, 0.5);
        Self::X.times(gate)
    }

    /// `x / 2 * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 x^3)))`.
    pub fn gelu_tanh() -> Self {
        let cube = Self::primitive(Primitive::Power(3)).times(Self::Constant(0.044_715));
        let root = core::f64::consts::FRAC_2_SQRT_PI * core::f64::consts::FRAC_1_SQRT_2;
        let inner = Self::X.plus(cube).times(Self::Constant(root));
        let gate = inner.then(Primitive::Tanh).affine(0.5, 0.5);
        Self::X.times(gate)
    }

    /// `x * tanh(ln(1 + e^x))`.
    pub fn mish() -> Self {
        let gate = Self::primitive(Primitive::Softplus).then(Primitive::Tanh);
        Self::X.times(gate)
    }

    /// The value at `x`.
    pub fn at(&self, x: f64) -> f64 {
        match self {
            Self::X => x,
            Self::Constant(value) => *value,
            Self::Add(f, g) => f.at(x) + g.at(x),
            Self::Mul(f, g) => f.at(x) * g.at(x),
            Self::Apply(primitive, f) => primitive.at(f.at(x)),
        }
    }

    /// This expression of the value of another one.
    #[must_use]
    pub fn of(&self, inner: &Self) -> Self {
        match self {
            Self::X => inner.clone(),
            Self::Constant(value) => Self::Constant(*value),
            Self::Add(f, g) => Self::Add(Box::new(f.of(inner)), Box::new(g.of(inner))),
            Self::Mul(f, g) => Self::Mul(Box::new(f.of(inner)), Box::new(g.of(inner))),
            Self::Apply(primitive, f) => Self::Apply(*primitive, Box::new(f.of(inner))),
        }
    }

    /// Number of operators and leaves.
    pub(crate) fn size(&self) -> usize {
        match self {
            Self::X | Self::Constant(_) => 1,
            Self::Add(f, g) | Self::Mul(f, g) => 1 + f.size() + g.size(),
            Self::Apply(_, f) => 1 + f.size(),
        }
    }

    /// Whether a larger argument is known never to give a smaller value.
    pub(crate) fn is_monotone(&self) -> bool {
        match self {
            Self::X | Self::Constant(_) => true,
            Self::Add(f, g) => f.is_monotone() && g.is_monotone(),
            Self::Mul(f, g) => match (&**f, &**g) {
                (Self::Constant(factor), h) | (h, Self::Constant(factor)) => {
                    *factor >= 0.0 && h.is_monotone()
                }
                (
                    Self::X | Self::Add(..) | Self::Mul(..) | Self::Apply(..),
                    Self::X | Self::Add(..) | Self::Mul(..) | Self::Apply(..),
                ) => false,
            },
            Self::Apply(primitive, f) => primitive.is_monotone() && f.is_monotone(),
        }
    }

    /// Whether all values lie between -1 and 1, whatever the argument.
    pub(crate) fn is_unit(&self) -> bool {
        match self {
            Self::Apply(Primitive::Sigmoid | Primitive::Tanh | Primitive::Softsign, _) => true,
            Self::Apply(Primitive::Clip(low, high), _) => *low >= -1.0 && *high <= 1.0,
            Self::X | Self::Constant(_) | Self::Add(..) | Self::Mul(..) | Self::Apply(..) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_of_one_function_have_one_value() {
        let silu = Function::X.times(Function::primitive(Primitive::Sigmoid));
        let hard = Function::X
            .affine(1.0, 3.0)
            .then(Primitive::Clip(0.0, 6.0))
            .times(Function::Constant(1.0 / 6.0))
            .times(Function::X);
        for i in -400..400 {
            let x = f64::from(i) / 40.0;
            assert!((silu.at(x) - x / (1.0 + (-x).exp())).abs() < 1e-12, "{x}");
            assert!((hard.at(x) - Function::hard_swish().at(x)).abs() < 1e-12);
            assert!((Function::gelu().at(x) - Function::gelu_tanh().at(x)).abs() < 1e-3);
            let twice = silu.of(&silu);
            assert!((twice.at(x) - silu.at(silu.at(x))).abs() < 1e-12);
        }
        assert_eq!(silu.size(), 4);
    }

    #[test]
    fn only_functions_that_never_fall_are_called_monotone() {
        assert!(Function::hard_sigmoid(0.2, 0.5).is_monotone());
        assert!(Function::primitive(Primitive::Slope(0.1)).is_monotone());
        assert!(!Function::primitive(Primitive::Slope(-0.1)).is_monotone());
        assert!(!Function::hard_swish().is_monotone());
        assert!(Function::hard_sigmoid(0.2, 0.5).is_unit() && !Function::mish().is_unit());
    }
}
