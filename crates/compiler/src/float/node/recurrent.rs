//! Import of LSTM, GRU and RNN: unrolled over the steps of a sequence.
//!
//! ```text
//! input part of all steps at once:  P = x W^T + Wb + Rb        one dense node
//! step t:                           P[t] + h R^T               one dense node, one sum
//!                                   gates, state               walks, functions, pairs
//! ```

use super::super::act::{Act, Batch, Frame, Kind};
use super::super::constant::{Const, Value};
use super::super::error::ImportError;
use super::super::function::{Function, Primitive};
use super::super::graph::{Arithmetic, FloatOp, Linear};
use super::NodeContext;
use super::sequences::Sequences;
use crate::onnx::AttributeValue;

/// Most steps that are unrolled, both directions together.
const STEPS_MAX: usize = 1_024;

/// What the three operators differ in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cell {
    Rnn,
    Gru,
    Lstm,
}

/// One direction of a recurrent node.
pub(super) struct Direction {
    cell: Cell,
    /// Cells of the state.
    hidden: usize,
    /// `[gates * hidden][inputs]`, biases of the input part included.
    input: Linear,
    /// `[gates * hidden][hidden]`.
    recurrent: Linear,
    /// Three rows of `hidden` of an LSTM: weights of the state in its gates.
    peepholes: Option<Vec<f32>>,
    /// Functions of the gates, of the candidate and of the state.
    functions: [Function; 3],
    /// Whether the reset gate of a GRU stands behind the recurrent product.
    linear_before_reset: bool,
}

impl Cell {
    fn gates(self) -> usize {
        match self {
            Self::Rnn => 1,
            Self::Gru => 3,
            Self::Lstm => 4,
        }
    }
}

impl NodeContext<'_> {
    /// A recurrent node: the outputs `Y`, `Y_h` and, of an LSTM, `Y_c`.
    pub(super) fn recurrent(&mut self) -> Result<Vec<Value>, ImportError> {
        self.allow(&[
            "activations",
            "clip",
            "direction",
            "hidden_size",
            "input_forget",
            "layout",
            "linear_before_reset",
        ])?;
        let cell = match self.node.op.as_str() {
            "LSTM" => Cell::Lstm,
            "GRU" => Cell::Gru,
            _ => Cell::Rnn,
        };
        if self.attribute("clip").is_some() {
            return Err(self.refuse(
                "attribute \"clip\"".to_owned(),
                "no clipping",
                "export without cell clipping",
            ));
        }
        self.require_int("input_forget", 0)?;
        let batch_first = self.int("layout", 0)? != 0;
        let x = self.act(0)?;
        let x = if batch_first && x.dims.len() == 3 {
            self.turned(&x, &[1, 0, 2])?
        } else {
            x
        };
        let &[steps, batch, _] = x.dims.as_slice() else {
            return Err(self.unknown_target());
        };
        let x = self.apart(&x, &[0, 2])?;
        let lengths = self.lengths(steps, batch)?;
        let directions = self.directions(cell)?;
        if steps * directions.len() * batch > STEPS_MAX {
            return Err(self.refuse(
                format!(
                    "{steps} steps of {} directions, {batch} sequences in one sample",
                    directions.len()
                ),
                "1024 steps in all",
                "use shorter sequences",
            ));
        }
        let states = [self.state(5, batch_first)?, self.state(6, batch_first)?];
        if batch == 1 && lengths[0] == steps {
            return self.sequence(cell, &x, &directions, &states, batch_first);
        }
        let made = Sequences {
            x: &x,
            lengths: &lengths,
            states: &states,
        };
        self.side_by_side(cell, &made, &directions, batch_first)
    }

    /// One sequence `[steps][1][inputs]`.
    pub(super) fn sequence(
        &mut self,
        cell: Cell,
        x: &Act,
        directions: &[Direction],
        states: &[Option<Act>; 2],
        batch_first: bool,
    ) -> Result<Vec<Value>, ImportError> {
        let backward = self.text("direction", "forward")? == "reverse";
        let mut rows = Vec::with_capacity(directions.len());
        let mut last_states = [Vec::new(), Vec::new()];
        for (index, direction) in directions.iter().enumerate() {
            let reverse = backward || index == 1;
            let mut own = [None, None];
            for (own, state) in own.iter_mut().zip(states) {
                if let Some(state) = state {
                    *own = Some(self.row_of(state, index)?);
                }
            }
            let (outputs, last) = self.unrolled(x, direction, own, reverse)?;
            rows.push(outputs);
            for (list, state) in last_states.iter_mut().zip(last) {
                list.extend(state);
            }
        }
        self.recurrent_outputs(cell, x, &rows, &last_states, batch_first)
    }

    /// An initial state `[directions][batch][hidden]`.
    fn state(&mut self, index: usize, batch_first: bool) -> Result<Option<Act>, ImportError> {
        if !self.has(index) {
            return Ok(None);
        }
        let state = self.act(index)?;
        if state.dims.len() != 3 {
            return Err(self.unknown_target());
        }
        let zero = |v: &f32| *v == 0.0;
        if self
            .constant_of(state.node)
            .is_some_and(|c| c.iter().all(zero))
        {
            return Ok(None);
        }
        if batch_first {
            return self.turned(&state, &[1, 0, 2]).map(Some);
        }
        Ok(Some(state))
    }

    /// Entry `index` of axis 0 of `[..][batch][columns]`, as the node of one row `[columns]`.
    fn row_of(&mut self, act: &Act, index: usize) -> Result<usize, ImportError> {
        let part = self.range(act, 0, index, 1)?;
        let columns = part.dims.last().copied().unwrap_or(1);
        self.view(part.node, vec![columns])
    }

    /// Weights and functions of each direction.
    fn directions(&mut self, cell: Cell) -> Result<Vec<Direction>, ImportError> {
        let (w, r) = (self.float_constant(1)?, self.float_constant(2)?);
        let biases = if self.has(3) {
            Some(self.float_constant(3)?)
        } else {
            None
        };
        let peepholes = if self.has(7) {
            Some(self.float_constant(7)?)
        } else {
            None
        };
        let gates = cell.gates();
        let (&[count, _, inputs], &[_, _, hidden]) = (w.dims.as_slice(), r.dims.as_slice()) else {
            return Err(self.unknown_target());
        };
        self.check_weights(&w, &r, [biases.as_ref(), peepholes.as_ref()], gates)?;
        self.spend(w.elements.len() + r.elements.len())?;
        let linear_before_reset = self.int("linear_before_reset", 0)? != 0;
        let functions = self.gate_functions(cell, count)?;
        let part = |c: &Const<f32>, direction: usize, from: usize, len: usize| {
            let all = c.elements.len() / count;
            c.elements[direction * all + from..][..len].to_vec()
        };
        let mut directions = Vec::with_capacity(count);
        for (d, functions) in functions.into_iter().enumerate() {
            let rows = gates * hidden;
            let zeros = vec![0.0; rows];
            let mut wb = biases
                .as_ref()
                .map_or(zeros.clone(), |b| part(b, d, 0, rows));
            let mut rb = biases.as_ref().map_or(zeros, |b| part(b, d, rows, rows));
            // What is only added goes into the input part; a GRU may scale its last recurrent bias.
            let kept = if cell == Cell::Gru { 2 * hidden } else { rows };
            for (w, r) in wb[..kept].iter_mut().zip(&mut rb[..kept]) {
                *w += core::mem::take(r);
            }
            let linear = |weights: Vec<f32>, bias: Vec<f32>| Linear {
                outputs: rows,
                weights,
                bias,
            };
            directions.push(Direction {
                cell,
                hidden,
                input: linear(part(&w, d, 0, rows * inputs), wb),
                recurrent: linear(part(&r, d, 0, rows * hidden), rb),
                peepholes: peepholes.as_ref().map(|p| part(p, d, 0, 3 * hidden)),
                functions,
                linear_before_reset,
            });
        }
        Ok(directions)
    }

    /// Refuses weights whose shapes do not fit each other.
    fn check_weights(
        &self,
        w: &Const<f32>,
        r: &Const<f32>,
        [biases, peepholes]: [Option<&Const<f32>>; 2],
        gates: usize,
    ) -> Result<(), ImportError> {
        let (count, height, hidden) = (w.dims[0], w.dims[1], r.dims[2]);
        let expected = match self.text("direction", "forward")?.as_str() {
            "forward" | "reverse" => 1,
            "bidirectional" => 2,
            _ => 0,
        };
        let fits = count == expected
            && hidden >= 1
            && height == gates * hidden
            && r.dims == [count, gates * hidden, hidden]
            && biases.is_none_or(|b| b.dims == [count, 2 * gates * hidden])
            && peepholes.is_none_or(|p| p.dims == [count, 3 * hidden]);
        if !fits {
            return Err(self.refuse(
                format!("weights of shapes {:?} and {:?}", w.dims, r.dims),
                "[directions][gates * hidden][inputs] and [directions][gates * hidden][hidden]",
                "check the model with onnx.checker",
            ));
        }
        Ok(())
    }

    /// The functions of each direction, by name.
    fn gate_functions(&self, cell: Cell, count: usize) -> Result<Vec<[Function; 3]>, ImportError> {
        let (sigmoid, tanh) = (
            Function::primitive(Primitive::Sigmoid),
            Function::primitive(Primitive::Tanh),
        );
        let usual = match cell {
            Cell::Rnn => [tanh.clone(), tanh.clone(), tanh],
            Cell::Gru | Cell::Lstm => [sigmoid, tanh.clone(), tanh],
        };
        let names = match self.attribute("activations") {
            None => return Ok(vec![usual; count]),
            Some(AttributeValue::Texts(names)) => names,
            Some(_) => return Err(self.unknown_target()),
        };
        let each = match cell {
            Cell::Rnn => 1,
            Cell::Gru => 2,
            Cell::Lstm => 3,
        };
        let mut functions = Vec::new();
        for name in names {
            functions.push(match name.to_ascii_lowercase().as_str() {
                "sigmoid" => Function::primitive(Primitive::Sigmoid),
                "tanh" => Function::primitive(Primitive::Tanh),
                "relu" => Function::primitive(Primitive::Clip(0.0, f64::INFINITY)),
                "softsign" => Function::primitive(Primitive::Softsign),
                "softplus" => Function::primitive(Primitive::Softplus),
                other => {
                    return Err(self.refuse(
                        format!("the activation {other:?}"),
                        "Sigmoid, Tanh, Relu, Softsign, Softplus",
                        "use the usual activations",
                    ));
                }
            });
        }
        if functions.len() != each * count {
            return Err(self.unknown_target());
        }
        let three = |own: &[Function]| {
            let at = |i: usize| own.get(i).unwrap_or(&own[0]).clone();
            [at(0), at(1), at(2)]
        };
        Ok(functions.chunks_exact(each).map(three).collect())
    }

    /// The hidden states of all steps, in the order of the sequence, and the last states.
    fn unrolled(
        &mut self,
        x: &Act,
        direction: &Direction,
        [hidden, state]: [Option<usize>; 2],
        reverse: bool,
    ) -> Result<(Vec<usize>, [Option<usize>; 2]), ImportError> {
        let steps = x.dims[0];
        let inputs = x.dims[2];
        let rows = self.view(x.node, vec![steps, inputs])?;
        if inputs != direction.input.row_len() {
            return Err(self.unknown_target());
        }
        let width = direction.input.outputs;
        let op = FloatOp::Dense(direction.input.clone());
        let projected = self.push(op, vec![rows], vec![steps, width])?;
        let projected = Act {
            node: projected,
            dims: vec![steps, width],
            batch: Batch::Absent,
            kind: Kind::Float,
        };
        let (mut hidden, mut state) = (hidden, state);
        let mut outputs = vec![0; steps];
        for step in 0..steps {
            let at = if reverse { steps - 1 - step } else { step };
            let part = self.range(&projected, 0, at, 1)?;
            let part = self.view(part.node, vec![width])?;
            let (next, next_state) = self.step(direction, part, hidden, state)?;
            (hidden, state) = (Some(next), next_state);
            outputs[at] = next;
        }
        Ok((outputs, [hidden, state]))
    }

    /// One step: the next hidden state and the next cell state.
    fn step(
        &mut self,
        direction: &Direction,
        input: usize,
        hidden: Option<usize>,
        state: Option<usize>,
    ) -> Result<(usize, Option<usize>), ImportError> {
        match direction.cell {
            Cell::Rnn => {
                let sum = self.recurrent_sum(direction, input, hidden)?;
                let [f, ..] = &direction.functions;
                Ok((self.of(f, sum)?, None))
            }
            Cell::Gru => Ok((self.gru_step(direction, input, hidden)?, None)),
            Cell::Lstm => {
                let (hidden, state) = self.lstm_step(direction, input, hidden, state)?;
                Ok((hidden, Some(state)))
            }
        }
    }

    /// `input + R h` of all gates.
    fn recurrent_sum(
        &mut self,
        direction: &Direction,
        input: usize,
        hidden: Option<usize>,
    ) -> Result<usize, ImportError> {
        let Some(hidden) = hidden else {
            return self.shifted(input, &direction.recurrent.bias);
        };
        let op = FloatOp::Dense(direction.recurrent.clone());
        let width = direction.recurrent.outputs;
        let product = self.push(op, vec![hidden], vec![width])?;
        self.both(Arithmetic::Add, input, product)
    }

    /// Part `gate` of `hidden` cells of a row.
    fn gate(&mut self, row: usize, gate: usize, hidden: usize) -> Result<usize, ImportError> {
        let act = self.row_act(row);
        Ok(self.range(&act, 0, gate * hidden, hidden)?.node)
    }

    fn row_act(&self, row: usize) -> Act {
        Act {
            node: row,
            dims: self.shape_of(row).to_vec(),
            batch: Batch::Absent,
            kind: Kind::Float,
        }
    }

    fn both(&mut self, arithmetic: Arithmetic, a: usize, b: usize) -> Result<usize, ImportError> {
        let (a, b) = (self.row_act(a), self.row_act(b));
        Ok(self.pair_of(arithmetic, &a, &b)?.node)
    }

    fn of(&mut self, f: &Function, row: usize) -> Result<usize, ImportError> {
        let act = self.row_act(row);
        Ok(self.mapped(FloatOp::Function(f.clone()), &act)?.node)
    }

    /// A row plus constants, if any is not 0.
    fn shifted(&mut self, row: usize, shift: &[f32]) -> Result<usize, ImportError> {
        if shift.iter().all(|&v| v == 0.0) {
            return Ok(row);
        }
        let op = FloatOp::Affine {
            axis: 0,
            scale: vec![1.0; shift.len()],
            shift: shift.to_vec(),
        };
        let act = self.row_act(row);
        Ok(self.mapped(op, &act)?.node)
    }

    /// A row plus `weights * state`.
    fn peeped(
        &mut self,
        row: usize,
        weights: Option<&[f32]>,
        state: Option<usize>,
    ) -> Result<usize, ImportError> {
        let (Some(weights), Some(state)) = (weights, state) else {
            return Ok(row);
        };
        let op = FloatOp::Affine {
            axis: 0,
            scale: weights.to_vec(),
            shift: vec![0.0; weights.len()],
        };
        let act = self.row_act(state);
        let scaled = self.mapped(op, &act)?.node;
        self.both(Arithmetic::Add, row, scaled)
    }

    /// Gates in the order of ONNX: input, output, forget, candidate.
    fn lstm_step(
        &mut self,
        direction: &Direction,
        input: usize,
        hidden: Option<usize>,
        state: Option<usize>,
    ) -> Result<(usize, usize), ImportError> {
        let n = direction.hidden;
        let peephole = |gate: usize| direction.peepholes.as_ref().map(|p| &p[gate * n..][..n]);
        let [f, g, h] = &direction.functions;
        let sum = self.recurrent_sum(direction, input, hidden)?;
        let i = self.gate(sum, 0, n)?;
        let i = self.peeped(i, peephole(0), state)?;
        let i = self.of(f, i)?;
        let candidate = self.gate(sum, 3, n)?;
        let candidate = self.of(g, candidate)?;
        let mut next = self.both(Arithmetic::Mul, i, candidate)?;
        if let Some(state) = state {
            let forget = self.gate(sum, 2, n)?;
            let forget = self.peeped(forget, peephole(2), Some(state))?;
            let forget = self.of(f, forget)?;
            let kept = self.both(Arithmetic::Mul, forget, state)?;
            next = self.both(Arithmetic::Add, kept, next)?;
        }
        let o = self.gate(sum, 1, n)?;
        let o = self.peeped(o, peephole(1), Some(next))?;
        let o = self.of(f, o)?;
        let shown = self.of(h, next)?;
        Ok((self.both(Arithmetic::Mul, o, shown)?, next))
    }

    /// Gates in the order of ONNX: update, reset, candidate.
    fn gru_step(
        &mut self,
        direction: &Direction,
        input: usize,
        hidden: Option<usize>,
    ) -> Result<usize, ImportError> {
        let n = direction.hidden;
        let [f, g, _] = &direction.functions;
        let part = |from: usize, count: usize| Linear {
            outputs: count * n,
            weights: direction.recurrent.weights[from * n * n..][..count * n * n].to_vec(),
            bias: direction.recurrent.bias[from * n..][..count * n].to_vec(),
        };
        let act = self.row_act(input);
        let mut gates = self.range(&act, 0, 0, 2 * n)?.node;
        if let Some(hidden) = hidden {
            let product = self.push(FloatOp::Dense(part(0, 2)), vec![hidden], vec![2 * n])?;
            gates = self.both(Arithmetic::Add, gates, product)?;
        }
        let z = self.gate(gates, 0, n)?;
        let z = self.of(f, z)?;
        let r = self.gate(gates, 1, n)?;
        let r = self.of(f, r)?;
        let own = self.gate(input, 2, n)?;
        let candidate = part(2, 1);
        let bias = candidate.bias.clone();
        let recurrent = match (hidden, direction.linear_before_reset) {
            (Some(hidden), true) => {
                let product = self.push(FloatOp::Dense(candidate), vec![hidden], vec![n])?;
                let reset = self.both(Arithmetic::Mul, r, product)?;
                self.both(Arithmetic::Add, own, reset)?
            }
            (Some(hidden), false) => {
                let reset = self.both(Arithmetic::Mul, r, hidden)?;
                let product = self.push(FloatOp::Dense(candidate), vec![reset], vec![n])?;
                self.both(Arithmetic::Add, own, product)?
            }
            (None, true) => {
                let op = FloatOp::Affine {
                    axis: 0,
                    scale: bias,
                    shift: vec![0.0; n],
                };
                let act = self.row_act(r);
                let reset = self.mapped(op, &act)?.node;
                self.both(Arithmetic::Add, own, reset)?
            }
            (None, false) => self.shifted(own, &bias)?,
        };
        let candidate = self.of(g, recurrent)?;
        // (1 - z) c + z h
        let Some(hidden) = hidden else {
            let act = self.row_act(z);
            let rest = self.scaled(&act, -1.0, 1.0)?.node;
            return self.both(Arithmetic::Mul, rest, candidate);
        };
        let difference = self.both(Arithmetic::Sub, hidden, candidate)?;
        let moved = self.both(Arithmetic::Mul, z, difference)?;
        self.both(Arithmetic::Add, candidate, moved)
    }

    /// The outputs: `Y [steps][directions][batch][hidden]`, and the last states
    /// `[directions][batch][hidden]`.
    fn recurrent_outputs(
        &mut self,
        cell: Cell,
        x: &Act,
        rows: &[Vec<usize>],
        states: &[Vec<usize>; 2],
        batch_first: bool,
    ) -> Result<Vec<Value>, ImportError> {
        let (steps, directions) = (x.dims[0], rows.len());
        let hidden = rows.first().and_then(|row| row.first()).copied();
        let hidden = hidden.map_or(0, |node| self.shape_of(node)[0]);
        let mut all = Vec::with_capacity(steps * directions);
        for step in 0..steps {
            all.extend(rows.iter().map(|row| row[step]));
        }
        let y = self.stacked(&all, vec![steps, directions, 1, hidden], x.batch)?;
        let y = if batch_first {
            self.turned(&y, &[2, 0, 1, 3])?
        } else {
            y
        };
        let mut values = vec![self.value_of(y)];
        for states in &states[..if cell == Cell::Lstm { 2 } else { 1 }] {
            let last = self.stacked(states, vec![directions, 1, hidden], x.batch)?;
            let last = if batch_first {
                self.turned(&last, &[1, 0, 2])?
            } else {
                last
            };
            values.push(self.value_of(last));
        }
        Ok(values)
    }

    /// Rows behind one another under `dims`, whose last axis but one is the batch of `like`.
    fn stacked(
        &mut self,
        rows: &[usize],
        dims: Vec<usize>,
        like: Batch,
    ) -> Result<Act, ImportError> {
        let acts: Vec<Act> = rows.iter().map(|&row| self.row_act(row)).collect();
        let joined = self.joined(&acts, 0)?;
        let batch = match like {
            Batch::Own(_) => Batch::Own(dims.len() - 2),
            Batch::Absent | Batch::Part { .. } => Batch::Absent,
        };
        self.framed(&joined, Frame { dims, batch })
    }
}
