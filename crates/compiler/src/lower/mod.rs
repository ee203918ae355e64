//! From the fused float graph to an exact program: which nodes become one linear node, in which
//! layout values stand, and the integers of every node.

mod chain;
mod emit;
mod error;
mod interface;
mod layout;
mod linear;
mod movement;
mod partial;
mod pointwise;
mod program;
mod steps;
mod support;
mod table;

pub(crate) use emit::Source;
pub use error::CompileError;
pub use interface::{Options, Pixels};
pub(crate) use program::lower;
