//! The plot of `bench`: latency by batch and threads, ours and the peer's, as one SVG.
//!
//! A group for each batch and number of threads, a bar for each engine to its median, a thin line on
//! to its 99th percentile. The time axis is logarithmic: a batch of sixteen takes ten times as long.
//! Names and numbers stand beside the bars; nothing hangs on colour.

use std::fmt::Write as _;

use selfsame_compiler::svg::{Axis, escaped};

use crate::commands::baseline::{BaselineRow, IDENTITY};
use crate::commands::bench_report::Bench;
use crate::commands::times::Percentiles;

const WIDTH: f64 = 760.0;
const LEFT: f64 = 210.0;
const RIGHT: f64 = 640.0;
const TOP: f64 = 74.0;
const ROW: f64 = 22.0;
const GAP: f64 = 30.0;

const STYLE: &str = "svg{background:#fff}text{font:13px system-ui,sans-serif;fill:#1a1a1a}text.b{font-weight:bold}.quiet{fill:#555}\
.grid{stroke:#d5d8dc}.reach{stroke:#1a1a1a}rect{fill:#8a94a1}rect.ours{fill:#2b5f9e}\
@media(prefers-color-scheme:dark){svg{background:#16181c}text{fill:#e6e6e6}.quiet{fill:#b0b4ba}\
.grid{stroke:#3a3f47}.reach{stroke:#e6e6e6}rect{fill:#7d8794}rect.ours{fill:#7fb0ea}}";

/// One bar.
struct Bar<'a> {
    label: String,
    ours: bool,
    times: &'a Percentiles,
}

/// A batch and a number of threads, and what ran with them.
type Cell<'a> = ((usize, usize), Vec<Bar<'a>>);

/// The drawing.
pub(crate) fn svg(bench: &Bench) -> String {
    let cells = cells(bench);
    let rows: usize = cells.iter().map(|cell| cell.1.len()).sum();
    let height = TOP + to_f64(rows) * ROW + to_f64(cells.len()) * GAP + 40.0;
    let bars = || cells.iter().flat_map(|cell| &cell.1);
    let times = bars().flat_map(|bar| [bar.times.median_ms, bar.times.p99_ms]);
    let axis = axis(times.clone().filter(|&time| time > 0.0));
    let title = escaped(&bench.name);
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{WIDTH}\" height=\"{height}\" \
         viewBox=\"0 0 {WIDTH} {height}\" role=\"img\" aria-labelledby=\"t d\">\n\
         <title id=\"t\">{title}: latency by batch and threads</title>\n<desc id=\"d\">{}</desc>\n\
         <style>{STYLE}</style>\n<text x=\"16\" y=\"26\" class=\"b\">{title}: time of a run</text>\n\
         <text class=\"quiet\" x=\"16\" y=\"46\">bar to the median, line to the 99th percentile; \
         milliseconds, logarithmic</text>\n",
        describe(&cells),
    );
    grid(&mut out, &axis, height - 34.0);
    let mut y = TOP;
    for ((batch, threads), bars) in &cells {
        y += GAP;
        // Infallible, here and below: the target is a String.
        let _ = writeln!(
            out,
            "<text x=\"16\" y=\"{:.0}\" class=\"b\">batch {batch}, {threads} {}</text>",
            y - 8.0,
            if *threads == 1 { "thread" } else { "threads" },
        );
        for bar in bars {
            row(&mut out, &axis, y, bar);
            y += ROW;
        }
    }
    out.push_str("</svg>\n");
    out
}

fn cells(bench: &Bench) -> Vec<Cell<'_>> {
    let mut cells: Vec<Cell<'_>> = Vec::new();
    let ours = bench.runs.iter().map(|run| {
        let trace = if run.trace == "on" { ", trace" } else { "" };
        let label = format!("selfsame {}{trace}", run.kernel);
        let bar = Bar {
            label,
            ours: true,
            times: &run.times,
        };
        ((run.batch, run.threads), bar)
    });
    // What a call costs would stretch the axis for a bar that nobody compares with.
    let models = |row: &&BaselineRow| row.engine != IDENTITY;
    let theirs = bench.baseline.iter().filter(models).map(|row| {
        let bar = Bar {
            label: row.engine.clone(),
            ours: false,
            times: &row.times,
        };
        ((row.batch, row.threads), bar)
    });
    for (place, bar) in ours.chain(theirs) {
        match cells.iter_mut().find(|cell| cell.0 == place) {
            Some(cell) => cell.1.push(bar),
            None => cells.push((place, vec![bar])),
        }
    }
    cells.sort_by_key(|cell| cell.0);
    cells
}

/// All medians in words.
fn describe(cells: &[Cell<'_>]) -> String {
    let bar = |bar: &Bar<'_>| format!("{} {}", bar.label, short(bar.times.median_ms));
    let cell = |((batch, threads), bars): &Cell<'_>| {
        let bars: Vec<String> = bars.iter().map(bar).collect();
        format!("batch {batch}, threads {threads}: {}", bars.join(", "))
    };
    let cells: Vec<String> = cells.iter().map(cell).collect();
    escaped(&format!("Median milliseconds. {}.", cells.join("; ")))
}

/// Whole powers of ten around all times.
fn axis(times: impl Iterator<Item = f64>) -> Axis {
    let (low, high) = times
        .map(f64::log10)
        .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), time| {
            (low.min(time), high.max(time))
        });
    let (low, high) = if low.is_finite() {
        (low, high)
    } else {
        (0.0, 0.0)
    };
    Axis {
        low: (low - 0.3).floor(),
        high: high.ceil().max((low - 0.3).floor() + 1.0),
        start: LEFT,
        end: RIGHT,
    }
}

fn grid(out: &mut String, axis: &Axis, bottom: f64) {
    for power in axis
        .ticks(10)
        .into_iter()
        .filter(|power| power.fract() == 0.0)
    {
        let (x, text) = (axis.at(power), short(10_f64.powf(power)));
        let _ = writeln!(
            out,
            "<path class=\"grid\" d=\"M{x:.1} {TOP}V{bottom:.0}\"/><text class=\"quiet\" x=\"{x:.1}\" \
             y=\"{:.0}\" text-anchor=\"middle\">{text} ms</text>",
            bottom + 18.0,
        );
    }
}

fn row(out: &mut String, axis: &Axis, y: f64, bar: &Bar<'_>) {
    let at = |time: f64| axis.at(time.max(1e-9).log10());
    let (median, p99) = (at(bar.times.median_ms), at(bar.times.p99_ms));
    let class = if bar.ours { " class=\"ours\"" } else { "" };
    let (label, middle) = (escaped(&bar.label), y + 8.0);
    let _ = writeln!(
        out,
        "<text x=\"{:.0}\" y=\"{:.0}\" text-anchor=\"end\">{label}</text>\
         <rect{class} x=\"{LEFT}\" y=\"{:.0}\" width=\"{:.1}\" height=\"14\"/>\
         <path class=\"reach\" d=\"M{median:.1} {middle:.0}H{p99:.1}m0 -4v8\"/>\
         <text x=\"{:.0}\" y=\"{:.0}\">{}</text>",
        LEFT - 8.0,
        y + 13.0,
        y + 1.0,
        (median - LEFT).max(1.0),
        p99 + 8.0,
        y + 13.0,
        short(bar.times.median_ms),
    );
}

/// Three digits that count.
fn short(value: f64) -> String {
    if value <= 0.0 {
        return "0".to_owned();
    }
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "between 0 and 9"
    )]
    let digits = (2.0 - value.log10().floor()).clamp(0.0, 9.0) as usize;
    let text = format!("{value:.digits$}");
    if text.contains('.') {
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    } else {
        text
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts of bars")]
fn to_f64(count: usize) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_beside_bars_are_short() {
        let found = [0.001_234, 0.25, 1.0, 12.345, 4321.0].map(short);
        assert_eq!(found, ["0.00123", "0.25", "1", "12.3", "4321"]);
    }

    #[test]
    fn the_axis_has_whole_powers_of_ten_around_all_times() {
        let found = axis([0.02, 3.0].into_iter());
        assert!((found.low, found.high) == (-2.0, 1.0), "{found:?}");
        let none = axis(std::iter::empty());
        assert!(none.low < none.high);
    }
}
