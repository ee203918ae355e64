//! `BATCH_MATMUL`: matrix products of two inputs, one for each batch, both read along their rows.
//!
//! ```text
//! acc[b][i][j] = sum over k of x[b][i][k] * y[b / group][j][k]
//! v = clamp((acc*M + 2^(s-1)) >> s, lo, hi), or with a row factor as MATMUL without bias
//! ```
//!
//! Spec: programs, 1.10; operators, 2.22.

use selfsame_protocol::{DecodeError, Reader, Writer};

use crate::dim::Dim;
use crate::ops::factor::FactorShift;
use crate::tensor::DType;

/// Which of the three tensors hold their rows outside of the batches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Interleave {
    /// x is `[rows][batch][k]`, else `[batch][rows][k]`; the row factor alike.
    pub x: bool,
    /// y is `[columns][batch / group][k]`, else `[batch / group][columns][k]`.
    pub y: bool,
    /// The output is `[rows][batch][columns]`, else `[batch][rows][columns]`.
    pub output: bool,
}

/// Parameters of `BATCH_MATMUL`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BatchMatMul {
    /// Batches of x and of the output.
    pub batch: u32,
    /// Batches of x that share one batch of y; divides `batch`.
    pub group: u32,
    /// Rows of a batch of x.
    pub rows: Dim,
    /// Rows of a batch of y: columns of the output.
    pub columns: Dim,
    /// Elements of a row of x and of y: the terms of one output element.
    pub k: Dim,
    /// Order of the axes.
    pub interleave: Interleave,
    /// Element type of x, i8 or i16; y is i8.
    pub dtype: DType,
    /// M in 1..2^15.
    pub multiplier: u16,
    /// s in 1..=46.
    pub shift: u8,
    /// With it the last input, i32, holds one factor for each row of x.
    pub factor: Option<FactorShift>,
    /// Clamp, lower bound.
    pub low: i32,
    /// Clamp, upper bound.
    pub high: i32,
}

/// Where an output element stands: its batch, row and column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cell {
    /// First element of the row of x.
    pub x: u64,
    /// First element of the row of y.
    pub y: u64,
    /// The row of x: index of the row factor.
    pub row: u64,
}

impl BatchMatMul {
    /// What the output element `index` reads, at bound extents.
    pub fn cell(&self, index: u64, rows: u32, columns: u32, k: u32) -> Cell {
        let (rows, columns, k) = (u64::from(rows).max(1), u64::from(columns).max(1), k.into());
        let batch = u64::from(self.batch).max(1);
        let group = u64::from(self.group).max(1);
        let (outer, j) = (index / columns, index % columns);
        let (b, i) = if self.interleave.output {
            (outer % batch, outer / batch)
        } else {
            (outer / rows, outer % rows)
        };
        let row = if self.interleave.x {
            i * batch + b
        } else {
            b * rows + i
        };
        let y_row = if self.interleave.y {
            j * (batch / group) + b / group
        } else {
            b / group * columns + j
        };
        let start = |row: u64| row.saturating_mul(k);
        Cell {
            x: start(row),
            y: start(y_row),
            row,
        }
    }

    pub(crate) fn encode(&self, writer: &mut Writer) {
        writer.u32(self.batch).u32(self.group);
        self.rows.encode(writer);
        self.columns.encode(writer);
        self.k.encode(writer);
        let order = self.interleave;
        let bits = u8::from(order.x) | u8::from(order.y) << 1 | u8::from(order.output) << 2;
        writer
            .u8(bits)
            .u8(self.dtype.code())
            .u16(self.multiplier)
            .u8(self.shift);
        FactorShift::encode(self.factor, writer);
        writer.i32(self.low).i32(self.high);
    }

    pub(crate) fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let (batch, group) = (reader.u32("batch")?, reader.u32("group")?);
        let rows = Dim::decode(reader)?;
        let columns = Dim::decode(reader)?;
        let k = Dim::decode(reader)?;
        let bits = reader.u8("order of axes")?;
        if 7 < bits {
            return Err(reader.invalid("order of axes", bits.into(), "0 to 7"));
        }
        let interleave = Interleave {
            x: bits & 1 == 1,
            y: bits & 2 == 2,
            output: bits & 4 == 4,
        };
        Ok(Self {
            batch,
            group,
            rows,
            columns,
            k,
            interleave,
            dtype: super::decode_dtype(reader)?,
            multiplier: reader.u16("multiplier")?,
            shift: reader.u8("shift")?,
            factor: FactorShift::decode(reader)?,
            low: reader.i32("clamp low")?,
            high: reader.i32("clamp high")?,
        })
    }
}
