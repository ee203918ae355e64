//! Exact integer kernels, one token per instruction set, every path with the same bits.
//!
//! * What: linear nodes (convolution and matrix product with a fused requantisation), products of
//!   two inputs, pools, movement, pointwise nodes, reductions and norms of rows, Keccak-256 over many
//!   lanes, and the thread pool that runs them.
//! * When: only the engines call this crate; the meaning of each operator is in the interpreter,
//!   and every kernel here is tested for equality with a portable twin.
//! * Key types: [`Kernel`] (permission to run an instruction set), [`Grid`] (where a stored tensor
//!   keeps its elements), [`Linear`] (packed weights of one node), [`Bytes`] (aligned storage).
//! * [`Loops`] are a caller's own loops in safe Rust, compiled for each [`Width`] of vectors, as the
//!   compiler's float reference is. No floating point is in this crate.
//! * Sums of products are exact because operands are eight or sixteen bits wide and no instruction used
//!   here saturates on the operands that are admitted; the order of lanes is then irrelevant.
//! * Related crates: `runtime` plans whole programs with these kernels.
//!
//! All unsafe code of the workspace is in this crate. Lengths are checked once at the entrance of
//! each public function; below it, raw pointers stay inside the checked ranges.

#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_sign_loss,
    clippy::inline_always,
    clippy::wildcard_imports,
    reason = "an engine: widths are argued in the module comments and tested against the portable twin; intrinsics only become instructions where they are inlined"
)]

mod accumulate;
#[cfg(target_arch = "aarch64")]
mod arm;
mod batch;
mod batch_spec;
mod by_channels;
mod bytes;
mod depthwise;
mod excess;
mod finish;
mod function;
mod grid;
mod heap;
mod keccak;
mod kernel;
mod linear;
mod loops;
mod movement;
mod normalize;
mod operands;
mod pack;
mod packed;
mod pages;
mod peak;
mod planar;
mod pointwise;
mod pool;
mod portable;
mod reduce;
mod sets;
mod spec;
mod strip;
mod sums;
mod threads;
mod tiles;
mod wide;
mod widen;
#[cfg(target_arch = "x86_64")]
mod x86;

pub use batch::{BatchOperands, BatchProduct};
pub use batch_spec::BatchSpec;
pub use bytes::{Bytes, Cells, Longs, Words};
pub use finish::{Addend, Output};
pub use function::Function;
pub use grid::{Grid, GridError};
pub use heap::trim_heap;
pub use keccak::{HASH_BYTES, keccak_chunks, keccak_one, keccak_parts};
pub use kernel::{InstructionSet, Kernel, KernelError};
pub use linear::Linear;
pub use loops::{Loops, Vectors, Width};
pub use movement::{Movement, concat_rows, embedding};
pub use normalize::{Normalization, NormalizeSpec};
pub use operands::{Operands, Stored};
pub use packed::Packed;
pub use pages::{LargePages, Room};
pub use peak::products_in_registers;
pub use pointwise::{Formula, Lay, PointwiseSpec, Source, pointwise};
pub use pool::{Average, PoolSpec, average_pool, max_pool, max_pool_bytes};
pub use reduce::{ReduceSpec, Reduction, reduce};
pub use spec::{Bits, LinearError, LinearSpec};
pub use threads::{THREADS_MAX, ThreadPool};
