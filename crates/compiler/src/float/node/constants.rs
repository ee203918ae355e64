//! Import of constants, casts and what exporters compute from constants.

use super::super::act::{Act, Kind};
use super::super::constant::{Const, Value, product};
use super::super::error::ImportError;
use super::super::function::{Function, Primitive};
use super::super::graph::{Arithmetic, FloatOp, Linear};
use super::super::import::constant;
use super::super::symbolic::SymInt;
use super::super::window::Window2;
use super::{Imported, NodeContext, int_list};
use crate::onnx::{AttributeValue, OnnxTensor};

/// Most elements of a range, and most cells of an axis that is summed up cell by cell.
const RANGE_MAX: usize = 1 << 22;
const CUMULATIVE_MAX: usize = 4_096;
/// Cells of the window that counts, and windows that are added up then: their product is the limit.
const COUNTED: usize = 64;

impl NodeContext<'_> {
    /// A constant in an attribute.
    pub(super) fn constant(&mut self) -> Imported {
        let [attribute] = self.node.attributes.as_slice() else {
            return Err(self.refuse(
                format!("{} attributes", self.node.attributes.len()),
                "exactly one value",
                "export the model again",
            ));
        };
        let value = match (attribute.name.as_str(), &attribute.value) {
            ("value", AttributeValue::Tensor(tensor)) => self.numbers(tensor)?,
            ("value_float", AttributeValue::Float(v)) => Value::Float(Const::new(vec![], vec![*v])),
            ("value_floats", AttributeValue::Floats(v)) => Value::Float(Const::list(v.clone())),
            ("value_int", AttributeValue::Int(v)) => {
                Value::Int(Const::new(vec![], vec![SymInt::fixed(*v)]))
            }
            ("value_ints", AttributeValue::Ints(v)) => {
                int_list(v.iter().map(|&v| SymInt::fixed(v)))
            }
            (name, _) => {
                return Err(self.refuse(
                    format!("attribute {name:?}"),
                    "value, value_float, value_floats, value_int, value_ints",
                    "export the model again",
                ));
            }
        };
        Ok(value)
    }

    fn numbers(&self, tensor: &OnnxTensor) -> Imported {
        constant(tensor).ok_or_else(|| {
            self.refuse(
                "a constant of texts".to_owned(),
                "constants that are numbers",
                "take the step that handles texts out of the model",
            )
        })
    }

    /// A constant of one repeated value.
    pub(super) fn constant_of_shape(&mut self) -> Imported {
        self.allow(&["value"])?;
        let dims = self.sizes_with_batch(0)?;
        self.check_rank(dims.len())?;
        let count = product(&dims).ok_or_else(|| self.unknown_target())?;
        self.spend(count)?;
        let filler = match self.attribute("value") {
            None => Value::Float(Const::new(vec![], vec![0.0])),
            Some(AttributeValue::Tensor(tensor)) => self.numbers(tensor)?,
            Some(_) => return Err(self.unknown_target()),
        };
        let filled = match filler {
            Value::Float(c) => c
                .single()
                .map(|v| Value::Float(Const::new(dims, vec![v; count]))),
            Value::Int(c) => c
                .single()
                .map(|v| Value::Int(Const::new(dims, vec![v; count]))),
            Value::Activation(_) => None,
        };
        filled.ok_or_else(|| self.unknown_target())
    }

    /// Numbers at equal distances.
    pub(super) fn range_of_numbers(&mut self) -> Imported {
        self.allow(&[])?;
        let refuse = |context: &Self| {
            context.refuse(
                "a range of more than 4194304 numbers, or one that depends on the sample"
                    .to_owned(),
                "constant start, limit and delta",
                "export with fixed sizes for all axes but the batch",
            )
        };
        if let (Value::Int(_), Value::Int(_), Value::Int(_)) =
            (self.value(0)?, self.value(1)?, self.value(2)?)
        {
            let number = |index: usize| -> Result<i64, ImportError> {
                let known = self.known_ints(index)?;
                known.first().copied().ok_or_else(|| refuse(self))
            };
            let (start, limit, delta) = (number(0)?, number(1)?, number(2)?);
            let span = i128::from(limit) - i128::from(start);
            let step = i128::from(delta);
            if step == 0 {
                return Err(refuse(self));
            }
            let count = (span + step - step.signum()).div_euclid(step).max(0);
            let count = usize::try_from(count).ok().filter(|&n| n <= RANGE_MAX);
            let count = count.ok_or_else(|| refuse(self))?;
            self.spend(count)?;
            let number = |i: i64| SymInt::fixed(start.wrapping_add(i.wrapping_mul(delta)));
            let numbers = (0..).take(count).map(number);
            return Ok(int_list(numbers));
        }
        let number = |index: usize| -> Result<f64, ImportError> {
            let single = self.float_constant(index)?.single();
            single.map(f64::from).ok_or_else(|| refuse(self))
        };
        let (start, limit, delta) = (number(0)?, number(1)?, number(2)?);
        let count = ((limit - start) / delta).ceil().max(0.0);
        if count.is_nan() || count > 4_194_304.0 {
            return Err(refuse(self));
        }
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "checked to be at most 2^22"
        )]
        let count = count as u32;
        self.spend(count as usize)?;
        #[expect(clippy::cast_possible_truncation, reason = "single precision")]
        let numbers = (0..count).map(|i| (start + f64::from(i) * delta) as f32);
        Ok(Value::Float(Const::list(numbers.collect())))
    }

    /// The triangle of the last two axes above or below a diagonal.
    pub(super) fn triangle(&mut self) -> Imported {
        self.allow(&["upper"])?;
        let upper = self.int("upper", 1)? != 0;
        let diagonal = if self.has(1) {
            self.known_ints(1)?.first().copied().unwrap_or(0)
        } else {
            0
        };
        let act = self.act(0)?;
        let &[.., rows, columns] = act.dims.as_slice() else {
            return Err(self.unknown_target());
        };
        let signed = |n: usize| i64::try_from(n).unwrap_or(i64::MAX);
        let inside = |row: usize, column: usize| {
            let offset = signed(column) - signed(row);
            if upper {
                offset >= diagonal
            } else {
                offset <= diagonal
            }
        };
        let cells = (0..rows).flat_map(|row| (0..columns).map(move |column| (row, column)));
        let mask = cells
            .map(|(r, c)| f32::from(u8::from(inside(r, c))))
            .collect();
        let mask = self.constant_act(vec![rows, columns], mask, Kind::Bool)?;
        let kind = act.kind;
        let kept = if self.constant_of(act.node).is_some() {
            self.choose_kept(&act, &mask)?
        } else {
            self.pair_of(Arithmetic::Mul, &act, &mask)?
        };
        Ok(self.value_of(Act { kind, ..kept }))
    }

    /// Elements of a constant where a mask is 1, else 0: infinities outside of it do not matter.
    fn choose_kept(&mut self, act: &Act, mask: &Act) -> Result<Act, ImportError> {
        let mask = self.constant_of(mask.node).unwrap_or_default().to_vec();
        let elements = self.constant_of(act.node).unwrap_or_default();
        let cells = elements.iter().zip(mask.iter().cycle());
        let kept = cells
            .map(|(&v, &m)| if m > 0.0 { v } else { 0.0 })
            .collect();
        self.constant_act(act.dims.clone(), kept, act.kind)
    }

    /// Sums of all cells up to each one along an axis: a dense node of ones and zeros; of whole numbers
    /// two convolutions, which are exact and the same at every length.
    pub(super) fn cumulative(&mut self) -> Imported {
        self.allow(&["exclusive", "reverse"])?;
        let act = self.act(0)?;
        let axis = self.known_ints(1)?.first().copied().unwrap_or(0);
        let axis = self.axis(axis, act.dims.len())?;
        let (exclusive, reverse) = (self.int("exclusive", 0)? != 0, self.int("reverse", 0)? != 0);
        let cells = act.dims[axis];
        if cells > CUMULATIVE_MAX {
            return Err(self.refuse(
                format!("a running sum over {cells} cells"),
                "4096 cells",
                "use a shorter axis",
            ));
        }
        if !act.kind.is_real() {
            let sums = self.counted(&act, axis, reverse)?;
            let sums = if exclusive {
                self.pair_of(Arithmetic::Sub, &sums, &act)?
            } else {
                sums
            };
            let kind = Kind::Int;
            return Ok(self.value_of(Act { kind, ..sums }));
        }
        let counts = |output: usize, input: usize| {
            let (late, early) = if reverse {
                (input, output)
            } else {
                (output, input)
            };
            early < late || (early == late && !exclusive)
        };
        let pairs = (0..cells).flat_map(|o| (0..cells).map(move |i| (o, i)));
        let weights: Vec<f32> = pairs
            .map(|(o, i)| f32::from(u8::from(counts(o, i))))
            .collect();
        self.spend(weights.len())?;
        let linear = Linear {
            outputs: cells,
            weights,
            bias: vec![0.0; cells],
        };
        let sums = self.dense_along(&act, axis, linear)?;
        let kind = act.kind;
        Ok(self.value_of(Act { kind, ..sums }))
    }

    /// Running sums of whole numbers: of windows of 64 cells, then of 64 such windows side by side.
    fn counted(&mut self, act: &Act, axis: usize, reverse: bool) -> Result<Act, ImportError> {
        self.along_last(act, axis, |context, turned| {
            context.counted_last(turned, reverse)
        })
    }

    /// [`Self::counted`] along the last axis.
    fn counted_last(&mut self, turned: &Act, reverse: bool) -> Result<Act, ImportError> {
        let shape = self.shape_of(turned.node).to_vec();
        let cells = turned.dims.last().copied().unwrap_or(1);
        let image = vec![1, shape.iter().product::<usize>() / cells.max(1), cells];
        let mut node = self.view(turned.node, image.clone())?;
        for apart in [1, COUNTED] {
            let pads = [0, (COUNTED - 1) * apart];
            let (pads_begin, pads_end) = if reverse {
                ([0, 0], pads)
            } else {
                (pads, [0, 0])
            };
            let window = Window2 {
                pads_begin,
                pads_end,
                dilations: [1, apart],
                ..Window2::whole(1, COUNTED)
            };
            let ones = Linear {
                outputs: 1,
                weights: vec![1.0; COUNTED],
                bias: vec![0.0],
            };
            node = self.push(FloatOp::Conv(ones, window, 1), vec![node], image.clone())?;
        }
        let node = self.view(node, shape)?;
        Ok(Act {
            node,
            ..turned.clone()
        })
    }

    /// A dense node over axis `axis`.
    pub(super) fn dense_along(
        &mut self,
        act: &Act,
        axis: usize,
        linear: Linear,
    ) -> Result<Act, ImportError> {
        self.along_last(act, axis, |context, turned| context.dense(turned, linear))
    }

    /// Dropout at inference: the input itself, and a mask of ones.
    pub(super) fn dropout(&mut self) -> Imported {
        self.allow(&["seed", "ratio"])?;
        if self.has(2) && self.known_ints(2)?.iter().any(|&v| v != 0) {
            return Err(self.refuse(
                "training_mode is true".to_owned(),
                "inference",
                "export the model in evaluation mode",
            ));
        }
        Ok(self.value(0)?.clone())
    }

    /// Casts between real numbers, whole numbers and truth values.
    pub(super) fn cast(&mut self) -> Imported {
        self.allow(&["to", "saturate", "round_mode"])?;
        let to = if self.node.op == "CastLike" {
            match self.value(1)? {
                Value::Activation(act) => act.kind,
                Value::Float(_) => Kind::Float,
                Value::Int(_) => Kind::Int,
            }
        } else {
            match self.int("to", 0)? {
                1 | 10 | 11 | 16 => Kind::Float,
                2..=7 | 12 | 13 => Kind::Int,
                9 => Kind::Bool,
                other => {
                    return Err(self.refuse(
                        format!("cast to element type {other}"),
                        "real numbers, whole numbers and BOOL (9)",
                        "export the model in single precision",
                    ));
                }
            }
        };
        match self.value(0)?.clone() {
            Value::Int(c) => self.cast_ints(&c, to),
            Value::Float(c) => self.cast_floats(&c, to),
            Value::Activation(act) => {
                let f = match (act.kind, to) {
                    (Kind::Float, Kind::Int) => Some(Function::whole_part()),
                    (Kind::Float | Kind::Int, Kind::Bool) => {
                        Some(Function::primitive(Primitive::Sign).then(Primitive::Abs))
                    }
                    // Sums of quantised products are whole numbers times their step here.
                    (Kind::Quantised(_) | Kind::Float | Kind::Int | Kind::Bool, _) => None,
                };
                let cast = match f {
                    Some(f) => self.mapped(FloatOp::Function(f), &act)?,
                    None => act,
                };
                Ok(self.value_of(Act { kind: to, ..cast }))
            }
        }
    }

    fn cast_ints(&mut self, c: &Const<SymInt>, to: Kind) -> Imported {
        let known = || {
            let known: Option<Vec<i64>> = c.elements.iter().map(|v| v.known()).collect();
            known.ok_or_else(|| self.mixes_samples("the batch size becomes a float".to_owned()))
        };
        match to {
            Kind::Int | Kind::Quantised(_) => Ok(Value::Int(c.clone())),
            Kind::Bool => {
                let truth = known()?
                    .into_iter()
                    .map(|v| SymInt::fixed(i64::from(v != 0)));
                Ok(Value::Int(Const::new(c.dims.clone(), truth.collect())))
            }
            Kind::Float => {
                let known = known()?;
                self.spend(known.len())?;
                #[expect(clippy::cast_precision_loss, reason = "ONNX rounds here, too")]
                let floats = known.iter().map(|&v| v as f32).collect();
                Ok(Value::Float(Const::new(c.dims.clone(), floats)))
            }
        }
    }

    fn cast_floats(&mut self, c: &Const<f32>, to: Kind) -> Imported {
        if to == Kind::Float {
            return Ok(Value::Float(c.clone()));
        }
        self.spend(c.elements.len())?;
        #[expect(
            clippy::cast_possible_truncation,
            reason = "the cast that ONNX asks for"
        )]
        let whole = |v: f32| {
            if to == Kind::Bool {
                i64::from(v != 0.0)
            } else {
                v as i64
            }
        };
        let ints = c.elements.iter().map(|&v| SymInt::fixed(whole(v)));
        Ok(Value::Int(Const::new(c.dims.clone(), ints.collect())))
    }
}

impl Function {
    /// The whole part: rounded towards zero.
    pub(in crate::float) fn whole_part() -> Self {
        let magnitude = Self::primitive(Primitive::Abs).then(Primitive::Floor);
        Self::primitive(Primitive::Sign).times(magnitude)
    }
}
