//! EMBEDDING: rows of a constant table.
//!
//! `y[r][c] = table[min(max(index[r], 0), entries - 1)][c]`
//!
//! Spec: programs, 1.10; operators, 2.25.

use alloc::sync::Arc;
use alloc::vec::Vec;

use selfsame_protocol::{DecodeError, Reader, Writer};

use crate::dim::Dim;
use crate::tensor::Tensor;

/// Parameters of EMBEDDING. Index i32 `[rows]`, table `[entries][columns]` of the output's type,
/// output `[rows][columns]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Embedding {
    /// Rows.
    pub rows: Dim,
    /// Columns.
    pub columns: u32,
    /// Rows of the table.
    pub entries: u32,
    /// The table; empty in a node leaf. Engines share it.
    pub table: Arc<Tensor>,
}

impl Embedding {
    /// Flat index in the table of column `column` of the row that `index` names.
    pub fn at(&self, index: i32, column: u64) -> u64 {
        let last = u64::from(self.entries.saturating_sub(1));
        let row = u64::try_from(index).unwrap_or(0).min(last);
        row * u64::from(self.columns) + column
    }

    pub(crate) fn skeleton(&self) -> Self {
        Self {
            table: Tensor::I8(Vec::new()).into(),
            ..*self
        }
    }

    pub(crate) fn encode(&self, writer: &mut Writer) {
        self.rows.encode(writer);
        writer.u32(self.columns).u32(self.entries);
    }

    pub(crate) fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            rows: Dim::decode(reader)?,
            columns: reader.u32("columns")?,
            entries: reader.u32("entries")?,
            table: Tensor::I8(Vec::new()).into(),
        })
    }
}
