//! The models that this binary carries: ONNX files, data, and how they are imported.
//!
//! They are compiled when they are needed; the compiler is deterministic, so the model ids are the
//! same on every machine.

use std::sync::OnceLock;

use selfsame_compiler::{Compiled, Options};
use selfsame_ir::artefact;
use selfsame_protocol::Hash;

use crate::failure::Outcome;
use crate::importer::{self, DataSet, PixelArgs};
use crate::model::Model;

/// Rows that calibration reads.
const CALIBRATION_ROWS: usize = 256;

/// A model with its data set; rows from `test_from` on are for testing only.
#[derive(Debug)]
pub(crate) struct Shipped {
    /// The name.
    pub(crate) name: &'static str,
    /// What it does.
    pub(crate) about: &'static str,
    onnx: &'static [u8],
    data: &'static [u8],
    /// First row that calibration does not see.
    pub(crate) test_from: usize,
    labels: &'static [&'static str],
}

const DIGITS: &[&str] = &["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"];

macro_rules! file {
    ($path:literal) => {
        include_bytes!(concat!("../../../models/", $path))
    };
}

/// Every shipped model, smallest first.
pub(crate) static ALL: [Shipped; 4] = [
    Shipped {
        name: "cancer",
        about: "table, two layers",
        onnx: file!("cancer/model.onnx"),
        data: file!("data/cancer.npz"),
        test_from: 450,
        labels: &["malignant", "benign"],
    },
    Shipped {
        name: "mlp",
        about: "8x8 digits, two layers",
        onnx: file!("mlp/model.onnx"),
        data: file!("data/digits.npz"),
        test_from: 1400,
        labels: DIGITS,
    },
    Shipped {
        name: "lenet",
        about: "28x28 digits, LeNet-5",
        onnx: file!("lenet/model.onnx"),
        data: file!("data/digits28.npz"),
        test_from: 1400,
        labels: DIGITS,
    },
    Shipped {
        name: "resnet20",
        about: "28x28 digits, ResNet-20",
        onnx: file!("resnet20/model.onnx"),
        data: file!("data/digits28.npz"),
        test_from: 1400,
        labels: DIGITS,
    },
];

impl Shipped {
    /// Imports it: the compiled program, and the data set.
    pub(crate) fn import(&self) -> Outcome<(Compiled, DataSet)> {
        let graph = importer::float_graph(self.onnx)?;
        let shape = graph.input_shape().to_vec();
        let data = DataSet::read(self.data, &shape, &PixelArgs::UNIT)
            .map_err(crate::failure::Failure::input)?;
        let options = Options {
            name: self.name.to_owned(),
            labels: self.labels.iter().map(ToString::to_string).collect(),
            pixels: if data.samples {
                PixelArgs::UNIT.pixels(&shape)
            } else {
                None
            },
        };
        let compiled = importer::import(graph, &data, self.test_from, CALIBRATION_ROWS, &options)?;
        Ok((compiled, data))
    }
}

impl Model {
    /// The model of a compiled program.
    pub(crate) fn compiled(compiled: &Compiled) -> Self {
        let program = compiled.program.clone();
        let commitment = program.commit();
        let artefact_bytes = artefact::encode(&program, &commitment).len() as u64;
        Self {
            program,
            commitment,
            artefact_bytes,
        }
    }
}

/// The shipped model with this id.
pub(crate) fn by_id(id: Hash) -> Option<Model> {
    static MODELS: OnceLock<Vec<Model>> = OnceLock::new();
    let models = MODELS.get_or_init(|| {
        let imported = ALL.iter().filter_map(|shipped| shipped.import().ok());
        imported
            .map(|(compiled, _)| Model::compiled(&compiled))
            .collect()
    });
    models
        .iter()
        .find(|model| model.commitment.model_id == id)
        .cloned()
}
