//! The runtime on one instruction set, as a column of the matrix.
//!
//! Each program runs with its trace on one and on two threads, and as a batch of three samples cut
//! over two threads: neither threads nor the cut may change a bit.

use std::sync::Arc;

use selfsame_ir::Tensor;
use selfsame_runtime::{Kernel, Plan, RunError, Session};

use super::{Difference, Implementation, Subject};

/// The runtime on a kernel.
#[derive(Debug)]
pub struct Engine {
    kernel: Kernel,
}

impl Engine {
    /// One engine for every kernel that this machine has.
    pub fn all() -> Vec<Self> {
        Kernel::available()
            .into_iter()
            .map(|kernel| Self { kernel })
            .collect()
    }

    fn whole(&self, node: u32, expected: String, actual: String) -> Difference {
        Difference {
            implementation: self.name(),
            node,
            element: None,
            expected,
            actual,
        }
    }

    fn compare_trace(&self, subject: &Subject, session: &mut Session) -> Result<u64, Difference> {
        let trace = session
            .trace(&subject.input)
            .map_err(|error| self.whole(0, "a run".to_owned(), error.to_string()))?;
        let mut compared = 0;
        for (node, (expected, actual)) in
            (0..).zip(subject.trace.outputs().iter().zip(&trace.node_tensors))
        {
            if expected != actual {
                let at = expected.iter().zip(actual.iter()).position(|(a, b)| a != b);
                let show = |tensor: &Tensor| format!("{:?}", at.and_then(|at| tensor.get(at)));
                let element = at.map(|at| at as u64);
                return Err(Difference {
                    element,
                    ..self.whole(node, show(expected), show(actual))
                });
            }
            compared += expected.len() as u64;
        }
        if trace.node_roots != subject.roots || trace.trace_root != subject.trace.root() {
            return Err(self.whole(
                0,
                subject.trace.root().to_string(),
                trace.trace_root.to_string(),
            ));
        }
        self.compare_traced(subject, session)?;
        Ok(compared)
    }

    /// The trace root that is made without keeping the trace.
    fn compare_traced(&self, subject: &Subject, session: &mut Session) -> Result<(), Difference> {
        let failed = |error: RunError| self.whole(0, "a run".to_owned(), error.to_string());
        let mut output = session.run_one(&subject.input).map_err(failed)?;
        let root = session.run_traced((&subject.input).into(), (&mut output).into());
        let (root, expected) = (root.map_err(failed)?, subject.trace.root());
        if root == expected {
            return Ok(());
        }
        Err(self.whole(0, expected.to_string(), root.to_string()))
    }

    /// The sample, its mirror image, and the sample again: as one batch and one by one.
    fn compare_batch(&self, subject: &Subject, session: &mut Session) -> Result<(), Difference> {
        let failed = |error: RunError| self.whole(0, "a run".to_owned(), error.to_string());
        let mirrored = gather(&subject.input, |input| {
            let mut values: Vec<i32> = input.iter().collect();
            values.reverse();
            values
        });
        let single = session.run_one(&subject.input).map_err(failed)?;
        let single_mirrored = session.run_one(&mirrored).map_err(failed)?;
        let batch = |a: &Tensor, b: &Tensor| {
            gather(a, |a| a.iter().chain(b.iter()).chain(a.iter()).collect())
        };
        let expected = batch(&single, &single_mirrored);
        let mut actual = gather(&expected, |expected| vec![0; expected.len()]);
        let input = batch(&subject.input, &mirrored);
        session
            .run((&input).into(), (&mut actual).into())
            .map_err(failed)?;
        let output = subject.program.program().output;
        if subject.trace.output(output) != Some(&single) || actual != expected {
            return Err(self.whole(output, format!("{expected:?}"), format!("{actual:?}")));
        }
        Ok(())
    }
}

/// A tensor of the type of `like`, from values made of it.
fn gather(like: &Tensor, values: impl Fn(&Tensor) -> Vec<i32>) -> Tensor {
    Tensor::from_values(like.dtype(), &values(like)).expect("values of tensors of the same type")
}

impl Implementation for Engine {
    fn name(&self) -> String {
        format!("runtime {}", self.kernel.name())
    }

    fn compare(&mut self, subject: &Subject) -> Result<u64, Difference> {
        let plan = Plan::new(&subject.program, &subject.values, self.kernel)
            .map_err(|error| self.whole(0, "a plan".to_owned(), error.to_string()))?;
        let plan = Arc::new(plan);
        let mut two = Session::new(Arc::clone(&plan), 2);
        let mut compared = self.compare_trace(subject, &mut Session::new(plan, 1))?;
        compared += self.compare_trace(subject, &mut two)?;
        self.compare_batch(subject, &mut two)?;
        Ok(compared)
    }
}
