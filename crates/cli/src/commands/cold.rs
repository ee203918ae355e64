//! Cold start and memory of `bench`, each time in a process of its own.
//!
//! ```text
//! load     the artefact into memory, where its weights stay, hashed while it is read, to a checked program
//!          whose content has the model id of the file
//! pack     weights into the order in which the kernels read them, layout of the buffers
//! ready    both: the first answer can be asked for
//! run      buffers and threads made, one sample answered
//! steady   resident memory that opening added, after some runs, the program given back; the pages of
//!          this binary that running it brought in are files and belong to no model
//! ```
//!
//! A process that has run already would find its memory warm. The file is in the cache of the
//! operating system: what is timed is this program, not a disk.

use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Instant;
use std::{env, fs};

use selfsame::patterned;
use selfsame_compiler::Sizes;
use selfsame_runtime::{Kernel, Plan, Session, trim_heap};
use serde::{Deserialize, Serialize};

use crate::commands::times::quantile;
use crate::dims::SymbolArgs;
use crate::exit::Exit;
use crate::failure::{Failure, Outcome};
use crate::model;

/// Runs before memory is read.
const RUNS: usize = 8;

/// What one process found.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Probe {
    load_ms: f64,
    pack_ms: f64,
    first_run_ms: f64,
    /// Resident bytes, files apart, before the artefact was opened; none where the system does not tell.
    before: Option<u64>,
    /// Resident bytes with program and session.
    with_program: Option<u64>,
    /// Resident bytes with the session alone.
    session: Option<u64>,
    artefact_bytes: u64,
    live_bytes: u64,
}

/// From opening an artefact to the first answer; medians over some processes.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct ColdStart {
    pub(crate) starts: usize,
    pub(crate) load_ms: f64,
    pub(crate) pack_ms: f64,
    /// Loaded and packed.
    pub(crate) ready_ms: f64,
    pub(crate) first_run_ms: f64,
    pub(crate) total_ms: f64,
}

/// Resident memory.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Memory {
    /// Of the process before it opened the artefact.
    pub(crate) before_bytes: u64,
    /// What program and session add.
    pub(crate) with_program_bytes: u64,
    /// What a session adds.
    pub(crate) steady_bytes: u64,
    pub(crate) artefact_bytes: u64,
    /// Largest set of outputs alive at once.
    pub(crate) live_bytes: u64,
    /// `steady_bytes` over artefact and one and a half times the live outputs.
    pub(crate) ratio: f64,
}

/// Opens the artefact at `path` and answers one sample; prints what it took as a line of JSON.
pub(crate) fn probe(
    path: &Path,
    symbols: &SymbolArgs,
    kernel: Kernel,
    threads: usize,
) -> Outcome<Probe> {
    // What the start of the program left free counts for nobody.
    trim_heap();
    let before = resident();
    let mut begun = Instant::now();
    let model = symbols.bind(model::read(path)?)?;
    let load_ms = lap(&mut begun);
    let plan = Plan::new(model.program(), model.values(), kernel).map_err(Failure::input)?;
    let pack_ms = lap(&mut begun);
    let mut session = Session::new(Arc::new(plan), threads);
    let (dtype, len) = session.plan().input();
    let input = patterned(dtype, len).map_err(Failure::input)?;
    session.run_one(&input).map_err(Failure::input)?;
    let first_run_ms = lap(&mut begun);
    for _ in 1..RUNS {
        session.run_one(&input).map_err(Failure::input)?;
    }
    let with_program = resident();
    let artefact_bytes = model::file_bytes(path)?;
    let live_bytes = Sizes::at(model.program(), model.values()).live_bytes;
    drop(model);
    session.run_one(&input).map_err(Failure::input)?;
    // What was asked belongs to who asks.
    drop(input);
    trim_heap();
    let alone = resident();
    Ok(Probe {
        load_ms,
        pack_ms,
        first_run_ms,
        before,
        with_program,
        session: alone,
        artefact_bytes,
        live_bytes,
    })
}

/// Starts this program `starts` times on the artefact at `path`, at `values` of its symbols.
pub(crate) fn measure(
    (path, values): (&Path, &[u32]),
    kernel: Kernel,
    threads: usize,
    starts: usize,
) -> Outcome<(ColdStart, Option<Memory>)> {
    let failed = |what: String| Failure::new(Exit::Failure, format!("cold start: {what}"));
    let program = env::current_exe().map_err(|error| failed(error.to_string()))?;
    let mut probes = Vec::new();
    for _ in 0..starts {
        let output = Command::new(&program)
            .args(["bench", "--probe", "--kernel", kernel.name(), "--threads"])
            .arg(threads.to_string())
            .args(values.iter().map(|value| format!("--dim={value}")))
            .arg(path)
            .stdin(Stdio::null())
            .output()
            .map_err(|error| failed(error.to_string()))?;
        let probe: Result<Probe, _> = serde_json::from_slice(&output.stdout);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        probes.push(probe.map_err(|_| failed(said))?);
    }
    let median = |of: fn(&Probe) -> f64| {
        let mut values: Vec<f64> = probes.iter().map(of).collect();
        quantile(&mut values, 0.5)
    };
    let ready = |p: &Probe| p.load_ms + p.pack_ms;
    let total = |p: &Probe| p.load_ms + p.pack_ms + p.first_run_ms;
    let cold = ColdStart {
        starts,
        load_ms: median(|p| p.load_ms),
        pack_ms: median(|p| p.pack_ms),
        ready_ms: median(ready),
        first_run_ms: median(|p| p.first_run_ms),
        total_ms: median(total),
    };
    let memory = probes.iter().filter_map(Probe::memory);
    Ok((cold, memory.max_by_key(|memory| memory.steady_bytes)))
}

impl Probe {
    /// As a line of JSON.
    pub(crate) fn line(&self) -> String {
        let text = serde_json::to_string(self);
        text.map_or_else(|error| error.to_string(), |text| text + "\n")
    }

    fn memory(&self) -> Option<Memory> {
        let before = self.before?;
        let steady = self.session?.saturating_sub(before);
        #[expect(clippy::cast_precision_loss, reason = "a ratio of megabytes")]
        let ratio = steady as f64 / (self.artefact_bytes as f64 + 1.5 * self.live_bytes as f64);
        Some(Memory {
            before_bytes: before,
            with_program_bytes: self.with_program?.saturating_sub(before),
            steady_bytes: steady,
            artefact_bytes: self.artefact_bytes,
            live_bytes: self.live_bytes,
            ratio,
        })
    }
}

/// Milliseconds since `begun`, which becomes now.
fn lap(begun: &mut Instant) -> f64 {
    let now = Instant::now();
    let time = now.duration_since(std::mem::replace(begun, now));
    time.as_secs_f64() * 1e3
}

/// Resident bytes of this process that are no files, where the system tells them as Linux does.
fn resident() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("RssAnon:"))?;
    let kilobytes: u64 = line.trim().trim_end_matches("kB").trim().parse().ok()?;
    kilobytes.checked_mul(1024)
}
