//! ONNX Runtime in a Python child, one request a line: the opponent of `bench`.
//!
//! The child is `tools/bench_onnxruntime.py`, carried inside this binary. It runs a few iterations
//! whenever it is asked, so that both sides take turns; the time of a graph of one Identity node
//! shows what a call costs before any work.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde::{Deserialize, Serialize};

use crate::commands::times::Percentiles;
use crate::exit::Exit;
use crate::failure::{Failure, Outcome};

const SCRIPT: &str = include_str!("../../../../tools/bench_onnxruntime.py");

/// The engine whose times are those of a call that computes nothing.
pub(crate) const IDENTITY: &str = "onnxruntime-identity";

/// A pair of batch and threads to be timed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Order {
    /// Samples of one run.
    pub(crate) batch: usize,
    /// Threads.
    pub(crate) threads: usize,
}

/// Figures of the other engine.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct BaselineRow {
    /// `onnxruntime-float32`, `-int8` or `-identity`.
    pub(crate) engine: String,
    /// Its version.
    pub(crate) version: String,
    /// Samples of one run.
    pub(crate) batch: usize,
    /// Threads.
    pub(crate) threads: usize,
    /// Times of a run, its Python call included.
    #[serde(flatten)]
    pub(crate) times: Percentiles,
}

/// Values of the peer's named dimensions other than the batch.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct PeerDims {
    /// By name.
    pub(crate) named: BTreeMap<String, u32>,
    /// Of all others.
    pub(crate) other: Option<u32>,
}

#[derive(Serialize)]
struct Request<'a> {
    dims: &'a BTreeMap<String, u32>,
    other_dim: Option<u32>,
    model: &'a str,
    batch: usize,
    threads: usize,
    iterations: usize,
}

#[derive(Deserialize)]
struct Reply {
    error: Option<String>,
    version: Option<String>,
    seconds: Option<Vec<f64>>,
}

struct Entry {
    engine: &'static str,
    model: String,
    order: Order,
    version: String,
    times_ms: Vec<f64>,
}

/// The running child with what it has measured.
pub(crate) struct Baseline {
    child: Child,
    requests: Option<ChildStdin>,
    replies: BufReader<ChildStdout>,
    entries: Vec<Entry>,
    dims: PeerDims,
}

impl Baseline {
    /// Whether a Python with all that the child needs is there.
    pub(crate) fn present(python: &str) -> Outcome<()> {
        let output = Command::new(python)
            .args(["-c", "import numpy, onnx, onnxruntime"])
            .stdin(Stdio::null())
            .output()
            .map_err(|error| stopped(&format!("{python}: {error}")))?;
        if output.status.success() {
            return Ok(());
        }
        let said = String::from_utf8_lossy(&output.stderr);
        let last = said.trim_end().lines().last().unwrap_or("it failed");
        Err(stopped(&format!("{python}: {last}")))
    }

    /// Starts the child on a float32 model, an int8 model, or both.
    pub(crate) fn start(
        python: &str,
        (float32, int8): (Option<&Path>, Option<&Path>),
        orders: &[Order],
        dims: PeerDims,
    ) -> Outcome<Self> {
        let spawned = Command::new(python)
            .args(["-c", SCRIPT, "serve"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn();
        let mut child = spawned.map_err(|error| stopped(&format!("{python}: {error}")))?;
        let (Some(requests), Some(replies)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(stopped("its streams are missing"));
        };
        let mut models = Vec::new();
        models.extend(float32.map(|path| ("onnxruntime-float32", path.display().to_string())));
        models.extend(int8.map(|path| ("onnxruntime-int8", path.display().to_string())));
        models.push((IDENTITY, "identity".to_owned()));
        let entry = |(engine, model): &(&'static str, String), order: &Order| Entry {
            engine,
            model: model.clone(),
            order: *order,
            version: String::new(),
            times_ms: Vec::new(),
        };
        let entries = models
            .iter()
            .flat_map(|model| orders.iter().map(move |order| entry(model, order)))
            .collect();
        Ok(Self {
            child,
            requests: Some(requests),
            replies: BufReader::new(replies),
            entries,
            dims,
        })
    }

    /// `iterations` runs of everything; the times are kept if `keep`.
    pub(crate) fn round(&mut self, iterations: usize, keep: bool) -> Outcome<()> {
        for entry in &mut self.entries {
            let request = Request {
                dims: &self.dims.named,
                other_dim: self.dims.other,
                model: &entry.model,
                batch: entry.order.batch,
                threads: entry.order.threads,
                iterations,
            };
            let line =
                serde_json::to_string(&request).map_err(|error| stopped(&error.to_string()))?;
            let requests = self
                .requests
                .as_mut()
                .ok_or_else(|| stopped("it has ended"))?;
            let sent = writeln!(requests, "{line}").and_then(|()| requests.flush());
            sent.map_err(|error| stopped(&error.to_string()))?;
            let mut answer = String::new();
            let read = self.replies.read_line(&mut answer);
            read.map_err(|error| stopped(&error.to_string()))?;
            let reply: Reply =
                serde_json::from_str(&answer).map_err(|_| stopped("it ended without an answer"))?;
            if let Some(error) = reply.error {
                return Err(stopped(&format!("{}: {error}", entry.model)));
            }
            if keep {
                let times = reply.seconds.unwrap_or_default();
                entry
                    .times_ms
                    .extend(times.iter().map(|seconds| seconds * 1e3));
                entry.version = reply.version.unwrap_or_default();
            }
        }
        Ok(())
    }

    /// Ends the child and gives the figures.
    pub(crate) fn finish(mut self) -> Vec<BaselineRow> {
        // Its loop ends with its input; how it then ends no longer matters.
        self.requests = None;
        drop(self.child.wait());
        let row = |entry: &mut Entry| BaselineRow {
            engine: entry.engine.to_owned(),
            version: entry.version.clone(),
            batch: entry.order.batch,
            threads: entry.order.threads,
            times: Percentiles::of(&mut entry.times_ms, entry.order.batch),
        };
        std::mem::take(&mut self.entries)
            .iter_mut()
            .map(row)
            .collect()
    }
}

impl Drop for Baseline {
    fn drop(&mut self) {
        self.requests = None;
        // Ended already, or ending: both are what is wanted.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn stopped(what: &str) -> Failure {
    Failure::new(Exit::Failure, format!("ONNX Runtime in Python: {what}"))
        .hint("it needs python3 with onnxruntime, onnx and numpy; name another one with --python")
}
