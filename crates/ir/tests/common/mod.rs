//! A small program with every kind of node.

use selfsame_ir::interface::{Interface, Layout, PixelRule, Ratio};
use selfsame_ir::{
    AvgPool, ChannelConstants, Conv, DType, Dim, InputSpec, Linear, MatMul, MaxPool, Move, Node,
    Notes, Op, Program, Window,
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
