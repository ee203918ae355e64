//! A program under construction: each node is drawn so that the whole stays well formed.
//!
//! Every tensor has `lead^power * rest` elements ([`Size`]). The lead is 1 and its power 0, or it is the
//! symbolic extent of the program. The operators of this file and moves and concatenations keep the
//! lead as their outermost axis; those that work on rows make sizes of every power up to 2.

use selfsame_ir::{
    AvgPool, Conv, DType, Dim, DimValues, InputSpec, MatMul, MaxPool, Move, Node, Notes, Op,
    Program, Symbol, Window, opened_bytes,
};
use selfsame_protocol::constants::{OPENED_BYTES_MAX, TERMS_MAX, TERMS_WIDE_MAX};

use crate::game_zoo::interior;

use super::linear::{self, Shape};
use super::rng::Rng;
use super::size::{Lead, Size};

/// Most multiplications of one node, so that the slow implementations stay bearable.
const MACS_MAX: u64 = 200_000;
const ELEMENTS_MAX: u64 = 20_000;
const TRIES: usize = 12;

pub(super) struct Draft<'r> {
    pub(super) rng: &'r mut Rng,
    pub(super) symbols: Vec<Symbol>,
    pub(super) lead: Lead,
    pub(super) nodes: Vec<Node>,
    /// Elements of each node's output.
    pub(super) sizes: Vec<Size>,
}

impl<'r> Draft<'r> {
    /// Draws a family and an input.
    pub(super) fn new(rng: &'r mut Rng) -> Self {
        let family = rng.below(100);
        let mut symbols = Vec::new();
        let mut lead = Lead::One;
        let shape = if family < 60 {
            vec![rng.between(1, 11), rng.between(1, 11), rng.between(1, 12)]
        } else if family < 68 {
            let side = rng.between(2, 4);
            vec![side, side, rng.between(400, 1_000)]
        } else if family < 80 {
            vec![rng.between(4_100, TERMS_MAX)]
        } else {
            let minimum = rng.between(1, 3);
            symbols.push(Symbol {
                minimum,
                maximum: minimum + rng.between(0, 4),
            });
            let scale = rng.between(1, 3);
            let least = i64::from(scale * minimum);
            let offset = rng.range(1 - least, 3);
            let offset = i32::try_from(offset).expect("small");
            lead = Lead::Symbol { scale, offset };
            vec![rng.between(1, 9), rng.between(1, 9)]
        };
        let dtype = if rng.chance(80) {
            DType::I8
        } else {
            rng.pick(&[DType::I16, DType::I32])
        };
        let mut dims: Vec<Dim> = shape.iter().map(|&extent| Dim::fixed(extent)).collect();
        if !symbols.is_empty() {
            dims.insert(0, Size { power: 1, rest: 1 }.dim(lead));
        }
        let size = Size {
            power: u32::from(!symbols.is_empty()),
            rest: shape.iter().product(),
        };
        let input = Node {
            op: Op::Input(InputSpec { shape: dims }),
            inputs: Vec::new(),
            dtype,
        };
        Self {
            rng,
            symbols,
            lead,
            nodes: vec![input],
            sizes: vec![size],
        }
    }

    /// Values of the symbols, within their bounds.
    pub(super) fn values(&mut self) -> DimValues {
        let rng = &mut *self.rng;
        DimValues(
            self.symbols
                .iter()
                .map(|s| rng.between(s.minimum, s.maximum))
                .collect(),
        )
    }

    /// The program; its output is one of the computed nodes, mostly the last.
    pub(super) fn finish(mut self) -> Program {
        if self.nodes.len() == 1 {
            // Nothing that was drawn fitted: a transposition of the flat input always does.
            self.sizes.push(self.sizes[0]);
            let shape = vec![self.once(1).dim(self.lead), Dim::fixed(self.rest(0))];
            let op = Op::Move(Move::transpose(&[1, 0], shape));
            self.nodes.push(Node {
                op,
                inputs: vec![0],
                dtype: self.nodes[0].dtype,
            });
        }
        let last = u32::try_from(self.nodes.len() - 1).expect("a handful of nodes");
        let output = if self.rng.chance(80) {
            last
        } else {
            self.rng.between(1, last)
        };
        let mut program = Program {
            symbols: self.symbols,
            nodes: self.nodes,
            output,
            interior: Vec::new(),
            interface: super::plain_interface(),
            notes: Notes::default(),
        };
        let share = self.rng.below(100);
        program.interior = interior(&program, || self.rng.chance(share));
        program
    }

    /// Adds a node of a random operator, or a chain of several, unless nothing drawn fits.
    pub(super) fn grow(&mut self) {
        let mark = self.nodes.len();
        for _ in 0..TRIES {
            let grown = match self.rng.below(22) {
                0 | 1 => self.matmul(),
                2 | 3 => self.conv(),
                4 | 5 => self.pool(true),
                6 | 7 => self.pool(false),
                8 | 9 => self.moved(),
                10 | 11 => self.concat(),
                12 | 13 => self.pointwise(),
                14 | 15 => self.batch_matmul(),
                16 => self.reduce(),
                17 => self.normalize(),
                18 => self.embedding(),
                19 => self.softmax(),
                20 => self.norm(),
                _ => self.row_product(),
            };
            if grown.is_some() {
                return;
            }
            // What a chain began is no node of its own.
            self.nodes.truncate(mark);
            self.sizes.truncate(mark);
        }
    }

    /// Adds a node, if it fits; its index.
    pub(super) fn push(
        &mut self,
        op: Op,
        inputs: Vec<u32>,
        dtype: DType,
        size: Size,
    ) -> Option<u32> {
        let node = Node { op, inputs, dtype };
        if !self.fits(&node) {
            return None;
        }
        self.nodes.push(node);
        self.sizes.push(size);
        u32::try_from(self.nodes.len() - 1).ok()
    }

    fn fits(&self, node: &Node) -> bool {
        let maxima = DimValues::maxima(&self.symbols);
        let Ok(shape) = node.op.output_shape(&maxima) else {
            return false;
        };
        let count = |size: u64, &extent: &u32| size.saturating_mul(u64::from(extent));
        let elements = shape.iter().fold(1, count);
        let input_dtype = self.dtype(node.inputs[0]);
        let opened = opened_bytes(&node.op, input_dtype, &maxima).unwrap_or(u64::MAX);
        let product = matches!(node.op, Op::MatMul(_) | Op::Conv(_) | Op::BatchMatMul(_));
        let terms_max = if product && input_dtype != DType::I8 {
            TERMS_WIDE_MAX
        } else {
            TERMS_MAX
        };
        elements <= ELEMENTS_MAX
            && node.op.terms(&maxima) <= u64::from(terms_max)
            && elements.saturating_mul(node.op.terms(&maxima)) <= MACS_MAX
            && opened <= u64::from(OPENED_BYTES_MAX)
    }

    pub(super) fn symbolic(&self) -> bool {
        !self.symbols.is_empty()
    }

    pub(super) fn dtype(&self, node: u32) -> DType {
        self.nodes[node as usize].dtype
    }

    pub(super) fn size(&self, node: u32) -> Size {
        self.sizes[node as usize]
    }

    /// Elements for one unit of the lead.
    pub(super) fn rest(&self, node: u32) -> u32 {
        self.size(node).rest
    }

    /// The nodes that `accepts`, by index.
    pub(super) fn fitting(&self, accepts: impl Fn(DType, Size) -> bool) -> Vec<u32> {
        (0..)
            .zip(self.nodes.iter().zip(&self.sizes))
            .filter(|(_, (node, size))| accepts(node.dtype, **size))
            .map(|(index, _)| index)
            .collect()
    }

    /// A node of a type that `accepts`, mostly a late one, that has the lead once.
    pub(super) fn source(&mut self, accepts: impl Fn(DType) -> bool) -> Option<u32> {
        let power = u32::from(self.symbolic());
        self.any_source(|dtype, size| accepts(dtype) && size.power == power)
    }

    /// A node that `accepts`, mostly a late one.
    pub(super) fn any_source(&mut self, accepts: impl Fn(DType, Size) -> bool) -> Option<u32> {
        let fitting = self.fitting(accepts);
        let last = *fitting.last()?;
        Some(if self.rng.chance(60) {
            last
        } else {
            self.rng.pick(&fitting)
        })
    }

    /// The size of `rest` elements for one unit of the lead.
    pub(super) fn once(&self, rest: u32) -> Size {
        Size {
            power: u32::from(self.symbolic()),
            rest,
        }
    }

    /// Height, width and channels under which a tensor is seen, and the two extents of its height.
    fn view(&mut self, source: u32) -> (Dim, u32, u32, u32) {
        let rest = self.rest(source);
        // Many channels under a small plane: the deep contractions.
        for side in [4, 3, 2] {
            if !self.symbolic() && rest.is_multiple_of(side * side) && rest / (side * side) >= 400 {
                return (Dim::fixed(side), side, side, rest / (side * side));
            }
        }
        if self.symbolic() {
            let factors = self.rng.factors(rest, 2);
            return (self.once(1).dim(self.lead), 1, factors[0], factors[1]);
        }
        let factors = self.rng.factors(rest, 3);
        (Dim::fixed(factors[0]), factors[0], factors[1], factors[2])
    }

    /// A window over the view, and the output's cells for one unit of the lead.
    fn window(&mut self, height: u32, width: u32, pool: bool) -> Option<(Window, u32)> {
        let rng = &mut *self.rng;
        let kernel_max = if pool { 4 } else { 5 };
        let kernel = [rng.between(1, kernel_max), rng.between(1, kernel_max)];
        let mut stride = [rng.between(1, 3), rng.between(1, 3)];
        let dilation = if pool || rng.chance(60) {
            [1, 1]
        } else {
            [rng.between(1, 3), rng.between(1, 3)]
        };
        let span = |axis: usize| dilation[axis] * (kernel[axis] - 1) + 1;
        let wide = !pool && rng.chance(15);
        let mut pad = [0; 4];
        for (side, pad) in pad.iter_mut().enumerate() {
            let most = if wide {
                span(side % 2) + 2
            } else {
                span(side % 2) - 1
            };
            *pad = rng.between(0, most);
        }
        if self.symbols.is_empty() {
            let padded = height + pad[0] + pad[2];
            padded.checked_sub(span(0))?;
        } else {
            // The height stays: stride 1, and pads that make up for the kernel.
            stride[0] = 1;
            pad[0] = rng.between(0, span(0) - 1);
            pad[2] = span(0) - 1 - pad[0];
        }
        let small = |value: u32| u16::try_from(value).expect("a small extent");
        let window = Window {
            kernel: kernel.map(small),
            stride: stride.map(small),
            pad: pad.map(small),
            dilation: dilation.map(small),
        };
        let out_height = if self.symbols.is_empty() {
            window.output_extent(0, height)?
        } else {
            1
        };
        Some((window, out_height * window.output_extent(1, width)?))
    }

    fn matmul(&mut self) -> Option<u32> {
        let source = self.source(|dtype| dtype != DType::I32)?;
        let rest = self.rest(source);
        let positions = if self.symbolic() || self.rng.chance(30) {
            1
        } else {
            self.rng.divisor(rest)
        };
        let row_elements = rest / positions;
        let k_len = if self.rng.chance(50) {
            row_elements
        } else {
            self.rng.between(1, row_elements)
        };
        let k_offset = self.rng.between(0, row_elements - k_len);
        let (out_channels, addend) = self.channels(positions, 1);
        let dtype = self.dtype(source);
        let (linear, out) = self.linear(out_channels, k_len, addend, dtype);
        let mut inputs = inputs(source, addend);
        let rows = self.once(positions);
        let factor = self.factor(source, rows, Size::fixed(row_elements), 40);
        inputs.extend(factor.map(|(input, _)| input));
        let op = Op::MatMul(MatMul {
            rows: rows.dim(self.lead),
            row_elements,
            k_offset,
            k_len,
            out_channels,
            dtype,
            factor: factor.map(|(_, shift)| shift),
            linear,
        });
        self.push(op, inputs, out, self.once(positions * out_channels))
    }

    fn conv(&mut self) -> Option<u32> {
        let source = self.source(|dtype| dtype != DType::I32)?;
        let x = self.dtype(source);
        let (height, extent, width, channels) = self.view(source);
        let (window, positions) = self.window(extent, width, false)?;
        let groups = match self.rng.below(4) {
            0 => channels,
            1 => self.rng.divisor(channels),
            _ => 1,
        };
        let (out_channels, addend) = self.channels(positions, groups);
        let terms = u32::try_from(window.cells()).ok()? * (channels / groups);
        let (linear, dtype) = self.linear(out_channels, terms, addend, x);
        let width = Dim::fixed(width);
        let op = Op::Conv(Conv {
            height,
            width,
            channels,
            out_channels,
            groups,
            window,
            dtype: x,
            linear,
        });
        let size = self.once(positions * out_channels);
        self.push(op, inputs(source, addend), dtype, size)
    }

    fn pool(&mut self, maximum: bool) -> Option<u32> {
        let source = self.source(|dtype| maximum || dtype == DType::I8)?;
        let (height, extent, width, channels) = self.view(source);
        let (window, positions) = self.window(extent, width, true)?;
        let width = Dim::fixed(width);
        let mut dtype = self.dtype(source);
        let op = if maximum {
            Op::MaxPool(MaxPool {
                height,
                width,
                channels,
                window,
            })
        } else {
            dtype = if self.rng.chance(75) {
                DType::I8
            } else {
                self.rng.pick(&[DType::I16, DType::I32])
            };
            let cells = u32::try_from(window.cells()).ok()?;
            let scale = linear::average(self.rng, cells, dtype);
            let (low, high) = linear::clamp(self.rng, dtype.range());
            let (multiplier, shift) = scale;
            Op::AvgPool(AvgPool {
                height,
                width,
                channels,
                window,
                multiplier,
                shift,
                low,
                high,
            })
        };
        self.push(op, vec![source], dtype, self.once(positions * channels))
    }

    /// Output channels, a multiple of `groups`; often such that another node can be the addend.
    fn channels(&mut self, positions: u32, groups: u32) -> (u32, Option<u32>) {
        if self.rng.chance(55) {
            let power = u32::from(self.symbolic());
            let parts = positions * groups;
            let fits = |size: Size| size.power == power && size.rest.is_multiple_of(parts);
            let fitting = self.fitting(|_, size| fits(size));
            if !fitting.is_empty() {
                let index = self.rng.pick(&fitting);
                return (self.rest(index) / positions, Some(index));
            }
        }
        (
            groups * self.rng.between(1, if groups == 1 { 12 } else { 3 }),
            None,
        )
    }

    pub(super) fn linear(
        &mut self,
        out_channels: u32,
        terms: u32,
        addend: Option<u32>,
        operand: DType,
    ) -> (selfsame_ir::Linear, DType) {
        let addend = addend.map(|index| self.dtype(index));
        let rng = &mut *self.rng;
        let dtype = if rng.chance(66) {
            DType::I8
        } else {
            rng.pick(&[DType::I16, DType::I32])
        };
        // Too large a node is refused afterwards; it must not cost its weights before.
        let weights = u64::from(out_channels) * u64::from(terms);
        let shape = Shape {
            out_channels,
            terms,
            operand,
            drawn: weights <= MACS_MAX,
        };
        (linear::draw(rng, &shape, dtype, addend), dtype)
    }
}

fn inputs(source: u32, addend: Option<u32>) -> Vec<u32> {
    std::iter::once(source).chain(addend).collect()
}
