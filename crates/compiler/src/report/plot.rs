//! The drawings of a report page, each an inline SVG with a title and a description in words.
//!
//! Classes instead of colours: the page's style decides for light and dark. Width and height are of
//! a narrow telephone, so that text stays legible there; wider pages show the same larger.

use std::fmt::Write as _;

use super::answers::Scatter;
use super::svg::{Axis, tick_text};

const WIDTH: f64 = 320.0;
const HEIGHT: f64 = 200.0;
const LEFT: f64 = 44.0;
const RIGHT: f64 = 312.0;
const TOP: f64 = 10.0;
const BOTTOM: f64 = 166.0;

/// One drawing.
#[derive(Debug, Clone)]
pub(super) struct Plot {
    /// Part of the names of its elements on the page; a word.
    pub(super) id: &'static str,
    /// What it shows.
    pub(super) title: &'static str,
    /// What one sees in it, in words.
    pub(super) description: String,
    body: String,
}

impl Plot {
    /// A figure: drawing and caption.
    pub(super) fn figure(&self) -> String {
        let Self {
            id,
            title,
            description,
            body,
        } = self;
        format!(
            "<figure>\n<svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" \
             aria-labelledby=\"{id}-t {id}-d\">\n<title id=\"{id}-t\">{title}</title>\n\
             <desc id=\"{id}-d\">{description}</desc>\n{body}</svg>\n\
             <figcaption><b>{title}.</b> {description}</figcaption>\n</figure>\n"
        )
    }
}

/// Lines and numbers of both axes, and their names.
fn frame(x: &Axis, y: &Axis, names: [&str; 2]) -> String {
    let mut out = String::new();
    // Infallible, here and below: the target of every write is a String.
    for tick in y.ticks(5) {
        let (at, text) = (y.at(tick), tick_text(tick));
        let _ = writeln!(
            out,
            "<path class=\"grid\" d=\"M{LEFT} {at:.1}H{RIGHT}\"/>\
             <text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{text}</text>",
            LEFT - 5.0,
            at + 4.0,
        );
    }
    for tick in x.ticks(5) {
        let (at, text) = (x.at(tick), tick_text(tick));
        let _ = writeln!(
            out,
            "<path class=\"axis\" d=\"M{at:.1} {BOTTOM}v4\"/>\
             <text x=\"{at:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{text}</text>",
            BOTTOM + 16.0,
        );
    }
    let _ = writeln!(
        out,
        "<path class=\"axis\" d=\"M{LEFT} {TOP}V{BOTTOM}H{RIGHT}\"/>\
         <text class=\"quiet\" x=\"{RIGHT}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>\
         <text class=\"quiet\" x=\"{:.1}\" y=\"{:.1}\">{}</text>",
        HEIGHT - 4.0,
        names[0],
        LEFT + 5.0,
        TOP + 6.0,
        names[1],
    );
    out
}

fn vertical(low: f64, high: f64) -> Axis {
    Axis {
        low,
        high: high.max(low + 1e-30),
        start: BOTTOM,
        end: TOP + 12.0,
    }
}

/// Bars in the order of the nodes: one per `(node, value)`.
fn bars(values: &[(usize, f64)], nodes: usize, unit: &str) -> String {
    #[expect(clippy::cast_precision_loss, reason = "a program has few nodes")]
    let place = |node: usize| node as f64;
    let x = Axis {
        low: -0.5,
        high: place(nodes.max(1)) - 0.5,
        start: LEFT,
        end: RIGHT,
    };
    let most = values.iter().map(|one| one.1).fold(0.0, f64::max);
    let least = values.iter().map(|one| one.1).fold(0.0, f64::min);
    let y = vertical(least, if most > least { most } else { least + 1.0 });
    let mut out = frame(&x, &y, ["node", unit]);
    let width = (x.at(1.0) - x.at(0.0)).mul_add(0.7, 0.3);
    for &(node, value) in values {
        let (zero, at) = (y.at(0.0), y.at(value));
        let _ = writeln!(
            out,
            "<rect class=\"bar\" x=\"{:.2}\" y=\"{:.1}\" width=\"{width:.2}\" height=\"{:.1}\"/>",
            x.at(place(node)) - width / 2.0,
            at.min(zero),
            (at - zero).abs().max(0.5),
        );
    }
    out
}

/// Signal-to-noise ratio of each layer, in execution order.
pub(super) fn layers(snr: &[(usize, f64)], nodes: usize) -> Plot {
    let drawn: Vec<(usize, f64)> = snr.iter().copied().filter(|l| l.1.is_finite()).collect();
    let worst = drawn.iter().min_by(|a, b| a.1.total_cmp(&b.1));
    let silent = snr.len() - drawn.len();
    let mut description = match worst {
        Some((node, least)) => format!(
            "{} layers in the order of execution, higher is better; the lowest is node {node} at \
             {least:.1} dB.",
            drawn.len()
        ),
        None => "No layer differs from the float model.".to_owned(),
    };
    if silent > 0 {
        let _ = write!(description, " {silent} without any noise are not drawn.");
    }
    Plot {
        id: "layers-plot",
        title: "Signal-to-noise ratio of each layer",
        description,
        body: bars(&drawn, nodes, "dB"),
    }
}

/// Share of the work in each node.
pub(super) fn work(macs: &[(usize, u64)], nodes: usize) -> Plot {
    #[expect(clippy::cast_precision_loss, reason = "drawn to a tenth of a point")]
    let share = |part: u64, total: u64| part as f64 / total.max(1) as f64 * 100.0;
    let total = macs.iter().map(|one| one.1).sum();
    let most = macs.iter().copied().max_by_key(|one| one.1);
    let values: Vec<_> = macs.iter().map(|&(n, m)| (n, share(m, total))).collect();
    let description = most.map_or_else(String::new, |(node, macs)| {
        format!(
            "Percent of all multiply-accumulates, node by node; node {node} has the most, {:.1} %.",
            share(macs, total)
        )
    });
    Plot {
        id: "work-plot",
        title: "Where the work is",
        description,
        body: bars(&values, nodes, "% of the MACs"),
    }
}

/// Elements of answers, exact over float.
pub(super) fn answers(scatter: &Scatter) -> Plot {
    let all = || scatter.points.iter().flatten().map(|&v| f64::from(v));
    let x = Axis::over(all(), LEFT, RIGHT);
    let y = Axis {
        start: BOTTOM,
        end: TOP + 12.0,
        ..x
    };
    let mut body = frame(&x, &y, ["float", "exact"]);
    let _ = writeln!(
        body,
        "<path class=\"line\" d=\"M{:.1} {:.1}L{:.1} {:.1}\"/>",
        x.start, y.start, x.end, y.end
    );
    body.push_str("<path class=\"dots\" d=\"");
    for &[float, exact] in &scatter.points {
        let (x, y) = (x.at(f64::from(float)), y.at(f64::from(exact)));
        let _ = write!(body, "M{x:.1} {y:.1}h0");
    }
    body.push_str("\"/>\n");
    Plot {
        id: "answers-plot",
        title: "Answers, exact over float",
        description: format!(
            "{} elements of answers; on the line, both models say the same.",
            scatter.points.len()
        ),
        body,
    }
}

/// How many elements err by how much.
pub(super) fn errors(scatter: &Scatter) -> Plot {
    let largest = scatter.largest.max(1e-30);
    let x = Axis {
        low: -largest,
        high: largest,
        start: LEFT,
        end: RIGHT,
    };
    #[expect(clippy::cast_precision_loss, reason = "drawn as percent")]
    let share = {
        let total = scatter.bins.iter().sum::<u64>().max(1) as f64;
        move |count: u64| count as f64 / total * 100.0
    };
    let most = scatter.bins.iter().copied().max().unwrap_or(0);
    let y = vertical(0.0, share(most.max(1)));
    let mut body = frame(&x, &y, ["exact minus float", "% of the elements"]);
    #[expect(clippy::cast_precision_loss, reason = "few bins")]
    let width = (RIGHT - LEFT) / scatter.bins.len() as f64;
    let mut left = LEFT;
    for &count in &scatter.bins {
        let top = y.at(share(count));
        let _ = writeln!(
            body,
            "<rect class=\"bar\" x=\"{:.1}\" y=\"{top:.1}\" width=\"{:.1}\" height=\"{:.1}\"/>",
            left + 0.5,
            width - 1.0,
            BOTTOM - top,
        );
        left += width;
    }
    Plot {
        id: "errors-plot",
        title: "How errors are spread",
        description: format!(
            "All elements of all answers by exact minus float; the largest error is {:.4}, and {:.1} % \
             are in the fullest of {} bins.",
            scatter.largest,
            share(most),
            scatter.bins.len()
        ),
        body,
    }
}
