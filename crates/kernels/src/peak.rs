//! The products that a core can make when nothing but registers is touched: what a measurement of a
//! kernel is compared with.

use crate::accumulate::Isa;
use crate::kernel::{InstructionSet, Kernel};

/// Makes `rounds` rounds of products of bytes in registers, as many sums at once as hide the latency of
/// a product and fit; returns the multiply-accumulates, or `None` for sets without vectors for them.
///
/// AVX2 takes three instructions for a product of signs unknown, of which these are the fastest: those
/// of bytes that are not negative, two groups at a time.
#[cfg_attr(
    not(target_arch = "x86_64"),
    expect(unused_variables, reason = "no set with such an instruction here")
)]
pub fn products_in_registers(kernel: Kernel, rounds: u64) -> Option<u64> {
    match kernel.instruction_set() {
        #[cfg(target_arch = "x86_64")]
        InstructionSet::Avx512Vnni => {
            #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
            fn run(rounds: u64) -> u64 {
                // SAFETY: this function has the instruction set.
                unsafe { body::<crate::x86::Avx512, 16>(rounds, |x| x) }
            }
            // SAFETY: the token proves the instruction set.
            Some(unsafe { run(rounds) })
        }
        #[cfg(target_arch = "x86_64")]
        // SAFETY: the token proves the instruction set; no node runs in this thread meanwhile.
        InstructionSet::Amx => Some(unsafe { crate::x86::amx::products_in_tiles(rounds) }),
        #[cfg(target_arch = "x86_64")]
        InstructionSet::AvxVnni => {
            #[target_feature(enable = "avx2,avxvnni")]
            fn run(rounds: u64) -> u64 {
                // SAFETY: this function has the instruction set.
                unsafe { body::<crate::x86::AvxVnni, 12>(rounds, |x| x) }
            }
            // SAFETY: the token proves the instruction set.
            Some(unsafe { run(rounds) })
        }
        #[cfg(target_arch = "x86_64")]
        InstructionSet::Avx2 => {
            #[target_feature(enable = "avx2")]
            fn run(rounds: u64) -> u64 {
                // Products that do not read their sum would be made once for all rounds if the
                // compiler knew that the input stays.
                let unforeseen = |mut x: core::arch::x86_64::__m256i| {
                    // SAFETY: no instruction.
                    unsafe {
                        core::arch::asm!("/* {0} */", inout(ymm_reg) x,
                            options(nomem, nostack, preserves_flags));
                    }
                    x
                };
                // SAFETY: this function has the instruction set.
                unsafe { body::<crate::x86::Avx2Paired, 8>(rounds, unforeseen) }
            }
            // SAFETY: the token proves the instruction set.
            Some(unsafe { run(rounds) })
        }
        #[cfg(not(target_arch = "x86_64"))]
        InstructionSet::Avx512Vnni
        | InstructionSet::AvxVnni
        | InstructionSet::Amx
        | InstructionSet::Avx2 => None,
        InstructionSet::Portable | InstructionSet::Neon => None,
    }
}

/// Products of inputs that have passed `input`.
///
/// # Safety
///
/// `I` is available.
#[inline(always)]
#[cfg_attr(
    not(target_arch = "x86_64"),
    expect(dead_code, reason = "no set with such an instruction here")
)]
unsafe fn body<I: Isa, const SUMS: usize>(
    rounds: u64,
    input: impl Fn(I::Inputs) -> I::Inputs,
) -> u64 {
    let (bytes, weights) = std::hint::black_box(([[1_u8; 64]; 2], [[1_i8; 64]; 2]));
    let mut numbers = [0_i32; 16];
    // SAFETY: the caller's promise; a vector has at most 64 bytes.
    unsafe {
        let x = [0, 1].map(|i: usize| I::load_inputs(bytes[i].as_ptr()));
        let w = [0, 1].map(|i: usize| I::load_weights(weights[i].as_ptr()));
        let mut sums = [I::load_sums(numbers.as_ptr()); SUMS];
        for _ in 0..rounds {
            for sum in &mut sums {
                *sum = if I::PAIRS {
                    I::dot8(*sum, x.map(&input), w)
                } else {
                    I::dot4(*sum, input(x[0]), w[0])
                };
            }
        }
        for sum in sums {
            I::store_sums(sum, numbers.as_mut_ptr());
            std::hint::black_box(&numbers);
        }
    }
    rounds * (SUMS * I::LANES * if I::PAIRS { 8 } else { 4 }) as u64
}
