"""AI inference as an exact integer program: the same bits on every machine.

    import selfsame

    model = selfsame.import_onnx("model.onnx", calibration="data.npz")
    model.save("model.selfsame")
    model = selfsame.load("model.selfsame")
    answers = model.run(rows)              # numpy float32, one sample or a batch on axis 0
    model.trace_root(rows[0])              # what anybody can check by running it again
"""

from __future__ import annotations

import os

import numpy as _numpy

from selfsame import _native
from selfsame._errors import (
    ArtefactError,
    EngineError,
    InputError,
    OnnxError,
    ReceiptError,
    SelfsameError,
)
from selfsame._native import Model, Port, check_receipt, kernels

__all__ = [
    "ArtefactError",
    "EngineError",
    "InputError",
    "Model",
    "OnnxError",
    "Port",
    "ReceiptError",
    "SelfsameError",
    "check_receipt",
    "compare",
    "import_onnx",
    "kernels",
    "load",
]


def load(source, *, threads=1, kernel="auto"):
    """The model in an artefact: a path, or its bytes. It is checked whole."""
    if isinstance(source, (bytes, bytearray, memoryview)):
        return _native.load_bytes(bytes(source), threads, kernel)
    return _native.load_file(source, threads, kernel)


def import_onnx(
    onnx,
    calibration,
    *,
    labels=None,
    name=None,
    class_names=(),
    test_from=None,
    calibration_rows=256,
    divisor=255.0,
    mean=(),
    deviation=(),
    dims=None,
    open=None,
    output=None,
    no_batch=False,
    threads=1,
    kernel="auto",
):
    """Makes a model of an ONNX file (a path, or its bytes).

    `calibration` holds samples on axis 0: an array, or the path of an .npy or .npz (array `x`, labels
    `y`). Rows before `test_from` (three quarters of them) calibrate, the others make the report,
    which is `model.report`. Arrays of uint8 are samples of pictures, `[n, channels, height, width]`;
    they become floats by `(sample / divisor - mean[c]) / deviation[c]`.

    A model of several inputs takes a dictionary with an array for each, or an .npz with arrays of their
    names. `dims={"seq": 128}` gives named dimensions other than the batch the values that they have in the
    samples; `open={"seq": (2, 128)}` keeps one of them open between bounds. `output` names the output that
    the model answers with, the first one if it is None. `no_batch=True` reads a file that has no axis for the
    batch: every axis belongs to the sample.
    """
    if name is None:
        path = isinstance(onnx, (str, os.PathLike))
        name = os.path.splitext(os.path.basename(os.fspath(onnx)))[0] if path else ""
    source = _source(onnx, dims, open, output, no_batch)
    rows, found = _rows(calibration, source)
    labels = found if labels is None else labels
    wishes = {
        "name": name,
        "class_names": list(class_names),
        "test_from": test_from,
        "calibration_rows": calibration_rows,
        "scaling": _scaling(divisor, mean, deviation),
        "threads": threads,
        "kernel": kernel,
    }
    return _native.import_rows(source, rows, _labels(labels), wishes)


def compare(
    model,
    onnx,
    rows,
    *,
    labels=None,
    divisor=255.0,
    mean=(),
    deviation=(),
    dims=None,
    output=None,
    no_batch=False,
):
    """How near `model` comes to its source on `rows`: a dictionary of figures.

    `onnx` is the path or the bytes of the source, or None for a model that was imported here. Float
    answers are those of the importer's own float reference. `dims`, `output` and `no_batch` are
    those of the import.
    """
    source = None if onnx is None else _source(onnx, dims, None, output, no_batch)
    rows, found = _rows(rows, source)
    labels = found if labels is None else labels
    scaling = _scaling(divisor, mean, deviation)
    return model.compare_rows(source, rows, _labels(labels), scaling)


# A method as well: `model.compare(None, rows)`.
Model.compare = compare


def _source(onnx, dims, open_, output, no_batch):
    data = isinstance(onnx, (bytes, bytearray, memoryview))
    reading = {
        "dims": dims or {},
        "open": open_ or {},
        "output": output,
        "no_batch": bool(no_batch),
    }
    return _native.Source(bytes(onnx) if data else os.fspath(onnx), reading)


def _rows(data, source):
    """Samples on axis 0, and labels if the file has them."""
    if not isinstance(data, (str, os.PathLike)):
        return data, None
    loaded = _numpy.load(data, allow_pickle=False)
    if isinstance(loaded, _numpy.ndarray):
        return loaded, None
    with loaded:
        names = [name for name, _ in source.inputs] if source else []
        labels = loaded["y"] if "y" in loaded and "y" not in names else None
        if "x" in loaded and len(names) < 2:
            return loaded["x"], labels
        missing = [name for name in names or ["x"] if name not in loaded]
        if missing:
            wanted, found = ", ".join(missing), ", ".join(loaded)
            raise InputError(f"{os.fspath(data)}: no array {wanted}, only {found}")
        return {name: loaded[name] for name in names}, labels


def _labels(labels):
    return [] if labels is None else _numpy.asarray(labels, dtype=_numpy.int64).ravel().tolist()


def _scaling(divisor, mean, deviation):
    return {"divisor": divisor, "mean": list(mean), "deviation": list(deviation)}
