//! Import of DFT: a dense node of cosines and sines over one axis and the parts of a number.
//!
//! ```text
//! forward   y[k] = sum x[n] e^(-2 pi i k n / L)       inverse   y[n] = 1 / L sum x[k] e^(2 pi i k n / L)
//! one side  forward the first L / 2 + 1 of y; inverse the real y of an x that is symmetric
//! ```
//!
//! Source: ONNX operators, `DFT`.

use super::super::act::Frame;
use super::super::error::ImportError;
use super::super::graph::Linear;
use super::super::math::{cos, sin};
use super::{Imported, NodeContext};

/// Longest axis.
const LENGTH_MAX: usize = 2_048;

/// One transform over an axis.
struct Transform {
    /// Cells of the input.
    cells: usize,
    /// Parts of an input number: 1 real, 2 complex.
    parts: usize,
    length: usize,
    inverse: bool,
    onesided: bool,
}

impl Transform {
    fn outputs(&self) -> usize {
        if self.onesided && !self.inverse {
            self.length / 2 + 1
        } else {
            self.length
        }
    }

    fn output_parts(&self) -> usize {
        if self.onesided && self.inverse { 1 } else { 2 }
    }

    /// The factor of input cell `n` for output cell `k`: real and imaginary.
    fn factor(&self, k: usize, n: usize) -> [f64; 2] {
        if n >= self.length {
            return [0.0, 0.0];
        }
        #[expect(clippy::cast_precision_loss, reason = "lengths of at most 2048")]
        let (turn, length) = ((k * n % self.length) as f64, self.length as f64);
        let angle = core::f64::consts::TAU * turn / length;
        let (c, s) = (cos(angle), sin(angle));
        if !self.inverse {
            return [c, -s];
        }
        let mut share = 1.0 / length;
        if self.onesided {
            // The other half of the cells is the conjugate of this one.
            if n > self.length / 2 {
                return [0.0, 0.0];
            }
            if n != 0 && 2 * n != self.length {
                share *= 2.0;
            }
        }
        [c * share, s * share]
    }

    /// `[outputs][output parts][cells][parts]`.
    fn weights(&self) -> Vec<f32> {
        let mut weights = Vec::new();
        for k in 0..self.outputs() {
            for part in 0..self.output_parts() {
                for n in 0..self.cells {
                    let [re, im] = self.factor(k, n);
                    // (a + b i)(re + im i) = (a re - b im) + (a im + b re) i
                    let row = if part == 0 { [re, -im] } else { [im, re] };
                    #[expect(clippy::cast_possible_truncation, reason = "single precision")]
                    weights.extend(row[..self.parts].iter().map(|&w| w as f32));
                }
            }
        }
        weights
    }
}

impl NodeContext<'_> {
    /// The transform of `[..][cells]..[parts]` along one axis.
    pub(super) fn fourier(&mut self) -> Imported {
        self.allow(&["axis", "inverse", "onesided"])?;
        let act = self.act(0)?;
        let rank = act.dims.len();
        let axis = if self.has(2) {
            self.known_ints(2)?.first().copied().unwrap_or(-2)
        } else {
            let default = if self.importer.opset < 20 { 1 } else { -2 };
            self.int("axis", default)?
        };
        let axis = self.axis(axis, rank)?;
        let transform = self.transform(&act.dims, axis)?;
        let act = self.apart(&act, &[axis, rank - 1])?;
        // [..][cells][parts] behind one another.
        let mut perm: Vec<usize> = (0..rank - 1).filter(|&a| a != axis).collect();
        perm.extend([axis, rank - 1]);
        let turned = self.turned(&act, &perm)?;
        let mut dims = turned.dims[..rank - 2].to_vec();
        dims.push(transform.cells * transform.parts);
        let batch = turned.batch;
        let flat = self.framed(&turned, Frame { dims, batch })?;
        let outputs = transform.outputs() * transform.output_parts();
        self.spend(outputs * transform.cells * transform.parts)?;
        let linear = Linear {
            outputs,
            weights: transform.weights(),
            bias: vec![0.0; outputs],
        };
        let made = self.dense(&flat, linear)?;
        let mut dims = made.dims[..rank - 2].to_vec();
        dims.extend([transform.outputs(), transform.output_parts()]);
        let batch = made.batch;
        let made = self.framed(&made, Frame { dims, batch })?;
        let back = |a: usize| perm.iter().position(|&from| from == a).unwrap_or(a);
        let back: Vec<usize> = (0..rank).map(back).collect();
        let made = self.turned(&made, &back)?;
        Ok(self.value_of(made))
    }

    fn transform(&self, dims: &[usize], axis: usize) -> Result<Transform, ImportError> {
        let rank = dims.len();
        let parts = dims.last().copied().unwrap_or(0);
        let (inverse, onesided) = (self.int("inverse", 0)? != 0, self.int("onesided", 0)? != 0);
        let cells = dims.get(axis).copied().unwrap_or(0);
        let length = if self.has(1) {
            let known = self.known_ints(1)?.first().copied().unwrap_or(0);
            usize::try_from(known).unwrap_or(0)
        } else if inverse && onesided {
            2 * cells.saturating_sub(1)
        } else {
            cells
        };
        let fits = (1..=2).contains(&parts)
            && axis + 1 < rank
            && (1..=LENGTH_MAX).contains(&length)
            && cells <= LENGTH_MAX;
        if !fits {
            return Err(self.refuse(
                format!("axis {axis} of shape {dims:?}, length {length}"),
                "a constant length of at most 2048, real or complex numbers in the last axis",
                "use shorter frames",
            ));
        }
        Ok(Transform {
            cells,
            parts,
            length,
            inverse,
            onesided,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_transform_of_two_cells_is_sum_and_difference() {
        let transform = Transform {
            cells: 2,
            parts: 1,
            length: 2,
            inverse: false,
            onesided: false,
        };
        let found = transform.weights();
        let wanted = [1.0, 1.0, 0.0, 0.0, 1.0, -1.0, 0.0, 0.0];
        for (f, w) in found.iter().zip(wanted) {
            assert!((f - w).abs() < 1e-6, "{found:?}");
        }
    }
}
