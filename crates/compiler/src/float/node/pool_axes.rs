//! Pools over any number of spatial axes, with gaps: one axis after the other.
//!
//! ```text
//! [outer][extent][inner]   as a picture, with windows of one column
//! gaps                     the cells of each tap behind one another, [outer][taps][out * inner], and
//!                          windows of one column over the taps
//! ```
//!
//! A maximum of maxima and a mean of means are those of the whole window. Padding of a maximum with
//! gaps reads a cell that the window has anyway.

use super::super::act::{Act, Batch};
use super::super::constant::product;
use super::super::error::ImportError;
use super::super::function::{Function, Primitive};
use super::super::graph::{Arithmetic, FloatOp};
use super::super::spread::Spread;
use super::super::walk::AxisWalk;
use super::super::window::{EXTENT_MAX, Window2};
use super::{Imported, Kind, NodeContext};

/// The window along one axis.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct AxisWindow {
    extent: usize,
    kernel: usize,
    stride: usize,
    dilation: usize,
    begin: usize,
    /// Padding at the end as the file has it, without what `ceil_mode` adds.
    end: usize,
    out: usize,
}

impl AxisWindow {
    /// Cell of a tap, counted from the first cell of the input.
    fn at(&self, output: usize, tap: usize) -> Option<i64> {
        let padded = output * self.stride + tap * self.dilation;
        let signed = |n: usize| i64::try_from(n).ok();
        signed(padded)?.checked_sub(signed(self.begin)?)
    }

    /// The cell that stands for a tap of a maximum: itself, or in the padding the next one of the
    /// same window.
    fn stand_in(&self, output: usize, tap: usize) -> Option<usize> {
        let (at, dilation) = (self.at(output, tap)?, i64::try_from(self.dilation).ok()?);
        let extent = i64::try_from(self.extent).ok()?;
        let inside = if at < 0 {
            at.rem_euclid(dilation)
        } else if at >= extent {
            at - (at - extent).div_euclid(dilation) * dilation - dilation
        } else {
            at
        };
        usize::try_from(inside).ok().filter(|&i| i < self.extent)
    }

    /// Taps of a window that count for a mean.
    fn counted(&self, output: usize, with_padding: bool) -> usize {
        let counts = |tap: &usize| {
            let padded = output * self.stride + tap * self.dilation;
            if with_padding {
                padded < self.begin + self.extent + self.end
            } else {
                (self.begin..self.begin + self.extent).contains(&padded)
            }
        };
        (0..self.kernel).filter(counts).count().max(1)
    }
}

impl NodeContext<'_> {
    /// Whether a pool has gaps or other axes than one or two.
    pub(super) fn pools_by_axes(&self) -> Result<bool, ImportError> {
        let dilated = self.ints("dilations")?.unwrap_or_default();
        let axes = self.ints("kernel_shape")?.unwrap_or_default().len();
        Ok(dilated.iter().any(|&d| d != 1) || axes > 2)
    }

    /// `MaxPool` or `AveragePool`, axis by axis.
    pub(super) fn pool_by_axes(&mut self) -> Imported {
        let input = self.front(0)?;
        let windows = self.axis_windows(input)?;
        let is_mean = self.node.op == "AveragePool";
        let pooled = self.pooled_axes(input, &windows, is_mean)?;
        if !is_mean {
            return Ok(self.behind_batch(pooled, Kind::Float));
        }
        let with_padding = self.int("count_include_pad", 0)? != 0;
        let scaled = self.counted_only(pooled, &windows, with_padding)?;
        Ok(self.behind_batch(scaled, Kind::Float))
    }

    /// The root of the sum of powers of each window.
    pub(super) fn lp_pool(&mut self) -> Imported {
        self.allow(&[
            "auto_pad",
            "ceil_mode",
            "dilations",
            "kernel_shape",
            "p",
            "pads",
            "strides",
        ])?;
        let power = self.int("p", 2)?;
        let Some(power) = u32::try_from(power).ok().filter(|p| (1..=16).contains(p)) else {
            let what = format!("attribute \"p\" = {power}");
            return Err(self.refuse(what, "1 to 16", "use the Euclidean norm"));
        };
        let input = self.front(0)?;
        let windows = self.axis_windows(input)?;
        let shape = self.shape_of(input).to_vec();
        let magnitude = Function::primitive(Primitive::Abs);
        let raised = match power {
            1 => magnitude,
            _ => magnitude.then(Primitive::Power(power)),
        };
        let raised = self.push(FloatOp::Function(raised), vec![input], shape)?;
        let mean = self.pooled_axes(raised, &windows, true)?;
        let taps: usize = windows.iter().map(|window| window.kernel).product();
        #[expect(clippy::cast_precision_loss, reason = "at most 2^36 taps")]
        let sum = Function::X.affine(taps as f64, 0.0);
        let root = match power {
            1 => sum,
            2 => sum.then(Primitive::Sqrt),
            _ => sum.then(Primitive::RealPower(1.0 / f64::from(power))),
        };
        let shape = self.shape_of(mean).to_vec();
        let made = self.push(FloatOp::Function(root), vec![mean], shape)?;
        Ok(self.behind_batch(made, Kind::Float))
    }

    /// The windows of the node over `[C][extents]..`.
    fn axis_windows(&self, input: usize) -> Result<Vec<AxisWindow>, ImportError> {
        let extents = self.shape_of(input).get(1..).unwrap_or_default().to_vec();
        let axes = extents.len();
        let listed = |name: &str, count: usize, default: i64| {
            let values = self.ints(name)?.unwrap_or_else(|| vec![default; count]);
            let sizes: Option<Vec<usize>> = values
                .iter()
                .map(|&v| usize::try_from(v).ok().filter(|&v| v <= EXTENT_MAX))
                .collect();
            sizes.filter(|sizes| sizes.len() == count).ok_or_else(|| {
                self.refuse(
                    format!("attribute {name:?} = {values:?} over {axes} axes"),
                    "one number for each spatial axis, 4096 at most",
                    "check the model with onnx.checker",
                )
            })
        };
        let kernel = listed("kernel_shape", axes, 0)?;
        let (strides, dilations) = (listed("strides", axes, 1)?, listed("dilations", axes, 1)?);
        let pads = listed("pads", 2 * axes, 0)?;
        let window = |axis: usize| AxisWindow {
            extent: extents[axis],
            kernel: kernel[axis],
            stride: strides[axis],
            dilation: dilations[axis],
            begin: pads[axis],
            end: pads[axes + axis],
            out: 0,
        };
        (0..axes)
            .map(|axis| self.settled_window(window(axis)))
            .collect()
    }

    /// The window with its padding and output, by `auto_pad` and `ceil_mode`.
    fn settled_window(&self, mut window: AxisWindow) -> Result<AxisWindow, ImportError> {
        let asked = window;
        let refuse = |context: &Self| {
            context.refuse(
                format!(
                    "a window of {} cells {} apart, pads {} and {}, stride {}, over {} cells",
                    asked.kernel,
                    asked.dilation,
                    asked.begin,
                    asked.end,
                    asked.stride,
                    asked.extent
                ),
                "windows that fit, with pads smaller than their span",
                "use a smaller kernel or less padding",
            )
        };
        if window.kernel == 0 || window.stride == 0 || window.dilation == 0 {
            return Err(refuse(self));
        }
        let span = (window.kernel - 1) * window.dilation + 1;
        let same = match self.text("auto_pad", "NOTSET")?.as_str() {
            "SAME_UPPER" => Some(false),
            "SAME_LOWER" => Some(true),
            _ => None,
        };
        if let Some(lower) = same {
            window.out = window.extent.div_ceil(window.stride);
            let reach = (window.out.max(1) - 1) * window.stride + span;
            let total = reach.saturating_sub(window.extent);
            let (small, large) = (total / 2, total.div_ceil(2));
            (window.begin, window.end) = if lower {
                (large, small)
            } else {
                (small, large)
            };
        } else {
            let padded = window.extent + window.begin + window.end;
            let beyond = padded.checked_sub(span).ok_or_else(|| refuse(self))?;
            window.out = beyond / window.stride + 1;
            let more = self.int("ceil_mode", 0)? != 0 && !beyond.is_multiple_of(window.stride);
            // A last window that begins behind the input is dropped, as in ONNX Runtime.
            if more && window.out * window.stride < window.extent + window.begin {
                window.out += 1;
            }
        }
        let last = (window.out.max(1) - 1) * window.stride;
        let reads = window.begin < span && last < window.extent + window.begin;
        if window.out == 0 || !reads {
            return Err(refuse(self));
        }
        Ok(window)
    }

    /// `[C][extents]..` pooled along each axis: `[C][outs]..`; padding of a mean is zero and counts.
    fn pooled_axes(
        &mut self,
        input: usize,
        windows: &[AxisWindow],
        is_mean: bool,
    ) -> Result<usize, ImportError> {
        let mut node = input;
        for (axis, window) in windows.iter().enumerate() {
            let shape = self.shape_of(node).to_vec();
            let outer = product(&shape[..=axis]).unwrap_or(usize::MAX);
            let inner = product(&shape[axis + 2..]).unwrap_or(usize::MAX);
            let picture = self.view(node, vec![outer, window.extent, inner])?;
            let pooled = self.pooled_column(picture, window, is_mean)?;
            let mut made = shape;
            made[axis + 1] = window.out;
            node = self.view(pooled, made)?;
        }
        Ok(node)
    }

    /// `[outer][extent][inner]` pooled along its middle axis.
    fn pooled_column(
        &mut self,
        picture: usize,
        window: &AxisWindow,
        is_mean: bool,
    ) -> Result<usize, ImportError> {
        let &[outer, extent, inner] = self.shape_of(picture) else {
            return Err(self.unknown_target());
        };
        let op = |window| {
            if is_mean {
                FloatOp::AvgPool(window)
            } else {
                FloatOp::MaxPool(window)
            }
        };
        if window.dilation == 1 {
            let reach = (window.out - 1) * window.stride + window.kernel;
            let plain = Window2 {
                kernel: [window.kernel, 1],
                strides: [window.stride, 1],
                pads_begin: [window.begin, 0],
                pads_end: [reach.saturating_sub(extent + window.begin), 0],
                dilations: [1, 1],
            };
            return self.push(op(plain), vec![picture], vec![outer, window.out, inner]);
        }
        let mut taps = Vec::with_capacity(window.kernel);
        for tap in 0..window.kernel {
            taps.push(self.tap_cells(picture, window, tap, is_mean)?);
        }
        let joined = vec![outer, window.kernel * window.out, inner];
        let joined = if taps.len() == 1 {
            taps[0]
        } else {
            self.push(FloatOp::Concat(1), taps, joined)?
        };
        let columns = self.view(joined, vec![outer, window.kernel, window.out * inner])?;
        let shape = vec![outer, 1, window.out * inner];
        let pooled = self.push(op(Window2::whole(window.kernel, 1)), vec![columns], shape)?;
        self.view(pooled, vec![outer, window.out, inner])
    }

    /// The cell of one tap for each output: `[outer][out][inner]`.
    fn tap_cells(
        &mut self,
        picture: usize,
        window: &AxisWindow,
        tap: usize,
        is_mean: bool,
    ) -> Result<usize, ImportError> {
        let shape = self.shape_of(picture).to_vec();
        if is_mean {
            let mut walks: Vec<AxisWalk> = shape.iter().map(|&e| AxisWalk::whole(e)).collect();
            walks[1] = AxisWalk {
                numerator: i64::try_from(window.stride).unwrap_or(i64::MAX),
                offset: window.at(0, tap).unwrap_or(0),
                ..AxisWalk::whole(window.out)
            };
            let made = vec![shape[0], window.out, shape[2]];
            return self.push(FloatOp::Walk(walks, 0.0), vec![picture], made);
        }
        let cells = (0..window.out).map(|output| window.stand_in(output, tap));
        let cells: Option<Vec<usize>> = cells.collect();
        let cells = cells.ok_or_else(|| self.unknown_target())?;
        let act = Act {
            node: picture,
            dims: shape,
            batch: Batch::Absent,
            kind: Kind::Float,
        };
        Ok(self.picked(&act, 1, &cells)?.node)
    }

    /// Means over all taps as means over those that count.
    fn counted_only(
        &mut self,
        pooled: usize,
        windows: &[AxisWindow],
        with_padding: bool,
    ) -> Result<usize, ImportError> {
        let mut factors = vec![1.0_f32];
        for window in windows {
            #[expect(clippy::cast_precision_loss, reason = "at most 4096 taps")]
            let factor =
                |output: usize| window.kernel as f32 / window.counted(output, with_padding) as f32;
            let along: Vec<f32> = (0..window.out).map(factor).collect();
            factors = factors
                .iter()
                .flat_map(|f| along.iter().map(move |g| f * g))
                .collect();
        }
        if factors.iter().all(|f| f.to_bits() == 1.0_f32.to_bits()) {
            return Ok(pooled);
        }
        self.spend(factors.len())?;
        let shape = self.shape_of(pooled).to_vec();
        let plane = vec![shape[0], shape[1], shape[2..].iter().product()];
        let picture = self.view(pooled, plane.clone())?;
        let scaled = self.push(FloatOp::Plane(factors), vec![picture], plane)?;
        self.view(scaled, shape)
    }

    /// Sums of squares of neighbouring channels divide each element.
    ///
    /// `y = x / (bias + alpha / size * sum x^2)^beta`
    pub(super) fn local_norm(&mut self) -> Imported {
        self.allow(&["alpha", "beta", "bias", "size"])?;
        let input = self.front(0)?;
        let shape = self.shape_of(input).to_vec();
        let size = self.int("size", 0)?;
        let size = usize::try_from(size)
            .ok()
            .filter(|s| (1..=EXTENT_MAX).contains(s));
        let (Some(size), Some((&channels, inner))) = (size, shape.split_first()) else {
            return Err(self.unknown_target());
        };
        let inner: usize = inner.iter().product();
        let squares = Function::primitive(Primitive::Power(2));
        let picture = self.view(input, vec![1, channels, inner])?;
        let squares = self.push(
            FloatOp::Function(squares),
            vec![picture],
            vec![1, channels, inner],
        )?;
        let window = AxisWindow {
            extent: channels,
            kernel: size,
            stride: 1,
            dilation: 1,
            begin: (size - 1) / 2,
            end: size / 2,
            out: channels,
        };
        let mean = self.pooled_column(squares, &window, true)?;
        let alpha = f64::from(self.float("alpha", 1e-4)?);
        let (beta, bias) = (self.float("beta", 0.75)?, self.float("bias", 1.0)?);
        let power = Primitive::RealPower(-f64::from(beta));
        let factor = Function::X.affine(alpha, f64::from(bias)).then(power);
        let factor = self.push(
            FloatOp::Function(factor),
            vec![mean],
            vec![1, channels, inner],
        )?;
        let factor = self.view(factor, shape.clone())?;
        let spread = Spread::full(shape.len());
        let op = FloatOp::Pair(Arithmetic::Mul, spread);
        let made = self.push(op, vec![input, factor], shape)?;
        Ok(self.behind_batch(made, Kind::Float))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn padding_of_a_maximum_reads_a_cell_of_the_same_window() {
        let window = AxisWindow {
            extent: 5,
            kernel: 3,
            stride: 1,
            dilation: 2,
            begin: 3,
            end: 3,
            out: 7,
        };
        for output in 0..window.out {
            let inside: Vec<usize> = (0..3)
                .filter_map(|tap| window.at(output, tap))
                .filter_map(|at| usize::try_from(at).ok().filter(|&at| at < 5))
                .collect();
            for tap in 0..3 {
                let stand_in = window.stand_in(output, tap).unwrap();
                assert!(inside.contains(&stand_in), "{output} {tap}: {stand_in}");
            }
        }
        assert_eq!((window.counted(0, false), window.counted(0, true)), (1, 3));
    }
}
