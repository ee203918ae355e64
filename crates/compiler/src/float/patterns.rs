//! Norms and softmax that an exporter has spelled in primitives become the canonical operators.
//!
//! ```text
//! (x - mean x) * rsqrt(mean (x - mean x)^2 + eps)  = normalize(x)
//! x * rsqrt(mean x^2 + eps)                        = normalize(x) without mean
//! x / max(sqrt(sum x^2), eps)                      = the same, times a number
//! e^(x - max x) / sum e^(x - max x)                = softmax(x)
//! sum x^2                                          = sum of squares of x
//! ```
//!
//! Functions are recognised by their values, not by their spelling.

use super::function::Function;
use super::graph::{Arithmetic, FloatGraph, FloatOp, ReduceKind};
use super::math::exp;

/// Arguments at which functions are compared.
const PROBES: [f64; 6] = [0.25, 0.5, 1.0, 2.0, 7.5, 60.0];

impl FloatGraph {
    /// Recognises the operators; nodes that nobody reads any more stay until they are dropped.
    pub(super) fn recognise(&mut self) {
        self.recognise_by(Self::recognised);
        // A vector of length 1 within a network does not make it one of rows.
        let is_of_rows = self.is_of_rows();
        self.recognise_by(|graph, index| {
            let found = graph.direction(index)?;
            (is_of_rows || !graph.has_linear_behind(index)).then_some(found)
        });
    }

    fn recognise_by(&mut self, of: impl Fn(&Self, usize) -> Option<(FloatOp, usize)>) {
        for index in 0..self.nodes.len() {
            if let Some((op, input)) = of(self, index) {
                self.nodes[index].op = op;
                self.nodes[index].inputs = vec![input];
            }
        }
    }

    /// Node `index` as a vector of length 1, or of another constant length.
    fn direction(&self, index: usize) -> Option<(FloatOp, usize)> {
        let (FloatOp::Pair(Arithmetic::Mul, _), &[x, factor]) = self.parts(index) else {
            return None;
        };
        self.norm(x, factor, scaled_rsqrt)
    }

    /// What node `index` is, and of which node, if it is one of the patterns.
    fn recognised(&self, index: usize) -> Option<(FloatOp, usize)> {
        let parts = self.parts(index);
        if let (FloatOp::Reduce(ReduceKind::Sum), &[squares]) = parts
            && let (FloatOp::Function(f), &[x]) = self.parts(squares)
        {
            return is_square(f).then_some((FloatOp::Reduce(ReduceKind::SumSquares), x));
        }
        if let (FloatOp::Pair(Arithmetic::Mul, _), &[x, factor]) = parts {
            let of_one = |f: &Function| Some((1.0, epsilon_of_rsqrt(f)?));
            let norm = self.norm(x, factor, of_one);
            return norm.or_else(|| self.softmax(x, factor));
        }
        None
    }

    fn parts(&self, index: usize) -> (&FloatOp, &[usize]) {
        (&self.nodes[index].op, &self.nodes[index].inputs)
    }

    /// The reduction above `node`, of what, and the function that leads from it to `node`.
    fn reduction_above(&self, node: usize) -> Option<(ReduceKind, usize, Function)> {
        let (above, f) = self.path(node).pop()?;
        let (FloatOp::Reduce(kind), &[of]) = self.parts(above) else {
            return None;
        };
        Some((*kind, of, f))
    }

    /// `x * factor` as a norm, if the function of the mean square is a number over a root, as `root` tells.
    fn norm(
        &self,
        x: usize,
        factor: usize,
        root: impl Fn(&Function) -> Option<(f32, f32)>,
    ) -> Option<(FloatOp, usize)> {
        let (kind, of, f) = self.reduction_above(factor)?;
        let columns = self.nodes[x].shape.last().copied()?;
        let (squared, f) = match kind {
            ReduceKind::Mean => {
                let (FloatOp::Function(square), &[of]) = self.parts(of) else {
                    return None;
                };
                if !is_square(square) {
                    return None;
                }
                (of, f)
            }
            ReduceKind::SumSquares => {
                #[expect(clippy::cast_precision_loss, reason = "a row has at most 2^24 columns")]
                let count = columns as f64;
                (of, f.of(&Function::X.affine(count, 0.0)))
            }
            ReduceKind::Sum | ReduceKind::Max | ReduceKind::Min => return None,
        };
        if squared != x && !self.same_difference(squared, x) {
            return None;
        }
        let (scale, epsilon) = root(&f)?;
        let (center, input) = match self.centered(x) {
            Some(input) => (true, input),
            None => (false, x),
        };
        let op = FloatOp::Normalize {
            center,
            epsilon,
            scale: vec![scale; columns],
            shift: vec![0.0; columns],
        };
        Some((op, input))
    }

    /// The value whose mean is subtracted in node `x`.
    fn centered(&self, x: usize) -> Option<usize> {
        let (FloatOp::Pair(Arithmetic::Sub, _), &[value, mean]) = self.parts(x) else {
            return None;
        };
        let (FloatOp::Reduce(ReduceKind::Mean), &[of]) = self.parts(mean) else {
            return None;
        };
        (of == value).then_some(value)
    }

    /// Whether both nodes are the same value less its mean: exporters write the difference twice.
    fn same_difference(&self, a: usize, b: usize) -> bool {
        let (a, b) = (self.centered(a), self.centered(b));
        a.is_some() && a == b
    }

    /// `x * factor` as a softmax.
    fn softmax(&self, x: usize, factor: usize) -> Option<(FloatOp, usize)> {
        let (kind, of, f) = self.reduction_above(factor)?;
        let (FloatOp::Function(power), &[argument]) = self.parts(x) else {
            return None;
        };
        let is_inverse = PROBES.iter().all(|&t| near(f.at(t), 1.0 / t));
        let is_exponential = PROBES
            .iter()
            .all(|&t| near(power.at(t - 2.0), exp(t - 2.0)));
        if kind != ReduceKind::Sum || of != x || !is_inverse || !is_exponential {
            return None;
        }
        Some((
            FloatOp::Softmax,
            self.less_largest(argument).unwrap_or(argument),
        ))
    }
}

impl FloatGraph {
    /// The value whose largest element is subtracted in node `x`.
    fn less_largest(&self, x: usize) -> Option<usize> {
        let (FloatOp::Pair(Arithmetic::Sub, _), &[value, largest]) = self.parts(x) else {
            return None;
        };
        let (FloatOp::Reduce(ReduceKind::Max), &[of]) = self.parts(largest) else {
            return None;
        };
        (of == value).then_some(value)
    }
}

fn near(found: f64, wanted: f64) -> bool {
    (found - wanted).abs() <= 1e-6 * wanted.abs()
}

fn is_square(f: &Function) -> bool {
    PROBES
        .iter()
        .all(|&t| near(f.at(t), t * t) && near(f.at(-t), t * t))
}

/// The `epsilon` of `1 / sqrt(t + epsilon)`, if the function is that.
fn epsilon_of_rsqrt(f: &Function) -> Option<f32> {
    let at_one = f.at(1.0);
    let epsilon = 1.0 / (at_one * at_one) - 1.0;
    // Small summands drown in the one above: look where they count.
    let at_zero = f.at(0.0);
    let epsilon = if at_zero.is_finite() && at_zero > 0.0 {
        1.0 / (at_zero * at_zero)
    } else {
        epsilon.max(0.0)
    };
    let is = |t: &f64| near(f.at(*t), 1.0 / (t + epsilon).sqrt());
    #[expect(
        clippy::cast_possible_truncation,
        reason = "single precision, as in the file"
    )]
    let single = epsilon as f32;
    (epsilon < 1.0 && PROBES.iter().all(is)).then_some(single)
}

/// `a` and `epsilon` of `a / sqrt(t + epsilon)`, or of `a / sqrt(max(t, epsilon))` for an epsilon that is
/// nothing beside any `t` that counts.
fn scaled_rsqrt(f: &Function) -> Option<(f32, f32)> {
    let inverse = |t: f64| 1.0 / (f.at(t) * f.at(t));
    let [low, high] = [PROBES[4], PROBES[5]];
    let square = (high - low) / (inverse(high) - inverse(low));
    let epsilon = inverse(0.0) * square;
    let is_number = |x: f64| x.is_finite() && x >= 0.0;
    if !is_number(square) || square == 0.0 || !is_number(epsilon) {
        return None;
    }
    let is = |t: &f64| near(f.at(*t), (square / (t + epsilon)).sqrt());
    #[expect(
        clippy::cast_possible_truncation,
        reason = "single precision, as in the file"
    )]
    // A row of zeros stays one: the epsilon of single precision is not 0.
    let found = (
        square.sqrt() as f32,
        (epsilon as f32).max(f32::MIN_POSITIVE),
    );
    (f.at(1.0) > 0.0 && epsilon < 1.0 && PROBES.iter().all(is)).then_some(found)
}

#[cfg(test)]
mod tests {
    use super::super::function::Primitive;
    use super::*;

    #[test]
    fn the_summand_of_a_root_is_found() {
        for epsilon in [1e-12, 1e-6, 1e-5, 0.1] {
            let f = Function::X.affine(1.0, epsilon).then(Primitive::Sqrt);
            let f = f.then(Primitive::Reciprocal);
            let found = epsilon_of_rsqrt(&f).unwrap();
            assert!((f64::from(found) / epsilon - 1.0).abs() < 1e-5, "{found}");
        }
        assert_eq!(
            epsilon_of_rsqrt(&Function::primitive(Primitive::Reciprocal)),
            None
        );
        let over = |least: f64| {
            let length = Function::X.affine(384.0, 0.0).then(Primitive::Sqrt);
            length
                .then(Primitive::Clip(least, f64::INFINITY))
                .then(Primitive::Reciprocal)
        };
        let (scale, epsilon) = scaled_rsqrt(&over(1e-12)).unwrap();
        assert!(
            (f64::from(scale) * 384.0_f64.sqrt() - 1.0).abs() < 1e-6,
            "{scale}"
        );
        assert!(epsilon < 1e-24, "{epsilon}");
        assert_eq!(scaled_rsqrt(&over(0.5)), None);
        assert!(is_square(&Function::X.times(Function::X)));
        assert!(!is_square(&Function::primitive(Primitive::Abs)));
    }
}
