//! All automation of the project: code generation, graph and text checks, the test command.
//!
//! `cargo xtask` is the one door. Everything it checks without a compiler or Node is also a plain
//! Rust test of this package, so `cargo test -p xtask` is the fast half of the test command.

#![forbid(unsafe_code)]

pub mod artifacts;
pub mod closures;
pub mod codegen;
pub mod contracts;
pub mod json;
pub mod layers;
pub mod metadata;
pub mod process;
pub mod python;
pub mod repo;
pub mod report;
pub mod rust_source;
pub mod soak;
pub mod test_command;
pub mod tidy;
