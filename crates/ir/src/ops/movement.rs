//! MOVE: every output element is one input element, or the fill: permutations of axes, slices, steps,
//! pads, broadcasts, nearest-neighbour resizing and the insertion of zeros are all this operator.
//!
//! Along output axis j with index i the input is read at `floor((i*numerator + offset) / denominator)`
//! of its axis `source`; an index outside the input, or with `exact` one that does not divide, gives the fill.
//!
//! Spec: operators, 2.16.

use alloc::vec::Vec;

use selfsame_protocol::{DecodeError, Reader, Writer};

use crate::dim::{Dim, DimError, DimValues};
use crate::ops::input::decode_rank;

/// How one axis of the output walks along an axis of the input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Walk {
    /// Axis of the input.
    pub source: u8,
    /// Whether indices that do not divide give the fill.
    pub exact: bool,
    /// Input cells for each `denominator` output cells, |.| <= `STEP_MAX`; 0 repeats one cell.
    pub numerator: i32,
    /// Added before the division, |.| <= `ELEMENTS_MAX`.
    pub offset: i32,
    /// 1..=`STEP_MAX`.
    pub denominator: u32,
    /// Extent of the output's axis.
    pub extent: Dim,
}

impl Walk {
    /// The whole of input axis `source`, which has `extent` cells.
    pub const fn along(source: u8, extent: Dim) -> Self {
        Self {
            source,
            exact: false,
            numerator: 1,
            offset: 0,
            denominator: 1,
            extent,
        }
    }

    /// Index on the input's axis of `extent` cells, if it is one.
    pub fn index(&self, at: u64, extent: u64) -> Option<u64> {
        let at = i64::try_from(at).ok()?;
        let wide = at.checked_mul(i64::from(self.numerator))? + i64::from(self.offset);
        let denominator = i64::from(self.denominator.max(1));
        if self.exact && wide.rem_euclid(denominator) != 0 {
            return None;
        }
        let index = u64::try_from(wide.div_euclid(denominator)).ok()?;
        (index < extent).then_some(index)
    }
}

/// Parameters of MOVE. Any element type, kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Move {
    /// One walk for each axis of the output; their sources are a permutation of the input's axes.
    pub walks: Vec<Walk>,
    /// Shape of the input, of the same rank.
    pub shape: Vec<Dim>,
    /// What stands where nothing is read.
    pub fill: i32,
}

impl Move {
    /// The permutation of axes: output axis j is input axis `permutation[j]`.
    pub fn transpose(permutation: &[u8], shape: Vec<Dim>) -> Self {
        let walk = |&axis: &u8| {
            let extent = shape.get(usize::from(axis)).copied();
            Walk::along(axis, extent.unwrap_or(Dim::fixed(1)))
        };
        Self {
            walks: permutation.iter().map(walk).collect(),
            shape,
            fill: 0,
        }
    }

    /// The permutation, if this is nothing else.
    pub fn as_transpose(&self) -> Option<Vec<u8>> {
        let plain = |walk: &Walk| {
            let extent = self.shape.get(usize::from(walk.source)).copied()?;
            (*walk == Walk::along(walk.source, extent)).then_some(walk.source)
        };
        self.walks.iter().map(plain).collect()
    }

    /// Flat index in the input of the output's element `element`; `None` where the fill stands.
    /// Spec: operators, 2.16.
    pub fn source(&self, values: &DimValues, element: u64) -> Result<Option<u64>, DimError> {
        let mut rest = element;
        let mut flat = 0;
        let mut inside = true;
        for walk in self.walks.iter().rev() {
            let extent = u64::from(walk.extent.at(values)?);
            let axis = usize::from(walk.source);
            let mut cells = 1;
            let mut step = 1;
            for (at, dim) in self.shape.iter().enumerate() {
                let extent = u64::from(dim.at(values)?);
                if at == axis {
                    cells = extent;
                } else if axis < at {
                    step *= extent;
                }
            }
            match walk.index(rest % extent, cells) {
                Some(index) => flat += index * step,
                None => inside = false,
            }
            rest /= extent;
        }
        Ok(inside.then_some(flat))
    }

    pub(crate) fn encode(&self, writer: &mut Writer) {
        writer
            .u8(u8::try_from(self.walks.len()).unwrap_or(u8::MAX))
            .i32(self.fill);
        for walk in &self.walks {
            writer
                .u8(walk.source)
                .u8(u8::from(walk.exact))
                .i32(walk.numerator)
                .i32(walk.offset)
                .u32(walk.denominator);
            walk.extent.encode(writer);
        }
        self.shape.iter().for_each(|dim| dim.encode(writer));
    }

    pub(crate) fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let rank = decode_rank(reader)?;
        let fill = reader.i32("fill")?;
        let walks = (0..rank).map(|_| decode_walk(reader));
        let walks = walks.collect::<Result<_, _>>()?;
        let shape = (0..rank).map(|_| Dim::decode(reader));
        let shape = shape.collect::<Result<_, _>>()?;
        Ok(Self { walks, shape, fill })
    }
}

fn decode_walk(reader: &mut Reader<'_>) -> Result<Walk, DecodeError> {
    let source = reader.u8("source axis")?;
    let exact = match reader.u8("exact flag")? {
        0 => false,
        1 => true,
        flag => return Err(reader.invalid("exact flag", u64::from(flag), "0 or 1")),
    };
    Ok(Walk {
        source,
        exact,
        numerator: reader.i32("numerator")?,
        offset: reader.i32("offset")?,
        denominator: reader.u32("denominator")?,
        extent: Dim::decode(reader)?,
    })
}
