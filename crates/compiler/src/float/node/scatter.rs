//! `ScatterND` of constants: how exporters write assignments to slices (masks of shifted windows).
//!
//! Source: ONNX operators, `ScatterND`.

use super::super::constant::{Const, Value};
use super::super::error::ImportError;
use super::{Imported, NodeContext, from_either_end};

impl NodeContext<'_> {
    /// A constant with blocks of it replaced.
    pub(super) fn scatter(&mut self) -> Imported {
        let plain = self.text("reduction", "none")? == "none";
        let constants = (0..3).all(|index| match self.value(index) {
            Ok(Value::Float(_) | Value::Int(_)) => true,
            Ok(Value::Activation(_)) | Err(_) => false,
        });
        if !(plain && constants) {
            return self.scatter_tuples();
        }
        self.allow(&["reduction"])?;
        let width = match self.value(1)? {
            Value::Int(indices) => indices.dims.last().copied().unwrap_or(0),
            Value::Float(_) | Value::Activation(_) => return Err(self.no_scatter()),
        };
        let indices = self.known_ints(1)?;
        let scattered = match (self.value(0)?, self.value(2)?) {
            (Value::Float(data), Value::Float(updates)) => {
                scattered(data, &indices, width, updates).map(Value::Float)
            }
            (Value::Int(data), Value::Int(updates)) => {
                scattered(data, &indices, width, updates).map(Value::Int)
            }
            (Value::Float(_) | Value::Int(_) | Value::Activation(_), _) => None,
        };
        let made = scattered.ok_or_else(|| self.no_scatter())?;
        let elements = match &made {
            Value::Float(c) => c.elements.len(),
            Value::Int(c) => c.elements.len(),
            Value::Activation(_) => 0,
        };
        self.spend(elements)?;
        Ok(made)
    }

    fn no_scatter(&self) -> ImportError {
        self.refuse(
            "indices that do not fit, or constants of several types".to_owned(),
            "indices of the shape, and data and updates of one type",
            "check the model with onnx.checker",
        )
    }
}

/// `data` with the block at each index tuple, of `width` numbers, replaced by the next of `updates`.
fn scattered<T: Copy>(
    data: &Const<T>,
    indices: &[i64],
    width: usize,
    updates: &Const<T>,
) -> Option<Const<T>> {
    let block: usize = data.dims.get(width..)?.iter().product();
    let tuples = indices.len().checked_div(width)?;
    if tuples.checked_mul(block)? != updates.elements.len() {
        return None;
    }
    let mut elements = data.elements.to_vec();
    for (tuple, update) in indices
        .chunks_exact(width)
        .zip(updates.elements.chunks_exact(block))
    {
        let mut at = 0;
        for (&index, &extent) in tuple.iter().zip(&data.dims) {
            at = at * extent + from_either_end(index, extent)?;
        }
        let start = at.checked_mul(block)?;
        elements
            .get_mut(start..start.checked_add(block)?)?
            .copy_from_slice(update);
    }
    Some(Const::new(data.dims.clone(), elements))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_named_by_indices_are_replaced_and_others_stay() {
        let data = Const::new(vec![3, 2], vec![1, 2, 3, 4, 5, 6]);
        let updates = Const::new(vec![2, 2], vec![10, 20, 30, 40]);
        let found = scattered(&data, &[-1, 0], 1, &updates).map(|c| c.elements.to_vec());
        assert_eq!(found, Some(vec![30, 40, 3, 4, 10, 20]));
        let cells = Const::new(vec![1], vec![9]);
        let found = scattered(&data, &[1, 1], 2, &cells).map(|c| c.elements.to_vec());
        assert_eq!(found, Some(vec![1, 2, 3, 9, 5, 6]));
        assert!(scattered(&data, &[3], 1, &updates).is_none());
        assert!(scattered(&data, &[], 0, &updates).is_none());
    }
}
