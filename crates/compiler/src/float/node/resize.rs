//! Import of Resize: nearest cells are walks, interpolation is a dense node over each axis.

use super::super::act::Act;
use super::super::constant::Value;
use super::super::error::ImportError;
use super::super::graph::{INPUT_ELEMENTS_MAX, Linear};
use super::super::symbolic::SymInt;
use super::super::walk::AxisWalk;
use super::{Imported, NodeContext};

/// Longest axis that is interpolated.
const INTERPOLATED_MAX: usize = 4_096;

/// What one axis is resized to.
#[derive(Clone, Copy)]
struct Resized {
    extent: usize,
    size: usize,
    scale: f64,
    /// First and last place of the part that is shown, in extents, of `tf_crop_and_resize`.
    crop: Option<[f64; 2]>,
}

impl NodeContext<'_> {
    /// Resizing of axes of the sample.
    pub(super) fn resize(&mut self) -> Imported {
        self.allow(&[
            "antialias",
            "axes",
            "coordinate_transformation_mode",
            "cubic_coeff_a",
            "exclude_outside",
            "extrapolation_value",
            "keep_aspect_ratio_policy",
            "mode",
            "nearest_mode",
        ])?;
        let mut act = self.act(0)?;
        let axes = self.resized(&act)?;
        let fits =
            |axis: &Resized| axis.extent >= 1 && (1..=INPUT_ELEMENTS_MAX).contains(&axis.size);
        if !axes.iter().all(fits) {
            return Err(self.unknown_target());
        }
        let mode = self.text("mode", "nearest")?;
        if mode == "nearest" {
            self.require_int("antialias", 0)?;
            return self.resize_nearest(&act, &axes);
        }
        if mode != "linear" && mode != "cubic" {
            let what = format!("attribute \"mode\" = {mode:?}");
            return Err(self.refuse(what, "nearest, linear, cubic", "export with another mode"));
        }
        for (axis, resized) in axes.iter().enumerate() {
            let stays = resized.size == resized.extent
                && (resized.scale - 1.0).abs() <= 0.0
                && resized.crop.is_none();
            if !stays {
                let linear = self.interpolation(*resized, mode == "cubic")?;
                act = self.dense_along(&act, axis, linear)?;
            }
        }
        Ok(self.value_of(act))
    }

    /// Extents after a resize, from the scales or the sizes.
    fn resized(&self, act: &Act) -> Result<Vec<Resized>, ImportError> {
        let refuse = || {
            self.refuse(
                "scales or sizes that are no constants of the rank".to_owned(),
                "constant scales or sizes that keep the rank",
                "export with fixed sizes",
            )
        };
        let rank = act.dims.len();
        let axes = match self.ints("axes")? {
            None => (0..rank).collect(),
            Some(listed) => {
                let axes: Result<Vec<usize>, ImportError> =
                    listed.iter().map(|&axis| self.axis(axis, rank)).collect();
                axes?
            }
        };
        let mut resized: Vec<Resized> = act.dims.iter().map(|&extent| unchanged(extent)).collect();
        self.cropped(&mut resized, &axes)?;
        if self.has(3) {
            let mut sizes = self.sizes_with_batch(3)?;
            if sizes.len() != axes.len() {
                return Err(refuse());
            }
            if let Some(scale) = self.one_scale(act, &axes, &sizes)? {
                for (&axis, size) in axes.iter().zip(&mut sizes) {
                    *size = rounded(scale, act.dims[axis]);
                    resized[axis].size = *size;
                    resized[axis].scale = scale;
                }
                return Ok(resized);
            }
            for (&axis, &size) in axes.iter().zip(&sizes) {
                #[expect(clippy::cast_precision_loss, reason = "extents stay below 2^24")]
                let scale = size as f64 / act.dims[axis] as f64;
                resized[axis].size = size;
                resized[axis].scale = scale;
            }
            return Ok(resized);
        }
        let scales = self.float_constant(2)?;
        if scales.elements.len() != axes.len() {
            return Err(refuse());
        }
        for (&axis, &scale) in axes.iter().zip(&*scales.elements) {
            #[expect(clippy::cast_precision_loss, reason = "extents stay below 2^24")]
            let size = (act.dims[axis] as f32 * scale).floor();
            if !(1.0..16_777_216.0).contains(&size) {
                return Err(refuse());
            }
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "checked to be in range"
            )]
            let size = size as usize;
            resized[axis].size = size;
            resized[axis].scale = f64::from(scale);
        }
        Ok(resized)
    }

    /// The one scale of all axes that keeps the aspect, if the policy asks for it.
    fn one_scale(
        &self,
        act: &Act,
        axes: &[usize],
        sizes: &[usize],
    ) -> Result<Option<f64>, ImportError> {
        let policy = self.text("keep_aspect_ratio_policy", "stretch")?;
        #[expect(clippy::cast_precision_loss, reason = "extents stay below 2^24")]
        let scale = |(&axis, &size): (&usize, &usize)| size as f64 / act.dims[axis] as f64;
        let scales = axes.iter().zip(sizes).map(scale);
        match policy.as_str() {
            "stretch" => Ok(None),
            "not_larger" => Ok(Some(scales.fold(f64::INFINITY, f64::min))),
            "not_smaller" => Ok(Some(scales.fold(0.0, f64::max))),
            _ => {
                let what = format!("attribute \"keep_aspect_ratio_policy\" = {policy:?}");
                Err(self.refuse(
                    what,
                    "stretch, not_larger, not_smaller",
                    "export with fixed sizes",
                ))
            }
        }
    }

    /// The part of each axis that `tf_crop_and_resize` shows: input 1, all starts and then all ends.
    fn cropped(&self, resized: &mut [Resized], axes: &[usize]) -> Result<(), ImportError> {
        let mode = self.text("coordinate_transformation_mode", "half_pixel")?;
        if mode != "tf_crop_and_resize" {
            return Ok(());
        }
        let parts = self.float_constant(1)?.elements;
        if parts.len() != 2 * axes.len() || self.text("mode", "nearest")? == "nearest" {
            return Err(self.refuse(
                format!("a part of {} numbers for {} axes", parts.len(), axes.len()),
                "a start and an end for each axis, linear or cubic",
                "crop with a slice before",
            ));
        }
        for (at, &axis) in axes.iter().enumerate() {
            let part = [parts[at], parts[axes.len() + at]].map(f64::from);
            // The whole axis is no part of it.
            resized[axis].crop = Some(part).filter(|p| p[0] != 0.0 || (p[1] - 1.0).abs() > 0.0);
        }
        Ok(())
    }

    /// Input `index` as dimensions at batch size 1.
    pub(super) fn sizes_with_batch(&self, index: usize) -> Result<Vec<usize>, ImportError> {
        let Value::Int(target) = self.value(index)? else {
            return Err(self.unknown_target());
        };
        let one = |value: &SymInt| usize::try_from(value.at_one()?).ok();
        let sizes: Option<Vec<usize>> = target.elements.iter().map(one).collect();
        sizes.ok_or_else(|| self.unknown_target())
    }

    /// Every output cell is the nearest input cell.
    fn resize_nearest(&mut self, act: &Act, axes: &[Resized]) -> Imported {
        let mut walks = Vec::with_capacity(axes.len());
        let mut rest = Vec::new();
        for (axis, resized) in axes.iter().enumerate() {
            let walk = self.nearest_walk(*resized)?;
            if walk.is_none() {
                rest.push(axis);
            }
            walks.push(walk.unwrap_or_else(|| AxisWalk::whole(resized.extent)));
        }
        let mut act = self.walk(act, &walks, 0.0)?;
        for axis in rest {
            let picks = self.nearest_cells(axes[axis])?;
            act = self.picked(&act, axis, &picks)?;
        }
        Ok(self.value_of(act))
    }

    /// The input coordinate of an output cell.
    fn coordinate(&self, resized: Resized, at: usize) -> Result<f64, ImportError> {
        #[expect(clippy::cast_precision_loss, reason = "extents stay below 2^24")]
        let [at, extent, size] = [at, resized.extent, resized.size].map(|n| n as f64);
        let half_pixel = (at + 0.5) / resized.scale - 0.5;
        let mode = self.text("coordinate_transformation_mode", "half_pixel")?;
        Ok(match mode.as_str() {
            "half_pixel" => half_pixel,
            "pytorch_half_pixel" => {
                if size > 1.0 {
                    half_pixel
                } else {
                    0.0
                }
            }
            "half_pixel_symmetric" => {
                let adjusted = size / (resized.scale * extent);
                let offset = extent / 2.0 * (1.0 - adjusted);
                offset + half_pixel
            }
            "align_corners" => {
                if size > 1.0 {
                    at * (extent - 1.0) / (size - 1.0)
                } else {
                    0.0
                }
            }
            "asymmetric" => at / resized.scale,
            "tf_crop_and_resize" => {
                let [start, end] = resized.crop.unwrap_or([0.0, 1.0]);
                let last = extent - 1.0;
                if size > 1.0 {
                    start * last + at * (end - start) * last / (size - 1.0)
                } else {
                    0.5 * (start + end) * last
                }
            }
            other => {
                return Err(self.refuse(
                    format!("attribute \"coordinate_transformation_mode\" = {other:?}"),
                    "half_pixel, pytorch_half_pixel, half_pixel_symmetric, align_corners, asymmetric, tf_crop_and_resize",
                    "crop with a slice before",
                ));
            }
        })
    }

    /// The nearest input cell of each output cell.
    fn nearest_cells(&self, resized: Resized) -> Result<Vec<usize>, ImportError> {
        let rounding = self.text("nearest_mode", "round_prefer_floor")?;
        let mut cells = Vec::with_capacity(resized.size);
        for at in 0..resized.size {
            let x = self.coordinate(resized, at)?;
            let rounded = match rounding.as_str() {
                "floor" => x.floor(),
                "ceil" => x.ceil(),
                "round_prefer_ceil" => (x + 0.5).floor(),
                _ => (x - 0.5).ceil(),
            };
            cells.push(clamped(rounded, resized.extent));
        }
        Ok(cells)
    }

    /// One walk for all cells of an axis, where the factor allows it.
    fn nearest_walk(&self, resized: Resized) -> Result<Option<AxisWalk>, ImportError> {
        let Resized { extent, size, .. } = resized;
        if size == extent && (resized.scale - 1.0).abs() < f64::EPSILON {
            return Ok(Some(AxisWalk::whole(extent)));
        }
        let (Ok(numerator), Ok(denominator)) = (i64::try_from(extent), i64::try_from(size)) else {
            return Err(self.unknown_target());
        };
        let walk = if extent >= 1 && size.is_multiple_of(extent) {
            AxisWalk {
                denominator: denominator / numerator,
                ..AxisWalk::whole(size)
            }
        } else {
            AxisWalk {
                numerator,
                denominator,
                ..AxisWalk::whole(size)
            }
        };
        let cells = self.nearest_cells(resized)?;
        let same = |(at, &cell): (usize, &usize)| walk.index(at, extent) == Some(cell);
        Ok(cells.iter().enumerate().all(same).then_some(walk))
    }

    /// The matrix of an interpolation, `[size][extent]`.
    fn interpolation(&mut self, resized: Resized, cubic: bool) -> Result<Linear, ImportError> {
        let Resized { extent, size, .. } = resized;
        if extent.max(size) > INTERPOLATED_MAX {
            return Err(self.refuse(
                format!("{extent} to {size} cells"),
                "axes of at most 4096 cells",
                "use a smaller picture",
            ));
        }
        self.spend(extent * size)?;
        let a = f64::from(self.float("cubic_coeff_a", -0.75)?);
        let excludes = self.int("exclude_outside", 0)? != 0;
        let smooth = if self.int("antialias", 0)? == 0 {
            1.0
        } else {
            resized.scale.min(1.0)
        };
        let beyond = self.float("extrapolation_value", 0.0)?;
        let mut weights = vec![0.0_f64; extent * size];
        let mut bias = vec![0.0; size];
        for at in 0..size {
            let x = self.coordinate(resized, at)?;
            #[expect(clippy::cast_precision_loss, reason = "extents stay below 2^24")]
            let outside = x < 0.0 || x > extent as f64 - 1.0;
            if resized.crop.is_some() && outside {
                bias[at] = beyond;
                continue;
            }
            let (floor, fraction) = (x.floor(), x - x.floor());
            let row = &mut weights[at * extent..(at + 1) * extent];
            for (tap, weight) in taps(fraction, smooth, cubic.then_some(a)) {
                let cell = clamped(floor + tap, extent);
                #[expect(clippy::cast_precision_loss, reason = "extents stay below 2^24")]
                let outside = (floor + tap - cell as f64).abs() > 0.5;
                if !(outside && excludes) {
                    row[cell] += weight;
                }
            }
            if excludes {
                let sum: f64 = row.iter().sum();
                for weight in row {
                    *weight /= sum;
                }
            }
        }
        #[expect(clippy::cast_possible_truncation, reason = "single precision")]
        let weights = weights.into_iter().map(|weight| weight as f32).collect();
        Ok(Linear {
            outputs: size,
            weights,
            bias,
        })
    }
}

/// Cells around a coordinate, counted from its floor, with their weights: of linear interpolation, or
/// cubic with a coefficient. A `scale` below 1 widens the reach as the picture shrinks.
fn taps(fraction: f64, scale: f64, cubic: Option<f64>) -> Vec<(f64, f64)> {
    if scale >= 1.0 {
        let of = |taps: Vec<f64>, first: i32| (first..).map(f64::from).zip(taps).collect();
        return match cubic {
            Some(a) => of(cubic_taps(fraction, a).to_vec(), -1),
            None => of(vec![1.0 - fraction, fraction], 0),
        };
    }
    let reach = if cubic.is_some() { 2.0 } else { 1.0 };
    #[expect(
        clippy::cast_possible_truncation,
        reason = "scales of axes of at most 4096 cells"
    )]
    let first = ((-reach / scale).floor() as i32 + 1).max(-16_384);
    let weight = |tap: i32| {
        let distance = ((f64::from(tap) - fraction) * scale).abs();
        match cubic {
            None => (1.0 - distance).max(0.0),
            Some(a) if distance <= 1.0 => cubic_taps(distance, a)[1],
            Some(a) if distance < 2.0 => cubic_taps(distance - 1.0, a)[0],
            Some(_) => 0.0,
        }
    };
    let taps: Vec<(f64, f64)> = (first..2 - first)
        .map(|tap| (f64::from(tap), weight(tap)))
        .collect();
    let sum: f64 = taps.iter().map(|(_, weight)| weight).sum();
    taps.into_iter().map(|(tap, w)| (tap, w / sum)).collect()
}

/// An extent times a scale, to the nearest whole number.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "extents stay below 2^24, and what is too large is refused behind"
)]
fn rounded(scale: f64, extent: usize) -> usize {
    (scale * extent as f64 + 0.5).floor().max(0.0) as usize
}

fn unchanged(extent: usize) -> Resized {
    Resized {
        extent,
        size: extent,
        scale: 1.0,
        crop: None,
    }
}

/// Weights of the cells -1, 0, 1, 2 around a coordinate.
pub(super) fn cubic_taps(t: f64, a: f64) -> [f64; 4] {
    let near = |t: f64| ((a + 2.0) * t - (a + 3.0)) * t * t + 1.0;
    let far = |t: f64| ((a * t - 5.0 * a) * t + 8.0 * a) * t - 4.0 * a;
    [far(t + 1.0), near(t), near(1.0 - t), far(2.0 - t)]
}

/// A coordinate as a cell of an axis.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "cut to the axis, which has fewer than 2^24 cells"
)]
fn clamped(x: f64, extent: usize) -> usize {
    x.max(0.0).min(extent as f64 - 1.0) as usize
}
