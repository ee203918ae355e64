"""Trains small classifiers with scikit-learn and Keras and writes what their exporters make of them.

    python tools/foreign_exports.py        needs keras, numpy, onnxruntime, scikit-learn, skl2onnx, tensorflow-cpu, tf2onnx; run in the repository root

crates/compiler/tests/data/exports.npz, for each model: NAME.model uint8 (the ONNX file), NAME.x float32 [rows][features], NAME.y float32 (what
ONNX Runtime answers: probabilities or values, not names of classes). Seeds are fixed; tensorflow's sums may differ from machine to machine.
"""
import os
import pathlib
import tempfile
import warnings

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["CUDA_VISIBLE_DEVICES"] = ""
warnings.filterwarnings("ignore")

import keras
import numpy as np
import onnxruntime as ort
from keras import layers
from skl2onnx import to_onnx
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, StandardScaler

import archive

TRAINING_ROWS, ROWS = 1400, 64
arrays = {}
with np.load("models/data/digits.npz") as data:
    pixels, digits = data["x"].astype(np.float32), data["y"]
with np.load("models/data/cancer.npz") as data:
    # As they are measured: an area and a smoothness differ by some thousands.
    sizes = np.float32(10) ** np.linspace(-2, 3, data["x"].shape[1], dtype=np.float32)
    cells, benign = (data["x"] + 3) * sizes, np.where(data["y"] == 1, "benign", "malignant")


def keep(name, model, x, answer):
    session = ort.InferenceSession(model, providers=["CPUExecutionProvider"])
    output = session.get_outputs()[answer].name
    y = session.run([output], {session.get_inputs()[0].name: x})[0]
    if isinstance(y, list):
        y = np.array([list(row.values()) for row in y])
    arrays[f"{name}.model"] = np.frombuffer(model, np.uint8)
    arrays[f"{name}.x"] = x.reshape(len(x), -1)
    arrays[f"{name}.y"] = y.astype(np.float32)


def scikit(name, estimator, x, y, answer, **options):
    estimator.fit(x[:TRAINING_ROWS], y[:TRAINING_ROWS])
    options = {id(estimator): options} if options else None
    model = to_onnx(estimator, x[:1], options=options, target_opset=17).SerializeToString()
    keep(f"sklearn_{name}", model, x[-ROWS:], answer)


settings = {"hidden_layer_sizes": (24,), "max_iter": 150, "random_state": 0}
scikit("names", make_pipeline(StandardScaler(), MLPClassifier(**settings)), cells, benign, 1)
scikit("numbers", make_pipeline(MinMaxScaler(), MLPClassifier(activation="logistic", **settings)), pixels, digits, 1, zipmap=False)
scikit("pipeline", make_pipeline(StandardScaler(), MLPClassifier(activation="tanh", **settings)), pixels, digits, 1)
scikit("regressor", make_pipeline(StandardScaler(), MLPRegressor(**settings)), cells, cells[:, 3] / 10, 0)

keras.utils.set_random_seed(3)
images = (pixels / 16).reshape(-1, 8, 8, 1)


def with_keras(name, inputs, answer, x):
    network = keras.Model(inputs, answer, name=name)
    network.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=name == "recurrent"))
    network.fit(x[:TRAINING_ROWS], digits[:TRAINING_ROWS], epochs=12, batch_size=32, verbose=0)
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "model.onnx"
        network.export(path, format="onnx", verbose=False)
        keep(f"keras_{name}", path.read_bytes(), x[-ROWS:], 0)


def convolutions():
    picture = layers.Input((8, 8, 1))
    x = layers.Conv2D(8, 3, padding="same", use_bias=False)(picture)
    x = layers.ReLU(6.0)(layers.BatchNormalization()(x))
    x = layers.BatchNormalization()(layers.DepthwiseConv2D(3, padding="same")(x))
    x = layers.Activation("hard_swish")(x)
    x = layers.Add()([x, layers.SeparableConv2D(8, 3, padding="same", activation="relu")(x)])
    gate = layers.GlobalAveragePooling2D(keepdims=True)(x)
    gate = layers.Conv2D(8, 1, activation="sigmoid")(layers.Conv2D(4, 1, activation="relu")(gate))
    x = layers.ZeroPadding2D(((0, 1), (0, 1)))(layers.Multiply()([x, gate]))
    x = layers.LeakyReLU()(layers.Conv2D(12, 3, strides=2)(x))
    x = layers.Conv2DTranspose(8, 3, strides=2, padding="same", activation="elu")(layers.UpSampling2D()(x))
    x = layers.AveragePooling2D(2, padding="same")(layers.MaxPooling2D(3, 2, padding="same")(x))
    x = layers.Dropout(0.1)(layers.Flatten()(x))
    return picture, layers.Dense(10, "softmax")(x)


def recurrent():
    rows = layers.Input((8, 8))
    x = layers.Bidirectional(layers.LSTM(8, return_sequences=True))(rows)
    return rows, layers.Dense(10)(layers.GRU(16, unroll=True)(x))


def loops():
    rows = layers.Input((8, 8))
    x = layers.LSTM(8, return_sequences=True, go_backwards=True)(rows)
    return rows, layers.Dense(10, "softmax")(layers.GRU(12)(x))


def transformer():
    rows = layers.Input((8, 8))
    x = layers.Dense(16)(rows)
    x = layers.LayerNormalization()(x + layers.MultiHeadAttention(2, 8)(x, x))
    gelu = layers.Activation(lambda value: keras.activations.gelu(value, approximate=True))
    x = layers.LayerNormalization()(x + layers.Dense(16)(gelu(layers.Dense(32)(x))))
    return rows, layers.Dense(10, "softmax")(layers.GlobalAveragePooling1D()(x))


with_keras("convolutions", *convolutions(), images)
with_keras("recurrent", *recurrent(), images[..., 0])
with_keras("loops", *loops(), images[..., 0])
with_keras("transformer", *transformer(), images[..., 0])

archive.write("crates/compiler/tests/data/exports.npz", sorted(arrays.items()))
print(len(arrays) // 3, "models")
