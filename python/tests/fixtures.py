"""The models of the Rust tests with their data, and ONNX Runtime as the peer."""

import dataclasses
import functools
import pathlib

import numpy as np
import onnxruntime

import selfsame

ROOT = pathlib.Path(__file__).resolve().parents[2]
FIXTURES = ROOT / "crates/compiler/tests/data"
MODELS = ROOT / "models"
DIGITS = [str(digit) for digit in range(10)]


@dataclasses.dataclass(frozen=True)
class Fixture:
    """A model with data; rows from `test_from` on are for testing only."""

    name: str
    onnx: pathlib.Path
    data: pathlib.Path
    test_from: int

    def arrays(self):
        """Samples as they are stored, and labels."""
        with np.load(self.data) as data:
            return data["x"], data["y"]

    def floats(self):
        """Samples as the float model takes them: pixels divided by 255."""
        x, _ = self.arrays()
        return x.astype(np.float32) / np.float32(255) if x.dtype == np.uint8 else x


def shipped(name, data, test_from):
    return Fixture(name, MODELS / name / "model.onnx", MODELS / "data" / data, test_from)


def imported(name):
    return Fixture(name, FIXTURES / f"{name}.onnx", MODELS / "data/digits28.npz", 1400)


SHIPPED = [
    shipped("cancer", "cancer.npz", 450),
    shipped("mlp", "digits.npz", 1400),
    shipped("lenet", "digits28.npz", 1400),
    shipped("resnet20", "digits28.npz", 1400),
]
FILES = [
    "mobilenet",
    "residual_dynamo",
    "residual_torchscript",
    "branches_dynamo",
    "branches_torchscript",
]
ALL = SHIPPED + [imported(name) for name in FILES]


@functools.cache
def made(fixture):
    """The model of a fixture, imported as the committed programs were."""
    names = ["malignant", "benign"] if fixture.name == "cancer" else DIGITS
    return selfsame.import_onnx(
        fixture.onnx,
        fixture.data,
        test_from=fixture.test_from,
        name=fixture.name,
        class_names=names,
    )


ENCODER = FIXTURES / "encoder.onnx"
ENCODER_TEST_FROM = 256


def texts():
    """Token ids and masks of the encoder's data, i64[512, 32] each."""
    with np.load(FIXTURES / "encoder.npz") as data:
        return {"ids": data["ids"], "mask": data["mask"]}


@functools.cache
def encoder():
    """A sentence encoder of two inputs, for texts of 2 to 32 tokens."""
    return selfsame.import_onnx(
        ENCODER,
        texts(),
        test_from=ENCODER_TEST_FROM,
        calibration_rows=64,
        dims={"seq": 32},
        open={"seq": (2, 32)},
    )


@functools.cache
def session(onnx):
    """ONNX Runtime on one thread."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(str(onnx), options, providers=["CPUExecutionProvider"])


def peer(onnx, rows):
    """Answers of ONNX Runtime, sample by sample: the files have a batch axis of one."""
    peer_session = session(onnx)
    name = peer_session.get_inputs()[0].name
    answers = [peer_session.run(None, {name: row[np.newaxis]})[0][0] for row in rows]
    return np.stack(answers)


def figures(wanted, found, labels):
    """Accuracies, agreement, cosine and signal-to-noise ratio of two sets of answers."""
    wanted, found = (array.reshape(len(array), -1).astype(np.float64) for array in (wanted, found))
    norms = np.linalg.norm(wanted, axis=1) * np.linalg.norm(found, axis=1)
    return {
        "wanted_accuracy": float((wanted.argmax(1) == labels).mean()),
        "found_accuracy": float((found.argmax(1) == labels).mean()),
        "agreement": float((wanted.argmax(1) == found.argmax(1)).mean()),
        "cosine_mean": float(((wanted * found).sum(1) / norms).mean()),
        "cosine_min": float(((wanted * found).sum(1) / norms).min()),
        "snr_db": float(10 * np.log10((wanted**2).sum() / ((found - wanted) ** 2).sum())),
    }
