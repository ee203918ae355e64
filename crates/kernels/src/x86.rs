//! x86-64: AVX2, AVX-VNNI (256 bit), AVX-512 VNNI and AMX.

pub(crate) mod amx;
pub(crate) mod amx_detect;
mod avx2;
mod avx512;
mod avx_vnni;
mod finish256;
mod finish512;
pub(crate) mod gather;
pub(crate) mod keccak;
pub(crate) mod limb256;
pub(crate) mod limb512;
pub(crate) mod pair256;
pub(crate) mod pair512;
pub(crate) mod planar;
pub(crate) mod spread;
pub(crate) mod turn;
pub(crate) mod widen;
mod words256;
mod words512;

pub(crate) use avx_vnni::{AvxVnni, AvxVnniWide};
pub(crate) use avx2::{Avx2, Avx2Paired, Avx2Unsigned, Avx2Wide, Avx2Words, PAIR_MAX};
pub(crate) use avx512::{Avx512, Avx512Wide};
pub(crate) use finish512::finish_two as avx512_finish_two;
