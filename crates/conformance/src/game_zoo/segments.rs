//! Programs of the zoo with interior nodes.

use selfsame_ir::{CheckedProgram, Program};

use super::{Animal, Dice};

/// The program with half of the nodes interior that can be.
///
/// # Panics
///
/// Never: what reads a node is settled before it.
pub fn segmented(animal: Animal, seed: u64) -> Animal {
    let mut dice = Dice::new(seed);
    let mut program = animal.program.into_program();
    program.interior = interior(&program, || dice.below(2) == 0);
    Animal {
        program: CheckedProgram::new(program).expect("what reads a node is settled before it"),
        ..animal
    }
}

/// Nodes of a short program that may be interior together, each if `pick` says so: from the last to the
/// first, so that what reads a node is settled before it.
///
/// # Panics
///
/// If the program has more nodes than 32 bits count.
pub fn interior(program: &Program, mut pick: impl FnMut() -> bool) -> Vec<u32> {
    let last_reader = program.last_readers();
    let mut end = program.nodes.len() - 1;
    let mut interior = Vec::new();
    for node in (1..end).rev() {
        let allowed = node != program.output as usize && last_reader[node] <= end;
        if allowed && pick() {
            interior.push(u32::try_from(node).expect("short programs"));
        } else {
            end = node;
        }
    }
    interior.reverse();
    interior
}
