//! Import of Pad: a constant around an activation is a walk, its own cells are walks behind one another.

use super::super::act::Act;
use super::super::error::ImportError;
use super::super::graph::INPUT_ELEMENTS_MAX;
use super::super::walk::AxisWalk;
use super::{Imported, NodeContext, Value};

impl NodeContext<'_> {
    /// Cells around an activation; negative pads cut.
    pub(super) fn pad(&mut self) -> Imported {
        self.allow(&["mode", "pads", "value"])?;
        let mode = self.text("mode", "constant")?;
        if !["constant", "edge", "reflect", "wrap"].contains(&mode.as_str()) {
            return Err(self.refuse(
                format!("attribute \"mode\" = {mode:?}"),
                "constant, edge, reflect, wrap",
                "use padding_mode=\"zeros\"",
            ));
        }
        let source = self.source(0)?;
        let act = source.act.clone();
        let sides = self.sides(&act)?;
        if mode == "constant" {
            let fill = self.filler()?;
            let mut walks = Self::whole(&act);
            for &(axis, begin, end) in &sides {
                walks[axis] = self.padded(act.dims[axis], begin, end)?;
            }
            let moved = self.walk(&act, &walks, fill)?;
            return Ok(self.value_of(moved));
        }
        let mut act = act;
        for &(axis, begin, end) in &sides {
            let walk = self.padded(act.dims[axis], begin, end)?;
            let extent = i64::try_from(act.dims[axis]).unwrap_or(i64::MAX);
            let cell = |at: usize| {
                let at = i64::try_from(at).unwrap_or(i64::MAX) - begin;
                mirrored(at, extent, &mode)
            };
            let picks: Vec<usize> = (0..walk.extent).map(cell).collect();
            act = self.picked(&act, axis, &picks)?;
        }
        self.moved(source.ints(), act)
    }

    /// Axes with pads: axis, cells in front, cells behind.
    fn sides(&self, act: &Act) -> Result<Vec<(usize, i64, i64)>, ImportError> {
        let rank = act.dims.len();
        let pads = match self.ints("pads")? {
            Some(pads) => pads,
            None => self.known_ints(1)?,
        };
        let axes = if self.has(3) {
            self.known_ints(3)?
        } else {
            (0..).take(rank).collect()
        };
        if pads.len() != 2 * axes.len() {
            return Err(self.unknown_target());
        }
        let mut sides = Vec::with_capacity(axes.len());
        for (index, &axis) in axes.iter().enumerate() {
            let (begin, end) = (pads[index], pads[index + axes.len()]);
            if begin != 0 || end != 0 {
                sides.push((self.axis(axis, rank)?, begin, end));
            }
        }
        Ok(sides)
    }

    /// The number around the activation.
    fn filler(&self) -> Result<f32, ImportError> {
        let fill = if self.has(2) {
            match self.value(2)? {
                Value::Int(c) => {
                    let known = c.single().and_then(super::SymInt::known);
                    #[expect(clippy::cast_precision_loss, reason = "ONNX rounds here, too")]
                    known.map(|v| v as f32)
                }
                Value::Float(c) => c.single(),
                Value::Activation(_) => None,
            }
        } else {
            Some(self.float("value", 0.0)?)
        };
        fill.filter(|f| f.is_finite()).ok_or_else(|| {
            self.refuse(
                "the constant is no finite number".to_owned(),
                "a finite number",
                "pad with 0",
            )
        })
    }

    fn padded(&self, extent: usize, begin: i64, end: i64) -> Result<AxisWalk, ImportError> {
        let signed = i64::try_from(extent).unwrap_or(i64::MAX);
        let padded = signed.checked_add(begin).and_then(|e| e.checked_add(end));
        let padded = padded.and_then(|e| usize::try_from(e).ok());
        let padded = padded.filter(|e| extent >= 1 && (1..=INPUT_ELEMENTS_MAX).contains(e));
        let padded = padded.ok_or_else(|| self.unknown_target())?;
        Ok(AxisWalk {
            offset: begin.saturating_neg(),
            ..AxisWalk::whole(padded)
        })
    }
}

/// The cell of an axis that stands at `at`, which may lie outside.
fn mirrored(at: i64, extent: i64, mode: &str) -> usize {
    let cell = match mode {
        "wrap" => at.rem_euclid(extent),
        "reflect" if extent > 1 => {
            let period = 2 * (extent - 1);
            let at = at.rem_euclid(period);
            at.min(period - at)
        }
        _ => at.clamp(0, extent - 1),
    };
    usize::try_from(cell).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_outside_come_from_inside() {
        let line = |mode: &str| -> Vec<usize> { (-3..6).map(|at| mirrored(at, 3, mode)).collect() };
        assert_eq!(line("edge"), [0, 0, 0, 0, 1, 2, 2, 2, 2]);
        assert_eq!(line("reflect"), [1, 2, 1, 0, 1, 2, 1, 0, 1]);
        assert_eq!(line("wrap"), [0, 1, 2, 0, 1, 2, 0, 1, 2]);
    }
}
