//! Small programs: one of pictures, one of rows.
#![allow(dead_code, reason = "each suite uses its part")]

use selfsame_ir::interface::{Interface, Layout, PixelRule, Ratio};
use selfsame_ir::{
    Activation, AvgPool, BatchMatMul, ChannelConstants, ColumnConstants, Combine, Concat, Constant,
    Conv, DType, Dim, Embedding, FactorShift, InputSpec, Interleave, Linear, MatMul, MaxPool, Move,
    Node, Normalize, Notes, Op, Operand, Pointwise, Program, Reduce, ReduceKind, Spread, Symbol,
    Tensor, Window,
};

fn linear(weights: usize, channels: usize, addend: Option<DType>, table: bool) -> Linear {
    let addend_multiplier = if addend.is_some() { 3 } else { 0 };
    Linear {
        weights: (0..weights)
            .map(|i| i8::try_from(i % 255).map_or(-1, |w| w.max(-127)))
            .collect(),
        constants: vec![
            ChannelConstants {
                bias: -5,
                multiplier: 77,
                addend_multiplier,
                shift: 12
            };
            channels
        ],
        addend,
        low: if table { -128 } else { -127 },
        high: 127,
        table: table.then(|| Box::new([7; 256])),
    }
}

/// INPUT 6x5x2, convolution, convolution with addend and table, pools, transpose, matmul to i16.
pub(crate) fn sample() -> Program {
    Program {
        symbols: vec![],
        nodes: nodes(),
        output: 6,
        interior: Vec::new(),
        interface: interface(),
        notes: Notes {
            name: "sample".into(),
            nodes: vec!["x".into()],
        },
    }
}

fn nodes() -> Vec<Node> {
    let (height, width) = (Dim::fixed(6), Dim::fixed(5));
    let window = Window::square(3, 1, 1);
    let conv = |addend, table| {
        Op::Conv(Conv {
            height,
            width,
            channels: 2,
            out_channels: 2,
            dtype: DType::I8,
            groups: 1,
            window,
            linear: linear(36, 2, addend, table),
        })
    };
    let node = |op, inputs: &[u32], dtype| Node {
        op,
        inputs: inputs.to_vec(),
        dtype,
    };
    let shape = vec![height, width, Dim::fixed(2)];
    vec![
        node(
            Op::Input(InputSpec {
                shape: shape.clone(),
            }),
            &[],
            DType::I8,
        ),
        node(conv(None, false), &[0], DType::I8),
        node(conv(Some(DType::I8), true), &[1, 0], DType::I8),
        node(
            Op::Move(Move::transpose(&[1, 0, 2], shape)),
            &[2],
            DType::I8,
        ),
        node(
            Op::MaxPool(MaxPool {
                height: width,
                width: height,
                channels: 2,
                window: Window::square(2, 1, 0),
            }),
            &[3],
            DType::I8,
        ),
        node(
            Op::AvgPool(AvgPool {
                height: Dim::fixed(4),
                width,
                channels: 2,
                window: Window::square(4, 1, 0),
                multiplier: 2048,
                shift: 15,
                low: -127,
                high: 127,
            }),
            &[4],
            DType::I8,
        ),
        node(
            Op::MatMul(MatMul {
                rows: Dim::fixed(1),
                row_elements: 4,
                k_offset: 1,
                k_len: 3,
                out_channels: 3,
                dtype: DType::I8,
                factor: None,
                linear: Linear {
                    low: -32_767,
                    high: 32_767,
                    ..linear(9, 3, None, false)
                },
            }),
            &[5],
            DType::I16,
        ),
    ]
}

fn interface() -> Interface {
    Interface {
        input_scale: Ratio {
            multiplier: 127,
            shift: 0,
        },
        input: Layout {
            shape: vec![2, 6, 5],
            axes: vec![1, 2, 0],
        },
        pixels: Some(PixelRule {
            height: 6,
            width: 5,
            tables: vec![[1; 256]; 2],
        }),
        output_scale: Ratio {
            multiplier: 3,
            shift: 9,
        },
        output: Layout {
            shape: vec![3],
            axes: vec![0],
        },
        labels: vec!["cat".into(), "dog".into(), "owl".into()],
    }
}

/// Tokens of a symbolic length 2 to 5: embedding, each reduction, reciprocals and tables, a norm, a
/// product with row factor, scores and what they weigh, both tensors beside each other.
pub(crate) fn rows() -> Program {
    Program {
        symbols: vec![Symbol {
            minimum: 2,
            maximum: 5,
        }],
        nodes: row_nodes(),
        output: 18,
        interior: Vec::new(),
        interface: Interface {
            pixels: None,
            labels: vec![],
            input: Layout::default(),
            output: Layout::default(),
            ..interface()
        },
        notes: Notes::default(),
    }
}

/// Index of the first reduction in [`rows`].
pub(crate) const REDUCTIONS: usize = 2;

fn tokens(times: u32) -> Dim {
    Dim::affine(1, times, 0)
}

fn row_nodes() -> Vec<Node> {
    let node = |op, inputs: &[u32], dtype| Node {
        op,
        inputs: inputs.to_vec(),
        dtype,
    };
    let shape = vec![tokens(1)];
    let mut nodes = vec![
        node(Op::Input(InputSpec { shape }), &[], DType::I32),
        node(embedding(), &[0], DType::I16),
    ];
    nodes.extend(ReduceKind::ALL.map(|kind| node(reduction(kind), &[1], DType::I32)));
    let function = |activation| pointwise(Dim::fixed(1), DType::I32, activation);
    nodes.extend([
        node(
            function(Activation::Reciprocal { bits: 30 }),
            &[7],
            DType::I32,
        ),
        node(
            function(Activation::ReciprocalRoot { bits: 62 }),
            &[5],
            DType::I32,
        ),
        node(normalization(), &[1, 3, 10], DType::I8),
        node(row_product(), &[1, 2, 9], DType::I16),
        node(scores(), &[12, 11, 9], DType::I8),
        node(
            table(tokens(4), Activation::Lookup(vec![5; 256])),
            &[13],
            DType::I8,
        ),
        node(
            table(tokens(4), Activation::Interpolate(vec![-9; 513])),
            &[13],
            DType::I16,
        ),
        node(
            table(tokens(4), Activation::Exponential(vec![7; 512])),
            &[13],
            DType::I16,
        ),
        node(weighed(), &[16, 14], DType::I32),
        node(
            Op::Concat(Concat {
                rows: tokens(1),
                columns: vec![tokens(4), tokens(4)],
            }),
            &[15, 16],
            DType::I16,
        ),
    ]);
    nodes
}

fn embedding() -> Op {
    Op::Embedding(Embedding {
        rows: tokens(1),
        columns: 4,
        entries: 3,
        table: Tensor::I16((0..12).map(|at| 100 * at - 700).collect()).into(),
    })
}

fn reduction(kind: ReduceKind) -> Op {
    let (low, high) = DType::I32.range();
    Op::Reduce(Reduce {
        rows: tokens(1),
        columns: Dim::fixed(4),
        kind,
        dtype: DType::I16,
        multiplier: 2,
        shift: 1,
        low,
        high,
    })
}

fn pointwise(columns: Dim, dtype: DType, activation: Activation) -> Op {
    let (low, high) = activation.domain();
    Op::Pointwise(Pointwise {
        rows: tokens(1),
        columns,
        dtype,
        multiplier: 3,
        combine: Combine::Sum,
        second: None,
        shift: 1,
        low,
        high,
        activation: Some(activation),
    })
}

/// With a constant that has an element for each place.
fn table(columns: Dim, activation: Activation) -> Op {
    let mut op = pointwise(columns, DType::I8, activation);
    if let Op::Pointwise(op) = &mut op {
        op.second = Some(Operand {
            dtype: DType::I8,
            spread: Spread::Full,
            multiplier: -2,
            constant: Some(Constant {
                elements: 100,
                values: Tensor::I8(vec![3; 100]),
            }),
        });
    }
    op
}

fn normalization() -> Op {
    Op::Normalize(Normalize {
        rows: tokens(1),
        columns: 4,
        dtype: DType::I16,
        center_bits: 8,
        center: true,
        factor: true,
        shift: FactorShift(20),
        low: -127,
        high: 127,
        constants: vec![
            ColumnConstants {
                bias: 9,
                multiplier: -77,
                shift: 3
            };
            4
        ],
    })
}

/// Four columns of i16 to one, with an addend and a row factor.
fn row_product() -> Op {
    Op::MatMul(MatMul {
        rows: tokens(1),
        row_elements: 4,
        k_offset: 0,
        k_len: 4,
        out_channels: 1,
        dtype: DType::I16,
        factor: Some(FactorShift(15)),
        linear: Linear {
            low: -32_767,
            high: 32_767,
            ..linear(4, 1, Some(DType::I32), false)
        },
    })
}

/// One number of each token times each of the four of all tokens.
fn scores() -> Op {
    Op::BatchMatMul(BatchMatMul {
        batch: 1,
        group: 1,
        rows: tokens(1),
        columns: tokens(4),
        k: Dim::fixed(1),
        interleave: Interleave {
            x: true,
            y: false,
            output: true,
        },
        dtype: DType::I16,
        multiplier: 32_767,
        shift: 46,
        factor: Some(FactorShift(1)),
        low: -127,
        high: 127,
    })
}

fn weighed() -> Op {
    let (low, high) = DType::I32.range();
    Op::BatchMatMul(BatchMatMul {
        batch: 2,
        group: 2,
        rows: tokens(1),
        columns: tokens(2),
        k: tokens(2),
        interleave: Interleave::default(),
        dtype: DType::I16,
        multiplier: 1,
        shift: 1,
        factor: None,
        low,
        high,
    })
}
