//! Random programs of every operator, the same ones everywhere.
//!
//! The generator walks: it adds nodes of random kinds and shapes to what is there, with views,
//! addends of all types, tables, groups, padding, dilation, steep and flat scales.

mod rows;

use selfsame_ir::{
    AvgPool, ChannelConstants, CheckedProgram, Conv, DType, Dim, DimValues, InputSpec, Interface,
    Layout, Linear, MatMul, MaxPool, Move, Node, Notes, Op, Program, Ratio, Tensor, Window,
};

/// Xorshift: the same programs everywhere.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self) -> u32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 24) as u32
    }

    /// A number in `low..=high`.
    pub(crate) fn range(&mut self, low: i64, high: i64) -> i64 {
        low + i64::from(self.next()) % (high - low + 1)
    }

    pub(crate) fn size(&mut self, low: u32, high: u32) -> u32 {
        self.range(i64::from(low), i64::from(high)) as u32
    }

    pub(crate) fn one_in(&mut self, n: u32) -> bool {
        self.next().is_multiple_of(n)
    }

    /// Mostly uniform, often an extreme.
    pub(crate) fn byte(&mut self) -> i8 {
        match self.next() % 8 {
            0 => -127,
            1 => 127,
            2 => 0,
            _ => self.range(-127, 127) as i8,
        }
    }
}

/// A node's output as the generator sees it.
#[derive(Clone)]
struct Made {
    dtype: DType,
    shape: Vec<u32>,
}

impl Made {
    fn elements(&self) -> u32 {
        self.shape.iter().product()
    }
}

pub(crate) struct Generator {
    random: Random,
    nodes: Vec<Node>,
    made: Vec<Made>,
}

impl Generator {
    pub(crate) fn program(seed: u64) -> CheckedProgram {
        let mut random = Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
        let shape = vec![random.size(1, 9), random.size(1, 17), random.size(1, 20)];
        let dtype = match random.next() % 8 {
            0 => DType::I16,
            1 => DType::I32,
            _ => DType::I8,
        };
        let input = Op::Input(InputSpec {
            shape: shape.iter().map(|&e| Dim::fixed(e)).collect(),
        });
        let mut generator = Self {
            random,
            nodes: vec![Node {
                op: input,
                inputs: Vec::new(),
                dtype,
            }],
            made: vec![Made { dtype, shape }],
        };
        let wanted = 1 + generator.random.size(1, 9) as usize;
        let mut tries = 0;
        while generator.nodes.len() < wanted || generator.nodes.len() < 2 {
            generator.add();
            tries += 1;
            assert!(tries < 1000, "seed {seed} finds no node");
        }
        let output = generator.nodes.len() as u32 - 1;
        let one = Ratio {
            multiplier: 1,
            shift: 0,
        };
        let program = Program {
            symbols: Vec::new(),
            nodes: generator.nodes,
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
        CheckedProgram::new(program).unwrap_or_else(|error| panic!("seed {seed}: {error}"))
    }

    /// Adds one node, or none if its random shape is impossible.
    fn add(&mut self) {
        let source = self.random.next() as usize % self.nodes.len();
        let from = self.made[source].clone();
        if self.random.one_in(2) {
            return self.add_rows(source as u32, &from);
        }
        let added = match (self.random.next() % 8, from.dtype) {
            (0, _) => Some(self.transpose(&from)),
            (1, _) => self.max_pool(&from),
            (2, DType::I8) => self.avg_pool(&from),
            (3 | 4, DType::I8 | DType::I16) => self.matmul(&from),
            (5..=7, DType::I8 | DType::I16) => self.conv(&from),
            _ => None,
        };
        let Some((op, dtype, shape, addend)) = added else {
            return;
        };
        let mut inputs = vec![source as u32];
        inputs.extend(addend);
        let made = Made { dtype, shape };
        if made.elements() <= 20_000 {
            self.nodes.push(Node { op, inputs, dtype });
            self.made.push(made);
        }
    }

    /// A shape `[h][w][c]` of the same elements: the source's own, or a view of it.
    fn cube(&mut self, from: &Made) -> [u32; 3] {
        if let [h, w, c] = from.shape[..]
            && !self.random.one_in(4)
        {
            return [h, w, c];
        }
        let elements = from.elements();
        let divisor = |random: &mut Random, n: u32| {
            let wanted = random.size(1, 12);
            (1..=wanted)
                .rev()
                .find(|d| n.is_multiple_of(*d))
                .unwrap_or(1)
        };
        let h = divisor(&mut self.random, elements);
        let w = divisor(&mut self.random, elements / h);
        [h, w, elements / h / w]
    }

    fn window(&mut self, [h, w, _]: [u32; 3], is_pool: bool) -> Option<(Window, u32, u32)> {
        let mut window = Window::square(1, 1, 0);
        for axis in 0..2 {
            window.kernel[axis] = self.random.size(1, 5) as u16;
            window.stride[axis] = self.random.size(1, 3) as u16;
            let dilated = !is_pool && self.random.one_in(4);
            window.dilation[axis] = if dilated { 2 } else { 1 };
            let pad_max = if is_pool {
                u32::from(window.kernel[axis]) - 1
            } else {
                3
            };
            window.pad[axis] = self.random.size(0, pad_max) as u16;
            window.pad[axis + 2] = self.random.size(0, pad_max) as u16;
        }
        let extents = (window.output_extent(0, h)?, window.output_extent(1, w)?);
        Some((window, extents.0, extents.1))
    }

    fn transpose(&mut self, from: &Made) -> Added {
        let rank = from.shape.len();
        let mut permutation: Vec<u8> = (0..rank as u8).collect();
        for i in (1..rank).rev() {
            permutation.swap(i, self.random.next() as usize % (i + 1));
        }
        let shape = permutation
            .iter()
            .map(|&axis| from.shape[usize::from(axis)])
            .collect();
        let dims = from.shape.iter().map(|&e| Dim::fixed(e)).collect();
        (
            Op::Move(Move::transpose(&permutation, dims)),
            from.dtype,
            shape,
            None,
        )
    }

    fn max_pool(&mut self, from: &Made) -> Option<Added> {
        let cube = self.cube(from);
        let (window, h, w) = self.window(cube, true)?;
        let [height, width, channels] = cube;
        let op = MaxPool {
            height: Dim::fixed(height),
            width: Dim::fixed(width),
            channels,
            window,
        };
        Some((Op::MaxPool(op), from.dtype, vec![h, w, channels], None))
    }

    fn avg_pool(&mut self, from: &Made) -> Option<Added> {
        let cube = self.cube(from);
        let (window, h, w) = self.window(cube, true)?;
        let [height, width, channels] = cube;
        let op = AvgPool {
            height: Dim::fixed(height),
            width: Dim::fixed(width),
            channels,
            window,
            multiplier: self.random.range(1, 32_767) as u16,
            shift: self.random.range(1, 20) as u8,
            low: -127,
            high: 127,
        };
        Some((Op::AvgPool(op), DType::I8, vec![h, w, channels], None))
    }

    fn matmul(&mut self, from: &Made) -> Option<Added> {
        let elements = from.elements();
        let wanted = self.random.size(1, 40);
        let rows = (1..=wanted).rev().find(|r| elements.is_multiple_of(*r))?;
        let row_elements = elements / rows;
        let k_offset = if self.random.one_in(3) {
            self.random.size(0, row_elements - 1)
        } else {
            0
        };
        let k_len = self.random.size(1, row_elements - k_offset);
        let out_channels = self.random.size(1, 70);
        let shape = vec![rows, out_channels];
        let (linear, dtype, addend) = self.linear(out_channels, k_len, rows * out_channels);
        let rows = Dim::fixed(rows);
        let op = MatMul {
            rows,
            row_elements,
            k_offset,
            k_len,
            out_channels,
            dtype: from.dtype,
            factor: None,
            linear,
        };
        Some((Op::MatMul(op), dtype, shape, addend))
    }

    fn conv(&mut self, from: &Made) -> Option<Added> {
        let cube = self.cube(from);
        let (window, h, w) = self.window(cube, false)?;
        let [height, width, channels] = cube;
        let divides = |g: &u32| channels.is_multiple_of(*g);
        let wanted = if self.random.one_in(4) { channels } else { 1 };
        let groups = (1..=wanted).rev().find(divides)?;
        let out_channels = groups * self.random.size(1, if 1 < groups { 2 } else { 40 });
        let terms = window.cells() as u32 * (channels / groups);
        let (linear, dtype, addend) = self.linear(out_channels, terms, h * w * out_channels);
        let op = Conv {
            height: Dim::fixed(height),
            width: Dim::fixed(width),
            channels,
            out_channels,
            groups,
            window,
            dtype: from.dtype,
            linear,
        };
        Some((Op::Conv(op), dtype, vec![h, w, out_channels], addend))
    }

    /// Weights of `outputs * terms` and an addend among the nodes with as many elements.
    fn linear(&mut self, outputs: u32, terms: u32, elements: u32) -> (Linear, DType, Option<u32>) {
        let same = |made: &Made| made.elements() == elements;
        let fitting: Vec<usize> = (0..self.made.len())
            .filter(|&i| same(&self.made[i]))
            .collect();
        let addend = (!fitting.is_empty() && !self.random.one_in(3))
            .then(|| fitting[self.random.next() as usize % fitting.len()]);
        let dtype = match self.random.next() % 6 {
            0 => DType::I16,
            1 => DType::I32,
            _ => DType::I8,
        };
        let has_table = dtype == DType::I8 && self.random.one_in(4);
        let (mut low, mut high) = dtype.range();
        if self.random.one_in(3) {
            low = 0;
        }
        if self.random.one_in(6) {
            high = 100;
        }
        let table = has_table.then(|| {
            let mut table = Box::new([0; 256]);
            table.fill_with(|| self.random.byte());
            table
        });
        let steep = self.random.one_in(3);
        let constants = (0..outputs).map(|_| ChannelConstants {
            bias: self.random.range(-100_000, 100_000) as i32,
            multiplier: self.random.range(1, 32_767) as i32,
            addend_multiplier: addend.map_or(0, |_| self.random.range(0, 32_767) as i32),
            shift: if steep {
                self.random.range(1, 46)
            } else {
                self.random.range(18, 28)
            } as i32,
        });
        let constants = constants.collect();
        let linear = Linear {
            weights: (0..outputs * terms).map(|_| self.random.byte()).collect(),
            constants,
            addend: addend.map(|i| self.made[i].dtype),
            low,
            high,
            table,
        };
        (linear, dtype, addend.map(|i| i as u32))
    }
}

type Added = (Op, DType, Vec<u32>, Option<u32>);

pub(crate) fn sample(program: &CheckedProgram, random: &mut Random) -> Tensor {
    let (len, dtype) = program
        .output_of(0, &DimValues::NONE)
        .expect("INPUT has a shape");
    match dtype {
        DType::I8 => Tensor::I8((0..len).map(|_| random.byte()).collect()),
        DType::I16 => Tensor::I16(
            (0..len)
                .map(|_| random.range(-32_767, 32_767) as i16)
                .collect(),
        ),
        DType::I32 => Tensor::I32((0..len).map(|_| random.next() as i32).collect()),
    }
}
