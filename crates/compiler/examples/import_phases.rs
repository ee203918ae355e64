//! Imports NAME.onnx with the rows of NAME.npz and says how long each phase takes.
//!
//! ```text
//! cargo run --release -p selfsame-compiler --example import_phases NAME.onnx CALIBRATION_ROWS [TEST_ROWS [DIMENSION=VALUE ...]]
//! ```
//!
//! The first rows calibrate, the ones behind them are compared; without test rows there is no
//! comparison. One line for each phase: seconds that passed, and seconds of all cores together, which other
//! work on the machine changes less.

#![allow(clippy::print_stdout, reason = "a report for people")]

use std::error::Error;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use selfsame_compiler::float::{FloatGraph, ImportOptions};
use selfsame_compiler::npz::read_npz_array;
use selfsame_compiler::onnx::OnnxModel;
use selfsame_compiler::{
    Calibration, Compiled, ImportReport, Options, TestRows, TrainingRows, compile, import_report,
};
use selfsame_ir::artefact::encode;
use selfsame_ir::{CheckedProgram, Tensor};
use selfsame_runtime::{Kernel, Plan, Session};

type Fallible<T> = Result<T, Box<dyn Error>>;

/// What to import.
struct Job {
    model: PathBuf,
    calibration_rows: usize,
    test_rows: usize,
    options: ImportOptions,
}

/// Seconds of each phase, printed as it ends: those that passed, and those of all cores together.
#[derive(Default)]
struct Phases {
    total: f64,
    total_cores: f64,
}

/// Seconds that the cores have worked for this process, in hundredths; 0 where the system does not say.
fn core_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // Behind the name in brackets come the state, ten fields, user and system ticks.
    let fields = stat.rsplit(')').next().unwrap_or_default();
    let ticks = fields.split_whitespace().skip(11).take(2);
    ticks
        .filter_map(|ticks| ticks.parse::<f64>().ok())
        .sum::<f64>()
        / 100.0
}

impl Phases {
    fn of<T>(&mut self, name: &str, work: impl FnOnce() -> Fallible<T>) -> Fallible<T> {
        let (start, before) = (Instant::now(), core_seconds());
        let made = work()?;
        let (seconds, cores) = (start.elapsed().as_secs_f64(), core_seconds() - before);
        self.total += seconds;
        self.total_cores += cores;
        println!("{seconds:8.2} {cores:8.2}  {name}");
        Ok(made)
    }
}

fn job() -> Fallible<Job> {
    let mut arguments = std::env::args().skip(1);
    let model = PathBuf::from(arguments.next().ok_or("a model is needed")?);
    let rows = arguments.next().ok_or("rows of calibration are needed")?;
    let mut job = Job {
        model,
        calibration_rows: rows.parse()?,
        test_rows: 0,
        options: ImportOptions::default(),
    };
    for argument in arguments {
        match argument.split_once('=') {
            Some((name, value)) => {
                job.options.dims.insert(name.to_owned(), value.parse()?);
            }
            None => job.test_rows = argument.parse()?,
        }
    }
    Ok(job)
}

/// Rows of all inputs, those of one row behind one another; `x` holds those of an only input.
fn rows(graph: &FloatGraph, path: &Path, count: usize) -> Fallible<Vec<Vec<f32>>> {
    let npz = std::fs::read(path)?;
    let mut rows: Vec<Vec<f32>> = vec![Vec::new(); count];
    for input in graph.inputs() {
        let named = read_npz_array(&npz, &input.name);
        let array = match named {
            Err(_) if graph.inputs().len() == 1 => read_npz_array(&npz, "x")?,
            named => named?,
        };
        let elements: usize = input.shape.iter().product();
        let values = array.to_f32();
        let parts = values.chunks_exact(elements);
        if parts.len() < count {
            return Err(format!("{} rows, {count} wanted", parts.len()).into());
        }
        rows.iter_mut()
            .zip(parts)
            .for_each(|(row, part)| row.extend(part));
    }
    Ok(rows)
}

fn compare(compiled: &Compiled, rows: &[Vec<f32>]) -> Fallible<ImportReport> {
    let plan = Plan::new(&compiled.program, &compiled.values, Kernel::best())?;
    let plan = Arc::new(plan);
    let trace = |_: &CheckedProgram, input: Tensor| {
        let traced = Session::new(Arc::clone(&plan), 1).trace(&input);
        traced.map(|trace| trace.node_tensors).unwrap_or_default()
    };
    let rows = TestRows { rows, labels: &[] };
    Ok(import_report(compiled, rows, trace)?)
}

fn main() -> Fallible<()> {
    let job = job()?;
    let mut phases = Phases::default();
    let model = phases.of("read", || Ok(OnnxModel::read(&job.model)?))?;
    let graph = phases.of("import and fuse", || {
        let graph = FloatGraph::import(&model, &job.options)?;
        Ok(graph.with_first_output().fuse())
    })?;
    drop(model);
    let count = job.calibration_rows + job.test_rows;
    let rows = phases.of("rows", || {
        rows(&graph, &job.model.with_extension("npz"), count)
    })?;
    let calibration = phases.of("calibration", || {
        let training = TrainingRows::before(&rows, job.calibration_rows);
        Ok(Calibration::collect(
            &graph,
            training,
            job.calibration_rows,
        )?)
    })?;
    let compiled = phases.of("widths, lowering, check", || {
        Ok(compile(graph, &calibration, &Options::default())?)
    })?;
    let (id, bytes) = phases.of("commitment, artefact", || {
        let commitment = compiled.program.commit();
        let artefact = encode(&compiled.program, &commitment);
        Ok((commitment.model_id, artefact.len()))
    })?;
    if job.test_rows > 0 {
        let test = &rows[job.calibration_rows..];
        let report = phases.of("comparison", || compare(&compiled, test))?;
        let (snr, rows) = (report.comparison.snr_db, report.rows);
        println!("{snr:17.1}  dB on {rows} rows");
    }
    let (seconds, cores) = (phases.total, phases.total_cores);
    let threads = std::thread::available_parallelism()?;
    println!("{seconds:8.2} {cores:8.2}  all, on {threads} threads");
    println!("{bytes:17}  bytes, model {id}");
    Ok(())
}
