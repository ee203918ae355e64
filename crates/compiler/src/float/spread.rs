//! How the second activation of a pair lies over the first one: numpy's broadcasting, axis by axis.

/// For each axis whether the second activation has extent 1 there and is repeated.
///
/// Both activations have the same number of axes. An axis where both have extent 1 counts as
/// equal, not as repeated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spread {
    repeated: Vec<bool>,
}

impl Spread {
    /// How `second` lies over `first`, if it does.
    pub fn over(first: &[usize], second: &[usize]) -> Option<Self> {
        if first.len() != second.len() {
            return None;
        }
        let axes = first.iter().zip(second);
        let repeated: Option<Vec<bool>> = axes
            .map(|(&wide, &narrow)| match (wide, narrow) {
                _ if wide == narrow => Some(false),
                (_, 1) => Some(true),
                _ => None,
            })
            .collect();
        repeated.map(|repeated| Self { repeated })
    }

    /// Of one shape, of `rank` axes.
    pub fn full(rank: usize) -> Self {
        Self {
            repeated: vec![false; rank],
        }
    }

    /// For each axis whether the second activation is repeated along it.
    pub fn repeated(&self) -> &[bool] {
        &self.repeated
    }

    /// Whether both have one shape.
    pub fn is_full(&self) -> bool {
        !self.repeated.contains(&true)
    }

    /// Elements of the second activation between neighbours along each axis of the first one, of shape
    /// `first`: 0 where it is repeated.
    pub(crate) fn strides(&self, first: &[usize]) -> Vec<usize> {
        let mut strides = vec![0_usize; first.len()];
        let mut stride = 1;
        for axis in (0..first.len()).rev() {
            if !self.repeated[axis] {
                strides[axis] = stride;
                stride *= first[axis];
            }
        }
        strides
    }

    /// For each element of the first activation, of shape `first`, the element of the second one.
    pub(crate) fn order(&self, first: &[usize]) -> Vec<usize> {
        let strides = self.strides(first);
        let mut order = vec![0_usize];
        for (&extent, &stride) in first.iter().zip(&strides) {
            order = order
                .iter()
                .flat_map(|&base| (0..extent).map(move |i| base + i * stride))
                .collect();
        }
        order
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn axes_of_extent_one_are_repeated() {
        let spread = Spread::over(&[2, 3, 2], &[2, 1, 2]).unwrap();
        assert_eq!(spread.repeated(), [false, true, false]);
        let order = spread.order(&[2, 3, 2]);
        assert_eq!(order, [0, 1, 0, 1, 0, 1, 2, 3, 2, 3, 2, 3]);
        assert!(Spread::over(&[2, 3], &[2, 3]).unwrap().is_full());
        assert!(Spread::over(&[1, 3], &[2, 3]).is_none());
        assert!(Spread::over(&[3], &[1, 3]).is_none());
    }
}
