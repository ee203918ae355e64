//! One checked program at many lengths of its sequence: the interpreter's bits at each, in one
//! session that keeps some plans and packs weights once.

use std::sync::Arc;

use selfsame_interpreter as interpreter;
use selfsame_ir::{
    Activation, BatchMatMul, ChannelConstants, CheckedProgram, ColumnConstants, Combine, Constant,
    DType, Dim, DimError, DimValues, Embedding, FactorShift, InputSpec, Interface, Interleave,
    Layout, Linear, MatMul, Move, Node, Normalize, Notes, Op, Operand, Pointwise, Program, Ratio,
    Reduce, ReduceKind, Spread, Symbol, Tensor,
};
use selfsame_runtime::{Kernel, PLANS_MAX, Plan, PlanError, Plans, Session};

use crate::common::Random;

const TOKENS_MAX: u32 = 40;
const HEADS: u32 = 3;
const HEAD: u32 = 6;
const HIDDEN: u32 = HEADS * HEAD;
const TOKENS: Dim = Dim::affine(1, 1, 0);

struct Encoder {
    random: Random,
    nodes: Vec<Node>,
}

impl Encoder {
    fn push(&mut self, op: Op, inputs: &[u32], dtype: DType) -> u32 {
        let inputs = inputs.to_vec();
        self.nodes.push(Node { op, inputs, dtype });
        self.nodes.len() as u32 - 1
    }

    fn matmul(&mut self, inputs: &[u32], wide: bool, addend: bool, output: DType) -> u32 {
        let (low, high) = output.range();
        let random = &mut self.random;
        let constants = (0..HIDDEN).map(|_| ChannelConstants {
            bias: random.range(-9_000, 9_000) as i32,
            multiplier: random.range(1, 32_767) as i32,
            addend_multiplier: i32::from(addend) * 77,
            shift: 20,
        });
        let constants = constants.collect();
        let op = MatMul {
            rows: TOKENS,
            row_elements: HIDDEN,
            k_offset: 0,
            k_len: HIDDEN,
            out_channels: HIDDEN,
            dtype: if wide { DType::I16 } else { DType::I8 },
            factor: (inputs.len() == 2 + usize::from(addend)).then_some(FactorShift(14)),
            linear: Linear {
                weights: (0..HIDDEN * HIDDEN).map(|_| random.byte()).collect(),
                constants,
                addend: addend.then_some(DType::I16),
                low,
                high,
                table: None,
            },
        };
        self.push(Op::MatMul(op), inputs, output)
    }

    fn reduce(&mut self, x: u32, dtype: DType, kind: ReduceKind, rows: Dim, columns: Dim) -> u32 {
        let op = Reduce {
            rows,
            columns,
            kind,
            dtype,
            multiplier: 2,
            shift: 1,
            low: i32::MIN,
            high: i32::MAX,
        };
        self.push(Op::Reduce(op), &[x], DType::I32)
    }

    fn pointwise(&mut self, x: u32, op: Pointwise, y: Option<u32>, output: DType) -> u32 {
        let inputs: Vec<u32> = [Some(x), y].into_iter().flatten().collect();
        self.push(Op::Pointwise(op), &inputs, output)
    }

    fn reciprocal(&mut self, x: u32, rows: Dim) -> u32 {
        let op = Pointwise {
            rows,
            columns: Dim::fixed(1),
            activation: Some(Activation::Reciprocal { bits: 30 }),
            ..plain(DType::I32, i32::MIN, i32::MAX)
        };
        self.pointwise(x, op, None, DType::I32)
    }

    /// Rows quantised by their own largest magnitude, and the reciprocal of that.
    fn quantised(&mut self, x: u32) -> (u32, u32) {
        let magnitude = self.reduce(
            x,
            DType::I16,
            ReduceKind::Magnitude,
            TOKENS,
            Dim::fixed(HIDDEN),
        );
        let scale = self.reciprocal(magnitude, TOKENS);
        let op = Pointwise {
            combine: Combine::Product,
            multiplier: 127,
            second: Some(row_operand(0)),
            shift: 30,
            ..plain(DType::I16, -127, 127)
        };
        (self.pointwise(x, op, Some(scale), DType::I8), magnitude)
    }

    fn embedded(&mut self) -> u32 {
        let op = Op::Input(InputSpec {
            shape: vec![TOKENS],
        });
        let input = self.push(op, &[], DType::I32);
        let table = self.random.tensor(DType::I16, 11 * HIDDEN);
        let op = Op::Embedding(Embedding {
            rows: TOKENS,
            columns: HIDDEN,
            entries: 11,
            table,
        });
        let x = self.push(op, &[input], DType::I16);
        let positions = Operand {
            dtype: DType::I16,
            spread: Spread::Full,
            multiplier: 1,
            constant: Some(Constant {
                elements: TOKENS_MAX * HIDDEN,
                values: self.random.tensor(DType::I16, TOKENS_MAX * HIDDEN),
            }),
        };
        let op = Pointwise {
            second: Some(positions),
            ..plain(DType::I16, -32_767, 32_767)
        };
        self.pointwise(x, op, None, DType::I16)
    }

    fn attention(&mut self, [q, k, v]: [u32; 3]) -> u32 {
        let heads = |k, columns, dtype, factor| BatchMatMul {
            batch: HEADS,
            group: 1,
            rows: TOKENS,
            columns,
            k,
            interleave: Interleave::default(),
            dtype,
            multiplier: 20_000,
            shift: 17,
            factor,
            low: -127,
            high: 127,
        };
        let op = BatchMatMul {
            interleave: Interleave {
                x: true,
                y: true,
                output: false,
            },
            low: -32_767,
            high: 32_767,
            shift: 12,
            ..heads(Dim::fixed(HEAD), TOKENS, DType::I8, None)
        };
        let scores = self.push(Op::BatchMatMul(op), &[q, k], DType::I16);
        let rows = Dim::affine(1, HEADS, 0);
        let most = self.reduce(scores, DType::I16, ReduceKind::Maximum, rows, TOKENS);
        let entry = |i: i16| {
            if i < 256 {
                32_767 - i * 127
            } else {
                32_767 - (i - 256)
            }
        };
        let op = Pointwise {
            rows,
            columns: TOKENS,
            multiplier: -9,
            second: Some(row_operand(9)),
            activation: Some(Activation::Exponential((0..512).map(entry).collect())),
            ..plain(DType::I16, 0, 65_535)
        };
        let probabilities = self.pointwise(scores, op, Some(most), DType::I16);
        let sum = self.reduce(probabilities, DType::I16, ReduceKind::Sum, rows, TOKENS);
        let scale = self.reciprocal(sum, rows);
        let op = Move::transpose(&[1, 0], vec![TOKENS, Dim::fixed(HIDDEN)]);
        let turned = self.push(Op::Move(op), &[v], DType::I8);
        let op = BatchMatMul {
            interleave: Interleave {
                x: false,
                y: false,
                output: true,
            },
            ..heads(TOKENS, Dim::fixed(HEAD), DType::I16, Some(FactorShift(12)))
        };
        let inputs = [probabilities, turned, scale];
        self.push(Op::BatchMatMul(op), &inputs, DType::I8)
    }

    fn norm(&mut self, x: u32) -> u32 {
        let mean = self.reduce(x, DType::I16, ReduceKind::Mean, TOKENS, Dim::fixed(HIDDEN));
        let spread = self.reduce(
            x,
            DType::I16,
            ReduceKind::Variance,
            TOKENS,
            Dim::fixed(HIDDEN),
        );
        let op = Pointwise {
            columns: Dim::fixed(1),
            activation: Some(Activation::ReciprocalRoot { bits: 50 }),
            ..plain(DType::I32, i32::MIN, i32::MAX)
        };
        let scale = self.pointwise(spread, op, None, DType::I32);
        let random = &mut self.random;
        let constants = (0..HIDDEN).map(|_| ColumnConstants {
            bias: random.range(-9_000, 9_000) as i32,
            multiplier: random.range(-32_767, 32_767) as i32,
            shift: 9,
        });
        let op = Normalize {
            rows: TOKENS,
            columns: HIDDEN,
            dtype: DType::I16,
            center_bits: 8,
            center: true,
            factor: true,
            shift: FactorShift(18),
            low: -32_767,
            high: 32_767,
            constants: constants.collect(),
        };
        self.push(Op::Normalize(op), &[x, mean, scale], DType::I16)
    }

    fn program(seed: u64) -> Arc<CheckedProgram> {
        let mut encoder = Self {
            random: Random(seed),
            nodes: Vec::new(),
        };
        let x = encoder.embedded();
        let (bytes, scale) = encoder.quantised(x);
        let heads = [0; 3].map(|_| encoder.matmul(&[bytes, scale], false, false, DType::I8));
        let context = encoder.attention(heads);
        let sum = encoder.matmul(&[context, x], false, true, DType::I16);
        let normed = encoder.norm(sum);
        let entries = (0..513).map(|i: i16| i * 60 - 16_000).collect();
        let op = Pointwise {
            activation: Some(Activation::Interpolate(entries)),
            ..plain(DType::I16, -32_768, 32_767)
        };
        let bent = encoder.pointwise(normed, op, None, DType::I16);
        let output = encoder.matmul(&[bent], true, false, DType::I16);
        let one = Ratio {
            multiplier: 1,
            shift: 0,
        };
        let program = Program {
            symbols: vec![Symbol {
                minimum: 1,
                maximum: TOKENS_MAX,
            }],
            nodes: encoder.nodes,
            output,
            interface: Interface {
                input_scale: one,
                input: Layout::default(),
                pixels: None,
                output_scale: one,
                output: Layout::default(),
                labels: Vec::new(),
            },
            notes: Notes::default(),
        };
        Arc::new(CheckedProgram::new(program).expect("the encoder is a program"))
    }
}

/// `x*2 >> 1` clamped, over `[tokens][hidden]`.
fn plain(dtype: DType, low: i32, high: i32) -> Pointwise {
    Pointwise {
        rows: TOKENS,
        columns: Dim::fixed(HIDDEN),
        dtype,
        multiplier: 2,
        combine: Combine::Sum,
        second: None,
        shift: 1,
        low,
        high,
        activation: None,
    }
}

fn row_operand(multiplier: i32) -> Operand {
    Operand {
        dtype: DType::I32,
        spread: Spread::Row,
        multiplier,
        constant: None,
    }
}

#[test]
fn one_session_gives_the_interpreters_bits_at_every_length() {
    let program = Encoder::program(77);
    let mut random = Random(5);
    let first: Vec<u32> = (0..2 * PLANS_MAX as u32).map(|i| 1 + i * 2).collect();
    // Back to some that rest and some that were let go.
    let lengths: Vec<u32> = first.into_iter().chain([31, 29, 1, 40, 2, 1, 3]).collect();
    for kernel in Kernel::available() {
        for threads in [1, 3] {
            let plans = Plans::new(Arc::clone(&program), kernel);
            let values = DimValues(vec![TOKENS_MAX]);
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
fn values_outside_the_bounds_and_sessions_of_one_plan_are_refused_and_leave_all_as_it_was() {
    let program = Encoder::program(78);
    let values = DimValues(vec![3]);
    let plan = Plan::new(&program, &values, Kernel::best()).expect("plans");
    let mut one = Session::new(Arc::new(plan), 1);
    assert_eq!(one.bind(&DimValues(vec![4])), Err(PlanError::OnePlan));
    assert_eq!(one.bind(&values), Ok(()));
    let plans = Plans::new(program, Kernel::best());
    let mut session = Session::over(plans, &values, 1).expect("plans");
    for bad in [vec![0], vec![TOKENS_MAX + 1], vec![], vec![1, 1]] {
        let refused = session.bind(&DimValues(bad));
        assert!(
            matches!(refused, Err(PlanError::Dim(DimError::Value { .. }))),
            "{refused:?}"
        );
        assert_eq!(session.plan().values(), &values);
    }
}
