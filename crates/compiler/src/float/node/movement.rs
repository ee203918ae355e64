//! Import of operators that move elements of activations: slices, splits, pads, nearest-neighbour
//! resizing, concatenation, blocks of depth.

use super::super::constant::{Const, Value, product};
use super::super::error::ImportError;
use super::super::graph::FloatOp;
use super::super::symbolic::SymInt;
use super::super::walk::{AxisWalk, STEP_MAX, walk_order};
use super::{Imported, NodeContext};
use crate::onnx::ELEMENTS_MAX;

impl NodeContext<'_> {
    /// An axis of the sample (batch left out) of an activation of `rank` axes with the batch.
    fn sample_axis(&self, axis: i64, rank: usize) -> Result<usize, ImportError> {
        let axis = self.axis(axis, rank)?;
        axis.checked_sub(1)
            .ok_or_else(|| self.mixes_samples(format!("{} along the batch axis", self.node.op)))
    }

    /// Adds a walk over `input`; the input itself if nothing moves.
    fn walk(&mut self, input: usize, walks: Vec<AxisWalk>, fill: f32) -> Imported {
        let shape = self.shape_of(input);
        if walks
            .iter()
            .zip(shape)
            .all(|(w, &e)| *w == AxisWalk::whole(e))
        {
            return Ok(Value::Activation(input));
        }
        let fits = walks.iter().all(|walk| {
            walk.numerator.abs() <= STEP_MAX
                && (1..=STEP_MAX).contains(&walk.denominator)
                && walk.offset.unsigned_abs() <= ELEMENTS_MAX as u64
        });
        if !fits {
            return Err(self.refuse(
                "a step of more than 65536 cells".to_owned(),
                "steps of 1 to 65536",
                "use a smaller step",
            ));
        }
        let extents = walks.iter().map(|walk| walk.extent).collect();
        let op = FloatOp::Walk(walks, fill);
        Ok(Value::Activation(self.push(op, vec![input], extents)?))
    }

    fn whole(&self, input: usize) -> Vec<AxisWalk> {
        let shape = self.shape_of(input);
        shape.iter().map(|&e| AxisWalk::whole(e)).collect()
    }

    /// Parts of an activation or constant: constant starts, ends and steps.
    pub(super) fn slice(&mut self) -> Imported {
        self.allow(&[])?;
        let (dims, batched) = self.dims_of(0)?;
        let (starts, ends) = (self.known_ints(1)?, self.known_ints(2)?);
        let axes = match self.optional(3)? {
            Some(_) => self.known_ints(3)?,
            None => (0..).take(starts.len()).collect(),
        };
        let steps = match self.optional(4)? {
            Some(_) => self.known_ints(4)?,
            None => vec![1; starts.len()],
        };
        if ends.len() != starts.len() || axes.len() != starts.len() || steps.len() != starts.len() {
            return Err(self.unknown_target());
        }
        let mut walks: Vec<AxisWalk> = dims.iter().map(|&e| AxisWalk::whole(e)).collect();
        for (index, &axis) in axes.iter().enumerate() {
            let (start, end, step) = (starts[index], ends[index], steps[index]);
            let axis = self.axis(axis, dims.len())?;
            if batched && axis == 0 {
                // The whole batch is no slice.
                if start == 0 && end >= i64::from(i32::MAX) && step == 1 {
                    continue;
                }
                return Err(self.mixes_samples("Slice along the batch axis".to_owned()));
            }
            walks[axis] = self.part(start, end, step, dims[axis], batched)?;
        }
        match self.value(0)?.clone() {
            Value::Activation(input) => self.walk(input, walks.split_off(1), 0.0),
            Value::Float(c) => Ok(Value::Float(self.walked(&c, &walks)?)),
            Value::Int(c) => Ok(Value::Int(self.walked(&c, &walks)?)),
        }
    }

    /// A slice of a constant.
    fn walked<T: Copy>(
        &mut self,
        c: &Const<T>,
        walks: &[AxisWalk],
    ) -> Result<Const<T>, ImportError> {
        let dims: Vec<usize> = walks.iter().map(|walk| walk.extent).collect();
        self.spend(dims.iter().product())?;
        let order = walk_order(&c.dims, walks);
        let elements = order.into_iter().flatten().map(|i| c.elements[i]).collect();
        Ok(Const::new(dims, elements))
    }

    /// The cells `start, start + step, ...` before `end` of an axis.
    fn part(
        &self,
        start: i64,
        end: i64,
        step: i64,
        extent: usize,
        is_activation: bool,
    ) -> Result<AxisWalk, ImportError> {
        if extent == 0 {
            return Ok(AxisWalk::whole(0));
        }
        let cells = i64::try_from(extent).unwrap_or(i64::MAX);
        let from_end = |at: i64| if at < 0 { at.saturating_add(cells) } else { at };
        let (low, high) = if step < 0 {
            (-1, cells - 1)
        } else {
            (0, cells)
        };
        let start = from_end(start).clamp(low.max(0), high);
        let end = from_end(end).clamp(low, high);
        let span = if step < 0 { start - end } else { end - start };
        let stride = step.checked_abs().filter(|&s| s >= 1);
        let count = stride.map(|s| span.max(0).saturating_add(s - 1) / s);
        let count = count
            .and_then(|c| usize::try_from(c).ok())
            .filter(|&c| c >= 1 || !is_activation);
        let Some(extent) = count else {
            return Err(self.refuse(
                format!("an empty slice {start}..{end} of step {step}"),
                "at least one cell",
                "check the model with onnx.checker",
            ));
        };
        Ok(AxisWalk {
            numerator: if extent <= 1 { 1 } else { step },
            offset: start,
            ..AxisWalk::whole(extent)
        })
    }

    /// One constant index along an axis; the axis disappears if the index is a scalar.
    pub(super) fn gather_activation(&mut self) -> Imported {
        let input = self.activation(0)?;
        let rank = self.shape_of(input).len() + 1;
        let axis = self.sample_axis(self.int("axis", 0)?, rank)?;
        let extent = self.shape_of(input)[axis];
        let (picks, scalar) = match self.value(1)? {
            Value::Int(c) => (self.known_ints(1)?, c.dims.is_empty()),
            Value::Activation(_) | Value::Float(_) => (Vec::new(), false),
        };
        let steps: Vec<i64> = picks
            .windows(2)
            .map(|pair| pair[1].saturating_sub(pair[0]))
            .collect();
        let step = steps.first().copied().unwrap_or(1);
        let (Some(&first), true) = (picks.first(), steps.iter().all(|&s| s == step)) else {
            return Err(self.refuse(
                format!("{} indices without a common step", picks.len()),
                "constant indices at equal distances",
                "use slices",
            ));
        };
        for &pick in &picks {
            self.axis(pick, extent)?;
        }
        let mut walks = self.whole(input);
        walks[axis] = AxisWalk {
            numerator: step,
            offset: i64::try_from(self.axis(first, extent)?).unwrap_or(i64::MAX),
            ..AxisWalk::whole(picks.len())
        };
        if picks.windows(2).any(|pair| (pair[0] < 0) != (pair[1] < 0)) {
            return Err(self.unknown_target());
        }
        let Value::Activation(picked) = self.walk(input, walks, 0.0)? else {
            return Err(self.unknown_target());
        };
        let mut shape = self.shape_of(picked).to_vec();
        if scalar && shape.len() > 1 {
            shape.remove(axis);
        }
        self.view(picked, shape)
    }

    /// An activation in parts along one axis; every output becomes a value.
    pub(super) fn split(&mut self) -> Result<(), ImportError> {
        self.allow(&["axis", "split", "num_outputs"])?;
        let input = self.activation(0)?;
        let rank = self.shape_of(input).len() + 1;
        let axis = self.sample_axis(self.int("axis", 0)?, rank)?;
        let extent = self.shape_of(input)[axis];
        let count = self.node.outputs.len();
        let sizes = match (self.ints("split")?, self.optional(1)?.is_some()) {
            (Some(sizes), _) => sizes,
            (None, true) => self.known_ints(1)?,
            (None, false) => {
                let each = extent.div_ceil(count.max(1));
                let size = |part: usize| each.min(extent.saturating_sub(part * each));
                let size = |part| i64::try_from(size(part)).unwrap_or(0);
                (0..count).map(size).collect()
            }
        };
        let sizes: Option<Vec<usize>> = sizes.iter().map(|&s| usize::try_from(s).ok()).collect();
        let sizes = sizes
            .filter(|s| s.len() == count && s.iter().sum::<usize>() == extent && !s.contains(&0));
        let Some(sizes) = sizes else {
            return Err(self.refuse(
                format!("{count} outputs of an axis of {extent} cells"),
                "parts of one cell or more that add up",
                "check the model with onnx.checker",
            ));
        };
        let mut start = 0_usize;
        for (size, name) in sizes.into_iter().zip(&self.node.outputs) {
            let mut walks = self.whole(input);
            walks[axis] = AxisWalk {
                offset: i64::try_from(start).unwrap_or(i64::MAX),
                ..AxisWalk::whole(size)
            };
            start += size;
            let part = self.walk(input, walks, 0.0)?;
            if !name.is_empty() {
                self.importer.values.insert(name.clone(), part);
            }
        }
        Ok(())
    }

    /// A constant around an activation; negative pads cut.
    pub(super) fn pad(&mut self) -> Imported {
        self.allow(&["mode"])?;
        let mode = self.text("mode", "constant")?;
        if mode != "constant" {
            return Err(self.refuse(
                format!("attribute \"mode\" = {mode:?}"),
                "constant",
                "use padding_mode=\"zeros\"",
            ));
        }
        let input = self.activation(0)?;
        let rank = self.shape_of(input).len() + 1;
        let pads = self.known_ints(1)?;
        let fill = match self.optional(2)? {
            Some(_) => self.float_constant(2)?.single(),
            None => Some(0.0),
        };
        let Some(fill) = fill.filter(|f| f.is_finite()) else {
            return Err(self.refuse(
                "the constant is no finite number".to_owned(),
                "a finite number",
                "pad with 0",
            ));
        };
        let axes = match self.optional(3)? {
            Some(_) => self.known_ints(3)?,
            None => (0..).take(rank).collect(),
        };
        if pads.len() != 2 * axes.len() {
            return Err(self.unknown_target());
        }
        let mut walks = self.whole(input);
        for (index, &axis) in axes.iter().enumerate() {
            let (begin, end) = (pads[index], pads[index + axes.len()]);
            if begin == 0 && end == 0 {
                continue;
            }
            let axis = self.sample_axis(axis, rank)?;
            let extent = i64::try_from(self.shape_of(input)[axis]).unwrap_or(i64::MAX);
            let padded = extent.checked_add(begin).and_then(|e| e.checked_add(end));
            let padded = padded.and_then(|e| usize::try_from(e).ok());
            let Some(padded) = padded.filter(|e| (1..=ELEMENTS_MAX).contains(e)) else {
                return Err(self.unknown_target());
            };
            walks[axis] = AxisWalk {
                offset: begin.saturating_neg(),
                ..AxisWalk::whole(padded)
            };
        }
        self.walk(input, walks, fill)
    }

    /// Nearest-neighbour resizing of the spatial axes.
    pub(super) fn resize(&mut self) -> Imported {
        self.allow(&[
            "antialias",
            "coordinate_transformation_mode",
            "cubic_coeff_a",
            "exclude_outside",
            "extrapolation_value",
            "keep_aspect_ratio_policy",
            "mode",
            "nearest_mode",
        ])?;
        let mode = self.text("mode", "nearest")?;
        if mode != "nearest" {
            return Err(self.refuse(
                format!("attribute \"mode\" = {mode:?}"),
                "nearest",
                "use nn.Upsample(mode=\"nearest\") or a transposed convolution",
            ));
        }
        let input = self.activation(0)?;
        let shape = self.shape_of(input).to_vec();
        let sizes = self.resized(&shape)?;
        let mut walks = Vec::with_capacity(shape.len());
        for (&extent, &size) in shape.iter().zip(&sizes) {
            walks.push(self.nearest(extent, size)?);
        }
        self.walk(input, walks, 0.0)
    }

    /// Extents after a resize, from the scales or the sizes.
    fn resized(&self, shape: &[usize]) -> Result<Vec<usize>, ImportError> {
        let refuse = || {
            self.refuse(
                "scales or sizes that are no constants of whole results".to_owned(),
                "constant scales or sizes that keep batch and rank",
                "export with fixed sizes",
            )
        };
        if self.optional(3)?.is_some() {
            let sizes = self.sample_target(3)?;
            return if sizes.len() == shape.len() {
                Ok(sizes)
            } else {
                Err(refuse())
            };
        }
        let scales = self.float_constant(2)?;
        if scales.elements.len() != shape.len() + 1 || (scales.elements[0] - 1.0).abs() > 0.0 {
            return Err(refuse());
        }
        let scaled = shape
            .iter()
            .zip(&scales.elements[1..])
            .map(|(&extent, &scale)| {
                #[expect(clippy::cast_precision_loss, reason = "extents stay below 2^24")]
                let exact = extent as f32 * scale;
                #[expect(
                    clippy::cast_possible_truncation,
                    clippy::cast_sign_loss,
                    reason = "checked to be a whole number in range"
                )]
                let whole = (exact.fract() == 0.0 && (1.0..16_777_216.0).contains(&exact))
                    .then_some(exact as usize);
                whole.ok_or_else(refuse)
            });
        scaled.collect()
    }

    /// Input `index` as dimensions without the batch, which leads as a symbol or as 1.
    fn sample_target(&self, index: usize) -> Result<Vec<usize>, ImportError> {
        let Value::Int(target) = self.value(index)? else {
            return Err(self.unknown_target());
        };
        let (leading, rest) = target
            .elements
            .split_first()
            .ok_or_else(|| self.unknown_target())?;
        let whole = |value: &SymInt| usize::try_from(value.known()?).ok();
        let rest: Option<Vec<usize>> = rest.iter().map(whole).collect();
        let keeps_batch = *leading == self.importer.batch || leading.known() == Some(1);
        rest.filter(|_| keeps_batch)
            .ok_or_else(|| self.unknown_target())
    }

    /// Axes of one cell repeated, as far as the batch stays.
    pub(super) fn expand(&mut self) -> Imported {
        self.allow(&[])?;
        if let Value::Float(c) = self.value(0)?.clone() {
            let dims = self.known_ints(1)?;
            let dims: Option<Vec<usize>> = dims.iter().map(|&d| usize::try_from(d).ok()).collect();
            let dims = dims.ok_or_else(|| self.unknown_target())?;
            let count = product(&dims).ok_or_else(|| self.unknown_target())?;
            self.spend(count)?;
            let zeros = Const::new(dims, vec![0.0; count]);
            let spread = c.zip(&zeros, ELEMENTS_MAX, |value, _| Some(value));
            return spread
                .map(Value::Float)
                .ok_or_else(|| self.unknown_target());
        }
        let input = self.activation(0)?;
        let target = self.sample_target(1)?;
        let shape = self.shape_of(input).to_vec();
        if target.len() != shape.len() {
            return Err(self.unknown_target());
        }
        let mut walks = self.whole(input);
        for (axis, (&extent, &wanted)) in shape.iter().zip(&target).enumerate() {
            if extent == 1 && wanted > 1 {
                walks[axis] = AxisWalk {
                    numerator: 0,
                    ..AxisWalk::whole(wanted)
                };
            } else if wanted != 1 && wanted != extent {
                return Err(self.unknown_target());
            }
        }
        self.walk(input, walks, 0.0)
    }

    /// The walk of nearest-neighbour resizing from `extent` to `size` cells.
    fn nearest(&self, extent: usize, size: usize) -> Result<AxisWalk, ImportError> {
        if size == extent {
            return Ok(AxisWalk::whole(extent));
        }
        let coordinates = self.text("coordinate_transformation_mode", "half_pixel")?;
        let rounding = self.text("nearest_mode", "round_prefer_floor")?;
        let rounds = rounding == "round_prefer_floor" || rounding == "round_prefer_ceil";
        let factor = if size.is_multiple_of(extent) {
            size / extent
        } else {
            0
        };
        let fits = match coordinates.as_str() {
            "asymmetric" => {
                rounding == "floor" || (rounding == "round_prefer_floor" && factor == 2)
            }
            "half_pixel" | "pytorch_half_pixel" => rounds && factor >= 1,
            _ => false,
        };
        let (Ok(numerator), Ok(denominator), true) =
            (i64::try_from(extent), i64::try_from(size), fits)
        else {
            return Err(self.refuse(
                format!("{extent} to {size} cells with {coordinates:?} and {rounding:?}"),
                "asymmetric with floor, or a whole factor with half_pixel and rounding",
                "use nn.Upsample(scale_factor=2, mode=\"nearest\")",
            ));
        };
        let (numerator, denominator) = if factor >= 1 {
            (1, i64::try_from(factor).unwrap_or(denominator))
        } else {
            (numerator, denominator)
        };
        Ok(AxisWalk {
            numerator,
            denominator,
            ..AxisWalk::whole(size)
        })
    }

    /// Activations behind one another along an axis.
    pub(super) fn concat_activations(&mut self) -> Imported {
        let mut inputs = Vec::with_capacity(self.node.inputs.len());
        for index in 0..self.node.inputs.len() {
            inputs.push(self.activation(index)?);
        }
        let mut shape = self.shape_of(inputs[0]).to_vec();
        let axis = self.sample_axis(self.int("axis", 0)?, shape.len() + 1)?;
        let mut sum = 0_usize;
        for &input in &inputs {
            let other = self.shape_of(input);
            let same = other.len() == shape.len()
                && (0..shape.len()).all(|a| a == axis || other[a] == shape[a]);
            if !same {
                let what = format!("activations of shapes {shape:?} and {other:?} (without batch)");
                return Err(self.refuse(
                    what,
                    "shapes that are equal but for the axis",
                    "check the model with onnx.checker",
                ));
            }
            sum = sum.saturating_add(other[axis]);
        }
        shape[axis] = sum;
        if let [only] = inputs.as_slice() {
            return Ok(Value::Activation(*only));
        }
        Ok(Value::Activation(self.push(
            FloatOp::Concat(axis),
            inputs,
            shape,
        )?))
    }

    /// Blocks of channels into space: `[b*b*C][H][W]` to `[C][b*H][b*W]`.
    pub(super) fn depth_to_space(&mut self) -> Imported {
        self.allow(&["blocksize", "mode"])?;
        let (input, channels, [height, width]) = self.image()?;
        let block = self.block(channels, [1, 1])?;
        let depth = channels / (block * block);
        let (split, perm) = match self.text("mode", "DCR")?.as_str() {
            "DCR" => ([block, block, depth, height, width], [2, 3, 0, 4, 1]),
            "CRD" => ([depth, block, block, height, width], [0, 3, 1, 4, 2]),
            other => {
                let what = format!("attribute \"mode\" = {other:?}");
                return Err(self.refuse(what, "DCR or CRD", "use nn.PixelShuffle"));
            }
        };
        self.shuffle(input, &split, &perm, [depth, height * block, width * block])
    }

    /// Blocks of space into channels: `[C][b*H][b*W]` to `[b*b*C][H][W]`.
    pub(super) fn space_to_depth(&mut self) -> Imported {
        self.allow(&["blocksize"])?;
        let (input, channels, [height, width]) = self.image()?;
        let block = self.block(usize::MAX, [height, width])?;
        let (h, w) = (height / block, width / block);
        let split = [channels, h, block, w, block];
        self.shuffle(
            input,
            &split,
            &[2, 4, 0, 1, 3],
            [channels * block * block, h, w],
        )
    }

    /// The block size, whose square divides `channels` (unless that is the maximum) and which divides the extents.
    fn block(&self, channels: usize, extents: [usize; 2]) -> Result<usize, ImportError> {
        let block = self.int("blocksize", 0)?;
        let fits = |b: &usize| {
            (1..=4096).contains(b)
                && (channels == usize::MAX || channels.is_multiple_of(b * b))
                && (channels != usize::MAX || extents.iter().all(|e| e.is_multiple_of(*b)))
        };
        usize::try_from(block).ok().filter(fits).ok_or_else(|| {
            self.refuse(
                format!("attribute \"blocksize\" = {block}"),
                "a block size that divides the shape",
                "check the model with onnx.checker",
            )
        })
    }

    fn shuffle(
        &mut self,
        input: usize,
        split: &[usize; 5],
        perm: &[usize; 5],
        shape: [usize; 3],
    ) -> Imported {
        let view = self.push(FloatOp::Reshape, vec![input], split.to_vec())?;
        let turned = perm.iter().map(|&axis| split[axis]).collect();
        let turned = self.push(FloatOp::Transpose(perm.to_vec()), vec![view], turned)?;
        self.view(turned, shape.to_vec())
    }
}
