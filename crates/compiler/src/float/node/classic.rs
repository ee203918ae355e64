//! Import of the operators of ai.onnx.ml that stand around networks of scikit-learn.

use super::super::error::ImportError;
use super::super::graph::Arithmetic;
use super::{Act, Imported, Kind, NodeContext};
use crate::onnx::AttributeValue;

impl NodeContext<'_> {
    /// `(x - offset) * scale`, each one number or one for each feature.
    pub(super) fn scaler(&mut self) -> Imported {
        self.allow(&["offset", "scale"])?;
        let act = self.act(0)?;
        let offset = self.features("offset")?;
        let scale = self.features("scale")?;
        let centred = self.pair_of(Arithmetic::Sub, &act, &offset)?;
        let scaled = self.pair_of(Arithmetic::Mul, &centred, &scale)?;
        Ok(self.value_of(scaled))
    }

    /// Probabilities under the names of their classes: the probabilities.
    pub(super) fn zip_map(&mut self) -> Imported {
        self.allow(&["classlabels_int64s", "classlabels_strings"])?;
        self.value(0).cloned()
    }

    /// A list in an attribute as an operand of the last axis.
    fn features(&mut self, name: &str) -> Result<Act, ImportError> {
        let Some(AttributeValue::Floats(list)) = self.attribute(name) else {
            return Err(self.refuse(
                format!("attribute {name:?} is no list of real numbers"),
                "one number, or one for each feature",
                "export the model again",
            ));
        };
        let list = list.clone();
        self.constant_act(vec![list.len()], list, Kind::Float)
    }
}
