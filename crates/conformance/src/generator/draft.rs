//! A program under construction: each node is drawn so that the whole stays well formed.
//!
//! Every tensor has `lead * rest` elements. The lead is 1, or the symbolic extent of the program,
//! which every operator of a symbolic program keeps as its outermost axis.

use selfsame_ir::{
    AvgPool, Conv, DType, Dim, DimValues, InputSpec, MatMul, MaxPool, Move, Node, Notes, Op,
    Program, Symbol, Window, opened_bytes,
};
use selfsame_protocol::constants::{OPENED_BYTES_MAX, TERMS_MAX};

use super::linear::{self, Shape};
use super::rng::Rng;

/// Most multiplications of one node, so that the slow implementations stay bearable.
const MACS_MAX: u64 = 200_000;
const ELEMENTS_MAX: u64 = 20_000;
const TRIES: usize = 12;

pub(super) struct Draft<'r> {
    pub(super) rng: &'r mut Rng,
    pub(super) symbols: Vec<Symbol>,
    pub(super) lead: Dim,
    pub(super) nodes: Vec<Node>,
    /// Elements of each node's output for one unit of the lead.
    pub(super) rests: Vec<u32>,
}

impl<'r> Draft<'r> {
    /// Draws a family and an input.
    pub(super) fn new(rng: &'r mut Rng) -> Self {
        let family = rng.below(100);
        let mut symbols = Vec::new();
        let mut lead = Dim::fixed(1);
        let shape = if family < 74 {
            vec![rng.between(1, 11), rng.between(1, 11), rng.between(1, 12)]
        } else if family < 80 {
            let side = rng.between(2, 4);
            vec![side, side, rng.between(400, 1_000)]
        } else if family < 88 {
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
            lead = Dim::affine(1, scale, i32::try_from(offset).expect("small"));
            vec![rng.between(1, 9), rng.between(1, 9)]
        };
        let dtype = if rng.chance(86) {
            DType::I8
        } else {
            rng.pick(&[DType::I16, DType::I32])
        };
        let mut dims: Vec<Dim> = shape.iter().map(|&extent| Dim::fixed(extent)).collect();
        if !symbols.is_empty() {
            dims.insert(0, lead);
        }
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
            rests: vec![shape.iter().product()],
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
            self.rests.push(self.rests[0]);
            let shape = vec![self.lead, Dim::fixed(self.rests[0])];
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
        Program {
            symbols: self.symbols,
            nodes: self.nodes,
            output,
            interface: super::plain_interface(),
            notes: Notes::default(),
        }
    }

    /// Adds a node of a random operator, unless nothing drawn fits.
    pub(super) fn grow(&mut self) {
        for _ in 0..TRIES {
            let drawn = match self.rng.below(7) {
                0 => self.matmul(),
                1 => self.conv(),
                2 => self.pool(true),
                3 => self.pool(false),
                4 => self.moved(),
                5 => self.concat(),
                _ => self.pointwise(),
            };
            let Some((node, rest)) = drawn else { continue };
            if self.fits(&node, rest) {
                self.nodes.push(node);
                self.rests.push(rest);
                return;
            }
        }
    }

    fn fits(&self, node: &Node, rest: u32) -> bool {
        let maxima = DimValues::maxima(&self.symbols);
        let lead = self.lead.at(&maxima).map_or(u64::MAX, u64::from);
        let elements = lead.saturating_mul(u64::from(rest));
        let input_dtype = self.nodes[node.inputs[0] as usize].dtype;
        let opened = opened_bytes(&node.op, input_dtype, &maxima).unwrap_or(u64::MAX);
        elements <= ELEMENTS_MAX
            && node.op.terms() <= u64::from(TERMS_MAX)
            && elements.saturating_mul(node.op.terms()) <= MACS_MAX
            && opened <= u64::from(OPENED_BYTES_MAX)
    }

    pub(super) fn symbolic(&self) -> bool {
        !self.symbols.is_empty()
    }

    /// A node of a type that `accepts`, mostly a late one.
    pub(super) fn source(&mut self, accepts: impl Fn(DType) -> bool) -> Option<u32> {
        let fitting: Vec<usize> = (0..self.nodes.len())
            .filter(|&index| accepts(self.nodes[index].dtype))
            .collect();
        let last = *fitting.last()?;
        let index = if self.rng.chance(60) {
            last
        } else {
            self.rng.pick(&fitting)
        };
        u32::try_from(index).ok()
    }

    /// Height, width and channels under which a tensor is seen, and the two extents of its height.
    fn view(&mut self, source: u32) -> (Dim, u32, u32, u32) {
        let rest = self.rests[source as usize];
        // Many channels under a small plane: the deep contractions.
        for side in [4, 3, 2] {
            if !self.symbolic() && rest.is_multiple_of(side * side) && rest / (side * side) >= 400 {
                return (Dim::fixed(side), side, side, rest / (side * side));
            }
        }
        if self.symbolic() {
            let factors = self.rng.factors(rest, 2);
            return (self.lead, 1, factors[0], factors[1]);
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

    fn matmul(&mut self) -> Option<(Node, u32)> {
        let source = self.source(|dtype| dtype == DType::I8)?;
        let rest = self.rests[source as usize];
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
        let rows = if self.symbolic() {
            self.lead
        } else {
            Dim::fixed(positions)
        };
        let (out_channels, addend) = self.channels(positions, 1);
        let (linear, dtype) = self.linear(out_channels, k_len, addend);
        let op = Op::MatMul(MatMul {
            rows,
            row_elements,
            k_offset,
            k_len,
            out_channels,
            linear,
        });
        Some((
            Node {
                op,
                inputs: inputs(source, addend),
                dtype,
            },
            positions * out_channels,
        ))
    }

    fn conv(&mut self) -> Option<(Node, u32)> {
        let source = self.source(|dtype| dtype == DType::I8)?;
        let (height, extent, width, channels) = self.view(source);
        let (window, positions) = self.window(extent, width, false)?;
        let groups = match self.rng.below(4) {
            0 => channels,
            1 => self.rng.divisor(channels),
            _ => 1,
        };
        let (out_channels, addend) = self.channels(positions, groups);
        let terms = u32::try_from(window.cells()).ok()? * (channels / groups);
        let (linear, dtype) = self.linear(out_channels, terms, addend);
        let width = Dim::fixed(width);
        let op = Op::Conv(Conv {
            height,
            width,
            channels,
            out_channels,
            groups,
            window,
            linear,
        });
        Some((
            Node {
                op,
                inputs: inputs(source, addend),
                dtype,
            },
            positions * out_channels,
        ))
    }

    fn pool(&mut self, maximum: bool) -> Option<(Node, u32)> {
        let source = self.source(|dtype| maximum || dtype == DType::I8)?;
        let (height, extent, width, channels) = self.view(source);
        let (window, positions) = self.window(extent, width, true)?;
        let width = Dim::fixed(width);
        let mut dtype = self.nodes[source as usize].dtype;
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
        Some((
            Node {
                op,
                inputs: vec![source],
                dtype,
            },
            positions * channels,
        ))
    }

    /// Output channels, a multiple of `groups`; often such that another node can be the addend.
    fn channels(&mut self, positions: u32, groups: u32) -> (u32, Option<u32>) {
        if self.rng.chance(55) {
            let fitting: Vec<usize> = (0..self.nodes.len())
                .filter(|&index| self.rests[index].is_multiple_of(positions * groups))
                .collect();
            if !fitting.is_empty() {
                let index = self.rng.pick(&fitting);
                return (self.rests[index] / positions, u32::try_from(index).ok());
            }
        }
        (
            groups * self.rng.between(1, if groups == 1 { 12 } else { 3 }),
            None,
        )
    }

    fn linear(
        &mut self,
        out_channels: u32,
        terms: u32,
        addend: Option<u32>,
    ) -> (selfsame_ir::Linear, DType) {
        let addend = addend.map(|index| self.nodes[index as usize].dtype);
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
            drawn: weights <= MACS_MAX,
        };
        (linear::draw(rng, &shape, dtype, addend), dtype)
    }
}

fn inputs(source: u32, addend: Option<u32>) -> Vec<u32> {
    std::iter::once(source).chain(addend).collect()
}
