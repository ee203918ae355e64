//! Compiles plain loops once for each instruction set whose vectors the compiler can use by itself.
//!
//! The loops are written once, so the bits cannot differ; only the width of vectors does.

/// `per_set!(kernel, body, (a: A, b: B))` calls `body(a, b)`, compiled for the set of `kernel`. The
/// body must be `#[inline(always)]`.
macro_rules! per_set {
    ($kernel:expr, $body:path, ($($arg:ident: $ty:ty),* $(,)?)) => {{
        #[cfg(target_arch = "x86_64")]
        #[target_feature(enable = "avx2")]
        fn avx2($($arg: $ty),*) {
            $body($($arg),*);
        }
        #[cfg(target_arch = "x86_64")]
        #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
        fn avx512($($arg: $ty),*) {
            $body($($arg),*);
        }
        match $kernel.instruction_set() {
            #[cfg(target_arch = "x86_64")]
            $crate::InstructionSet::Avx512Vnni | $crate::InstructionSet::Amx => {
                // SAFETY: the token proves the instruction set, and both of these have AVX-512.
                unsafe { avx512($($arg),*) }
            }
            #[cfg(target_arch = "x86_64")]
            $crate::InstructionSet::Avx2 | $crate::InstructionSet::AvxVnni => {
                // SAFETY: the token proves the instruction set, and both of these have AVX2.
                unsafe { avx2($($arg),*) }
            }
            #[cfg(not(target_arch = "x86_64"))]
            $crate::InstructionSet::Avx512Vnni
            | $crate::InstructionSet::Avx2
            | $crate::InstructionSet::AvxVnni
            | $crate::InstructionSet::Amx => $body($($arg),*),
            $crate::InstructionSet::Portable | $crate::InstructionSet::Neon => $body($($arg),*),
        }
    }};
}

pub(crate) use per_set;
