//! A plan: packed weights, steps and the memory layout of one program on one kernel.

use std::sync::Arc;

use selfsame_ir::{
    Activation, AvgPool, BatchMatMul, CheckedProgram, Combine, Conv, DType, DimError, DimValues,
    FactorShift, MatMul, Move, Node, Normalize, Op, Pointwise, Reduce, ReduceKind, Spread, Tensor,
    Walk, Window,
};
use selfsame_kernels::{
    Average, BatchProduct, BatchSpec, Bits, Formula, Function, Grid, Kernel, Lay, Linear, Movement,
    Normalization, NormalizeSpec, PointwiseSpec, PoolSpec, ReduceSpec, Reduction,
};

use crate::error::PlanError;
use crate::layout::{self, Dims, Need, Place};
use crate::packing::{self, Shape, Unpacked};
use crate::plans::Weights;
use crate::signs;
use crate::slots::{Lives, Sharing, Slot};
use crate::step::{Batch, Second, Step, Work};
use crate::storage::Buffer;

/// Everything about a program that does not change from sample to sample.
#[derive(Debug)]
pub struct Plan {
    pub(crate) kernel: Kernel,
    pub(crate) values: DimValues,
    pub(crate) steps: Vec<Step>,
    /// The packed linear nodes that the steps name.
    pub(crate) linears: Vec<Linear>,
    /// The buffers of a workspace.
    pub(crate) slots: Vec<Slot>,
    /// Place of each node's output.
    pub(crate) places: Vec<Place>,
    pub(crate) input_slot: usize,
    pub(crate) output_slot: usize,
    pub(crate) output_node: usize,
    /// The nodes that a trace root commits to, increasing.
    pub(crate) committed: Vec<u32>,
    macs: u64,
}

impl Plan {
    /// Packs `program` at the given symbol values for `kernel`.
    pub fn new(
        program: &CheckedProgram,
        values: &DimValues,
        kernel: Kernel,
    ) -> Result<Self, PlanError> {
        Self::sharing(program, values, kernel, &mut Weights::default())
    }

    /// The same with weights that were packed for other values; what had to be packed joins them.
    pub(crate) fn sharing(
        program: &CheckedProgram,
        values: &DimValues,
        kernel: Kernel,
        weights: &mut Weights,
    ) -> Result<Self, PlanError> {
        let places = layout::places(program, values)?;
        let output_node = program.program().output as usize;
        let mut builder = Builder {
            kernel,
            values,
            weights,
            lives: Lives::default(),
            output_of: Vec::with_capacity(places.len()),
            steps: Vec::with_capacity(places.len()),
            unpacked: Vec::new(),
            places: &places,
            non_negative: signs::non_negative(program.nodes()),
        };
        let last_use = program.program().last_readers();
        for (index, node) in program.nodes().iter().enumerate() {
            builder.node(index, node)?;
            // An output ends after the last node that reads it; one that nobody reads at once.
            for (source, &last) in last_use.iter().enumerate().take(index + 1) {
                if last == index && source != output_node {
                    builder.lives.end(builder.output_of[source]);
                }
            }
        }
        let (output_of, mut steps) = (builder.output_of, builder.steps);
        let Sharing { slots, slot_of } = builder.lives.share();
        for step in &mut steps {
            step.place(&slot_of);
        }
        let linears = packing::pack(kernel, builder.unpacked, builder.weights)?;
        let products = steps.iter().filter_map(|step| match &step.work {
            Work::Batch(batch) => Some(batch.product.macs()),
            Work::Linear { .. }
            | Work::MaxPool { .. }
            | Work::AveragePool { .. }
            | Work::Move { .. }
            | Work::Concat { .. }
            | Work::Pointwise { .. }
            | Work::Reduce { .. }
            | Work::Normalize { .. }
            | Work::Embedding { .. }
            | Work::Copy { .. } => None,
        });
        Ok(Self {
            kernel,
            values: values.clone(),
            macs: linears.iter().map(Linear::macs).chain(products).sum(),
            steps,
            linears,
            slots,
            input_slot: slot_of[output_of[0]],
            output_slot: slot_of[output_of[output_node]],
            output_node,
            committed: program.segments().committed().to_vec(),
            places,
        })
    }

    /// The kernel that the weights are packed for.
    pub fn kernel(&self) -> Kernel {
        self.kernel
    }

    /// The values of the symbols that it is made for.
    pub fn values(&self) -> &DimValues {
        &self.values
    }

    /// Element type and number of elements of one input sample.
    pub fn input(&self) -> (DType, usize) {
        let place = &self.places[0];
        (place.dtype, place.grid.element_count())
    }

    /// Element type and number of elements of one output sample.
    pub fn output(&self) -> (DType, usize) {
        let place = &self.places[self.output_node];
        (place.dtype, place.grid.element_count())
    }

    /// Number of nodes, INPUT included.
    pub fn node_count(&self) -> usize {
        self.places.len()
    }

    /// Bytes of all buffers of one workspace.
    pub fn workspace_bytes(&self) -> usize {
        self.slots.iter().map(|slot| slot.bytes).sum()
    }

    /// Multiply-accumulates of one sample in linear nodes.
    pub fn macs(&self) -> u64 {
        self.macs
    }
}

struct Builder<'a> {
    kernel: Kernel,
    values: &'a DimValues,
    weights: &'a mut Weights,
    /// The tensors that the steps read and write; their slots come when all are known.
    lives: Lives,
    /// The output of each node so far, among them.
    output_of: Vec<usize>,
    steps: Vec<Step>,
    unpacked: Vec<Unpacked<'a>>,
    places: &'a [Place],
    /// For each node whether no element of its output is negative.
    non_negative: Vec<bool>,
}

impl<'a> Builder<'a> {
    fn node(&mut self, index: usize, node: &'a Node) -> Result<(), PlanError> {
        let place = self.places[index];
        let output = layout::dims(&place.grid);
        let mut operands = Vec::new();
        let mut copies = Vec::new();
        for (slot, &source) in node.inputs.iter().enumerate() {
            let need = layout::need(node, slot, output, self.values)?;
            let (operand, is_copy) = self.operand(index, source as usize, need)?;
            if is_copy {
                copies.push(operand.0);
            }
            operands.push(operand);
        }
        let tensor = self.lives.begin(place);
        self.output_of.push(tensor);
        if let Some(&(input, _)) = operands.first() {
            let work = self.work(index, node, place.grid, &operands)?;
            self.steps.push(Step {
                work,
                input,
                output: tensor,
                place,
                node: Some(index),
            });
        }
        for copy in copies {
            self.lives.end(copy);
        }
        Ok(())
    }

    /// Tensor and grid through which a node reads `source`, and whether that is a copy of its own.
    fn operand(
        &mut self,
        node: usize,
        source: usize,
        need: Need,
    ) -> Result<((usize, Grid), bool), PlanError> {
        let Place { dtype, grid } = self.places[source];
        let tensor = self.output_of[source];
        let seen: Dims = need.dims.unwrap_or([1, 1, grid.element_count()]);
        let is_wide_enough = grid
            .halo()
            .iter()
            .zip(need.halo)
            .all(|(&has, wants)| wants <= has);
        if need.dims == Some(layout::dims(&grid)) && is_wide_enough {
            return Ok(((tensor, grid), false));
        }
        let view = layout::grid(seen, need.halo);
        let view = view.map_err(|error| PlanError::Grid { node, error })?;
        if grid.is_dense() && view.is_dense() {
            return Ok(((tensor, view), false));
        }
        let place = Place { dtype, grid: view };
        let copy = self.lives.begin(place);
        let work = Work::Copy {
            from: grid,
            to: view,
        };
        self.steps.push(Step {
            work,
            input: tensor,
            output: copy,
            place,
            node: None,
        });
        Ok(((copy, view), true))
    }

    fn work(
        &mut self,
        index: usize,
        node: &'a Node,
        output: Grid,
        operands: &[(usize, Grid)],
    ) -> Result<Work, PlanError> {
        let input = operands.first().map_or(output, |&(_, grid)| grid);
        let addend = operands.get(1).copied();
        Ok(match &node.op {
            Op::Conv(op) => self.conv(index, node, op, (input, output), addend),
            Op::MatMul(op) => self.matmul(index, node, op, output, operands),
            Op::MaxPool(op) => Work::MaxPool {
                spec: pool(&op.window, input, output),
            },
            Op::AvgPool(op) => Work::AveragePool {
                spec: pool(&op.window, input, output),
                average: average(op),
            },
            Op::Move(op) => Work::Move {
                movement: movement(op, self.values)?,
                fill: op.fill,
            },
            Op::Concat(op) => {
                let columns = op.columns.iter().map(|dim| dim.at(self.values));
                let columns = columns.collect::<Result<Vec<u32>, _>>()?;
                let part = |(&(slot, _), columns)| (slot, columns as usize);
                Work::Concat {
                    width: op.width(self.values)? as usize,
                    parts: operands.iter().zip(columns).map(part).collect(),
                }
            }
            Op::Pointwise(op) => Work::Pointwise {
                spec: pointwise_spec(op, self.values)?,
                second: match op.second.as_ref().and_then(|y| y.constant.as_ref()) {
                    Some(constant) => Second::Constant(self.constant(index, &constant.values)),
                    None => addend.map_or(Second::None, |(slot, _)| Second::Slot(slot)),
                },
            },
            Op::BatchMatMul(op) => self.batch(index, node, op, operands)?,
            Op::Reduce(op) => Work::Reduce {
                spec: reduce_spec(op, self.values)?,
            },
            Op::Normalize(op) => Work::Normalize {
                normalization: Normalization::new(normalize_spec(op)),
                center: addend.filter(|_| op.center).map(|(slot, _)| slot),
                factor: factor(node, operands),
            },
            Op::Embedding(op) => Work::Embedding {
                table: Arc::clone(&op.table),
                columns: op.columns as usize,
            },
            // INPUT has no inputs, so it never comes here; a copy onto itself would be harmless.
            Op::Input(_) => Work::Copy {
                from: input,
                to: output,
            },
        })
    }

    fn constant(&mut self, index: usize, tensor: &Tensor) -> Arc<Buffer> {
        self.weights.buffer(index, tensor, self.kernel.flip())
    }

    fn conv(
        &mut self,
        index: usize,
        node: &Node,
        op: &'a Conv,
        (input, output): (Grid, Grid),
        addend: Option<(usize, Grid)>,
    ) -> Work {
        let window = &op.window;
        let pair = |axes: [u16; 2]| axes.map(usize::from);
        let shape = Shape {
            input,
            bits: bits(op.dtype),
            non_negative: self.reads_non_negative(node),
            factor: None,
            output,
            kernel: pair(window.kernel),
            stride: pair(window.stride),
            dilation: pair(window.dilation),
            pad: [usize::from(window.pad[0]), usize::from(window.pad[1])],
            groups: op.groups as usize,
            channels: 0..op.channels as usize,
        };
        self.linear(index, &op.linear, shape, (addend, None))
    }

    fn batch(
        &mut self,
        index: usize,
        node: &Node,
        op: &BatchMatMul,
        operands: &[(usize, Grid)],
    ) -> Result<Work, PlanError> {
        let spec = batch_spec(op, self.values)?;
        let product = BatchProduct::new(self.kernel, &spec)
            .map_err(|error| PlanError::Linear { node: index, error })?;
        let grid = layout::grid([1, 1, product.packed_bytes()], [0; 4])
            .map_err(|error| PlanError::Grid { node: index, error })?;
        let dtype = DType::I8;
        let packed_place = Place { dtype, grid };
        let packed = self.lives.begin(packed_place);
        // Nothing else reads it, and all other tensors of the step are there.
        self.lives.end(packed);
        Ok(Work::Batch(Box::new(Batch {
            product,
            y: operands.get(1).map_or(0, |&(slot, _)| slot),
            packed,
            packed_place,
            factor: factor(node, operands),
        })))
    }

    fn matmul(
        &mut self,
        index: usize,
        node: &Node,
        op: &'a MatMul,
        output: Grid,
        operands: &[(usize, Grid)],
    ) -> Work {
        let first = op.k_offset as usize;
        let addend = op.linear.addend.and(operands.get(1).copied());
        let factor = op.factor.and(operands.last()).map(|&(tensor, _)| tensor);
        let shape = Shape {
            input: operands.first().map_or(output, |&(_, grid)| grid),
            bits: bits(op.dtype),
            non_negative: self.reads_non_negative(node),
            factor: factor.and(op.factor),
            output,
            kernel: [1, 1],
            stride: [1, 1],
            dilation: [1, 1],
            pad: [0, 0],
            groups: 1,
            channels: first..first + op.k_len as usize,
        };
        self.linear(index, &op.linear, shape, (addend, factor))
    }

    /// Whether no element of a node's first input is negative.
    fn reads_non_negative(&self, node: &Node) -> bool {
        let source = node.inputs.first().map(|&source| source as usize);
        source.is_some_and(|source| self.non_negative.get(source) == Some(&true))
    }

    /// Leaves the packing for later: all nodes are packed at once, on several threads.
    fn linear(
        &mut self,
        node: usize,
        op: &'a selfsame_ir::Linear,
        shape: Shape,
        (addend, factor): (Option<(usize, Grid)>, Option<usize>),
    ) -> Work {
        self.unpacked.push(Unpacked { node, op, shape });
        let linear = self.unpacked.len() - 1;
        Work::Linear {
            linear,
            addend,
            factor,
        }
    }
}

fn movement(op: &Move, values: &DimValues) -> Result<Movement, DimError> {
    let extents = op.shape.iter().map(|dim| Ok(dim.at(values)? as usize));
    let extents = extents.collect::<Result<Vec<usize>, DimError>>()?;
    let walk = |walk: &Walk| {
        let axis = usize::from(walk.source);
        let cells = extents.get(axis).copied().unwrap_or(1) as u64;
        let place = |at: u32| {
            let place = walk.index(at.into(), cells)?;
            usize::try_from(place).ok()
        };
        Ok((axis, (0..walk.extent.at(values)?).map(place).collect()))
    };
    let walks = op.walks.iter().map(walk);
    let walks = walks.collect::<Result<Vec<_>, DimError>>()?;
    Ok(Movement::new(&extents, &walks))
}

/// Bits of the first operand of a product, which is never i32.
fn bits(dtype: DType) -> Bits {
    match dtype {
        DType::I8 => Bits::Eight,
        DType::I16 | DType::I32 => Bits::Sixteen,
    }
}

/// The tensor of row factors.
fn factor(node: &Node, operands: &[(usize, Grid)]) -> Option<usize> {
    let operand = operands.get(node.op.factor_slot()?);
    operand.map(|&(tensor, _)| tensor)
}

fn factor_shift(shift: FactorShift) -> u32 {
    shift.0.into()
}

fn batch_spec(op: &BatchMatMul, values: &DimValues) -> Result<BatchSpec, DimError> {
    Ok(BatchSpec {
        batch: op.batch as usize,
        group: op.group as usize,
        rows: op.rows.at(values)? as usize,
        columns: op.columns.at(values)? as usize,
        k: op.k.at(values)? as usize,
        bits: bits(op.dtype),
        x_interleaved: op.interleave.x,
        y_interleaved: op.interleave.y,
        output_interleaved: op.interleave.output,
        multiplier: op.multiplier.into(),
        shift: op.shift.into(),
        factor_shift: op.factor.map(factor_shift),
        lo: op.low,
        hi: op.high,
    })
}

fn reduce_spec(op: &Reduce, values: &DimValues) -> Result<ReduceSpec, DimError> {
    Ok(ReduceSpec {
        columns: op.columns.at(values)? as usize,
        kind: match op.kind {
            ReduceKind::Sum => Reduction::Sum,
            ReduceKind::Mean => Reduction::Mean,
            ReduceKind::Squares => Reduction::Squares,
            ReduceKind::Variance => Reduction::Variance,
            ReduceKind::Maximum => Reduction::Maximum,
            ReduceKind::Magnitude => Reduction::Magnitude,
            ReduceKind::ArgMax => Reduction::ArgMax,
        },
        multiplier: op.multiplier.into(),
        shift: op.shift.into(),
        lo: op.low,
        hi: op.high,
    })
}

fn normalize_spec(op: &Normalize) -> NormalizeSpec {
    let constants = || op.constants.iter();
    // A checked program's multipliers have 15 bits beside their sign, its shifts six.
    let multiplier = |m: i32| i16::try_from(m).unwrap_or_default();
    let shift = |s: i32| u8::try_from(s).unwrap_or(1);
    NormalizeSpec {
        center_bits: op.center_bits.into(),
        shift: factor_shift(op.shift),
        lo: op.low,
        hi: op.high,
        bias: constants().map(|c| c.bias).collect(),
        multiplier: constants().map(|c| multiplier(c.multiplier)).collect(),
        column_shift: constants().map(|c| shift(c.shift)).collect(),
    }
}

fn function(activation: Option<&Activation>) -> Function {
    match activation {
        None => Function::IDENTITY,
        Some(Activation::Lookup(entries)) => Function::lookup(entries),
        Some(Activation::Interpolate(entries)) => Function::interpolation(entries),
        Some(Activation::Exponential(entries)) => Function::exponential(entries),
        Some(Activation::Reciprocal { bits }) => Function::reciprocal((*bits).into()),
        Some(Activation::ReciprocalRoot { bits }) => Function::reciprocal_root((*bits).into()),
    }
}

fn pointwise_spec(op: &Pointwise, values: &DimValues) -> Result<PointwiseSpec, DimError> {
    let second = op.second.as_ref();
    Ok(PointwiseSpec {
        columns: op.columns.at(values)? as usize,
        lay: second.map_or(Lay::Full, |y| match y.spread {
            Spread::Full => Lay::Full,
            Spread::Column => Lay::Column,
            Spread::Row => Lay::Row,
            Spread::One => Lay::One,
        }),
        formula: match (second, op.combine) {
            (None, _) => Formula::Scale,
            (Some(y), Combine::Sum) => Formula::Sum {
                second: y.multiplier,
            },
            (Some(_), Combine::Product) => Formula::Product,
        },
        multiplier: op.multiplier,
        shift: op.shift.into(),
        lo: op.low,
        hi: op.high,
        function: function(op.activation.as_ref()),
    })
}

fn pool(window: &Window, input: Grid, output: Grid) -> PoolSpec {
    PoolSpec {
        input,
        output,
        kernel: window.kernel.map(usize::from),
        stride: window.stride.map(usize::from),
        pad: [usize::from(window.pad[0]), usize::from(window.pad[1])],
    }
}

fn average(op: &AvgPool) -> Average {
    Average {
        multiplier: i32::from(op.multiplier),
        shift: i32::from(op.shift),
        lo: op.low,
        hi: op.high,
    }
}
