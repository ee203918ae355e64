//! A session runs samples on plans: buffers and threads are made once, runs allocate nothing.

use std::sync::Arc;

use selfsame_ir::{DimValues, Tensor};
use selfsame_kernels::{Room, ThreadPool};
use selfsame_protocol::Hash;

use crate::elements::{Elements, ElementsMut, zeros};
use crate::error::{PlanError, RunError};
use crate::layout::Place;
use crate::plan::Plan;
use crate::plans::Plans;
use crate::queue::{Queue, Samples};
use crate::slots::Slot;
use crate::storage::Buffer;
use crate::trace::{Hasher, Trace};

/// Buffers for one sample at a time.
#[derive(Debug)]
struct Workspace {
    buffers: Vec<Buffer>,
}

/// The most plans that a session keeps.
pub const PLANS_MAX: usize = 8;

/// A plan with its buffers.
#[derive(Debug)]
struct Ready {
    plan: Arc<Plan>,
    /// One for each thread; the first one runs single samples.
    workspaces: Vec<Workspace>,
}

/// Runs samples on a fixed number of threads, at one tuple of values of the symbols at a time.
#[derive(Debug)]
pub struct Session {
    /// None in a session of one plan.
    plans: Option<Plans>,
    ready: Ready,
    /// Plans at other values, the last used one last.
    resting: Vec<Ready>,
    pool: ThreadPool,
    hasher: Hasher,
}

impl Session {
    /// A session on `threads` threads, the caller's included (brought into 1..=64).
    ///
    /// Allocates [`Plan::workspace_bytes`] for each thread: whoever runs programs of strangers
    /// compares that with what it can spare first.
    pub fn new(plan: Arc<Plan>, threads: usize) -> Self {
        let pool = ThreadPool::new(threads);
        Self {
            plans: None,
            ready: Ready::new(plan, &pool),
            resting: Vec::new(),
            pool,
            hasher: Hasher::default(),
        }
    }

    /// A session that can be bound to other values of the symbols later; it starts at `values`.
    pub fn over(mut plans: Plans, values: &DimValues, threads: usize) -> Result<Self, PlanError> {
        let plan = Arc::new(plans.at(values)?);
        let mut session = Self::new(plan, threads);
        session.plans = Some(plans);
        Ok(session)
    }

    /// Binds the symbols: what runs from here on, runs at `values`.
    ///
    /// The [`PLANS_MAX`] plans that were used last are kept with their buffers, so that going back and
    /// forth allocates nothing; a new plan packs no weights again.
    pub fn bind(&mut self, values: &DimValues) -> Result<(), PlanError> {
        if self.ready.plan.values() == values {
            return Ok(());
        }
        let known = self
            .resting
            .iter()
            .position(|ready| ready.plan.values() == values);
        let next = if let Some(at) = known {
            self.resting.remove(at)
        } else {
            let plans = self.plans.as_mut().ok_or(PlanError::OnePlan)?;
            let plan = Arc::new(plans.at(values)?);
            if PLANS_MAX <= self.resting.len() + 1 {
                self.resting.remove(0);
            }
            Ready::new(plan, &self.pool)
        };
        let last = std::mem::replace(&mut self.ready, next);
        self.resting.push(last);
        Ok(())
    }

    /// The plan.
    pub fn plan(&self) -> &Plan {
        &self.ready.plan
    }

    /// Threads, the caller's included.
    pub fn threads(&self) -> usize {
        self.pool.threads()
    }

    /// Runs one sample or a batch: `input` and `output` hold as many whole samples each.
    ///
    /// Threads take the samples of a batch one after the other, each runs its own in buffers of its own;
    /// a single sample is cut by rows or output channels of its large nodes. The bits are the same for every cut.
    /// Allocates nothing.
    pub fn run(&mut self, input: Elements, output: ElementsMut) -> Result<(), RunError> {
        let samples = self.check(input, &output)?;
        let (ready, pool) = (&mut self.ready, &mut self.pool);
        let plan = &*ready.plan;
        if samples == 1 {
            let pool = (1 < pool.threads()).then_some(pool);
            ready.workspaces[0].run(plan, input, pool, |_, _, _| {});
            ready.workspaces[0].read_output(plan, output);
            return Ok(());
        }
        let threads = pool.threads().min(samples);
        let queue = Queue::new((input, output), samples, threads);
        let workspaces = &mut ready.workspaces[..threads];
        pool.for_each(workspaces, &|_, workspace: &mut Workspace| {
            while let Some(samples) = queue.take() {
                workspace.run_samples(plan, samples);
            }
        });
        Ok(())
    }

    /// Runs one sample and keeps everything.
    pub fn trace(&mut self, input: &Tensor) -> Result<Trace, RunError> {
        let mut node_tensors = Vec::with_capacity(self.plan().node_count());
        let flip = self.plan().kernel().flip();
        let plan = Arc::clone(&self.ready.plan);
        let every = 0..plan.places.len();
        let node_roots = self.run_and_commit(input.into(), every, |node, buffer| {
            node_tensors.push(buffer.tensor(&plan.places[node].grid, flip));
        })?;
        let committed = plan.committed.iter().map(|&node| node_roots[node as usize]);
        let trace_root = self.trace_root(&committed.collect::<Vec<_>>());
        Ok(Trace {
            node_tensors,
            node_roots,
            trace_root,
        })
    }

    /// Runs one sample, writes its output, and returns the trace root without keeping the trace: commits to
    /// the committed nodes alone.
    pub fn run_traced(&mut self, input: Elements, output: ElementsMut) -> Result<Hash, RunError> {
        if input.len() != self.plan().input().1 {
            return Err(self.length_error(input, &output));
        }
        self.check(input, &output)?;
        let plan = Arc::clone(&self.ready.plan);
        let committed = plan.committed.iter().map(|&node| node as usize);
        let node_roots = self.run_and_commit(input, committed, |_, _| {})?;
        self.ready.workspaces[0].read_output(&self.ready.plan, output);
        Ok(self.trace_root(&node_roots))
    }

    /// Runs one sample into a new tensor.
    pub fn run_one(&mut self, input: &Tensor) -> Result<Tensor, RunError> {
        let (dtype, len) = self.plan().output();
        let mut output = zeros(dtype, len);
        let elements = Elements::from(input);
        if elements.len() != self.plan().input().1 {
            return Err(self.length_error(elements, &(&mut output).into()));
        }
        self.run(elements, (&mut output).into())?;
        Ok(output)
    }

    /// Runs one sample, commits to the outputs of `nodes` (increasing) and shows them to `keep`.
    fn run_and_commit(
        &mut self,
        input: Elements,
        nodes: impl Iterator<Item = usize>,
        mut keep: impl FnMut(usize, &Buffer),
    ) -> Result<Vec<Hash>, RunError> {
        let (dtype, len) = self.plan().output();
        if input.len() != self.plan().input().1 {
            let mut output = zeros(dtype, len);
            return Err(self.length_error(input, &(&mut output).into()));
        }
        self.check_input(input)?;
        let plan = &*self.ready.plan;
        let kernel = plan.kernel();
        let hasher = &mut self.hasher;
        hasher.clear();
        let pool = (1 < self.pool.threads()).then_some(&mut self.pool);
        let mut nodes = nodes.peekable();
        self.ready.workspaces[0].run(plan, input, pool, |node, buffer, pool| {
            if nodes.next_if_eq(&node).is_none() {
                return;
            }
            buffer.canonical_bytes(&plan.places[node].grid, kernel.flip(), &mut hasher.bytes);
            hasher.end_node(kernel, pool);
            keep(node, buffer);
        });
        Ok(hasher.node_roots(kernel, Some(&mut self.pool)))
    }

    fn trace_root(&mut self, node_roots: &[Hash]) -> Hash {
        let kernel = self.ready.plan.kernel();
        self.hasher
            .tree_root(kernel, Some(&mut self.pool), node_roots)
    }

    fn check_input(&self, input: Elements) -> Result<(), RunError> {
        let expected = self.plan().input().0;
        let found = input.dtype();
        if found != expected {
            return Err(RunError::Type {
                what: "input",
                found,
                expected,
            });
        }
        match input.first_bad() {
            Some((index, value)) => Err(RunError::Value { index, value }),
            None => Ok(()),
        }
    }

    /// Number of samples.
    fn check(&self, input: Elements, output: &ElementsMut) -> Result<usize, RunError> {
        let expected = self.plan().output().0;
        let found = output.dtype();
        if found != expected {
            return Err(RunError::Type {
                what: "output",
                found,
                expected,
            });
        }
        let (input_sample, output_sample) = (self.plan().input().1, self.plan().output().1);
        let samples = input.len() / input_sample;
        if samples == 0
            || !input.len().is_multiple_of(input_sample)
            || Some(output.len()) != samples.checked_mul(output_sample)
        {
            return Err(self.length_error(input, output));
        }
        self.check_input(input)?;
        Ok(samples)
    }

    fn length_error(&self, input: Elements, output: &ElementsMut) -> RunError {
        RunError::Length {
            input: input.len(),
            output: output.len(),
            input_sample: self.plan().input().1,
            output_sample: self.plan().output().1,
        }
    }
}

impl Ready {
    fn new(plan: Arc<Plan>, pool: &ThreadPool) -> Self {
        let workspaces = (0..pool.threads()).map(|_| Workspace::new(&plan)).collect();
        Self { plan, workspaces }
    }
}

impl Workspace {
    fn new(plan: &Plan) -> Self {
        let flip = plan.kernel.flip();
        // Buffers are small, all of them are not: in one room they get large pages.
        let bytes = |slot: &Slot| Room::bytes_of(slot.bytes);
        let room = Room::new(plan.slots.iter().map(bytes).sum());
        let buffer = |slot: &Slot| Buffer::new(slot, flip, &room);
        Self {
            buffers: plan.slots.iter().map(buffer).collect(),
        }
    }

    /// Runs every step; `keep` sees each node's output as soon as it is complete, and may use the threads.
    fn run(
        &mut self,
        plan: &Plan,
        input: Elements,
        mut pool: Option<&mut ThreadPool>,
        mut keep: impl FnMut(usize, &Buffer, Option<&mut ThreadPool>),
    ) {
        let flip = plan.kernel.flip();
        self.lay_out(plan, plan.input_slot, &plan.places[0]);
        self.buffers[plan.input_slot].store(&plan.places[0].grid, flip, input);
        keep(0, &self.buffers[plan.input_slot], pool.as_deref_mut());
        for step in &plan.steps {
            self.lay_out(plan, step.output, &step.place);
            if let Some((slot, place)) = step.scratch() {
                self.lay_out(plan, slot, place);
            }
            let (kernel, linears) = (plan.kernel, &plan.linears);
            step.run(kernel, linears, &mut self.buffers, pool.as_deref_mut());
            if let Some(node) = step.node {
                keep(node, &self.buffers[step.output], pool.as_deref_mut());
            }
        }
    }

    /// Runs some samples, one after the other.
    fn run_samples(&mut self, plan: &Plan, mut samples: Samples) {
        let (input_len, output_len) = (plan.input().1, plan.output().1);
        for sample in 0..samples.input.len() / input_len {
            let input = samples.input.part(sample * input_len, input_len);
            self.run(plan, input, None, |_, _, _| {});
            let output = samples.output.part(sample * output_len, output_len);
            self.read_output(plan, output);
        }
    }

    /// Prepares a slot for an output of `place`, if other forms use it too.
    fn lay_out(&mut self, plan: &Plan, slot: usize, place: &Place) {
        if plan.slots[slot].shared {
            self.buffers[slot].lay_out(place, plan.kernel.flip());
        }
    }

    fn read_output(&self, plan: &Plan, output: ElementsMut) {
        let grid = &plan.places[plan.output_node].grid;
        self.buffers[plan.output_slot].load(grid, plan.kernel.flip(), output);
    }
}
