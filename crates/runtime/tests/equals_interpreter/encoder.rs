//! A small transformer encoder with random weights, of the shape that an importer makes: rows quantised
//! by their own magnitude, softmax and norms out of row values, residuals of 16 bits.

use selfsame_ir::{
    Activation, BatchMatMul, ChannelConstants, CheckedProgram, ColumnConstants, Combine, Constant,
    DType, Dim, Embedding, FactorShift, InputSpec, Interface, Interleave, Layout, Linear, MatMul,
    Move, Node, Normalize, Notes, Op, Operand, Pointwise, Program, Ratio, Reduce, ReduceKind,
    Spread, Symbol, Tensor,
};

const TOKENS: Dim = Dim::affine(1, 1, 0);

/// Sizes of an encoder.
#[derive(Clone, Copy)]
pub(crate) struct Sizes {
    pub(crate) tokens_max: u32,
    pub(crate) heads: u32,
    pub(crate) head: u32,
    pub(crate) inner: u32,
    pub(crate) layers: u32,
    /// Rows of the table of embeddings.
    pub(crate) entries: u32,
}

/// Builds the nodes; `range(low, high)` gives random numbers.
struct Encoder<'a> {
    sizes: Sizes,
    range: &'a mut dyn FnMut(i64, i64) -> i64,
    nodes: Vec<Node>,
}

impl Encoder<'_> {
    fn hidden(&self) -> u32 {
        self.sizes.heads * self.sizes.head
    }

    fn words(&mut self, len: u32) -> Tensor {
        Tensor::I16(
            (0..len)
                .map(|_| (self.range)(-32_767, 32_767) as i16)
                .collect(),
        )
    }

    fn push(&mut self, op: Op, inputs: &[u32], dtype: DType) -> u32 {
        let inputs = inputs.to_vec();
        self.nodes.push(Node { op, inputs, dtype });
        self.nodes.len() as u32 - 1
    }

    /// `[tokens][k]` times `[outputs][k]`; inputs beyond x and the addend are row factors.
    fn matmul(&mut self, inputs: &[u32], form: Form, [outputs, k]: [u32; 2]) -> u32 {
        let (low, high) = form.output.range();
        let range = &mut self.range;
        let constants = (0..outputs).map(|_| ChannelConstants {
            bias: range(-9_000, 9_000) as i32,
            multiplier: range(1, 32_767) as i32,
            addend_multiplier: i32::from(form.addend) * 77,
            shift: 22,
        });
        let constants = constants.collect();
        let has_factor = inputs.len() == 2 + usize::from(form.addend);
        let op = MatMul {
            rows: TOKENS,
            row_elements: k,
            k_offset: 0,
            k_len: k,
            out_channels: outputs,
            dtype: form.input,
            factor: has_factor.then_some(FactorShift(14)),
            linear: Linear {
                weights: (0..outputs * k).map(|_| range(-127, 127) as i8).collect(),
                constants,
                addend: form.addend.then_some(DType::I16),
                low,
                high,
                table: None,
            },
        };
        self.push(Op::MatMul(op), inputs, form.output)
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
            activation: Some(Activation::Reciprocal { bits: 30 }),
            ..plain(1, DType::I32, i32::MIN, i32::MAX)
        };
        self.pointwise(x, op, None, DType::I32)
    }

    /// Rows quantised by their own largest magnitude, and the reciprocal of that.
    fn quantised(&mut self, x: u32, columns: u32) -> (u32, u32) {
        let width = Dim::fixed(columns);
        let magnitude = self.reduce(x, DType::I16, ReduceKind::Magnitude, TOKENS, width);
        let scale = self.reciprocal(magnitude, TOKENS);
        let op = Pointwise {
            combine: Combine::Product,
            multiplier: 127,
            second: Some(row_operand(0)),
            shift: 30,
            ..plain(columns, DType::I16, -127, 127)
        };
        (self.pointwise(x, op, Some(scale), DType::I8), magnitude)
    }

    fn embedded(&mut self) -> u32 {
        let op = Op::Input(InputSpec {
            shape: vec![TOKENS],
        });
        let input = self.push(op, &[], DType::I32);
        let (hidden, entries) = (self.hidden(), self.sizes.entries);
        let table = self.words(entries * hidden);
        let op = Op::Embedding(Embedding {
            rows: TOKENS,
            columns: hidden,
            entries,
            table: table.into(),
        });
        let x = self.push(op, &[input], DType::I16);
        let positions = Operand {
            dtype: DType::I16,
            spread: Spread::Full,
            multiplier: 1,
            constant: Some(Constant {
                elements: self.sizes.tokens_max * hidden,
                values: self.words(self.sizes.tokens_max * hidden),
            }),
        };
        let op = Pointwise {
            second: Some(positions),
            ..plain(hidden, DType::I16, -32_767, 32_767)
        };
        self.pointwise(x, op, None, DType::I16)
    }

    fn attention(&mut self, [q, k, v]: [u32; 3]) -> u32 {
        let (batch, head, hidden) = (self.sizes.heads, self.sizes.head, self.hidden());
        let heads = |k, columns, dtype, factor| BatchMatMul {
            batch,
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
            ..heads(Dim::fixed(head), TOKENS, DType::I8, None)
        };
        let scores = self.push(Op::BatchMatMul(op), &[q, k], DType::I16);
        let rows = Dim::affine(1, batch, 0);
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
            ..plain(hidden, DType::I16, 0, 65_535)
        };
        let probabilities = self.pointwise(scores, op, Some(most), DType::I16);
        let sum = self.reduce(probabilities, DType::I16, ReduceKind::Sum, rows, TOKENS);
        let scale = self.reciprocal(sum, rows);
        let op = Move::transpose(&[1, 0], vec![TOKENS, Dim::fixed(hidden)]);
        let turned = self.push(Op::Move(op), &[v], DType::I8);
        let op = BatchMatMul {
            interleave: Interleave {
                x: false,
                y: false,
                output: true,
            },
            ..heads(TOKENS, Dim::fixed(head), DType::I16, Some(FactorShift(12)))
        };
        let inputs = [probabilities, turned, scale];
        self.push(Op::BatchMatMul(op), &inputs, DType::I8)
    }

    fn norm(&mut self, x: u32) -> u32 {
        let width = Dim::fixed(self.hidden());
        let mean = self.reduce(x, DType::I16, ReduceKind::Mean, TOKENS, width);
        let spread = self.reduce(x, DType::I16, ReduceKind::Variance, TOKENS, width);
        let op = Pointwise {
            activation: Some(Activation::ReciprocalRoot { bits: 50 }),
            ..plain(1, DType::I32, i32::MIN, i32::MAX)
        };
        let scale = self.pointwise(spread, op, None, DType::I32);
        let hidden = self.hidden();
        let range = &mut self.range;
        let constants = (0..hidden).map(|_| ColumnConstants {
            bias: range(-9_000, 9_000) as i32,
            multiplier: range(-32_767, 32_767) as i32,
            shift: 9,
        });
        let op = Normalize {
            rows: TOKENS,
            columns: hidden,
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

    /// Attention with its residual and norm, then the inner layers with theirs.
    fn layer(&mut self, x: u32) -> u32 {
        let (hidden, inner) = (self.hidden(), self.sizes.inner);
        let bytes = Form {
            input: DType::I8,
            addend: false,
            output: DType::I8,
        };
        let words = Form {
            output: DType::I16,
            ..bytes
        };
        let residual = Form {
            addend: true,
            ..words
        };
        let (rows, scale) = self.quantised(x, hidden);
        let heads = [0; 3].map(|_| self.matmul(&[rows, scale], bytes, [hidden; 2]));
        let context = self.attention(heads);
        let sum = self.matmul(&[context, x], residual, [hidden; 2]);
        let x = self.norm(sum);
        let (rows, scale) = self.quantised(x, hidden);
        let wide = self.matmul(&[rows, scale], words, [inner, hidden]);
        let entries = (0..513).map(|i: i16| i * 60 - 16_000).collect();
        let op = Pointwise {
            activation: Some(Activation::Interpolate(entries)),
            ..plain(inner, DType::I16, -32_768, 32_767)
        };
        let bent = self.pointwise(wide, op, None, DType::I16);
        let (rows, scale) = self.quantised(bent, inner);
        let sum = self.matmul(&[rows, x, scale], residual, [hidden, inner]);
        self.norm(sum)
    }
}

/// Types of a matrix product.
#[derive(Clone, Copy)]
struct Form {
    input: DType,
    addend: bool,
    output: DType,
}

/// Input i32 `[tokens]`, output i16 `[tokens][hidden]`; symbol 1 is the number of tokens.
pub(crate) fn program(sizes: Sizes, range: &mut dyn FnMut(i64, i64) -> i64) -> CheckedProgram {
    let nodes = Vec::new();
    let mut encoder = Encoder {
        sizes,
        range,
        nodes,
    };
    let mut x = encoder.embedded();
    for _ in 0..sizes.layers {
        x = encoder.layer(x);
    }
    let form = Form {
        input: DType::I16,
        addend: false,
        output: DType::I16,
    };
    let hidden = encoder.hidden();
    let output = encoder.matmul(&[x], form, [hidden; 2]);
    let one = Ratio {
        multiplier: 1,
        shift: 0,
    };
    let program = Program {
        symbols: vec![Symbol {
            minimum: 1,
            maximum: sizes.tokens_max,
        }],
        nodes: encoder.nodes,
        output,
        interior: Vec::new(),
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
    CheckedProgram::new(program).expect("the encoder is a program")
}

/// `x*2 >> 1` clamped, over `[tokens][columns]`.
fn plain(columns: u32, dtype: DType, low: i32, high: i32) -> Pointwise {
    Pointwise {
        rows: TOKENS,
        columns: Dim::fixed(columns),
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
