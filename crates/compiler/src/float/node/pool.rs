//! Import of pools and of means over the image.

use super::super::error::ImportError;
use super::super::graph::FloatOp;
use super::super::window::{EXTENT_MAX, Window2};
use super::{Imported, NodeContext};

impl NodeContext<'_> {
    /// Largest value per window.
    pub(super) fn max_pool(&mut self) -> Imported {
        self.allow(&[
            "auto_pad",
            "ceil_mode",
            "dilations",
            "kernel_shape",
            "pads",
            "storage_order",
            "strides",
        ])?;
        self.require_int("storage_order", 0)?;
        let (input, is_line) = self.picture()?;
        let (input, channels, extents) = self.image_of(input)?;
        let (window, out) = self.stretched(self.pool_window(extents)?, extents)?;
        self.check_pool(window)?;
        let shape = vec![channels, out[0], out[1]];
        let pooled = self.push(FloatOp::MaxPool(window), vec![input], shape)?;
        self.line(pooled, is_line)
    }

    /// Mean per window; where padding does not count, each position gets an own factor.
    pub(super) fn average_pool(&mut self) -> Imported {
        self.allow(&[
            "auto_pad",
            "ceil_mode",
            "count_include_pad",
            "dilations",
            "kernel_shape",
            "pads",
            "strides",
        ])?;
        let (input, is_line) = self.picture()?;
        let (input, channels, extents) = self.image_of(input)?;
        let plain = self.pool_window(extents)?;
        let (window, out) = self.stretched(plain, extents)?;
        self.check_pool(window)?;
        let shape = vec![channels, out[0], out[1]];
        let mean = self.push(FloatOp::AvgPool(window), vec![input], shape.clone())?;
        // Cells that count: those of the image, or those of the padded image.
        let begin = window.pads_begin;
        let (counted, pads) = if self.int("count_include_pad", 0)? == 0 {
            ([0, 1].map(|axis| 0..extents[axis]), begin)
        } else {
            let end = plain.pads_end;
            let padded = |axis: usize| 0..begin[axis] + extents[axis] + end[axis];
            ([0, 1].map(padded), [0, 0])
        };
        let factors = counted_factors(window, pads, &counted, out);
        if factors.iter().all(|f| f.to_bits() == 1.0_f32.to_bits()) {
            return self.line(mean, is_line);
        }
        self.spend(factors.len())?;
        let scaled = self.push(FloatOp::Plane(factors), vec![mean], shape)?;
        self.line(scaled, is_line)
    }

    /// The window with the padding that `ceil_mode` adds at the end, and the output's extents.
    fn stretched(
        &self,
        mut window: Window2,
        extents: [usize; 2],
    ) -> Result<(Window2, [usize; 2]), ImportError> {
        let mut out = [0; 2];
        for axis in 0..2 {
            let Some(mut floor) = window.output(axis, extents[axis]) else {
                return Err(self.kernel_too_large(window, extents));
            };
            if self.int("ceil_mode", 0)? != 0 {
                let padded = extents[axis] + window.pads_begin[axis] + window.pads_end[axis];
                let beyond = !(padded - window.span(axis)).is_multiple_of(window.strides[axis]);
                // A last window that begins behind the image is dropped, as in ONNX Runtime.
                let begins = floor * window.strides[axis];
                if beyond && begins < extents[axis] + window.pads_begin[axis] {
                    floor += 1;
                    let reach = (floor - 1) * window.strides[axis] + window.span(axis);
                    window.pads_end[axis] = reach - extents[axis] - window.pads_begin[axis];
                }
            }
            out[axis] = floor;
        }
        Ok((window, out))
    }

    /// Mean or maximum over the whole image, `[C][1][1]`.
    pub(super) fn global_pool(&mut self, mean: bool) -> Imported {
        self.allow(&[])?;
        let (input, is_line) = self.picture()?;
        let (input, channels, extents) = self.image_of(input)?;
        let window = Window2::whole(extents[0], extents[1]);
        let op = if mean {
            FloatOp::AvgPool(window)
        } else {
            FloatOp::MaxPool(window)
        };
        let pooled = self.push(op, vec![input], vec![channels, 1, 1])?;
        self.line(pooled, is_line)
    }

    /// Mean, sum or maximum over some axes of the sample.
    pub(super) fn reduce(&mut self) -> Imported {
        self.allow(&["axes", "keepdims", "noop_with_empty_axes"])?;
        let input = self.activation(0)?;
        let shape = self.shape_of(input).to_vec();
        let since = if self.node.op == "ReduceSum" { 13 } else { 18 };
        let listed = self.axes(1, since)?.unwrap_or_default();
        let mut reduced = vec![false; shape.len()];
        for &axis in &listed {
            let axis = self.axis(axis, shape.len() + 1)?.checked_sub(1);
            let mixes = || self.mixes_samples(format!("reduction over axes {listed:?}"));
            reduced[axis.ok_or_else(mixes)?] = true;
        }
        if listed.is_empty() {
            return Err(self.mixes_samples(format!("reduction over axes {listed:?}")));
        }
        let pooled = self.pool_over(input, &reduced)?;
        let keeps = self.int("keepdims", 1)? != 0;
        let axes = shape.iter().zip(&reduced);
        let kept: Vec<usize> = axes
            .filter(|(_, gone)| keeps || !**gone)
            .map(|(&extent, &gone)| if gone { 1 } else { extent })
            .collect();
        self.view(pooled, if kept.is_empty() { vec![1] } else { kept })
    }

    /// A pool over the reduced axes, with the kept ones in order; extents are up to the caller.
    fn pool_over(&mut self, input: usize, reduced: &[bool]) -> Result<usize, ImportError> {
        let shape = self.shape_of(input).to_vec();
        let over = |gone: bool| -> usize {
            let axes = shape.iter().zip(reduced).filter(|(_, g)| **g == gone);
            axes.map(|(extent, _)| extent).product()
        };
        let (kept, cells) = (over(false), over(true));
        let (source, window, pooled) = match (shape.as_slice(), reduced) {
            (&[c, h, w], [false, true, true]) => (input, Window2::whole(h, w), vec![c, 1, 1]),
            (&[c, h, w], [true, false, false]) => {
                // Channels are neighbours in a program: windows of one row of a picture [h*w][c].
                let turned = self.push(
                    FloatOp::Transpose(vec![1, 2, 0]),
                    vec![input],
                    vec![h, w, c],
                )?;
                let picture = self.push(FloatOp::Reshape, vec![turned], vec![1, h * w, c])?;
                (picture, Window2::whole(1, c), vec![1, h * w, 1])
            }
            _ => {
                let order = |gone: bool| (0..shape.len()).filter(move |&a| reduced[a] == gone);
                let order: Vec<usize> = order(false).chain(order(true)).collect();
                let turned: Vec<usize> = order.iter().map(|&a| shape[a]).collect();
                let turned = self.push(FloatOp::Transpose(order), vec![input], turned)?;
                let picture = self.push(FloatOp::Reshape, vec![turned], vec![kept, cells, 1])?;
                (picture, Window2::whole(cells, 1), vec![kept, 1, 1])
            }
        };
        if window.kernel.iter().any(|&extent| extent > EXTENT_MAX) {
            return Err(self.refuse(
                format!("a reduction over {cells} cells"),
                "4096 cells",
                "use a smaller input",
            ));
        }
        let is_max = self.node.op == "ReduceMax";
        let op = if is_max {
            FloatOp::MaxPool(window)
        } else {
            FloatOp::AvgPool(window)
        };
        let result = self.push(op, vec![source], pooled.clone())?;
        if self.node.op != "ReduceSum" {
            return Ok(result);
        }
        #[expect(clippy::cast_precision_loss, reason = "at most 2^24 cells")]
        let scale = vec![cells as f32; pooled[0]];
        let shift = vec![0.0; pooled[0]];
        let op = FloatOp::Affine {
            axis: 0,
            scale,
            shift,
        };
        self.push(op, vec![result], pooled)
    }

    /// Input 0 as an image: node, channels, `[height, width]`.
    pub(super) fn image(&self) -> Result<(usize, usize, [usize; 2]), ImportError> {
        let input = self.activation(0)?;
        self.image_of(input)
    }

    /// Node `input` as an image.
    fn image_of(&self, input: usize) -> Result<(usize, usize, [usize; 2]), ImportError> {
        match *self.shape_of(input) {
            [channels, height, width] => Ok((input, channels, [height, width])),
            _ => Err(self.refuse(
                format!("input of shape {:?} (without batch)", self.shape_of(input)),
                "images [C][H][W]",
                "use two spatial axes",
            )),
        }
    }

    fn pool_window(&self, extents: [usize; 2]) -> Result<Window2, ImportError> {
        let kernel = self.ints("kernel_shape")?.unwrap_or_default();
        let known: Vec<usize> = kernel
            .iter()
            .filter_map(|&k| usize::try_from(k).ok())
            .collect();
        let is_line = self.shape_of(self.activation(0)?).len() == 2;
        let kernel = match (known.as_slice(), kernel.len(), is_line) {
            (&[h, w], 2, false) => [h, w],
            (&[w], 1, true) => [1, w],
            _ => {
                return Err(self.refuse(
                    format!("kernel_shape of {} extents", kernel.len()),
                    "one extent for each spatial axis",
                    "use one or two spatial axes",
                ));
            }
        };
        let window = self.window(kernel, extents)?;
        if window.dilations != [1, 1] {
            return Err(self.refuse(
                format!("dilations {:?}", window.dilations),
                "dilations of 1",
                "use a pool without dilation",
            ));
        }
        Ok(window)
    }

    fn check_pool(&self, window: Window2) -> Result<(), ImportError> {
        let begin = (0..2).all(|axis| window.pads_begin[axis] < window.span(axis));
        let end = (0..2).all(|axis| window.pads_end[axis] < window.span(axis));
        if begin && end {
            return Ok(());
        }
        Err(self.refuse(
            format!(
                "pads {:?} and {:?} for a kernel of {:?}",
                window.pads_begin, window.pads_end, window.kernel
            ),
            "pads smaller than the kernel",
            "use less padding",
        ))
    }
}

/// Cells of each window over those of its cells that count; `pads` cells stand before the first one.
fn counted_factors(
    window: Window2,
    pads: [usize; 2],
    counted: &[core::ops::Range<usize>; 2],
    out: [usize; 2],
) -> Vec<f32> {
    let inside = |axis: usize, output: usize| {
        let counts = |tap: usize| {
            let cell = output * window.strides[axis] + tap * window.dilations[axis];
            cell.checked_sub(pads[axis])
                .is_some_and(|cell| counted[axis].contains(&cell))
        };
        (0..window.kernel[axis])
            .filter(|&tap| counts(tap))
            .count()
            .max(1)
    };
    let cells = window.kernel[0] * window.kernel[1];
    #[expect(clippy::cast_precision_loss, reason = "a window has at most 2^24 taps")]
    let factor = |valid: usize| cells as f32 / valid as f32;
    let rows: Vec<usize> = (0..out[0]).map(|y| inside(0, y)).collect();
    let columns: Vec<usize> = (0..out[1]).map(|x| inside(1, x)).collect();
    rows.iter()
        .flat_map(|y| columns.iter().map(move |x| y * x))
        .map(factor)
        .collect()
}
