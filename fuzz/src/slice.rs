//! A fixed slice of every target: mutated seeds, a fixed count, a bound on memory.
//!
//! `SELFSAME_SEED` chooses the cases, `SELFSAME_SOAK` multiplies their number by a hundred.

use std::alloc::System;

use crate::{Mutator, TARGETS};
use cap::Cap;

/// The decoders read files of at most a few hundred kilobytes here; more than this is a bomb.
const MEMORY_MAX: usize = 1 << 30;

/// An allocation beyond the bound fails, which ends the test.
#[global_allocator]
static MEMORY: Cap<System> = Cap::new(System, MEMORY_MAX);

#[test]
fn mutated_seeds_never_panic_never_exhaust_memory_and_accepted_ones_are_canonical() {
    let seed = std::env::var("SELFSAME_SEED")
        .ok()
        .and_then(|seed| seed.parse().ok())
        .unwrap_or(1);
    let factor = if std::env::var_os("SELFSAME_SOAK").is_some() {
        100
    } else {
        1
    };
    for target in TARGETS {
        let seeds = (target.seeds)();
        for (index, bytes) in seeds.iter().enumerate() {
            assert!(
                (target.run)(bytes),
                "{}: seed {index} is refused",
                target.name
            );
        }
        let mut mutator = Mutator::new(seed);
        let cases = target.slice * factor;
        let accepted = (0..cases)
            .filter(|_| (target.run)(&mutator.case(&seeds)))
            .count();
        println!(
            "figure: fuzz-{} cases={cases} accepted={accepted} seed={seed}",
            target.name
        );
    }
}

#[test]
fn every_target_has_its_libfuzzer_program() {
    let manifest = include_str!("../Cargo.toml");
    for target in TARGETS {
        let line = format!("path = \"targets/{}.rs\"", target.name);
        assert!(manifest.contains(&line), "{}: no program", target.name);
    }
    assert_eq!(manifest.matches("[[bin]]").count(), TARGETS.len());
}
