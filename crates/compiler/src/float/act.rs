//! Activations during import: a node of the float graph under the dimensions that ONNX sees, and
//! where among them the batch is.
//!
//! A program maps one sample, so the batch size is 1 here and the batch axis has no place in the
//! shape of a node. Transformers move it about and merge it with other axes (windows, heads); it is
//! followed through that, and an operator that would mix samples is refused.

/// What stands where the batch is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Batch {
    /// Nowhere: the value is the same for all samples, or the file fixes the batch size as 1 and
    /// the axis has become one like any other.
    Absent,
    /// An own axis, which the node's shape does not have.
    Own(usize),
    /// A factor of an axis: `outer` cells of the sample stand in front of it within the axis.
    Part {
        /// The axis.
        axis: usize,
        /// Cells of the sample in front of the batch within the axis.
        outer: usize,
    },
}

/// The ONNX type of an activation's elements, as far as casts need it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Real numbers.
    Float,
    /// Whole numbers.
    Int,
    /// 0 or 1.
    Bool,
    /// Real numbers that the file keeps as quantised ones: their step, as bits.
    Quantised(u32),
}

impl Kind {
    /// Whether the elements stand for real numbers.
    pub(super) fn is_real(self) -> bool {
        match self {
            Self::Float | Self::Quantised(_) => true,
            Self::Int | Self::Bool => false,
        }
    }
}

/// An activation during import.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Act {
    /// The node of the float graph.
    pub(super) node: usize,
    /// Dimensions in ONNX at batch size 1.
    pub(super) dims: Vec<usize>,
    /// Where the batch is.
    pub(super) batch: Batch,
    /// What its elements are.
    pub(super) kind: Kind,
}

/// Dimensions of a result and where its batch is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Frame {
    /// Dimensions in ONNX at batch size 1.
    pub(super) dims: Vec<usize>,
    /// Where the batch is.
    pub(super) batch: Batch,
}

impl Frame {
    /// The frame of a value with the batch in front of `shape`.
    pub(super) fn front(shape: &[usize]) -> Self {
        Self {
            dims: core::iter::once(1).chain(shape.iter().copied()).collect(),
            batch: Batch::Own(0),
        }
    }

    /// Shape of the node: without the batch axis, and never without an axis.
    pub(super) fn shape(&self) -> Vec<usize> {
        self.batch.without(&self.dims)
    }
}

impl Batch {
    /// `dims` without the batch axis, and never without an axis.
    pub(super) fn without(self, dims: &[usize]) -> Vec<usize> {
        let shape = self.stripped(dims);
        if shape.is_empty() { vec![1] } else { shape }
    }

    /// `dims` without the batch axis.
    pub(super) fn stripped(self, dims: &[usize]) -> Vec<usize> {
        let own = match self {
            Self::Own(axis) => Some(axis),
            Self::Absent | Self::Part { .. } => None,
        };
        let axes = dims
            .iter()
            .enumerate()
            .filter(|(axis, _)| Some(*axis) != own);
        axes.map(|(_, &extent)| extent).collect()
    }

    /// The axis that it is or is a factor of.
    pub(super) fn axis(self) -> Option<usize> {
        match self {
            Self::Absent => None,
            Self::Own(axis) | Self::Part { axis, .. } => Some(axis),
        }
    }

    /// The same batch on axis `axis`.
    pub(super) fn at(self, axis: usize) -> Self {
        match self {
            Self::Absent => Self::Absent,
            Self::Own(_) => Self::Own(axis),
            Self::Part { outer, .. } => Self::Part { axis, outer },
        }
    }

    /// Axis `axis` of ONNX in the node's shape, unless it is the batch's own.
    pub(super) fn sample_axis(self, axis: usize) -> Option<usize> {
        match self {
            Self::Own(own) if own == axis => None,
            Self::Own(own) if own < axis => Some(axis - 1),
            Self::Absent | Self::Own(_) | Self::Part { .. } => Some(axis),
        }
    }

    /// Cells of the sample in front of the batch, row-major, in a value of `dims`.
    pub(super) fn cells_in_front(self, dims: &[usize]) -> Option<usize> {
        let before = |axis: usize| dims[..axis].iter().product::<usize>();
        match self {
            Self::Absent => None,
            Self::Own(axis) => Some(before(axis)),
            Self::Part { axis, outer } => Some(before(axis) * outer),
        }
    }

    /// The batch as axis `axis` of `dims`, or as a factor of it, with `front` cells in front of it
    /// in all; `None` if no such factor of the axis exists.
    pub(super) fn placed(dims: &[usize], axis: usize, front: usize) -> Option<Self> {
        let before: usize = dims[..axis].iter().product();
        let extent = dims[axis];
        if before == 0 || !front.is_multiple_of(before) {
            return None;
        }
        let outer = front / before;
        if extent == 1 {
            return (outer == 1).then_some(Self::Own(axis));
        }
        let divides = outer >= 1 && extent.is_multiple_of(outer);
        divides.then_some(Self::Part { axis, outer })
    }
}

impl Act {
    /// Its frame.
    pub(super) fn frame(&self) -> Frame {
        Frame {
            dims: self.dims.clone(),
            batch: self.batch,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_merged_batch_is_a_factor_of_its_axis() {
        // [T][N][H][D] viewed as [T][N * H][D]: nothing of axis 1 stands in front of the batch.
        let front = Batch::Own(1).cells_in_front(&[5, 1, 4, 8]).unwrap();
        let merged = Batch::placed(&[5, 4, 8], 1, front).unwrap();
        assert_eq!(merged, Batch::Part { axis: 1, outer: 1 });
        assert_eq!(merged.without(&[5, 4, 8]), [5, 4, 8]);
        // [T][N][E] viewed as [T * N][E]: all of T does.
        assert_eq!(
            Batch::placed(&[5, 32], 0, 5),
            Some(Batch::Part { axis: 0, outer: 5 })
        );
        // [N][4] viewed as [2][2 N]: the batch would be cut.
        assert_eq!(Batch::placed(&[2, 2], 1, 1), None);
        assert_eq!(Batch::Own(0).without(&[1]), [1]);
        assert_eq!(Batch::Own(0).sample_axis(2), Some(1));
    }
}
