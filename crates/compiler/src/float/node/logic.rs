//! Import of comparisons, logic and choice. Truth values are 0 and 1.

use super::super::act::{Act, Kind};
use super::super::constant::{Const, Value, broadcast, product};
use super::super::error::ImportError;
use super::super::function::{Function, Primitive};
use super::super::graph::{Arithmetic, FloatOp};
use super::super::symbolic::SymInt;
use super::align::bounded_mask;
use super::{Imported, NodeContext};

/// Most elements of a list of whole numbers that is computed during import.
pub(super) const INTS_MAX: usize = 1 << 22;

impl NodeContext<'_> {
    /// An operator whose operands are all whole numbers, if they are.
    pub(super) fn folded_ints(&mut self) -> Result<Option<Value>, ImportError> {
        let mut operands = Vec::with_capacity(self.node.inputs.len());
        for index in 0..self.node.inputs.len() {
            match self.value(index)? {
                Value::Int(c) => operands.push(c.clone()),
                Value::Activation(_) | Value::Float(_) => return Ok(None),
            }
        }
        let Some((first, rest)) = operands.split_first() else {
            return Ok(None);
        };
        let op = self.node.op.as_str();
        let mut result = first.clone();
        for other in rest {
            self.spend(result.elements.len().max(other.elements.len()))?;
            let folded = result.zip(other, INTS_MAX, |x, y| whole(op, x, y));
            result = folded.ok_or_else(|| {
                self.refuse(
                    "whole numbers that do not broadcast, or depend on the batch size".to_owned(),
                    "known whole numbers",
                    "export with fixed sizes for all axes but the batch",
                )
            })?;
        }
        Ok(Some(Value::Int(result)))
    }

    /// Equal, Less, Greater and their weak forms, And, Or, Xor.
    pub(super) fn compare(&mut self) -> Imported {
        self.allow(&["axis", "broadcast"])?;
        if let Some(folded) = self.folded_ints()? {
            return Ok(folded);
        }
        let (a, b) = (self.act(0)?, self.act(1)?);
        let node = match self.node.op.clone().as_str() {
            "And" => self.pair_of(Arithmetic::Mul, &a, &b)?,
            "Or" => {
                let sum = self.pair_of(Arithmetic::Add, &a, &b)?;
                self.mapped(FloatOp::Clip(0.0, 1.0), &sum)?
            }
            op @ ("Equal" | "Less" | "LessOrEqual" | "Greater" | "GreaterOrEqual")
                if !a.kind.is_real() && !b.kind.is_real() =>
            {
                self.compare_whole(op, &a, &b)?
            }
            op => {
                let f = comparison(op);
                let difference = self.pair_of(Arithmetic::Sub, &a, &b)?;
                self.mapped(FloatOp::Function(f), &difference)?
            }
        };
        let truth = Act {
            kind: Kind::Bool,
            ..node
        };
        Ok(self.value_of(truth))
    }

    /// A comparison of whole numbers by clamps, which a program computes exactly whatever their range:
    /// `a > b` is `clip(a - b, 0, 1)`, and that they differ the square of `clip(a - b, -1, 1)`.
    pub(super) fn compare_whole(&mut self, op: &str, a: &Act, b: &Act) -> Result<Act, ImportError> {
        let (a, b) = if op.starts_with("Less") {
            (b, a)
        } else {
            (a, b)
        };
        let difference = self.pair_of(Arithmetic::Sub, a, b)?;
        if op == "Equal" {
            let sign = self.mapped(FloatOp::Clip(-1.0, 1.0), &difference)?;
            let differ = self.pair_of(Arithmetic::Mul, &sign, &sign)?;
            return self.scaled(&differ, -1.0, 1.0);
        }
        if op.ends_with("OrEqual") {
            // a >= b is not b > a.
            let other = self.scaled(&difference, -1.0, 0.0)?;
            let below = self.mapped(FloatOp::Clip(0.0, 1.0), &other)?;
            return self.scaled(&below, -1.0, 1.0);
        }
        self.mapped(FloatOp::Clip(0.0, 1.0), &difference)
    }

    /// `1 - x`.
    pub(super) fn not(&mut self) -> Imported {
        self.allow(&[])?;
        if let Value::Int(c) = self.value(0)?.clone() {
            let one = SymInt::fixed(1);
            let flipped: Option<Vec<SymInt>> = c.elements.iter().map(|&v| one.sub(v)).collect();
            let flipped = flipped.ok_or_else(|| self.unknown_target())?;
            return Ok(Value::Int(Const::new(c.dims.clone(), flipped)));
        }
        let act = self.act(0)?;
        let flipped = self.scaled(&act, -1.0, 1.0)?;
        Ok(self.value_of(flipped))
    }

    /// Whether an element is no number, or infinite: never, for an activation.
    pub(super) fn is_special(&mut self) -> Imported {
        self.allow(&["detect_negative", "detect_positive"])?;
        if let Value::Float(c) = self.value(0)?.clone() {
            let negative = self.int("detect_negative", 1)? != 0;
            let positive = self.int("detect_positive", 1)? != 0;
            let nan = self.node.op == "IsNaN";
            let is = |v: f32| {
                if nan {
                    return v.is_nan();
                }
                v.is_infinite() && if v > 0.0 { positive } else { negative }
            };
            self.spend(c.elements.len())?;
            let truth = c.elements.iter().map(|&v| SymInt::fixed(i64::from(is(v))));
            return Ok(Value::Int(Const::new(c.dims.clone(), truth.collect())));
        }
        let act = self.act(0)?;
        self.spend(act.dims.iter().product())?;
        let count = act.dims.iter().product();
        let never = vec![SymInt::fixed(0); count];
        Ok(Value::Int(Const::new(act.dims, never)))
    }

    /// `condition ? a : b`.
    pub(super) fn choose(&mut self) -> Imported {
        self.allow(&[])?;
        if let Value::Int(condition) = self.value(0)?.clone()
            && let Some(value) = self.choose_by_constant(&condition)?
        {
            return Ok(value);
        }
        let condition = self.act(0)?;
        let (a, b) = (self.act(1)?, self.act(2)?);
        if let Some(sum) = self.choose_or_mask(&condition, &a, &b)? {
            return Ok(self.value_of(sum));
        }
        let (a, b) = (self.without_infinities(&a)?, self.without_infinities(&b)?);
        // c a + (1 - c) b
        let other = self.scaled(&condition, -1.0, 1.0)?;
        let first = self.pair_of(Arithmetic::Mul, &condition, &a)?;
        let second = self.pair_of(Arithmetic::Mul, &other, &b)?;
        let is_zero = |act: &Act| self.is_zero(act.node);
        let kind = a.kind;
        let sum = match (first.dims == second.dims, is_zero(&first), is_zero(&second)) {
            // A mask of nothing but minus infinities is no sum.
            (true, true, false) => second,
            (true, false, true) => first,
            (true | false, _, _) => self.pair_of(Arithmetic::Add, &first, &second)?,
        };
        Ok(self.value_of(Act { kind, ..sum }))
    }

    /// A choice between a constant of several numbers and a mask, as the constant plus the mask: a value
    /// that holds a bias has not the scale of -10000.
    fn choose_or_mask(
        &mut self,
        condition: &Act,
        a: &Act,
        b: &Act,
    ) -> Result<Option<Act>, ImportError> {
        let varies = |values: &[f32]| values.windows(2).any(|v| v[0].to_bits() != v[1].to_bits());
        let is_bias = self.constant_of(a.node).is_some_and(varies);
        let mask = self.constant_of(b.node).and_then(|values| {
            let first = bounded_mask(*values.first()?);
            let hides = first < 0.0 && first.to_bits() != values[0].to_bits();
            (hides && !varies(values)).then_some(first)
        });
        let (true, Some(mask)) = (is_bias, mask) else {
            return Ok(None);
        };
        let mask = self.scaled(condition, -mask, mask)?;
        let sum = self.pair_of(Arithmetic::Add, a, &mask)?;
        let kind = Kind::Float;
        Ok(Some(Act { kind, ..sum }))
    }

    /// A constant that an activation may be multiplied with.
    fn without_infinities(&mut self, act: &Act) -> Result<Act, ImportError> {
        let Some(elements) = self.constant_of(act.node) else {
            return Ok(act.clone());
        };
        let elements = elements.iter().map(|&v| bounded_mask(v)).collect();
        let kind = act.kind;
        let mut bounded = self.constant_act(act.dims.clone(), elements, kind)?;
        bounded.node = self.view(bounded.node, self.shape_of(act.node).to_vec())?;
        bounded.batch = act.batch;
        Ok(bounded)
    }

    /// A choice of constants, or one side alone.
    fn choose_by_constant(
        &mut self,
        condition: &Const<SymInt>,
    ) -> Result<Option<Value>, ImportError> {
        let known: Option<Vec<i64>> = condition.elements.iter().map(|v| v.known()).collect();
        let known = known.ok_or_else(|| self.unknown_target())?;
        let (a, b) = (self.value(1)?.clone(), self.value(2)?.clone());
        let dims = |value: &Value| match value {
            Value::Activation(act) => act.dims.clone(),
            Value::Float(c) => c.dims.clone(),
            Value::Int(c) => c.dims.clone(),
        };
        let joined = broadcast(&condition.dims, &dims(&a));
        let joined = joined.and_then(|joined| broadcast(&joined, &dims(&b)));
        let joined = joined.ok_or_else(|| self.unknown_target())?;
        for (side, truth) in [(&a, true), (&b, false)] {
            if dims(side) == joined && known.iter().all(|&v| (v != 0) == truth) {
                return Ok(Some(side.clone()));
            }
        }
        let count = product(&joined).ok_or_else(|| self.unknown_target())?;
        let wide = |c: &Const<SymInt>| {
            let zeros = Const::new(joined.clone(), vec![SymInt::fixed(0); count]);
            c.zip(&zeros, count, |v, _| Some(v))
        };
        match (&a, &b) {
            (Value::Float(a), Value::Float(b)) => {
                self.spend(count.saturating_mul(3))?;
                let truth = wide(condition).ok_or_else(|| self.unknown_target())?;
                let truth =
                    Const::new(joined.clone(), truth.elements.iter().map(is_true).collect());
                let chosen = picked(&truth, a, b, f32::NAN);
                Ok(chosen.map(Value::Float))
            }
            (Value::Int(a), Value::Int(b)) => {
                self.spend(count.saturating_mul(3))?;
                let truth = wide(condition).ok_or_else(|| self.unknown_target())?;
                let truth =
                    Const::new(joined.clone(), truth.elements.iter().map(is_true).collect());
                let chosen = picked(&truth, a, b, SymInt::fixed(0));
                Ok(chosen.map(Value::Int))
            }
            (Value::Activation(_) | Value::Float(_) | Value::Int(_), _) => Ok(None),
        }
    }
}

fn is_true(value: &SymInt) -> bool {
    value.known().is_some_and(|v| v != 0)
}

/// `truth ? a : b`, with numpy's broadcasting to the shape of `truth`.
fn picked<T: Copy>(truth: &Const<bool>, a: &Const<T>, b: &Const<T>, any: T) -> Option<Const<T>> {
    let count = truth.elements.len();
    let blank = Const::new(truth.dims.clone(), vec![any; count]);
    let a = a.zip(&blank, count, |v, _| Some(v))?;
    let b = b.zip(&blank, count, |v, _| Some(v))?;
    let sides = a.elements.iter().zip(&*b.elements);
    let chosen = truth.elements.iter().zip(sides);
    let chosen = chosen.map(|(&truth, (&a, &b))| if truth { a } else { b });
    Some(Const::new(truth.dims.clone(), chosen.collect()))
}

/// A function of the difference that is 1 where the comparison holds, else 0.
pub(super) fn comparison(op: &str) -> Function {
    let sign = || Function::primitive(Primitive::Sign);
    let unit = Primitive::Clip(0.0, 1.0);
    let minus = Function::X.affine(-1.0, 0.0);
    match op {
        "Greater" => sign().then(unit),
        "Less" => sign().of(&minus).then(unit),
        "GreaterOrEqual" => sign().affine(1.0, 1.0).then(unit),
        "LessOrEqual" => sign().of(&minus).affine(1.0, 1.0).then(unit),
        // Exclusive or of truth values is that they differ.
        "Xor" => sign().then(Primitive::Abs),
        _ => sign().then(Primitive::Abs).affine(-1.0, 1.0),
    }
}

/// One operator on two whole numbers; `None` where the batch size decides.
fn whole(op: &str, x: SymInt, y: SymInt) -> Option<SymInt> {
    if op == "Equal" && x == y {
        return Some(SymInt::fixed(1));
    }
    if op == "Equal" && (x.known().is_none() || y.known().is_none()) {
        // A batch has one sample or more: it is neither 0 nor negative.
        let (symbol, other) = if x.known().is_none() { (x, y) } else { (y, x) };
        let positive = symbol.constant >= 0 && symbol.per_sample > 0;
        let apart = positive && other.known().is_some_and(|v| v <= 0);
        return apart.then_some(SymInt::fixed(0));
    }
    if op == "Max" || op == "Min" {
        let (larger, smaller) = x.ordered(y)?;
        return Some(if op == "Max" { larger } else { smaller });
    }
    let (x, y) = (x.known()?, y.known()?);
    let truth = |holds: bool| Some(i64::from(holds));
    let value = match op {
        "Equal" => truth(x == y),
        "Less" => truth(x < y),
        "LessOrEqual" => truth(x <= y),
        "Greater" => truth(x > y),
        "GreaterOrEqual" => truth(x >= y),
        "And" => truth(x != 0 && y != 0),
        "Or" => truth(x != 0 || y != 0),
        "Xor" => truth((x != 0) != (y != 0)),
        "Mod" => x.checked_rem(y).map(|r| {
            if r != 0 && (r < 0) != (y < 0) {
                r + y
            } else {
                r
            }
        }),
        "Pow" => u32::try_from(y).ok().and_then(|y| x.checked_pow(y)),
        _ => None,
    };
    value.map(SymInt::fixed)
}
