//! Import of Resize.

use super::super::act::Act;
use super::super::constant::Value;
use super::super::error::ImportError;
use super::super::symbolic::SymInt;
use super::super::walk::AxisWalk;
use super::{Imported, NodeContext};

impl NodeContext<'_> {
    /// Nearest-neighbour resizing of axes of the sample.
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
        let act = self.act(0)?;
        let sizes = self.resized(&act)?;
        let mut walks = Vec::with_capacity(sizes.len());
        for (&extent, &size) in act.dims.iter().zip(&sizes) {
            walks.push(self.nearest(extent, size)?);
        }
        let moved = self.walk(&act, &walks, 0.0)?;
        Ok(self.value_of(moved))
    }

    /// Extents after a resize, from the scales or the sizes.
    fn resized(&self, act: &Act) -> Result<Vec<usize>, ImportError> {
        let refuse = || {
            self.refuse(
                "scales or sizes that are no constants of whole results".to_owned(),
                "constant scales or sizes that keep batch and rank",
                "export with fixed sizes",
            )
        };
        let dims = &act.dims;
        if self.has(3) {
            let sizes = self.sizes_with_batch(3)?;
            return if sizes.len() == dims.len() {
                Ok(sizes)
            } else {
                Err(refuse())
            };
        }
        let scales = self.float_constant(2)?;
        if scales.elements.len() != dims.len() {
            return Err(refuse());
        }
        let scaled = dims.iter().zip(&*scales.elements).map(|(&extent, &scale)| {
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

    /// Input `index` as dimensions at batch size 1.
    pub(super) fn sizes_with_batch(&self, index: usize) -> Result<Vec<usize>, ImportError> {
        let Value::Int(target) = self.value(index)? else {
            return Err(self.unknown_target());
        };
        let one = |value: &SymInt| usize::try_from(value.at_one()?).ok();
        let sizes: Option<Vec<usize>> = target.elements.iter().map(one).collect();
        sizes.ok_or_else(|| self.unknown_target())
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
}
