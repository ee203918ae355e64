//! Convolutions and pools over several pictures of one sample (frames of a video, windows of a series): an
//! operator for each picture, joined again. What follows on each of them takes the pictures apart, so that
//! norms and clamps still go into the convolution before them.

use super::super::act::{Act, Batch};
use super::super::constant::Value;
use super::super::error::ImportError;
use super::NodeContext;
use crate::onnx::OnnxNode;

/// Most pictures of one sample.
const FRAMES_MAX: usize = 64;
/// What takes pictures one by one.
const OF_PICTURES: [&str; 6] = [
    "AveragePool",
    "Conv",
    "ConvTranspose",
    "GlobalAveragePool",
    "GlobalMaxPool",
    "MaxPool",
];
/// What may follow on each of them.
const OF_PARTS: [&str; 10] = [
    "BatchNormalization",
    "Clip",
    "Elu",
    "HardSigmoid",
    "HardSwish",
    "LeakyRelu",
    "Relu",
    "Sigmoid",
    "Softplus",
    "Tanh",
];

impl NodeContext<'_> {
    /// The node on each picture of input 0, if that holds several.
    pub(super) fn of_frames(&mut self) -> Result<Option<Value>, ImportError> {
        let op = self.node.op.as_str();
        let (pictures, follows) = (OF_PICTURES.contains(&op), OF_PARTS.contains(&op));
        if !(pictures || follows) {
            return Ok(None);
        }
        let Value::Activation(act) = self.value(0)?.clone() else {
            return Ok(None);
        };
        let merged = match act.batch {
            Batch::Absent => true,
            Batch::Part { axis, .. } => axis == 0,
            Batch::Own(_) => false,
        };
        let several = (2..=FRAMES_MAX).contains(&act.dims.first().copied().unwrap_or(0));
        let known = self.importer.frames.get(&act.node).cloned();
        if !merged || !several || !(3..=4).contains(&act.dims.len()) {
            return Ok(None);
        }
        let parts = match known {
            Some(parts) if parts.len() == act.dims[0] => parts,
            Some(_) | None if pictures => self.pictures(&act)?,
            Some(_) | None => return Ok(None),
        };
        let mut made = Vec::with_capacity(parts.len());
        for (at, part) in parts.iter().enumerate() {
            made.push(self.on_picture(at, part)?);
        }
        let joined = self.joined(&made, 0)?;
        self.importer.frames.insert(joined.node, made);
        let batch = act.batch;
        Ok(Some(self.value_of(Act { batch, ..joined })))
    }

    /// The pictures `[1][C][..]` of `[frames][C][..]`.
    fn pictures(&mut self, act: &Act) -> Result<Vec<Act>, ImportError> {
        let whole = Act {
            batch: Batch::Absent,
            ..act.clone()
        };
        (0..act.dims[0])
            .map(|at| self.range(&whole, 0, at, 1))
            .collect()
    }

    /// This node on picture `at`, as a value without batch.
    fn on_picture(&mut self, at: usize, picture: &Act) -> Result<Act, ImportError> {
        // No name of the file begins with a zero byte followed by this one's name.
        let name = format!("\0{}.picture", self.node.name);
        let mut inputs = self.node.inputs.clone();
        if let Some(first) = inputs.first_mut() {
            first.clone_from(&name);
        }
        let node = OnnxNode {
            inputs,
            ..self.node.clone()
        };
        let place_len = self.importer.place.len();
        let place = format!("[{at}]");
        self.importer.place.push_str(&place);
        self.importer
            .values
            .insert(name.clone(), Value::Activation(picture.clone()));
        let made = NodeContext::new(self.importer, &node).outputs_of_op();
        self.importer.values.remove(&name);
        self.importer.place.truncate(place_len);
        let Some(Value::Activation(act)) = made?.into_iter().next() else {
            return Err(self.unknown_target());
        };
        let dims = act.dims.clone();
        let node = self.view(act.node, dims)?;
        let batch = Batch::Absent;
        Ok(Act { node, batch, ..act })
    }
}
