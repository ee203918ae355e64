//! Runs programs on every kernel of this machine, two samples on one thread and on three, and compares
//! every node with the portable kernel. One line for each kernel, on stderr: the roots of the first
//! sample's output and trace. Ends with 1 where a kernel differs.
//!
//! Arguments: program files; all symbols take their least values.

#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    reason = "inputs are of no meaning"
)]

use std::process::ExitCode;
use std::sync::Arc;

use selfsame_ir::{CheckedProgram, DType, DimValues, Tensor};
use selfsame_runtime::{Kernel, Plan, Session, Trace, open};

fn main() -> ExitCode {
    let mut all_agree = true;
    for file in std::env::args().skip(1) {
        let bytes = std::fs::read(&file).expect("a program file that can be read");
        let (program, _) = open(&bytes).expect("a valid program");
        let output = program.program().output as usize;
        let expected = traces(&program, Kernel::PORTABLE);
        for kernel in Kernel::available() {
            let found = traces(&program, kernel);
            let agrees = found == expected;
            all_agree &= agrees;
            eprintln!(
                "{file} {:12} output {:?} trace {:?}{}",
                kernel.name(),
                found[0].node_roots[output],
                found[0].trace_root,
                if agrees { "" } else { " DIFFERS" }
            );
        }
    }
    ExitCode::from(u8::from(!all_agree))
}

/// Two samples on one thread, then on three.
fn traces(program: &CheckedProgram, kernel: Kernel) -> Vec<Trace> {
    let symbols = &program.program().symbols;
    let values = DimValues(symbols.iter().map(|symbol| symbol.minimum).collect());
    let plan = Arc::new(Plan::new(program, &values, kernel).expect("a plan"));
    let mut traces = Vec::new();
    for threads in [1, 3] {
        let mut session = Session::new(Arc::clone(&plan), threads);
        for seed in [1, 2] {
            let input = input(plan.input(), seed);
            traces.push(session.trace(&input).expect("a valid input"));
        }
    }
    traces
}

/// Elements of the whole range of bytes and words; of 32 bits small ones, which may be indices.
fn input((dtype, len): (DType, usize), seed: u32) -> Tensor {
    let numbers = (0..len as u32).map(|i| (i + seed * 0x9e37).wrapping_mul(2_654_435_761) >> 16);
    match dtype {
        DType::I8 => Tensor::I8(numbers.map(|n| (n as i8).max(-127)).collect()),
        DType::I16 => Tensor::I16(numbers.map(|n| (n as i16).max(-32_767)).collect()),
        DType::I32 => Tensor::I32(numbers.map(|n| (n % 100) as i32).collect()),
    }
}
