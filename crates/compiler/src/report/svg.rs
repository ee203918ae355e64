//! Small means of drawing: text that cannot leave its place, and axes with round numbers.

/// Text of a stranger's file inside XML or HTML; characters that neither admits become blanks.
pub fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            c if c.is_control() || ('\u{fffe}'..='\u{ffff}').contains(&c) => out.push(' '),
            c => out.push(c),
        }
    }
    out
}

/// A straight scale from numbers to places of a drawing.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Axis {
    /// Smallest number.
    pub low: f64,
    /// Largest number.
    pub high: f64,
    /// Place of the smallest number.
    pub start: f64,
    /// Place of the largest number.
    pub end: f64,
}

impl Axis {
    /// An axis over `values` that are finite, with a little room; 0 to 1 if there are none.
    pub fn over(values: impl Iterator<Item = f64> + Clone, start: f64, end: f64) -> Self {
        let finite = values.filter(|value| value.is_finite());
        let low = finite.clone().fold(f64::INFINITY, f64::min);
        let high = finite.fold(f64::NEG_INFINITY, f64::max);
        let (low, high) = match high - low {
            span if !span.is_finite() => (0.0, 1.0),
            span if span <= 0.0 => (low - 0.5, high + 0.5),
            span => (low - span * 0.03, high + span * 0.03),
        };
        Self {
            low,
            high,
            start,
            end,
        }
    }

    /// The place of a number; numbers beyond the axis are brought to its ends.
    pub fn at(&self, value: f64) -> f64 {
        let share = (value - self.low) / (self.high - self.low);
        self.start + share.clamp(0.0, 1.0) * (self.end - self.start)
    }

    /// Round numbers on the axis, about `count` of them.
    pub fn ticks(&self, count: u32) -> Vec<f64> {
        let step = round_step((self.high - self.low) / f64::from(count.max(1)));
        let first = (self.low / step).ceil();
        let tick = |index: u32| (first + f64::from(index)) * step;
        let inside = |value: &f64| *value <= self.high;
        (0..100).map(tick).take_while(inside).collect()
    }
}

/// The next of 1, 2, 5 times a power of ten.
fn round_step(step: f64) -> f64 {
    let power = 10_f64.powf(step.max(1e-30).log10().floor());
    let factors = [1.0, 2.0, 5.0, 10.0].map(|factor| factor * power);
    let fits = |factor: &f64| step <= factor * (1.0 + 1e-9);
    factors.into_iter().find(fits).unwrap_or(10.0 * power)
}

/// A number beside a tick: as short as it can be.
pub fn tick_text(value: f64) -> String {
    if value.abs() < 1e-12 {
        "0".to_owned()
    } else if value.abs() < 0.01 || 1e5 <= value.abs() {
        format!("{value:.0e}")
    } else {
        let text = format!("{value:.2}");
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_inside() {
        let axis = Axis {
            low: -7.0,
            high: 43.0,
            start: 0.0,
            end: 100.0,
        };
        assert_eq!(axis.ticks(5), [0.0, 10.0, 20.0, 30.0, 40.0]);
        for (value, place) in [(-7.0, 0.0), (18.0, 50.0), (43.0, 100.0), (99.0, 100.0)] {
            assert!((axis.at(value) - place).abs() < 1e-9, "{value}");
        }
    }

    #[test]
    fn an_axis_of_one_number_or_none_has_a_width() {
        for values in [vec![], vec![3.0], vec![f64::NAN, f64::INFINITY]] {
            let axis = Axis::over(values.iter().copied(), 0.0, 1.0);
            assert!(axis.low < axis.high && !axis.ticks(4).is_empty());
        }
    }

    #[test]
    fn ticks_read_short() {
        let texts = [0.0, 2.5, -40.0, 0.001, 1e6].map(tick_text);
        assert_eq!(texts, ["0", "2.5", "-40", "1e-3", "1e6"]);
    }
}
