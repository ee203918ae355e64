"""Exports convolutional classifiers of torchvision with random weights, to measure how many of them import.

    python tools/torchvision_breadth.py FOLDER [NAME ...] [--dynamo] [--calm]     needs torch, torchvision, onnx, onnxscript, numpy

For each architecture FOLDER/NAME.onnx (batch 1) and FOLDER/NAME.npz: x float32 [48, 3, H, W], the first 32 rows for calibration.
Weights are drawn from a fixed seed; the statistics of BatchNorm come from one pass over the calibration rows. Without names all
classification architectures are exported. Nothing is downloaded. Random networks of BatchNorm and ReLU amplify any perturbation by
pi / (pi - 1), 1.7 dB, a layer, int8 rounding too; with --calm the biases of BatchNorm are 1, most values pass ReLU, and what is
left of the signal at the end shows the import rather than chaos. Then: cargo run --release -p selfsame-compiler --example breadth FOLDER
"""
import sys
import warnings
from pathlib import Path

import numpy as np
import torch
import torchvision

warnings.filterwarnings("ignore")
torch.set_num_threads(2)
CALIBRATION_ROWS, TEST_ROWS = 32, 16
SMALLEST = {"alexnet": 224, "inception_v3": 107, "vgg": 224}
NO_CNN = ("vit", "swin", "maxvit")


def names():
    listed = torchvision.models.list_models(module=torchvision.models)
    return [name for name in listed if not name.startswith(NO_CNN)]


def size(name):
    return next((extent for prefix, extent in SMALLEST.items() if name.startswith(prefix)), 64)


def pictures(count, extent, generator):
    """Smooth coloured noise, normalised as torchvision's transforms do: mean 0, deviation 1."""
    coarse = torch.randn(count, 3, 8, 8, generator=generator)
    fine = torch.randn(count, 3, extent, extent, generator=generator)
    smooth = torch.nn.functional.interpolate(coarse, size=(extent, extent), mode="bilinear")
    return (smooth + 0.3 * fine).clamp(-2.5, 2.5)


def model(name, x, calm):
    torch.manual_seed(5)
    options = {"aux_logits": False} if name in ("googlenet", "inception_v3") else {}
    if options:
        options["init_weights"] = True
    net = torchvision.models.get_model(name, weights=None, **options).eval()
    for module in net.modules():
        if isinstance(module, torch.nn.modules.batchnorm._BatchNorm):
            module.train()
            module.momentum = None
            if calm:
                torch.nn.init.constant_(module.bias, 1.0)
    with torch.no_grad():
        net(x)
    return net.eval()


def export(name, folder, flags):
    extent = size(name)
    x = pictures(CALIBRATION_ROWS + TEST_ROWS, extent, torch.Generator().manual_seed(11))
    net = model(name, x[:CALIBRATION_ROWS], "--calm" in flags)
    path = folder / f"{name}.onnx"
    options = dict(input_names=["x"], output_names=["logits"])
    if "--dynamo" in flags:
        torch.onnx.export(net, (x[:1],), str(path), dynamo=True, opset_version=20, external_data=False, verbose=False, **options)
    else:
        torch.onnx.export(net, (x[:1],), str(path), dynamo=False, opset_version=17, **options)
    np.savez(folder / f"{name}.npz", x=x.numpy())
    print(name, extent, path.stat().st_size, flush=True)


def main():
    arguments = [a for a in sys.argv[1:] if not a.startswith("--")]
    if not arguments:
        sys.exit(__doc__)
    folder = Path(arguments[0])
    folder.mkdir(parents=True, exist_ok=True)
    for name in arguments[1:] or names():
        try:
            export(name, folder, [a for a in sys.argv if a.startswith("--")])
        except Exception as error:  # noqa: BLE001, one architecture that PyTorch cannot export hides no other
            print(name, "not exported:", str(error).splitlines()[0], flush=True)


main()
