//! TRANSPOSE. Spec: operators, 2.16.

use selfsame_ir::{DimValues, Tensor, Transpose};

use crate::ops::read;

pub(crate) fn element(op: &Transpose, values: &DimValues, inputs: &[&Tensor], index: u64) -> i32 {
    let extent = |axis: usize| {
        op.shape
            .get(axis)
            .and_then(|dim| dim.at(values).ok())
            .map_or(1, u64::from)
    };
    let stride = |axis: usize| (axis + 1..op.shape.len()).map(extent).product::<u64>();
    let mut rest = index;
    let mut source = 0;
    for &axis in op.permutation.iter().rev() {
        let axis = usize::from(axis);
        source += (rest % extent(axis)) * stride(axis);
        rest /= extent(axis);
    }
    read(inputs, 0, source)
}
