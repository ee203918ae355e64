//! Plain loops of a caller, compiled once for each width of vectors.
//!
//! The loops are written once and without unsafe code; what differs is the instructions that the
//! compiler may use for them. It neither reorders nor contracts floating-point operations, so
//! that the bits are those of the narrowest machine, and tests compare them.

use crate::kernel::{InstructionSet, Kernel};

/// Vectors that loops are compiled for, as constants.
pub trait Vectors {
    /// Bytes of a vector register: 16, 32 or 64.
    const BYTES: usize;
    /// Whether `mul_add` is one instruction; elsewhere it is a slow call.
    const FUSED: bool;
}

/// Work that is compiled for each width.
pub trait Loops {
    /// What it makes.
    type Output;

    /// The work. It must be `#[inline(always)]`, and so must be what it calls in its loops: only what
    /// is inlined is compiled for `V`. What it makes must not depend on `V`.
    fn run<V: Vectors>(self) -> Self::Output;
}

/// Permission to run loops at one width; only detection gives it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Width(Set);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Set {
    Baseline,
    #[cfg(target_arch = "x86_64")]
    Avx2,
    #[cfg(target_arch = "x86_64")]
    Avx512,
}

/// What every machine of the target has.
struct Baseline;

impl Vectors for Baseline {
    const BYTES: usize = 16;
    const FUSED: bool = cfg!(target_arch = "aarch64");
}

#[cfg(target_arch = "x86_64")]
struct Avx2;

#[cfg(target_arch = "x86_64")]
impl Vectors for Avx2 {
    const BYTES: usize = 32;
    const FUSED: bool = true;
}

#[cfg(target_arch = "x86_64")]
struct Avx512;

#[cfg(target_arch = "x86_64")]
impl Vectors for Avx512 {
    const BYTES: usize = 64;
    const FUSED: bool = true;
}

impl Width {
    /// The width that every machine has.
    pub const BASELINE: Self = Self(Set::Baseline);

    /// The widest of this machine.
    pub fn best() -> Self {
        #[cfg(target_arch = "x86_64")]
        {
            if has_avx512() {
                return Self(Set::Avx512);
            }
            if has_avx2() {
                return Self(Set::Avx2);
            }
        }
        Self::BASELINE
    }

    /// The width of a kernel's vectors: loops beside it use the same instructions.
    pub fn of(kernel: Kernel) -> Self {
        match kernel.instruction_set() {
            #[cfg(target_arch = "x86_64")]
            InstructionSet::Avx512Vnni | InstructionSet::Amx if has_avx512() => Self(Set::Avx512),
            #[cfg(target_arch = "x86_64")]
            InstructionSet::Avx2
            | InstructionSet::AvxVnni
            | InstructionSet::Avx512Vnni
            | InstructionSet::Amx
                if has_avx2() =>
            {
                Self(Set::Avx2)
            }
            InstructionSet::Portable
            | InstructionSet::Neon
            | InstructionSet::Avx2
            | InstructionSet::AvxVnni
            | InstructionSet::Avx512Vnni
            | InstructionSet::Amx => Self::BASELINE,
        }
    }

    /// The widths of this machine, narrowest first.
    pub fn available() -> Vec<Self> {
        let widths = std::iter::once(Self::BASELINE);
        #[cfg(target_arch = "x86_64")]
        let widths = widths
            .chain(has_avx2().then_some(Self(Set::Avx2)))
            .chain(has_avx512().then_some(Self(Set::Avx512)));
        widths.collect()
    }

    /// Bytes of a vector register.
    pub const fn bytes(self) -> usize {
        match self.0 {
            Set::Baseline => Baseline::BYTES,
            #[cfg(target_arch = "x86_64")]
            Set::Avx2 => Avx2::BYTES,
            #[cfg(target_arch = "x86_64")]
            Set::Avx512 => Avx512::BYTES,
        }
    }

    /// Runs `loops` at this width.
    pub fn run<L: Loops>(self, loops: L) -> L::Output {
        match self.0 {
            Set::Baseline => loops.run::<Baseline>(),
            #[cfg(target_arch = "x86_64")]
            Set::Avx2 => {
                // SAFETY: the token proves the instruction set.
                unsafe { avx2(loops) }
            }
            #[cfg(target_arch = "x86_64")]
            Set::Avx512 => {
                // SAFETY: the token proves the instruction set.
                unsafe { avx512(loops) }
            }
        }
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
fn avx2<L: Loops>(loops: L) -> L::Output {
    loops.run::<Avx2>()
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma,avx512f,avx512bw,avx512dq,avx512vl")]
fn avx512<L: Loops>(loops: L) -> L::Output {
    loops.run::<Avx512>()
}

#[cfg(target_arch = "x86_64")]
fn has_avx2() -> bool {
    is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma")
}

#[cfg(target_arch = "x86_64")]
fn has_avx512() -> bool {
    has_avx2()
        && is_x86_feature_detected!("avx512f")
        && is_x86_feature_detected!("avx512bw")
        && is_x86_feature_detected!("avx512dq")
        && is_x86_feature_detected!("avx512vl")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `sum += a * b` over lanes, rounded after each operation.
    struct Sums<'a>(&'a [f32], &'a [f32]);

    impl Loops for Sums<'_> {
        type Output = (usize, [u32; 16]);

        #[inline(always)]
        fn run<V: Vectors>(self) -> Self::Output {
            let mut sums = [0.1_f32; 16];
            let (a, b) = (self.0.as_chunks::<16>().0, self.1.as_chunks::<16>().0);
            for (a, b) in a.iter().zip(b) {
                for ((sum, a), b) in sums.iter_mut().zip(a).zip(b) {
                    *sum += a * b;
                }
            }
            (V::BYTES, sums.map(f32::to_bits))
        }
    }

    #[test]
    fn every_width_gives_the_bits_of_the_narrowest_one() {
        let a: Vec<f32> = (0_u16..4096).map(|i| f32::from(i) * 0.37 - 5.1).collect();
        let b: Vec<f32> = a.iter().map(|v| 1.0 / (v + 0.05)).collect();
        let (_, wanted) = Width::BASELINE.run(Sums(&a, &b));
        for width in Width::available() {
            let found = width.run(Sums(&a, &b));
            assert_eq!(found, (width.bytes(), wanted));
        }
        assert_eq!(Width::available().last(), Some(&Width::best()));
        assert_eq!(Width::of(Kernel::best()), Width::best());
        assert_eq!(Width::of(Kernel::PORTABLE), Width::BASELINE);
    }
}
