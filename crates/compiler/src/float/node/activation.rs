//! Import of functions of one activation.

use super::super::act::Kind;
use super::super::constant::{Const, Value};
use super::super::error::ImportError;
use super::super::function::{Function, Primitive};
use super::super::graph::FloatOp;
use super::super::symbolic::SymInt;
use super::{Imported, NodeContext};

/// Largest whole power that is multiplied out.
const POWER_MAX: u32 = 64;
/// Most different exponents of one node.
const EXPONENTS_MAX: usize = 64;

impl NodeContext<'_> {
    /// A function of each element of one activation.
    pub(super) fn function(&mut self) -> Imported {
        if self.node.op == "Pow" && !matches!(self.value(0)?, Value::Activation(_)) {
            return self.power_of_constant();
        }
        if self.node.op == "Pow"
            && let Some(value) = self.powers()?
        {
            return Ok(value);
        }
        let f = self.function_of_op()?;
        let act = self.act(0)?;
        let mapped = self.mapped(FloatOp::Function(f), &act)?;
        let frame = mapped.frame();
        // Distances of places are whole numbers, and so are their magnitudes and signs.
        let stays_whole = matches!(self.node.op.as_str(), "Abs" | "Neg" | "Sign");
        let kind = if stays_whole && act.kind == Kind::Int {
            Kind::Int
        } else {
            Kind::Float
        };
        Ok(self.done(mapped.node, frame, kind))
    }

    fn function_of_op(&self) -> Result<Function, ImportError> {
        if let Some(primitive) = plain(&self.node.op) {
            self.allow(&[])?;
            return Ok(Function::primitive(primitive));
        }
        if let Some(function) = composed(&self.node.op) {
            self.allow(&[])?;
            return Ok(function);
        }
        let number = |name: &str, default: f32| Ok(f64::from(self.float(name, default)?));
        match self.node.op.as_str() {
            "HardSigmoid" => {
                self.allow(&["alpha", "beta"])?;
                let (alpha, beta) = (number("alpha", 0.2)?, number("beta", 0.5)?);
                Ok(Function::hard_sigmoid(alpha, beta))
            }
            "LeakyRelu" => {
                self.allow(&["alpha"])?;
                let slope = number("alpha", 0.01)?;
                Ok(Function::primitive(Primitive::Slope(slope)))
            }
            "Elu" => {
                self.allow(&["alpha"])?;
                Ok(Function::primitive(Primitive::Elu(number("alpha", 1.0)?)))
            }
            "Selu" => {
                self.allow(&["alpha", "gamma"])?;
                let elu = Primitive::Elu(number("alpha", 1.673_263_2)?);
                Ok(Function::primitive(elu).affine(number("gamma", 1.050_701)?, 0.0))
            }
            "Celu" => {
                self.allow(&["alpha"])?;
                let alpha = number("alpha", 1.0)?;
                let scaled = Function::X.affine(1.0 / alpha, 0.0);
                Ok(scaled.then(Primitive::Elu(1.0)).affine(alpha, 0.0))
            }
            "ThresholdedRelu" => {
                self.allow(&["alpha"])?;
                Ok(Function::X.times(Function::above(number("alpha", 1.0)?)))
            }
            "Shrink" => {
                self.allow(&["bias", "lambd"])?;
                let (bias, lambda) = (number("bias", 0.0)?, number("lambd", 0.5)?);
                let above = Function::X
                    .affine(1.0, -bias)
                    .times(Function::above(lambda));
                let below = Function::X.affine(-1.0, 0.0);
                let below = Function::above(lambda).of(&below);
                Ok(above.plus(Function::X.affine(1.0, bias).times(below)))
            }
            "Swish" => {
                self.allow(&["alpha"])?;
                let scaled = Function::X.affine(number("alpha", 1.0)?, 0.0);
                Ok(Function::X.times(scaled.then(Primitive::Sigmoid)))
            }
            "Pow" => self.power(),
            _ => self.gelu(),
        }
    }

    /// Constant exponents of which several differ: the elements of each exponent on their own.
    fn powers(&mut self) -> Result<Option<Value>, ImportError> {
        let (dims, exponents) = match self.value(1)? {
            Value::Float(c) => (c.dims.clone(), c.elements.to_vec()),
            #[expect(clippy::cast_precision_loss, reason = "exponents are small")]
            Value::Int(c) => {
                let known: Option<Vec<i64>> = c.elements.iter().map(|v| v.known()).collect();
                let known = known.ok_or_else(|| self.unknown_target())?;
                (c.dims.clone(), known.iter().map(|&v| v as f32).collect())
            }
            Value::Activation(_) => return Ok(None),
        };
        if exponents.len() <= 1 || !matches!(self.value(0)?, Value::Activation(_)) {
            return Ok(None);
        }
        let act = self.act(0)?;
        let mut kinds: Vec<f32> = Vec::new();
        for &exponent in &exponents {
            if !kinds
                .iter()
                .any(|kind| kind.to_bits() == exponent.to_bits())
            {
                kinds.push(exponent);
            }
        }
        if kinds.len() > EXPONENTS_MAX {
            return Err(self.refuse(
                format!("{} different exponents", kinds.len()),
                "64 different constant exponents",
                "write exp(y * log(x)) where x is positive",
            ));
        }
        let exponents = Const::new(dims, exponents);
        let shape = act.dims.clone();
        let limit = exponents.elements.len().max(shape.iter().product());
        let blank = Const::new(shape.clone(), vec![0.0; shape.iter().product()]);
        let wide = exponents.zip(&blank, limit, |exponent, _| Some(exponent));
        let wide = wide.filter(|wide| wide.dims == shape);
        let wide = wide.ok_or_else(|| self.unknown_target())?;
        let list = self.listed(&act)?;
        let (mut parts, mut order) = (Vec::new(), Vec::new());
        for kind in kinds {
            let same = |at: &usize| wide.elements[*at].to_bits() == kind.to_bits();
            let picks: Vec<usize> = (0..wide.elements.len()).filter(same).collect();
            let part = self.picked(&list, 0, &picks)?;
            let f = FloatOp::Function(Function::power(f64::from(kind)));
            parts.push(self.mapped(f, &part)?);
            order.extend(picks);
        }
        let joined = self.joined(&parts, 0)?;
        let mut back = vec![0; order.len()];
        for (at, &cell) in order.iter().enumerate() {
            back[cell] = at;
        }
        let made = self.arranged(&joined, &back, shape)?;
        let kind = act.kind;
        Ok(Some(self.value_of(super::Act { kind, ..made })))
    }

    /// A constant power.
    fn power(&self) -> Result<Function, ImportError> {
        self.allow(&[])?;
        let exponent = match self.value(1)? {
            Value::Float(c) => c.single().map(f64::from),
            Value::Int(c) => {
                let known = c.single().and_then(SymInt::known);
                let small = known.and_then(|v| i32::try_from(v).ok());
                small.map(f64::from)
            }
            Value::Activation(_) => None,
        };
        exponent.map(Function::power).ok_or_else(|| {
            self.refuse(
                "exponents that differ between elements".to_owned(),
                "one constant exponent",
                "write exp(y * log(x)) where x is positive",
            )
        })
    }

    /// A positive constant to the power of an activation.
    fn power_of_constant(&mut self) -> Imported {
        self.allow(&[])?;
        let base = match self.value(0)? {
            Value::Float(c) => c.single().map(f64::from),
            Value::Int(c) => c.single().and_then(SymInt::known).and_then(|v| {
                let small = i32::try_from(v).ok();
                small.map(f64::from)
            }),
            Value::Activation(_) => None,
        };
        if !matches!(self.value(1)?, Value::Activation(_)) {
            return self.function_of_constants();
        }
        let Some(base) = base.filter(|base| *base > 0.0) else {
            return Err(self.refuse(
                "a constant to the power of an activation".to_owned(),
                "one positive constant base, or a constant exponent",
                "write exp(y * log(x))",
            ));
        };
        let act = self.act(1)?;
        let scaled = Function::X.affine(super::super::math::ln(base), 0.0);
        let mapped = self.mapped(FloatOp::Function(scaled.then(Primitive::Exp)), &act)?;
        Ok(self.value_of(mapped))
    }

    /// A power of constants.
    fn function_of_constants(&mut self) -> Imported {
        let f = self.power()?;
        let act = self.act(0)?;
        let kind = act.kind;
        let mapped = self.mapped(FloatOp::Function(f), &act)?;
        let frame = mapped.frame();
        Ok(self.done(mapped.node, frame, kind))
    }

    fn gelu(&self) -> Result<Function, ImportError> {
        self.allow(&["approximate"])?;
        match self.text("approximate", "none")?.as_str() {
            "none" => Ok(Function::gelu()),
            "tanh" => Ok(Function::gelu_tanh()),
            other => Err(self.refuse(
                format!("attribute \"approximate\" = {other:?}"),
                "none or tanh",
                "use nn.GELU",
            )),
        }
    }

    /// Slopes for negative arguments: one, or one per channel.
    pub(super) fn slopes(&mut self) -> Imported {
        self.allow(&[])?;
        let slopes = self.float_constant(1)?;
        let first = slopes.elements.first().copied().unwrap_or(0.0);
        let mut bits = slopes.elements.iter().map(|s| s.to_bits());
        let act = self.act(0)?;
        if bits.all(|bits| bits == first.to_bits()) {
            let f = Function::primitive(Primitive::Slope(f64::from(first)));
            let mapped = self.mapped(FloatOp::Function(f), &act)?;
            return Ok(self.value_of(mapped));
        }
        // max(x, 0) + slope * min(x, 0)
        let above = self.mapped(FloatOp::Clip(0.0, f32::INFINITY), &act)?;
        let below = self.mapped(FloatOp::Clip(f32::NEG_INFINITY, 0.0), &act)?;
        let slope = self.act(1)?;
        let below = self.pair_of(super::super::graph::Arithmetic::Mul, &below, &slope)?;
        let sum = self.pair_of(super::super::graph::Arithmetic::Add, &above, &below)?;
        Ok(self.value_of(sum))
    }
}

/// Operators that are one primitive.
fn plain(op: &str) -> Option<Primitive> {
    Some(match op {
        "Abs" => Primitive::Abs,
        "Atan" => Primitive::Atan,
        "Cos" => Primitive::Cos,
        "Erf" => Primitive::Erf,
        "Exp" => Primitive::Exp,
        "Floor" => Primitive::Floor,
        "Log" => Primitive::Log,
        "Reciprocal" => Primitive::Reciprocal,
        "Round" => Primitive::Round,
        "Sigmoid" => Primitive::Sigmoid,
        "Sign" => Primitive::Sign,
        "Sin" => Primitive::Sin,
        "Softplus" => Primitive::Softplus,
        "Softsign" => Primitive::Softsign,
        "Sqrt" => Primitive::Sqrt,
        "Tanh" => Primitive::Tanh,
        _ => return None,
    })
}

/// Operators without attributes that are composed of primitives.
fn composed(op: &str) -> Option<Function> {
    let of = Function::primitive;
    let minus = Function::X.affine(-1.0, 0.0);
    Some(match op {
        "Acos" => asin().affine(-1.0, core::f64::consts::FRAC_PI_2),
        "Acosh" => {
            let root = of(Primitive::Power(2))
                .affine(1.0, -1.0)
                .then(Primitive::Sqrt);
            Function::X.plus(root).then(Primitive::Log)
        }
        "Asin" => asin(),
        // No operator of ONNX: tf2onnx writes it for the GELU of Keras.
        "Erfc" => of(Primitive::Erf).affine(-1.0, 1.0),
        "Asinh" => {
            // sign(x) ln(|x| + sqrt(x^2 + 1))
            let root = of(Primitive::Power(2))
                .affine(1.0, 1.0)
                .then(Primitive::Sqrt);
            let magnitude = of(Primitive::Abs).plus(root).then(Primitive::Log);
            of(Primitive::Sign).times(magnitude)
        }
        "Atanh" => {
            let below = minus.affine(1.0, 1.0).then(Primitive::Reciprocal);
            let ratio = Function::X.affine(1.0, 1.0).times(below);
            ratio.then(Primitive::Log).affine(0.5, 0.0)
        }
        "Ceil" => minus.then(Primitive::Floor).affine(-1.0, 0.0),
        "Cosh" => of(Primitive::Exp)
            .plus(minus.then(Primitive::Exp))
            .affine(0.5, 0.0),
        "HardSwish" => Function::hard_swish(),
        "Mish" => Function::mish(),
        "Neg" => minus,
        "Sinh" => {
            let other = minus.then(Primitive::Exp).affine(-0.5, 0.0);
            of(Primitive::Exp).affine(0.5, 0.0).plus(other)
        }
        "Tan" => of(Primitive::Sin).times(of(Primitive::Cos).then(Primitive::Reciprocal)),
        _ => return None,
    })
}

/// `atan(x / sqrt(1 - x^2))`.
fn asin() -> Function {
    let root = Function::primitive(Primitive::Power(2)).affine(-1.0, 1.0);
    let root = root.then(Primitive::Sqrt).then(Primitive::Reciprocal);
    Function::X.times(root).then(Primitive::Atan)
}

impl Function {
    /// 1 above `threshold`, else 0.
    pub(in crate::float) fn above(threshold: f64) -> Self {
        let sign = Self::X.affine(1.0, -threshold).then(Primitive::Sign);
        sign.then(Primitive::Clip(0.0, 1.0))
    }

    /// A constant power.
    fn power(exponent: f64) -> Self {
        if exponent < 0.0 {
            return Self::power(-exponent).then(Primitive::Reciprocal);
        }
        let is = |value: f64| (exponent - value).abs() < f64::EPSILON;
        let whole = (2..=POWER_MAX).find(|&p| is(f64::from(p)));
        if is(0.0) {
            Self::Constant(1.0)
        } else if is(1.0) {
            Self::X
        } else if is(0.5) {
            Self::primitive(Primitive::Sqrt)
        } else {
            let real = Primitive::RealPower(exponent);
            Self::primitive(whole.map_or(real, Primitive::Power))
        }
    }
}
