//! A program as one self-contained SVG: a row for each node in execution order, inputs as lines.
//!
//! The line from the row above is straight; every other input leaves its row to the left, runs down
//! in a lane of its own, and comes back with an arrow. Beside each box stands its share of the MACs.
//! Nothing hangs on colour: the operator is written in the box.

use std::fmt::Write as _;

use selfsame_compiler::svg::escaped;

const ROW: usize = 34;
const BOX: usize = 26;
const WIDTH: usize = 470;
const BAR: usize = 120;
const LANE: usize = 12;
const MARGIN: usize = 16;
const HEAD: usize = 56;
/// Width of a letter at most.
const LETTER: usize = 8;

/// What is drawn of a node.
#[derive(Debug, Clone)]
pub(crate) struct Drawn {
    /// Operator.
    pub(crate) op: &'static str,
    /// Name that people gave it.
    pub(crate) name: String,
    /// Output: shape and type.
    pub(crate) output: String,
    /// Nodes that it reads.
    pub(crate) inputs: Vec<u32>,
    /// Multiplications.
    pub(crate) macs: u64,
    /// A trace does not commit to it: its frame is dashed.
    pub(crate) interior: bool,
}

const STYLE: &str = "svg{background:#fff;font:12px ui-monospace,monospace}text{fill:#1a1a1a}\
.quiet{fill:#5a5a5a}rect.node{fill:#eef3f9;stroke:#41597a}rect.linear{fill:#dcebdc;stroke:#2f6b3a}\
rect.interior{stroke-dasharray:4 3}rect.bar{fill:#c77d2e}path{fill:none;stroke:#6b6b6b}\
@media(prefers-color-scheme:dark){svg{background:#16181c}text{fill:#e6e6e6}.quiet{fill:#a8a8a8}\
rect.node{fill:#232b38;stroke:#8fa6c6}rect.linear{fill:#22321f;stroke:#86b98f}path{stroke:#9a9a9a}}";

/// Draws the nodes under a title and a line of facts.
pub(crate) fn svg(title: &str, facts: &str, nodes: &[Drawn]) -> String {
    let lanes = lanes(nodes);
    let lane_count = lanes.iter().map(|line| line.lane + 1).max().unwrap_or(0);
    let left = MARGIN + lane_count * LANE + 10;
    let letters = title.chars().count().max(facts.chars().count());
    let (width, height) = (
        (left + WIDTH + BAR + 2 * MARGIN + 90).max(letters * LETTER + 2 * MARGIN),
        HEAD + nodes.len() * ROW + MARGIN,
    );
    let (title, facts) = (escaped(title), escaped(facts));
    let mut out = String::new();
    // Infallible: the target of every write below is a String.
    let _ = write!(
        out,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" \
         viewBox=\"0 0 {width} {height}\" role=\"img\" aria-labelledby=\"t d\">\n\
         <title id=\"t\">{title}</title><desc id=\"d\">{facts}</desc><style>{STYLE}</style>\n\
         <defs><marker id=\"a\" viewBox=\"0 0 6 6\" refX=\"6\" refY=\"3\" markerWidth=\"6\" \
         markerHeight=\"6\" orient=\"auto\"><path d=\"M0 0L6 3L0 6\"/></marker></defs>\n\
         <text x=\"{MARGIN}\" y=\"22\" font-weight=\"bold\">{title}</text>\
         <text class=\"quiet\" x=\"{MARGIN}\" y=\"40\">{facts}</text>\n",
    );
    let middle = |node: usize| HEAD + node * ROW + BOX / 2;
    for line in &lanes {
        let (from, to) = (middle(line.from) + 5, middle(line.to) - 5);
        let x = left - 10 - line.lane * LANE;
        let _ = writeln!(
            out,
            "<path d=\"M{left} {from}H{x}V{to}H{left}\" marker-end=\"url(#a)\"/>"
        );
    }
    let most = nodes.iter().map(|node| node.macs).max().unwrap_or(0).max(1);
    let total: u64 = nodes.iter().map(|node| node.macs).sum();
    for (id, node) in nodes.iter().enumerate() {
        let follows = node.inputs.iter().any(|&input| input as usize + 1 == id);
        if follows {
            let (x, y) = (left + 40, HEAD + id * ROW);
            let from = y - (ROW - BOX);
            let _ = writeln!(out, "<path d=\"M{x} {from}V{y}\" marker-end=\"url(#a)\"/>");
        }
        row(&mut out, (left, HEAD + id * ROW), id, node, (most, total));
    }
    out.push_str("</svg>\n");
    out
}

fn row(
    out: &mut String,
    (x, y): (usize, usize),
    id: usize,
    node: &Drawn,
    (most, total): (u64, u64),
) {
    let class = if matches!(node.op, "matmul" | "conv") {
        "linear"
    } else {
        "node"
    };
    let frame = if node.interior { " interior" } else { "" };
    let name = escaped(&node.name);
    let short: String = escaped(&node.name.chars().take(34).collect::<String>());
    let (op, output) = (node.op, escaped(&node.output));
    let text = y + 17;
    let (right, bar) = (x + WIDTH, x + WIDTH + 12);
    let permille = node.macs.saturating_mul(1_000) / total.max(1);
    let share = format!("{}.{} %", permille / 10, permille % 10);
    let length = (u128::from(node.macs) * BAR as u128 / u128::from(most)) as usize;
    // Infallible: the target is a String.
    let _ = writeln!(
        out,
        "<g><title>node {id}: {op} {name}, {output}, {macs} MACs</title>\
         <rect class=\"{class}{frame}\" x=\"{x}\" y=\"{y}\" width=\"{WIDTH}\" height=\"{BOX}\" rx=\"4\"/>\
         <text x=\"{number}\" y=\"{text}\">{id} {op}</text>\
         <text class=\"quiet\" x=\"{middle}\" y=\"{text}\">{short}</text>\
         <text x=\"{end}\" y=\"{text}\" text-anchor=\"end\">{output}</text>\
         <rect class=\"bar\" x=\"{bar}\" y=\"{top}\" width=\"{length}\" height=\"8\"/>\
         <text class=\"quiet\" x=\"{label}\" y=\"{text}\">{share}</text></g>",
        macs = node.macs,
        number = x + 8,
        middle = x + 118,
        end = right - 8,
        top = y + 9,
        label = bar + length + 6,
    );
}

/// A line that does not come from the row above.
struct Line {
    from: usize,
    to: usize,
    lane: usize,
}

/// Gives each long line the innermost lane in which it meets no other.
fn lanes(nodes: &[Drawn]) -> Vec<Line> {
    let mut lines = Vec::new();
    // For each lane, the row in which its last line ends.
    let mut ends: Vec<usize> = Vec::new();
    let mut long: Vec<(usize, usize)> = Vec::new();
    for (to, node) in nodes.iter().enumerate() {
        let from = node.inputs.iter().map(|&input| input as usize);
        long.extend(from.filter(|from| from + 1 != to).map(|from| (from, to)));
    }
    long.sort_unstable();
    long.dedup();
    for (from, to) in long {
        let free = ends.iter().position(|&end| end <= from);
        let lane = free.unwrap_or(ends.len());
        if lane == ends.len() {
            ends.push(to);
        } else {
            ends[lane] = to;
        }
        lines.push(Line { from, to, lane });
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(inputs: &[u32]) -> Drawn {
        Drawn {
            op: "conv",
            name: "a<b>\u{7}&".into(),
            output: "3x3 i8".into(),
            inputs: inputs.to_vec(),
            macs: 9,
            interior: false,
        }
    }

    #[test]
    fn names_of_a_file_cannot_leave_their_text() {
        let drawing = svg("<script>", "\"facts\"", &[node(&[]), node(&[0])]);
        assert!(!drawing.contains("<script>") && drawing.contains("&lt;script&gt;"));
        assert!(drawing.contains("a&lt;b&gt; &amp;") && !drawing.contains('\u{7}'));
    }

    #[test]
    fn a_drawing_is_as_wide_as_its_head() {
        let drawing = svg("name", &"f".repeat(200), &[node(&[])]);
        assert!(drawing.contains("width=\"1632\""), "{drawing}");
    }

    #[test]
    fn lines_that_overlap_take_lanes_of_their_own() {
        let nodes = [
            node(&[]),
            node(&[0]),
            node(&[1, 0]),
            node(&[2, 0]),
            node(&[3, 2]),
        ];
        let drawn = lanes(&nodes);
        let found: Vec<_> = drawn.iter().map(|l| (l.from, l.to, l.lane)).collect();
        assert_eq!(found, [(0, 2, 0), (0, 3, 1), (2, 4, 0)]);
    }
}
