//! Times of one call of the library: a number of iterations on a line in, their times in seconds on
//! a line out. `python/bench.py` takes turns with it.
//!
//! `call_time PROGRAM BATCH [VALUE ..]`, the values being those of open dimensions

#![expect(clippy::print_stdout, reason = "times are the result")]

use std::error::Error;
use std::io::BufRead as _;
use std::time::Instant;

use selfsame::{Model, RunOptions};

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let program = arguments.next().ok_or("call_time PROGRAM BATCH")?;
    let batch: usize = arguments.next().ok_or("call_time PROGRAM BATCH")?.parse()?;
    let sizes: Vec<u32> = arguments
        .map(|size| size.parse())
        .collect::<Result<_, _>>()?;
    let mut model = Model::load(program)?;
    if !sizes.is_empty() {
        model = model.at(&sizes)?;
    }
    let mut runner = model.runner(&RunOptions::default())?;
    let input = vec![0.5_f32; batch * model.input().elements()];
    let mut answers = vec![0.0_f32; batch * model.output().elements()];
    for line in std::io::stdin().lock().lines() {
        let iterations: usize = line?.trim().parse()?;
        let mut times = Vec::with_capacity(iterations.min(1 << 20));
        for _ in 0..iterations {
            let begun = Instant::now();
            runner.run_into(&input, &mut answers)?;
            times.push(begun.elapsed().as_secs_f64().to_string());
        }
        println!("{}", times.join(" "));
    }
    Ok(())
}
