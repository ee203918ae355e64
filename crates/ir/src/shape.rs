//! Shapes, terms and MACs of operators.
//!
//! Spec: programs, 1.5, 1.10.

use alloc::vec::Vec;

use crate::dim::{Dim, DimError, DimValues};
use crate::ops::{Op, Spread, Walk, Window};

/// Why an operator has no shape.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ShapeError {
    /// A dimension has no value.
    #[error(transparent)]
    Dim(#[from] DimError),
    /// The kernel is larger than the padded input.
    #[error("the dilated kernel spans {span} cells, the padded input has fewer (extent {extent})")]
    Window {
        /// Span of the dilated kernel.
        span: u32,
        /// Extent of the input without padding.
        extent: u32,
    },
}

fn windowed(
    height: Dim,
    width: Dim,
    window: &Window,
    values: &DimValues,
) -> Result<(u32, u32), ShapeError> {
    let extent = |axis: usize, dim: Dim| {
        let extent = dim.at(values)?;
        window
            .output_extent(axis, extent)
            .ok_or(ShapeError::Window {
                span: window.span(axis),
                extent,
            })
    };
    Ok((extent(0, height)?, extent(1, width)?))
}

fn shape_at(shape: &[Dim], values: &DimValues) -> Result<Vec<u32>, ShapeError> {
    shape.iter().map(|dim| Ok(dim.at(values)?)).collect()
}

impl Op {
    /// Shape of the output at the given symbol values.
    pub fn output_shape(&self, values: &DimValues) -> Result<Vec<u32>, ShapeError> {
        Ok(match self {
            Self::Input(op) => shape_at(&op.shape, values)?,
            Self::MatMul(op) => alloc::vec![op.rows.at(values)?, op.out_channels],
            Self::Conv(op) => {
                let (height, width) = windowed(op.height, op.width, &op.window, values)?;
                alloc::vec![height, width, op.out_channels]
            }
            Self::MaxPool(op) => {
                let (height, width) = windowed(op.height, op.width, &op.window, values)?;
                alloc::vec![height, width, op.channels]
            }
            Self::AvgPool(op) => {
                let (height, width) = windowed(op.height, op.width, &op.window, values)?;
                alloc::vec![height, width, op.channels]
            }
            Self::Move(op) => {
                let extent = |walk: &Walk| walk.extent.at(values);
                op.walks
                    .iter()
                    .map(extent)
                    .collect::<Result<_, DimError>>()?
            }
            Self::Concat(op) => alloc::vec![op.rows.at(values)?, op.width(values)?],
            Self::Pointwise(op) => alloc::vec![op.rows.at(values)?, op.columns.at(values)?],
            Self::BatchMatMul(op) => {
                let (rows, columns) = (op.rows.at(values)?, op.columns.at(values)?);
                if op.interleave.output {
                    alloc::vec![rows, op.batch, columns]
                } else {
                    alloc::vec![op.batch, rows, columns]
                }
            }
            Self::Reduce(op) => alloc::vec![op.rows.at(values)?],
            Self::Normalize(op) => alloc::vec![op.rows.at(values)?, op.columns],
            Self::Embedding(op) => alloc::vec![op.rows.at(values)?, op.columns],
        })
    }

    /// Shape of input `slot` as this operator sees it. An addend has the output's shape.
    pub fn input_shape(&self, slot: usize, values: &DimValues) -> Result<Vec<u32>, ShapeError> {
        if self.factor_slot() == Some(slot) {
            return self.factor_shape(values);
        }
        Ok(match self {
            Self::MatMul(_) | Self::Conv(_) if slot == 1 => self.output_shape(values)?,
            Self::Input(op) => shape_at(&op.shape, values)?,
            Self::MatMul(op) => alloc::vec![op.rows.at(values)?, op.row_elements],
            Self::Conv(op) => alloc::vec![op.height.at(values)?, op.width.at(values)?, op.channels],
            Self::MaxPool(op) => {
                alloc::vec![op.height.at(values)?, op.width.at(values)?, op.channels]
            }
            Self::AvgPool(op) => {
                alloc::vec![op.height.at(values)?, op.width.at(values)?, op.channels]
            }
            Self::Move(op) => shape_at(&op.shape, values)?,
            Self::Concat(op) => {
                let columns = op.columns.get(slot).copied().unwrap_or(Dim::fixed(1));
                alloc::vec![op.rows.at(values)?, columns.at(values)?]
            }
            Self::Pointwise(op) => {
                let spread = match &op.second {
                    Some(y) if slot == 1 => y.spread,
                    Some(_) | None => Spread::Full,
                };
                let columns = op.columns.at(values)?;
                spread.shape(op.rows.at(values)?, columns).to_vec()
            }
            Self::BatchMatMul(op) => {
                let k = op.k.at(values)?;
                if slot == 0 {
                    alloc::vec![op.batch, op.rows.at(values)?, k]
                } else {
                    let batch = op.batch.checked_div(op.group).unwrap_or(0);
                    alloc::vec![batch, op.columns.at(values)?, k]
                }
            }
            Self::Reduce(op) => alloc::vec![op.rows.at(values)?, op.columns.at(values)?],
            Self::Normalize(op) if slot == 0 => alloc::vec![op.rows.at(values)?, op.columns],
            Self::Normalize(op) => alloc::vec![op.rows.at(values)?],
            Self::Embedding(op) => alloc::vec![op.rows.at(values)?],
        })
    }

    /// One factor for each row of x.
    fn factor_shape(&self, values: &DimValues) -> Result<Vec<u32>, ShapeError> {
        Ok(match self {
            Self::MatMul(op) => alloc::vec![op.rows.at(values)?],
            Self::BatchMatMul(op) => alloc::vec![op.batch, op.rows.at(values)?],
            Self::Normalize(op) => alloc::vec![op.rows.at(values)?],
            Self::Input(_)
            | Self::Conv(_)
            | Self::MaxPool(_)
            | Self::AvgPool(_)
            | Self::Move(_)
            | Self::Concat(_)
            | Self::Pointwise(_)
            | Self::Reduce(_)
            | Self::Embedding(_) => Vec::new(),
        })
    }

    /// Terms that one output element reads; 0 for INPUT. Beyond all limits where an extent has no
    /// value.
    pub fn terms(&self, values: &DimValues) -> u64 {
        let extent = |dim: Dim| dim.at(values).map_or(u64::MAX, u64::from);
        match self {
            Self::Input(_) => 0,
            Self::MatMul(op) => u64::from(op.k_len),
            Self::Conv(op) => {
                let per_group = op.channels.checked_div(op.groups).unwrap_or(0);
                op.window.cells().saturating_mul(u64::from(per_group))
            }
            Self::MaxPool(op) => op.window.cells(),
            Self::AvgPool(op) => op.window.cells(),
            Self::BatchMatMul(op) => extent(op.k),
            Self::Reduce(op) => extent(op.columns),
            Self::Move(_)
            | Self::Concat(_)
            | Self::Pointwise(_)
            | Self::Normalize(_)
            | Self::Embedding(_) => 1,
        }
    }
}

/// Number of elements of a shape, saturating.
pub(crate) fn elements(shape: &[u32]) -> u64 {
    shape.iter().fold(1, |product, &extent| {
        product.saturating_mul(u64::from(extent))
    })
}
