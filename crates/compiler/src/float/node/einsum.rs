//! Import of Einsum: transpositions, sums, and a product of two operands after the other.

use super::super::act::{Act, Batch, Frame};
use super::super::constant::Const;
use super::super::error::ImportError;
use super::super::graph::ReduceKind;
use super::{Imported, NodeContext};
use crate::onnx::RANK_MAX;

/// Most operands of one equation.
const OPERANDS_MAX: usize = 8;

/// An operand and the letter of each of its axes.
struct Term {
    act: Act,
    letters: Vec<char>,
}

impl Term {
    fn extent(&self, letter: char) -> Option<usize> {
        let axis = self.letters.iter().position(|&l| l == letter)?;
        Some(self.act.dims[axis])
    }
}

impl NodeContext<'_> {
    /// A sum of products by letters.
    pub(super) fn einsum(&mut self) -> Imported {
        self.allow(&["equation"])?;
        let equation: String = self.text("equation", "")?;
        let equation: String = equation.chars().filter(|c| !c.is_whitespace()).collect();
        let (left, right) = match equation.split_once("->") {
            Some((left, right)) => (left.to_owned(), Some(right.to_owned())),
            None => (equation.clone(), None),
        };
        let operands: Vec<&str> = left.split(',').collect();
        let plain = |text: &str| text.chars().all(char::is_alphabetic);
        let count = self.node.inputs.len();
        let supported = operands.len() == count
            && (1..=OPERANDS_MAX).contains(&count)
            && operands.iter().all(|text| plain(text) && !repeats(text))
            && right
                .as_deref()
                .is_none_or(|text| plain(text) && !repeats(text));
        if !supported {
            return Err(self.refuse(
                format!("the equation {equation:?}"),
                "one to eight operands, each letter once in each of them",
                "use matmul, transpose and sum",
            ));
        }
        let output: Vec<char> = match right {
            Some(text) => text.chars().collect(),
            None => implicit(&operands),
        };
        let mut terms = Vec::with_capacity(count);
        for (index, text) in operands.iter().enumerate() {
            let act = self.act(index)?;
            let letters: Vec<char> = text.chars().collect();
            if act.dims.len() != letters.len() {
                return Err(self.unknown_target());
            }
            terms.push(Term { act, letters });
        }
        let known = |letter: &char| terms.iter().any(|term| term.letters.contains(letter));
        if !output.iter().all(known) {
            return Err(self.unknown_target());
        }
        let mut terms = terms.into_iter();
        let mut result = terms.next().ok_or_else(|| self.unknown_target())?;
        while let Some(next) = terms.next() {
            // What a later operand has is summed over with it.
            let later = terms.as_slice().iter().flat_map(|term| &term.letters);
            let kept: Vec<char> = output.iter().chain(later).copied().collect();
            result = self.product_by_letters(&result, &next, &kept)?;
        }
        let result = self.summed(&result, &output)?;
        let result = self.ordered(&result, &output)?;
        Ok(self.value_of(result.act))
    }

    /// A term without the letters that are not in `kept`, which are summed over.
    fn summed(&mut self, term: &Term, kept: &[char]) -> Result<Term, ImportError> {
        let gone = |axis: &usize| !kept.contains(&term.letters[*axis]);
        let axes: Vec<usize> = (0..term.letters.len()).filter(gone).collect();
        let letters = term
            .letters
            .iter()
            .copied()
            .filter(|l| kept.contains(l))
            .collect();
        if axes.is_empty() {
            let act = term.act.clone();
            return Ok(Term { act, letters });
        }
        let reduced = self.reduced(&term.act, &axes, ReduceKind::Sum)?;
        let act = self.without_axes(&reduced, &axes)?;
        Ok(Term { act, letters })
    }

    /// A term with its axes in the order of `letters`, which are all of its letters.
    fn ordered(&mut self, term: &Term, letters: &[char]) -> Result<Term, ImportError> {
        let at = |letter: &char| term.letters.iter().position(|l| l == letter);
        let perm: Option<Vec<usize>> = letters.iter().map(at).collect();
        let perm = perm.ok_or_else(|| self.unknown_target())?;
        Ok(Term {
            act: self.turned(&term.act, &perm)?,
            letters: letters.to_vec(),
        })
    }

    /// A term with one more letter in front, of extent 1.
    fn with_letter(&mut self, term: &Term, letter: char) -> Result<Term, ImportError> {
        let mut letters = vec![letter];
        letters.extend_from_slice(&term.letters);
        Ok(Term {
            act: self.with_axis(&term.act, 0)?,
            letters,
        })
    }

    fn product_by_letters(
        &mut self,
        a: &Term,
        b: &Term,
        output: &[char],
    ) -> Result<Term, ImportError> {
        let needed =
            |other: &Term| -> Vec<char> { output.iter().chain(&other.letters).copied().collect() };
        let mut a = self.summed(a, &needed(b))?;
        let mut b = self.summed(b, &needed(&a))?;
        // The letter of the samples counts as one of both operands.
        for _ in 0..2 {
            if let Some(axis) = a.act.batch.axis()
                && !b.letters.contains(&a.letters[axis])
                && output.contains(&a.letters[axis])
            {
                b = self.with_letter(&b, a.letters[axis])?;
            }
            core::mem::swap(&mut a, &mut b);
        }
        if self.constant_of(a.act.node).is_some() && self.constant_of(b.act.node).is_none() {
            core::mem::swap(&mut a, &mut b);
        }
        let both = |letter: &char| a.letters.contains(letter) && b.letters.contains(letter);
        let shown = |letter: &char| output.contains(letter);
        let pick = |from: &[char], keep: &dyn Fn(&char) -> bool| -> Vec<char> {
            from.iter().copied().filter(|l| keep(l)).collect()
        };
        if !fit(&a, &b, output) {
            return Err(self.unknown_target());
        }
        let common = pick(&a.letters, &|l| both(l) && shown(l));
        let inner = pick(&a.letters, &|l| both(l) && !shown(l));
        let left = pick(&a.letters, &|l| !both(l));
        let right = pick(&b.letters, &|l| !both(l));
        let extents = |term: &Term, letters: &[char]| -> Vec<usize> {
            letters.iter().filter_map(|&l| term.extent(l)).collect()
        };
        let (rows, columns) = (extents(&a, &left), extents(&b, &right));
        let joint: Vec<usize> = common
            .iter()
            .map(|&l| a.extent(l).max(b.extent(l)).unwrap_or(1))
            .collect();
        let a = self.ordered(&a, &[common.as_slice(), &left, &inner].concat())?;
        let b = self.ordered(&b, &[common.as_slice(), &inner, &right].concat())?;
        let terms: usize = extents(&a, &inner).iter().product();
        let a = self.as_matrices(&a, common.len(), [rows.iter().product(), terms])?;
        let b = self.as_matrices(&b, common.len(), [terms, columns.iter().product()])?;
        let dense = common.is_empty() || b.dims[..common.len()].iter().all(|&extent| extent == 1);
        let product = match self.constant_of(b.node).map(<[f32]>::to_vec) {
            Some(weights) if dense => {
                let c = Const::new(b.dims[common.len()..].to_vec(), weights);
                let linear = self.dense_weights(&c, false)?;
                self.dense(&a, linear)?
            }
            Some(_) | None => self.matrix_product(&a, &b)?,
        };
        let dims = [joint, rows, columns].concat();
        if dims.len() > RANK_MAX {
            return Err(self.unknown_target());
        }
        let batch = product.batch;
        let act = self.framed(&product, Frame { dims, batch })?;
        let letters = [common, left, right].concat();
        Ok(Term { act, letters })
    }

    /// The axes behind the first `common` ones as those of a matrix.
    fn as_matrices(
        &mut self,
        term: &Term,
        common: usize,
        matrix: [usize; 2],
    ) -> Result<Act, ImportError> {
        let inner: Vec<usize> = (common..term.act.dims.len()).collect();
        let act = self.apart(&term.act, &inner)?;
        let mut dims = act.dims[..common].to_vec();
        dims.extend(matrix);
        let batch: Batch = act.batch;
        self.framed(&act, Frame { dims, batch })
    }
}

/// Whether two terms agree about the extents of their letters; one of 1 may be spread over the
/// other in the output.
fn fit(a: &Term, b: &Term, output: &[char]) -> bool {
    a.letters
        .iter()
        .all(|l| match (a.extent(*l), b.extent(*l)) {
            (Some(x), Some(y)) => x == y || (output.contains(l) && (x == 1 || y == 1)),
            (Some(_) | None, _) => true,
        })
}

fn repeats(text: &str) -> bool {
    let letters: Vec<char> = text.chars().collect();
    (1..letters.len()).any(|at| letters[..at].contains(&letters[at]))
}

/// The output of an equation without one: letters that occur once, in alphabetical order.
fn implicit(operands: &[&str]) -> Vec<char> {
    let all: Vec<char> = operands.iter().flat_map(|text| text.chars()).collect();
    let once = |letter: &char| all.iter().filter(|l| *l == letter).count() == 1;
    let mut letters: Vec<char> = all.iter().copied().filter(once).collect();
    letters.sort_unstable();
    letters
}
