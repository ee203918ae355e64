"""Writes the ONNX Runtime logits of all test rows of the fixture models.

    python tools/reference_logits.py        needs numpy, onnxruntime; run in the repository root

models/NAME/reference.npz (mobilenet, vit: crates/compiler/tests/data): rows int64 [2] (first, end), logits float32 [rows, classes], runtime: its version.
The compiler's tests hold its float interpretation to these numbers.
"""
import numpy as np
import onnxruntime as ort

MODELS = {
    "mlp": ("models/mlp/model.onnx", "models/mlp/reference.npz", "digits", 1400),
    "lenet": ("models/lenet/model.onnx", "models/lenet/reference.npz", "digits28", 1400),
    "resnet20": ("models/resnet20/model.onnx", "models/resnet20/reference.npz", "digits28", 1400),
    "vit": ("crates/compiler/tests/data/vit.onnx", "crates/compiler/tests/data/vit.npz", "digits28", 1400),
    "cancer": ("models/cancer/model.onnx", "models/cancer/reference.npz", "cancer", 450),
    "mobilenet": ("crates/compiler/tests/data/mobilenet.onnx", "crates/compiler/tests/data/mobilenet.npz", "digits28", 1400),
}

for name, (model, out, data, first) in MODELS.items():
    x = np.load(f"models/data/{data}.npz")["x"]
    x = x.astype(np.float32) / 255 if x.dtype == np.uint8 else x
    session = ort.InferenceSession(model, providers=["CPUExecutionProvider"])
    logits = np.concatenate([session.run(None, {"x": x[i : i + 1]})[0] for i in range(first, len(x))])
    np.savez_compressed(out, rows=np.array([first, len(x)]), logits=logits, runtime=np.array([int(v) for v in ort.__version__.split(".")]))
    y = np.load(f"models/data/{data}.npz")["y"][first:]
    print(name, logits.shape, "accuracy", float((logits.argmax(1) == y).mean()), "largest", float(np.abs(logits).max()))
