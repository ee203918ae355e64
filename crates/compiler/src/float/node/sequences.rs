//! Several sequences in one sample of LSTM, GRU and RNN, each unrolled on its own to its own length.

use super::super::act::Act;
use super::super::constant::Value;
use super::super::error::ImportError;
use super::NodeContext;
use super::recurrent::{Cell, Direction};

/// Sequences of one node.
pub(super) struct Sequences<'a> {
    /// `[steps][sequences][inputs]`.
    pub(super) x: &'a Act,
    /// Steps of each one.
    pub(super) lengths: &'a [usize],
    /// Initial states, `[directions][sequences][hidden]`.
    pub(super) states: &'a [Option<Act>; 2],
}

impl NodeContext<'_> {
    /// The outputs of all sequences: `Y` and the last states.
    pub(super) fn side_by_side(
        &mut self,
        cell: Cell,
        sequences: &Sequences<'_>,
        directions: &[Direction],
        batch_first: bool,
    ) -> Result<Vec<Value>, ImportError> {
        // Each sequence on its own, at its own length, and all of them behind one another.
        let steps = sequences.x.dims[0];
        let mut parts: Vec<Vec<Act>> = Vec::new();
        for (index, &length) in sequences.lengths.iter().enumerate() {
            let own = self.range(sequences.x, 1, index, 1)?;
            let own = self.range(&own, 0, 0, length)?;
            let mut initial = [None, None];
            for (initial, state) in initial.iter_mut().zip(sequences.states) {
                if let Some(state) = state {
                    *initial = Some(self.range(state, 1, index, 1)?);
                }
            }
            let made = self.sequence(cell, &own, directions, &initial, false)?;
            parts.resize_with(made.len(), Vec::new);
            for (output, (list, value)) in parts.iter_mut().zip(made).enumerate() {
                let Value::Activation(act) = value else {
                    return Err(self.unknown_target());
                };
                // Steps behind a sequence's end are zeros.
                let mut walks = Self::whole(&act);
                if output == 0 {
                    walks[0].extent = steps;
                }
                list.push(self.walk(&act, &walks, 0.0)?);
            }
        }
        let mut values = Vec::with_capacity(parts.len());
        for (output, list) in parts.iter().enumerate() {
            let joined = self.joined(list, if output == 0 { 2 } else { 1 })?;
            let perm: &[usize] = if output == 0 {
                &[2, 0, 1, 3]
            } else {
                &[1, 0, 2]
            };
            let joined = if batch_first {
                self.turned(&joined, perm)?
            } else {
                joined
            };
            values.push(self.value_of(joined));
        }
        Ok(values)
    }

    /// Steps of each sequence: constants, all of them if there are none.
    pub(super) fn lengths(&self, steps: usize, batch: usize) -> Result<Vec<usize>, ImportError> {
        if !self.has(4) {
            return Ok(vec![steps; batch]);
        }
        let refuse = || {
            self.refuse(
                "input 4 (sequence_lens)".to_owned(),
                "constant lengths of 1 step or more, one for each sequence",
                "export without packed sequences",
            )
        };
        let Value::Int(_) = self.value(4)? else {
            return Err(refuse());
        };
        let whole = |&v: &i64| usize::try_from(v).ok().filter(|v| (1..=steps).contains(v));
        let lengths: Option<Vec<usize>> = self.known_ints(4)?.iter().map(whole).collect();
        let lengths = lengths.ok_or_else(refuse)?;
        match lengths.as_slice() {
            [all] if batch >= 1 => Ok(vec![*all; batch]),
            _ if lengths.len() == batch => Ok(lengths),
            _ => Err(refuse()),
        }
    }
}
