//! One checked program at many lengths of its sequence: the interpreter's bits at each, in one
//! session that keeps some plans and packs weights once.

use std::sync::Arc;

use selfsame_interpreter as interpreter;
use selfsame_ir::{CheckedProgram, DimError, DimValues, Tensor};
use selfsame_runtime::{Kernel, PLANS_MAX, Plan, PlanError, Plans, Session};

use crate::common::Random;
use crate::encoder::{self, Sizes};

const SIZES: Sizes = Sizes {
    tokens_max: 40,
    heads: 3,
    head: 6,
    inner: 50,
    layers: 1,
    entries: 11,
};

/// Large enough for every cut: of rows, of batches, of the channels of many weights.
const LARGE: Sizes = Sizes {
    tokens_max: 61,
    heads: 8,
    head: 16,
    inner: 1600,
    layers: 1,
    entries: 11,
};

fn program(sizes: Sizes, seed: u64) -> Arc<CheckedProgram> {
    let mut random = Random(seed);
    Arc::new(encoder::program(sizes, &mut |low, high| {
        random.range(low, high)
    }))
}

#[test]
fn one_session_gives_the_interpreters_bits_at_every_length() {
    let program = program(SIZES, 77);
    let mut random = Random(5);
    let first: Vec<u32> = (0..2 * PLANS_MAX as u32).map(|i| 1 + i * 2).collect();
    // Back to some that rest and some that were let go.
    let lengths: Vec<u32> = first.into_iter().chain([31, 29, 1, 40, 2, 1, 3]).collect();
    for kernel in Kernel::available() {
        for threads in [1, 2, 3] {
            let plans = Plans::new(Arc::clone(&program), kernel);
            let values = DimValues(vec![SIZES.tokens_max]);
            let mut session = Session::over(plans, &values, threads).expect("plans");
            for &length in &lengths {
                let values = DimValues(vec![length]);
                session.bind(&values).expect("plans");
                assert_eq!(session.plan().values(), &values);
                let ids = (0..length).map(|_| random.range(-2, 13) as i32);
                let input = Tensor::I32(ids.collect());
                let want = interpreter::run(&program, &values, input.clone()).expect("valid");
                let trace = session.trace(&input).expect("valid");
                let name = kernel.name();
                assert_eq!(trace.node_tensors, want.outputs(), "{length} {name}");
                assert_eq!(trace.trace_root, want.root(), "{length} {name}");
            }
        }
    }
}

#[test]
fn a_sample_that_threads_share_has_the_trace_of_one_thread() {
    let program = program(LARGE, 79);
    for kernel in Kernel::available() {
        for length in [LARGE.tokens_max, 13] {
            let values = DimValues(vec![length]);
            let plan = Plan::new(&program, &values, kernel).expect("plans");
            let plan = Arc::new(plan);
            let input = Tensor::I32((0..length as i32).map(|i| i * 7 % 11).collect());
            let mut one = Session::new(Arc::clone(&plan), 1);
            let want = one.trace(&input).expect("valid");
            for threads in [2, 3, 4, 7] {
                let mut session = Session::new(Arc::clone(&plan), threads);
                let trace = session.trace(&input).expect("valid");
                let name = kernel.name();
                assert_eq!(
                    trace.node_tensors, want.node_tensors,
                    "{length} {name} {threads}"
                );
                assert_eq!(trace.trace_root, want.trace_root, "{length} {name}");
            }
        }
    }
}

#[test]
fn values_outside_the_bounds_and_sessions_of_one_plan_are_refused_and_leave_all_as_it_was() {
    let program = program(SIZES, 78);
    let values = DimValues(vec![3]);
    let plan = Plan::new(&program, &values, Kernel::best()).expect("plans");
    let mut one = Session::new(Arc::new(plan), 1);
    assert_eq!(one.bind(&DimValues(vec![4])), Err(PlanError::OnePlan));
    assert_eq!(one.bind(&values), Ok(()));
    let plans = Plans::new(program, Kernel::best());
    let mut session = Session::over(plans, &values, 1).expect("plans");
    for bad in [vec![0], vec![SIZES.tokens_max + 1], vec![], vec![1, 1]] {
        let refused = session.bind(&DimValues(bad));
        assert!(
            matches!(refused, Err(PlanError::Dim(DimError::Value { .. }))),
            "{refused:?}"
        );
        assert_eq!(session.plan().values(), &values);
    }
}
