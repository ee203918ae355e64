//! Interior nodes: which may be interior, how leaves name them, and that artefacts keep them.

mod common;

use common::{rows, sample};
use selfsame_ir::{
    CheckedProgram, DType, Dim, InputSpec, Move, Node, Op, Place, Program, ProgramError, artefact,
};
use selfsame_protocol::constants::{INTERIOR_BIT, SEGMENT_INTERIOR_MAX};

/// INPUT 2 x 2 and as many transpositions, each of the node before it.
fn chain(length: u32) -> Program {
    let square = vec![Dim::fixed(2); 2];
    let shape = square.clone();
    let mut nodes = vec![Node {
        op: Op::Input(InputSpec { shape }),
        inputs: Vec::new(),
        dtype: DType::I8,
    }];
    nodes.extend((0..length).map(|input| Node {
        op: Op::Move(Move::transpose(&[1, 0], square.clone())),
        inputs: vec![input],
        dtype: DType::I8,
    }));
    Program {
        nodes,
        output: length,
        ..sample()
    }
}

fn with_interior(program: &Program, interior: &[u32]) -> Result<CheckedProgram, ProgramError> {
    CheckedProgram::new(Program {
        interior: interior.to_vec(),
        ..program.clone()
    })
}

/// Spec: programs, 1.22.
#[test]
fn segments_places_and_names_are_those_of_the_page() {
    let program = with_interior(&chain(6), &[1, 2, 4]).unwrap();
    let segments = program.segments();
    assert_eq!(segments.committed(), [0, 3, 5, 6]);
    assert_eq!(segments.interior(0), 0..0);
    assert_eq!(segments.interior(1), 1..3);
    assert_eq!(segments.interior(2), 4..5);
    assert_eq!(segments.interior(3), 6..6);
    assert!(segments.interior(4).is_empty());
    let place = |segment, offset, interior| Place {
        segment,
        offset,
        interior,
    };
    let places = [
        place(0, 0, false),
        place(1, 0, true),
        place(1, 1, true),
        place(1, 2, false),
        place(2, 0, true),
        place(2, 1, false),
        place(3, 0, false),
    ];
    for (node, place) in (0..).zip(places) {
        assert_eq!(segments.place(node), place, "node {node}");
    }
    let names = [0, INTERIOR_BIT, INTERIOR_BIT | 1, 1, INTERIOR_BIT, 2];
    let leaves = program.commit().leaves;
    for (leaf, name) in leaves.iter().skip(1).zip(names) {
        assert_eq!(leaf.node.inputs, [name]);
        let bytes = leaf.encode();
        assert_eq!(bytes[12..16], leaf.place.segment.to_be_bytes());
        assert_eq!(bytes[16..20], leaf.place.code().to_be_bytes());
    }
}

/// Spec: programs, 1.22.
#[test]
fn input_output_and_last_node_are_committed_and_interior_nodes_are_in_order() {
    let mut program = chain(6);
    program.output = 4;
    for (interior, node) in [
        (&[0][..], 0),
        (&[4], 4),
        (&[6], 6),
        (&[7], 7),
        (&[2, 1], 1),
        (&[2, 2], 2),
    ] {
        let refused = with_interior(&program, interior).unwrap_err();
        assert_eq!(refused, ProgramError::Interior { node, last: 6 });
    }
    assert!(with_interior(&program, &[1, 2, 3, 5]).is_ok());
}

/// Spec: programs, 1.22.
#[test]
fn an_interior_node_that_another_segment_reads_is_refused() {
    let program = rows();
    let reader = (2..program.nodes.len())
        .filter(|&reader| program.nodes[reader].inputs.contains(&1))
        .map(|reader| u32::try_from(reader).unwrap())
        .nth(1)
        .expect("the embedding is read more than once");
    let refused = with_interior(&program, &[1]).unwrap_err();
    let input = 1;
    let node = reader;
    assert_eq!(refused, ProgramError::Reader { node, input });
}

/// Spec: programs, 1.22.
#[test]
fn a_segment_of_one_interior_node_too_many_is_refused() {
    let program = chain(SEGMENT_INTERIOR_MAX + 2);
    let most: Vec<u32> = (1..=SEGMENT_INTERIOR_MAX).collect();
    assert!(with_interior(&program, &most).is_ok());
    let more: Vec<u32> = (1..=SEGMENT_INTERIOR_MAX + 1).collect();
    let (node, found) = (SEGMENT_INTERIOR_MAX + 2, SEGMENT_INTERIOR_MAX + 1);
    let refused = with_interior(&program, &more).unwrap_err();
    assert_eq!(refused, ProgramError::SegmentLength { node, found });
}

/// Spec: interface, 6.7; programs, 1.14 and 1.22.
#[test]
fn an_artefact_keeps_interior_nodes_and_refuses_every_other_place() {
    let program = with_interior(&chain(6), &[1, 2, 4]).unwrap();
    let commitment = program.commit();
    assert_ne!(
        commitment.model_id,
        CheckedProgram::new(chain(6)).unwrap().commit().model_id
    );
    let bytes = artefact::encode(&program, &commitment);
    let (read, again) = artefact::decode(&bytes).unwrap();
    assert_eq!(read.program().nodes, program.program().nodes);
    assert_eq!(read.segments(), program.segments());
    assert_eq!(again, commitment);

    for (node, leaf) in commitment.leaves.iter().enumerate() {
        let leaf = leaf.encode();
        let at = bytes
            .windows(leaf.len())
            .position(|window| window == leaf)
            .expect("the file holds the leaf");
        // Segment, place, and the name of the input.
        for byte in at + 12..at + leaf.len().min(24) {
            for bit in 0..8 {
                let mut spoiled = bytes.clone();
                spoiled[byte] ^= 1 << bit;
                assert!(artefact::decode(&spoiled).is_err(), "node {node}");
            }
        }
    }
}
