//! Import of pools and of means over the image.

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
        if self.pools_by_axes()? {
            return self.pool_by_axes();
        }
        let (input, is_line) = self.picture()?;
        let (input, channels, extents) = self.image_of(input)?;
        let (window, out) = self.stretched(self.pool_window(extents, is_line)?, extents)?;
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
        if self.pools_by_axes()? {
            return self.pool_by_axes();
        }
        let (input, is_line) = self.picture()?;
        let (input, channels, extents) = self.image_of(input)?;
        let plain = self.pool_window(extents, is_line)?;
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

    /// Input 0 as an image: node, channels, `[height, width]`.
    pub(super) fn image(&mut self) -> Result<(usize, usize, [usize; 2]), ImportError> {
        let input = self.front(0)?;
        self.image_of(input)
    }

    /// Node `input` as an image.
    pub(super) fn image_of(&self, input: usize) -> Result<(usize, usize, [usize; 2]), ImportError> {
        match *self.shape_of(input) {
            [channels, height, width] => Ok((input, channels, [height, width])),
            _ => Err(self.refuse(
                format!("input of shape {:?} (without batch)", self.shape_of(input)),
                "images [C][H][W]",
                "use two spatial axes",
            )),
        }
    }

    fn pool_window(&self, extents: [usize; 2], is_line: bool) -> Result<Window2, ImportError> {
        let kernel = self.ints("kernel_shape")?.unwrap_or_default();
        let known: Vec<usize> = kernel
            .iter()
            .filter_map(|&k| usize::try_from(k).ok())
            .collect();
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
        self.window(kernel, extents, is_line)
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
