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
use super::steps::SharedSteps;
use super::support;
use super::table::Stretch;
use crate::float::{FloatGraph, FloatNode, FloatOp, Function, Window2};
use crate::quant::{Calibration, input_ratio, output_ratio, ratio_value, requantizer};

/// Largest integer of an int8 activation.
pub(super) const INT8_LEVELS: f64 = 127.0;
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
    support::check(graph)?;
    let mut lowering = Lowering {
        graph,
        calibration,
        wide: wide_nodes(graph),
        shared: SharedSteps::new(graph, calibration),
        emitter: Emitter::default(),
        places: vec![None; graph.nodes().len()],
    };
    lowering.input()?;
    let chains = chains(graph);
    let mut next = chains.iter().peekable();
    for index in 1..graph.nodes().len() {
        lowering.view(index)?;
        while let Some(chain) = next.next_if(|chain| chain.end == index) {
            let place = lowering.chain(chain)?;
            lowering.places[index] = Some(place);
        }
    }
    lowering.finish(options)
}

/// Nodes on the way from the last requantisation to the output, and means that a factor follows:
/// they may be int16.
fn wide_nodes(graph: &FloatGraph) -> Vec<bool> {
    let readers = graph.readers();
    let mut wide = vec![false; graph.nodes().len()];
    let mut index = graph.output();
    while index != 0 && readers[index] == 1 {
        wide[index] = true;
        if !graph.nodes()[index].op.passes() {
            break;
        }
        index = graph.nodes()[index].inputs[0];
    }
    for node in graph.nodes() {
        if let (FloatOp::Plane(_), &[mean]) = (&node.op, node.inputs.as_slice()) {
            wide[mean] |=
                readers[mean] == 1 && matches!(graph.nodes()[mean].op, FloatOp::AvgPool(_));
        }
    }
    wide
}

pub(super) struct Lowering<'a> {
    graph: &'a FloatGraph,
    pub(super) calibration: &'a Calibration,
    wide: Vec<bool>,
    shared: SharedSteps,
    pub(super) emitter: Emitter,
    places: Vec<Option<Place>>,
}

impl Lowering<'_> {
    pub(super) fn node(&self, index: usize) -> &FloatNode {
        &self.graph.nodes()[index]
    }

    pub(super) fn place(&self, index: usize) -> Place {
        let place = self.places[index].clone();
        place.expect("chains are in execution order")
    }

    /// Gives a view or transposition the place of what it views, in its own order.
    fn view(&mut self, index: usize) -> Result<(), CompileError> {
        let node = &self.graph.nodes()[index];
        let perm = match &node.op {
            FloatOp::Reshape => None,
            FloatOp::Transpose(perm) => Some(perm),
            FloatOp::Input
            | FloatOp::Constant(_)
            | FloatOp::Product { .. }
            | FloatOp::Softmax
            | FloatOp::Normalize { .. }
            | FloatOp::Reduce(_)
            | FloatOp::ArgMax
            | FloatOp::Embedding { .. }
            | FloatOp::Dense(_)
            | FloatOp::Conv(..)
            | FloatOp::Affine { .. }
            | FloatOp::Add
            | FloatOp::Function(_)
            | FloatOp::Pair(..)
            | FloatOp::Plane(_)
            | FloatOp::Concat(_)
            | FloatOp::Walk(..)
            | FloatOp::Clip(..)
            | FloatOp::MaxPool(_)
            | FloatOp::AvgPool(_) => return Ok(()),
        };
        let mut place = self.place(node.inputs[0]);
        if let Some(perm) = perm {
            let shape = &self.graph.nodes()[node.inputs[0]].shape;
            if place.layout.transposed(shape, perm).is_none() {
                let flat = Layout::flat(node.elements());
                place = self.emitter.arrange(&node.name, place, &flat)?;
            }
            let layout = place.layout.transposed(shape, perm);
            place.layout = layout.expect("every axis of a flat order can be cut at the shape's");
        }
        self.places[index] = Some(place);
        Ok(())
    }

    /// Real value of one int8 unit of a node, by calibration.
    pub(super) fn step(&self, index: usize) -> f64 {
        let own = || self.calibration.clip_point(index, INT8_LEVELS) / INT8_LEVELS;
        self.shared.of(index).unwrap_or_else(own)
    }

    /// Whether a node's step is its own affair: int8, and not shared with others.
    pub(super) fn is_free(&self, index: usize) -> bool {
        !self.wide[index] && self.shared.of(index).is_none()
    }

    /// Step of what a table puts out.
    pub(super) fn table_step(&self, end: usize, f: &Function) -> f64 {
        if f.is_unit() && self.shared.of(end).is_none() {
            1.0 / INT8_LEVELS
        } else {
            self.step(end)
        }
    }

    /// Type and step of what a chain puts out.
    pub(super) fn output_of(&self, end: usize) -> Result<(DType, f64), CompileError> {
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
            _ => (Layout::flat(node.elements()), node.shape.clone()),
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
        if chain.pointwise {
            return self.pointwise(chain);
        }
        match &self.node(chain.body).op {
            FloatOp::Dense(_) => self.dense(chain),
            FloatOp::Conv(..) => self.conv(chain),
            FloatOp::AvgPool(window) => self.average_pool(chain, *window),
            FloatOp::MaxPool(window) => self.max_pool(chain, *window),
            FloatOp::Plane(factors) => self.plane(chain, &factors.clone()),
            FloatOp::Concat(axis) => self.concat(chain, *axis),
            FloatOp::Walk(walks, fill) => self.walk(chain, &walks.clone(), *fill),
            FloatOp::Input
            | FloatOp::Constant(_)
            | FloatOp::Product { .. }
            | FloatOp::Softmax
            | FloatOp::Normalize { .. }
            | FloatOp::Reduce(_)
            | FloatOp::ArgMax
            | FloatOp::Embedding { .. }
            | FloatOp::Affine { .. }
            | FloatOp::Add
            | FloatOp::Pair(..)
            | FloatOp::Clip(..)
            | FloatOp::Function(_)
            | FloatOp::Transpose(_)
            | FloatOp::Reshape => self.pointwise(chain),
        }
    }

    /// The image that node `index` is, as `(channels, height, width)`.
    pub(super) fn image(&self, index: usize) -> (usize, usize, usize) {
        match *self.node(index).shape.as_slice() {
            [c, h, w] => (c, h, w),
            _ => (1, 1, self.node(index).elements()),
        }
    }

    /// Value `index` in `layout`.
    pub(super) fn operand(
        &mut self,
        name: &str,
        index: usize,
        layout: &Layout,
    ) -> Result<Place, CompileError> {
        let place = self.place(index);
        self.emitter.arrange(name, place, layout)
    }

    /// Steps, addend and activation that all linear chains share; then the node's integers.
    fn linear(
        &mut self,
        chain: &Chain,
        input: &Place,
        weights: &[f32],
        bias: &[f32],
        layout: &Layout,
    ) -> Result<(selfsame_ir::Linear, Option<Place>, DType, f64), CompileError> {
        let name = self.node(chain.end).name.clone();
        let addend = match chain.addend {
            Some(index) => Some(self.operand(&name, index, layout)?),
            None => None,
        };
        let activation = (chain.end != chain.sum).then(|| &self.node(chain.end).op);
        let (dtype, step_out, table) = if let Some(FloatOp::Function(f)) = activation {
            let step = self.table_step(chain.end, f);
            let stretch = Stretch::of(f, self.calibration.range(chain.sum), step);
            (DType::I8, step, Some((f, stretch)))
        } else {
            let (dtype, step) = self.output_of(chain.end)?;
            (dtype, step, None)
        };
        let spec = LinearSpec {
            name: &name,
            weights,
            bias,
            step_in: input.step,
            table,
            step_out,
            addend: addend.as_ref().map(|place| (place.dtype, place.step)),
            dtype,
            clip: activation,
        };
        let linear = spec.quantize()?;
        Ok((linear, addend, dtype, step_out))
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
            let weights = permute_columns(linear, &input.layout.source());
            (input, weights)
        } else {
            let flat = Layout::flat(rows * terms);
            (
                self.emitter.arrange(&node.name, input, &flat)?,
                linear.weights.clone(),
            )
        };
        let layout = Layout::flat(node.elements());
        let (linear_ir, addend, dtype, step) =
            self.linear(chain, &input, &weights, &linear.bias, &layout)?;
        let name = self.node(chain.end).name.clone();
        let shape = MatMulShape {
            rows,
            terms,
            outputs: linear.outputs,
        };
        let target = Target {
            place: (layout, dtype, step),
            float: chain.end,
        };
        matmul(
            &mut self.emitter,
            &name,
            shape,
            linear_ir,
            &input,
            addend.as_ref(),
            target,
        )
    }

    fn conv(&mut self, chain: &Chain) -> Result<Place, CompileError> {
        let node = self.node(chain.body).clone();
        let FloatOp::Conv(linear, window, groups) = &node.op else {
            unreachable!("the caller matched")
        };
        let (c, h, w) = self.image(node.inputs[0]);
        let input = self.operand(&node.name, node.inputs[0], &Layout::image(c, h, w))?;
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
            self.linear(chain, &input, &weights, &linear.bias, &layout)?;
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

    fn average_pool(&mut self, chain: &Chain, window: Window2) -> Result<Place, CompileError> {
        let node = self.node(chain.body).clone();
        let name = self.node(chain.end).name.clone();
        let (c, h, w) = self.image(node.inputs[0]);
        let input = self.operand(&name, node.inputs[0], &Layout::image(c, h, w))?;
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
        let input = self.operand(&node.name, node.inputs[0], &Layout::image(c, h, w))?;
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

    fn finish(self, options: &Options) -> Result<Lowered, CompileError> {
        let (input, output) = (self.place(0), self.place(self.graph.output()));
        let interface = interface(self.graph, &input, &output, options)?;
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
