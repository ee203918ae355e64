//! Import of softmax and of norms over parts of the sample.

use super::super::act::{Act, Frame, Kind};
use super::super::constant::Value;
use super::super::error::ImportError;
use super::super::function::{Function, Primitive};
use super::super::graph::{Arithmetic, FloatOp, ReduceKind};
use super::{Imported, NodeContext};

impl NodeContext<'_> {
    /// Softmax along one axis; before opset 13 over all axes from it on.
    pub(super) fn softmax(&mut self) -> Imported {
        self.allow(&["axis"])?;
        let act = self.act(0)?;
        let rank = act.dims.len();
        let old = self.importer.opset < 13;
        let axis = self.axis(self.int("axis", if old { 1 } else { -1 })?, rank)?;
        let result = if old && axis + 1 < rank {
            let flat = self.flattened(&act, axis)?;
            let soft = self.softmax_of(&flat, axis)?;
            self.framed(&soft, act.frame())?
        } else {
            self.softmax_of(&act, axis)?
        };
        Ok(self.value_of(result))
    }

    /// Softmax along one axis.
    pub(super) fn softmax_of(&mut self, act: &Act, axis: usize) -> Result<Act, ImportError> {
        self.along_last(act, axis, |context, turned| {
            context.mapped(FloatOp::Softmax, turned)
        })
    }

    /// The axes from `axis` on as one.
    pub(super) fn flattened(&mut self, act: &Act, axis: usize) -> Result<Act, ImportError> {
        let inner: Vec<usize> = (axis..act.dims.len()).collect();
        let act = self.apart(act, &inner)?;
        let mut dims = act.dims[..axis].to_vec();
        dims.push(act.dims[axis..].iter().product());
        let batch = act.batch;
        self.framed(&act, Frame { dims, batch })
    }

    /// Layer norm over the axes from one on; with or without mean.
    pub(super) fn layer_norm(&mut self) -> Imported {
        self.allow(&["axis", "epsilon", "stash_type"])?;
        let act = self.act(0)?;
        let axis = self.axis(self.int("axis", -1)?, act.dims.len())?;
        let center = self.node.op == "LayerNormalization";
        let epsilon = self.float("epsilon", 1e-5)?;
        let flat = self.flattened(&act, axis)?;
        let columns = flat.dims[axis];
        let parameter = |context: &Self, index: usize, default: f32| {
            if !context.has(index) {
                return Ok(Some(vec![default; columns]));
            }
            let whole = act.dims[axis..].iter();
            Ok(match context.value(index)? {
                Value::Float(c) if c.dims.iter().eq(whole) => Some(c.elements.to_vec()),
                Value::Activation(_) | Value::Float(_) | Value::Int(_) => None,
            })
        };
        let (scale, shift) = (parameter(self, 1, 1.0)?, parameter(self, 2, 0.0)?);
        let inside = scale.is_some() && shift.is_some();
        let op = FloatOp::Normalize {
            center,
            epsilon,
            scale: scale
                .filter(|_| inside)
                .unwrap_or_else(|| vec![1.0; columns]),
            shift: shift
                .filter(|_| inside)
                .unwrap_or_else(|| vec![0.0; columns]),
        };
        let normal = self.mapped(op, &flat)?;
        let frame = Frame {
            dims: act.dims.clone(),
            batch: normal.batch,
        };
        let mut normal = self.framed(&normal, frame)?;
        if !inside {
            let scale = self.act(1)?;
            normal = self.pair_of(Arithmetic::Mul, &normal, &scale)?;
            if self.has(2) {
                let shift = self.act(2)?;
                normal = self.pair_of(Arithmetic::Add, &normal, &shift)?;
            }
        }
        Ok(self.value_of(normal))
    }

    /// Norm over each channel, or each group of channels, of a sample.
    pub(super) fn group_norm(&mut self) -> Imported {
        self.allow(&["epsilon", "num_groups", "stash_type"])?;
        let input = self.front(0)?;
        let shape = self.shape_of(input).to_vec();
        let epsilon = self.float("epsilon", 1e-5)?;
        let channels = shape[0];
        let default = i64::try_from(channels).unwrap_or(i64::MAX);
        let groups = if self.node.op == "InstanceNormalization" {
            default
        } else {
            self.int("num_groups", 0)?
        };
        let divides = |&g: &usize| g >= 1 && channels.is_multiple_of(g);
        let Some(groups) = usize::try_from(groups).ok().filter(divides) else {
            return Err(self.refuse(
                format!("{groups} groups of {channels} channels"),
                "groups that divide the channels",
                "check the model with onnx.checker",
            ));
        };
        let columns = shape.iter().product::<usize>() / groups;
        let rows = self.view(input, vec![groups, columns])?;
        let op = FloatOp::Normalize {
            center: true,
            epsilon,
            scale: vec![1.0; columns],
            shift: vec![0.0; columns],
        };
        let normal = self.push(op, vec![rows], vec![groups, columns])?;
        let normal = self.view(normal, shape.clone())?;
        let scale = self.per_channel(1, channels, groups)?;
        let shift = self.per_channel(2, channels, groups)?;
        let op = FloatOp::Affine {
            axis: 0,
            scale,
            shift,
        };
        let scaled = self.push(op, vec![normal], shape)?;
        Ok(self.behind_batch(scaled, Kind::Float))
    }

    /// Input `index` as one number per channel; one per group stands for all of its channels.
    fn per_channel(
        &self,
        index: usize,
        channels: usize,
        groups: usize,
    ) -> Result<Vec<f32>, ImportError> {
        let values = self.float_constant(index)?.elements;
        if values.len() == channels {
            return Ok(values.to_vec());
        }
        if values.len() == groups {
            let each = channels / groups;
            let repeated = values.iter().flat_map(|&v| core::iter::repeat_n(v, each));
            return Ok(repeated.collect());
        }
        Err(self.refuse(
            format!(
                "input {index} has {} elements for {channels} channels",
                values.len()
            ),
            "one per channel or one per group",
            "check the model with onnx.checker",
        ))
    }

    /// `x / |x|` along an axis.
    pub(super) fn lp_norm(&mut self) -> Imported {
        self.allow(&["axis", "p"])?;
        let act = self.act(0)?;
        let axis = self.axis(self.int("axis", -1)?, act.dims.len())?;
        let normal = self.over_length(&act, axis, self.int("p", 2)?)?;
        Ok(self.value_of(normal))
    }

    /// An activation over the sum of magnitudes along `axis` (`power` 1), or over its length (2).
    pub(super) fn over_length(
        &mut self,
        act: &Act,
        axis: usize,
        power: i64,
    ) -> Result<Act, ImportError> {
        let last = act.dims.len() - 1;
        if power == 2 && axis != last {
            // Norms of rows know this one.
            return self.along_last(act, axis, |context, turned| {
                context.over_length(turned, last, power)
            });
        }
        let function = |f| FloatOp::Function(f);
        let length = match power {
            1 => {
                let absolute = function(Function::primitive(Primitive::Abs));
                let magnitude = self.mapped(absolute, act)?;
                self.reduced(&magnitude, &[axis], ReduceKind::Sum)?
            }
            2 => {
                let squares = self.reduced(act, &[axis], ReduceKind::SumSquares)?;
                self.mapped(function(Function::primitive(Primitive::Sqrt)), &squares)?
            }
            p => {
                return Err(self.refuse(
                    format!("attribute \"p\" = {p}"),
                    "1 or 2",
                    "use the Euclidean norm",
                ));
            }
        };
        // A row of zeros stays one.
        let least = FloatOp::Clip(f32::MIN_POSITIVE, f32::INFINITY);
        let length = self.mapped(least, &length)?;
        let inverse = function(Function::primitive(Primitive::Reciprocal));
        let inverse = self.mapped(inverse, &length)?;
        self.pair_of(Arithmetic::Mul, act, &inverse)
    }
}
