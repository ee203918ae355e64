//! What `bench` found, as JSON and as text.

use serde::Serialize;

use crate::commands::baseline::BaselineRow;
use crate::commands::bench_trace::TraceCost;
use crate::commands::cold::{ColdStart, Memory};
use crate::commands::times::Percentiles;
use crate::output::Report;
use crate::paint::Paint;
use crate::table::{Table, grouped};

/// One configuration of ours.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Row {
    pub(crate) batch: usize,
    pub(crate) threads: usize,
    pub(crate) kernel: &'static str,
    pub(crate) trace: &'static str,
    #[serde(flatten)]
    pub(crate) times: Percentiles,
    /// Our median over that of the strongest peer given.
    pub(crate) ratio: Option<f64>,
    pub(crate) ratio_float32: Option<f64>,
    pub(crate) ratio_int8: Option<f64>,
    /// With a trace: how much longer than the same without, if that ran too.
    pub(crate) trace_overhead_percent: Option<f64>,
}

/// All of it.
#[derive(Debug, Serialize)]
pub(crate) struct Bench {
    pub(crate) model_id: String,
    pub(crate) name: String,
    /// Values of the program's symbols.
    pub(crate) dims: Vec<u32>,
    /// Of one sample at these values.
    pub(crate) macs: u64,
    pub(crate) rounds: usize,
    pub(crate) gaps: Vec<&'static str>,
    pub(crate) runs: Vec<Row>,
    pub(crate) baseline: Vec<BaselineRow>,
    /// Why a peer that was named did not run.
    pub(crate) peer_absent: Option<String>,
    pub(crate) trace: Option<TraceCost>,
    pub(crate) cold_start: Option<ColdStart>,
    pub(crate) memory: Option<Memory>,
}

impl Bench {
    fn table(&self, paint: Paint) -> String {
        let mut table = Table::new(&[
            "engine",
            ">batch",
            ">threads",
            "trace",
            ">min ms",
            ">p50 ms",
            ">p90 ms",
            ">p99 ms",
            ">samples/s",
            ">ratio f32",
            ">ratio int8",
            ">trace +%",
        ]);
        let digits = |value: Option<f64>, digits: usize| {
            value.map_or(String::new(), |value| format!("{value:.digits$}"))
        };
        for run in &self.runs {
            let [min, p50, p90, p99, rate] = cells(&run.times);
            table.row([
                run.kernel.to_owned(),
                run.batch.to_string(),
                run.threads.to_string(),
                run.trace.to_owned(),
                min,
                p50,
                p90,
                p99,
                rate,
                digits(run.ratio_float32, 2),
                digits(run.ratio_int8, 2),
                digits(run.trace_overhead_percent, 1),
            ]);
        }
        for row in &self.baseline {
            let [min, p50, p90, p99, rate] = cells(&row.times);
            let (batch, threads) = (row.batch.to_string(), row.threads.to_string());
            table.row([
                row.engine.clone(),
                batch,
                threads,
                String::new(),
                min,
                p50,
                p90,
                p99,
                rate,
            ]);
        }
        table.render(paint)
    }
}

fn cells(times: &Percentiles) -> [String; 5] {
    let ms = |time: f64| format!("{time:.4}");
    let rate = format!("{:.0}", times.samples_per_second);
    [
        ms(times.min_ms),
        ms(times.median_ms),
        ms(times.p90_ms),
        ms(times.p99_ms),
        rate,
    ]
}

impl TraceCost {
    fn text(&self) -> String {
        let speed = self.keccak_gb_per_second;
        let speed = speed.map_or("too short to time".to_owned(), |v| format!("{v:.2} GB/s"));
        format!(
            "  trace        {} bytes hashed a sample, {speed}; {:+.1} % at batch {}, threads {}\n",
            grouped(self.hashed_bytes),
            self.overhead_percent,
            self.batch,
            self.threads,
        )
    }
}

impl ColdStart {
    fn text(&self) -> String {
        format!(
            "  cold start   ready in {:.2} ms: load {:.2}, pack {:.2}; first run {:.2}, together {:.2}; median of {}\n",
            self.ready_ms,
            self.load_ms,
            self.pack_ms,
            self.first_run_ms,
            self.total_ms,
            self.starts,
        )
    }
}

impl Memory {
    fn text(&self) -> String {
        format!(
            "  memory       {} bytes steady, {} with the program kept; artefact {}, outputs at once {}; \
             {:.2} of artefact + 1.5 outputs\n",
            grouped(self.steady_bytes),
            grouped(self.with_program_bytes),
            grouped(self.artefact_bytes),
            grouped(self.live_bytes),
            self.ratio,
        )
    }
}

impl Report for Bench {
    fn command(&self) -> &'static str {
        "bench"
    }

    fn text(&self, paint: Paint) -> String {
        let gaps = match self.gaps.as_slice() {
            [] => String::new(),
            gaps => format!("  not on this machine: {}\n", gaps.join(", ")),
        };
        let legend = if self.baseline.is_empty() {
            ""
        } else {
            "  ratio: our median / theirs, below 1 we are faster; onnxruntime-identity is the overhead of a call\n"
        };
        let trace = self.trace.as_ref().map_or(String::new(), TraceCost::text);
        let cold = self
            .cold_start
            .as_ref()
            .map_or(String::new(), ColdStart::text);
        let memory = self.memory.as_ref().map_or(String::new(), Memory::text);
        format!(
            "{}  {} rounds, interleaved; {} MACs a sample\n{}{gaps}{legend}{trace}{cold}{memory}",
            paint.bold(&self.name),
            self.rounds,
            self.macs,
            self.table(paint),
        )
    }
}
