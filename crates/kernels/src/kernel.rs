//! Instruction sets and the token that permits to run one.
//!
//! A [`Kernel`] exists only if the processor was asked and said yes, so a function that takes one
//! may run its instructions. A set that the machine lacks is an error with its name: a gap to be
//! reported, never a pass.

use thiserror::Error;

/// An instruction set that kernels are written for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum InstructionSet {
    /// Plain Rust, any machine.
    Portable,
    /// 256-bit integer vectors of x86-64, without a product of bytes that ends in 32 bits.
    Avx2,
    /// 256-bit `vpdpbusd`.
    AvxVnni,
    /// 512-bit `vpdpbusd`.
    Avx512Vnni,
    /// Tile products of x86-64 (`tdpbusd`) beside all of AVX-512 VNNI.
    Amx,
    /// `sdot` of 64-bit Arm.
    Neon,
}

impl InstructionSet {
    /// Every set, slowest first.
    pub const ALL: [Self; 6] = [
        Self::Portable,
        Self::Neon,
        Self::Avx2,
        Self::AvxVnni,
        Self::Avx512Vnni,
        Self::Amx,
    ];

    /// The name used on command lines and in reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Portable => "portable",
            Self::Avx2 => "avx2",
            Self::AvxVnni => "avx-vnni",
            Self::Avx512Vnni => "avx512-vnni",
            Self::Amx => "amx",
            Self::Neon => "neon",
        }
    }

    fn detected(self) -> bool {
        match self {
            Self::Portable => true,
            Self::Avx2 | Self::AvxVnni | Self::Avx512Vnni | Self::Amx => detected_x86(self),
            Self::Neon => detected_arm(),
        }
    }
}

#[cfg(target_arch = "x86_64")]
fn detected_x86(set: InstructionSet) -> bool {
    let avx2 = is_x86_feature_detected!("avx2");
    match set {
        InstructionSet::Avx2 => avx2,
        InstructionSet::AvxVnni => avx2 && is_x86_feature_detected!("avxvnni"),
        InstructionSet::Avx512Vnni => detected_avx512(),
        InstructionSet::Amx => detected_avx512() && crate::x86::amx_detect::has_tiles(),
        InstructionSet::Portable | InstructionSet::Neon => false,
    }
}

#[cfg(target_arch = "x86_64")]
fn detected_avx512() -> bool {
    is_x86_feature_detected!("avx2")
        && is_x86_feature_detected!("avx512f")
        && is_x86_feature_detected!("avx512bw")
        && is_x86_feature_detected!("avx512dq")
        && is_x86_feature_detected!("avx512vl")
        && is_x86_feature_detected!("avx512vnni")
}

#[cfg(not(target_arch = "x86_64"))]
fn detected_x86(_: InstructionSet) -> bool {
    false
}

#[cfg(target_arch = "aarch64")]
fn detected_arm() -> bool {
    std::arch::is_aarch64_feature_detected!("dotprod")
}

#[cfg(not(target_arch = "aarch64"))]
fn detected_arm() -> bool {
    false
}

/// Permission to run one instruction set; only detection gives it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Kernel(InstructionSet);

impl Kernel {
    /// The kernel that every machine has, and the meaning of all others.
    pub const PORTABLE: Self = Self(InstructionSet::Portable);

    /// The token of `set`, if this machine has it.
    pub fn detect(set: InstructionSet) -> Result<Self, KernelError> {
        if set.detected() {
            Ok(Self(set))
        } else {
            Err(KernelError::Missing {
                name: set.name(),
                available: available_names(),
            })
        }
    }

    /// The token of the set called `name`; `auto` is the fastest one of this machine.
    pub fn named(name: &str) -> Result<Self, KernelError> {
        if name == "auto" {
            return Ok(Self::best());
        }
        let set = InstructionSet::ALL.into_iter().find(|s| s.name() == name);
        match set {
            Some(set) => Self::detect(set),
            None => Err(KernelError::Unknown {
                name: name.chars().take(32).collect(),
                known: InstructionSet::ALL.map(InstructionSet::name).join(", "),
            }),
        }
    }

    /// The fastest kernel of this machine.
    pub fn best() -> Self {
        Self::available().pop().unwrap_or(Self::PORTABLE)
    }

    /// The kernels of this machine, slowest first.
    pub fn available() -> Vec<Self> {
        let sets = InstructionSet::ALL.into_iter();
        sets.filter(|set| set.detected()).map(Self).collect()
    }

    /// The sets that this machine lacks: what a report must call a gap.
    pub fn gaps() -> Vec<InstructionSet> {
        let sets = InstructionSet::ALL.into_iter();
        sets.filter(|set| !set.detected()).collect()
    }

    /// The instruction set.
    pub const fn instruction_set(self) -> InstructionSet {
        self.0
    }

    /// The name used on command lines and in reports.
    pub const fn name(self) -> &'static str {
        self.0.name()
    }

    /// Every stored eight-bit element is combined with this by exclusive or.
    ///
    /// `vpdpbusd` and `tdpbusd` multiply unsigned by signed bytes. Their kernels store x as the
    /// unsigned x + 128, which is x with the sign bit flipped, and fold `-128 * sum(weights)` into the
    /// bias.
    pub const fn flip(self) -> u8 {
        match self.0 {
            InstructionSet::AvxVnni | InstructionSet::Avx512Vnni | InstructionSet::Amx => 0x80,
            InstructionSet::Portable | InstructionSet::Avx2 | InstructionSet::Neon => 0,
        }
    }
}

fn available_names() -> String {
    let names: Vec<_> = Kernel::available().into_iter().map(Kernel::name).collect();
    names.join(", ")
}

/// Why no kernel was given.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum KernelError {
    /// The name is not one of ours.
    #[error("unknown kernel `{name}`; choose auto or one of {known}")]
    Unknown {
        /// What was asked for, cut to 32 characters.
        name: String,
        /// All names.
        known: String,
    },
    /// The name is right but this machine cannot run it.
    #[error("kernel `{name}` cannot run here; this machine has {available}")]
    Missing {
        /// The instruction set.
        name: &'static str,
        /// The names that would work.
        available: String,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_portable_kernel_is_always_available_and_first() {
        assert_eq!(Kernel::available().first(), Some(&Kernel::PORTABLE));
    }

    #[test]
    fn every_set_is_either_available_or_a_gap() {
        let available = Kernel::available();
        let gaps = Kernel::gaps();
        assert_eq!(available.len() + gaps.len(), InstructionSet::ALL.len());
        for set in gaps {
            assert!(matches!(
                Kernel::named(set.name()),
                Err(KernelError::Missing { .. })
            ));
        }
        for kernel in available {
            assert_eq!(Kernel::named(kernel.name()), Ok(kernel));
        }
    }

    #[test]
    fn an_unknown_name_is_refused_with_the_list() {
        let error = Kernel::named("mmx").expect_err("not ours").to_string();
        assert!(error.contains("mmx") && error.contains("avx512-vnni"));
    }
}
