//! Import of functions of one activation.

use super::super::constant::Value;
use super::super::error::ImportError;
use super::super::function::{Function, Primitive};
use super::super::graph::FloatOp;
use super::{Imported, NodeContext};

/// Largest power that is taken.
const POWER_MAX: u32 = 8;

impl NodeContext<'_> {
    /// A function of each element of one activation.
    pub(super) fn function(&mut self) -> Imported {
        if let (Value::Float(_), "Pow") = (self.value(0)?, self.node.op.as_str()) {
            return Err(self.refuse(
                "a constant to the power of an activation".to_owned(),
                "an activation to a constant power",
                "use exp",
            ));
        }
        let f = self.function_of_op()?;
        self.unary(FloatOp::Function(f))
    }

    fn function_of_op(&self) -> Result<Function, ImportError> {
        let plain = |primitive| {
            self.allow(&[])?;
            Ok(Function::primitive(primitive))
        };
        let number = |name: &str, default: f32| Ok(f64::from(self.float(name, default)?));
        match self.node.op.as_str() {
            "Abs" => plain(Primitive::Abs),
            "Erf" => plain(Primitive::Erf),
            "Exp" => plain(Primitive::Exp),
            "Log" => plain(Primitive::Log),
            "Sigmoid" => plain(Primitive::Sigmoid),
            "Softplus" => plain(Primitive::Softplus),
            "Softsign" => plain(Primitive::Softsign),
            "Tanh" => plain(Primitive::Tanh),
            "HardSwish" => {
                self.allow(&[])?;
                Ok(Function::hard_swish())
            }
            "Mish" => {
                self.allow(&[])?;
                Ok(Function::mish())
            }
            "Neg" => {
                self.allow(&[])?;
                Ok(Function::X.affine(-1.0, 0.0))
            }
            "HardSigmoid" => {
                self.allow(&["alpha", "beta"])?;
                Ok(Function::hard_sigmoid(
                    number("alpha", 0.2)?,
                    number("beta", 0.5)?,
                ))
            }
            "LeakyRelu" => {
                self.allow(&["alpha"])?;
                Ok(Function::primitive(Primitive::Slope(number(
                    "alpha", 0.01,
                )?)))
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
            "PRelu" => self.slope(),
            "Pow" => self.power(),
            _ => self.gelu(),
        }
    }

    /// One slope for all elements.
    fn slope(&self) -> Result<Function, ImportError> {
        self.allow(&[])?;
        let slopes = self.float_constant(1)?;
        let first = slopes.elements.first().copied().unwrap_or(0.0);
        let same = slopes
            .elements
            .iter()
            .all(|s| s.to_bits() == first.to_bits());
        if !same {
            return Err(self.refuse(
                format!("{} different slopes", slopes.elements.len()),
                "one slope for all channels",
                "use nn.PReLU(1) or LeakyReLU",
            ));
        }
        Ok(Function::primitive(Primitive::Slope(f64::from(first))))
    }

    /// A whole power.
    fn power(&self) -> Result<Function, ImportError> {
        self.allow(&[])?;
        let exponent = match self.value(1)? {
            Value::Float(c) => c.single(),
            Value::Int(c) => match c.single().and_then(super::SymInt::known) {
                Some(2) => Some(2.0),
                Some(3) => Some(3.0),
                Some(_) | None => None,
            },
            Value::Activation(_) => None,
        };
        let whole = (1..=POWER_MAX).find(|&p| {
            exponent.is_some_and(|e| (f64::from(e) - f64::from(p)).abs() < f64::EPSILON)
        });
        match whole {
            Some(1) => Ok(Function::X),
            Some(power) => Ok(Function::primitive(Primitive::Power(power))),
            None => Err(self.refuse(
                format!("the exponent {exponent:?}"),
                "constant whole exponents of 1 to 8",
                "rewrite this part of the model",
            )),
        }
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
}
