"""AI inference as an exact integer program: the same bits on every machine.

    import selfsame

    model = selfsame.import_onnx("model.onnx", calibration="data.npz")
    model.save("model.selfsame")
    model = selfsame.load("model.selfsame")
    answers = model.run(rows)              # numpy float32, one sample or a batch on axis 0
    model.trace_root(rows[0])              # what anybody can check by running it again
"""

from __future__ import annotations

import contextlib
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
    shapes=None,
    constants=None,
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

    Dimensions without a value have the extents of the samples; `model.report["extents"]` says which. `shapes={"x":
    (1, 3, 48, 192)}` gives the whole shape of an input, the batch with it; `constants={"rate": 16000}` makes an
    input of one whole number a constant of the program.
    """
    if name is None:
        path = isinstance(onnx, (str, os.PathLike))
        name = os.path.splitext(os.path.basename(os.fspath(onnx)))[0] if path else ""
    given = (shapes, constants)
    source, rows, found = _read(onnx, calibration, dims, open, output, no_batch, given)
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
    shapes=None,
    constants=None,
):
    """How near `model` comes to its source on `rows`: a dictionary of figures.

    `onnx` is the path or the bytes of the source, or None for a model that was imported here. Float
    answers are those of the importer's own float reference. `dims`, `output`, `no_batch`, `shapes` and
    `constants` are those of the import.
    """
    given = (shapes, constants)
    source, rows, found = _read(onnx, rows, dims, None, output, no_batch, given)
    labels = found if labels is None else labels
    scaling = _scaling(divisor, mean, deviation)
    return model.compare_rows(source, rows, _labels(labels), scaling)


# A method as well: `model.compare(None, rows)`.
Model.compare = compare


def _read(onnx, data, dims, open_, output, no_batch, given):
    """The source (None for none), samples on axis 0, and labels if the file has them."""
    shapes, constants = given
    path = os.fspath(data) if isinstance(data, (str, os.PathLike)) else None
    if path is not None:
        data = _numpy.load(path, allow_pickle=False)
    archive = path is not None and not isinstance(data, _numpy.ndarray)
    with data if archive else contextlib.nullcontext():
        source = None
        if onnx is not None:
            reading = {
                "dims": dims or {},
                "open": open_ or {},
                "output": output,
                "no_batch": bool(no_batch),
                "shapes": {name: list(shape) for name, shape in (shapes or {}).items()},
                "arrays": _archive_shapes(data) if archive else _shapes(data),
                "constants": constants or {},
            }
            bytes_given = isinstance(onnx, (bytes, bytearray, memoryview))
            source = _native.Source(bytes(onnx) if bytes_given else os.fspath(onnx), reading)
        rows, labels = _rows(data, path, source) if archive else (data, None)
    return source, rows, labels


def _shapes(data):
    """Shapes of the arrays by name; that of a single one is `x`."""
    shapes = {}
    for name, array in data.items() if isinstance(data, dict) else [("x", data)]:
        # What is no array is refused where it is read.
        with contextlib.suppress(TypeError, ValueError):
            shapes[name] = list(_numpy.shape(array))
    return shapes


def _archive_shapes(archive):
    """The same of an archive, whose arrays are not read for it."""
    shapes = {}
    for member in archive.zip.namelist():
        if not member.endswith(".npy"):
            continue
        with contextlib.suppress(ValueError), archive.zip.open(member) as file:
            first = _numpy.lib.format.read_magic(file) == (1, 0)
            read = "read_array_header_1_0" if first else "read_array_header_2_0"
            shapes[member.removesuffix(".npy")] = list(getattr(_numpy.lib.format, read)(file)[0])
    return shapes


def _rows(loaded, path, source):
    """Samples of an archive, and labels if it has them."""
    names = [name for name, _ in source.inputs] if source else []
    labels = loaded["y"] if "y" in loaded and "y" not in names else None
    if "x" in loaded and len(names) < 2:
        return loaded["x"], labels
    missing = [name for name in names or ["x"] if name not in loaded]
    if missing:
        wanted, found = ", ".join(missing), ", ".join(loaded)
        raise InputError(f"{path}: no array {wanted}, only {found}")
    return {name: loaded[name] for name in names}, labels


def _labels(labels):
    return [] if labels is None else _numpy.asarray(labels, dtype=_numpy.int64).ravel().tolist()


def _scaling(divisor, mean, deviation):
    return {"divisor": divisor, "mean": list(mean), "deviation": list(deviation)}
