//! CONCAT: rows of several inputs side by side.
//!
//! Along any axis of any shape: the axes before it are the rows, it and those behind it the columns.
//!
//! Spec: operators, 2.18.

use alloc::vec::Vec;

use selfsame_protocol::constants::CONCAT_INPUTS_MAX;
use selfsame_protocol::{DecodeError, Reader, Writer};

use crate::dim::{Dim, DimError, DimValues};

/// Parameters of CONCAT. Any element type, kept; input k is `[rows][columns[k]]`, the output
/// `[rows][sum of columns]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Concat {
    /// Rows of every input and of the output.
    pub rows: Dim,
    /// Columns of each input.
    pub columns: Vec<Dim>,
}

impl Concat {
    /// Columns of the output, saturating.
    pub fn width(&self, values: &DimValues) -> Result<u32, DimError> {
        let mut sum = 0_u32;
        for columns in &self.columns {
            sum = sum.saturating_add(columns.at(values)?);
        }
        Ok(sum)
    }

    /// Input and flat index in it of the output's element `element`.
    pub fn source(&self, values: &DimValues, element: u64) -> Result<(usize, u64), DimError> {
        let width = u64::from(self.width(values)?).max(1);
        let (row, mut column) = (element / width, element % width);
        let mut last = (0, 0);
        for (input, columns) in self.columns.iter().enumerate() {
            let columns = u64::from(columns.at(values)?);
            if column < columns {
                return Ok((input, row * columns + column));
            }
            column -= columns;
            last = (input, row * columns);
        }
        Ok(last)
    }

    pub(crate) fn encode(&self, writer: &mut Writer) {
        writer.u8(u8::try_from(self.columns.len()).unwrap_or(u8::MAX));
        self.rows.encode(writer);
        self.columns.iter().for_each(|dim| dim.encode(writer));
    }

    pub(crate) fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let count = reader.u8("inputs of a concatenation")?;
        if !(2..=CONCAT_INPUTS_MAX).contains(&count) {
            return Err(reader.invalid(
                "inputs of a concatenation",
                u64::from(count),
                "2 to CONCAT_INPUTS_MAX",
            ));
        }
        let rows = Dim::decode(reader)?;
        let columns = (0..count).map(|_| Dim::decode(reader));
        let columns = columns.collect::<Result<_, _>>()?;
        Ok(Self { rows, columns })
    }
}
