//! Import of `GridSample` by constant places and of `AffineGrid`: a dense node over all cells.
//!
//! ```text
//! y[c][place] = sum over cells of weight[place][cell] * x[c][cell]
//! ```
//!
//! The weight of a cell is the product of its weights along the axes, those of `Resize`: one for the
//! nearest cell, two for linear, four for cubic interpolation.
//!
//! Source: ONNX operators, `GridSample`, `AffineGrid`.

use super::super::act::{Act, Frame};
use super::super::constant::product;
use super::super::error::ImportError;
use super::super::graph::Linear;
use super::resize::cubic_taps;
use super::{Imported, NodeContext};

/// Most cells of a picture, and most places.
const CELLS_MAX: usize = 4_096;
/// Coefficient of cubic interpolation.
const CUBIC: f64 = -0.75;

/// What lies outside of the cells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Padding {
    Zeros,
    Border,
    Reflection,
}

/// How many cells a place reads along an axis.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Taps {
    Nearest,
    Linear,
    Cubic,
}

/// How places become cells.
#[derive(Debug, Clone, Copy)]
struct Sampling {
    padding: Padding,
    taps: Taps,
    align_corners: bool,
}

impl Sampling {
    /// The cells that a place between -1 and 1 reads on an axis, with their weights.
    fn cells(self, place: f32, extent: usize) -> Vec<(usize, f64)> {
        #[expect(clippy::cast_precision_loss, reason = "extents stay below 2^24")]
        let length = extent as f32;
        let mut x = f64::from(if self.align_corners {
            (place * 0.5 + 0.5) * (length - 1.0)
        } else {
            ((place + 1.0) * length - 1.0) / 2.0
        });
        let last = f64::from(length) - 1.0;
        let (low, high) = if self.align_corners {
            (0.0, last)
        } else {
            (-0.5, last + 0.5)
        };
        if self.taps == Taps::Nearest {
            x = x.round_ties_even();
        }
        // As PyTorch and ONNX Runtime do it: each cell of a cubic is brought inside on its own.
        if self.taps != Taps::Cubic && (x < low || x > high) {
            x = match self.padding {
                Padding::Zeros => x,
                Padding::Border => x.clamp(0.0, last),
                Padding::Reflection => reflected(x, low, high),
            };
        }
        let (floor, t) = (x.floor(), x - x.floor());
        let taps = match self.taps {
            Taps::Nearest => vec![(x.trunc(), 1.0)],
            Taps::Linear => vec![(floor, 1.0 - t), (floor + 1.0, t)],
            Taps::Cubic => (-1..3)
                .map(|tap| floor + f64::from(tap))
                .zip(cubic_taps(t, CUBIC))
                .collect(),
        };
        let inside = |(cell, weight): (f64, f64)| {
            let cell = match self.padding {
                Padding::Zeros => Some(cell).filter(|c| (0.0..=last).contains(c)),
                Padding::Border => Some(cell.clamp(0.0, last)),
                Padding::Reflection => Some(reflected(cell, low, high).clamp(0.0, last)),
            }?;
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "cut to the axis"
            )]
            Some((cell as usize, weight))
        };
        taps.into_iter().filter_map(inside).collect()
    }

    /// The weights of all cells of `extents` for one place, whose numbers are those of the last
    /// axis first.
    fn row(self, place: &[f32], extents: &[usize]) -> Vec<f32> {
        let mut cells = vec![(0_usize, 1.0_f64)];
        for (&at, &extent) in place.iter().rev().zip(extents) {
            let along = self.cells(at, extent);
            cells = cells
                .iter()
                .flat_map(|&(cell, weight)| {
                    let next = along.iter();
                    next.map(move |&(c, w)| (cell * extent + c, weight * w))
                })
                .collect();
        }
        let mut row = vec![0.0_f64; extents.iter().product()];
        for (cell, weight) in cells {
            row[cell] += weight;
        }
        #[expect(clippy::cast_possible_truncation, reason = "single precision")]
        row.into_iter().map(|weight| weight as f32).collect()
    }
}

/// A coordinate thrown back at both ends until it lies between them.
fn reflected(x: f64, low: f64, high: f64) -> f64 {
    let span = high - low;
    if (low..=high).contains(&x) || span <= 0.0 {
        return x.clamp(low, high);
    }
    let beyond = if x < low { low - x } else { x - high };
    let turns = (beyond / span).floor();
    let rest = beyond - turns * span;
    let even = turns.rem_euclid(2.0) < 0.5;
    if (x < low) == even {
        low + rest
    } else {
        high - rest
    }
}

impl NodeContext<'_> {
    /// Cells of `[N][C]..` at constant places `[N]..[axes]`.
    pub(super) fn grid_sample(&mut self) -> Imported {
        self.allow(&["align_corners", "mode", "padding_mode"])?;
        let sampling = self.sampling()?;
        let act = self.act(0)?;
        let grid = self.float_constant(1)?;
        let extents = act.dims.get(2..).unwrap_or_default().to_vec();
        let cells = product(&extents).filter(|&n| (1..=CELLS_MAX).contains(&n));
        let fits = grid.dims.len() == act.dims.len()
            && grid.dims.last() == Some(&extents.len())
            && grid.dims.first() == act.dims.first();
        let (Some(cells), true) = (cells, fits) else {
            return Err(self.refuse(
                format!("places of shape {:?} over {:?}", grid.dims, act.dims),
                "constant places for one sample over at most 4096 cells",
                "take this step out of the model",
            ));
        };
        let outs = grid.dims[1..grid.dims.len() - 1].to_vec();
        let places: usize = outs.iter().product();
        if !(1..=CELLS_MAX).contains(&places) {
            return Err(self.unknown_target());
        }
        let inner: Vec<usize> = (1..act.dims.len()).collect();
        let act = self.apart(&act, &inner)?;
        let samples = grid.dims[0];
        let mut parts = Vec::with_capacity(samples);
        for sample in 0..samples {
            self.spend(places * cells)?;
            let own = &grid.elements[sample * places * extents.len()..];
            let rows = own.chunks_exact(extents.len()).take(places);
            let linear = Linear {
                outputs: places,
                weights: rows.flat_map(|p| sampling.row(p, &extents)).collect(),
                bias: vec![0.0; places],
            };
            let part = if samples == 1 {
                act.clone()
            } else {
                self.range(&act, 0, sample, 1)?
            };
            let frame = Frame {
                dims: vec![1, act.dims[1], cells],
                batch: part.batch,
            };
            let flat = self.framed(&part, frame)?;
            parts.push(self.dense(&flat, linear)?);
        }
        let made = self.joined(&parts, 0)?;
        let dims = [&act.dims[..2], outs.as_slice()].concat();
        let batch = made.batch;
        let made = self.framed(&made, Frame { dims, batch })?;
        Ok(self.value_of(made))
    }

    fn sampling(&self) -> Result<Sampling, ImportError> {
        let refuse = |name: &str, value: &str, supported: &str| {
            let what = format!("attribute {name:?} = {value:?}");
            self.refuse(what, supported, "export with another mode")
        };
        let mode = self.text("mode", "linear")?;
        let taps = match mode.as_str() {
            "nearest" => Taps::Nearest,
            "linear" | "bilinear" => Taps::Linear,
            "cubic" | "bicubic" => Taps::Cubic,
            other => return Err(refuse("mode", other, "nearest, linear, cubic")),
        };
        let padding = self.text("padding_mode", "zeros")?;
        let padding = match padding.as_str() {
            "zeros" => Padding::Zeros,
            "border" => Padding::Border,
            "reflection" => Padding::Reflection,
            other => return Err(refuse("padding_mode", other, "zeros, border, reflection")),
        };
        Ok(Sampling {
            padding,
            taps,
            align_corners: self.int("align_corners", 0)? != 0,
        })
    }

    /// Places of a grid of constant size under affine maps `[N][axes][axes + 1]`.
    pub(super) fn affine_grid(&mut self) -> Imported {
        self.allow(&["align_corners"])?;
        let maps = self.act(0)?;
        let sizes = self.sizes_with_batch(1)?;
        let extents = sizes.get(2..).unwrap_or_default().to_vec();
        let axes = extents.len();
        let places = product(&extents).filter(|&n| (1..=CELLS_MAX * 4).contains(&n));
        let fits = maps.dims.get(1..) == Some(&[axes, axes + 1]);
        let (Some(places), true) = (places, fits) else {
            return Err(self.unknown_target());
        };
        let aligned = self.int("align_corners", 0)? != 0;
        let mut weights = Vec::with_capacity(places * (axes + 1));
        for place in 0..places {
            let mut rest = place;
            // The last axis first, as the maps have them.
            for &extent in extents.iter().rev() {
                weights.push(coordinate(rest % extent, extent, aligned));
                rest /= extent;
            }
            weights.push(1.0);
        }
        self.spend(weights.len())?;
        let linear = Linear {
            outputs: places,
            weights,
            bias: vec![0.0; places],
        };
        let made: Act = self.dense(&maps, linear)?;
        let made = self.turned(&made, &[0, 2, 1])?;
        let dims = [&maps.dims[..1], &extents, &[axes]].concat();
        let batch = made.batch;
        let made = self.framed(&made, Frame { dims, batch })?;
        Ok(self.value_of(made))
    }
}

/// The blocks of `Col2Im`: one axis.
struct Blocks {
    extent: usize,
    block: usize,
    dilation: usize,
    begin: usize,
    stride: usize,
    count: usize,
}

impl NodeContext<'_> {
    /// Blocks `[N][C * block][positions]` added up where they lie in `[N][C]..`.
    pub(super) fn blocks_to_image(&mut self) -> Imported {
        self.allow(&["dilations", "pads", "strides"])?;
        let act = self.act(0)?;
        let (image, block) = (self.sizes_with_batch(1)?, self.sizes_with_batch(2)?);
        let axes = self.block_axes(&image, &block)?;
        let cells: usize = image.iter().product();
        let taps: usize = block.iter().product();
        let positions: usize = axes.iter().map(|axis| axis.count).product();
        let fits = act.dims.len() == 3
            && taps >= 1
            && act.dims[1].is_multiple_of(taps)
            && act.dims[2] == positions
            && cells <= CELLS_MAX
            && taps * positions <= CELLS_MAX;
        if !fits {
            return Err(self.refuse(
                format!("blocks {:?} for an image of {image:?}", act.dims),
                "[N][C * block][positions] of at most 4096 cells",
                "use ConvTranspose",
            ));
        }
        let act = self.apart(&act, &[1, 2])?;
        let mut weights = vec![0.0; cells * taps * positions];
        for tap in 0..taps {
            for position in 0..positions {
                if let Some(cell) = block_cell(&axes, tap, position) {
                    weights[(cell * taps + tap) * positions + position] = 1.0;
                }
            }
        }
        self.spend(weights.len())?;
        let channels = act.dims[1] / taps;
        let frame = Frame {
            dims: vec![act.dims[0], channels, taps * positions],
            batch: act.batch,
        };
        let flat = self.framed(&act, frame)?;
        let linear = Linear {
            outputs: cells,
            weights,
            bias: vec![0.0; cells],
        };
        let made = self.dense(&flat, linear)?;
        let dims = [&[act.dims[0], channels], image.as_slice()].concat();
        let batch = made.batch;
        let made = self.framed(&made, Frame { dims, batch })?;
        Ok(self.value_of(made))
    }

    fn block_axes(&self, image: &[usize], block: &[usize]) -> Result<Vec<Blocks>, ImportError> {
        let axes = image.len();
        let listed = |name: &str, count: usize, default: i64| {
            let values = self.ints(name)?.unwrap_or_else(|| vec![default; count]);
            let sizes = values.iter().map(|&v| usize::try_from(v).ok());
            let sizes: Option<Vec<usize>> = sizes.map(|v| v.filter(|&v| v <= CELLS_MAX)).collect();
            let sizes = sizes.filter(|sizes| sizes.len() == count);
            sizes.ok_or_else(|| self.unknown_target())
        };
        let (dilations, strides) = (listed("dilations", axes, 1)?, listed("strides", axes, 1)?);
        let pads = listed("pads", 2 * axes, 0)?;
        let axis = |at: usize| {
            let block = *block.get(at).filter(|&&b| (1..=CELLS_MAX).contains(&b))?;
            let padded = image[at]
                .checked_add(pads[at])?
                .checked_add(pads[axes + at])?;
            let beyond = padded.checked_sub((block - 1) * dilations[at] + 1)?;
            Some(Blocks {
                extent: image[at],
                block,
                dilation: dilations[at],
                begin: pads[at],
                stride: strides[at],
                count: beyond.checked_div(strides[at])? + 1,
            })
        };
        let made: Option<Vec<Blocks>> = (0..axes).map(axis).collect();
        made.ok_or_else(|| self.unknown_target())
    }
}

/// The cell of a tap of the block at a position, unless it lies in the padding.
fn block_cell(axes: &[Blocks], mut tap: usize, mut position: usize) -> Option<usize> {
    let (mut cell, mut stride) = (0, 1);
    for axis in axes.iter().rev() {
        let padded = position % axis.count * axis.stride + tap % axis.block * axis.dilation;
        let at = padded
            .checked_sub(axis.begin)
            .filter(|&at| at < axis.extent)?;
        cell += at * stride;
        stride *= axis.extent;
        (tap, position) = (tap / axis.block, position / axis.count);
    }
    Some(cell)
}

/// The place of a cell between -1 and 1.
fn coordinate(cell: usize, extent: usize, aligned: bool) -> f32 {
    #[expect(clippy::cast_precision_loss, reason = "extents stay below 2^24")]
    let (cell, extent) = (cell as f32, extent as f32);
    if aligned {
        2.0 * cell / (extent - 1.0).max(1.0) - 1.0
    } else {
        (2.0 * cell + 1.0) / extent - 1.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_outside_read_what_the_padding_says() {
        let of = |padding| Sampling {
            padding,
            taps: Taps::Nearest,
            align_corners: true,
        };
        assert!(of(Padding::Zeros).cells(1.5, 5).is_empty());
        assert_eq!(of(Padding::Border).cells(1.5, 5), [(4, 1.0)]);
        assert_eq!(of(Padding::Reflection).cells(1.5, 5), [(3, 1.0)]);
        assert!((reflected(-1.5, 0.0, 4.0) - 1.5).abs() < 1e-12);
    }
}
