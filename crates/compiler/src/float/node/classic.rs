//! Import of the operators of ai.onnx.ml: linear models of scikit-learn, and what stands around its networks.

use super::super::constant::Value;
use super::super::error::ImportError;
use super::super::function::{Function, Primitive};
use super::super::graph::{Arithmetic, FloatOp, Linear};
use super::{Act, Imported, Kind, NodeContext};
use crate::onnx::AttributeValue;

impl NodeContext<'_> {
    /// `(x - offset) * scale`, each one number or one for each feature.
    pub(super) fn scaler(&mut self) -> Imported {
        self.allow(&["offset", "scale"])?;
        let act = self.act(0)?;
        let [offset, scale] = [
            self.reals("offset")?.to_vec(),
            self.reals("scale")?.to_vec(),
        ];
        let Some((source, picks)) = self.importer.picks.get(&act.node).cloned() else {
            let scaled = self.standardised_features(&act, offset, scale)?;
            return Ok(self.value_of(scaled));
        };
        // Features of very different sizes are brought to one size where they come in: before they are picked.
        let extent = source.dims.last().copied().unwrap_or(0);
        let wide = |values: &[f32]| {
            let mut wide = vec![0.0; extent];
            for (at, &place) in picks.iter().enumerate() {
                wide[place] = values[if values.len() == 1 { 0 } else { at }];
            }
            wide
        };
        let counts = [1, picks.len()];
        if !counts.contains(&offset.len()) || !counts.contains(&scale.len()) {
            return Err(self.unknown_target());
        }
        let scaled = self.standardised_features(&source, wide(&offset), wide(&scale))?;
        let picked = self.picked(&scaled, self.axis(-1, source.dims.len())?, &picks)?;
        Ok(self.value_of(picked))
    }

    fn standardised_features(
        &mut self,
        act: &Act,
        offset: Vec<f32>,
        scale: Vec<f32>,
    ) -> Result<Act, ImportError> {
        let [offset, scale] = [offset, scale].map(|list| (vec![list.len()], list));
        let offset = self.constant_act(offset.0, offset.1, Kind::Float)?;
        let scale = self.constant_act(scale.0, scale.1, Kind::Float)?;
        let centred = self.pair_of(Arithmetic::Sub, act, &offset)?;
        self.pair_of(Arithmetic::Mul, &centred, &scale)
    }

    /// Probabilities under the names of their classes: the probabilities.
    pub(super) fn zip_map(&mut self) -> Imported {
        self.allow(&["classlabels_int64s", "classlabels_strings"])?;
        self.value(0).cloned()
    }

    /// `coefficients x + intercepts`.
    pub(super) fn linear_regressor(&mut self) -> Imported {
        self.allow(&["coefficients", "intercepts", "post_transform", "targets"])?;
        let targets = usize::try_from(self.int("targets", 1)?).unwrap_or(0);
        let sums = self.linear_scores(targets)?;
        let sums = self.transformed(&sums)?;
        Ok(self.value_of(sums))
    }

    /// The index of the class, which is what a program has for its name, and the scores of all classes.
    pub(super) fn linear_classifier(&mut self) -> Result<Vec<Value>, ImportError> {
        self.allow(&[
            "classlabels_ints",
            "classlabels_strings",
            "coefficients",
            "intercepts",
            "multi_class",
            "post_transform",
        ])?;
        let classes =
            ["classlabels_ints", "classlabels_strings"].map(|name| match self.attribute(name) {
                Some(AttributeValue::Ints(names)) => names.len(),
                Some(AttributeValue::Texts(names)) => names.len(),
                Some(_) | None => 0,
            });
        let sums = self.linear_scores(classes[0].max(classes[1]))?;
        let scores = self.transformed(&sums)?;
        let axis = self.axis(-1, sums.dims.len())?;
        let index = self.index_of_largest(&sums, axis)?;
        let index = self.without_axes(&index, &[axis])?;
        Ok(vec![self.value_of(index), self.value_of(scores)])
    }

    /// `coefficients x + intercepts`, the coefficients in `outputs` rows.
    fn linear_scores(&mut self, outputs: usize) -> Result<Act, ImportError> {
        let act = self.act(0)?;
        let weights = self.reals("coefficients")?.to_vec();
        let bias = match self.attribute("intercepts") {
            Some(_) => self.reals("intercepts")?.to_vec(),
            None => vec![0.0; outputs],
        };
        let features = act.dims.last().copied().unwrap_or(0);
        if outputs == 0
            || weights.len() != outputs.saturating_mul(features)
            || bias.len() != outputs
        {
            return Err(self.refuse(
                format!(
                    "{} coefficients and {} intercepts of {features} features for {outputs} answers",
                    weights.len(),
                    bias.len()
                ),
                "a row of coefficients and an intercept for each answer",
                "export the model again with skl2onnx",
            ));
        }
        let linear = Linear {
            outputs,
            weights,
            bias,
        };
        self.dense(&act, linear)
    }

    /// What `post_transform` makes of scores.
    fn transformed(&mut self, act: &Act) -> Result<Act, ImportError> {
        match self.text("post_transform", "NONE")?.as_str() {
            "NONE" => Ok(act.clone()),
            "SOFTMAX" => self.softmax_of(act, self.axis(-1, act.dims.len())?),
            "LOGISTIC" => {
                let sigmoid = Function::primitive(Primitive::Sigmoid);
                self.mapped(FloatOp::Function(sigmoid), act)
            }
            other => Err(self.refuse(
                format!("attribute \"post_transform\" = {other:?}"),
                "NONE, SOFTMAX, LOGISTIC",
                "export raw scores: options={\"raw_scores\": True}",
            )),
        }
    }

    /// Rows over the sum of their magnitudes, or over their length.
    pub(super) fn normalizer(&mut self) -> Imported {
        self.allow(&["norm"])?;
        let act = self.act(0)?;
        let power = match self.text("norm", "MAX")?.as_str() {
            // Probabilities of a softmax already have the sum 1.
            "L1" if matches!(self.importer.nodes[act.node].op, FloatOp::Softmax) => {
                return Ok(self.value_of(act));
            }
            "L1" => 1,
            "L2" => 2,
            other => {
                return Err(self.refuse(
                    format!("attribute \"norm\" = {other:?}"),
                    "L1, L2",
                    "use Normalizer(norm=\"l2\")",
                ));
            }
        };
        let axis = self.axis(-1, act.dims.len())?;
        let normal = self.over_length(&act, axis, power)?;
        Ok(self.value_of(normal))
    }

    /// 1 above the threshold, else 0.
    pub(super) fn binarizer(&mut self) -> Imported {
        self.allow(&["threshold"])?;
        let threshold = f64::from(self.float("threshold", 0.0)?);
        self.unary(FloatOp::Function(Function::above(threshold)))
    }

    /// What stands for a missing number: no input of a program misses one.
    pub(super) fn imputer(&mut self) -> Imported {
        self.allow(&["imputed_value_floats", "replaced_value_float"])?;
        let replaced = self.float("replaced_value_float", 0.0)?;
        if replaced.is_nan() {
            return self.value(0).cloned();
        }
        Err(self.refuse(
            format!("attribute \"replaced_value_float\" = {replaced}"),
            "NaN, which no input of a program is",
            "impute before the model runs",
        ))
    }

    /// Features at constant places.
    pub(super) fn pick_features(&mut self) -> Imported {
        self.allow(&[])?;
        let act = self.act(0)?;
        let axis = self.axis(-1, act.dims.len())?;
        let extent = act.dims[axis];
        let places = self.known_ints(1)?;
        let within = |&place: &i64| usize::try_from(place).ok().filter(|&place| place < extent);
        let picks: Option<Vec<usize>> = places.iter().map(within).collect();
        let picks = picks.ok_or_else(|| {
            self.refuse(
                format!("places {places:?} of {extent} features"),
                "places of features",
                "export the model again",
            )
        })?;
        let picked = self.picked(&act, axis, &picks)?;
        let mut once = picks.clone();
        once.sort_unstable();
        once.dedup();
        if once.len() == picks.len() {
            self.importer.picks.insert(picked.node, (act, picks));
        }
        Ok(self.value_of(picked))
    }

    /// A list of real numbers in an attribute.
    fn reals(&self, name: &str) -> Result<&[f32], ImportError> {
        match self.attribute(name) {
            Some(AttributeValue::Floats(list)) => Ok(list),
            Some(_) | None => Err(self.refuse(
                format!("attribute {name:?} is no list of real numbers"),
                "one number, or one for each feature",
                "export the model again",
            )),
        }
    }
}
