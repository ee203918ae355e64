//! A plan: packed weights, steps and the memory layout of one program on one kernel.

use selfsame_ir::{
    AvgPool, CheckedProgram, Combine, Conv, DType, DimError, DimValues, MatMul, Move, Node, Op,
    Pointwise, Spread, Table, Walk, Window,
};
use selfsame_kernels::{
    Average, Entries, Formula, Grid, Kernel, Lay, Linear, Movement, PointwiseSpec, PoolSpec,
};

use crate::error::PlanError;
use crate::layout::{self, Dims, Need, Place, Slot, Slots};
use crate::packing::{self, Shape, Unpacked};
use crate::step::{Second, Step, Work};
use crate::storage::Buffer;

/// Everything about a program that does not change from sample to sample.
#[derive(Debug)]
pub struct Plan {
    pub(crate) kernel: Kernel,
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
    macs: u64,
}

impl Plan {
    /// Packs `program` at the given symbol values for `kernel`.
    pub fn new(
        program: &CheckedProgram,
        values: &DimValues,
        kernel: Kernel,
    ) -> Result<Self, PlanError> {
        let places = layout::places(program, values)?;
        let output_node = program.program().output as usize;
        let mut builder = Builder {
            kernel,
            values,
            slots: Slots::default(),
            slot_of: Vec::with_capacity(places.len()),
            steps: Vec::new(),
            unpacked: Vec::new(),
            places: &places,
        };
        let last_use = last_uses(program);
        for (index, node) in program.nodes().iter().enumerate() {
            builder.node(index, node)?;
            // A slot is free again after the last node that reads it; outputs nobody reads at once.
            for (source, &last) in last_use.iter().enumerate().take(index + 1) {
                if last == index && source != output_node {
                    let slot = builder.slot_of[source];
                    builder.slots.give_back(slot);
                }
            }
        }
        let (slot_of, steps, slots) = (builder.slot_of, builder.steps, builder.slots);
        let linears = packing::pack(kernel, &builder.unpacked)?;
        Ok(Self {
            kernel,
            macs: linears.iter().map(Linear::macs).sum(),
            steps,
            linears,
            slots: slots.into_slots(),
            input_slot: slot_of[0],
            output_slot: slot_of[output_node],
            output_node,
            places,
        })
    }

    /// The kernel that the weights are packed for.
    pub fn kernel(&self) -> Kernel {
        self.kernel
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
        let bytes = |slot: &Slot| slot.len * slot.dtype.size() as usize;
        self.slots.iter().map(bytes).sum()
    }

    /// Multiply-accumulates of one sample in linear nodes.
    pub fn macs(&self) -> u64 {
        self.macs
    }
}

/// For each node the last node that reads it, or itself.
fn last_uses(program: &CheckedProgram) -> Vec<usize> {
    let mut last: Vec<usize> = (0..program.nodes().len()).collect();
    for (index, node) in program.nodes().iter().enumerate() {
        for &input in &node.inputs {
            last[input as usize] = index;
        }
    }
    last
}

struct Builder<'a> {
    kernel: Kernel,
    values: &'a DimValues,
    slots: Slots,
    /// Slot of each node so far.
    slot_of: Vec<usize>,
    steps: Vec<Step>,
    unpacked: Vec<Unpacked<'a>>,
    places: &'a [Place],
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
        let output_slot = self.slots.take(place);
        self.slot_of.push(output_slot);
        if let Some(&(input, _)) = operands.first() {
            let work = self.work(index, node, place.grid, &operands)?;
            self.steps.push(Step {
                work,
                input,
                output: output_slot,
                grid: place.grid,
                node: Some(index),
            });
        }
        for slot in copies {
            self.slots.give_back(slot);
        }
        Ok(())
    }

    /// Slot and grid through which a node reads `source`, and whether that is a copy of its own.
    fn operand(
        &mut self,
        node: usize,
        source: usize,
        need: Need,
    ) -> Result<((usize, Grid), bool), PlanError> {
        let Place { dtype, grid } = self.places[source];
        let slot = self.slot_of[source];
        let seen: Dims = need.dims.unwrap_or([1, 1, grid.element_count()]);
        let is_wide_enough = grid
            .halo()
            .iter()
            .zip(need.halo)
            .all(|(&has, wants)| wants <= has);
        if need.dims == Some(layout::dims(&grid)) && is_wide_enough {
            return Ok(((slot, grid), false));
        }
        let view = layout::grid(seen, need.halo);
        let view = view.map_err(|error| PlanError::Grid { node, error })?;
        if grid.is_dense() && view.is_dense() {
            return Ok(((slot, view), false));
        }
        let copy = self.slots.take(Place { dtype, grid: view });
        let work = Work::Copy {
            from: grid,
            to: view,
        };
        self.steps.push(Step {
            work,
            input: slot,
            output: copy,
            grid: view,
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
            Op::Conv(op) => self.conv(index, op, input, output, addend),
            Op::MatMul(op) => self.matmul(index, op, input, output, addend),
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
                spec: pointwise_spec(op),
                second: match op.second.as_ref().and_then(|y| y.constant.as_ref()) {
                    Some(constant) => {
                        Second::Constant(Buffer::holding(&constant.values, self.kernel.flip()))
                    }
                    None => addend.map_or(Second::None, |(slot, _)| Second::Slot(slot)),
                },
            },
            // INPUT has no inputs, so it never comes here; a copy onto itself would be harmless.
            Op::Input(_) => Work::Copy {
                from: input,
                to: output,
            },
        })
    }

    fn conv(
        &mut self,
        index: usize,
        op: &'a Conv,
        input: Grid,
        output: Grid,
        addend: Option<(usize, Grid)>,
    ) -> Work {
        let window = &op.window;
        let pair = |axes: [u16; 2]| axes.map(usize::from);
        let shape = Shape {
            input,
            output,
            kernel: pair(window.kernel),
            stride: pair(window.stride),
            dilation: pair(window.dilation),
            pad: [usize::from(window.pad[0]), usize::from(window.pad[1])],
            groups: op.groups as usize,
            channels: 0..op.channels as usize,
        };
        self.linear(index, &op.linear, shape, addend)
    }

    fn matmul(
        &mut self,
        index: usize,
        op: &'a MatMul,
        input: Grid,
        output: Grid,
        addend: Option<(usize, Grid)>,
    ) -> Work {
        let first = op.k_offset as usize;
        let shape = Shape {
            input,
            output,
            kernel: [1, 1],
            stride: [1, 1],
            dilation: [1, 1],
            pad: [0, 0],
            groups: 1,
            channels: first..first + op.k_len as usize,
        };
        self.linear(index, &op.linear, shape, addend)
    }

    /// Leaves the packing for later: all nodes are packed at once, on several threads.
    fn linear(
        &mut self,
        node: usize,
        op: &'a selfsame_ir::Linear,
        shape: Shape,
        addend: Option<(usize, Grid)>,
    ) -> Work {
        self.unpacked.push(Unpacked { node, op, shape });
        let linear = self.unpacked.len() - 1;
        Work::Linear { linear, addend }
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

fn pointwise_spec(op: &Pointwise) -> PointwiseSpec {
    let second = op.second.as_ref();
    PointwiseSpec {
        columns: op.columns as usize,
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
        table: match &op.table {
            None => Entries::None,
            Some(Table::Lookup(entries)) => Entries::Lookup(entries.clone()),
            Some(Table::Interpolate(entries)) => Entries::Interpolate(entries.clone()),
        },
    }
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
