//! Times the shapes of the shipped models with random weights: microseconds a sample, on stderr.
//!
//! Arguments: a part of the kernel's name, a part of the model's name.

#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "a measurement; figures are rounded for people"
)]

use std::sync::Arc;
use std::time::Instant;

use selfsame_ir::{
    AvgPool, ChannelConstants, CheckedProgram, Conv, DType, Dim, DimValues, InputSpec, Interface,
    Layout, Linear, MatMul, MaxPool, Node, Notes, Op, Program, Ratio, Window,
};
use selfsame_runtime::{Elements, ElementsMut, Kernel, Plan, Session};

struct Net {
    nodes: Vec<Node>,
    shape: [u32; 3],
    random: u32,
}

impl Net {
    fn new(shape: [u32; 3]) -> Self {
        let dims = shape.map(Dim::fixed).to_vec();
        let op = Op::Input(InputSpec { shape: dims });
        Self {
            nodes: vec![Node {
                op,
                inputs: vec![],
                dtype: DType::I8,
            }],
            shape,
            random: 1,
        }
    }

    fn last(&self) -> u32 {
        self.nodes.len() as u32 - 1
    }

    fn push(&mut self, op: Op, inputs: Vec<u32>, dtype: DType, shape: [u32; 3]) {
        self.nodes.push(Node { op, inputs, dtype });
        self.shape = shape;
    }

    fn linear(&mut self, outputs: u32, terms: u32, addend: bool, low: i32) -> Linear {
        let mut weight = || {
            self.random = self
                .random
                .wrapping_mul(1_664_525)
                .wrapping_add(1_013_904_223);
            ((self.random >> 24) as i8).max(-127)
        };
        let constants = ChannelConstants {
            bias: 100,
            multiplier: 20_000,
            addend_multiplier: if addend { 30_000 } else { 0 },
            shift: 25,
        };
        Linear {
            weights: (0..outputs * terms).map(|_| weight()).collect(),
            constants: vec![constants; outputs as usize],
            addend: addend.then_some(DType::I8),
            low,
            high: 127,
            table: None,
        }
    }

    fn conv(&mut self, out: u32, kernel: u16, stride: u16, pad: u16, addend: Option<u32>) {
        self.conv_from(self.last(), self.shape, out, [kernel, stride, pad], addend);
    }

    fn conv_from(
        &mut self,
        from: u32,
        [h, w, c]: [u32; 3],
        out: u32,
        [kernel, stride, pad]: [u16; 3],
        addend: Option<u32>,
    ) {
        let window = Window::square(kernel, stride, pad);
        let terms = u32::from(kernel) * u32::from(kernel) * c;
        let linear = self.linear(out, terms, addend.is_some(), 0);
        let shape = [
            window.output_extent(0, h).expect("fits"),
            window.output_extent(1, w).expect("fits"),
            out,
        ];
        let op = Conv {
            height: Dim::fixed(h),
            width: Dim::fixed(w),
            channels: c,
            out_channels: out,
            groups: 1,
            window,
            dtype: DType::I8,
            linear,
        };
        let inputs = std::iter::once(from).chain(addend).collect();
        self.push(Op::Conv(op), inputs, DType::I8, shape);
    }

    fn max_pool(&mut self) {
        let [h, w, c] = self.shape;
        let window = Window::square(2, 2, 0);
        let op = MaxPool {
            height: Dim::fixed(h),
            width: Dim::fixed(w),
            channels: c,
            window,
        };
        let last = self.last();
        self.push(Op::MaxPool(op), vec![last], DType::I8, [h / 2, w / 2, c]);
    }

    fn mean(&mut self) {
        let [h, w, c] = self.shape;
        let op = AvgPool {
            height: Dim::fixed(h),
            width: Dim::fixed(w),
            channels: c,
            window: Window::square(h as u16, 1, 0),
            multiplier: 1000,
            shift: 15,
            low: -127,
            high: 127,
        };
        let last = self.last();
        self.push(Op::AvgPool(op), vec![last], DType::I8, [1, 1, c]);
    }

    fn dense(&mut self, out: u32, low: i32) {
        let terms = self.shape.iter().product();
        let linear = self.linear(out, terms, false, low);
        let op = MatMul {
            rows: Dim::fixed(1),
            row_elements: terms,
            k_offset: 0,
            k_len: terms,
            out_channels: out,
            dtype: DType::I8,
            factor: None,
            linear,
        };
        let last = self.last();
        self.push(Op::MatMul(op), vec![last], DType::I8, [1, 1, out]);
    }

    fn checked(self) -> CheckedProgram {
        let one = Ratio {
            multiplier: 1,
            shift: 0,
        };
        let output = self.last();
        CheckedProgram::new(Program {
            symbols: vec![],
            nodes: self.nodes,
            output,
            interior: Vec::new(),
            interface: Interface {
                input_scale: one,
                input: Layout::default(),
                pixels: None,
                output_scale: one,
                output: Layout::default(),
                labels: vec![],
            },
            notes: Notes::default(),
        })
        .expect("well formed")
    }
}

fn mlp() -> CheckedProgram {
    let mut net = Net::new([1, 1, 64]);
    net.dense(32, 0);
    net.dense(10, -127);
    net.checked()
}

fn lenet() -> CheckedProgram {
    let mut net = Net::new([28, 28, 1]);
    net.conv(6, 5, 1, 2, None);
    net.max_pool();
    net.conv(16, 5, 1, 0, None);
    net.max_pool();
    net.dense(120, 0);
    net.dense(84, 0);
    net.dense(10, -127);
    net.checked()
}

fn resnet20() -> CheckedProgram {
    let mut net = Net::new([28, 28, 1]);
    net.conv(16, 3, 1, 1, None);
    for (stage, width) in [16, 32, 64].into_iter().enumerate() {
        for block in 0..3 {
            let stride = if stage > 0 && block == 0 { 2 } else { 1 };
            let (from, shape) = (net.last(), net.shape);
            net.conv(width, 3, stride, 1, None);
            let (hidden, hidden_shape) = (net.last(), net.shape);
            let short = if stride == 2 {
                net.conv_from(from, shape, width, [1, 2, 0], None);
                net.last()
            } else {
                from
            };
            net.conv_from(hidden, hidden_shape, width, [3, 1, 1], Some(short));
        }
    }
    net.mean();
    net.dense(10, -127);
    net.checked()
}

fn main() {
    let filter = std::env::args().nth(1).unwrap_or_default();
    let model = std::env::args().nth(2).unwrap_or_default();
    for (name, program) in [("mlp", mlp()), ("lenet", lenet()), ("resnet20", resnet20())] {
        for kernel in Kernel::available() {
            if !kernel.name().contains(&filter) || !name.contains(&model) {
                continue;
            }
            let plan = Plan::new(&program, &DimValues::NONE, kernel).expect("plans");
            let plan = Arc::new(plan);
            for (threads, batch) in [(1, 1), (2, 1), (1, 16), (2, 16)] {
                let mut session = Session::new(Arc::clone(&plan), threads);
                let x = vec![3_i8; plan.input().1 * batch];
                let mut y = vec![0_i8; plan.output().1 * batch];
                let run = |session: &mut Session, y: &mut [i8], traced: bool| {
                    if traced {
                        session
                            .run_traced(Elements::I8(&x), ElementsMut::I8(y))
                            .expect("runs");
                    } else {
                        session
                            .run(Elements::I8(&x), ElementsMut::I8(y))
                            .expect("runs");
                    }
                };
                for traced in [false, true] {
                    if traced && batch > 1 {
                        continue;
                    }
                    let start = Instant::now();
                    run(&mut session, &mut y, traced);
                    let count = (0.01 / start.elapsed().as_secs_f64()).max(3.0) as u32;
                    let mut best = f64::MAX;
                    for _ in 0..9 {
                        let start = Instant::now();
                        for _ in 0..count {
                            run(&mut session, &mut y, traced);
                        }
                        best = best.min(start.elapsed().as_secs_f64() / f64::from(count));
                    }
                    eprintln!(
                        "{name:9} {:12} threads {threads} batch {batch:2} trace {traced:5} {:9.2} us a sample",
                        kernel.name(),
                        best * 1e6 / batch as f64
                    );
                }
            }
        }
    }
}
