//! What a pointwise node makes of its clamped values: tables, exponentials, reciprocals.
//!
//! ```text
//! lookup          table[v + 128]
//! interpolation   u = v + 32768, k = u >> 7, f = u & 127:
//!                 table[k] + (((table[k+1] - table[k])*f + 64) >> 7)
//!                 = (table[k]*(128 - f) + table[k+1]*f + 64) >> 7
//! exponential     (table[v >> 8] * table[256 + (v & 255)] + 2^14) >> 15
//! reciprocal      min(floor(2^bits / max(v, 1)), 2^31 - 1), or of the root of max(v, 1) * 2^30
//! ```
//!
//! Tables of a lookup and an interpolation are kept in words of 32 bits, which vectors gather; a pair
//! of neighbours of an interpolation is one word. Those of an exponential fit registers, and
//! `vpmulhrsw` is its product. Spec: operators, 2.20.

use crate::kernel::{InstructionSet, Kernel};
#[cfg(target_arch = "x86_64")]
use crate::x86::gather;

/// A function of the clamped value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Function(Kind);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Kind {
    Identity,
    Lookup(Box<[i32; 256]>),
    /// Entry k in the lower half, entry k + 1 in the upper one.
    Interpolate(Box<[i32; 512]>),
    Exponential(Box<Exponential>),
    Reciprocal(u32),
    ReciprocalRoot(u32),
}

/// Coarse entries, then fine ones; no lane of a vector reads across a cache line.
#[derive(Debug, Clone, PartialEq, Eq)]
#[repr(align(64))]
pub(crate) struct Exponential(pub(crate) [i16; 512]);

impl Function {
    /// How long an element takes, measured: how many are summed up in the same time.
    pub fn cost(&self) -> usize {
        match self.0 {
            Kind::Identity => 0,
            Kind::Lookup(_) | Kind::Interpolate(_) | Kind::Exponential(_) => 4,
            Kind::Reciprocal(_) => 96,
            Kind::ReciprocalRoot(_) => 224,
        }
    }

    /// The value itself.
    pub const IDENTITY: Self = Self(Kind::Identity);

    /// 256 entries at `v + 128`; missing ones count as 0.
    pub fn lookup(entries: &[i8]) -> Self {
        let mut table = Box::new([0; 256]);
        for (to, &entry) in table.iter_mut().zip(entries) {
            *to = entry.into();
        }
        Self(Kind::Lookup(table))
    }

    /// 513 entries, between two of which is interpolated in 128 steps; missing ones count as 0.
    pub fn interpolation(entries: &[i16]) -> Self {
        let mut table = Box::new([0; 512]);
        for (to, pair) in table.iter_mut().zip(entries.windows(2)) {
            *to = i32::from(pair[0]) & 0xffff | i32::from(pair[1]) << 16;
        }
        Self(Kind::Interpolate(table))
    }

    /// 256 coarse entries, then 256 fine ones; missing ones count as 0.
    pub fn exponential(entries: &[i16]) -> Self {
        let mut table = Box::new(Exponential([0; 512]));
        for (to, &entry) in table.0.iter_mut().zip(entries) {
            *to = entry;
        }
        Self(Kind::Exponential(table))
    }

    /// The floor reciprocal with numerator `2^bits`, bits below 63.
    pub const fn reciprocal(bits: u32) -> Self {
        Self(Kind::Reciprocal(bits))
    }

    /// The floor reciprocal of the square root, bits below 63.
    pub const fn reciprocal_root(bits: u32) -> Self {
        Self(Kind::ReciprocalRoot(bits))
    }

    /// The table of an interpolation, or nothing for the value itself; an error for all others.
    #[cfg(target_arch = "x86_64")]
    pub(crate) fn in_words(&self) -> Result<Option<&[i32; 512]>, ()> {
        match &self.0 {
            Kind::Identity => Ok(None),
            Kind::Interpolate(table) => Ok(Some(table)),
            Kind::Lookup(_)
            | Kind::Exponential(_)
            | Kind::Reciprocal(_)
            | Kind::ReciprocalRoot(_) => Err(()),
        }
    }

    /// The tables of an exponential.
    #[cfg(target_arch = "x86_64")]
    pub(crate) fn exponential_table(&self) -> Option<&Exponential> {
        match &self.0 {
            Kind::Exponential(table) => Some(table),
            Kind::Identity
            | Kind::Lookup(_)
            | Kind::Interpolate(_)
            | Kind::Reciprocal(_)
            | Kind::ReciprocalRoot(_) => None,
        }
    }

    /// Smallest and largest value that it takes.
    pub(crate) const fn domain(&self) -> (i32, i32) {
        match self.0 {
            Kind::Lookup(_) => (-128, 127),
            Kind::Interpolate(_) => (-32_768, 32_767),
            Kind::Exponential(_) => (0, 65_535),
            Kind::Identity | Kind::Reciprocal(_) | Kind::ReciprocalRoot(_) => (i32::MIN, i32::MAX),
        }
    }

    /// Replaces each value, which lies in the domain.
    #[inline(always)]
    pub(crate) fn apply(&self, kernel: Kernel, v: &mut [i32]) {
        match &self.0 {
            Kind::Identity => {}
            Kind::Lookup(table) => look_up(kernel, table, v),
            Kind::Interpolate(table) => interpolate(kernel, table, v),
            Kind::Exponential(table) => exponentiate(kernel, table, v),
            Kind::Reciprocal(bits) => {
                for v in v {
                    *v = reciprocal(*bits, (*v).max(1) as u64);
                }
            }
            Kind::ReciprocalRoot(bits) => {
                for v in v {
                    *v = reciprocal(*bits, (((*v).max(1) as u64) << 30).isqrt());
                }
            }
        }
    }
}

/// `min(floor(2^bits / divisor), 2^31 - 1)`.
fn reciprocal(bits: u32, divisor: u64) -> i32 {
    ((1_u64 << (bits & 63)) / divisor).min(i32::MAX as u64) as i32
}

/// Calls one of three twins: 512-bit vectors, 256-bit vectors, plain loops.
macro_rules! twins {
    ($name:ident, $table:ty) => {
        fn $name(kernel: Kernel, table: &$table, v: &mut [i32]) {
            match kernel.instruction_set() {
                #[cfg(target_arch = "x86_64")]
                InstructionSet::Avx512Vnni | InstructionSet::Amx => {
                    let (vectors, rest) = v.as_chunks_mut::<32>();
                    // SAFETY: the token proves the instruction set, and both have AVX-512.
                    unsafe { gather::avx512::$name(table, vectors) };
                    plain::$name(table, rest);
                }
                #[cfg(target_arch = "x86_64")]
                InstructionSet::Avx2 | InstructionSet::AvxVnni => {
                    let (vectors, rest) = v.as_chunks_mut::<8>();
                    // SAFETY: the token proves the instruction set, and both have AVX2.
                    unsafe { gather::avx2::$name(table, vectors) };
                    plain::$name(table, rest);
                }
                #[cfg(not(target_arch = "x86_64"))]
                InstructionSet::Avx512Vnni
                | InstructionSet::Avx2
                | InstructionSet::AvxVnni
                | InstructionSet::Amx => plain::$name(table, v),
                InstructionSet::Portable | InstructionSet::Neon => plain::$name(table, v),
            }
        }
    };
}

twins!(look_up, [i32; 256]);
twins!(interpolate, [i32; 512]);
twins!(exponentiate, Exponential);

/// The plain twins. Masks only tell the compiler that an index lies in its table.
pub(crate) mod plain {
    pub(super) fn look_up(table: &[i32; 256], v: &mut [i32]) {
        for v in v {
            *v = table[(*v + 128) as usize & 255];
        }
    }

    pub(super) fn interpolate(table: &[i32; 512], v: &mut [i32]) {
        for v in v {
            let u = *v + 32_768;
            let pair = table[(u >> 7) as usize & 511];
            let (low, high) = (i32::from(pair as i16), pair >> 16);
            *v = low + (((high - low) * (u & 127) + 64) >> 7);
        }
    }

    pub(crate) fn exponentiate(table: &super::Exponential, v: &mut [i32]) {
        for v in v {
            *v = exponential(table, *v);
        }
    }

    #[inline(always)]
    pub(crate) fn exponential(super::Exponential(table): &super::Exponential, v: i32) -> i32 {
        let (coarse, fine) = ((v >> 8) as usize & 255, v as usize & 255);
        let product = i32::from(table[coarse]) * i32::from(table[256 + fine]);
        (product + (1 << 14)) >> 15
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kernel_gives_the_plain_values_over_the_whole_domain() {
        let mixed = |i: i32| (i.wrapping_mul(0x9e37_79b1_u32 as i32) >> 16) as i16;
        let functions = [
            Function::lookup(&(0..256).map(|i| mixed(i) as i8).collect::<Vec<_>>()),
            Function::interpolation(&(0..513).map(mixed).collect::<Vec<_>>()),
            Function::exponential(&(0..512).map(|i| mixed(i) & i16::MAX).collect::<Vec<_>>()),
            Function::reciprocal(40),
            Function::reciprocal_root(62),
        ];
        for function in functions {
            let (low, high) = function.domain();
            let domain: Vec<i32> = (low.max(-32_768)..=high.min(65_535)).collect();
            let mut want = domain.clone();
            function.apply(Kernel::PORTABLE, &mut want);
            for kernel in Kernel::available() {
                let mut found = domain.clone();
                // A length that is no multiple of any vector's.
                let cut = found.len() - 3;
                let (first, last) = found.split_at_mut(cut);
                function.apply(kernel, first);
                function.apply(kernel, last);
                assert_eq!(found, want, "{} {function:?}", kernel.name());
            }
        }
    }

    #[test]
    fn an_interpolation_meets_its_entries_and_rounds_between_them() {
        let mut entries = vec![0_i16; 513];
        (entries[256], entries[257]) = (-3, 4);
        let mut v = [0, 1, 64, 127, 128];
        Function::interpolation(&entries).apply(Kernel::PORTABLE, &mut v);
        assert_eq!(v, [-3, -3, 1, 4, 4]);
    }
}
