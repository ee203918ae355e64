//! Programs to play games on: between them every node kind, element type, padding, group, dilation,
//! addend, row factor, activation, slice and symbolic dimension, tensors of one tile and of many; with and
//! without interior nodes.
//!
//! Everything is drawn from a seed, with integers only.

// The path is written out because a suite of another crate includes this file.
#[path = "game_zoo/encoder.rs"]
mod encoder;
#[path = "game_zoo/long.rs"]
mod long;
#[path = "game_zoo/segments.rs"]
mod segments;

use selfsame_ir::interface::{Interface, Layout, Ratio};
use selfsame_ir::{
    Activation, AvgPool, ChannelConstants, CheckedProgram, Combine, Concat, Constant, Conv, DType,
    Dim, DimValues, InputSpec, Linear, MatMul, MaxPool, Move, Node, Notes, Op, Operand, Pointwise,
    Program, Spread, Symbol, Tensor, Window,
};

pub use encoder::encoder;
pub use long::{long, long_rows};
pub use segments::{interior, segmented};

/// A small deterministic generator (xorshift64*); good enough to spread test cases.
#[derive(Debug, Clone)]
pub struct Dice(u64);

impl Dice {
    /// Starts from any seed.
    pub fn new(seed: u64) -> Self {
        Self(seed ^ 0x9e37_79b9_7f4a_7c15)
    }

    /// The next 64 bits.
    pub fn roll(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    /// A value in `0..bound`.
    pub fn below(&mut self, bound: u64) -> u64 {
        (self.roll() >> 16) % bound.max(1)
    }

    /// A value in `low..=high`.
    pub fn between(&mut self, low: i32, high: i32) -> i32 {
        let span = u64::try_from(i64::from(high) - i64::from(low) + 1).unwrap_or(1);
        let offset = i64::try_from(self.below(span)).unwrap_or(0);
        i32::try_from(i64::from(low) + offset).unwrap_or(low)
    }

    /// An int8 that is not -128.
    pub fn int8(&mut self) -> i8 {
        i8::try_from(self.between(-127, 127)).unwrap_or(0)
    }
}

/// A program with dimension values and a name.
#[derive(Debug, Clone)]
pub struct Animal {
    /// Its name in reports.
    pub name: &'static str,
    /// The program.
    pub program: CheckedProgram,
    /// Values of its symbols.
    pub values: DimValues,
}

impl Animal {
    /// An input of the program's shape, drawn from `seed`.
    ///
    /// # Panics
    ///
    /// Never: values are drawn inside the range of the type.
    pub fn input(&self, seed: u64) -> Tensor {
        let (count, dtype) = self
            .program
            .output_of(0, &self.values)
            .unwrap_or((0, DType::I8));
        let (low, high) = match dtype {
            DType::I8 => (-127, 127),
            DType::I16 => (-32_767, 32_767),
            // Tokens, and a few indices that no table has.
            DType::I32 => (-2, 50),
        };
        let mut dice = Dice::new(seed);
        let values: Vec<i32> = (0..count).map(|_| dice.between(low, high)).collect();
        Tensor::from_values(dtype, &values).expect("drawn inside the range of the type")
    }
}

struct Builder {
    dice: Dice,
    nodes: Vec<Node>,
}

impl Builder {
    fn new(seed: u64, dtype: DType, shape: &[Dim]) -> Self {
        let op = Op::Input(InputSpec {
            shape: shape.to_vec(),
        });
        Self {
            dice: Dice::new(seed),
            nodes: vec![Node {
                op,
                inputs: Vec::new(),
                dtype,
            }],
        }
    }

    fn push(&mut self, op: Op, inputs: &[u32], dtype: DType) -> u32 {
        self.nodes.push(Node {
            op,
            inputs: inputs.to_vec(),
            dtype,
        });
        u32::try_from(self.nodes.len() - 1).expect("zoo programs are small")
    }

    /// Weights, and constants that bring a typical accumulator to about a third of int8.
    fn linear(&mut self, outputs: u32, terms: u32, addend: Option<DType>, dtype: DType) -> Linear {
        let spread = i32::try_from(terms.isqrt().max(1)).unwrap_or(1);
        let gain = match dtype {
            DType::I8 => 8_000,
            DType::I16 => 32_000,
            DType::I32 => 32_767,
        };
        let constants = (0..outputs)
            .map(|_| ChannelConstants {
                bias: self.dice.between(-20_000, 20_000),
                multiplier: (gain / spread + self.dice.between(0, 50)).clamp(1, 32_767),
                addend_multiplier: if addend.is_some() {
                    self.dice.between(0, 32_767)
                } else {
                    0
                },
                shift: match dtype {
                    DType::I8 => 20,
                    DType::I16 => 14,
                    DType::I32 => 2,
                },
            })
            .collect();
        let (low, high) = match dtype {
            DType::I8 => (self.dice.between(-127, 0), self.dice.between(60, 127)),
            DType::I16 => (-20_000, 32_767),
            DType::I32 => (i32::MIN, i32::MAX),
        };
        Linear {
            weights: (0..outputs * terms).map(|_| self.dice.int8()).collect(),
            constants,
            addend,
            low,
            high,
            table: None,
        }
    }

    fn table(&mut self, linear: &mut Linear) {
        let mut table = Box::new([0; 256]);
        table.iter_mut().for_each(|entry| *entry = self.dice.int8());
        linear.table = Some(table);
        linear.low = -128;
        linear.high = 127;
    }

    fn finish(self, name: &'static str, symbols: Vec<Symbol>, values: DimValues) -> Animal {
        let output = u32::try_from(self.nodes.len() - 1).expect("zoo programs are small");
        let scale = Ratio {
            multiplier: 1,
            shift: 0,
        };
        let program = Program {
            symbols,
            nodes: self.nodes,
            output,
            interior: Vec::new(),
            interface: Interface {
                input_scale: scale,
                input: Layout::default(),
                pixels: None,
                output_scale: scale,
                output: Layout::default(),
                labels: Vec::new(),
            },
            notes: Notes {
                name: name.into(),
                nodes: Vec::new(),
            },
        };
        let program = CheckedProgram::new(program).expect("zoo programs are well formed");
        Animal {
            name,
            program,
            values,
        }
    }
}

fn dims(extents: &[u32]) -> Vec<Dim> {
    extents.iter().map(|&extent| Dim::fixed(extent)).collect()
}

fn conv(
    builder: &mut Builder,
    (height, width, channels): (u32, u32, u32),
    (outputs, groups): (u32, u32),
    window: Window,
    (addend, dtype): (Option<DType>, DType),
) -> Conv {
    let terms = u32::try_from(window.cells()).unwrap_or(1) * (channels / groups);
    Conv {
        height: Dim::fixed(height),
        width: Dim::fixed(width),
        channels,
        out_channels: outputs,
        groups,
        window,
        dtype: DType::I8,
        linear: builder.linear(outputs, terms, addend, dtype),
    }
}

fn matmul(
    builder: &mut Builder,
    rows: Dim,
    (row_elements, k_offset, k_len): (u32, u32, u32),
    outputs: u32,
    (addend, dtype): (Option<DType>, DType),
) -> MatMul {
    let linear = builder.linear(outputs, k_len, addend, dtype);
    MatMul {
        rows,
        row_elements,
        k_offset,
        k_len,
        out_channels: outputs,
        dtype: DType::I8,
        factor: None,
        linear,
    }
}

/// A residual network: padded, grouped, dilated and strided convolutions with an addend and a
/// table; both pools; a transposition; a product at the end.
///
/// # Panics
///
/// Never: its extents are constants.
pub fn residual(seed: u64) -> Animal {
    let mut b = Builder::new(seed, DType::I8, &dims(&[12, 11, 3]));
    let i8s = (None, DType::I8);
    let op = conv(&mut b, (12, 11, 3), (16, 1), Window::square(3, 1, 1), i8s);
    let first = b.push(Op::Conv(op), &[0], DType::I8);
    let added = (Some(DType::I8), DType::I8);
    let op = conv(
        &mut b,
        (12, 11, 16),
        (16, 4),
        Window::square(3, 1, 1),
        added,
    );
    let second = b.push(Op::Conv(op), &[first, first], DType::I8);
    let window = Window {
        kernel: [3, 2],
        stride: [2, 1],
        pad: [2, 1, 0, 3],
        dilation: [2, 3],
    };
    let mut op = conv(&mut b, (12, 11, 16), (24, 1), window, i8s);
    b.table(&mut op.linear);
    let shape = Op::Conv(op.clone())
        .output_shape(&DimValues::NONE)
        .expect("constant");
    let third = b.push(Op::Conv(op), &[second], DType::I8);
    let (height, width) = (shape[0], shape[1]);
    let window = Window {
        kernel: [3, 3],
        stride: [2, 2],
        pad: [1, 1, 1, 1],
        dilation: [1, 1],
    };
    let pool = Op::MaxPool(MaxPool {
        height: Dim::fixed(height),
        width: Dim::fixed(width),
        channels: 24,
        window,
    });
    let shape = pool.output_shape(&DimValues::NONE).expect("constant");
    let pooled = b.push(pool, &[third], DType::I8);
    let pool = Op::AvgPool(AvgPool {
        height: Dim::fixed(shape[0]),
        width: Dim::fixed(shape[1]),
        channels: 24,
        window: Window {
            kernel: [2, 2],
            stride: [1, 2],
            pad: [0, 1, 1, 0],
            dilation: [1, 1],
        },
        multiplier: 16_384,
        shift: 16,
        low: -100,
        high: 127,
    });
    let shape = pool.output_shape(&DimValues::NONE).expect("constant");
    let averaged = b.push(pool, &[pooled], DType::I8);
    let turn = Op::Move(Move::transpose(&[2, 0, 1], dims(&shape)));
    let turned = b.push(turn, &[averaged], DType::I8);
    let len = shape.iter().product();
    let op = matmul(&mut b, Dim::fixed(1), (len, 0, len), 10, i8s);
    b.push(Op::MatMul(op), &[turned], DType::I8);
    b.finish("residual", Vec::new(), DimValues::NONE)
}

/// Products over slices with int32 partial sums, int16 outputs, a pool and a transposition of wide
/// elements, rows that a symbol counts.
pub fn sums(seed: u64) -> Animal {
    let rows = Dim::affine(1, 1, 0);
    let mut b = Builder::new(seed, DType::I8, &[rows, Dim::fixed(700)]);
    let i32s = (None, DType::I32);
    let mut op = matmul(&mut b, rows, (700, 0, 300), 24, i32s);
    identity(&mut op.linear, 0);
    let first = b.push(Op::MatMul(op), &[0], DType::I32);
    let added = (Some(DType::I32), DType::I32);
    let mut op = matmul(&mut b, rows, (700, 300, 200), 24, added);
    identity(&mut op.linear, 2);
    let second = b.push(Op::MatMul(op), &[0, first], DType::I32);
    let added = (Some(DType::I32), DType::I8);
    let mut op = matmul(&mut b, rows, (700, 500, 200), 24, added);
    // A = M: the last partial sum is scaled like the accumulator.
    let scaled = |c: &mut ChannelConstants| c.addend_multiplier = c.multiplier;
    op.linear.constants.iter_mut().for_each(scaled);
    let third = b.push(Op::MatMul(op), &[0, second], DType::I8);
    let op = matmul(&mut b, rows, (24, 0, 24), 40, (None, DType::I16));
    let fourth = b.push(Op::MatMul(op), &[third], DType::I16);
    let turn = Move::transpose(&[1, 0], vec![rows, Dim::fixed(40)]);
    let turned = b.push(Op::Move(turn), &[fourth], DType::I16);
    let pool = Op::MaxPool(MaxPool {
        height: Dim::fixed(40),
        width: rows,
        channels: 1,
        window: Window {
            kernel: [2, 2],
            stride: [1, 1],
            pad: [1, 0, 0, 0],
            dilation: [1, 1],
        },
    });
    b.push(pool, &[turned], DType::I16);
    let symbols = vec![Symbol {
        minimum: 4,
        maximum: 30,
    }];
    b.finish("sums", symbols, DimValues(vec![21]))
}

/// The constants of a partial sum (2.17): M = 2, s = 1, A = `addend`.
fn identity(linear: &mut Linear, addend: i32) {
    for constants in &mut linear.constants {
        constants.multiplier = 2;
        constants.addend_multiplier = addend;
        constants.shift = 1;
    }
}

/// Tensors of more than 128 tiles, so that one tensor takes two answers.
pub fn wide(seed: u64) -> Animal {
    let mut b = Builder::new(seed, DType::I8, &dims(&[60, 60, 4]));
    let i8s = (None, DType::I8);
    let op = conv(&mut b, (60, 60, 4), (20, 1), Window::square(3, 1, 1), i8s);
    let first = b.push(Op::Conv(op), &[0], DType::I8);
    let turn = Move::transpose(&[1, 2, 0], dims(&[60, 60, 20]));
    let turned = b.push(Op::Move(turn), &[first], DType::I8);
    let pool = Op::AvgPool(AvgPool {
        height: Dim::fixed(60),
        width: Dim::fixed(20),
        channels: 60,
        window: Window {
            kernel: [8, 4],
            stride: [7, 4],
            pad: [0, 0, 0, 0],
            dilation: [1, 1],
        },
        multiplier: 2_048,
        shift: 16,
        low: -127,
        high: 127,
    });
    b.push(pool, &[turned], DType::I8);
    b.finish("wide", Vec::new(), DimValues::NONE)
}

/// A pointwise node over `[rows][columns]` of int8, without table.
fn pointwise(rows: u32, columns: u32, second: Option<Operand>) -> Pointwise {
    Pointwise {
        rows: Dim::fixed(rows),
        columns: Dim::fixed(columns),
        dtype: DType::I8,
        multiplier: 20_000,
        combine: Combine::Sum,
        second,
        shift: 14,
        low: -120,
        high: 127,
        activation: None,
    }
}

fn constant(spread: Spread, values: Tensor) -> Operand {
    Operand {
        dtype: values.dtype(),
        spread,
        multiplier: -9_000,
        constant: Some(Constant {
            elements: u32::try_from(values.len()).unwrap_or(u32::MAX),
            values,
        }),
    }
}

/// Moves with padding, steps and fill between, concatenations of both shapes, products, sums with
/// constants, and both kinds of tables.
pub fn mixed(seed: u64) -> Animal {
    let mut b = Builder::new(seed, DType::I8, &dims(&[12, 12, 8]));
    let i8s = (None, DType::I8);
    let op = conv(&mut b, (12, 12, 8), (8, 1), Window::square(3, 1, 1), i8s);
    let first = b.push(Op::Conv(op), &[0], DType::I8);
    let mut op = Move::transpose(&[0, 1, 2], dims(&[12, 12, 8]));
    (op.fill, op.walks[0].offset, op.walks[0].extent) = (9, -1, Dim::fixed(14));
    (op.walks[1].numerator, op.walks[1].extent) = (2, Dim::fixed(6));
    let padded = b.push(Op::Move(op), &[first], DType::I8);
    let mut op = Move::transpose(&[0, 1, 2], dims(&[14, 6, 8]));
    (op.walks[1].exact, op.walks[1].denominator) = (true, 2);
    op.walks[1].extent = Dim::fixed(12);
    let spread = b.push(Op::Move(op), &[padded], DType::I8);
    let pool = Op::AvgPool(AvgPool {
        height: Dim::fixed(12),
        width: Dim::fixed(12),
        channels: 8,
        window: Window::square(12, 1, 0),
        multiplier: 14_563,
        shift: 20,
        low: -127,
        high: 127,
    });
    let pooled = b.push(pool, &[first], DType::I8);
    let gate = Operand {
        dtype: DType::I8,
        spread: Spread::Column,
        multiplier: 0,
        constant: None,
    };
    let mut op = pointwise(144, 8, Some(gate));
    (op.combine, op.low, op.high) = (Combine::Product, -32_767, 32_767);
    let product = b.push(Op::Pointwise(op), &[first, pooled], DType::I16);
    let rows = (0..144).map(|_| b.dice.between(-3_000, 3_000)).collect();
    let mut op = pointwise(144, 8, Some(constant(Spread::Row, Tensor::I32(rows))));
    (op.shift, op.low) = (19, -128);
    op.activation = Some(Activation::Lookup(
        (0..256).map(|_| b.dice.int8()).collect(),
    ));
    let looked = b.push(Op::Pointwise(op), &[first], DType::I8);
    let mut op = pointwise(144, 8, None);
    (op.dtype, op.low, op.high) = (DType::I16, -32_768, 32_767);
    let entries = (0..513).map(|_| b.dice.between(-32_767, 32_767));
    let entries = entries.map(|entry| i16::try_from(entry).unwrap_or_default());
    op.activation = Some(Activation::Interpolate(entries.collect()));
    let between = b.push(Op::Pointwise(op), &[product], DType::I16);
    let side = |rows: u32, columns: &[u32]| {
        Op::Concat(Concat {
            rows: Dim::fixed(rows),
            columns: dims(columns),
        })
    };
    let beside = b.push(side(144, &[8, 8]), &[looked, first], DType::I8);
    let behind = b.push(side(1, &[1_152, 1_152]), &[product, between], DType::I16);
    let mut op = pointwise(
        1,
        2_304,
        Some(constant(Spread::One, Tensor::I16(vec![-700]))),
    );
    (op.dtype, op.shift) = (DType::I16, 21);
    let narrow = b.push(Op::Pointwise(op), &[behind], DType::I8);
    let all = side(1, &[2_304, 2_304, 1_344]);
    let all = b.push(all, &[beside, narrow, spread], DType::I8);
    let op = matmul(&mut b, Dim::fixed(1), (5_952, 0, 5_952), 10, i8s);
    b.push(Op::MatMul(op), &[all], DType::I8);
    b.finish("mixed", Vec::new(), DimValues::NONE)
}

/// A chain of more than 256 committed nodes, so that the trace tree itself is named level by level, with
/// one segment of ten interior ones.
///
/// # Panics
///
/// Never: a chain may be cut anywhere.
pub fn deep(seed: u64) -> Animal {
    let mut b = Builder::new(seed, DType::I8, &dims(&[6, 5]));
    for step in 0..270_u32 {
        let (rows, columns) = if step.is_multiple_of(2) {
            (6, 5)
        } else {
            (5, 6)
        };
        let turn = Move::transpose(&[1, 0], dims(&[rows, columns]));
        b.push(Op::Move(turn), &[step], DType::I8);
    }
    let deep = b.finish("deep", Vec::new(), DimValues::NONE);
    let mut program = deep.program.into_program();
    program.interior = (120..130).collect();
    Animal {
        program: CheckedProgram::new(program).expect("a chain may be cut anywhere"),
        ..deep
    }
}

/// The programs that faults are planted in: those of an odd seed have interior nodes.
pub fn zoo(seed: u64) -> Vec<Animal> {
    let animals = vec![
        residual(seed),
        sums(seed),
        wide(seed),
        mixed(seed),
        encoder(seed),
    ];
    if seed.is_multiple_of(2) {
        return animals;
    }
    let with_interior = animals
        .into_iter()
        .map(|animal| segmented(animal, 5 * seed));
    with_interior.collect()
}

/// The shapes of the ResNet-20 that the repository ships (28 x 28 x 1, widths 16, 32, 64), with
/// weights from `seed`: what a dispute costs depends on shapes alone.
pub fn resnet20(seed: u64) -> Animal {
    let mut b = Builder::new(seed, DType::I8, &dims(&[28, 28, 1]));
    let plain = (None, DType::I8);
    let added = (Some(DType::I8), DType::I8);
    let op = conv(&mut b, (28, 28, 1), (16, 1), Window::square(3, 1, 1), plain);
    let mut x = b.push(Op::Conv(op), &[0], DType::I8);
    let (mut extent, mut width) = (28, 16);
    for stage in 0..3_u32 {
        for block in 0..3 {
            let first = stage > 0 && block == 0;
            let (stride, outputs) = if first { (2, width * 2) } else { (1, width) };
            let from = (extent, extent, width);
            let window = Window::square(3, stride, 1);
            let op = conv(&mut b, from, (outputs, 1), window, plain);
            let inner = b.push(Op::Conv(op), &[x], DType::I8);
            let shortcut = if first {
                let op = conv(&mut b, from, (outputs, 1), Window::square(1, 2, 0), plain);
                b.push(Op::Conv(op), &[x], DType::I8)
            } else {
                x
            };
            extent = extent.div_ceil(u32::from(stride));
            width = outputs;
            let from = (extent, extent, width);
            let op = conv(&mut b, from, (width, 1), Window::square(3, 1, 1), added);
            x = b.push(Op::Conv(op), &[inner, shortcut], DType::I8);
        }
    }
    let kernel = u16::try_from(extent).unwrap_or(1);
    let pool = Op::AvgPool(AvgPool {
        height: Dim::fixed(extent),
        width: Dim::fixed(extent),
        channels: width,
        window: Window::square(kernel, 1, 0),
        multiplier: 21_399,
        shift: 20,
        low: -127,
        high: 127,
    });
    let pooled = b.push(pool, &[x], DType::I8);
    let op = matmul(&mut b, Dim::fixed(1), (width, 0, width), 10, plain);
    b.push(Op::MatMul(op), &[pooled], DType::I8);
    b.finish("resnet20", Vec::new(), DimValues::NONE)
}
