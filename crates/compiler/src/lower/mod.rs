//! From the fused float graph to an exact program: which nodes become one linear node, in which
//! layout values stand, and the integers of every node.

mod attention;
mod chain;
mod conv;
mod curve;
mod dense;
mod emit;
mod error;
mod growth;
mod inputs;
mod interface;
mod layout;
mod linear;
mod movement;
mod normalize;
mod operand;
mod partial;
mod planes;
mod pointwise;
mod pool;
mod program;
mod reduce;
mod rows;
mod steps;
mod symbols;
mod table;
mod whole;
mod widths;

pub(crate) use emit::{Narrowed, Source};
pub use error::CompileError;
pub(crate) use growth::{AtValue, Growth};
pub use interface::{Options, Pixels};
pub(crate) use pointwise::MASK_LOW;
pub(crate) use program::{Constants, Lowered, lower};
pub(crate) use symbols::join;
pub(crate) use widths::{Widths, widths};
