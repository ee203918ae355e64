//! Times a transformer encoder with random weights: hidden 384, twelve heads of 32, inner 1536, six
//! layers. Milliseconds of one sample, the best and the median of many calls, on stderr.
//!
//! Arguments: a part of the kernel's name, the number of threads.

#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_sign_loss,
    reason = "a measurement of random weights"
)]

#[path = "../tests/equals_interpreter/encoder.rs"]
mod encoder;

use std::sync::Arc;
use std::time::Instant;

use encoder::Sizes;
use selfsame_ir::{DimValues, Tensor};
use selfsame_runtime::{Elements, ElementsMut, Kernel, Plans, Session};

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let wanted = arguments.first().map_or("", String::as_str);
    let threads = arguments.get(1).and_then(|n| n.parse().ok()).unwrap_or(1);
    let sizes = Sizes {
        tokens_max: 512,
        heads: 12,
        head: 32,
        inner: 1536,
        layers: 6,
        entries: 1000,
    };
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    // Sums of two, so that large weights are rare, as they are in trained networks.
    let mut range = |low: i64, high: i64| {
        let mut next = || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state >> 33) as i64 % (high - low + 1)
        };
        low + i64::midpoint(next(), next())
    };
    let program = Arc::new(encoder::program(sizes, &mut range));
    for kernel in Kernel::available() {
        if !kernel.name().contains(wanted) {
            continue;
        }
        let plans = Plans::new(Arc::clone(&program), kernel);
        let first = DimValues(vec![1]);
        let mut session = Session::over(plans, &first, threads).expect("the encoder has a plan");
        for tokens in [32, 128] {
            let start = Instant::now();
            let values = DimValues(vec![tokens]);
            session.bind(&values).expect("the encoder has a plan");
            let plan_ms = start.elapsed().as_secs_f64() * 1e3;
            let input = Tensor::I32((0..tokens as i32).map(|i| i * 37 % 1000).collect());
            let mut output = vec![0_i16; session.plan().output().1];
            let mut times: Vec<f64> = Vec::new();
            for _ in 0..60 {
                let start = Instant::now();
                let to = ElementsMut::I16(&mut output);
                session
                    .run(Elements::from(&input), to)
                    .expect("the input is valid");
                times.push(start.elapsed().as_secs_f64() * 1e3);
            }
            times.sort_by(f64::total_cmp);
            eprintln!(
                "{:12} {threads} threads, {tokens:4} tokens: best {:7.3} ms, median {:7.3} ms ({} steps; planning took {plan_ms:.2} ms)",
                kernel.name(),
                times[0],
                times[times.len() / 2],
                session.plan().node_count(),
            );
        }
    }
}
