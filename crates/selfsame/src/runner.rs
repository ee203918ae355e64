//! Runs one model: the runtime on an instruction set, or the interpreter.
//!
//! ```text
//! floats --scale, order--> integers --runtime or interpreter--> integers --order, scale--> floats
//! ```
//!
//! Buffers are kept: runs of the same batch size allocate nothing but what they return.

use std::sync::{Arc, Mutex, PoisonError};

use selfsame_interpreter::Trace;
use selfsame_ir::Tensor;
use selfsame_kernels::Width;
use selfsame_protocol::Hash;
use selfsame_runtime::{Elements, ElementsMut, Kernel, KernelError, Plan, Plans, Session};

use crate::error::{InputError, OpenError, RunError};
use crate::model::{Model, Port};
use crate::order::Order;
use crate::scale::{Integer, dequantize, quantize, value};

/// The name that forces the interpreter, which is no instruction set but the meaning itself.
pub const INTERPRETER: &str = "interpreter";

/// Most bytes of buffers that a runner makes if nothing else is said.
pub const MEMORY_BYTES_MAX: u64 = 1 << 34;

/// What runs a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Engine {
    /// Packed for an instruction set that this machine has.
    Kernel(Kernel),
    /// Element by element, as the specification reads: slow, and what all others are compared with.
    Interpreter,
}

impl Engine {
    /// The instruction set called `name`, `auto` (the best of this machine) or `interpreter`.
    ///
    /// ```
    /// use selfsame::Engine;
    ///
    /// assert_eq!(Engine::named("interpreter")?, Engine::Interpreter);
    /// assert!(Engine::named("abacus").is_err());
    /// # Ok::<(), selfsame::Error>(())
    /// ```
    pub fn named(name: &str) -> Result<Self, KernelError> {
        if name == INTERPRETER {
            return Ok(Self::Interpreter);
        }
        Kernel::named(name).map(Self::Kernel)
    }
}

impl Default for Engine {
    /// The best instruction set of this machine.
    fn default() -> Self {
        Self::Kernel(Kernel::best())
    }
}

/// How to run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RunOptions {
    /// On what.
    pub engine: Engine,
    /// Threads, the caller's included (brought into 1..=64): a batch is cut by samples, one sample
    /// by the rows of its large nodes.
    pub threads: usize,
    /// Most bytes of buffers.
    pub memory_bytes_max: u64,
}

impl Default for RunOptions {
    fn default() -> Self {
        Self {
            engine: Engine::default(),
            threads: 1,
            memory_bytes_max: MEMORY_BYTES_MAX,
        }
    }
}

/// A model packed for an engine: runners of it share the weights. Can be sent and shared.
#[derive(Debug, Clone)]
pub struct Packed {
    model: Model,
    plan: Option<Arc<Plan>>,
    /// Of a program with symbols: plans at other values share the weights.
    plans: Option<Arc<Mutex<Plans>>>,
    options: RunOptions,
    conversion: Arc<Conversion>,
}

/// Runs one model with its own buffers and threads.
#[derive(Debug)]
pub struct Runner {
    packed: Packed,
    backend: Backend,
    /// Inputs and outputs of the last batch.
    integers: (Tensor, Tensor),
    /// One sample in the source's order.
    scratch: Tensor,
}

#[derive(Debug)]
enum Backend {
    Runtime(Box<Session>),
    Interpreter,
}

/// The orders of elements and the step of the output.
#[derive(Debug)]
struct Conversion {
    input: Order,
    output: Order,
    output_step: f64,
    /// Vectors of the loops over floats.
    width: Width,
}

impl Packed {
    pub(crate) fn new(model: &Model, options: &RunOptions) -> Result<Self, OpenError> {
        let is_open = !model.values().0.is_empty();
        let (plan, plans) = match options.engine {
            Engine::Interpreter => (None, None),
            Engine::Kernel(kernel) if is_open => {
                let mut plans = Plans::new(model.shared_program(), kernel);
                let plan = plans.at(model.values())?;
                (Some(plan), Some(Arc::new(Mutex::new(plans))))
            }
            Engine::Kernel(kernel) => {
                let plan = Plan::new(model.program(), model.values(), kernel)?;
                (Some(plan), None)
            }
        };
        Self::with_plan(model.clone(), plan, plans, options)
    }

    fn with_plan(
        model: Model,
        plan: Option<Plan>,
        plans: Option<Arc<Mutex<Plans>>>,
        options: &RunOptions,
    ) -> Result<Self, OpenError> {
        match &plan {
            Some(plan) => within(plan, options)?,
            None => drop(model.program().shapes(model.values())?),
        }
        let interface = model.interface();
        let conversion = Conversion {
            input: Order::new(&interface.input, model.input().elements()),
            output: Order::new(&interface.output, model.output().elements()),
            output_step: value(interface.output_scale),
            width: match options.engine {
                Engine::Kernel(kernel) => Width::of(kernel),
                Engine::Interpreter => Width::BASELINE,
            },
        };
        Ok(Self {
            model,
            plan: plan.map(Arc::new),
            plans,
            options: *options,
            conversion: Arc::new(conversion),
        })
    }

    /// The same model packed at other values of its symbols; the weights are shared.
    ///
    /// `at` is [`Model::at`] or [`Model::at_length`] of this model; a model of another program is packed anew.
    pub fn at(&self, at: &Model) -> Result<Self, OpenError> {
        match &self.plans {
            Some(plans) if at.is_of_program(&self.model) => {
                // A panic while planning leaves packed weights, each whole.
                let mut all = plans.lock().unwrap_or_else(PoisonError::into_inner);
                let plan = all.at(at.values())?;
                let plans = Some(Arc::clone(plans));
                Self::with_plan(at.clone(), Some(plan), plans, &self.options)
            }
            Some(_) | None => Self::new(at, &self.options),
        }
    }

    /// A runner with buffers and threads of its own.
    pub fn runner(&self) -> Runner {
        let backend = match &self.plan {
            None => Backend::Interpreter,
            Some(plan) => Backend::Runtime(Box::new(Session::new(
                Arc::clone(plan),
                self.options.threads,
            ))),
        };
        let empty = |port: &Port| zeros(port, 0);
        Runner {
            integers: (empty(self.model.input()), empty(self.model.output())),
            scratch: zeros(self.model.input(), 0),
            packed: self.clone(),
            backend,
        }
    }

    /// The model.
    pub fn model(&self) -> &Model {
        &self.model
    }

    /// The name of what runs: an instruction set, or `interpreter`.
    pub fn name(&self) -> &'static str {
        match &self.plan {
            Some(plan) => plan.kernel().name(),
            None => INTERPRETER,
        }
    }
}

/// Refuses buffers of more bytes than allowed.
fn within(plan: &Plan, options: &RunOptions) -> Result<(), OpenError> {
    let threads = options.threads.clamp(1, 64);
    let needed = (plan.workspace_bytes() as u64).saturating_mul(threads as u64);
    if options.memory_bytes_max < needed {
        return Err(OpenError::Memory {
            needed,
            threads,
            allowed: options.memory_bytes_max,
        });
    }
    Ok(())
}

impl Runner {
    /// The model.
    pub fn model(&self) -> &Model {
        &self.packed.model
    }

    /// The model as it is packed.
    pub fn packed(&self) -> &Packed {
        &self.packed
    }

    /// The name of what runs: an instruction set, or `interpreter`.
    pub fn name(&self) -> &'static str {
        self.packed.name()
    }

    /// Threads, the caller's included.
    pub fn threads(&self) -> usize {
        match &self.backend {
            Backend::Runtime(session) => session.threads(),
            Backend::Interpreter => 1,
        }
    }

    /// Answers of one sample or a batch: whole samples in the source model's order, one after the
    /// other, to `f32[samples * output elements]`.
    pub fn run(&mut self, floats: &[f32]) -> Result<Vec<f32>, RunError> {
        let samples = samples(floats.len(), self.packed.model.input())?;
        let mut answers = vec![0.0; samples.saturating_mul(self.packed.model.output().elements())];
        self.run_into(floats, &mut answers)?;
        Ok(answers)
    }

    /// The same into `answers`, which has room for all of them; allocates nothing for a batch size
    /// that was run before.
    pub fn run_into(&mut self, floats: &[f32], answers: &mut [f32]) -> Result<(), RunError> {
        let samples = samples(floats.len(), self.packed.model.input())?;
        let answer = self.packed.model.output().elements();
        if Some(answers.len()) != samples.checked_mul(answer) {
            let room = answers.len();
            return Err(InputError::Room {
                room,
                samples,
                answer,
            }
            .into());
        }
        let (mut input, mut output) = std::mem::replace(&mut self.integers, nothing());
        resize(&mut input, floats.len());
        resize(&mut output, answers.len());
        let ran = self
            .quantize_into(floats, &mut input)
            .map_err(RunError::from)
            .and_then(|()| self.run_integers((&input).into(), (&mut output).into()));
        if ran.is_ok() {
            self.dequantize_into(&output, answers);
        }
        self.integers = (input, output);
        ran
    }

    /// Runs the program's own integers, in the program's order: whole samples in, as many out.
    pub fn run_integers(&mut self, input: Elements, output: ElementsMut) -> Result<(), RunError> {
        match &mut self.backend {
            Backend::Runtime(session) => Ok(session.run(input, output)?),
            Backend::Interpreter => self.interpret(input, output),
        }
    }

    fn interpret(&self, input: Elements, mut output: ElementsMut) -> Result<(), RunError> {
        let (sample, answer) = (
            self.packed.model.input().elements(),
            self.packed.model.output().elements(),
        );
        let samples = samples(input.len(), self.packed.model.input())?;
        if Some(output.len()) != samples.checked_mul(answer) {
            let room = output.len();
            return Err(InputError::Room {
                room,
                samples,
                answer,
            }
            .into());
        }
        for index in 0..samples {
            let row = index * sample..(index + 1) * sample;
            let input = match input {
                Elements::I8(all) => Tensor::I8(all[row].to_vec()),
                Elements::I16(all) => Tensor::I16(all[row].to_vec()),
                Elements::I32(all) => Tensor::I32(all[row].to_vec()),
            };
            let answers = index * answer..(index + 1) * answer;
            let found = self.interpreted(&input)?;
            match (&mut output, &found) {
                (ElementsMut::I8(to), Tensor::I8(from)) => to[answers].copy_from_slice(from),
                (ElementsMut::I16(to), Tensor::I16(from)) => to[answers].copy_from_slice(from),
                (ElementsMut::I32(to), Tensor::I32(from)) => to[answers].copy_from_slice(from),
                (ElementsMut::I8(_) | ElementsMut::I16(_) | ElementsMut::I32(_), _) => {
                    return Err(selfsame_runtime::RunError::Type {
                        what: "output",
                        found: output.dtype(),
                        expected: found.dtype(),
                    }
                    .into());
                }
            }
        }
        Ok(())
    }

    /// The output of one sample of the program's integers.
    pub fn output(&mut self, input: &Tensor) -> Result<Tensor, RunError> {
        match &mut self.backend {
            Backend::Runtime(session) => Ok(session.run_one(input)?),
            Backend::Interpreter => self.interpreted(input),
        }
    }

    fn interpreted(&self, input: &Tensor) -> Result<Tensor, RunError> {
        let (program, values) = (self.packed.model.program(), self.packed.model.values());
        let trace = selfsame_interpreter::run(program, values, input.clone())?;
        let node = program.program().output as usize;
        let output = trace.into_outputs().into_iter().nth(node);
        Ok(output.unwrap_or_else(|| zeros(self.packed.model.output(), 0)))
    }

    /// Every node's output for one sample; its root is what a provider commits to.
    pub fn trace(&mut self, input: &Tensor) -> Result<Trace, RunError> {
        match &mut self.backend {
            Backend::Runtime(session) => {
                let committed = self.packed.model.program().segments().committed();
                Ok(Trace::new(session.trace(input)?.node_tensors, committed))
            }
            Backend::Interpreter => {
                let (program, values) = (self.packed.model.program(), self.packed.model.values());
                Ok(selfsame_interpreter::run(program, values, input.clone())?)
            }
        }
    }

    /// The trace root and the output of one sample; the trace is not kept.
    pub fn trace_root(&mut self, input: &Tensor) -> Result<(Hash, Tensor), RunError> {
        match &mut self.backend {
            Backend::Runtime(session) => {
                let mut output = zeros(
                    self.packed.model.output(),
                    self.packed.model.output().elements(),
                );
                let root = session.run_traced(input.into(), (&mut output).into())?;
                Ok((root, output))
            }
            Backend::Interpreter => {
                let trace = self.trace(input)?;
                let node = self.packed.model.program().program().output;
                let output = trace.output(node).cloned();
                let output = output.unwrap_or_else(|| zeros(self.packed.model.output(), 0));
                Ok((trace.root(), output))
            }
        }
    }

    /// The program's integers of whole samples in the source model's order, all in one tensor.
    pub fn quantize(&mut self, floats: &[f32]) -> Result<Tensor, InputError> {
        samples(floats.len(), self.packed.model.input())?;
        let mut input = zeros(self.packed.model.input(), floats.len());
        self.quantize_into(floats, &mut input)?;
        Ok(input)
    }

    /// The floats, in the source model's order, of the program's answers.
    pub fn dequantize(&self, output: &Tensor) -> Result<Vec<f32>, InputError> {
        samples(output.len(), self.packed.model.output())?;
        let mut answers = vec![0.0; output.len()];
        self.dequantize_into(output, &mut answers);
        Ok(answers)
    }

    /// Both have as many whole samples.
    fn quantize_into(&mut self, floats: &[f32], input: &mut Tensor) -> Result<(), InputError> {
        let Conversion {
            input: order,
            width,
            ..
        } = &*self.packed.conversion;
        let (width, ratio) = (*width, self.packed.model.interface().input_scale);
        let sample = self.packed.model.input().elements();
        let made = match order {
            Order::Same => match input {
                Tensor::I8(input) => quantize(ratio, width, floats, input),
                Tensor::I16(input) => quantize(ratio, width, floats, input),
                Tensor::I32(input) => quantize(ratio, width, floats, input),
            },
            Order::Planes { .. } | Order::Listed(_) => {
                resize(&mut self.scratch, sample);
                let each = |(index, error)| (index, error);
                match (input, &mut self.scratch) {
                    (Tensor::I8(input), Tensor::I8(row)) => {
                        reordered(order, floats, input, row, |x, y| {
                            quantize(ratio, width, x, y)
                        })
                    }
                    (Tensor::I16(input), Tensor::I16(row)) => {
                        reordered(order, floats, input, row, |x, y| {
                            quantize(ratio, width, x, y)
                        })
                    }
                    (Tensor::I32(input), Tensor::I32(row)) => {
                        reordered(order, floats, input, row, |x, y| {
                            quantize(ratio, width, x, y)
                        })
                    }
                    // Scratch and input are both made for the model's input type.
                    (Tensor::I8(_) | Tensor::I16(_) | Tensor::I32(_), _) => Ok(()),
                }
                .map_err(each)
            }
        };
        made.map_err(|(index, error)| InputError::NotANumber { index, error })
    }

    /// Both have as many whole samples.
    fn dequantize_into(&self, output: &Tensor, answers: &mut [f32]) {
        match output {
            Tensor::I8(output) => self.answers(output, answers),
            Tensor::I16(output) => self.answers(output, answers),
            Tensor::I32(output) => self.answers(output, answers),
        }
    }

    fn answers<T: Integer>(&self, output: &[T], answers: &mut [f32]) {
        let Conversion {
            output: order,
            output_step: step,
            ..
        } = &*self.packed.conversion;
        let answer = self.packed.model.output().elements().max(1);
        let rows = output
            .chunks_exact(answer)
            .zip(answers.chunks_exact_mut(answer));
        for (from, to) in rows {
            order.to_source(from, to, |integer| dequantize(*step, integer));
        }
    }
}

/// Row by row through `row`, then into the program's order; indices of errors count over all rows.
fn reordered<T: Integer>(
    order: &Order,
    floats: &[f32],
    input: &mut [T],
    row: &mut [T],
    quantize: impl Fn(&[f32], &mut [T]) -> Result<(), crate::scale::Bad>,
) -> Result<(), crate::scale::Bad> {
    let sample = row.len().max(1);
    let rows = floats
        .chunks_exact(sample)
        .zip(input.chunks_exact_mut(sample));
    for (index, (floats, input)) in rows.enumerate() {
        quantize(floats, row).map_err(|(at, error)| (index * sample + at, error))?;
        order.to_program(row, input);
    }
    Ok(())
}

/// Number of whole samples in `numbers` numbers, at least one.
pub(crate) fn samples(numbers: usize, port: &Port) -> Result<usize, InputError> {
    let sample = port.elements();
    if numbers == 0 || sample == 0 || !numbers.is_multiple_of(sample) {
        return Err(InputError::Length { numbers, sample });
    }
    Ok(numbers / sample)
}

/// `len` zeros of a port's type.
pub(crate) fn zeros(port: &Port, len: usize) -> Tensor {
    match port.dtype {
        selfsame_ir::DType::I8 => Tensor::I8(vec![0; len]),
        selfsame_ir::DType::I16 => Tensor::I16(vec![0; len]),
        selfsame_ir::DType::I32 => Tensor::I32(vec![0; len]),
    }
}

/// What stands in a runner's place of integers while they are lent; does not allocate.
const fn nothing() -> (Tensor, Tensor) {
    (Tensor::I8(Vec::new()), Tensor::I8(Vec::new()))
}

/// Makes a buffer `len` elements long; shrinks without giving memory back.
fn resize(tensor: &mut Tensor, len: usize) {
    match tensor {
        Tensor::I8(values) => values.resize(len, 0),
        Tensor::I16(values) => values.resize(len, 0),
        Tensor::I32(values) => values.resize(len, 0),
    }
}
