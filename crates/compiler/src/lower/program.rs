//! The whole program: input, one node per chain, output, interface.

use std::collections::BTreeMap;

use selfsame_ir::{DType, FactorShift, Notes, Program};

use super::attention::matrices;
use super::chain::{Chain, chains};
use super::emit::{Emitter, Narrowed, Place, Source};
use super::error::CompileError;
use super::growth::Growth;
use super::inputs::ProgramInput;
use super::interface::Options;
use super::interface::interface;
use super::layout::Layout;
use super::linear::LinearSpec;
use super::planes::{Finer, Planes};
use super::steps::SharedSteps;
use super::table::Stretch;
use super::widths::{Widths, calibration_of};
use crate::float::{FloatGraph, FloatNode, FloatOp, Function, Span};
use crate::quant::{Calibration, INT8_LEVELS, INT16_HEADROOM_LEVELS, output_ratio, ratio_value};

/// The integers of a linear node, and what its value is.
pub(super) struct QuantizedLinear {
    pub(super) linear: selfsame_ir::Linear,
    /// What int8 weights leave, a node in front of it that becomes its addend.
    pub(super) finer: Option<Finer>,
    /// Shift behind the row factor, if the input has one.
    pub(super) factor: Option<FactorShift>,
    pub(super) addend: Option<Place>,
    pub(super) dtype: DType,
    pub(super) step: f64,
    /// The float node whose value it has.
    pub(super) float: usize,
}

/// A lowered graph: the program, and what each of its nodes stands for.
pub(crate) struct Lowered {
    pub(crate) program: Program,
    pub(crate) sources: Vec<Option<Source>>,
    pub(crate) narrowed: Vec<Narrowed>,
}

/// What the lowerings of one model at several values of a dimension share.
#[derive(Debug, Default)]
pub(crate) struct Constants {
    /// Their steps, by node: those of the first lowering serve all others.
    pub(super) steps: BTreeMap<usize, f64>,
    pub(super) growth: Growth,
}

impl Constants {
    /// Nothing but what grows is known yet.
    pub(crate) fn growing(growth: Growth) -> Self {
        Self {
            growth,
            ..Self::default()
        }
    }
}

/// Lowers a fused graph whose values and weights are as wide as [`widths`](super::widths()) says.
pub(crate) fn lower(
    graph: &FloatGraph,
    calibration: &Calibration,
    widths: &Widths,
    options: &Options,
    constants: &mut Constants,
) -> Result<Lowered, CompileError> {
    calibration_of(calibration, graph)?;
    let mut lowering = Lowering {
        graph,
        calibration,
        widths,
        whole: graph.whole_numbers(),
        readers: graph.readers_of_each(),
        shared: SharedSteps::new(graph, calibration),
        emitter: Emitter::default(),
        places: vec![None; graph.nodes().len()],
        input: None,
        constants,
        multiplies_words: widths.words,
        takes_pictures: options.pixels.is_some(),
        only_bends_read: Vec::new(),
    };
    lowering.only_bends_read = lowering.read_by_bends();
    lowering.inputs()?;
    let chains = chains(graph);
    let mut next = chains.iter().peekable();
    for index in graph.inputs().len()..graph.nodes().len() {
        lowering.view(index)?;
        while let Some(chain) = next.next_if(|chain| chain.end == index) {
            let place = lowering.chain(chain)?;
            lowering.places[index] = Some(place);
        }
    }
    lowering.finish(options)
}

pub(super) struct Lowering<'a> {
    pub(super) graph: &'a FloatGraph,
    pub(super) calibration: &'a Calibration,
    widths: &'a Widths,
    /// For each node that must be exact the bounds of its whole numbers.
    pub(super) whole: Vec<Option<Span>>,
    /// For each node the nodes that read it.
    readers: Vec<Vec<usize>>,
    shared: SharedSteps,
    pub(super) emitter: Emitter,
    pub(super) places: Vec<Option<Place>>,
    /// The program's input.
    pub(super) input: Option<ProgramInput>,
    pub(super) constants: &'a mut Constants,
    /// Whether convolutions read int16 as it is.
    multiplies_words: bool,
    /// Whether the input is made from pictures of 8-bit samples.
    pub(super) takes_pictures: bool,
    /// For each node whether [functions that bend](Lowering::bends) alone read it.
    pub(super) only_bends_read: Vec<bool>,
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
            op @ FloatOp::Affine { scale, .. } if op.is_rescaling() => {
                // The same integers in other units.
                let mut place = self.place(node.inputs[0]);
                place.step *= f64::from(scale[0]);
                self.places[index] = Some(place);
                return Ok(());
            }
            FloatOp::Constant(values) => {
                if let Some(place) = self.corner(index)? {
                    self.places[index] = Some(place);
                    return Ok(());
                }
                // Pairs take constants as they are.
                let reads = |&reader: &usize| !self.takes_constant(reader, index);
                if self.readers[index].iter().any(reads) || index == self.graph.output() {
                    self.places[index] = Some(self.constant(index, &values.clone())?);
                }
                return Ok(());
            }
            FloatOp::Input
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
            | FloatOp::Product { .. }
            | FloatOp::Softmax
            | FloatOp::Normalize { .. }
            | FloatOp::Reduce(_)
            | FloatOp::ArgMax
            | FloatOp::Embedding { .. }
            | FloatOp::AvgPool(_) => return Ok(()),
        };
        let source = node.inputs[0];
        let mut place = self.settled(&node.name, source)?;
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
        let own = || self.calibration.clip_point(index) / INT8_LEVELS;
        self.shared.of(index).unwrap_or_else(own)
    }

    /// Whether a node's step is its own affair: int8, and not shared with others.
    pub(super) fn is_free(&self, index: usize) -> bool {
        !self.widths.values[index] && self.shared.of(index).is_none()
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
        if self.widths.values[end] {
            self.word_of(end)
        } else {
            Ok((DType::I8, self.step(end)))
        }
    }

    fn chain(&mut self, chain: &Chain) -> Result<Place, CompileError> {
        if self.whole[chain.end].is_some()
            && let Some(place) = self.whole_chain(chain)?
        {
            return Ok(place);
        }
        if chain.pointwise {
            return self.pointwise(chain);
        }
        match &self.node(chain.body).op {
            FloatOp::Dense(_) => self.dense(chain),
            FloatOp::Affine { axis, .. } => self.affine(chain, *axis),
            FloatOp::Product { group } => self.product(chain, *group),
            FloatOp::Softmax => self.softmax(chain),
            FloatOp::Normalize { .. } => self.normalize(chain),
            FloatOp::Reduce(kind) => self.reduction(chain, *kind),
            FloatOp::ArgMax => self.arg_max(chain),
            FloatOp::Embedding { .. } => self.embedding(chain),
            FloatOp::Conv(..) => self.conv(chain),
            FloatOp::AvgPool(window) => self.average_pool(chain, *window),
            FloatOp::MaxPool(window) => self.max_pool(chain, *window),
            FloatOp::Plane(factors) => self.plane(chain, &factors.clone()),
            FloatOp::Concat(axis) => self.concat(chain, *axis),
            FloatOp::Walk(walks, fill) => self.walk(chain, &walks.clone(), *fill),
            FloatOp::Input
            | FloatOp::Constant(_)
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
        let place = self.settled(name, index)?;
        self.emitter.arrange(name, place, layout)
    }

    /// Value `index` as int8 or, if a step `has_room` for it, int16 in `layout`.
    pub(super) fn product_operand(
        &mut self,
        name: &str,
        index: usize,
        has_room: bool,
        layout: &Layout,
    ) -> Result<Place, CompileError> {
        let place = self.settled(name, index)?;
        let place = self.narrow(name, index, place)?;
        if place.dtype == DType::I16 && !(self.multiplies_words && has_room) {
            return self.byte_operand(name, index, layout);
        }
        self.emitter.arrange(name, place, layout)
    }

    /// Value `index` as int8 in `layout`.
    pub(super) fn byte_operand(
        &mut self,
        name: &str,
        index: usize,
        layout: &Layout,
    ) -> Result<Place, CompileError> {
        let place = self.settled(name, index)?;
        let place = match place.dtype {
            DType::I8 => place,
            DType::I16 | DType::I32 => self.as_bytes(name, index, place)?,
        };
        self.emitter.arrange(name, place, layout)
    }

    /// Steps, addend and activation that all linear chains share; then the node's integers.
    ///
    /// A function of an int16 value is no part of the node: [`Self::applied`] puts it behind.
    pub(super) fn linear(
        &mut self,
        chain: &Chain,
        input: &Place,
        weights: &[f32],
        bias: &[f32],
        layout: &Layout,
    ) -> Result<QuantizedLinear, CompileError> {
        let name = self.node(chain.end).name.clone();
        let addend = match chain.addend {
            Some(index) => {
                let place = self.settled(&name, index)?;
                Some(self.emitter.arrange(&name, place, layout)?)
            }
            None => None,
        };
        let activation = (chain.end != chain.sum).then(|| &self.node(chain.end).op);
        let (dtype, step_out, table, float) = match activation {
            Some(FloatOp::Function(f)) if !self.widths.values[chain.end] => {
                let step = self.table_step(chain.end, f);
                let stretch = Stretch::of(f, self.calibration.range(chain.sum), step);
                (DType::I8, step, Some((f, stretch)), chain.end)
            }
            Some(FloatOp::Function(_)) => {
                let (dtype, step) = self.word_of(chain.sum)?;
                (dtype, step, None, chain.sum)
            }
            Some(_) | None => {
                let (dtype, step) = self.output_of(chain.end)?;
                (dtype, step, None, chain.end)
            }
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
            clip: activation.filter(|_| float == chain.end),
        };
        let (linear, finer, factor) = if input.factor.is_some() {
            let (linear, shift) = spec.quantize_factored(f64::from(input.dtype.range().1))?;
            (linear, None, Some(shift))
        } else if self.widths.planes[chain.body] {
            let Planes { coarse, finer } = spec.quantize_planes()?;
            (coarse, Some(finer), None)
        } else {
            (spec.quantize()?, None, None)
        };
        Ok(QuantizedLinear {
            linear,
            finer,
            factor,
            addend,
            dtype,
            step: step_out,
            float,
        })
    }

    /// The function behind a linear node of int16, if the chain ends in one.
    pub(super) fn applied(
        &mut self,
        chain: &Chain,
        place: Place,
        float: usize,
    ) -> Result<Place, CompileError> {
        if float == chain.end {
            return Ok(place);
        }
        let FloatOp::Function(f) = self.node(chain.end).op.clone() else {
            return Ok(place);
        };
        if let Some(square) = self.long_square(chain, &place, &f)? {
            return Ok(square);
        }
        self.interpolated(chain, &place, &f)
    }

    /// Value `index` with its row factor multiplied in.
    pub(super) fn settled(&mut self, name: &str, index: usize) -> Result<Place, CompileError> {
        let place = self.place(index);
        if place.factor.is_none() {
            return Ok(place);
        }
        let target = self.word_of(index)?;
        let settled = self.multiplied(name, &place, target, Some(index))?;
        self.places[index] = Some(settled.clone());
        Ok(settled)
    }

    /// An int32 value as int16; others as they are.
    pub(super) fn narrow(
        &mut self,
        name: &str,
        index: usize,
        place: Place,
    ) -> Result<Place, CompileError> {
        if place.dtype != DType::I32 {
            return Ok(place);
        }
        let (dtype, step) = self.word_of(index)?;
        let narrowed = Narrowed::Step { float: index, step };
        self.emitter.narrowed.push(narrowed);
        self.requantized(name, place, (dtype, step))
    }

    /// The step of a value as int8 on one scale.
    pub(super) fn byte_step(&self, index: usize) -> f64 {
        self.calibration.clip_point(index) / INT8_LEVELS
    }

    /// Type and step of a value as int16.
    pub(super) fn word_of(&self, index: usize) -> Result<(DType, f64), CompileError> {
        let largest = self.calibration.largest(index);
        let step = if largest == 0.0 {
            1.0
        } else {
            largest / INT16_HEADROOM_LEVELS
        };
        let ratio = output_ratio(step).ok_or_else(|| self.no_scale(index))?;
        Ok((DType::I16, ratio_value(ratio)))
    }

    /// Whether int8 weights and inputs lose the answers.
    pub(super) fn is_sensitive(&self) -> bool {
        self.widths.sensitive
    }

    pub(super) fn is_wide(&self, index: usize) -> bool {
        self.widths.values[index]
    }

    /// The nodes that read a node.
    pub(super) fn readers_of(&self, index: usize) -> &[usize] {
        &self.readers[index]
    }

    /// Whether everything that reads a value multiplies its rows by a factor anyway.
    pub(super) fn reads_factors(&self, index: usize) -> bool {
        let takes = |&reader: &usize| {
            let node = self.node(reader);
            let is_product = matches!(node.op, FloatOp::Product { .. });
            is_product && node.inputs[0] == index && node.inputs[1] != index
        };
        index != self.graph.output() && self.readers[index].iter().all(takes)
    }

    /// Whether node `reader` takes constant `index` as the second operand of a pair.
    fn takes_constant(&self, reader: usize, index: usize) -> bool {
        let node = self.node(reader);
        let is_pair = matches!(node.op, FloatOp::Pair(..) | FloatOp::Add);
        is_pair && node.inputs[1] == index && node.inputs[0] != index
    }

    /// Whether the only reader of a product turns `[batch][rows]` into `[rows][batch]`.
    pub(super) fn wants_rows_outside(&self, index: usize, extents: [usize; 3]) -> bool {
        let &[reader] = self.readers[index].as_slice() else {
            return false;
        };
        let FloatOp::Transpose(perm) = &self.node(reader).op else {
            return false;
        };
        let turned = matrices(extents, true).transposed(&self.node(index).shape, perm);
        turned.is_some_and(|layout| layout.is_flat())
    }

    fn finish(mut self, options: &Options) -> Result<Lowered, CompileError> {
        let output = self.settled("output", self.graph.output())?;
        let output = self.emitter.behind_input(output)?;
        let input = self.input.as_ref().expect("inputs come first");
        let interface = interface(self.graph, input, &output, options)?;
        let program = Program {
            symbols: Vec::new(),
            nodes: self.emitter.nodes,
            output: output.node,
            interior: Vec::new(),
            interface,
            notes: Notes {
                name: options.name.clone(),
                nodes: self.emitter.names,
            },
        };
        Ok(Lowered {
            program,
            sources: self.emitter.sources,
            narrowed: self.emitter.narrowed,
        })
    }
}
