//! What an output means to people: floats, labels, the best classes.
//!
//! ```text
//! y = q * multiplier / 2^shift        ranking by q, ties to the lowest index
//! ```
//!
//! Spec: interface, 6.4 and 6.5.

use selfsame_ir::{Interface, Ratio, Tensor};

/// One class of a ranking.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Class {
    /// Index in the source model's order.
    pub index: usize,
    /// Its label, if the model has labels.
    pub label: Option<String>,
    /// The output's integer.
    pub integer: i32,
    /// The float that it stands for.
    pub value: f64,
}

/// The float that an integer of `ratio` stands for.
pub fn float(integer: i32, ratio: Ratio) -> f64 {
    f64::from(integer) * f64::from(ratio.multiplier) / 2_f64.powi(i32::from(ratio.shift))
}

/// An output's integers in the source model's order.
fn source_order(interface: &Interface, output: &Tensor) -> Vec<i32> {
    let mut ordered = vec![0; output.len()];
    let indices: Vec<usize> = interface.output.source_indices().collect();
    if indices.len() != output.len() {
        return output.iter().collect();
    }
    for (value, index) in output.iter().zip(indices) {
        if let Some(slot) = ordered.get_mut(index) {
            *slot = value;
        }
    }
    ordered
}

/// The floats of an output in the source model's order, in double precision.
pub fn floats(interface: &Interface, output: &Tensor) -> Vec<f64> {
    source_order(interface, output)
        .iter()
        .map(|&integer| float(integer, interface.output_scale))
        .collect()
}

/// The `count` best classes, best first.
pub fn ranking(interface: &Interface, output: &Tensor, count: usize) -> Vec<Class> {
    let ordered = source_order(interface, output);
    let mut indices: Vec<usize> = (0..ordered.len()).collect();
    indices.sort_by_key(|&index| (std::cmp::Reverse(ordered[index]), index));
    indices.truncate(count);
    let class = |index: usize| Class {
        index,
        label: interface.labels.get(index).cloned(),
        integer: ordered[index],
        value: float(ordered[index], interface.output_scale),
    };
    indices.into_iter().map(class).collect()
}

impl Class {
    /// Label and index, for people.
    pub fn name(&self) -> String {
        match &self.label {
            Some(label) if *label != self.index.to_string() => format!("{label} ({})", self.index),
            Some(_) | None => self.index.to_string(),
        }
    }
}
