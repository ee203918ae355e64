//! Constants during import, and the arithmetic on them that exporters leave in the graph.

use std::rc::Rc;

use super::act::Act;
use super::symbolic::SymInt;

/// A constant tensor; elements are shared, since exporters reuse initializers.
#[derive(Debug, Clone)]
pub(super) struct Const<T> {
    pub(super) dims: Vec<usize>,
    pub(super) elements: Rc<[T]>,
}

/// What a name stands for during import.
#[derive(Debug, Clone)]
pub(super) enum Value {
    /// Output of a node of the float graph.
    Activation(Act),
    /// Constant in floating point.
    Float(Const<f32>),
    /// Constant whole numbers.
    Int(Const<SymInt>),
}

impl<T: Copy> Const<T> {
    pub(super) fn new(dims: Vec<usize>, elements: Vec<T>) -> Self {
        debug_assert_eq!(dims.iter().product::<usize>(), elements.len());
        Self {
            dims,
            elements: elements.into(),
        }
    }

    pub(super) fn list(elements: Vec<T>) -> Self {
        Self::new(vec![elements.len()], elements)
    }

    /// The single element of a scalar or of a list of one.
    pub(super) fn single(&self) -> Option<T> {
        match &*self.elements {
            [value] => Some(*value),
            _ => None,
        }
    }

    /// The same elements under other dimensions; the product must be the same.
    pub(super) fn with_dims(&self, dims: Vec<usize>) -> Option<Self> {
        let same = product(&dims)? == self.elements.len();
        same.then(|| Self {
            dims,
            elements: Rc::clone(&self.elements),
        })
    }

    /// Output axis `j` is input axis `perm[j]`.
    pub(super) fn transpose(&self, perm: &[usize]) -> Self {
        let order = transposed_order(&self.dims, perm);
        let elements: Vec<T> = order.iter().map(|&i| self.elements[i]).collect();
        Self::new(perm.iter().map(|&axis| self.dims[axis]).collect(), elements)
    }

    /// Elementwise `f` with numpy's broadcasting; `None` if the shapes or a result do not fit.
    pub(super) fn zip(
        &self,
        other: &Self,
        limit: usize,
        f: impl Fn(T, T) -> Option<T>,
    ) -> Option<Self> {
        let dims = broadcast(&self.dims, &other.dims)?;
        let count = product(&dims).filter(|&n| n <= limit)?;
        let mut elements = Vec::with_capacity(count);
        for flat in 0..count {
            let left = self.elements[source_index(flat, &dims, &self.dims)];
            let right = other.elements[source_index(flat, &dims, &other.dims)];
            elements.push(f(left, right)?);
        }
        Some(Self::new(dims, elements))
    }
}

/// Product of dimensions without overflow.
pub(super) fn product(dims: &[usize]) -> Option<usize> {
    dims.iter().try_fold(1_usize, |p, &d| p.checked_mul(d))
}

/// For each output position of a transposition, the input position that it reads.
pub(crate) fn transposed_order(dims: &[usize], perm: &[usize]) -> Vec<usize> {
    let mut strides = vec![1_usize; dims.len()];
    for axis in (0..dims.len().saturating_sub(1)).rev() {
        strides[axis] = strides[axis + 1] * dims[axis + 1];
    }
    let mut order = vec![0_usize];
    for &axis in perm {
        let extent = dims[axis];
        order = order
            .iter()
            .flat_map(|&base| (0..extent).map(move |i| (base, i)))
            .map(|(base, i)| base + i * strides[axis])
            .collect();
    }
    order
}

pub(super) fn broadcast(a: &[usize], b: &[usize]) -> Option<Vec<usize>> {
    let rank = a.len().max(b.len());
    let extent =
        |dims: &[usize], axis: usize| (axis + dims.len()).checked_sub(rank).map_or(1, |i| dims[i]);
    (0..rank)
        .map(|axis| match (extent(a, axis), extent(b, axis)) {
            (x, y) if x == y => Some(x),
            (1, y) => Some(y),
            (x, 1) => Some(x),
            _ => None,
        })
        .collect()
}

/// Position in `source` that broadcasts to position `flat` of `dims`.
fn source_index(mut flat: usize, dims: &[usize], source: &[usize]) -> usize {
    let (mut index, mut stride) = (0, 1);
    for axis in (0..dims.len()).rev() {
        let coordinate = flat % dims[axis];
        flat /= dims[axis];
        if let Some(i) = (axis + source.len()).checked_sub(dims.len()) {
            if source[i] != 1 {
                index += coordinate * stride;
            }
            stride *= source[i];
        }
    }
    index
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn transposition_and_broadcasting_follow_numpy() {
        let a = Const::new(vec![2, 3], vec![0, 1, 2, 3, 4, 5]);
        assert_eq!(&*a.transpose(&[1, 0]).elements, [0, 3, 1, 4, 2, 5]);
        let column = Const::new(vec![2, 1], vec![10, 20]);
        let sum = a.zip(&column, 100, |x, y| Some(x + y)).unwrap();
        assert_eq!(&*sum.elements, [10, 11, 12, 23, 24, 25]);
        assert!(a.zip(&column, 5, |x, y| Some(x + y)).is_none(), "limit");
        assert!(
            a.zip(&Const::list(vec![1, 2]), 100, |x, _| Some(x))
                .is_none()
        );
    }
}
