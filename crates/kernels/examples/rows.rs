//! Times the kernels of a small encoder (hidden 384, twelve heads of 32, inner 1536) on one thread:
//! microseconds, ns per element or GOP/s, and the share of the peak of the dot product.
//!
//! Arguments: a part of the kernel's name, and a part of the line's. All results go to stderr.

#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "a measurement; figures are rounded for people"
)]

use std::time::Instant;

use selfsame_kernels::{
    Addend, BatchOperands, BatchProduct, BatchSpec, Bits, Bytes, Formula, Function, Grid, Kernel,
    Lay, Linear, LinearSpec, Normalization, NormalizeSpec, Operands, Output, PointwiseSpec,
    ReduceSpec, Reduction, Source, Stored, Words, pointwise, products_in_registers, reduce,
};

/// What is timed, for whom.
struct Bench {
    kernel: Kernel,
    wanted: String,
    peak: Option<f64>,
}

impl Bench {
    /// Best time of many, in seconds.
    fn time(&self, name: &str, work: &mut dyn FnMut()) -> Option<f64> {
        if !name.contains(&self.wanted) {
            return None;
        }
        let start = Instant::now();
        work();
        let count = (2e-3 / start.elapsed().as_secs_f64().max(1e-9)).clamp(1.0, 1e5) as u32;
        let mut best = f64::MAX;
        for _ in 0..40 {
            let start = Instant::now();
            for _ in 0..count {
                work();
            }
            best = best.min(start.elapsed().as_secs_f64() / f64::from(count));
        }
        Some(best)
    }

    fn elements(&self, name: &str, elements: usize, mut work: impl FnMut()) {
        if let Some(seconds) = self.time(name, &mut work) {
            eprintln!(
                "{:12} {name:44} {:9.2} us {:8.3} ns/element",
                self.kernel.name(),
                seconds * 1e6,
                seconds / elements as f64 * 1e9
            );
        }
    }

    fn products(&self, name: &str, macs: u64, mut work: impl FnMut()) {
        if let Some(seconds) = self.time(name, &mut work) {
            let gops = 2.0 * macs as f64 / seconds * 1e-9;
            let share = self.peak.map_or(f64::NAN, |peak| gops / peak * 100.0);
            eprintln!(
                "{:12} {name:44} {:9.2} us {gops:8.0} GOP/s {share:5.0} % of peak",
                self.kernel.name(),
                seconds * 1e6,
            );
        }
    }

    /// `[rows][k]` times `[outputs][k]`.
    fn matmul(&self, [rows, outputs, k]: [usize; 3], form: &Form) {
        let name = format!("matmul {rows}x{outputs}x{k} {}", form.name);
        if !name.contains(&self.wanted) {
            return;
        }
        let weights: Vec<i8> = (0..outputs * k).map(|i| (i * 31 % 63) as i8 - 31).collect();
        let constants = vec![[5, 20_000, i32::from(form.addend) * 9, 27]; outputs];
        let (lo, hi) = if form.wide_output {
            (-32_767, 32_767)
        } else {
            (-127, 127)
        };
        let spec = LinearSpec {
            input: Grid::dense(rows, 1, k).expect("small"),
            bits: form.bits,
            non_negative: false,
            output: Grid::dense(rows, 1, outputs).expect("small"),
            kernel: [1, 1],
            stride: [1, 1],
            dilation: [1, 1],
            pad: [0, 0],
            groups: 1,
            channel_offset: 0,
            channel_count: k,
            weights: &weights,
            constants: &constants,
            addend_max: 32_767,
            lo,
            hi,
            table: None,
            factor_shift: form.factor.then_some(15),
        };
        let linear = Linear::new(self.kernel, &spec).expect("valid");
        let (bytes, words) = (Bytes::filled(rows * k, 0x85), Words::filled(rows * k, 1000));
        let addend = vec![5_i16; rows * outputs];
        let factor = vec![40_000; rows];
        let operands = Operands {
            input: match form.bits {
                Bits::Eight => Stored::Bytes(&bytes),
                Bits::Sixteen => Stored::Words(&words),
            },
            addend: if form.addend {
                Addend::I16(&addend, spec.output)
            } else {
                Addend::None
            },
            factor: form.factor.then_some(&factor),
        };
        let (mut y8, mut y16) = (vec![0; rows * outputs], vec![0; rows * outputs]);
        self.products(&name, linear.macs(), || {
            let output = if form.wide_output {
                Output::I16(&mut y16)
            } else {
                Output::I8(&mut y8)
            };
            linear.run(&operands, output, 0..rows);
        });
    }

    /// Twelve heads: queries with keys, then probabilities with values.
    fn attention(&self, tokens: usize) {
        let (batch, head) = (12, 32);
        let spec = BatchSpec {
            batch,
            group: 1,
            rows: tokens,
            columns: tokens,
            k: head,
            bits: Bits::Eight,
            x_interleaved: true,
            y_interleaved: true,
            output_interleaved: false,
            multiplier: 20_000,
            shift: 20,
            factor_shift: None,
            lo: -32_767,
            hi: 32_767,
        };
        let keys = Bytes::filled(batch * tokens * head, 0x83);
        let mut scores = vec![0_i16; batch * tokens * tokens];
        let product = BatchProduct::new(self.kernel, &spec).expect("valid");
        let mut packed = Bytes::filled(product.packed_bytes(), 0);
        self.products(&format!("q.k {tokens}"), product.macs(), || {
            for (b, packed) in packed.chunks_exact_mut(product.packed_len()).enumerate() {
                product.pack(&keys, b, packed);
            }
            let operands = BatchOperands {
                x: Stored::Bytes(&keys),
                packed: &packed,
                factor: None,
            };
            product.run(&operands, Output::I16(&mut scores), 0..product.units());
        });
        let spec = BatchSpec {
            columns: head,
            k: tokens,
            bits: Bits::Sixteen,
            x_interleaved: false,
            y_interleaved: false,
            output_interleaved: true,
            factor_shift: Some(15),
            lo: -127,
            hi: 127,
            ..spec
        };
        let probabilities = Words::filled(batch * tokens * tokens, 99);
        let factor = vec![50_000; batch * tokens];
        let mut context = vec![0; batch * tokens * head];
        let product = BatchProduct::new(self.kernel, &spec).expect("valid");
        let mut packed = Bytes::filled(product.packed_bytes(), 0);
        self.products(&format!("p.v {tokens}"), product.macs(), || {
            for (b, packed) in packed.chunks_exact_mut(product.packed_len()).enumerate() {
                product.pack(&keys, b, packed);
            }
            let operands = BatchOperands {
                x: Stored::Words(&probabilities),
                packed: &packed,
                factor: Some(&factor),
            };
            product.run(&operands, Output::I8(&mut context), 0..product.units());
        });
    }

    fn reductions(&self, rows: usize, columns: usize) {
        let x: Vec<i16> = (0..rows * columns).map(|i| (i * 977) as i16).collect();
        for kind in [
            Reduction::Sum,
            Reduction::Mean,
            Reduction::Variance,
            Reduction::Maximum,
            Reduction::Magnitude,
        ] {
            let spec = ReduceSpec {
                columns,
                kind,
                multiplier: 1,
                shift: 1,
                lo: i32::MIN,
                hi: i32::MAX,
            };
            let mut y = vec![0; rows];
            let name = format!("reduce {kind:?} i16 {rows}x{columns}");
            self.elements(&name, rows * columns, || {
                reduce(self.kernel, &spec, Source::I16(&x), Output::I32(&mut y));
            });
        }
    }

    fn norm(&self, rows: usize, columns: usize) {
        let x: Vec<i16> = (0..rows * columns).map(|i| (i * 977) as i16).collect();
        let normalization = Normalization::new(NormalizeSpec {
            center_bits: 8,
            shift: 20,
            lo: -32_767,
            hi: 32_767,
            bias: vec![5; columns],
            multiplier: vec![-3000; columns],
            column_shift: vec![12; columns],
        });
        let (row, mut y) = (vec![12_345; rows], vec![0_i16; rows * columns]);
        self.elements(
            &format!("normalize i16 {rows}x{columns}"),
            rows * columns,
            || {
                let x = Source::I16(&x);
                let to = Output::I16(&mut y);
                normalization.run(self.kernel, x, Some(&row), Some(&row), to);
            },
        );
    }

    fn pointwise(&self, name: &str, spec: &PointwiseSpec, rows: usize, width: OutputWidth) {
        let len = rows * spec.columns;
        let x: Vec<i16> = (0..len).map(|i| (i * 977) as i16).collect();
        let row = vec![70_000; rows];
        let (mut y8, mut y16, mut y32) = (vec![0; len], vec![0_i16; len], vec![0; len]);
        let second = (spec.formula != Formula::Scale).then_some(Source::I32(&row));
        self.elements(&format!("{name} {rows}x{}", spec.columns), len, || {
            let to = match width {
                OutputWidth::I8 => Output::I8(&mut y8),
                OutputWidth::I16 => Output::I16(&mut y16),
                OutputWidth::I32 => Output::I32(&mut y32),
            };
            pointwise(self.kernel, spec, Source::I16(&x), second, to);
        });
    }

    fn rows(&self, tokens: usize) {
        self.reductions(tokens, 384);
        self.reductions(12 * tokens, tokens);
        self.norm(tokens, 384);
        let entries: Vec<i16> = (0..513).map(|i| (i * 60) as i16).collect();
        let scale = PointwiseSpec {
            columns: 384,
            lay: Lay::Row,
            formula: Formula::Product,
            multiplier: 1,
            shift: 24,
            lo: -127,
            hi: 127,
            function: Function::IDENTITY,
        };
        let interpolate = PointwiseSpec {
            columns: 1536,
            lay: Lay::Full,
            formula: Formula::Scale,
            multiplier: 300,
            shift: 8,
            lo: -32_768,
            hi: 32_767,
            function: Function::interpolation(&entries),
        };
        let exponential = PointwiseSpec {
            columns: tokens,
            formula: Formula::Sum { second: -1 },
            lay: Lay::Row,
            multiplier: -1,
            shift: 1,
            lo: 0,
            hi: 65_535,
            function: Function::exponential(&entries),
        };
        let reciprocal = PointwiseSpec {
            columns: 1,
            function: Function::reciprocal(40),
            lo: i32::MIN,
            hi: i32::MAX,
            ..interpolate.clone()
        };
        self.pointwise("product by row -> i8", &scale, tokens, OutputWidth::I8);
        self.pointwise("interpolation", &interpolate, tokens, OutputWidth::I16);
        self.pointwise("exponential", &exponential, 12 * tokens, OutputWidth::I16);
        self.pointwise("reciprocal", &reciprocal, 12 * tokens, OutputWidth::I32);
    }
}

#[derive(Clone, Copy)]
enum OutputWidth {
    I8,
    I16,
    I32,
}

struct Form {
    name: &'static str,
    bits: Bits,
    factor: bool,
    addend: bool,
    wide_output: bool,
}

/// GOP/s of products in registers, the best of many.
fn peak_gops(kernel: Kernel) -> Option<f64> {
    let mut best: Option<f64> = None;
    for _ in 0..30 {
        let start = Instant::now();
        let macs = products_in_registers(kernel, 100_000)?;
        let gops = 2.0 * macs as f64 / start.elapsed().as_secs_f64() * 1e-9;
        best = Some(best.map_or(gops, |best: f64| best.max(gops)));
    }
    best
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let argument = |at: usize| arguments.get(at).cloned().unwrap_or_default();
    let plain = Form {
        name: "i8",
        bits: Bits::Eight,
        factor: false,
        addend: false,
        wide_output: false,
    };
    let forms = [
        Form {
            name: "i8 factor addend i16 -> i16",
            bits: Bits::Eight,
            factor: true,
            addend: true,
            wide_output: true,
        },
        Form {
            name: "i16 -> i16",
            bits: Bits::Sixteen,
            factor: false,
            addend: false,
            wide_output: true,
        },
    ];
    for kernel in Kernel::available() {
        if !kernel.name().contains(&argument(0)) || kernel == Kernel::PORTABLE {
            continue;
        }
        let peak = peak_gops(kernel);
        let bench = Bench {
            kernel,
            wanted: argument(1),
            peak,
        };
        if let Some(peak) = peak {
            eprintln!("{:12} registers alone: {peak:.0} GOP/s", kernel.name());
        }
        for shape in [
            [256, 256, 256],
            [1024, 1024, 1024],
            [32, 1536, 384],
            [128, 1536, 384],
            [128, 384, 1536],
            [784, 128, 1152],
            [196, 256, 2304],
            [16, 2048, 2048],
            [1, 2048, 2048],
        ] {
            bench.matmul(shape, &plain);
        }
        for tokens in [32, 128] {
            for form in &forms {
                for shape in [[tokens, 384, 384], [tokens, 1536, 384], [tokens, 384, 1536]] {
                    bench.matmul(shape, form);
                }
            }
            bench.attention(tokens);
            bench.rows(tokens);
        }
    }
}
