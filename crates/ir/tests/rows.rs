//! Limits and bytes of the operators that work on rows: each broken rule is refused by its name, at
//! its node, and its neighbour that keeps the rule is accepted.

mod common;

use common::{REDUCTIONS, rows};
use proptest::prelude::*;
use selfsame_ir::{
    Activation, BatchMatMul, CheckedProgram, DType, Dim, DimValues, Embedding, FactorShift, MatMul,
    NodeLeaf, Normalize, Op, Pointwise, Program, ProgramError, Reduce, ReduceKind, Tensor,
    opened_bytes,
};

const EMBEDDING: usize = 1;
const RECIPROCAL: usize = 9;
const NORMALIZE: usize = 11;
const PRODUCT: usize = 12;
const SCORES: usize = 13;
const EXPONENTIAL: usize = 16;

fn with(change: impl FnOnce(&mut Program)) -> Result<CheckedProgram, ProgramError> {
    let mut program = rows();
    change(&mut program);
    CheckedProgram::new(program)
}

/// The field of a limit, or the sort of the refusal, with its node.
fn refusal(change: impl FnOnce(&mut Program)) -> (usize, &'static str) {
    match with(change).expect_err("a broken rule is refused") {
        ProgramError::Limit { node, field, .. } => (node, field),
        ProgramError::Type { node, .. } => (node, "type"),
        ProgramError::Elements { node, .. } => (node, "elements"),
        ProgramError::InputCount { node, .. } => (node, "inputs"),
        ProgramError::Value { node, .. } => (node, "value"),
        ProgramError::Shape { node, .. } => (node, "shape"),
        other => panic!("another refusal: {other}"),
    }
}

macro_rules! of {
    ($name:ident, $node:expr, $variant:ident, $op:ty) => {
        fn $name(change: impl FnOnce(&mut $op)) -> impl FnOnce(&mut Program) {
            move |program| match &mut program.nodes[$node].op {
                Op::$variant(op) => change(op),
                other => panic!("another operator: {}", other.name()),
            }
        }
    };
}

of!(embedding, EMBEDDING, Embedding, Embedding);
of!(variance, REDUCTIONS + 3, Reduce, Reduce);
of!(reciprocal, RECIPROCAL, Pointwise, Pointwise);
of!(normalize, NORMALIZE, Normalize, Normalize);
of!(product, PRODUCT, MatMul, MatMul);
of!(scores, SCORES, BatchMatMul, BatchMatMul);
of!(exponential, EXPONENTIAL, Pointwise, Pointwise);

/// Spec: programs, 1.21.
#[test]
fn limits_of_an_embedding() {
    let at = |field| (EMBEDDING, field);
    assert_eq!(refusal(embedding(|e| e.columns = 0)), at("output elements"));
    assert_eq!(refusal(embedding(|e| e.entries = 0)), at("entries"));
    assert_eq!(refusal(embedding(|e| e.entries = 4)), at("table elements"));
    assert_eq!(refusal(embedding(|e| e.entries = u32::MAX)), at("entries"));
    let wrong = Tensor::I8(vec![0; 12]);
    assert_eq!(refusal(embedding(|e| e.table = wrong.into())), at("type"));
    let below = Tensor::I16(vec![-32_768; 12]);
    assert_eq!(refusal(embedding(|e| e.table = below.into())), at("value"));
    // The index is i32.
    assert_eq!(refusal(|p| p.nodes[0].dtype = DType::I16), at("type"));
}

/// Spec: programs, 1.19.
#[test]
fn limits_of_a_reduction() {
    let at = |field| (REDUCTIONS + 3, field);
    assert_eq!(refusal(variance(|r| r.multiplier = 0)), at("multiplier"));
    assert_eq!(
        refusal(variance(|r| r.multiplier = 32_768)),
        at("multiplier")
    );
    assert_eq!(refusal(variance(|r| r.shift = 0)), at("shift"));
    assert_eq!(refusal(variance(|r| r.shift = 47)), at("shift"));
    assert_eq!(
        refusal(variance(|r| (r.low, r.high) = (1, 0))),
        at("clamp low")
    );
    assert_eq!(
        refusal(variance(|r| r.columns = Dim::fixed(3))),
        at("elements")
    );
    assert_eq!(
        refusal(variance(|r| r.columns = Dim::fixed(0))),
        at("shape")
    );
    assert_eq!(refusal(variance(|r| r.dtype = DType::I8)), at("type"));
}

/// Spec: programs, 1.19: squares of i32 elements do not fit.
#[test]
fn squares_and_variance_do_not_take_i32_and_all_other_reductions_do() {
    for kind in ReduceKind::ALL {
        let changed = with(|p| {
            let Op::Reduce(mut op) = p.nodes[REDUCTIONS].op else {
                panic!("a reduction")
            };
            (op.kind, op.dtype, op.columns) = (kind, DType::I32, Dim::fixed(1));
            // The last of the reductions reads the one before it.
            let last = REDUCTIONS + 6;
            p.nodes[last].op = Op::Reduce(op);
            p.nodes[last].inputs = vec![7];
        });
        let refused = matches!(changed, Err(ProgramError::Type { node: 8, .. }));
        assert_eq!(refused, kind.squares(), "{kind:?}");
        assert_eq!(changed.is_ok(), !kind.squares(), "{kind:?}: {changed:?}");
    }
}

/// Spec: programs, 1.20.
#[test]
fn limits_of_a_normalization() {
    let at = |field| (NORMALIZE, field);
    assert!(with(normalize(|n| n.center_bits = 15)).is_ok());
    assert_eq!(
        refusal(normalize(|n| n.center_bits = 16)),
        at("center bits")
    );
    assert_eq!(
        refusal(normalize(|n| n.shift = FactorShift(0))),
        at("factor shift")
    );
    assert_eq!(
        refusal(normalize(|n| n.shift = FactorShift(47))),
        at("factor shift")
    );
    assert_eq!(refusal(normalize(|n| n.factor = false)), at("inputs"));
    assert_eq!(refusal(normalize(|n| n.low = -128)), at("clamp low"));
    let column = |change: fn(&mut selfsame_ir::ColumnConstants)| {
        with(normalize(move |n| change(&mut n.constants[3])))
    };
    assert!(column(|c| c.multiplier = -32_767).is_ok());
    assert!(column(|c| c.multiplier = 0).is_ok());
    assert!(column(|c| c.bias = -(1 << 30)).is_ok());
    for (change, field) in [
        (
            (|c| c.multiplier = 32_768) as fn(&mut selfsame_ir::ColumnConstants),
            "multiplier",
        ),
        (|c| c.multiplier = -32_768, "multiplier"),
        (|c| c.bias = (1 << 30) + 1, "bias"),
        (|c| c.shift = 0, "shift"),
        (|c| c.shift = 47, "shift"),
    ] {
        assert_eq!(
            refusal(normalize(move |n| change(&mut n.constants[3]))),
            at(field)
        );
    }
    assert_eq!(
        refusal(normalize(|n| n.constants.truncate(3))),
        at("column constants")
    );
    // The center is an i32 for each row.
    assert_eq!(refusal(|p| p.nodes[NORMALIZE].inputs[1] = 1), at("type"));
    assert_eq!(
        refusal(|p| p.nodes[NORMALIZE].inputs = vec![1, 3]),
        at("inputs")
    );
}

/// Spec: programs, 1.18 and 1.12.
#[test]
fn limits_of_row_factors_and_of_products_of_two_inputs() {
    let at = |field| (SCORES, field);
    assert_eq!(
        refusal(product(|m| m.factor = Some(FactorShift(47)))),
        (PRODUCT, "factor shift")
    );
    assert_eq!(refusal(product(|m| m.factor = None)), (PRODUCT, "inputs"));
    assert_eq!(
        refusal(product(|m| m.dtype = DType::I32)),
        (PRODUCT, "type")
    );
    assert!(with(scores(|b| b.shift = 1)).is_ok());
    assert_eq!(refusal(scores(|b| b.shift = 47)), at("shift"));
    assert_eq!(refusal(scores(|b| b.multiplier = 0)), at("multiplier"));
    assert_eq!(refusal(scores(|b| b.batch = 0)), at("output elements"));
    assert_eq!(refusal(scores(|b| b.group = 0)), at("elements"));
    assert_eq!(refusal(scores(|b| b.group = 2)), at("elements"));
    assert_eq!(refusal(scores(|b| b.k = Dim::fixed(0))), at("shape"));
    assert_eq!(
        refusal(scores(|b| b.factor = Some(FactorShift(0)))),
        at("factor shift")
    );
    assert_eq!(refusal(scores(|b| b.high = 128)), at("clamp high"));
    // y is i8, the factor i32, one for each row of x.
    assert_eq!(refusal(|p| p.nodes[SCORES].inputs[1] = 1), at("type"));
    assert_eq!(refusal(|p| p.nodes[SCORES].inputs[2] = 12), at("type"));
}

/// Spec: programs, 1.17; operators, 2.20.
#[test]
fn limits_of_reciprocals_and_exponentials() {
    let bits = |bits| reciprocal(move |p| p.activation = Some(Activation::Reciprocal { bits }));
    assert!(with(bits(0)).is_ok());
    assert!(with(bits(62)).is_ok());
    assert_eq!(refusal(bits(63)), (RECIPROCAL, "bits of the reciprocal"));
    assert_eq!(
        refusal(|p| p.nodes[RECIPROCAL].dtype = DType::I16),
        (RECIPROCAL, "type")
    );

    let at = |field| (EXPONENTIAL, field);
    let table =
        |entries: Vec<i16>| exponential(|p| p.activation = Some(Activation::Exponential(entries)));
    let last = |entry| {
        let mut entries = vec![0; 512];
        entries[511] = entry;
        table(entries)
    };
    assert!(with(last(32_767)).is_ok());
    assert_eq!(refusal(last(-1)), at("table entry"));
    assert_eq!(refusal(table(vec![0; 511])), at("table entries"));
    assert_eq!(refusal(exponential(|p| p.low = -1)), at("clamp low"));
    assert_eq!(refusal(exponential(|p| p.high = 65_536)), at("clamp high"));
}

/// Spec: programs, 1.5: terms of an int16 product.
#[test]
fn an_int16_product_has_half_the_terms_of_an_int8_one() {
    let long = |dtype, k_len: u32| {
        let mut program = rows();
        program.nodes.truncate(1);
        program.symbols.clear();
        program.nodes[0].dtype = dtype;
        program.nodes[0].op = Op::Input(selfsame_ir::InputSpec {
            shape: vec![Dim::fixed(k_len)],
        });
        let Op::MatMul(mut op) = rows().nodes[PRODUCT].op.clone() else {
            panic!("a product")
        };
        (op.rows, op.dtype, op.factor) = (Dim::fixed(1), dtype, None);
        (op.row_elements, op.k_len, op.linear.addend) = (k_len, k_len, None);
        op.linear.constants[0].addend_multiplier = 0;
        op.linear.weights = vec![1; k_len as usize].into();
        program.nodes.push(selfsame_ir::Node {
            op: Op::MatMul(op),
            inputs: vec![0],
            dtype: DType::I16,
        });
        program.output = 1;
        CheckedProgram::new(program)
    };
    assert!(long(DType::I8, 16_384).is_ok());
    assert!(long(DType::I16, 8_192).is_ok());
    assert!(matches!(
        long(DType::I16, 8_193),
        Err(ProgramError::Limit {
            node: 1,
            field: "terms",
            found: 8_193,
            ..
        })
    ));
}

/// Spec: programs, 1.10: `s * s` and `7 * s - 10` agree at 2 and 5.
#[test]
fn counts_that_agree_at_the_bounds_alone_have_no_shapes_between_them() {
    let mut program = rows();
    program.nodes.truncate(1);
    program.nodes[0].op = Op::Input(selfsame_ir::InputSpec {
        shape: vec![Dim::affine(1, 1, 0), Dim::affine(1, 1, 0)],
    });
    let Op::Reduce(mut op) = rows().nodes[REDUCTIONS].op.clone() else {
        panic!("a reduction")
    };
    (op.rows, op.columns, op.dtype) = (Dim::affine(1, 7, -10), Dim::fixed(1), DType::I32);
    program.nodes.push(selfsame_ir::Node {
        op: Op::Reduce(op),
        inputs: vec![0],
        dtype: DType::I32,
    });
    program.output = 1;
    let program = CheckedProgram::new(program).unwrap();
    assert!(program.shapes(&DimValues(vec![2])).is_ok());
    assert!(program.shapes(&DimValues(vec![5])).is_ok());
    assert_eq!(
        program.shapes(&DimValues(vec![3])),
        Err(selfsame_ir::DimError::View {
            node: 1,
            slot: 0,
            found: 9,
            expected: 11
        })
    );
}

/// Spec: programs, 1.6.
#[test]
fn opened_bytes_follow_the_formulas() {
    let program = with(|_| ()).unwrap();
    let maxima = DimValues(vec![5]);
    let opened = |node: usize, dtype| {
        opened_bytes(&program.nodes()[node].op, dtype, &maxima).expect("shapes")
    };
    assert_eq!(opened(EMBEDDING, DType::I32), 1_024);
    assert_eq!(opened(REDUCTIONS, DType::I16), 512);
    assert_eq!(opened(NORMALIZE, DType::I16), 512 * 4);
    // x, weights, constants, addend, row factor.
    assert_eq!(opened(PRODUCT, DType::I16), 512 * 5);
    assert_eq!(opened(SCORES, DType::I16), 512 * 3);
    assert_eq!(opened(RECIPROCAL, DType::I32), 512);
    // x, constant, two tiles of table.
    assert_eq!(opened(EXPONENTIAL, DType::I8), 512 * 4);
}

/// Spec: programs, 1.9 and 1.10.
#[test]
fn every_byte_of_a_leaf_counts() {
    let commitment = with(|_| ()).unwrap().commit();
    for (node, leaf) in commitment.leaves.iter().enumerate() {
        let bytes = leaf.encode();
        for at in 0..bytes.len() {
            for flip in [1, 2, 4, 8, 0x10, 0x20, 0x40, 0x80, 0xff] {
                let mut other = bytes.clone();
                other[at] ^= flip;
                if let Ok(read) = NodeLeaf::decode(&other) {
                    assert_eq!(read.encode(), other, "node {node}, byte {at}");
                    assert_ne!(read, *leaf, "node {node}, byte {at}");
                }
            }
        }
    }
}

proptest! {
    #[test]
    fn arbitrary_parameters_of_any_operator_have_one_byte_form(
        op in 0_u8..13, tensors in 0_u8..4, inputs in 0_u8..4,
        noise in proptest::collection::vec(prop_oneof![Just(0_u8), Just(1), Just(2), any::<u8>()], 0..300),
    ) {
        let mut bytes = vec![op, 1 + noise.first().copied().unwrap_or(0) % 3, inputs, tensors];
        bytes.extend(&noise);
        if let Ok(leaf) = NodeLeaf::decode(&bytes) {
            prop_assert_eq!(leaf.encode(), bytes);
        }
    }
}
