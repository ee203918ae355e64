//! The whole program: input, one node per chain, output, interface.

use selfsame_ir::{AvgPool, Conv, DType, Dim, InputSpec, MaxPool, Notes, Op, Program, Window};
use selfsame_protocol::constants::{SHIFT_MAX, TERMS_MAX};

use super::chain::{Chain, chains};
use super::emit::{Emitter, Place, Source, fit};
use super::error::CompileError;
use super::interface::Options;
use super::interface::interface;
use super::layout::Layout;
use super::linear::{LinearSpec, clamp_bounds, interleave_channels, permute_columns};
use super::partial::{MatMulShape, Target, matmul};
use crate::float::{FloatGraph, FloatNode, FloatOp, Window2};
use crate::quant::{Calibration, input_ratio, output_ratio, ratio_value, requantizer};

/// Largest integer of an int8 activation.
const INT8_LEVELS: f64 = 127.0;
/// Bits of head room of the int16 output: twice the largest magnitude seen still fits.
const OUTPUT_LEVELS: f64 = 16_383.0;

/// A lowered graph: the program, and what each of its nodes stands for.
pub(crate) struct Lowered {
    pub(crate) program: Program,
    pub(crate) sources: Vec<Option<Source>>,
}

/// Lowers a fused graph.
pub(crate) fn lower(
    graph: &FloatGraph,
    calibration: &Calibration,
    options: &Options,
) -> Result<Lowered, CompileError> {
    if calibration.node_count() != graph.nodes().len() {
        return Err(CompileError::Calibration {
            calibration: calibration.node_count(),
            graph: graph.nodes().len(),
        });
    }
    let mut lowering = Lowering {
        graph,
        calibration,
        wide: wide_nodes(graph),
        emitter: Emitter::default(),
        places: vec![None; graph.nodes().len()],
    };
    lowering.input()?;
    let chains = chains(graph);
    let mut next = chains.iter().peekable();
    for index in 1..graph.nodes().len() {
        if matches!(graph.nodes()[index].op, FloatOp::Reshape) {
            let input = graph.nodes()[index].inputs[0];
            lowering.places[index] = lowering.places[input];
        }
        while let Some(chain) = next.next_if(|chain| chain.end == index) {
            let place = lowering.chain(chain)?;
            lowering.places[index] = Some(place);
        }
    }
    lowering.finish(options)
}

/// Nodes on the way from the last requantisation to the output: they may be int16.
fn wide_nodes(graph: &FloatGraph) -> Vec<bool> {
    let readers = graph.readers();
    let mut wide = vec![false; graph.nodes().len()];
    let mut index = graph.output();
    while index != 0 && readers[index] == 1 {
        wide[index] = true;
        match graph.nodes()[index].op {
            FloatOp::Reshape | FloatOp::MaxPool(_) | FloatOp::Transpose(_) => {
                index = graph.nodes()[index].inputs[0];
            }
            _ => break,
        }
    }
    wide
}

struct Lowering<'a> {
    graph: &'a FloatGraph,
    calibration: &'a Calibration,
    wide: Vec<bool>,
    emitter: Emitter,
    places: Vec<Option<Place>>,
}

impl Lowering<'_> {
    fn node(&self, index: usize) -> &FloatNode {
        &self.graph.nodes()[index]
    }

    fn place(&self, index: usize) -> Place {
        self.places[index].expect("chains are in execution order")
    }

    /// Real value of one int8 unit of a node, by calibration.
    fn step(&self, index: usize) -> f64 {
        self.calibration.clip_point(index, INT8_LEVELS) / INT8_LEVELS
    }

    /// Type and step of what a chain puts out.
    fn output_of(&self, end: usize) -> Result<(DType, f64), CompileError> {
        if !self.wide[end] {
            return Ok((DType::I8, self.step(end)));
        }
        let largest = self.calibration.largest(end);
        let step = if largest == 0.0 {
            1.0
        } else {
            largest / OUTPUT_LEVELS
        };
        let ratio = output_ratio(step).ok_or_else(|| CompileError::Scale {
            node: self.node(end).name.clone(),
            channel: 0,
        })?;
        Ok((DType::I16, ratio_value(ratio)))
    }

    fn input(&mut self) -> Result<(), CompileError> {
        let node = self.node(0).clone();
        // Inputs are not clipped: what users send is not bound to the training rows.
        let largest = self.calibration.largest(0);
        let step = if largest == 0.0 {
            1.0
        } else {
            largest / INT8_LEVELS
        };
        let ratio = input_ratio(1.0 / step).ok_or_else(|| CompileError::Scale {
            node: node.name.clone(),
            channel: 0,
        })?;
        let step = 1.0 / ratio_value(ratio);
        let (layout, shape) = match *node.shape.as_slice() {
            [c, h, w] => (Layout::image(c, h, w), vec![h, w, c]),
            _ => (Layout::Flat, node.shape.clone()),
        };
        let shape = shape.iter().map(|&d| Ok(Dim::fixed(fit(&node.name, d)?)));
        let spec = InputSpec {
            shape: shape.collect::<Result<_, CompileError>>()?,
        };
        let place = (layout, DType::I8, step);
        self.places[0] =
            Some(
                self.emitter
                    .push(&node.name, Op::Input(spec), Vec::new(), place, Some(0))?,
            );
        Ok(())
    }

    fn chain(&mut self, chain: &Chain) -> Result<Place, CompileError> {
        if chain.identity {
            return self.identity(chain);
        }
        match &self.node(chain.body).op {
            FloatOp::Dense(_) => self.dense(chain),
            FloatOp::Conv(..) => self.conv(chain),
            FloatOp::AvgPool(window) => self.average_pool(chain, *window),
            FloatOp::MaxPool(window) => self.max_pool(chain, *window),
            FloatOp::Transpose(perm) => self.transpose(chain, &perm.clone()),
            FloatOp::Input
            | FloatOp::Affine { .. }
            | FloatOp::Add
            | FloatOp::Clip(..)
            | FloatOp::Sigmoid
            | FloatOp::Tanh
            | FloatOp::Reshape => self.identity(chain),
        }
    }

    /// The image that node `index` is, as `(channels, height, width)`.
    fn image(&self, index: usize) -> (usize, usize, usize) {
        match *self.node(index).shape.as_slice() {
            [c, h, w] => (c, h, w),
            _ => (1, 1, self.node(index).elements()),
        }
    }

    /// Input `index` as int8 in `layout`.
    fn operand(&mut self, name: &str, index: usize, layout: Layout) -> Result<Place, CompileError> {
        let place = self.place(index);
        self.emitter.arrange(name, place, layout)
    }

    /// Steps, addend and activation that all linear chains share; then the node's integers.
    fn linear(
        &mut self,
        chain: &Chain,
        input: Place,
        weights: &[f32],
        bias: &[f32],
        layout: Layout,
    ) -> Result<(selfsame_ir::Linear, Option<Place>, DType, f64), CompileError> {
        let name = self.node(chain.end).name.clone();
        let addend = match chain.addend {
            Some(index) => Some(self.operand(&name, index, layout)?),
            None => None,
        };
        let activation = (chain.end != chain.sum).then(|| self.node(chain.end).op.clone());
        let is_table = matches!(activation, Some(FloatOp::Sigmoid | FloatOp::Tanh));
        let (dtype, step_out) = if is_table {
            (DType::I8, 1.0 / INT8_LEVELS)
        } else {
            self.output_of(chain.end)?
        };
        let step_sum = if is_table {
            self.table_step(chain)
        } else {
            step_out
        };
        let spec = LinearSpec {
            name: &name,
            weights,
            bias,
            step_in: input.step,
            step_sum,
            step_out,
            addend: addend.map(|place| (place.dtype, place.step)),
            dtype,
            activation: activation.as_ref(),
        };
        Ok((spec.quantize()?, addend, dtype, step_out))
    }

    /// Step in front of a table: beyond 8 (sigmoid) or 4 (tanh) the table is flat.
    fn table_step(&self, chain: &Chain) -> f64 {
        let flat = if matches!(self.node(chain.end).op, FloatOp::Tanh) {
            4.0
        } else {
            8.0
        };
        self.calibration.largest(chain.sum).min(flat).max(1e-6) / INT8_LEVELS
    }

    fn dense(&mut self, chain: &Chain) -> Result<Place, CompileError> {
        let node = self.node(chain.body).clone();
        let FloatOp::Dense(linear) = &node.op else {
            unreachable!("the caller matched")
        };
        let input = self.place(node.inputs[0]);
        let terms = linear.row_len();
        let rows = node.elements() / linear.outputs;
        // One row takes its columns in whatever order they stand; several rows must be flat.
        let (input, weights) = if rows == 1 {
            (input, permute_columns(linear, &input.layout.source(terms)))
        } else {
            (
                self.emitter.arrange(&node.name, input, Layout::Flat)?,
                linear.weights.clone(),
            )
        };
        let (linear_ir, addend, dtype, step) =
            self.linear(chain, input, &weights, &linear.bias, Layout::Flat)?;
        let name = self.node(chain.end).name.clone();
        let shape = MatMulShape {
            rows,
            terms,
            outputs: linear.outputs,
        };
        let target = Target {
            place: (Layout::Flat, dtype, step),
            float: chain.end,
        };
        matmul(
            &mut self.emitter,
            &name,
            shape,
            linear_ir,
            input,
            addend,
            target,
        )
    }

    fn conv(&mut self, chain: &Chain) -> Result<Place, CompileError> {
        let node = self.node(chain.body).clone();
        let FloatOp::Conv(linear, window, groups) = &node.op else {
            unreachable!("the caller matched")
        };
        let (c, h, w) = self.image(node.inputs[0]);
        let input = self.operand(&node.name, node.inputs[0], Layout::image(c, h, w))?;
        let weights = interleave_channels(linear, window.kernel[0] * window.kernel[1]);
        if linear.row_len() > TERMS_MAX as usize {
            return Err(CompileError::Terms {
                node: node.name,
                terms: linear.row_len(),
                limit: TERMS_MAX as usize,
            });
        }
        let (oc, oh, ow) = self.image(chain.body);
        let layout = Layout::image(oc, oh, ow);
        let (linear_ir, addend, dtype, step) =
            self.linear(chain, input, &weights, &linear.bias, layout)?;
        let name = self.node(chain.end).name.clone();
        let op = Op::Conv(Conv {
            height: Dim::fixed(fit(&name, h)?),
            width: Dim::fixed(fit(&name, w)?),
            channels: fit(&name, c)?,
            out_channels: fit(&name, linear.outputs)?,
            groups: fit(&name, *groups)?,
            window: window_ir(&name, *window)?,
            linear: linear_ir,
        });
        let inputs = core::iter::once(input.node)
            .chain(addend.map(|a| a.node))
            .collect();
        self.emitter
            .push(&name, op, inputs, (layout, dtype, step), Some(chain.end))
    }

    /// A copy with another scale, addend, clamp or table: a convolution with the weight 1.
    fn identity(&mut self, chain: &Chain) -> Result<Place, CompileError> {
        let input = self.place(chain.body);
        let elements = self.node(chain.body).elements();
        let name = self.node(chain.end).name.clone();
        let (linear, addend, dtype, step) =
            self.linear(chain, input, &[1.0], &[0.0], input.layout)?;
        let op = Op::Conv(Conv {
            height: Dim::fixed(1),
            width: Dim::fixed(fit(&name, elements)?),
            channels: 1,
            out_channels: 1,
            groups: 1,
            window: Window::square(1, 1, 0),
            linear,
        });
        let inputs = core::iter::once(input.node)
            .chain(addend.map(|a| a.node))
            .collect();
        self.emitter.push(
            &name,
            op,
            inputs,
            (input.layout, dtype, step),
            Some(chain.end),
        )
    }

    fn average_pool(&mut self, chain: &Chain, window: Window2) -> Result<Place, CompileError> {
        let node = self.node(chain.body).clone();
        let name = self.node(chain.end).name.clone();
        let (c, h, w) = self.image(node.inputs[0]);
        let input = self.operand(&name, node.inputs[0], Layout::image(c, h, w))?;
        let (dtype, step) = self.output_of(chain.end)?;
        #[expect(
            clippy::cast_precision_loss,
            reason = "a window has at most 2^24 cells"
        )]
        let cells = (window.kernel[0] * window.kernel[1]) as f64;
        let scale = || CompileError::Scale {
            node: name.clone(),
            channel: 0,
        };
        let (multiplier, shift) =
            requantizer(input.step / (cells * step), SHIFT_MAX).ok_or_else(scale)?;
        let activation = (chain.end != chain.sum).then(|| self.node(chain.end).op.clone());
        let (low, high) = clamp_bounds(activation.as_ref(), step, dtype);
        let op = Op::AvgPool(AvgPool {
            height: Dim::fixed(fit(&name, h)?),
            width: Dim::fixed(fit(&name, w)?),
            channels: fit(&name, c)?,
            window: window_ir(&name, window)?,
            multiplier: u16::try_from(multiplier).map_err(|_| scale())?,
            shift: u8::try_from(shift).map_err(|_| scale())?,
            low,
            high,
        });
        let (oc, oh, ow) = self.image(chain.body);
        let place = (Layout::image(oc, oh, ow), dtype, step);
        self.emitter
            .push(&name, op, vec![input.node], place, Some(chain.end))
    }

    fn max_pool(&mut self, chain: &Chain, window: Window2) -> Result<Place, CompileError> {
        let node = self.node(chain.body).clone();
        let (c, h, w) = self.image(node.inputs[0]);
        let input = self.operand(&node.name, node.inputs[0], Layout::image(c, h, w))?;
        let op = Op::MaxPool(MaxPool {
            height: Dim::fixed(fit(&node.name, h)?),
            width: Dim::fixed(fit(&node.name, w)?),
            channels: fit(&node.name, c)?,
            window: window_ir(&node.name, window)?,
        });
        let (oc, oh, ow) = self.image(chain.body);
        let place = (Layout::image(oc, oh, ow), input.dtype, input.step);
        self.emitter
            .push(&node.name, op, vec![input.node], place, Some(chain.end))
    }

    fn transpose(&mut self, chain: &Chain, perm: &[usize]) -> Result<Place, CompileError> {
        let node = self.node(chain.body).clone();
        let input = self.operand(&node.name, node.inputs[0], Layout::Flat)?;
        let shape = self.node(node.inputs[0]).shape.clone();
        let permutation = perm
            .iter()
            .map(|&axis| fit(&node.name, axis))
            .collect::<Result<Vec<u8>, _>>()?;
        let end = Some(chain.end);
        self.emitter
            .transpose(&node.name, input, &shape, &permutation, Layout::Flat, end)
    }

    fn finish(self, options: &Options) -> Result<Lowered, CompileError> {
        let (input, output) = (self.place(0), self.place(self.graph.output()));
        let interface = interface(self.graph, input, output, options)?;
        let program = Program {
            symbols: Vec::new(),
            nodes: self.emitter.nodes,
            output: output.node,
            interface,
            notes: Notes {
                name: options.name.clone(),
                nodes: self.emitter.names,
            },
        };
        Ok(Lowered {
            program,
            sources: self.emitter.sources,
        })
    }
}

fn window_ir(name: &str, window: Window2) -> Result<Window, CompileError> {
    let pair = |values: [usize; 2]| -> Result<[u16; 2], CompileError> {
        Ok([fit(name, values[0])?, fit(name, values[1])?])
    };
    let (begin, end) = (pair(window.pads_begin)?, pair(window.pads_end)?);
    Ok(Window {
        kernel: pair(window.kernel)?,
        stride: pair(window.strides)?,
        pad: [begin[0], begin[1], end[0], end[1]],
        dilation: pair(window.dilations)?,
    })
}
