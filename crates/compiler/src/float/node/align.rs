//! Broadcasting of activations: one rank, one place of the batch, and the canonical pair.

use super::super::act::{Act, Batch, Frame};
use super::super::constant::broadcast;
use super::super::error::ImportError;
use super::super::graph::{Arithmetic, FloatOp};
use super::super::spread::Spread;
use super::super::walk::AxisWalk;
use super::{Kind, NodeContext};
use crate::onnx::RANK_MAX;

/// A mask adds this where an exporter writes minus infinity or the least number.
const MASK: f32 = -1e4;
/// From this magnitude on a constant stands for infinity.
const MASK_FROM: f32 = 1e9;
/// The least number of half precision stands for infinity, too.
const HALF_MIN: f32 = -65_504.0;

/// A constant as an operand of an activation: what masks with is no larger than a program can hold.
pub(super) fn bounded_mask(value: f32) -> f32 {
    if value <= -MASK_FROM || value.to_bits() == HALF_MIN.to_bits() {
        MASK
    } else if value >= MASK_FROM {
        -MASK
    } else {
        value
    }
}

impl NodeContext<'_> {
    /// Brings activations to one rank with the batch in one place: their nodes, whose shapes have
    /// equal ranks, and the frame of what they are broadcast to.
    pub(super) fn aligned(&mut self, acts: &[Act]) -> Result<(Vec<usize>, Frame), ImportError> {
        let Some(frame) = self.common_frame(acts)? else {
            let mut settled = Vec::with_capacity(acts.len());
            for act in acts {
                let what = format!("operands of shapes {:?} join samples", shapes(acts));
                settled.push(self.settled(act, what)?);
            }
            return self.aligned(&settled);
        };
        let mut nodes = Vec::with_capacity(acts.len());
        for act in acts {
            let mut wide = vec![1; frame.dims.len() - act.dims.len()];
            wide.extend_from_slice(&act.dims);
            nodes.push(self.view(act.node, frame.batch.without(&wide))?);
        }
        Ok((nodes, frame))
    }

    /// The frame that activations are broadcast to; `None` if they disagree about the batch.
    pub(super) fn common_frame(&self, acts: &[Act]) -> Result<Option<Frame>, ImportError> {
        let rank = acts.iter().map(|act| act.dims.len()).max().unwrap_or(0);
        let Some(batch) = common_batch(acts, rank) else {
            return Ok(None);
        };
        let mut dims = vec![1; rank];
        for act in acts {
            let joined = broadcast(&dims, &act.dims);
            dims = joined.ok_or_else(|| {
                self.refuse(
                    format!("operands of shapes {:?}", shapes(acts)),
                    "shapes that broadcast",
                    "check the model with onnx.checker",
                )
            })?;
        }
        Ok(Some(Frame { dims, batch }))
    }

    /// Two activations element by element, broadcast.
    pub(super) fn pair_of(
        &mut self,
        arithmetic: Arithmetic,
        a: &Act,
        b: &Act,
    ) -> Result<Act, ImportError> {
        let (nodes, frame) = self.aligned(&[a.clone(), b.clone()])?;
        let shape = frame.shape();
        let node = self.thin_pair(arithmetic, nodes[0], nodes[1], &shape)?;
        let kind = if a.kind.is_real() || b.kind.is_real() {
            Kind::Float
        } else {
            Kind::Int
        };
        Ok(Act {
            node,
            dims: frame.dims,
            batch: frame.batch,
            kind,
        })
    }

    /// The canonical node for two nodes of one rank. What exporters repeat along an axis before they
    /// combine it (a mask for every query) is combined first and repeated then, or not at all: the
    /// products of two lengths would be no extents of a program that keeps the length open.
    fn thin_pair(
        &mut self,
        arithmetic: Arithmetic,
        a: usize,
        b: usize,
        shape: &[usize],
    ) -> Result<usize, ImportError> {
        let crossed = self.shape_of(a) != shape && self.shape_of(b) != shape;
        let alike = crossed || self.repeated(a).is_some() || self.repeated(b).is_some();
        let (a, b) = (self.thin(a, alike)?, self.thin(b, alike)?);
        let joined = broadcast(self.shape_of(a), self.shape_of(b));
        let joined = joined.ok_or_else(|| self.unknown_target())?;
        let node = self.pair_nodes(arithmetic, a, b, &joined)?;
        self.expanded(node, shape)
    }

    /// Node `node` before it was repeated along axes, if it was; with `constants` the only element of
    /// a constant that has one.
    fn thin(&mut self, node: usize, constants: bool) -> Result<usize, ImportError> {
        if let Some(source) = self.repeated(node) {
            return Ok(source);
        }
        let only = self.constant_of(node).and_then(|elements| {
            let first = *elements.first()?;
            let same = |v: &f32| v.to_bits() == first.to_bits();
            elements.iter().all(same).then_some(first)
        });
        match only {
            Some(value) if constants => {
                let shape = vec![1; self.shape_of(node).len()];
                self.push(FloatOp::Constant(vec![value]), Vec::new(), shape)
            }
            Some(_) | None => Ok(node),
        }
    }

    /// What `node` repeats along axes of extent 1, if it does nothing else.
    fn repeated(&self, node: usize) -> Option<usize> {
        let node = &self.importer.nodes[node];
        let (FloatOp::Walk(walks, _), &[source]) = (&node.op, node.inputs.as_slice()) else {
            return None;
        };
        let only = |(walk, &extent): (&AxisWalk, &usize)| {
            let all = AxisWalk::whole(walk.extent);
            let again = AxisWalk {
                numerator: 0,
                ..all
            };
            (*walk == all && walk.extent == extent) || (*walk == again && extent == 1)
        };
        let mut axes = walks.iter().zip(self.shape_of(source));
        axes.all(only).then_some(source)
    }

    /// The canonical node for two nodes of one rank: the first operand has the output's shape, a
    /// constant along one axis becomes an affine map.
    fn pair_nodes(
        &mut self,
        arithmetic: Arithmetic,
        a: usize,
        b: usize,
        shape: &[usize],
    ) -> Result<usize, ImportError> {
        let [zero_a, zero_b] = [a, b].map(|node| self.is_zero(node));
        if arithmetic == Arithmetic::Mul && (zero_a || zero_b) {
            // The first state of a recurrent layer that an exporter has unrolled.
            let zeros = vec![0.0; shape.iter().product()];
            self.spend(zeros.len())?;
            return self.push(FloatOp::Constant(zeros), Vec::new(), shape.to_vec());
        }
        if arithmetic == Arithmetic::Add && zero_a {
            return self.expanded(b, shape);
        }
        let swaps = self.shape_of(a) != shape || self.constant_of(a).is_some();
        let swaps = swaps && self.shape_of(b) == shape;
        let swaps = swaps && (self.shape_of(a) != shape || self.constant_of(b).is_none());
        let (first, second, arithmetic) = if swaps {
            (b, a, arithmetic.swapped())
        } else {
            (a, b, arithmetic)
        };
        let first = self.expanded(first, shape)?;
        if self.constant_of(first).is_none() && self.constant_of(second).is_some() {
            return self.with_constant(arithmetic, first, second);
        }
        let Some(spread) = Spread::over(shape, self.shape_of(second)) else {
            return Err(self.unknown_target());
        };
        let op = if arithmetic == Arithmetic::Add && spread.is_full() {
            FloatOp::Add
        } else {
            FloatOp::Pair(arithmetic, spread)
        };
        self.push(op, vec![first, second], shape.to_vec())
    }

    /// Whether a node is a constant of zeros alone.
    pub(super) fn is_zero(&self, node: usize) -> bool {
        let elements = self.constant_of(node);
        elements.is_some_and(|elements| elements.iter().all(|&v| v == 0.0))
    }

    /// An activation and a constant of its rank.
    fn with_constant(
        &mut self,
        arithmetic: Arithmetic,
        input: usize,
        constant: usize,
    ) -> Result<usize, ImportError> {
        let shape = self.shape_of(input).to_vec();
        let dims = self.shape_of(constant).to_vec();
        let elements = self.constant_of(constant).unwrap_or_default();
        let elements: Vec<f32> = elements.iter().map(|&v| bounded_mask(v)).collect();
        if arithmetic.keeps_first_at_zero() && self.is_zero(constant) {
            // The mask of an attention that sees everything.
            return Ok(input);
        }
        let wide = || dims.iter().enumerate().filter(|(_, extent)| **extent != 1);
        if wide().count() > 1 {
            let count = elements.len();
            self.spend(count)?;
            let constant = self.push(FloatOp::Constant(elements), Vec::new(), dims.clone())?;
            let Some(spread) = Spread::over(&shape, &dims) else {
                return Err(self.unknown_target());
            };
            let op = FloatOp::Pair(arithmetic, spread);
            return self.push(op, vec![input, constant], shape);
        }
        let channel_axis = if shape.len() == 3 { 0 } else { shape.len() - 1 };
        let (axis, values) = match wide().next() {
            Some((axis, _)) => (axis, elements),
            None => (channel_axis, vec![elements[0]; shape[channel_axis]]),
        };
        let (ones, zeros) = (vec![1.0; values.len()], vec![0.0; values.len()]);
        let minus = |values: &[f32]| values.iter().map(|v| -v).collect::<Vec<f32>>();
        let (scale, shift) = match arithmetic {
            Arithmetic::Add => (ones, values),
            Arithmetic::Mul => (values, zeros),
            Arithmetic::Sub => (ones, minus(&values)),
            Arithmetic::ReverseSub => (minus(&ones), values),
        };
        let op = FloatOp::Affine { axis, scale, shift };
        self.push(op, vec![input], shape)
    }

    /// Node `input` with its axes of extent 1 repeated to `shape`, which has as many axes.
    pub(super) fn expanded(&mut self, input: usize, shape: &[usize]) -> Result<usize, ImportError> {
        if self.shape_of(input) == shape {
            return Ok(input);
        }
        let extents = self.shape_of(input).iter().zip(shape);
        let walks = extents.map(|(&extent, &wanted)| match (extent, wanted) {
            _ if extent == wanted => Some(AxisWalk::whole(extent)),
            (1, _) => Some(AxisWalk {
                numerator: 0,
                ..AxisWalk::whole(wanted)
            }),
            _ => None,
        });
        let walks: Option<Vec<AxisWalk>> = walks.collect();
        let walks = walks.ok_or_else(|| self.unknown_target())?;
        self.push(FloatOp::Walk(walks, 0.0), vec![input], shape.to_vec())
    }

    /// An operator of one activation that keeps its shape.
    pub(super) fn mapped(&mut self, op: FloatOp, act: &Act) -> Result<Act, ImportError> {
        let shape = self.shape_of(act.node).to_vec();
        let elementwise = matches!(op, FloatOp::Function(_) | FloatOp::Clip(..));
        let node = match self.repeated(act.node).filter(|_| elementwise) {
            Some(source) => {
                let thin = self.shape_of(source).to_vec();
                let made = self.push(op, vec![source], thin)?;
                self.expanded(made, &shape)?
            }
            None => self.push(op, vec![act.node], shape)?,
        };
        Ok(Act {
            node,
            ..act.clone()
        })
    }

    /// `act * scale + shift`, the same for all elements.
    pub(super) fn scaled(&mut self, act: &Act, scale: f32, shift: f32) -> Result<Act, ImportError> {
        let wide = self.shape_of(act.node).to_vec();
        let source = self.repeated(act.node).unwrap_or(act.node);
        let shape = self.shape_of(source).to_vec();
        let axis = if shape.len() == 3 { 0 } else { shape.len() - 1 };
        let channels = shape[axis];
        let op = FloatOp::Affine {
            axis,
            scale: vec![scale; channels],
            shift: vec![shift; channels],
        };
        let made = self.push(op, vec![source], shape)?;
        let node = self.expanded(made, &wide)?;
        Ok(Act {
            node,
            ..act.clone()
        })
    }

    /// A rank that is not too large.
    pub(super) fn check_rank(&self, rank: usize) -> Result<(), ImportError> {
        if rank <= RANK_MAX {
            return Ok(());
        }
        Err(self.refuse(format!("rank {rank}"), "rank 8 at most", "use fewer axes"))
    }
}

fn shapes(acts: &[Act]) -> Vec<&[usize]> {
    acts.iter().map(|act| act.dims.as_slice()).collect()
}

/// Where the batch of all of them is, counted in `rank` axes; `None` if they disagree.
fn common_batch(acts: &[Act], rank: usize) -> Option<Batch> {
    let lifted = |act: &Act| {
        let offset = rank - act.dims.len();
        act.batch
            .axis()
            .map_or(Batch::Absent, |axis| act.batch.at(axis + offset))
    };
    let mut common = Batch::Absent;
    for act in acts {
        match (lifted(act), common) {
            (Batch::Absent, _) => {}
            (batch, Batch::Absent) => common = batch,
            (batch, other) if batch == other => {}
            (Batch::Own(_) | Batch::Part { .. }, Batch::Own(_) | Batch::Part { .. }) => {
                return None;
            }
        }
    }
    // A value without batch may not vary along the batch's own axis.
    let varies = |act: &Act| {
        let at = |axis: usize| (axis + act.dims.len()).checked_sub(rank);
        match common {
            Batch::Own(axis) => at(axis).is_some_and(|axis| act.dims[axis] != 1),
            Batch::Absent | Batch::Part { .. } => false,
        }
    };
    (!acts.iter().any(varies)).then_some(common)
}
