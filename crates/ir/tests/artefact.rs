//! Artefacts and node leaves: what is written is read back, anything else is refused.

mod common;

use common::{rows, sample};
use proptest::prelude::*;
use selfsame_ir::{CheckedProgram, DType, Dim, NodeLeaf, Op, ProgramError, artefact};

fn bytes() -> Vec<u8> {
    let program = CheckedProgram::new(sample()).expect("the sample is well formed");
    let commitment = program.commit();
    artefact::encode(&program, &commitment)
}

/// Spec: interface, 6.7; programs, 1.9.
#[test]
fn an_artefact_is_read_back_to_the_same_program_and_the_same_id() {
    for program in [sample(), rows()] {
        let program = CheckedProgram::new(program).unwrap();
        let bytes = artefact::encode(&program, &program.commit());
        let (read, commitment) = artefact::decode(&bytes).unwrap();
        assert_eq!(read.program().nodes, program.program().nodes);
        assert_eq!(commitment.model_id, program.commit().model_id);
        assert_eq!(artefact::encode(&read, &commitment), bytes);
        for leaf in &commitment.leaves {
            assert_eq!(NodeLeaf::decode(&leaf.encode()).as_ref(), Ok(leaf));
        }
    }
}

/// Spec: interface, 6.7.
#[test]
fn every_cut_and_every_flipped_byte_outside_the_names_is_refused() {
    for program in [sample(), rows()] {
        let program = CheckedProgram::new(program).unwrap();
        let whole = artefact::encode(&program, &program.commit());
        for len in 0..whole.len() {
            assert!(artefact::decode(&whole[..len]).is_err(), "cut at {len}");
        }
        let id = program.commit().model_id;
        for at in 0..whole.len() {
            let mut flipped = whole.clone();
            flipped[at] ^= 0x40;
            // A flip in a name changes no id and may be accepted; any other is refused.
            if let Ok((_, commitment)) = artefact::decode(&flipped) {
                assert_eq!(commitment.model_id, id, "flip at {at}");
            }
        }
    }
}

/// Spec: programs, 1.14: names never enter the id.
#[test]
fn names_do_not_change_the_id_but_labels_do() {
    let id = CheckedProgram::new(sample()).unwrap().commit().model_id;
    let mut renamed = sample();
    renamed.notes.name = "other".into();
    assert_eq!(CheckedProgram::new(renamed).unwrap().commit().model_id, id);
    let mut relabelled = sample();
    relabelled.interface.labels[0] = "cow".into();
    assert_ne!(
        CheckedProgram::new(relabelled).unwrap().commit().model_id,
        id
    );
}

#[test]
fn each_broken_rule_is_refused_by_its_name() {
    let broken = |change: &dyn Fn(&mut selfsame_ir::Program)| {
        let mut program = sample();
        change(&mut program);
        CheckedProgram::new(program).unwrap_err()
    };
    let field = |error: ProgramError| match error {
        ProgramError::Limit { field, .. } => field,
        other => panic!("another refusal: {other}"),
    };
    assert!(matches!(
        broken(&|p| p.nodes[1].inputs = vec![1]),
        ProgramError::Order { node: 1, input: 1 }
    ));
    assert!(matches!(
        broken(&|p| p.nodes.truncate(1)),
        ProgramError::NodeCount { found: 1 }
    ));
    assert!(matches!(
        broken(&|p| p.output = 0),
        ProgramError::Output { .. }
    ));
    assert!(matches!(
        broken(&|p| p.nodes[2].inputs = vec![1]),
        ProgramError::InputCount { .. }
    ));
    assert!(matches!(
        broken(&|p| p.nodes[1].dtype = DType::I16),
        ProgramError::Type { node: 2, .. }
    ));
    let conv = |p: &mut selfsame_ir::Program, change: &dyn Fn(&mut selfsame_ir::Conv)| {
        if let Op::Conv(conv) = &mut p.nodes[1].op {
            change(conv);
        }
    };
    assert_eq!(
        field(broken(&|p| conv(p, &|c| {
            let others = c.linear.weights.iter().skip(1).copied();
            c.linear.weights = std::iter::once(-128).chain(others).collect();
        }))),
        "weight"
    );
    assert_eq!(
        field(broken(&|p| conv(p, &|c| c.linear.constants[0].shift = 300))),
        "shift"
    );
    assert_eq!(
        field(broken(
            &|p| conv(p, &|c| c.linear.constants[0].multiplier = 0)
        )),
        "multiplier"
    );
    assert_eq!(field(broken(&|p| conv(p, &|c| c.groups = 0))), "terms");
    assert_eq!(field(broken(&|p| conv(p, &|c| c.groups = 3))), "terms");
    assert!(matches!(
        broken(&|p| conv(p, &|c| c.window.kernel = [u16::MAX; 2])),
        ProgramError::Shape { node: 1, .. }
    ));
    assert!(matches!(
        broken(&|p| conv(p, &|c| c.height = Dim::fixed(7))),
        ProgramError::Elements { .. }
    ));
    for dtype in [DType::I16, DType::I32] {
        assert!(matches!(
            broken(&|p| conv(p, &|c| c.dtype = dtype)),
            ProgramError::Type { node: 1, .. }
        ));
    }
    assert_eq!(
        field(broken(&|p| conv(p, &|c| c.linear.low = -128))),
        "clamp low"
    );
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic_as_leaf_or_artefact(noise in proptest::collection::vec(any::<u8>(), 0..400), at in 0_usize..2000, cut in 0_usize..4000) {
        let _ = NodeLeaf::decode(&noise);
        let mut mixed = bytes();
        let at = at.min(mixed.len());
        mixed.splice(at..at, noise);
        mixed.truncate(cut);
        prop_assert!(mixed == bytes() || artefact::decode(&mixed).is_err());
    }
}
