//! Aligned tables of text.

use std::fmt::Write as _;

use crate::paint::Paint;

/// Which side a column's text stands at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Align {
    /// Words.
    Left,
    /// Numbers.
    Right,
}

/// Rows of cells under headings.
#[derive(Debug, Clone)]
pub(crate) struct Table {
    heads: Vec<(&'static str, Align)>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// An empty table; a heading that starts with `>` is of a right-aligned column.
    pub(crate) fn new(heads: &[&'static str]) -> Self {
        let head = |text: &&'static str| match text.strip_prefix('>') {
            Some(rest) => (rest, Align::Right),
            None => (*text, Align::Left),
        };
        Self {
            heads: heads.iter().map(head).collect(),
            rows: Vec::new(),
        }
    }

    /// Adds a row; missing cells stay empty, cells beyond the headings are dropped.
    pub(crate) fn row<const N: usize>(&mut self, cells: [String; N]) {
        self.rows.push(cells.into());
    }

    /// The table, indented by two blanks, headings first.
    pub(crate) fn render(&self, paint: Paint) -> String {
        let width = |column: usize| {
            let cells = self.rows.iter().filter_map(|row| row.get(column));
            let widest = cells.map(|cell| cell.chars().count()).max().unwrap_or(0);
            widest.max(self.heads.get(column).map_or(0, |head| head.0.len()))
        };
        let widths: Vec<usize> = (0..self.heads.len()).map(width).collect();
        let heads: Vec<String> = self.heads.iter().map(|head| head.0.to_owned()).collect();
        let mut text = format!("{}\n", paint.faint(&self.line(&heads, &widths)));
        for row in &self.rows {
            text.push_str(&self.line(row, &widths));
            text.push('\n');
        }
        text
    }

    fn line(&self, cells: &[String], widths: &[usize]) -> String {
        let mut line = String::from(" ");
        for (column, (head, &width)) in self.heads.iter().zip(widths).enumerate() {
            let cell = cells.get(column).map_or("", String::as_str);
            let written = match head.1 {
                Align::Left => write!(line, " {cell:<width$} "),
                Align::Right => write!(line, " {cell:>width$} "),
            };
            written.expect("a string takes every write");
        }
        line.trim_end().to_owned()
    }
}

/// A count with groups of three digits: 1234567 is `1,234,567`.
pub(crate) fn grouped(count: u64) -> String {
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

/// A share as a percentage with two digits.
pub(crate) fn percent(share: f64) -> String {
    format!("{:.2} %", share * 100.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_stand_right_words_left_and_no_line_ends_in_blanks() {
        let mut table = Table::new(&["name", ">bytes"]);
        table.row(["lenet".into(), "7".into()]);
        table.row(["a".into(), "12345".into()]);
        let want = "  name   bytes\n  lenet      7\n  a      12345\n";
        assert_eq!(table.render(Paint::new(false)), want);
    }
}
