//! The runtime on one instruction set, as a column of the matrix.

use std::sync::Arc;

use selfsame_runtime::{Kernel, Plan, Session};

use super::{Difference, Implementation, Subject};

/// The runtime on a kernel.
#[derive(Debug)]
pub struct Engine {
    kernel: Kernel,
    threads: usize,
}

impl Engine {
    /// One engine for every kernel that this machine has.
    pub fn all(threads: usize) -> Vec<Self> {
        Kernel::available()
            .into_iter()
            .map(|kernel| Self { kernel, threads })
            .collect()
    }
}

impl Implementation for Engine {
    fn name(&self) -> String {
        format!("runtime {}", self.kernel.name())
    }

    fn compare(&mut self, subject: &Subject) -> Result<u64, Difference> {
        let whole = |node, expected: String, actual: String| Difference {
            implementation: self.name(),
            node,
            element: None,
            expected,
            actual,
        };
        let plan = Plan::new(&subject.program, &subject.values, self.kernel)
            .map_err(|error| whole(0, "a plan".to_owned(), error.to_string()))?;
        let trace = Session::new(Arc::new(plan), self.threads)
            .trace(&subject.input)
            .map_err(|error| whole(0, "a run".to_owned(), error.to_string()))?;
        let mut compared = 0;
        for (node, (expected, actual)) in
            (0..).zip(subject.trace.outputs().iter().zip(&trace.node_tensors))
        {
            if expected != actual {
                let at = expected.iter().zip(actual.iter()).position(|(a, b)| a != b);
                let show = |tensor: &selfsame_ir::Tensor| {
                    format!("{:?}", at.and_then(|at| tensor.get(at)))
                };
                let element = at.map(|at| at as u64);
                return Err(Difference {
                    element,
                    ..whole(node, show(expected), show(actual))
                });
            }
            compared += expected.len() as u64;
        }
        if trace.node_roots != subject.roots || trace.trace_root != subject.trace.root() {
            return Err(whole(
                0,
                subject.trace.root().to_string(),
                trace.trace_root.to_string(),
            ));
        }
        Ok(compared)
    }
}
