//! How many elements a tensor or an axis has: a power of the program's lead times a number.

use selfsame_ir::Dim;

use super::rng::Rng;

/// What the sizes of a program have in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lead {
    /// One: extents are constants.
    One,
    /// `scale * value + offset` of the program's symbol.
    Symbol {
        /// Scale.
        scale: u32,
        /// Offset.
        offset: i32,
    },
}

/// `lead^power * rest` elements.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Size {
    /// Power of the lead, 0 to 2; of an axis 0 or 1.
    pub(super) power: u32,
    /// Elements for a lead of 1.
    pub(super) rest: u32,
}

impl Size {
    /// Without the lead.
    pub(super) const fn fixed(rest: u32) -> Self {
        Self { power: 0, rest }
    }

    /// One axis of this size; the lead at most once.
    pub(super) fn dim(self, lead: Lead) -> Dim {
        match (lead, self.power) {
            (Lead::One, _) | (_, 0) => Dim::fixed(self.rest),
            (Lead::Symbol { scale, offset }, _) => {
                let times = i32::try_from(self.rest).expect("a small extent");
                Dim::affine(1, scale * self.rest, offset * times)
            }
        }
    }

    pub(super) fn times(self, other: Self) -> Self {
        Self {
            power: self.power + other.power,
            rest: self.rest * other.rest,
        }
    }

    /// What is left when `part` is divided out.
    pub(super) fn over(self, part: Self) -> Self {
        Self {
            power: self.power - part.power,
            rest: self.rest / part.rest,
        }
    }

    /// Rows and columns, the lead in either and at most once in each.
    pub(super) fn split(self, rng: &mut Rng) -> (Self, Self) {
        let outer = match self.power {
            0 => 0,
            1 => u32::from(rng.chance(75)),
            _ => 1,
        };
        let rows = Self {
            power: outer,
            rest: rng.divisor(self.rest),
        };
        (rows, self.over(rows))
    }
}
