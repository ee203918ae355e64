//! One wrong integer, planted in an otherwise honest run: what demos and tests convict.

use selfsame_interpreter::{Trace, element};
use selfsame_ir::{CheckedProgram, DType, DimValues, Tensor};

/// Where a run is made wrong, and by how much.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Plant {
    /// The node, not INPUT.
    pub node: u32,
    /// Flat index of the element.
    pub element: u64,
    /// Added to the right value; where the result leaves the type's range, subtracted instead.
    pub delta: i32,
}

/// Why nothing was planted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PlantError {
    /// No such place.
    #[error(
        "node {node}, element {element}: the program has {nodes} nodes and that node {elements} elements; INPUT (0) cannot be planted"
    )]
    Place {
        /// Node named.
        node: u32,
        /// Element named.
        element: u64,
        /// Nodes of the program.
        nodes: usize,
        /// Elements of the node.
        elements: usize,
    },
    /// Adding and subtracting both leave the type's range.
    #[error("{value} plus or minus {delta} is outside {low}..={high}")]
    Delta {
        /// The right value.
        value: i32,
        /// Asked for.
        delta: i32,
        /// Smallest of the type.
        low: i32,
        /// Largest of the type.
        high: i32,
    },
}

impl Plant {
    /// The trace of a run in which the planted element is wrong and everything after it is computed
    /// from the wrong value.
    pub fn apply(
        &self,
        program: &CheckedProgram,
        values: &DimValues,
        honest: &Trace,
    ) -> Result<Trace, PlantError> {
        let mut outputs: Vec<Tensor> = honest.outputs().to_vec();
        let elements = outputs.get(self.node as usize).map_or(0, Tensor::len);
        let at = usize::try_from(self.element).unwrap_or(usize::MAX);
        let nodes = outputs.len();
        let target = outputs
            .get_mut(self.node as usize)
            .filter(|_| self.node != 0);
        let place = PlantError::Place {
            node: self.node,
            element: self.element,
            nodes,
            elements,
        };
        let target = target.ok_or(place)?;
        let value = target.get(at).ok_or(place)?;
        let wrong = self.wrong(value, target.dtype())?;
        set(target, at, wrong);
        let mut dirty = vec![false; nodes];
        dirty[self.node as usize] = true;
        for (index, node) in program
            .nodes()
            .iter()
            .enumerate()
            .skip(self.node as usize + 1)
        {
            if !node.inputs.iter().any(|&input| dirty[input as usize]) {
                continue;
            }
            let inputs: Vec<&Tensor> = node
                .inputs
                .iter()
                .filter_map(|&input| outputs.get(input as usize))
                .collect();
            let count = outputs[index].len() as u64;
            let fresh: Vec<i32> = (0..count)
                .map(|flat| element(&node.op, values, &inputs, flat))
                .collect();
            let mut recomputed = outputs[index].clone();
            for (flat, value) in fresh.into_iter().enumerate() {
                set(&mut recomputed, flat, value);
            }
            dirty[index] = recomputed != outputs[index];
            outputs[index] = recomputed;
        }
        Ok(Trace::new(outputs, program.segments().committed()))
    }

    fn wrong(&self, value: i32, dtype: DType) -> Result<i32, PlantError> {
        let (low, high) = dtype.range();
        let fits = |wrong: &i32| *wrong != value && low <= *wrong && *wrong <= high;
        let plus = value.checked_add(self.delta).filter(fits);
        plus.or_else(|| value.checked_sub(self.delta).filter(fits))
            .ok_or(PlantError::Delta {
                value,
                delta: self.delta,
                low,
                high,
            })
    }
}

/// Writes `value`, which is within the range of the tensor's type.
fn set(tensor: &mut Tensor, at: usize, value: i32) {
    match tensor {
        Tensor::I8(values) => values[at] = i8::try_from(value).unwrap_or_default(),
        Tensor::I16(values) => values[at] = i16::try_from(value).unwrap_or_default(),
        Tensor::I32(values) => values[at] = value,
    }
}
