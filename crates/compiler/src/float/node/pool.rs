//! Import of pools and of means over the image.

use super::super::constant::Value;
use super::super::error::ImportError;
use super::super::graph::FloatOp;
use super::super::window::Window2;
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
        let (input, channels, extents) = self.image()?;
        let mut window = self.pool_window(extents)?;
        let mut out = [0; 2];
        for axis in 0..2 {
            let Some(mut floor) = window.output(axis, extents[axis]) else {
                return Err(self.kernel_too_large(window, extents));
            };
            if self.int("ceil_mode", 0)? != 0 {
                let padded = extents[axis] + window.pads_begin[axis] + window.pads_end[axis];
                let beyond = (padded - window.span(axis)) % window.strides[axis] != 0;
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
        self.check_pool(window)?;
        let shape = vec![channels, out[0], out[1]];
        Ok(Value::Activation(self.push(
            FloatOp::MaxPool(window),
            vec![input],
            shape,
        )?))
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
        let (input, channels, extents) = self.image()?;
        let window = self.pool_window(extents)?;
        let padded = window.pads_begin != [0, 0] || window.pads_end != [0, 0];
        let rounds = (0..2).any(|axis| {
            let reach = extents[axis] + window.pads_begin[axis] + window.pads_end[axis];
            reach >= window.span(axis)
                && !(reach - window.span(axis)).is_multiple_of(window.strides[axis])
        });
        if rounds {
            self.require_int("ceil_mode", 0)?;
        }
        let (Some(out_h), Some(out_w)) =
            (window.output(0, extents[0]), window.output(1, extents[1]))
        else {
            return Err(self.kernel_too_large(window, extents));
        };
        self.check_pool(window)?;
        let shape = vec![channels, out_h, out_w];
        let mean = self.push(FloatOp::AvgPool(window), vec![input], shape.clone())?;
        if !padded || self.int("count_include_pad", 0)? != 0 {
            return Ok(Value::Activation(mean));
        }
        let factors = unpadded_factors(window, extents, [out_h, out_w]);
        self.spend(factors.len())?;
        let op = FloatOp::Plane(factors);
        Ok(Value::Activation(self.push(op, vec![mean], shape)?))
    }

    /// Mean or maximum over the whole image, `[C][1][1]`.
    pub(super) fn global_pool(&mut self, mean: bool) -> Imported {
        self.allow(&[])?;
        let (input, channels, extents) = self.image()?;
        let window = Window2::whole(extents[0], extents[1]);
        let op = if mean {
            FloatOp::AvgPool(window)
        } else {
            FloatOp::MaxPool(window)
        };
        Ok(Value::Activation(self.push(
            op,
            vec![input],
            vec![channels, 1, 1],
        )?))
    }

    /// Mean or maximum over both spatial axes of `[C][H][W]`.
    pub(super) fn reduce_image(&mut self, is_mean: bool) -> Imported {
        self.allow(&["axes", "keepdims", "noop_with_empty_axes"])?;
        let (input, channels, extents) = self.image()?;
        let listed = self.axes(1, 18)?.unwrap_or_default();
        let mut axes = listed
            .iter()
            .map(|&a| self.axis(a, 4))
            .collect::<Result<Vec<_>, _>>()?;
        axes.sort_unstable();
        if axes.contains(&0) || axes.is_empty() {
            return Err(self.mixes_samples(format!("reduction over axes {listed:?}")));
        }
        if axes != [2, 3] {
            return Err(self.refuse(
                format!("reduction over axes {listed:?}"),
                "both spatial axes of an image, [2, 3]",
                "use AdaptiveAvgPool2d(1) or mean((2, 3))",
            ));
        }
        let window = Window2::whole(extents[0], extents[1]);
        let op = if is_mean {
            FloatOp::AvgPool(window)
        } else {
            FloatOp::MaxPool(window)
        };
        let reduced = self.push(op, vec![input], vec![channels, 1, 1])?;
        if self.int("keepdims", 1)? != 0 {
            return Ok(Value::Activation(reduced));
        }
        Ok(Value::Activation(self.push(
            FloatOp::Reshape,
            vec![reduced],
            vec![channels],
        )?))
    }

    /// Input 0 as an image: node, channels, `[height, width]`.
    pub(super) fn image(&self) -> Result<(usize, usize, [usize; 2]), ImportError> {
        let input = self.activation(0)?;
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
        let (&[h, w], 2) = (known.as_slice(), kernel.len()) else {
            return Err(self.refuse(
                format!("kernel_shape of {} extents", kernel.len()),
                "two extents",
                "use two spatial axes",
            ));
        };
        let window = self.window([h, w], extents)?;
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

/// Cells of each window over those of its cells that lie inside the image.
fn unpadded_factors(window: Window2, extents: [usize; 2], out: [usize; 2]) -> Vec<f32> {
    let inside = |axis: usize, output: usize| {
        let taps = 0..window.kernel[axis];
        taps.filter(|&tap| window.tap(axis, output, tap, extents[axis]).is_some())
            .count()
            .max(1)
    };
    let cells = window.kernel[0] * window.kernel[1];
    #[expect(clippy::cast_precision_loss, reason = "a window has at most 2^24 taps")]
    let factor = |valid: usize| cells as f32 / valid as f32;
    (0..out[0])
        .flat_map(|y| (0..out[1]).map(move |x| (y, x)))
        .map(|(y, x)| factor(inside(0, y) * inside(1, x)))
        .collect()
}
