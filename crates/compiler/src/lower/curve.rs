//! Functions of int16 and int32 values: one interpolation, or a sum of them where one is too coarse near 0.
//!
//! ```text
//! f(x) = f_0(x) + f_1(x) + ... + f_n(x)
//! f_i(x) = f(cut(x, b_i)) - f(cut(x, b_(i + 1))),  f_n(x) = f(cut(x, b_n)),  cut(x, b) = min(max(x, -b), b)
//! ```
//!
//! An interpolation has 254 cells of one width on either side of 0. A square root or a logarithm of powers, or
//! a hard swish of sums with a few large ones, changes within the innermost of them. Each `f_i` varies only where
//! `b_(i + 1) < |x| < b_i`, and both are nodes of its interpolation, so that no cell holds a bend that is not one
//! of `f`. Every sum of the last terms is a value of `f`, and so fits where `f` does.

use selfsame_ir::{Activation, Combine, DType, Operand, Spread};

use super::chain::Chain;
use super::emit::Place;
use super::error::CompileError;
use super::pointwise::Factors;
use super::program::Lowering;
use super::rows::Elementwise;
use super::table::Stretch;
use crate::float::{Arithmetic, FloatOp, Function, Primitive};
use crate::quant::{Bins, INT16_LEVELS, decibels};

/// Cells of an interpolation from 0 to its last node but two.
const CELLS: f64 = 254.0;
/// Cells of the one around that the next interpolation covers on either side of 0, one of these.
const INNER_CELLS: [f64; 3] = [4.0, 16.0, 64.0];
/// Most interpolations of one function: they span 2^30, and no integer has more.
const LEVELS_MAX: usize = 6;
/// Signal over noise, in decibels, that an interpolation may leave: near what rounding to int16 does.
const SNR_DB: f64 = 60.0;
/// Decibels that several interpolations must gain over one.
const GAIN_DB: f64 = 6.0;
/// Integers of the largest magnitude seen of a value as int32.
const INT32_LEVELS: f64 = (1_u32 << 29) as f64;

/// One term: the function between two bounds, on the stretch that holds both.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Term {
    stretch: Stretch,
    /// Beyond it the term is flat, if anywhere.
    outer: Option<f64>,
    /// Within it the term is 0, if anywhere.
    inner: Option<f64>,
}

/// The terms of a function, the finest one last.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Curve {
    terms: Vec<Term>,
}

impl Term {
    fn at(&self, f: &Function, x: f64) -> f64 {
        let within = |bound: f64| f.at(x.clamp(-bound, bound));
        self.outer.map_or_else(|| f.at(x), within) - self.inner.map_or(0.0, within)
    }

    fn nodes(&self, f: &Function, step_out: f64) -> Vec<i16> {
        self.stretch.nodes(|x| self.at(f, x), step_out)
    }
}

impl Curve {
    /// The one interpolation on `stretch` whose value has `step_out`, or as many as leave [`SNR_DB`] of the
    /// values at the arguments that were seen: magnitudes on the sides of 0 that `range` has. Arguments that stand at
    /// `finest` steps see no cell that is finer.
    fn of(
        f: &Function,
        (stretch, step_out): (Stretch, f64),
        (seen, range): (&Bins, (f64, f64)),
        finest: f64,
    ) -> Self {
        let points = points(f, step_out, seen, range);
        let noise = |curve: &Self| curve.noise(f, step_out, &points);
        let signal: f64 = points.iter().map(|p| p.count * p.value * p.value).sum();
        let one = Self {
            terms: vec![Term {
                stretch,
                outer: None,
                inner: None,
            }],
        };
        let first = noise(&one);
        let (mut best, mut least) = (one.clone(), first);
        while best.terms.len() < LEVELS_MAX && decibels(signal, least) < SNR_DB {
            let finer = INNER_CELLS.map(|cells| best.with_inner(cells));
            let finer = finer.into_iter().filter(|curve| curve.cell() >= finest);
            let finer = finer.map(|curve| (noise(&curve), curve));
            match finer.min_by(|a, b| a.0.total_cmp(&b.0)) {
                Some((noise, curve)) if noise < least => (least, best) = (noise, curve),
                Some(_) | None => break,
            }
        }
        if decibels(first, least) >= GAIN_DB {
            best
        } else {
            one
        }
    }

    /// Width of the finest cell.
    fn cell(&self) -> f64 {
        let last = self.terms.last();
        last.map_or(f64::INFINITY, |term| 128.0 * term.stretch.step)
    }

    /// The same with another term within `cells` cells of the finest one.
    fn with_inner(&self, cells: f64) -> Self {
        let bound = cells * self.cell();
        let mut terms = self.terms.clone();
        if let Some(last) = terms.last_mut() {
            last.inner = Some(bound);
        }
        terms.push(Term {
            stretch: Stretch {
                center: 0.0,
                step: bound / (128.0 * CELLS),
            },
            outer: Some(bound),
            inner: None,
        });
        Self { terms }
    }

    /// Energy of the error at some points.
    fn noise(&self, f: &Function, step_out: f64, points: &[Point]) -> f64 {
        let nodes = self.terms.iter().map(|term| term.nodes(f, step_out));
        let nodes: Vec<Vec<i16>> = nodes.collect();
        let error = |point: &Point| {
            let parts = self.terms.iter().zip(&nodes);
            let parts = parts.map(|(term, nodes)| term.stretch.interpolate(nodes, point.at));
            let found: f64 = parts.sum();
            point.count * (found * step_out - point.value).powi(2)
        };
        points.iter().map(error).sum()
    }
}

/// An argument, how often it was seen, and the value there.
struct Point {
    at: f64,
    count: f64,
    value: f64,
}

/// The arguments that were seen; which side of 0 a magnitude was on nobody counted.
fn points(f: &Function, step_out: f64, seen: &Bins, (low, high): (f64, f64)) -> Vec<Point> {
    let most = INT16_LEVELS * step_out;
    let of_bin = |(magnitude, count): (f64, f64)| {
        let sides = [magnitude, -magnitude].map(|at| (low..=high).contains(&at).then_some(at));
        let share = if sides.iter().all(Option::is_some) {
            0.5
        } else {
            1.0
        };
        sides.into_iter().flatten().map(move |at| Point {
            at,
            count: count * share,
            value: f.at(at).clamp(-most, most),
        })
    };
    seen.iter().flat_map(of_bin).collect()
}

impl Lowering<'_> {
    /// The stretch of one interpolation of `f`, from value `sum` of `finest` steps to values of `step_out`.
    pub(super) fn stretch(
        &self,
        sum: usize,
        f: &Function,
        (step_out, finest): (f64, f64),
    ) -> Stretch {
        let (low, high) = self.calibration.range(sum);
        // As much head room as the values themselves have.
        let room = if self.is_sensitive() { 2.0 } else { 1.0 };
        let range = (low * room, high * room);
        Stretch::interpolated(f, range, step_out, (INT16_LEVELS, finest))
    }

    /// Function `f` of value `sum`, which has `finest` steps, as values of `step_out`.
    fn curve(&self, sum: usize, f: &Function, (step_out, finest): (f64, f64)) -> Curve {
        let stretch = self.stretch(sum, f, (step_out, finest));
        let seen = self.calibration.magnitudes(sum);
        let range = self.calibration.seen(sum);
        Curve::of(f, (stretch, step_out), (&seen, range), finest)
    }

    /// Function `f` of a value, as int16.
    pub(super) fn interpolated(
        &mut self,
        chain: &Chain,
        x: &Place,
        f: &Function,
    ) -> Result<Place, CompileError> {
        let (_, step_out) = self.word_of(chain.end)?;
        let curve = self.curve(chain.sum, f, (step_out, x.step));
        let name = self.node(chain.end).name.clone();
        let mut sum: Option<Place> = None;
        for (left, term) in curve.terms.iter().enumerate().rev() {
            let nodes = term.nodes(f, step_out);
            let float = Some(chain.end).filter(|_| left == 0);
            let of_term = float.filter(|_| sum.is_none());
            let part = (term.stretch.step, nodes);
            let part = self.term(&name, x, part, (step_out, of_term))?;
            sum = Some(match sum {
                None => part,
                Some(inner) => self.joined(&name, &part, &inner, float)?,
            });
        }
        Ok(sum.expect("a curve has a term"))
    }

    /// One interpolation of a value, whose nodes are 128 steps apart.
    fn term(
        &mut self,
        name: &str,
        x: &Place,
        (step, nodes): (f64, Vec<i16>),
        (step_out, float): (f64, Option<usize>),
    ) -> Result<Place, CompileError> {
        let elementwise = Elementwise {
            bounds: (-32_768, 32_767),
            activation: Some(Activation::Interpolate(nodes)),
            ..Elementwise::rescaled(name, x, step)?
        };
        let op = elementwise.op(name, x.dtype)?;
        let place = (x.layout.clone(), DType::I16, step_out);
        self.emitter.push(name, op, vec![x.node], place, float)
    }

    /// The sum of two values of one step.
    fn joined(
        &mut self,
        name: &str,
        x: &Place,
        y: &Place,
        float: Option<usize>,
    ) -> Result<Place, CompileError> {
        let elementwise = Elementwise {
            columns: x.layout.elements(),
            second: Some(Operand {
                dtype: y.dtype,
                spread: Spread::Full,
                multiplier: 2,
                constant: None,
            }),
            bounds: x.dtype.range(),
            ..Elementwise::of_rows(1)
        };
        let op = elementwise.op(name, x.dtype)?;
        let place = (x.layout.clone(), x.dtype, x.step);
        let inputs = vec![x.node, y.node];
        self.emitter.push(name, op, inputs, place, float)
    }

    /// The step of a value as int32, at least `finest`.
    pub(super) fn long_step(&self, index: usize, finest: f64) -> f64 {
        finest.max(self.calibration.largest(index) / INT32_LEVELS)
    }

    /// Whether only functions that bend within the first steps of int16 read an int16 value, or sums that they
    /// read.
    pub(super) fn feeds_bends(&self, index: usize) -> bool {
        self.is_wide(index) && self.calibration.largest(index) > 0.0 && self.only_bends_read[index]
    }

    /// For each node whether only functions that bend read it, or sums and views that they read.
    pub(super) fn read_by_bends(&self) -> Vec<bool> {
        // Readers stand behind what they read, so each node is looked at once, however sums branch.
        let mut only_bends = vec![false; self.graph.nodes().len()];
        for index in (0..only_bends.len()).rev() {
            only_bends[index] = self.is_read_by(index, &only_bends);
        }
        only_bends
    }

    fn is_read_by(&self, index: usize, only_bends: &[bool]) -> bool {
        let reads = |&reader: &usize| match &self.node(reader).op {
            FloatOp::Function(f) => self.is_wide(reader) && self.bends(index, reader, f),
            FloatOp::Add
            | FloatOp::Pair(Arithmetic::Add, _)
            | FloatOp::Reshape
            | FloatOp::Transpose(_) => only_bends[reader],
            FloatOp::Input
            | FloatOp::Constant(_)
            | FloatOp::Dense(_)
            | FloatOp::Conv(..)
            | FloatOp::Affine { .. }
            | FloatOp::Clip(..)
            | FloatOp::Pair(Arithmetic::Sub | Arithmetic::ReverseSub | Arithmetic::Mul, _)
            | FloatOp::Plane(_)
            | FloatOp::Concat(_)
            | FloatOp::Walk(..)
            | FloatOp::AvgPool(_)
            | FloatOp::MaxPool(_)
            | FloatOp::Product { .. }
            | FloatOp::Softmax
            | FloatOp::Normalize { .. }
            | FloatOp::Reduce(_)
            | FloatOp::ArgMax
            | FloatOp::Embedding { .. } => false,
        };
        let readers = self.readers_of(index);
        !readers.is_empty() && readers.iter().all(reads)
    }

    /// Whether value `end`, a function of value `sum`, takes several interpolations if that stands finely enough.
    pub(super) fn bends(&self, sum: usize, end: usize, f: &Function) -> bool {
        let finest = self.long_step(sum, 0.0);
        self.word_of(end)
            .is_ok_and(|(_, step_out)| self.curve(sum, f, (step_out, finest)).terms.len() > 1)
    }

    /// The square of a value as int32, if a chain of one operand is one that [feeds bends](Self::feeds_bends).
    pub(super) fn long_square(
        &mut self,
        chain: &Chain,
        x: &Place,
        f: &Function,
    ) -> Result<Option<Place>, CompileError> {
        let is_square = *f == Function::primitive(Primitive::Power(2));
        if !is_square || x.dtype == DType::I32 || !self.feeds_bends(chain.end) {
            return Ok(None);
        }
        let step = self.long_step(chain.end, x.step * x.step);
        let name = self.node(chain.end).name.clone();
        let factors = Factors::product(x.step * x.step / step);
        let factors = factors.ok_or_else(|| self.no_scale(chain.end))?;
        let elementwise = Elementwise {
            columns: x.layout.elements(),
            combine: Combine::Product,
            scale: (factors.a, factors.shift),
            second: Some(Operand {
                dtype: x.dtype,
                spread: Spread::Full,
                multiplier: 0,
                constant: None,
            }),
            ..Elementwise::of_rows(1)
        };
        let op = elementwise.op(&name, x.dtype)?;
        let place = (x.layout.clone(), DType::I32, step);
        let (inputs, float) = (vec![x.node, x.node], Some(chain.end));
        self.emitter.push(&name, op, inputs, place, float).map(Some)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::quant::Histogram;

    const STEP_OUT: f64 = 1e-3;

    /// The curve of `f` for values that were seen, and its error at them as signal over noise.
    fn curve(f: &Function, seen: &[f32], step_out: f64) -> (Curve, f64) {
        let mut histogram = Histogram::new();
        histogram.add(seen);
        let (low, high) = histogram.range();
        let range = (f64::from(low), f64::from(high));
        let stretch = Stretch::interpolated(f, range, step_out, (INT16_LEVELS, 1e-9));
        let bins = histogram.bins();
        let curve = Curve::of(f, (stretch, step_out), (&bins, range), 1e-9);
        let points = points(f, step_out, &bins, range);
        let signal: f64 = points.iter().map(|p| p.count * p.value * p.value).sum();
        let snr_db = decibels(signal, curve.noise(f, step_out, &points));
        (curve, snr_db)
    }

    /// Magnitudes from `2^-20` to `2^6`, as many of each size.
    fn powers() -> Vec<f32> {
        let size =
            |size: u16| 1.0 / f32::from(1_u16 << (size / 2)) / f32::from(1_u16 << size.div_ceil(2));
        let of_size =
            |s: u16| (0_u16..100).map(move |i| size(s) * (64.0 + 64.0 * f32::from(i) / 100.0));
        (0..26).flat_map(of_size).collect()
    }

    #[test]
    fn logarithms_and_roots_of_powers_take_finer_interpolations_near_0() {
        let log = Function::primitive(Primitive::Log);
        let root = Function::primitive(Primitive::Sqrt);
        for (f, least) in [(log, 50.0), (root, 50.0)] {
            let (curve, snr_db) = curve(&f, &powers(), STEP_OUT);
            assert!(curve.terms.len() > 1, "{f:?}");
            assert!(snr_db > least, "{f:?}: {snr_db} dB");
        }
    }

    #[test]
    fn a_large_value_does_not_take_the_bends_of_a_hard_swish_from_small_ones() {
        let mut seen: Vec<f32> = (0_u16..400).map(|i| f32::from(i) / 50.0 - 4.0).collect();
        let f = Function::hard_swish();
        assert_eq!(curve(&f, &seen, STEP_OUT).0.terms.len(), 1);
        seen.push(400.0);
        seen.extend((0_u16..9000).map(|i| f32::from(i % 80) / 10.0 - 4.0));
        let (curve, snr_db) = curve(&f, &seen, 400.0 / 16_383.0);
        assert!(curve.terms.len() == 2, "{curve:?}");
        assert!(snr_db > 40.0, "{snr_db} dB");
    }

    #[test]
    fn the_terms_add_up_to_the_function() {
        let f = Function::hard_swish();
        let stretch = Stretch {
            center: 0.0,
            step: 0.01,
        };
        let one = Curve {
            terms: vec![Term {
                stretch,
                outer: None,
                inner: None,
            }],
        };
        let three = one.with_inner(16.0).with_inner(4.0);
        for i in -3000..3000 {
            let x = f64::from(i) / 10.0;
            let sum: f64 = three.terms.iter().map(|term| term.at(&f, x)).sum();
            assert!((sum - f.at(x)).abs() < 1e-9, "{x}");
        }
        // The bounds of a term are nodes of its interpolation.
        for pair in three.terms.windows(2) {
            let cells = pair[0].inner.unwrap() / (128.0 * pair[0].stretch.step);
            assert!((cells - cells.round()).abs() < 1e-9, "{cells}");
            assert_eq!(pair[0].inner, pair[1].outer);
        }
    }
}
