"""Trains small networks and exports them by both exporters of PyTorch.

    python tools/export_cnn.py residual|branches ...   needs torch, onnx, onnxscript, onnxruntime, numpy; run in the repository root

crates/compiler/tests/data/NAME_dynamo.onnx (torch.export, opset 20) and NAME_torchscript.onnx (opset 13): the same
weights. Beside each the ONNX Runtime logits of the test rows, in the form of tools/reference_logits.py.
"""
import sys
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


def norm(channels_in, channels, kernel=1, stride=1, groups=1):
    pads = kernel // 2
    return nn.Sequential(nn.Conv2d(channels_in, channels, kernel, stride, pads, groups=groups, bias=False), nn.BatchNorm2d(channels))


class Gated(nn.Module):
    """Inverted residual of EfficientNet: depthwise convolution, squeeze and excitation, SiLU."""

    def __init__(self, channels, wide, narrow):
        super().__init__()
        self.up, self.depth, self.down = norm(channels, wide), norm(wide, wide, 3, groups=wide), norm(wide, channels)
        self.squeeze, self.excite = nn.Conv2d(wide, narrow, 1), nn.Conv2d(narrow, wide, 1)

    def forward(self, x):
        y = F.silu(self.depth(F.silu(self.up(x))))
        gate = self.excite(F.silu(self.squeeze(F.adaptive_avg_pool2d(y, 1)))).sigmoid()
        return x + self.down(y * gate)


class Shuffled(nn.Module):
    """Unit of ShuffleNet V2: half of the channels passes, then all are shuffled."""

    def __init__(self, channels):
        super().__init__()
        half = channels // 2
        self.a, self.b, self.c = norm(half, half), norm(half, half, 3, groups=half), norm(half, half)

    def forward(self, x):
        a, b = x.chunk(2, dim=1)
        x = torch.cat([a, F.relu(self.c(self.b(F.relu(self.a(b)))))], 1)
        n, c, h, w = x.shape
        return x.view(n, 2, c // 2, h, w).transpose(1, 2).reshape(n, c, h, w)


class Branches(nn.Module):
    """Gates, concatenations, a norm that no convolution can take in, shuffles, and every smooth activation."""

    def __init__(self):
        super().__init__()
        self.stem, self.gated = norm(1, 16, 5, 2), Gated(16, 32, 8)
        self.grow = nn.ModuleList([nn.Conv2d(16 + 8 * i, 8, 3, padding=1, bias=False) for i in range(3)])
        self.norms = nn.ModuleList([nn.BatchNorm2d(16 + 8 * i) for i in range(4)])
        self.shuffled = nn.Sequential(Shuffled(40), Shuffled(40))
        self.wide, self.tall, self.pool = norm(40, 16, 3), norm(40, 16), norm(40, 8)
        self.hidden, self.head = nn.Linear(40, 32), nn.Linear(32, 10)

    def forward(self, x):
        x = self.gated(F.hardswish(self.stem(x)))
        for grow, after in zip(self.grow, self.norms):
            x = torch.cat([x, grow(F.relu(after(x)))], 1)
        x = self.shuffled(F.max_pool2d(F.relu(self.norms[3](x)), 3, 2, 1))
        pooled = F.avg_pool2d(x, 3, 1, 1, count_include_pad=False)
        x = torch.cat([F.mish(self.wide(x)), F.leaky_relu(self.tall(x), 0.1), F.elu(self.pool(pooled))], 1)
        x = x.mean((2, 3))
        return self.head(F.gelu(self.hidden(x)))


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
names = dict(input_names=["x"], output_names=["logits"])
batch = torch.export.Dim("batch", min=1, max=4096)
for name in sys.argv[1:]:
    torch.manual_seed(3)
    net = train({"residual": Residual, "branches": Branches}[name](), x[:FIRST_TEST_ROW], y[:FIRST_TEST_ROW])
    torch.onnx.export(
        net, (x[:2],), str(OUT / f"{name}_dynamo.onnx"), opset_version=20, dynamo=True, external_data=False, dynamic_shapes=({0: batch},), **names
    )
    torch.onnx.export(
        net, (x[:1],), str(OUT / f"{name}_torchscript.onnx"), opset_version=13, dynamo=False, dynamic_axes={"x": {0: "batch"}, "logits": {0: "batch"}}, **names
    )
    for name in [f"{name}_dynamo", f"{name}_torchscript"]:
        session = ort.InferenceSession(str(OUT / f"{name}.onnx"), providers=["CPUExecutionProvider"])
        logits = np.concatenate([session.run(None, {"x": x[i : i + 1].numpy()})[0] for i in range(FIRST_TEST_ROW, len(x))])
        runtime = np.array([int(v) for v in ort.__version__.split(".")])
        np.savez_compressed(OUT / f"{name}.npz", rows=np.array([FIRST_TEST_ROW, len(x)]), logits=logits, runtime=runtime)
        print(name, "accuracy", float((logits.argmax(1) == y[FIRST_TEST_ROW:].numpy()).mean()))
