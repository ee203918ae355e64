//! Layers of a program beside those of its source, for a program whose making nobody remembers.
//!
//! An artefact keeps the names of the ONNX nodes, not the scales of its tensors. A node is matched
//! with the float value of its name; order of the elements and step are those that fit best:
//!
//! ```text
//! step = <f, q> / <q, q>        SNR = <f, f> / |f - step * q|^2 = 1 / (1 - <f, q>^2 / (<f, f> <q, q>))
//! ```

use selfsame_ir::{CheckedProgram, Op, Spread, Tensor};

use super::import::LayerReport;
use super::mask::Masked;
use crate::float::{FloatGraph, FloatNode, RunError};
use crate::quant::map_rows;

/// Products of a float value with the integers of a node, in both orders of the elements.
#[derive(Debug, Clone, Copy, Default)]
struct Products {
    float: f64,
    integers: f64,
    /// As they lie, with the channels of a picture last, and with the heads of an attention inside
    /// its rows.
    mixed: [f64; 3],
}

impl Products {
    fn add(&mut self, float: &FloatNode, values: &[f32], integers: &Tensor, masked: Masked) {
        let last = channels_last(&float.shape);
        let inside = heads_inside(&float.shape);
        for (index, q) in integers.iter().enumerate() {
            if masked.takes_out(f64::from(values[index]), q) {
                continue;
            }
            let (q, f) = (f64::from(q), f64::from(values[index]));
            self.float += f * f;
            self.integers += q * q;
            self.mixed[0] += f * q;
            self.mixed[1] += f64::from(values[last(index)]) * q;
            self.mixed[2] += f64::from(values[inside(index)]) * q;
        }
    }

    fn merge(&mut self, other: &Self) {
        self.float += other.float;
        self.integers += other.integers;
        for (sum, other) in self.mixed.iter_mut().zip(other.mixed) {
            *sum += other;
        }
    }

    fn snr_db(&self) -> f64 {
        let mixed = self.mixed.iter().copied().fold(f64::MIN, f64::max);
        let signal = self.float * self.integers;
        if signal == 0.0 {
            return if self.float == 0.0 {
                f64::INFINITY
            } else {
                0.0
            };
        }
        // Rounding alone can bring the difference to zero or below.
        let noise = (1.0 - mixed * mixed / signal).max(0.0);
        -10.0 * noise.log10()
    }
}

/// Element of `[C][H][W]` for each element of `[H][W][C]`; other shapes stay as they are.
fn channels_last(shape: &[usize]) -> impl Fn(usize) -> usize {
    let (channels, plane) = match *shape {
        [c, h, w] => (c, h * w),
        _ => (1, 0),
    };
    move |index| {
        if plane == 0 {
            index
        } else {
            index % channels * plane + index / channels
        }
    }
}

/// Element of `[H][R][C]` for each element of `[R][H][C]`; other shapes stay as they are.
fn heads_inside(shape: &[usize]) -> impl Fn(usize) -> usize {
    let (heads, rows, columns) = match *shape {
        [h, r, c] => (h, r, c),
        _ => (0, 0, 0),
    };
    move |index| {
        if heads * columns == 0 {
            return index;
        }
        let (row, head) = (index / (heads * columns), index / columns % heads);
        (head * rows + row) * columns + index % columns
    }
}

/// Every node of `program` behind the input whose name is that of a float value with as many elements, against that
/// value, on `rows`. `trace` gives the outputs of all nodes for one row.
pub fn fitted_layers<E: From<RunError> + Send>(
    program: &CheckedProgram,
    graph: &FloatGraph,
    rows: &[Vec<f32>],
    trace: impl Fn(&[f32]) -> Result<Vec<Tensor>, E> + Sync,
) -> Result<Vec<LayerReport>, E> {
    let names = &program.program().notes.nodes;
    let mut matched = matches(names, graph);
    matched.retain(|&(node, _)| is_value(program, node));
    let of_row = |_, row: &Vec<f32>| -> Result<Vec<Option<Products>>, E> {
        let (values, outputs) = (graph.run_all(row)?, trace(row)?);
        let product = |&(node, float): &(usize, usize)| {
            let (output, value) = (outputs.get(node)?, &values[float]);
            let mut products = Products::default();
            (output.len() == value.len()).then(|| {
                let masked = Masked::of(&program.nodes()[node].op);
                products.add(&graph.nodes()[float], value, output, masked);
                products
            })
        };
        Ok(matched.iter().map(product).collect())
    };
    let mut sums = vec![None::<Products>; matched.len()];
    for row in map_rows(rows, graph.bytes(), of_row) {
        for (sum, one) in sums.iter_mut().zip(row?) {
            if let Some(one) = one {
                sum.get_or_insert_default().merge(&one);
            }
        }
    }
    let layer = |(&(node, _), sum): (&(usize, usize), &Option<Products>)| {
        Some(LayerReport {
            node,
            name: names[node].clone(),
            op: program.nodes()[node].op.name(),
            snr_db: sum.as_ref()?.snr_db(),
        })
    };
    Ok(matched.iter().zip(&sums).filter_map(layer).collect())
}

/// Whether a node stands for a value of the source: neither the input, nor the rows of a linear node's
/// input on scales of their own, which have that node's name as their scales do.
fn is_value(program: &CheckedProgram, node: usize) -> bool {
    let names = &program.program().notes.nodes;
    let Some(found) = program.nodes().get(node) else {
        return false;
    };
    let second = found.inputs.get(1).map(|&second| second as usize);
    match &found.op {
        Op::Input(_) => false,
        Op::Pointwise(op) => {
            let by_rows = op.second.as_ref().is_some_and(|y| y.spread == Spread::Row);
            let same = second.is_some_and(|second| names.get(second) == names.get(node));
            !(by_rows && same)
        }
        Op::MatMul(_)
        | Op::Conv(_)
        | Op::MaxPool(_)
        | Op::AvgPool(_)
        | Op::Move(_)
        | Op::Concat(_)
        | Op::BatchMatMul(_)
        | Op::Reduce(_)
        | Op::Normalize(_)
        | Op::Embedding(_) => true,
    }
}

/// Nodes of a program and of the float graph with one name; of several the last one.
fn matches(names: &[String], graph: &FloatGraph) -> Vec<(usize, usize)> {
    let nodes = graph.nodes();
    let of_node = |(node, name): (usize, &String)| {
        let is_last = !name.is_empty() && !names[node + 1..].contains(name);
        let float = nodes.iter().rposition(|float| &float.name == name)?;
        is_last.then_some((node, float))
    };
    names.iter().enumerate().filter_map(of_node).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::float::FloatOp;

    #[test]
    fn the_order_and_the_step_that_fit_are_found() {
        let float = FloatNode {
            name: "picture".into(),
            op: FloatOp::Input,
            inputs: vec![],
            shape: vec![2, 1, 3],
        };
        let values = [1.0, 2.0, 3.0, -4.0, 5.0, 6.5];
        let mut products = Products::default();
        products.add(
            &float,
            &values,
            &Tensor::I8(vec![2, -8, 4, 10, 6, 13]),
            Masked::default(),
        );
        assert!(products.snr_db() > 120.0, "{}", products.snr_db());
        let mut noisy = Products::default();
        noisy.add(
            &float,
            &values,
            &Tensor::I8(vec![2, -8, 4, 10, 6, 12]),
            Masked::default(),
        );
        assert!((15.0..30.0).contains(&noisy.snr_db()), "{}", noisy.snr_db());
    }

    #[test]
    fn what_a_mask_takes_out_hides_no_error_and_is_none() {
        let float = FloatNode {
            name: "scores".into(),
            op: FloatOp::Input,
            inputs: vec![],
            shape: vec![4],
        };
        let masked = Masked::floor(-32_767);
        let add = |integers: Vec<i16>| {
            let mut products = Products::default();
            products.add(
                &float,
                &[1.0, -2.0, -1e38, 3.0],
                &Tensor::I16(integers),
                masked,
            );
            products.snr_db()
        };
        assert!(add(vec![10, -20, -32_767, 30]) > 120.0);
        assert!(
            add(vec![10, 20, -32_767, 30]) < 10.0,
            "the error of another"
        );
        assert!(add(vec![10, -20, 0, 30]) < 1.0, "not taken out");
    }

    #[test]
    fn heads_are_found_inside_the_rows() {
        let float = FloatNode {
            name: "attention".into(),
            op: FloatOp::Input,
            inputs: vec![],
            shape: vec![2, 3, 2],
        };
        let values: Vec<f32> = (0_u8..12).map(|n| f32::from(n) - 4.5).collect();
        let rows = [0, 1, 6, 7, 2, 3, 8, 9, 4, 5, 10, 11];
        let mut products = Products::default();
        products.add(
            &float,
            &values,
            &Tensor::I8(rows.map(|n| 2 * n - 9).to_vec()),
            Masked::default(),
        );
        assert!(products.snr_db() > 120.0, "{}", products.snr_db());
    }

    #[test]
    fn a_dead_layer_has_no_noise_and_a_lost_one_no_signal() {
        let float = FloatNode {
            name: "zeros".into(),
            op: FloatOp::Input,
            inputs: vec![],
            shape: vec![2],
        };
        let mut dead = Products::default();
        dead.add(
            &float,
            &[0.0, 0.0],
            &Tensor::I8(vec![0, 0]),
            Masked::default(),
        );
        assert!(dead.snr_db().is_infinite());
        let mut lost = Products::default();
        lost.add(
            &float,
            &[1.0, 2.0],
            &Tensor::I8(vec![0, 0]),
            Masked::default(),
        );
        assert!(lost.snr_db().abs() < 1e-12);
    }
}
