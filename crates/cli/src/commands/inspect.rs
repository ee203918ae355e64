//! `selfsame inspect FILE`: what a program is.

use std::path::PathBuf;

use selfsame::{Model, NamedInput};
use selfsame_compiler::Sizes;
use selfsame_ir::Symbol;
use serde::Serialize;

use crate::certificate::{CertificateReport, certificate};
use crate::exit::Exit;
use crate::failure::{Failure, Outcome};
use crate::graph::{Drawn, svg};
use crate::model::{self, file_bytes, write_file};
use crate::output::{Output, Report};
use crate::paint::Paint;
use crate::table::{Table, grouped};

/// Arguments of `inspect`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// A program file.
    file: PathBuf,
    /// Draws the program as an SVG.
    #[arg(long, value_name = "OUT.svg")]
    graph: Option<PathBuf>,
}

/// One node of the listing.
#[derive(Debug, Serialize)]
struct NodeRow {
    id: u32,
    name: String,
    op: &'static str,
    inputs: Vec<u32>,
    dtype: &'static str,
    shape: Vec<u32>,
    elements: u64,
    macs: u64,
    /// Number of the segment that it is in.
    segment: u32,
    /// A trace commits to it only when a game asks.
    interior: bool,
}

/// A dimension that is open.
#[derive(Debug, Serialize)]
struct SymbolRow {
    minimum: u32,
    maximum: u32,
}

/// An input of the source model.
#[derive(Debug, Serialize)]
struct InputRow {
    name: String,
    elements: usize,
}

/// What `inspect` found.
#[derive(Debug, Serialize)]
struct Inspection {
    model_id: String,
    name: String,
    artefact_bytes: u64,
    tensor_bytes: u64,
    macs: u64,
    /// Nodes that a trace commits to, and the bytes of their outputs.
    committed_nodes: usize,
    committed_bytes: u64,
    /// Bounds of the dimensions that are open; sizes and shapes are those of the largest values.
    symbols: Vec<SymbolRow>,
    /// Inputs of the source model, one behind the other in a sample.
    inputs: Vec<InputRow>,
    input_shape: Vec<u32>,
    output_shape: Vec<u32>,
    labels: Vec<String>,
    pictures: Option<[u32; 3]>,
    nodes: Vec<NodeRow>,
    certificate: CertificateReport,
}

/// Runs the command.
pub(crate) fn run(args: &Args, output: Output) -> Outcome<Exit> {
    let model = model::read(&args.file)?;
    let inspection = inspection(&model, file_bytes(&args.file)?)?;
    if let Some(path) = &args.graph {
        write_file(path, drawing(&inspection).as_bytes())?;
        output.note(&format!("drawn in {}", path.display()));
    }
    output.report(&inspection);
    Ok(Exit::Ok)
}

fn drawing(inspection: &Inspection) -> String {
    let node = |node: &NodeRow| Drawn {
        op: node.op,
        name: node.name.clone(),
        output: format!("{} {}", shape_text(&node.shape), node.dtype),
        inputs: node.inputs.clone(),
        macs: node.macs,
        interior: node.interior,
    };
    let nodes: Vec<Drawn> = inspection.nodes.iter().map(node).collect();
    let facts = format!(
        "model {}, {} nodes, {} MACs, {} bytes of tensors",
        inspection.model_id,
        nodes.len(),
        grouped(inspection.macs),
        grouped(inspection.tensor_bytes),
    );
    svg(&inspection.name, &facts, &nodes)
}

fn inspection(model: &Model, artefact_bytes: u64) -> Outcome<Inspection> {
    let program = model.program();
    let interface = &program.program().interface;
    let values = model.values();
    let shapes = program.shapes(values).map_err(Failure::input)?;
    let segments = program.segments();
    let sizes = Sizes::at(program, values);
    let row = |(id, shape): (u32, &Vec<u32>)| {
        let node = program.node(id)?;
        let place = segments.place(id);
        let elements = shape.iter().map(|&extent| u64::from(extent)).product();
        Some(NodeRow {
            id,
            name: model.node_name(id),
            op: node.op.name(),
            inputs: node.inputs.clone(),
            dtype: dtype_name(node.dtype),
            shape: shape.clone(),
            elements,
            macs: elements.saturating_mul(node.op.terms(values)),
            segment: place.segment,
            interior: place.interior,
        })
    };
    Ok(Inspection {
        model_id: model.id().to_string(),
        name: model.name().to_owned(),
        artefact_bytes,
        tensor_bytes: sizes.tensor_bytes,
        macs: program.macs(),
        committed_nodes: sizes.committed_nodes,
        committed_bytes: sizes.committed_bytes,
        symbols: program
            .program()
            .symbols
            .iter()
            .copied()
            .map(symbol)
            .collect(),
        inputs: model.inputs().into_iter().map(input).collect(),
        input_shape: interface.input.shape.clone(),
        output_shape: interface.output.shape.clone(),
        labels: interface.labels.clone(),
        pictures: interface.pixels.as_ref().map(|rule| {
            let channels = u32::try_from(rule.tables.len()).unwrap_or(u32::MAX);
            [rule.height, rule.width, channels]
        }),
        nodes: (0..).zip(&shapes).filter_map(row).collect(),
        certificate: certificate(program),
    })
}

fn symbol(symbol: Symbol) -> SymbolRow {
    SymbolRow {
        minimum: symbol.minimum,
        maximum: symbol.maximum,
    }
}

fn input(input: NamedInput) -> InputRow {
    InputRow {
        name: input.name,
        elements: input.elements,
    }
}

/// The word for an element type.
pub(crate) const fn dtype_name(dtype: selfsame_ir::DType) -> &'static str {
    match dtype {
        selfsame_ir::DType::I8 => "i8",
        selfsame_ir::DType::I16 => "i16",
        selfsame_ir::DType::I32 => "i32",
    }
}

/// Extents joined by `x`.
pub(crate) fn shape_text(shape: &[u32]) -> String {
    let extents: Vec<String> = shape.iter().map(u32::to_string).collect();
    extents.join("x")
}

impl Inspection {
    /// The inputs behind one another, where there are several, and whether pictures are taken.
    fn input_text(&self) -> String {
        let pictures = self
            .pictures
            .map_or(String::new(), |[height, width, channels]| {
                format!(" or pictures {height}x{width}, {channels} channel(s)")
            });
        let inputs: Vec<String> = self
            .inputs
            .iter()
            .map(|input| format!("{} {}", input.name, grouped(input.elements as u64)))
            .collect();
        match inputs.len() {
            0 | 1 => pictures,
            _ => format!(": {}{pictures}", inputs.join(", ")),
        }
    }
}

impl Report for Inspection {
    fn command(&self) -> &'static str {
        "inspect"
    }

    fn text(&self, paint: Paint) -> String {
        let mut table = Table::new(&[
            ">node",
            "operator",
            "inputs",
            "output",
            "type",
            ">elements",
            ">MACs",
            ">segment",
            "name",
        ]);
        for node in &self.nodes {
            let inputs: Vec<String> = node.inputs.iter().map(u32::to_string).collect();
            table.row([
                node.id.to_string(),
                node.op.to_owned(),
                inputs.join(" "),
                shape_text(&node.shape),
                node.dtype.to_owned(),
                grouped(node.elements),
                grouped(node.macs),
                if node.interior {
                    format!("in {}", node.segment)
                } else {
                    node.segment.to_string()
                },
                node.name.clone(),
            ]);
        }
        let bounds = |(index, symbol): (usize, &SymbolRow)| {
            let SymbolRow { minimum, maximum } = symbol;
            format!(
                "  open      dimension {}: {minimum} to {maximum}\n",
                index + 1
            )
        };
        let symbols: String = self.symbols.iter().enumerate().map(bounds).collect();
        format!(
            "{}  {}\n  model id  {}\n  input     {}{}\n  output    {}, {} labels\n{symbols}  \
             sizes     {} bytes of artefact, {} of tensors, {} MACs\n  \
             trace     commits to {} of {} nodes, {} bytes; to those \"in\" a segment when a game asks\n\n{}\n{}",
            paint.bold("program"),
            self.name,
            self.model_id,
            shape_text(&self.input_shape),
            self.input_text(),
            shape_text(&self.output_shape),
            self.labels.len(),
            grouped(self.artefact_bytes),
            grouped(self.tensor_bytes),
            grouped(self.macs),
            self.committed_nodes,
            self.nodes.len(),
            grouped(self.committed_bytes),
            table.render(paint),
            self.certificate.text(paint),
        )
    }
}
