//! Cases by implementations, as text that is compared with a committed file.
//!
//! One row for each feature with the number of nodes that had it; one column for each
//! implementation: `=` where it agreed on all of them, `gap` where this machine cannot run it.

use std::fmt::Write as _;

use super::features::FEATURES;
use super::{Subject, features};

/// What was met and who agreed. Differences are errors of the run, so a column holds only names.
#[derive(Debug, Clone)]
pub struct Matrix {
    /// Nodes with each of [`FEATURES`].
    counts: Vec<u64>,
    columns: Vec<(String, u64)>,
    gaps: Vec<String>,
}

impl Matrix {
    /// An empty matrix over the `implementations`; `gaps` are the columns that this machine lacks.
    pub fn new(implementations: Vec<String>, gaps: Vec<String>) -> Self {
        let columns = implementations.into_iter().map(|name| (name, 0)).collect();
        Self {
            counts: vec![0; FEATURES.len()],
            columns,
            gaps,
        }
    }

    /// Counts the nodes of a subject on which all columns agreed; `compared` are their elements.
    ///
    /// # Panics
    ///
    /// If a node has a feature that the report does not know.
    pub fn add(&mut self, subject: &Subject, compared: &[u64]) {
        for (column, &count) in self.columns.iter_mut().zip(compared) {
            column.1 += count;
        }
        for node in 1..u32::try_from(subject.program.nodes().len()).expect("at most NODES_MAX") {
            for feature in features(subject, node) {
                let row = FEATURES.iter().position(|known| *known == feature);
                self.counts[row.expect("every feature is listed")] += 1;
            }
        }
    }

    /// Nodes that had `feature`.
    pub fn count(&self, feature: &str) -> u64 {
        FEATURES
            .iter()
            .position(|known| *known == feature)
            .map_or(0, |row| self.counts[row])
    }

    /// Features that no node had.
    pub fn missed(&self) -> Vec<&'static str> {
        FEATURES
            .iter()
            .zip(&self.counts)
            .filter(|(_, count)| **count == 0)
            .map(|(name, _)| *name)
            .collect()
    }

    /// The rows with their counts.
    pub fn rows(&self) -> String {
        let mut text = String::from("nodes | feature\n------|--------\n");
        for (name, count) in FEATURES.iter().zip(&self.counts) {
            // Infallible: the target is a String.
            let _ = writeln!(text, "{count:>5} | {name}");
        }
        text
    }

    /// The columns: implementations with the elements on which they agreed, and the gaps.
    pub fn columns(&self) -> String {
        let mut text = String::new();
        for (name, elements) in &self.columns {
            let _ = writeln!(text, "=   | {name}: {elements} elements equal");
        }
        for name in &self.gaps {
            let _ = writeln!(text, "gap | {name}: not on this machine, not compared");
        }
        text
    }

    /// What is the same on every machine: rows, and the names of all columns, gaps included.
    pub fn committed(&self) -> String {
        let mut names: Vec<&str> = self.columns.iter().map(|(name, _)| name.as_str()).collect();
        names.extend(self.gaps.iter().map(String::as_str));
        names.sort_unstable();
        format!(
            "{}\nimplementations, each equal to the interpreter or a gap by name:\n{}\n",
            self.rows(),
            names.join("\n")
        )
    }
}
