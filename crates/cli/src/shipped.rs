//! The models that this binary carries: programs, the ONNX files they were made from, data.
//!
//! The programs are written by `selfsame import`; a test imports each again and finds the same
//! bytes, so the ids are the same on every machine.

use selfsame::{Model, Source};
use selfsame_protocol::Hash;

use crate::dataset::{DataSet, PixelArgs};
use crate::failure::{Failure, Outcome};
use crate::takes::Takes;

/// A model with its data set; rows from `test_from` on are for testing only.
#[derive(Debug)]
pub(crate) struct Shipped {
    /// The name.
    pub(crate) name: &'static str,
    /// What it does.
    pub(crate) about: &'static str,
    program: &'static [u8],
    onnx: &'static [u8],
    data: &'static [u8],
    /// First row that calibration did not see.
    pub(crate) test_from: usize,
}

macro_rules! file {
    ($path:literal) => {
        include_bytes!(concat!("../../../models/", $path))
    };
}

/// Every shipped model, smallest first.
pub(crate) static ALL: [Shipped; 4] = [
    Shipped {
        name: "cancer",
        about: "a table of 30 numbers, two layers",
        program: file!("cancer/program.selfsame"),
        onnx: file!("cancer/model.onnx"),
        data: file!("data/cancer.npz"),
        test_from: 450,
    },
    Shipped {
        name: "mlp",
        about: "digits of 8x8, two layers",
        program: file!("mlp/program.selfsame"),
        onnx: file!("mlp/model.onnx"),
        data: file!("data/digits.npz"),
        test_from: 1400,
    },
    Shipped {
        name: "lenet",
        about: "digits of 28x28, LeNet-5",
        program: file!("lenet/program.selfsame"),
        onnx: file!("lenet/model.onnx"),
        data: file!("data/digits28.npz"),
        test_from: 1400,
    },
    Shipped {
        name: "resnet20",
        about: "digits of 28x28, ResNet-20",
        program: file!("resnet20/program.selfsame"),
        onnx: file!("resnet20/model.onnx"),
        data: file!("data/digits28.npz"),
        test_from: 1400,
    },
];

impl Shipped {
    /// The program.
    pub(crate) fn model(&self) -> Outcome<Model> {
        Model::from_bytes(self.program)
            .map_err(|error| Failure::input(format!("{}: {error}", self.name)))
    }

    /// The float source and the data set.
    pub(crate) fn source(&self) -> Outcome<(Source, DataSet)> {
        let source = Source::from_onnx(self.onnx).map_err(Failure::input)?;
        let data = DataSet::read(self.data, &Takes::of(&source), &PixelArgs::UNIT);
        Ok((source, data.map_err(Failure::input)?))
    }
}

/// The shipped model with this id.
pub(crate) fn by_id(id: Hash) -> Option<Model> {
    let models = ALL.iter().filter_map(|shipped| shipped.model().ok());
    models.into_iter().find(|model| model.id() == id)
}
