//! The dispute game: which integer of a claimed trace is wrong, and who says so.
//!
//! ```text
//! open -> first answer -> name node -> answer -> name entry -> tile -> step: conviction, or none
//! ```
//!
//! [`Schedule`] says how far each answer descends. [`Board`] is the pure state machine that the
//! game contract is tested equal to: the same moves, the same refusals by the same names.
//! [`Holder`] is a trace with its trees: what an honest side answers and names. [`Witness`] is what
//! one step opens, and [`evaluate()`] what a leaf contract makes of it. [`Certificate`] bounds a
//! whole game on a model before anybody plays it.
//!
//! Spec: game, 4.1 to 4.15.

#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

mod board;
mod certificate;
mod evaluate;
mod holder;
mod payout;
mod reads;
mod refusal;
mod revealed;
mod rules;
mod schedule;
mod step_bound;
mod witness;

pub use board::{Address, Board, Claim, Game, Link, Move, NodeFacts, Outcome, Side, Stage, Step};
pub use certificate::{Certificate, Clocks, Costs, MoveCost, certify};
pub use evaluate::{Evaluated, evaluate};
pub use holder::{Holder, HolderError, Next, Reply, Shown, name};
pub use payout::{Payout, Share, Slash, split_slash};
pub use reads::{Reads, SlotReads, reads};
pub use refusal::Refusal;
pub use revealed::Revealed;
pub use rules::{claim_head, game_id, head_after};
pub use schedule::{Descent, Position, Schedule, tensor_schedule};
pub use witness::{Opening, Witness, WitnessError};
