//! What `import` and `compare` report alike: sizes, agreement and layers, as JSON, text and page.

use std::path::Path;

use selfsame_compiler::page::{Fact, Group, Page, PageLayer, Value};
use selfsame_compiler::{Comparison, LayerReport, NodeSizes, Scatter, Sizes};
use serde::Serialize;

use crate::paint::Paint;
use crate::table::{Table, grouped, percent};

/// Layers that the text shows.
const LAYERS_SHOWN: usize = 8;

/// Layers against the float values that they stand for, with the scales of the import.
pub(crate) const LAYERS_MEASURED: &str = "Every node that stands for a float value, worst first. The signal is the float value, the noise \
     the difference of the exact one. Scroll sideways where it does not fit.";
/// Layers matched by name, with fitted scales.
pub(crate) const LAYERS_FITTED: &str = "Every node whose name is that of a float value, worst first. The signal is the float value, the \
     noise what is left at the scale that fits best. Scroll sideways where it does not fit.";

/// Sizes of a program.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct SizeFacts {
    pub(crate) artefact_bytes: u64,
    pub(crate) tensor_bytes: u64,
    pub(crate) weight_bytes: u64,
    pub(crate) parameters: u64,
    pub(crate) activation_bytes: u64,
    pub(crate) committed_bytes: u64,
    pub(crate) live_bytes: u64,
    pub(crate) macs: u64,
    pub(crate) node_count: usize,
    pub(crate) committed_nodes: usize,
}

/// How near a program is to its source.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Quality {
    pub(crate) samples: usize,
    pub(crate) float_accuracy: Option<f64>,
    pub(crate) exact_accuracy: Option<f64>,
    /// Share of samples with the same best class.
    pub(crate) agreement: f64,
    pub(crate) cosine_mean: f64,
    pub(crate) cosine_min: f64,
    /// Null if there is no noise at all.
    pub(crate) snr_db: f64,
    pub(crate) max_abs_error: f64,
    pub(crate) spearman: Option<f64>,
    pub(crate) spearman_pairs: Option<f64>,
}

/// One layer.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct LayerRow {
    pub(crate) node: usize,
    pub(crate) name: String,
    pub(crate) op: &'static str,
    pub(crate) snr_db: f64,
    pub(crate) macs: u64,
    pub(crate) output_bytes: u64,
    pub(crate) tensor_bytes: u64,
}

/// What a page is made of.
pub(crate) struct Source<'a> {
    /// Name of the model.
    pub(crate) title: &'a str,
    /// What was done.
    pub(crate) summary: String,
    pub(crate) model_id: &'a str,
    /// How the layers were measured.
    pub(crate) layers_caption: &'a str,
    /// Facts of this command alone.
    pub(crate) run: Vec<Fact>,
    pub(crate) sizes: &'a SizeFacts,
    pub(crate) quality: &'a Quality,
    pub(crate) layers: &'a [LayerRow],
    pub(crate) scatter: &'a Scatter,
    pub(crate) nodes: &'a [NodeSizes],
}

/// A line of a table.
pub(crate) const fn fact(key: &'static str, label: &'static str, value: Value) -> Fact {
    Fact { key, label, value }
}

/// The last part of a path, for people.
pub(crate) fn file_name(path: &Path) -> String {
    path.file_name()
        .unwrap_or(path.as_os_str())
        .to_string_lossy()
        .into_owned()
}

impl SizeFacts {
    pub(crate) fn new(artefact_bytes: u64, sizes: &Sizes) -> Self {
        Self {
            artefact_bytes,
            tensor_bytes: sizes.tensor_bytes,
            weight_bytes: sizes.weight_bytes,
            parameters: sizes.parameters,
            activation_bytes: sizes.activation_bytes,
            committed_bytes: sizes.committed_bytes,
            live_bytes: sizes.live_bytes,
            macs: sizes.macs,
            node_count: sizes.nodes,
            committed_nodes: sizes.committed_nodes,
        }
    }

    pub(crate) fn text(&self) -> String {
        format!(
            "  sizes      {} nodes, {} parameters, {} MACs\n             {} bytes of artefact, {} of weights, {} of \
             outputs, {} of them at once\n             a trace commits to {} nodes, {} bytes\n",
            self.node_count,
            grouped(self.parameters),
            grouped(self.macs),
            grouped(self.artefact_bytes),
            grouped(self.weight_bytes),
            grouped(self.activation_bytes),
            grouped(self.live_bytes),
            self.committed_nodes,
            grouped(self.committed_bytes),
        )
    }

    fn group(&self, model_id: &str) -> Group {
        Group {
            title: "The program",
            caption: "Sizes of the program and of one sample on its way through it.",
            facts: vec![
                fact("model_id", "model id", Value::Text(model_id.to_owned())),
                fact("node_count", "nodes", Value::Count(self.node_count as u64)),
                fact("parameters", "parameters", Value::Count(self.parameters)),
                fact(
                    "macs",
                    "multiply-accumulates of one sample",
                    Value::Count(self.macs),
                ),
                fact(
                    "artefact_bytes",
                    "artefact",
                    Value::Bytes(self.artefact_bytes),
                ),
                fact("weight_bytes", "weights", Value::Bytes(self.weight_bytes)),
                fact(
                    "tensor_bytes",
                    "weights, constants and tables",
                    Value::Bytes(self.tensor_bytes),
                ),
                fact(
                    "committed_nodes",
                    "nodes that a trace commits to",
                    Value::Count(self.committed_nodes as u64),
                ),
                fact(
                    "committed_bytes",
                    "their outputs",
                    Value::Bytes(self.committed_bytes),
                ),
                fact(
                    "activation_bytes",
                    "outputs of all nodes",
                    Value::Bytes(self.activation_bytes),
                ),
                fact(
                    "live_bytes",
                    "outputs alive at once, at most",
                    Value::Bytes(self.live_bytes),
                ),
            ],
        }
    }
}

impl Quality {
    pub(crate) fn new(found: &Comparison) -> Self {
        Self {
            samples: found.samples,
            float_accuracy: None,
            exact_accuracy: None,
            agreement: found.top1_agreement,
            cosine_mean: found.cosine_mean,
            cosine_min: found.cosine_min,
            snr_db: found.snr_db,
            max_abs_error: found.max_abs_error,
            spearman: found.spearman,
            spearman_pairs: found.spearman_pairs,
        }
    }

    pub(crate) fn with_accuracy(mut self, float: Option<f64>, exact: Option<f64>) -> Self {
        (self.float_accuracy, self.exact_accuracy) = (float, exact);
        self
    }

    pub(crate) fn text(&self) -> String {
        let accuracy = match (self.float_accuracy, self.exact_accuracy) {
            (Some(float), Some(exact)) => format!(
                "  accuracy        float {}, exact {}\n",
                percent(float),
                percent(exact)
            ),
            _ => String::new(),
        };
        let known = |rho: Option<f64>| rho.map_or("none".to_owned(), |rho| format!("{rho:.6}"));
        format!(
            "{accuracy}  same answer     {}\n  cosine          mean {:.6}, least {:.6}\n  rank correlation  \
             of elements {}, of similarities {}\n  logit SNR       {:.1} dB\n  largest error   {:.6}\n",
            percent(self.agreement),
            self.cosine_mean,
            self.cosine_min,
            known(self.spearman),
            known(self.spearman_pairs),
            self.snr_db,
            self.max_abs_error,
        )
    }

    fn group(&self, run: Vec<Fact>) -> Group {
        let share = |share: Option<f64>| share.map_or(Value::Absent("no labels"), Value::Share);
        let rho = |rho: Option<f64>| rho.map_or(Value::Absent("too few answers"), Value::Number);
        let mut facts = run;
        facts.extend([
            fact(
                "samples",
                "rows compared",
                Value::Count(self.samples as u64),
            ),
            fact(
                "float_accuracy",
                "accuracy of the float model",
                share(self.float_accuracy),
            ),
            fact(
                "exact_accuracy",
                "accuracy of the exact program",
                share(self.exact_accuracy),
            ),
            fact("agreement", "same best class", Value::Share(self.agreement)),
            fact(
                "snr_db",
                "signal-to-noise ratio of the answers",
                Value::Decibels(self.snr_db),
            ),
            fact(
                "cosine_mean",
                "cosine of the answers, mean",
                Value::Number(self.cosine_mean),
            ),
            fact(
                "cosine_min",
                "cosine of the answers, least",
                Value::Number(self.cosine_min),
            ),
            fact(
                "spearman",
                "rank correlation of an answer's elements (classifiers)",
                rho(self.spearman),
            ),
            fact(
                "spearman_pairs",
                "rank correlation of the similarities between answers (embeddings)",
                rho(self.spearman_pairs),
            ),
            fact(
                "max_abs_error",
                "largest error of an element",
                Value::Number(self.max_abs_error),
            ),
        ]);
        Group {
            title: "Agreement",
            caption: "Answers of the exact program beside those of the float model on the same rows.",
            facts,
        }
    }
}

impl LayerRow {
    /// Layers with their sizes, worst first; of equals the first one in the order of execution.
    pub(crate) fn worst_first(layers: &[LayerReport], sizes: &[NodeSizes]) -> Vec<Self> {
        let row = |layer: &LayerReport| {
            let size = sizes.get(layer.node);
            Self {
                node: layer.node,
                name: layer.name.clone(),
                op: layer.op,
                snr_db: layer.snr_db,
                macs: size.map_or(0, |size| size.macs),
                output_bytes: size.map_or(0, |size| size.output_bytes),
                tensor_bytes: size.map_or(0, |size| size.tensor_bytes),
            }
        };
        let mut rows: Vec<Self> = layers.iter().map(row).collect();
        rows.sort_by(|a, b| a.snr_db.total_cmp(&b.snr_db));
        rows
    }
}

/// The worst layers as a table.
pub(crate) fn layer_text(layers: &[LayerRow], paint: Paint) -> String {
    let mut table = Table::new(&[">node", "operator", ">SNR dB", ">MACs", "name"]);
    for layer in layers.iter().take(LAYERS_SHOWN) {
        table.row([
            layer.node.to_string(),
            layer.op.to_owned(),
            format!("{:.1}", layer.snr_db),
            grouped(layer.macs),
            layer.name.clone(),
        ]);
    }
    let title = paint.bold("layers");
    let count = layers.len();
    format!(
        "{title}  the worst of {count} layers against float\n{}",
        table.render(paint)
    )
}

impl Source<'_> {
    /// The page.
    pub(crate) fn page(self) -> Page {
        let layer = |layer: &LayerRow| PageLayer {
            node: layer.node,
            name: layer.name.clone(),
            op: layer.op,
            snr_db: layer.snr_db,
            macs: layer.macs,
            output_bytes: layer.output_bytes,
        };
        Page {
            title: self.title.to_owned(),
            summary: self.summary,
            groups: vec![
                self.quality.group(self.run),
                self.sizes.group(self.model_id),
            ],
            layers: self.layers.iter().map(layer).collect(),
            layers_caption: self.layers_caption.to_owned(),
            nodes: self.nodes.len(),
            macs: self.nodes.iter().map(|node| node.macs).collect(),
            scatter: self.scatter.clone(),
        }
    }
}
