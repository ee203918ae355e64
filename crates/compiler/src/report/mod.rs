//! What an import reports: how near the program is to its source, layer by layer and at the end.

mod compare;
mod import;

pub use compare::{Comparison, compare};
pub use import::{ImportReport, LayerReport, ReportError, Sizes, TestRows, import_report};
