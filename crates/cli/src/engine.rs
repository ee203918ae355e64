//! The one place where a program is run: the runtime on a kernel set, or the interpreter.

use std::sync::Arc;

use selfsame_interpreter::Trace;
use selfsame_ir::Tensor;
use selfsame_runtime::{Kernel, Plan, Session};

use crate::failure::{Failure, Outcome};
use crate::model::Model;

/// The name that forces the interpreter, which is no kernel set but the meaning itself.
pub(crate) const INTERPRETER: &str = "interpreter";

/// Something that runs one model.
#[derive(Debug)]
pub(crate) enum Engine {
    /// Packed for a kernel set.
    Runtime(Box<Session>),
    /// Element by element.
    Interpreter,
}

impl Engine {
    /// Packs `model` for the kernel set called `kernel` (none or `auto`: the best of this machine).
    pub(crate) fn new(model: &Model, kernel: Option<&str>, threads: usize) -> Outcome<Self> {
        let name = kernel.unwrap_or("auto");
        if name == INTERPRETER {
            return Ok(Self::Interpreter);
        }
        let kernel = Kernel::named(name).map_err(Failure::input)?;
        Self::on(model, kernel, threads)
    }

    /// Packs `model` for `kernel`.
    pub(crate) fn on(model: &Model, kernel: Kernel, threads: usize) -> Outcome<Self> {
        let plan = Plan::new(&model.program, &model.values(), kernel).map_err(Failure::input)?;
        Ok(Self::Runtime(Box::new(Session::new(
            Arc::new(plan),
            threads.max(1),
        ))))
    }

    /// The name of what runs.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Runtime(session) => session.plan().kernel().name(),
            Self::Interpreter => INTERPRETER,
        }
    }

    /// Every node's output for one input.
    pub(crate) fn trace(&mut self, model: &Model, input: &Tensor) -> Outcome<Trace> {
        match self {
            Self::Runtime(session) => {
                let trace = session.trace(input).map_err(Failure::input)?;
                Ok(Trace::new(trace.node_tensors))
            }
            Self::Interpreter => {
                let run = selfsame_interpreter::run(&model.program, &model.values(), input.clone());
                run.map_err(Failure::input)
            }
        }
    }

    /// The output for one input.
    pub(crate) fn output(&mut self, model: &Model, input: &Tensor) -> Outcome<Tensor> {
        match self {
            Self::Runtime(session) => session.run_one(input).map_err(Failure::input),
            Self::Interpreter => {
                let trace = self.trace(model, input)?;
                let node = model.program.program().output as usize;
                let output = trace.into_outputs().into_iter().nth(node);
                output.ok_or_else(|| Failure::input("the run has no output"))
            }
        }
    }
}
