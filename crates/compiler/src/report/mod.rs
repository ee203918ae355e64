//! What an import reports: how near the program is to its source, layer by layer and at the end.

mod allowance;
mod answers;
mod compare;
mod import;
mod layers;
mod mask;
pub mod page;
mod plot;
mod rank;
mod sizes;
pub mod svg;

pub use allowance::Moved;
pub use answers::{ERROR_BINS, Scatter};
pub use compare::{Comparison, compare};
pub use import::{ImportReport, LayerReport, ReportError, TestRows, import_report};
pub use layers::fitted_layers;
pub use rank::spearman;
pub use sizes::{NodeSizes, Sizes, node_sizes, node_sizes_at};
