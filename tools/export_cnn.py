"""Trains one small residual network and exports it by both exporters of PyTorch.

    python tools/export_cnn.py        needs torch, onnx, onnxscript, onnxruntime, numpy; run in the repository root

crates/compiler/tests/data/residual_dynamo.onnx (torch.export, opset 20) and residual_torchscript.onnx (opset 13): the same
weights. Beside each the ONNX Runtime logits of the test rows, in the form of tools/reference_logits.py.
"""
import warnings
from pathlib import Path

import numpy as np
import onnxruntime as ort
import torch
import torch.nn as nn
import torch.nn.functional as F

warnings.filterwarnings("ignore")
torch.set_num_threads(2)
OUT = Path("crates/compiler/tests/data")
FIRST_TEST_ROW = 1400


class Residual(nn.Module):
    """Convolutions with batch norm, a projected shortcut, both pools, a hidden layer."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(1, 8, 5, 2, 2, bias=False), nn.BatchNorm2d(8), nn.ReLU())
        self.body = nn.Sequential(
            nn.Conv2d(8, 16, 3, 1, 1, bias=False), nn.BatchNorm2d(16), nn.ReLU(), nn.Conv2d(16, 16, 3, 1, 1, bias=False), nn.BatchNorm2d(16)
        )
        self.short = nn.Sequential(nn.Conv2d(8, 16, 1, bias=False), nn.BatchNorm2d(16))
        self.hidden, self.head, self.drop = nn.Linear(16, 32), nn.Linear(32, 10), nn.Dropout(0.1)

    def forward(self, x):
        x = F.max_pool2d(self.stem(x), 2)
        x = F.relu(self.body(x) + self.short(x))
        x = F.adaptive_avg_pool2d(x, 1).flatten(1)
        return self.head(self.drop(F.relu(self.hidden(x))))


def train(net, x, y, epochs=20, rate=1e-2, batch=32):
    schedule = torch.optim.AdamW(net.parameters(), lr=rate, weight_decay=0.01)
    steps = torch.optim.lr_scheduler.OneCycleLR(schedule, rate, total_steps=epochs * -(-len(x) // batch))
    net.train()
    for _ in range(epochs):
        for rows in torch.randperm(len(x)).split(batch):
            schedule.zero_grad()
            F.cross_entropy(net(x[rows]), y[rows]).backward()
            schedule.step()
            steps.step()
    return net.eval()


data = np.load("models/data/digits28.npz")
x, y = torch.tensor(data["x"]).float() / 255, torch.tensor(data["y"])
torch.manual_seed(3)
net = train(Residual(), x[:FIRST_TEST_ROW], y[:FIRST_TEST_ROW])
names = dict(input_names=["x"], output_names=["logits"])
batch = torch.export.Dim("batch", min=1, max=4096)
torch.onnx.export(
    net, (x[:2],), str(OUT / "residual_dynamo.onnx"), opset_version=20, dynamo=True, external_data=False, dynamic_shapes=({0: batch},), **names
)
torch.onnx.export(
    net, (x[:1],), str(OUT / "residual_torchscript.onnx"), opset_version=13, dynamo=False, dynamic_axes={"x": {0: "batch"}, "logits": {0: "batch"}}, **names
)
for name in ["residual_dynamo", "residual_torchscript"]:
    session = ort.InferenceSession(str(OUT / f"{name}.onnx"), providers=["CPUExecutionProvider"])
    logits = np.concatenate([session.run(None, {"x": x[i : i + 1].numpy()})[0] for i in range(FIRST_TEST_ROW, len(x))])
    runtime = np.array([int(v) for v in ort.__version__.split(".")])
    np.savez_compressed(OUT / f"{name}.npz", rows=np.array([FIRST_TEST_ROW, len(x)]), logits=logits, runtime=runtime)
    print(name, "accuracy", float((logits.argmax(1) == y[FIRST_TEST_ROW:].numpy()).mean()))
