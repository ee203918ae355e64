//! Whether tile products of bytes may run: what the processor says, what the system has enabled, and
//! the permission that Linux asks of each process. Stable Rust has no macro for it.

use core::arch::asm;
use core::arch::x86_64::__cpuid_count;
use std::sync::OnceLock;

/// What decides, as the instructions give it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Facts {
    /// ECX of leaf 1.
    leaf_1: u32,
    /// EDX of leaf 7.
    leaf_7: u32,
    /// EBX and ECX of leaf 0x1d, subleaf 1: the palette with number 1.
    palette: [u32; 2],
    /// What the system has enabled; only read where [`Facts::has_xgetbv`] says so.
    enabled: u32,
}

impl Facts {
    /// Bit 27: the system uses XSAVE, and XGETBV exists.
    const fn has_xgetbv(self) -> bool {
        self.leaf_1 >> 27 & 1 == 1
    }

    /// AMX-TILE and AMX-INT8, both tile states enabled, and eight tiles of 16 rows of 64 bytes.
    const fn admit_tiles(self) -> bool {
        const TILE_AND_INT8: u32 = 0b11 << 24;
        const TILE_STATES: u32 = 0b11 << 17;
        let [names, rows] = self.palette;
        self.has_xgetbv()
            && self.leaf_7 & TILE_AND_INT8 == TILE_AND_INT8
            && self.enabled & TILE_STATES == TILE_STATES
            && 8 <= names >> 16
            && names & 0xffff == 64
            && 16 <= rows & 0xffff
    }

    /// Asks this processor.
    fn here() -> Self {
        let last = __cpuid_count(0, 0).eax;
        let leaf = |number, sub| {
            if last < number {
                return [0; 3];
            }
            let leaf = __cpuid_count(number, sub);
            [leaf.ebx, leaf.ecx, leaf.edx]
        };
        let ([_, leaf_1, _], [_, _, leaf_7]) = (leaf(1, 0), leaf(7, 0));
        let [names, rows, _] = leaf(0x1d, 1);
        let mut facts = Self {
            leaf_1,
            leaf_7,
            palette: [names, rows],
            enabled: 0,
        };
        if facts.has_xgetbv() {
            facts.enabled = enabled_states();
        }
        facts
    }
}

/// The lower half of XCR0. Only where leaf 1 says that XGETBV exists.
fn enabled_states() -> u32 {
    let low: u32;
    // SAFETY: the caller has asked leaf 1; the instruction writes the two registers named.
    unsafe {
        asm!("xgetbv", in("ecx") 0, out("eax") low, out("edx") _,
            options(nomem, nostack, preserves_flags));
    }
    low
}

/// Asks the system to let this process use tile data: `arch_prctl(ARCH_REQ_XCOMP_PERM, 18)`.
#[cfg(target_os = "linux")]
fn is_permitted() -> bool {
    const ARCH_PRCTL: i64 = 158;
    const ARCH_REQ_XCOMP_PERM: i64 = 0x1023;
    const TILE_DATA: i64 = 18;
    let answer: i64;
    // SAFETY: the call takes two numbers and touches no memory of the process; the kernel overwrites
    // the registers named.
    unsafe {
        asm!("syscall", inout("rax") ARCH_PRCTL => answer,
            in("rdi") ARCH_REQ_XCOMP_PERM, in("rsi") TILE_DATA,
            out("rcx") _, out("r11") _, options(nostack));
    }
    answer == 0
}

/// No other system is known to grant tile data in this way.
#[cfg(not(target_os = "linux"))]
fn is_permitted() -> bool {
    false
}

/// Whether this process may use tile products of bytes. Asks once; a permission is the whole process's.
pub(crate) fn has_tiles() -> bool {
    static ANSWER: OnceLock<bool> = OnceLock::new();
    *ANSWER.get_or_init(|| Facts::here().admit_tiles() && is_permitted())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A Sapphire Rapids server under Linux.
    const SERVER: Facts = Facts {
        leaf_1: 0x7ffe_fbff,
        leaf_7: 0xffd0_4430 | 0b1101 << 22,
        palette: [0x0008_0040, 16],
        enabled: 0x0006_02e7,
    };

    #[test]
    fn a_server_with_tiles_of_bytes_is_admitted() {
        assert!(SERVER.admit_tiles());
    }

    #[test]
    fn each_fact_is_needed() {
        let without = [
            Facts {
                leaf_1: SERVER.leaf_1 & !(1 << 27),
                ..SERVER
            },
            Facts {
                leaf_7: SERVER.leaf_7 & !(1 << 24),
                ..SERVER
            },
            Facts {
                leaf_7: SERVER.leaf_7 & !(1 << 25),
                ..SERVER
            },
            Facts {
                enabled: SERVER.enabled & !(1 << 17),
                ..SERVER
            },
            Facts {
                enabled: SERVER.enabled & !(1 << 18),
                ..SERVER
            },
            Facts {
                palette: [0x0004_0040, 16],
                ..SERVER
            },
            Facts {
                palette: [0x0008_0020, 16],
                ..SERVER
            },
            Facts {
                palette: [0x0008_0040, 8],
                ..SERVER
            },
            Facts {
                palette: [0, 0],
                ..SERVER
            },
        ];
        for facts in without {
            assert!(!facts.admit_tiles(), "{facts:x?}");
        }
    }

    #[test]
    fn asking_twice_gives_the_same_answer_and_never_more_than_the_processor_says() {
        let answer = has_tiles();
        assert_eq!(answer, has_tiles());
        assert!(!answer || Facts::here().admit_tiles());
    }
}
