//! Conformance: every case through every implementation, contracts in an in-process EVM included.
//!
//! * What: random programs ([`generator`]), compared element by element ([`operators`]).
//! * When: `cargo test -p selfsame-conformance` runs fixed slices; `SELFSAME_SOAK=1` the full counts.
//! * No test skips: an implementation that cannot run here is printed as a gap, never as a pass.

#![forbid(unsafe_code)]

pub mod game;
pub mod game_plants;
pub mod game_play;
pub mod game_zoo;
pub mod generator;
pub mod operators;
