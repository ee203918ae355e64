//! A report as one HTML page that needs nothing else: no script, no font, no picture from outside.
//!
//! Every number stands in an element that carries it in full and names it, so that the page and the
//! JSON object can be compared by a program:
//!
//! ```text
//! <data data-key="layers[3].snr_db" value="41.73205">41.7 dB</data>
//! ```
//!
//! The page is well-formed XML, reads without style, and follows the reader's colours.

use std::fmt::Write as _;

use super::answers::Scatter;
use super::plot;
use super::svg::escaped;

/// A number or a word, and how it is shown.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// A number of things.
    Count(u64),
    /// A number of bytes.
    Bytes(u64),
    /// A share of 1, shown as percent.
    Share(f64),
    /// Decibels; infinite where there is no noise.
    Decibels(f64),
    /// A plain number.
    Number(f64),
    /// A word.
    Text(String),
    /// Not known, and why.
    Absent(&'static str),
}

/// One line of a table of facts.
#[derive(Debug, Clone, PartialEq)]
pub struct Fact {
    /// Name in the JSON object.
    pub key: &'static str,
    /// Name for people.
    pub label: &'static str,
    /// What is known.
    pub value: Value,
}

/// A table of facts.
#[derive(Debug, Clone, PartialEq)]
pub struct Group {
    /// Its heading.
    pub title: &'static str,
    /// What its numbers mean, in a sentence.
    pub caption: &'static str,
    /// Its lines.
    pub facts: Vec<Fact>,
}

/// One layer, in the order of the JSON object: worst first.
#[derive(Debug, Clone, PartialEq)]
pub struct PageLayer {
    /// Node of the program.
    pub node: usize,
    /// Name of the ONNX node.
    pub name: String,
    /// Operator.
    pub op: &'static str,
    /// Signal-to-noise ratio in decibels.
    pub snr_db: f64,
    /// Multiply-accumulates.
    pub macs: u64,
    /// Bytes of the output.
    pub output_bytes: u64,
}

/// All that a page says.
#[derive(Debug, Clone, PartialEq)]
pub struct Page {
    /// Heading: the name of the model.
    pub title: String,
    /// What was done, in a few sentences.
    pub summary: String,
    /// Tables of facts.
    pub groups: Vec<Group>,
    /// Layers, worst first.
    pub layers: Vec<PageLayer>,
    /// What the column of layers means.
    pub layers_caption: String,
    /// Nodes of the program.
    pub nodes: usize,
    /// Multiply-accumulates of each node.
    pub macs: Vec<u64>,
    /// Answers to be drawn.
    pub scatter: Scatter,
}

const STYLE: &str = include_str!("page.css");

impl Page {
    /// The page.
    pub fn html(&self) -> String {
        let title = escaped(&self.title);
        let mut out = format!(
            "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\"/>\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n\
             <meta name=\"color-scheme\" content=\"light dark\"/>\n\
             <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src \
             'unsafe-inline'\"/>\n<title>{title}: exact against float</title>\n<style>\n{STYLE}</style>\n\
             </head>\n<body>\n<main>\n<h1>{title}</h1>\n<p>{}</p>\n",
            escaped(&self.summary)
        );
        for (index, group) in self.groups.iter().enumerate() {
            out.push_str(&group.html(index));
        }
        out.push_str("<section aria-labelledby=\"h-plots\">\n<h2 id=\"h-plots\">Pictures</h2>\n");
        out.push_str("<div class=\"figures\">\n");
        for plot in self.plots() {
            out.push_str(&plot.figure());
        }
        out.push_str("</div>\n</section>\n");
        out.push_str(&self.layer_table());
        out.push_str("</main>\n</body>\n</html>\n");
        out
    }

    fn plots(&self) -> Vec<plot::Plot> {
        let snr: Vec<(usize, f64)> = self.layers.iter().map(|l| (l.node, l.snr_db)).collect();
        let macs: Vec<(usize, u64)> = self.macs.iter().copied().enumerate().collect();
        let mut plots = vec![plot::answers(&self.scatter), plot::errors(&self.scatter)];
        if !snr.is_empty() {
            plots.push(plot::layers(&snr, self.nodes));
        }
        plots.push(plot::work(&macs, self.nodes));
        plots
    }

    fn layer_table(&self) -> String {
        let mut out = format!(
            "<section aria-labelledby=\"h-layers\">\n<h2 id=\"h-layers\">Layers</h2>\n<p>{}</p>\n\
             <div class=\"wide\" role=\"region\" aria-labelledby=\"h-layers\" tabindex=\"0\">\n<table>\n\
             <caption>Layers, worst first</caption>\n<thead><tr><th scope=\"col\" class=\"n\">node</th><th scope=\"col\">name</th>\
             <th scope=\"col\">operator</th><th scope=\"col\" class=\"n\">SNR</th>\
             <th scope=\"col\" class=\"n\">MACs</th><th scope=\"col\" class=\"n\">output</th></tr></thead>\n\
             <tbody>\n",
            escaped(&self.layers_caption)
        );
        for (index, layer) in self.layers.iter().enumerate() {
            let cell = |field: &str, value: &Value| value.html(&format!("layers[{index}].{field}"));
            // Infallible: the target is a String.
            let _ = writeln!(
                out,
                "<tr><td class=\"n\">{}</td><th scope=\"row\">{}</th><td>{}</td><td class=\"n\">{}</td>\
                 <td class=\"n\">{}</td><td class=\"n\">{}</td></tr>",
                cell("node", &Value::Count(layer.node as u64)),
                escaped(&layer.name),
                layer.op,
                cell("snr_db", &Value::Decibels(layer.snr_db)),
                cell("macs", &Value::Count(layer.macs)),
                cell("output_bytes", &Value::Bytes(layer.output_bytes)),
            );
        }
        out.push_str("</tbody>\n</table>\n</div>\n</section>\n");
        out
    }
}

impl Group {
    fn html(&self, index: usize) -> String {
        let mut out = format!(
            "<section aria-labelledby=\"h-{index}\">\n<h2 id=\"h-{index}\">{}</h2>\n<table>\n\
             <caption>{}</caption>\n<tbody>\n",
            escaped(self.title),
            escaped(self.caption)
        );
        for fact in &self.facts {
            let (label, value) = (escaped(fact.label), fact.value.html(fact.key));
            // Infallible: the target is a String.
            let _ = writeln!(
                out,
                "<tr><th scope=\"row\">{label}</th><td>{value}</td></tr>"
            );
        }
        out.push_str("</tbody>\n</table>\n</section>\n");
        out
    }
}

impl Value {
    /// The words for people.
    pub fn text(&self) -> String {
        match self {
            Self::Count(count) => grouped(*count),
            Self::Bytes(bytes) => format!("{} bytes", grouped(*bytes)),
            Self::Share(share) => format!("{:.2} %", share * 100.0),
            Self::Decibels(ratio) if ratio.is_finite() => format!("{ratio:.1} dB"),
            Self::Decibels(_) => "no noise".to_owned(),
            Self::Number(number) => format!("{number:.6}"),
            Self::Text(text) => text.clone(),
            Self::Absent(why) => (*why).to_owned(),
        }
    }

    /// The number in full, if it is one that JSON can hold.
    fn number(&self) -> Option<String> {
        match self {
            Self::Count(count) | Self::Bytes(count) => Some(count.to_string()),
            Self::Share(number) | Self::Decibels(number) | Self::Number(number) => {
                number.is_finite().then(|| number.to_string())
            }
            Self::Text(_) | Self::Absent(_) => None,
        }
    }

    fn html(&self, key: &str) -> String {
        let text = escaped(&self.text());
        match self.number() {
            Some(number) => {
                format!("<data data-key=\"{key}\" value=\"{number}\">{text}</data>")
            }
            None => format!("<span data-key=\"{key}\">{text}</span>"),
        }
    }
}

/// A count with groups of three digits.
fn grouped(count: u64) -> String {
    let digits = count.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
