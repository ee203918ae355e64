//! `selfsame trace diff A B`: the first node and element in which two runs differ.

use std::path::{Path, PathBuf};

use selfsame::Model;
use serde::Serialize;

use selfsame_interpreter::TraceFile;
use selfsame_protocol::constants::TILE_BYTES;

use crate::exit::Exit;
use crate::failure::{Failure, Outcome};
use crate::model::{self, read_file};
use crate::output::{Output, Report};
use crate::paint::Paint;

/// Commands on traces.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Name the first node and element in which two runs differ.
    Diff(Args),
}

/// Arguments of `trace diff`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// A trace written by `run --trace`.
    a: PathBuf,
    /// Another of the same program.
    b: PathBuf,
    /// The program, to name the node.
    #[arg(long, value_name = "FILE")]
    model: Option<PathBuf>,
    /// End with exit code 1 if the traces differ.
    #[arg(long)]
    exit_code: bool,
}

#[derive(Debug, Serialize)]
struct Difference {
    node: u32,
    name: Option<String>,
    element: u64,
    tile: u64,
    a: Option<i32>,
    b: Option<i32>,
}

#[derive(Debug, Serialize)]
struct Comparison {
    model_id: String,
    equal: bool,
    root_a: String,
    root_b: String,
    nodes: usize,
    first_difference: Option<Difference>,
}

/// Runs the command.
pub(crate) fn run(command: &Command, output: Output) -> Outcome<Exit> {
    let Command::Diff(args) = command;
    let a = read(&args.a)?;
    let b = read(&args.b)?;
    if a.model_id != b.model_id {
        let what = format!("traces of two programs: {} and {}", a.model_id, b.model_id);
        return Err(Failure::input(what).hint("compare two runs of one program"));
    }
    let (count_a, count_b) = (a.trace.outputs().len(), b.trace.outputs().len());
    if count_a != count_b {
        let what = format!("{count_a} nodes against {count_b}; one of the files is damaged");
        return Err(Failure::input(what));
    }
    let model = args.model.as_deref().map(model::read).transpose()?;
    let comparison = compare(&a, &b, model.as_ref());
    let differ = !comparison.equal;
    output.report(&comparison);
    Ok(if differ && args.exit_code {
        Exit::Failure
    } else {
        Exit::Ok
    })
}

fn read(path: &Path) -> Outcome<TraceFile> {
    TraceFile::decode(&read_file(path)?).map_err(|error| {
        Failure::file(path, error).hint("`selfsame run FILE --input X --trace=OUT` writes a trace")
    })
}

fn compare(a: &TraceFile, b: &TraceFile, model: Option<&Model>) -> Comparison {
    let difference = a.trace.first_difference(&b.trace);
    let first_difference = difference.map(|(node, element)| {
        let value = |file: &TraceFile| {
            let output = file.trace.output(node)?;
            output.get(usize::try_from(element).ok()?)
        };
        let size = a
            .trace
            .output(node)
            .map_or(1, |output| output.dtype().size());
        Difference {
            node,
            name: model.map(|model| model.node_name(node)),
            element,
            tile: element.saturating_mul(u64::from(size)) / u64::from(TILE_BYTES),
            a: value(a),
            b: value(b),
        }
    });
    Comparison {
        model_id: a.model_id.to_string(),
        equal: first_difference.is_none(),
        root_a: a.trace.root().to_string(),
        root_b: b.trace.root().to_string(),
        nodes: a.trace.outputs().len(),
        first_difference,
    }
}

impl Report for Comparison {
    fn command(&self) -> &'static str {
        "trace-diff"
    }

    fn text(&self, paint: Paint) -> String {
        let Some(found) = &self.first_difference else {
            let equal = paint.good("equal");
            return format!("{equal}: {} nodes, root {}\n", self.nodes, self.root_a);
        };
        let show = |value: Option<i32>| value.map_or("absent".to_owned(), |v| v.to_string());
        let name = found
            .name
            .as_ref()
            .map_or(String::new(), |name| format!(" ({name})"));
        format!(
            "{}: node {}{name}, element {} (tile {}): {} against {}\n  a  {}\n  b  {}\n",
            paint.bad("first difference"),
            found.node,
            found.element,
            found.tile,
            show(found.a),
            show(found.b),
            self.root_a,
            self.root_b,
        )
    }
}
