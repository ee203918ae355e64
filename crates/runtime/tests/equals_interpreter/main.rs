//! On random programs the engine gives the interpreter's bits: every node, every kernel, every
//! number of threads, every cut of a batch.

#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_sign_loss,
    reason = "small test data with known ranges"
)]

mod common;
mod encoder;
mod symbols;

use std::sync::Arc;

use common::{Generator, Random, sample};

use selfsame_interpreter as interpreter;
use selfsame_ir::{DType, DimValues, Tensor};
use selfsame_runtime::{Elements, Kernel, Plan, RunError, Session};

fn concatenated(samples: &[Tensor]) -> Tensor {
    let mut all = samples[0].clone();
    for sample in &samples[1..] {
        match (&mut all, sample) {
            (Tensor::I8(all), Tensor::I8(x)) => all.extend(x),
            (Tensor::I16(all), Tensor::I16(x)) => all.extend(x),
            (Tensor::I32(all), Tensor::I32(x)) => all.extend(x),
            _ => panic!("samples of one program have one type"),
        }
    }
    all
}

#[test]
fn every_node_of_random_programs_has_the_interpreters_bits_and_roots() {
    for seed in 1..=250 {
        let program = Generator::program(seed);
        let mut random = Random(seed | 1 << 40);
        let plans: Vec<Arc<Plan>> = Kernel::available()
            .into_iter()
            .map(|kernel| Arc::new(Plan::new(&program, &DimValues::NONE, kernel).expect("plans")))
            .collect();
        for threads in [1, 2, 3] {
            let mut sessions: Vec<Session> = plans
                .iter()
                .map(|plan| Session::new(Arc::clone(plan), threads))
                .collect();
            // A second sample in the same session meets used buffers.
            for _ in 0..2 {
                let input = sample(&program, &mut random);
                let want = interpreter::run(&program, &DimValues::NONE, input.clone());
                let want = want.expect("the input is valid");
                for session in &mut sessions {
                    let name = session.plan().kernel().name();
                    let trace = session.trace(&input).expect("the input is valid");
                    assert_eq!(trace.node_tensors, want.outputs(), "seed {seed} {name}");
                    assert_eq!(trace.node_roots, want.node_roots(), "seed {seed} {name}");
                    assert_eq!(trace.trace_root, want.root(), "seed {seed} {name}");
                    let output = session.run_one(&input).expect("the input is valid");
                    assert_eq!(
                        Some(&output),
                        want.output(program.program().output),
                        "seed {seed} {name}"
                    );
                }
            }
        }
    }
}

#[test]
fn a_batch_gives_the_bits_of_its_samples_for_every_number_of_threads() {
    for seed in 300..340 {
        let program = Generator::program(seed);
        let mut random = Random(seed | 1 << 40);
        for kernel in Kernel::available() {
            let plan = Arc::new(Plan::new(&program, &DimValues::NONE, kernel).expect("plans"));
            let samples: Vec<Tensor> = (0..7).map(|_| sample(&program, &mut random)).collect();
            let mut single = Session::new(Arc::clone(&plan), 1);
            let each: Vec<Tensor> = samples
                .iter()
                .map(|s| single.run_one(s).expect("valid"))
                .collect();
            for threads in [1, 2, 4] {
                let mut session = Session::new(Arc::clone(&plan), threads);
                for batch in [1, 2, 5, 7] {
                    let input = concatenated(&samples[..batch]);
                    let want = concatenated(&each[..batch]);
                    let mut output = want.clone();
                    if let Tensor::I8(y) = &mut output {
                        y.fill(99);
                    }
                    session
                        .run((&input).into(), (&mut output).into())
                        .expect("valid");
                    assert_eq!(output, want, "seed {seed} {} {threads}", kernel.name());
                }
            }
        }
    }
}

#[test]
fn bad_inputs_are_refused_with_what_and_where() {
    let program = Generator::program(5);
    let plan = Plan::new(&program, &DimValues::NONE, Kernel::best()).expect("plans");
    let mut session = Session::new(Arc::new(plan), 1);
    let (input_len, output_len) = (session.plan().input().1, session.plan().output().1);
    let (input_type, output_type) = (session.plan().input().0, session.plan().output().0);
    assert_eq!(
        (input_type, output_type),
        (DType::I8, DType::I8),
        "seed 5 is a plain program"
    );
    let mut x = vec![0_i8; input_len];
    let mut y = vec![0_i8; output_len];
    let short = session.run(
        (&Tensor::I8(vec![0; input_len - 1])).into(),
        y.as_mut_slice().into(),
    );
    assert!(matches!(short, Err(RunError::Length { .. })), "{short:?}");
    let empty = session.run(Elements::I8(&[]), y.as_mut_slice().into());
    assert!(matches!(empty, Err(RunError::Length { .. })), "{empty:?}");
    let wide = Tensor::I32(vec![0; input_len]);
    let typed = session.run((&wide).into(), y.as_mut_slice().into());
    assert!(
        matches!(typed, Err(RunError::Type { what: "input", .. })),
        "{typed:?}"
    );
    x[input_len - 1] = -128;
    let bad = session.run(Elements::I8(&x), y.as_mut_slice().into());
    assert_eq!(
        bad,
        Err(RunError::Value {
            index: input_len - 1,
            value: -128
        })
    );
    let traced = session.trace(&Tensor::I8(x));
    assert!(matches!(traced, Err(RunError::Value { .. })), "{traced:?}");
}

#[test]
fn the_random_programs_hold_every_operator() {
    let mut found = std::collections::BTreeSet::new();
    for seed in 1..=250 {
        let program = Generator::program(seed);
        found.extend(program.nodes().iter().map(|node| node.op.name()));
    }
    // Concatenations have a test of their own in the compiler.
    let names = [
        "input",
        "matmul",
        "conv",
        "max_pool",
        "avg_pool",
        "move",
        "pointwise",
        "batch_matmul",
        "reduce",
        "normalize",
        "embedding",
    ];
    assert_eq!(found, names.into_iter().collect());
}
