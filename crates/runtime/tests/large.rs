//! Programs of many weights take other ways: read while they are hashed, packed on several threads.

#![allow(
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    reason = "a test may panic; numbers are small"
)]

use std::sync::Arc;

use selfsame_interpreter as interpreter;
use selfsame_ir::{
    ChannelConstants, CheckedProgram, DType, Dim, DimValues, InputSpec, Interface, Layout, Linear,
    MatMul, Node, Notes, Op, Program, Ratio, Tensor, artefact,
};
use selfsame_runtime::{Kernel, Plan, Session, open};

/// Three matrix products, three million weights.
fn large() -> CheckedProgram {
    let extents = [1024_u32, 1100, 900, 1000];
    let input = InputSpec {
        shape: vec![Dim::fixed(extents[0])],
    };
    let node = |op, inputs| Node {
        op,
        inputs,
        dtype: DType::I8,
    };
    let mut nodes = vec![node(Op::Input(input), vec![])];
    for (from, pair) in (0..).zip(extents.windows(2)) {
        let weight = |i: u32| (i.wrapping_mul(2_654_435_761) >> 24) % 127;
        let constants = ChannelConstants {
            bias: 7,
            multiplier: 20_000,
            addend_multiplier: 0,
            shift: 25,
        };
        let linear = Linear {
            weights: (0..pair[0] * pair[1]).map(|i| weight(i) as i8).collect(),
            constants: vec![constants; pair[1] as usize],
            addend: None,
            low: -127,
            high: 127,
            table: None,
        };
        let op = MatMul {
            rows: Dim::fixed(1),
            row_elements: pair[0],
            k_offset: 0,
            k_len: pair[0],
            out_channels: pair[1],
            dtype: DType::I8,
            factor: None,
            linear,
        };
        nodes.push(node(Op::MatMul(op), vec![from]));
    }
    let one = Ratio {
        multiplier: 1,
        shift: 0,
    };
    let layout = |extent| Layout {
        shape: vec![extent],
        axes: vec![0],
    };
    let program = Program {
        symbols: vec![],
        output: nodes.len() as u32 - 1,
        interior: Vec::new(),
        nodes,
        interface: Interface {
            input_scale: one,
            input: layout(extents[0]),
            pixels: None,
            output_scale: one,
            output: layout(extents[3]),
            labels: vec![],
        },
        notes: Notes::default(),
    };
    CheckedProgram::new(program).unwrap()
}

#[test]
fn many_weights_packed_on_several_threads_give_the_interpreters_bits() {
    let program = large();
    let input = Tensor::I8((0..1024_i32).map(|i| (i * 37 % 255 - 127) as i8).collect());
    let want = interpreter::run(&program, &DimValues::NONE, input.clone()).unwrap();
    for kernel in Kernel::available() {
        let plan = Plan::new(&program, &DimValues::NONE, kernel).unwrap();
        let trace = Session::new(Arc::new(plan), 1).trace(&input).unwrap();
        assert_eq!(trace.node_tensors, want.outputs(), "{}", kernel.name());
    }
}

#[test]
fn opening_gives_what_decoding_gives_and_refuses_what_it_refuses() {
    let program = large();
    let mut bytes = artefact::encode(&program, &program.commit());
    assert_eq!(open(&bytes), artefact::decode(&bytes));
    assert!(open(&bytes).is_ok());
    let end = bytes.len() - 1;
    for place in [20, end - 2_000_000, end] {
        bytes[place] ^= 1;
        assert!(open(&bytes).is_err(), "byte {place}");
        assert_eq!(open(&bytes), artefact::decode(&bytes), "byte {place}");
        bytes[place] ^= 1;
    }
    let short = &bytes[..end];
    assert_eq!(open(short), artefact::decode(short));
}
