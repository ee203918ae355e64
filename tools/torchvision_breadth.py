"""Exports the classification architectures of torchvision with random weights, and measures how many import and how near they come.

    python tools/torchvision_breadth.py FOLDER [NAME ...] [--dynamo] [--calm]     needs torch, torchvision, onnx, onnxscript, numpy

For each architecture FOLDER/NAME.onnx (batch 1; weights of more than 2 GB beside it) and FOLDER/NAME.npz: x float32 [rows, 3, H, W],
two thirds of the rows for calibration. Weights are drawn from a fixed seed, also those of the last layer of ViTs, which start at 0; the
statistics of BatchNorm come from one pass over 64 rows. H and W are 224, and 256 for swin_v2, which takes no less. 64 rows of the
statistics calibrate and 32 others, which nothing has seen before, are compared. Where the products of 96 rows are more than 300 * 10^9,
there are fewer rows of both, but at least 4 and 2. Without names all classification architectures are exported. Nothing is downloaded.
Random networks of BatchNorm and ReLU amplify any perturbation by pi / (pi - 1), 1.7 dB, a layer, int8 rounding too; with --calm the
biases of BatchNorm are 1, most values pass ReLU, and what is left of the signal at the end shows the import rather than chaos.
Then: cargo run --release -p selfsame-compiler --example breadth FOLDER

docs/torchvision.json is made so; what it holds already is not measured again, and only one model at a time is in FOLDER:

    cargo build --release -p selfsame-compiler --example breadth
    python tools/torchvision_breadth.py FOLDER --report docs/torchvision.json --breadth target/release/examples/breadth
    python tools/torchvision_breadth.py FOLDER NAME ... --dynamo --report docs/torchvision.json --breadth ...

"plain" are the statistics of the pass; "calm" those of --calm, only where there is a BatchNorm and "plain" stays below 20 dB; "dynamo"
are the plain ones through the other exporter.
"""
import argparse
import gc
import json
import os
import shutil
import subprocess
import warnings
from pathlib import Path

import numpy as np
import torch
import torchvision

warnings.filterwarnings("ignore")
torch.set_num_threads(len(os.sched_getaffinity(0)))
CALIBRATION_ROWS, TEST_ROWS, ROWS_MIN = 64, 32, 6
BILLIONS_OF_PRODUCTS = 300
NORMS = torch.nn.modules.batchnorm._BatchNorm
DECIBELS = 20


def names():
    return torchvision.models.list_models(module=torchvision.models)


def size(name):
    return 256 if name.startswith("swin_v2") else 224


def rows(name):
    """Rows of calibration and of comparison; `_ops` counts 10^9 products at the size of the published weights."""
    published = torchvision.models.get_model_weights(name).DEFAULT
    products = published.meta["_ops"] * (size(name) / published.transforms().crop_size[0]) ** 2
    thirds = int(BILLIONS_OF_PRODUCTS / products) // 3
    thirds = min(max(thirds, ROWS_MIN // 3), TEST_ROWS)
    return 2 * thirds, thirds


def pictures(count, extent):
    """Smooth coloured noise, normalised as torchvision's transforms do: mean 0, deviation 1."""
    generator = torch.Generator().manual_seed(11)
    coarse = torch.randn(count, 3, 8, 8, generator=generator)
    fine = torch.randn(count, 3, extent, extent, generator=generator)
    smooth = torch.nn.functional.interpolate(coarse, size=(extent, extent), mode="bilinear")
    return (smooth + 0.3 * fine).clamp(-2.5, 2.5)


def model(name, x, calm):
    torch.manual_seed(5)
    options = {"aux_logits": False, "init_weights": True} if name in ("googlenet", "inception_v3") else {}
    net = torchvision.models.get_model(name, weights=None, **options).eval()
    if name.startswith("vit"):
        torch.nn.init.normal_(net.heads.head.weight, std=0.02)
    return with_statistics(net, x, calm)


def with_statistics(net, x, calm):
    """The network with the statistics of one pass over x in its BatchNorms, and whether it has any."""
    norms = [module for module in net.modules() if isinstance(module, NORMS)]
    for module in norms:
        module.train()
        module.momentum = None
        if calm:
            torch.nn.init.constant_(module.bias, 1.0)
    if norms:
        with torch.no_grad():
            net(x)
    return net.eval(), bool(norms)


def export(name, folder, dynamo, calm):
    """Writes model and rows. Returns what is known of the architecture, and whether it has a BatchNorm."""
    extent, (calibration, compared) = size(name), rows(name)
    x = pictures(CALIBRATION_ROWS + TEST_ROWS, extent)
    net, has_norms = model(name, x[:CALIBRATION_ROWS], calm)
    path = folder / f"{name}.onnx"
    options = dict(input_names=["x"], output_names=["logits"])
    parameters = sum(parameter.numel() for parameter in net.parameters())
    if dynamo:
        beside = parameters > 4e8
        torch.onnx.export(net, (x[:1],), str(path), dynamo=True, opset_version=20, external_data=beside, verbose=False, **options)
    else:
        torch.onnx.export(net, (x[:1],), str(path), dynamo=False, opset_version=17, **options)
    unseen = x[CALIBRATION_ROWS : CALIBRATION_ROWS + compared]
    np.savez(folder / f"{name}.npz", x=np.concatenate([x[:calibration], unseen]))
    facts = {"parameters": parameters, "input": [3, extent, extent], "rows": [calibration, compared]}
    return facts, has_norms


def measured(name, folder, breadth, dynamo, calm):
    """One import: what `export` says of the architecture, and the example's line."""
    folder.mkdir(parents=True)
    try:
        facts, has_norms = export(name, folder, dynamo, calm)
        gc.collect()
        return facts, has_norms, imported(folder, breadth)
    finally:
        shutil.rmtree(folder)


def imported(folder, breadth):
    """What the example says of the one model in the folder."""
    found = subprocess.run([breadth, str(folder), "--json"], capture_output=True, text=True)
    line = json.loads(found.stdout) if found.returncode == 0 else {"refused": found.stderr.strip() or str(found.returncode)}
    line.pop("name", None)
    return line


def near(line):
    return line.get("snr_db", 0) >= DECIBELS


def count(models):
    lines = [model["plain"] for model in models.values() if "plain" in model]
    refused = sum("refused" in line for line in lines)
    return {"architectures": len(lines), "imported": len(lines) - refused, f"plain_{DECIBELS}_db": sum(map(near, lines))}


def report(arguments):
    path = Path(arguments.report)
    models = json.loads(path.read_text())["models"] if path.exists() else {}
    for name in arguments.names or names():
        entry = models.setdefault(name, {})
        for kind in ["dynamo"] if arguments.dynamo else ["plain", "calm"]:
            if kind in entry or kind == "calm" and (not entry["batch_norm"] or entry["plain"].get("snr_db", DECIBELS) >= DECIBELS):
                continue
            facts, has_norms, line = measured(name, Path(arguments.folder) / name, arguments.breadth, kind == "dynamo", kind == "calm")
            entry.update(facts, batch_norm=has_norms)
            entry[kind] = line
            print(name, kind, line, flush=True)
            versions = {module.__name__: module.__version__.split("+")[0] for module in (torch, torchvision)}
            written = {**versions, "counts": count(models)}
            written["models"] = dict(sorted(models.items()))
            path.write_text(json.dumps(written, indent=1) + "\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder")
    parser.add_argument("names", nargs="*")
    for flag in ("--dynamo", "--calm"):
        parser.add_argument(flag, action="store_true")
    parser.add_argument("--report")
    parser.add_argument("--breadth")
    arguments = parser.parse_args()
    if arguments.report:
        return report(arguments)
    folder = Path(arguments.folder)
    folder.mkdir(parents=True, exist_ok=True)
    for name in arguments.names or names():
        try:
            print(name, export(name, folder, arguments.dynamo, arguments.calm), flush=True)
        except Exception as error:  # noqa: BLE001, one architecture that PyTorch cannot export hides no other
            print(name, "not exported:", str(error).splitlines()[0], flush=True)


if __name__ == "__main__":
    main()
