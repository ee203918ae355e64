//! Walks along one axis: slices, steps, pads, repeats and the insertion of zeros.

/// Largest numerator and denominator, the limit of the program format.
pub(crate) const STEP_MAX: i64 = selfsame_protocol::constants::STEP_MAX as i64;
/// Largest offset.
const OFFSET_MAX: i64 = 1 << 28;

/// Output cell `i` reads input cell `floor((i * numerator + offset) / denominator)`; a cell outside
/// the input, or with `exact` one that does not divide, is the fill of the node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AxisWalk {
    /// Input cells for each `denominator` output cells.
    pub numerator: i64,
    /// Added before the division.
    pub offset: i64,
    /// At least 1.
    pub denominator: i64,
    /// Whether indices that do not divide give the fill.
    pub exact: bool,
    /// Output cells.
    pub extent: usize,
}

impl AxisWalk {
    /// The whole axis.
    pub fn whole(extent: usize) -> Self {
        Self {
            numerator: 1,
            offset: 0,
            denominator: 1,
            exact: false,
            extent,
        }
    }

    /// Input cell of output cell `at` on an axis of `extent` cells, if it is one.
    pub(crate) fn index(&self, at: usize, extent: usize) -> Option<usize> {
        let wide = i64::try_from(at).ok()?.checked_mul(self.numerator)?;
        let wide = wide.checked_add(self.offset)?;
        if self.exact && wide.rem_euclid(self.denominator) != 0 {
            return None;
        }
        usize::try_from(wide.div_euclid(self.denominator))
            .ok()
            .filter(|&index| index < extent)
    }

    /// This walk over the output of `inner`, which has `extent` cells, as one walk; `None` if it
    /// divides, leaves the axis, or the steps become too large.
    pub(crate) fn after(&self, inner: &Self, extent: usize) -> Option<Self> {
        let inside = |at: usize| self.index(at, extent).is_some();
        let whole = self.denominator == 1 && inside(0) && inside(self.extent.checked_sub(1)?);
        let numerator = self.numerator.checked_mul(inner.numerator)?;
        let offset = self.offset.checked_mul(inner.numerator)?;
        let offset = offset.checked_add(inner.offset)?;
        let fits = numerator.abs() <= STEP_MAX && offset.abs() <= OFFSET_MAX;
        (whole && fits).then_some(Self {
            numerator,
            offset,
            extent: self.extent,
            ..*inner
        })
    }

    /// Pads at begin and end, if this is a whole axis with nothing but zeros around it.
    pub(crate) fn pads(&self, extent: usize) -> Option<[usize; 2]> {
        let begin = usize::try_from(self.offset.checked_neg()?).ok()?;
        let end = self.extent.checked_sub(extent.checked_add(begin)?)?;
        (self.numerator == 1 && self.denominator == 1).then_some([begin, end])
    }
}

/// For each output element the input element that it reads, row-major.
#[cfg(test)]
pub(crate) fn walk_order(shape: &[usize], walks: &[AxisWalk]) -> Vec<Option<usize>> {
    let mut order = vec![Some(0_usize)];
    for (walk, &extent) in walks.iter().zip(shape) {
        let cells: Vec<Option<usize>> = (0..walk.extent).map(|i| walk.index(i, extent)).collect();
        order = order
            .iter()
            .flat_map(|base| cells.iter().map(move |cell| (base, cell)))
            .map(|(base, cell)| Some((*base)? * extent + (*cell)?))
            .collect();
    }
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zeros_go_between_and_around() {
        let apart = AxisWalk {
            denominator: 2,
            exact: true,
            ..AxisWalk::whole(3)
        };
        let padded = AxisWalk {
            offset: -1,
            ..AxisWalk::whole(4)
        };
        let order = walk_order(&[2, 2], &[apart, padded]);
        let none = None;
        assert_eq!(order[..4], [none, Some(0), Some(1), none]);
        assert_eq!(order[4..8], [none; 4]);
        assert_eq!(order[8..], [none, Some(2), Some(3), none]);
        assert_eq!(padded.pads(2), Some([1, 1]));
        assert_eq!(apart.pads(2), None);
    }

    #[test]
    fn a_walk_of_a_walk_reads_the_same_cells() {
        let every = |numerator, offset, denominator, extent| AxisWalk {
            numerator,
            offset,
            denominator,
            exact: false,
            extent,
        };
        let inner = every(3, -2, 2, 9);
        for outer in [every(2, 1, 1, 4), every(-1, 8, 1, 9), every(0, 4, 1, 5)] {
            let joined = outer.after(&inner, 9).unwrap();
            for at in 0..outer.extent {
                let twice = outer.index(at, 9).and_then(|cell| inner.index(cell, 12));
                assert_eq!(joined.index(at, 12), twice);
            }
        }
        assert_eq!(every(2, 1, 1, 5).after(&inner, 9), None);
        assert_eq!(every(1, 0, 2, 5).after(&inner, 9), None);
    }
}
