//! Import of views, transpositions, casts, constants and the arithmetic of shapes.

use super::super::constant::{Const, Value, product};
use super::super::error::ImportError;
use super::super::graph::FloatOp;
use super::super::import::constant;
use super::super::symbolic::SymInt;
use super::{Imported, NodeContext, int_list};
use crate::onnx::{AttributeValue, RANK_MAX};

/// Most elements of a list of whole numbers during import.
const LIST_MAX: usize = 1 << 16;

impl NodeContext<'_> {
    /// Everything behind the batch axis in one axis.
    pub(super) fn flatten(&mut self) -> Imported {
        self.allow(&["axis"])?;
        let input = self.activation(0)?;
        let shape = self.shape_of(input).to_vec();
        let axis = self.int("axis", 1)?;
        if self.axis(axis, shape.len() + 1)? != 1 {
            return Err(self.mixes_samples(format!("flatten from axis {axis}")));
        }
        self.view(input, vec![shape.iter().product()])
    }

    /// Any view that keeps the batch axis in front.
    pub(super) fn reshape(&mut self) -> Imported {
        self.allow(&["allowzero"])?;
        let keeps_zero = self.int("allowzero", 0)? != 0;
        let Value::Int(target) = self.value(1)?.clone() else {
            return Err(self.unknown_target());
        };
        let target = target.elements;
        match self.value(0)?.clone() {
            Value::Activation(input) => {
                let shape = self.reshaped(input, &target, keeps_zero)?;
                self.view(input, shape)
            }
            Value::Float(c) => {
                let dims = self.constant_target(&c.dims, &target, keeps_zero)?;
                c.with_dims(dims)
                    .map(Value::Float)
                    .ok_or_else(|| self.unknown_target())
            }
            Value::Int(c) => {
                let dims = self.constant_target(&c.dims, &target, keeps_zero)?;
                c.with_dims(dims)
                    .map(Value::Int)
                    .ok_or_else(|| self.unknown_target())
            }
        }
    }

    pub(super) fn unknown_target(&self) -> ImportError {
        self.refuse(
            "the target shape is not known or does not fit".to_owned(),
            "constant shapes and shapes computed from Shape(x)",
            "use flatten(1) or a reshape with numbers",
        )
    }

    /// Shape behind the batch axis after a reshape of an activation.
    fn reshaped(
        &self,
        input: usize,
        target: &[SymInt],
        keeps_zero: bool,
    ) -> Result<Vec<usize>, ImportError> {
        let shape = self.shape_of(input);
        let elements: usize = shape.iter().product();
        let shown: Vec<String> = target.iter().take(RANK_MAX).map(|v| show(*v)).collect();
        let refuse =
            || self.mixes_samples(format!("reshape of {shape:?} (without batch) to {shown:?}"));
        let (leading, rest) = target.split_first().ok_or_else(refuse)?;
        let minus_one = SymInt::fixed(-1);
        let mut dims = Vec::with_capacity(rest.len());
        let mut open = None;
        for (index, &value) in rest.iter().enumerate() {
            dims.push(match value.known() {
                Some(-1) if open.is_none() => {
                    open = Some(index);
                    1
                }
                Some(0) if !keeps_zero => shape.get(index).copied().ok_or_else(refuse)?,
                Some(n) => usize::try_from(n)
                    .ok()
                    .filter(|&n| n >= 1)
                    .ok_or_else(refuse)?,
                None => return Err(refuse()),
            });
        }
        let known = product(&dims).ok_or_else(refuse)?;
        // The leading axis stays the batch: named as such, kept (0), or what is left over (-1).
        let keeps_batch = *leading == self.importer.batch
            || (leading.known() == Some(0) && !keeps_zero)
            || (*leading == minus_one && open.is_none());
        if !keeps_batch || dims.is_empty() {
            return Err(refuse());
        }
        if let Some(index) = open {
            if !elements.is_multiple_of(known) {
                return Err(refuse());
            }
            dims[index] = elements / known;
        } else if known != elements {
            return Err(refuse());
        }
        Ok(dims)
    }

    fn constant_target(
        &self,
        dims: &[usize],
        target: &[SymInt],
        keeps_zero: bool,
    ) -> Result<Vec<usize>, ImportError> {
        let elements: usize = dims.iter().product();
        let mut out = Vec::with_capacity(target.len());
        let mut open = None;
        for (index, value) in target.iter().enumerate() {
            out.push(match value.known() {
                Some(-1) if open.is_none() => {
                    open = Some(index);
                    1
                }
                Some(0) if !keeps_zero => dims
                    .get(index)
                    .copied()
                    .ok_or_else(|| self.unknown_target())?,
                Some(n) => usize::try_from(n).map_err(|_| self.unknown_target())?,
                None => return Err(self.unknown_target()),
            });
        }
        let known = product(&out).filter(|_| out.len() <= RANK_MAX);
        let known = known.ok_or_else(|| self.unknown_target())?;
        if let (Some(index), true) = (open, known >= 1 && elements.is_multiple_of(known.max(1))) {
            out[index] = elements / known;
        }
        Ok(out)
    }

    /// The same elements in another shape.
    pub(super) fn view(&mut self, input: usize, shape: Vec<usize>) -> Imported {
        if shape == self.shape_of(input) {
            return Ok(Value::Activation(input));
        }
        Ok(Value::Activation(self.push(
            FloatOp::Reshape,
            vec![input],
            shape,
        )?))
    }

    /// Removes axes of extent 1.
    pub(super) fn squeeze(&mut self) -> Imported {
        self.allow(&["axes"])?;
        let axes = self.axes(1, 13)?;
        let (dims, batched) = self.dims_of(0)?;
        let mut kept = dims.clone();
        let mut drop = vec![false; dims.len()];
        match axes {
            Some(axes) => {
                for axis in axes {
                    drop[self.axis(axis, dims.len())?] = true;
                }
            }
            None if batched => {
                return Err(self.mixes_samples("squeeze of all axes".to_owned()));
            }
            None => drop = dims.iter().map(|&d| d == 1).collect(),
        }
        if (batched && drop[0]) || dims.iter().zip(&drop).any(|(&d, &gone)| gone && d != 1) {
            return Err(self.mixes_samples(format!("squeeze of the axes {drop:?} of {dims:?}")));
        }
        let mut index = 0;
        kept.retain(|_| {
            index += 1;
            !drop[index - 1]
        });
        self.with_dims(kept)
    }

    /// Inserts axes of extent 1.
    pub(super) fn unsqueeze(&mut self) -> Imported {
        self.allow(&["axes"])?;
        let axes = self.axes(1, 13)?.unwrap_or_default();
        let (dims, batched) = self.dims_of(0)?;
        let rank = dims.len() + axes.len();
        if rank > RANK_MAX {
            return Err(self.refuse(format!("rank {rank}"), "rank 8 at most", "use fewer axes"));
        }
        let mut new = vec![false; rank];
        for axis in axes {
            let axis = self.axis(axis, rank)?;
            if new[axis] || (batched && axis == 0) {
                return Err(self.mixes_samples(format!("a new axis at {axis}")));
            }
            new[axis] = true;
        }
        let mut old = dims.into_iter();
        let widened = new
            .iter()
            .map(|&n| if n { 1 } else { old.next().unwrap_or(1) })
            .collect();
        self.with_dims(widened)
    }

    /// Dimensions of input `index` as ONNX sees them (batch as 1), and whether there is a batch.
    pub(super) fn dims_of(&self, index: usize) -> Result<(Vec<usize>, bool), ImportError> {
        Ok(match self.value(index)? {
            Value::Activation(node) => (
                core::iter::once(1)
                    .chain(self.shape_of(*node).iter().copied())
                    .collect(),
                true,
            ),
            Value::Float(c) => (c.dims.clone(), false),
            Value::Int(c) => (c.dims.clone(), false),
        })
    }

    /// Input 0 under other dimensions (batch included for an activation).
    fn with_dims(&mut self, dims: Vec<usize>) -> Imported {
        let viewed = match self.value(0)?.clone() {
            Value::Activation(node) if dims.len() >= 2 => {
                return self.view(node, dims[1..].to_vec());
            }
            Value::Activation(_) => None,
            Value::Float(c) => c.with_dims(dims).map(Value::Float),
            Value::Int(c) => c.with_dims(dims).map(Value::Int),
        };
        viewed.ok_or_else(|| self.unknown_target())
    }

    /// Axes in another order.
    pub(super) fn transpose(&mut self) -> Imported {
        self.allow(&["perm"])?;
        let (dims, batched) = self.dims_of(0)?;
        let perm = match self.ints("perm")? {
            Some(listed) => listed
                .iter()
                .map(|&a| self.axis(a, dims.len()))
                .collect::<Result<Vec<_>, _>>()?,
            None => (0..dims.len()).rev().collect(),
        };
        let mut sorted = perm.clone();
        sorted.sort_unstable();
        if !sorted.iter().copied().eq(0..dims.len()) {
            return Err(self.refuse(
                format!("perm {perm:?}"),
                "a permutation of the axes",
                "export the model again",
            ));
        }
        if batched && perm.first() != Some(&0) {
            return Err(self.mixes_samples(format!("transposition {perm:?} moves the batch axis")));
        }
        match self.value(0)?.clone() {
            Value::Activation(input) => {
                let perm: Vec<usize> = perm[1..].iter().map(|a| a - 1).collect();
                let shape = perm.iter().map(|&a| dims[a + 1]).collect();
                Ok(Value::Activation(self.push(
                    FloatOp::Transpose(perm),
                    vec![input],
                    shape,
                )?))
            }
            Value::Float(c) => {
                self.spend(c.elements.len())?;
                Ok(Value::Float(c.transpose(&perm)))
            }
            Value::Int(c) => {
                self.spend(c.elements.len())?;
                Ok(Value::Int(c.transpose(&perm)))
            }
        }
    }

    /// Dropout at inference: the input itself.
    pub(super) fn dropout(&mut self) -> Imported {
        self.allow(&["seed", "ratio"])?;
        if self.optional(2)?.is_some() && self.known_ints(2)?.iter().any(|&v| v != 0) {
            return Err(self.refuse(
                "training_mode is true".to_owned(),
                "inference",
                "export the model in evaluation mode",
            ));
        }
        Ok(self.value(0)?.clone())
    }

    /// Casts: floats stay floats, whole numbers may become floats.
    pub(super) fn cast(&mut self) -> Imported {
        self.allow(&["to", "saturate"])?;
        let to = self.int("to", 0)?;
        match (self.value(0)?.clone(), to) {
            (value @ (Value::Activation(_) | Value::Float(_)), 1)
            | (value @ Value::Int(_), 6 | 7) => Ok(value),
            (Value::Int(c), 1) => {
                let known: Option<Vec<i64>> = c.elements.iter().map(|v| v.known()).collect();
                let Some(known) = known else {
                    return Err(self.mixes_samples("the batch size becomes a float".to_owned()));
                };
                self.spend(known.len())?;
                #[expect(clippy::cast_precision_loss, reason = "ONNX rounds here, too")]
                let floats = known.iter().map(|&v| v as f32).collect();
                Ok(Value::Float(Const::new(c.dims, floats)))
            }
            _ => Err(self.refuse(
                format!("cast to element type {to}"),
                "FLOAT (1) for activations, INT64 (7) or INT32 (6) for shapes",
                "export the model in single precision",
            )),
        }
    }

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
            ("value", AttributeValue::Tensor(tensor)) => constant(tensor),
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

    /// A constant of one repeated value.
    pub(super) fn constant_of_shape(&mut self) -> Imported {
        self.allow(&["value"])?;
        let dims = self.known_ints(0)?;
        let dims: Option<Vec<usize>> = dims.iter().map(|&d| usize::try_from(d).ok()).collect();
        let dims = dims
            .filter(|d| d.len() <= RANK_MAX)
            .ok_or_else(|| self.unknown_target())?;
        let count = product(&dims).ok_or_else(|| self.unknown_target())?;
        self.spend(count)?;
        let filler = match self.attribute("value") {
            None => Value::Float(Const::new(vec![], vec![0.0])),
            Some(AttributeValue::Tensor(tensor)) => constant(tensor),
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

    /// Dimensions as whole numbers; the batch stays a symbol.
    pub(super) fn shape(&mut self) -> Imported {
        self.allow(&["start", "end"])?;
        let (dims, batched) = self.dims_of(0)?;
        let mut sizes: Vec<SymInt> = dims
            .iter()
            .map(|&d| SymInt::fixed(i64::try_from(d).unwrap_or(i64::MAX)))
            .collect();
        if batched {
            sizes[0] = self.importer.batch;
        }
        let start = clamp_index(self.int("start", 0)?, sizes.len());
        let end = clamp_index(self.int("end", i64::MAX)?, sizes.len());
        Ok(int_list(
            sizes.get(start..end).unwrap_or_default().iter().copied(),
        ))
    }

    /// Elements of a list of whole numbers, or one index along an axis of an activation.
    pub(super) fn gather(&mut self) -> Imported {
        self.allow(&["axis"])?;
        if matches!(self.value(0)?, Value::Activation(_)) {
            return self.gather_activation();
        }
        self.require_int("axis", 0)?;
        let list = self.int_operand(0)?;
        let picks = self.known_ints(1)?;
        let scalar = matches!(self.value(1)?, Value::Int(c) if c.dims.is_empty());
        let picked = picks
            .iter()
            .map(|&i| Ok(list[self.axis(i, list.len())?]))
            .collect::<Result<Vec<_>, ImportError>>()?;
        Ok(match (scalar, picked.as_slice()) {
            (true, &[value]) => Value::Int(Const::new(vec![], vec![value])),
            _ => int_list(picked),
        })
    }

    /// Activations, or lists of whole numbers, behind one another.
    pub(super) fn concat(&mut self) -> Imported {
        self.allow(&["axis"])?;
        if matches!(self.value(0)?, Value::Activation(_)) {
            return self.concat_activations();
        }
        let mut joined = Vec::new();
        for index in 0..self.node.inputs.len() {
            joined.extend(self.int_operand(index)?);
            if joined.len() > LIST_MAX {
                return Err(self.unknown_target());
            }
        }
        Ok(int_list(joined))
    }

    fn int_operand(&self, index: usize) -> Result<Vec<SymInt>, ImportError> {
        match self.value(index)? {
            Value::Int(c) if c.dims.len() <= 1 => Ok(c.elements.to_vec()),
            Value::Int(_) | Value::Activation(_) | Value::Float(_) => Err(self.refuse(
                format!("input {index} is no list of whole numbers"),
                "arithmetic of shapes only",
                "rewrite this part of the model with the supported operators",
            )),
        }
    }
}

/// A slice bound as an index: negative ones count from the end, large ones are cut.
pub(super) fn clamp_index(index: i64, len: usize) -> usize {
    let signed = i64::try_from(len).unwrap_or(i64::MAX);
    let wrapped = if index < 0 {
        index.saturating_add(signed)
    } else {
        index
    };
    usize::try_from(wrapped.clamp(0, signed)).unwrap_or(0)
}

fn show(value: SymInt) -> String {
    match value.known() {
        Some(known) => known.to_string(),
        None => format!("{} + {} * batch", value.constant, value.per_sample),
    }
}
