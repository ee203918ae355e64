"""Writes the float cases of ONNX's own node tests as models that the importer can be asked to take.

    python tools/onnx_node_tests.py FOLDER              needs numpy, onnx
    cargo run --release -p selfsame-compiler --example node_tests FOLDER docs/node-tests.json
    python tools/onnx_node_tests.py FOLDER --fixture    writes crates/compiler/tests/data/nodes.npz from cases that passed

A case is one of onnx.backend.test.case.node whose inputs and first output are plain tensors, of which one input is real and whose
first output is real, a truth value or an index. The tests feed
every operand; a program takes samples. So each case is written up to three times, and counts if one of them agrees:
    NAME.0  the leading axis of the first input is the batch, every sample is one row, the other operands are constants
    NAME.1  no batch (ImportOptions::no_batch): the first input is the sample, the other operands are constants
    NAME.2  no batch: all inputs are the sample
NAME.K.npz: x float32 [rows][elements], y float32.
"""
import json
import pathlib
import sys

import numpy as np
import onnx
from onnx import TensorProto, numpy_helper
from onnx.backend.test.case.node import collect_testcases

import archive

REAL = {TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.DOUBLE, TensorProto.BFLOAT16}
FIXTURE_BYTES = 6_000


def is_plain(value):
    return isinstance(value, np.ndarray) and value.dtype.kind in "fiub" or isinstance(value, (float, int, np.generic))


def variant(model, feeds, kept, batch):
    """The model with inputs `kept` and the others as constants; a batch has a name, all other dimensions have sizes."""
    made = onnx.ModelProto()
    made.CopyFrom(model)
    graph = made.graph
    inputs = list(graph.input)
    del graph.input[:]
    for info, value in zip(inputs, feeds):
        if info.name in kept:
            shape = info.type.tensor_type.shape
            del shape.dim[:]
            for axis, extent in enumerate(np.shape(value)):
                dim = shape.dim.add()
                if axis == 0 and batch:
                    dim.dim_param = "batch"
                else:
                    dim.dim_value = extent
            info.type.tensor_type.shape.CopyFrom(shape)
            graph.input.append(info)
        else:
            graph.initializer.append(numpy_helper.from_array(np.asarray(value), info.name))
    return made


def main():
    folder = pathlib.Path(sys.argv[1])
    if "--fixture" in sys.argv:
        return fixture(folder)
    folder.mkdir(parents=True, exist_ok=True)
    cases = {}
    for case in collect_testcases(None):
        if case.model is None or case.name.endswith("_expanded") or "_expanded_" in case.name:
            continue
        graph = case.model.graph
        types = [i.type.tensor_type.elem_type for i in graph.input]
        inputs, outputs = case.data_sets[0]
        plain = all(is_plain(v) for v in [*inputs, outputs[0]]) and len(inputs) == len(graph.input) >= 1
        if not plain or not any(t in REAL for t in types) or np.size(outputs[0]) == 0:
            continue
        if graph.output[0].type.tensor_type.elem_type not in REAL | {TensorProto.BOOL, TensorProto.INT64, TensorProto.INT32}:
            continue  # Whole numbers of a grid: a program has an own one.
        if any(np.asarray(v).dtype.kind not in "fiub" for v in [*inputs, outputs[0]]):
            continue
        names = [i.name for i in graph.input]
        y = np.asarray(outputs[0]).astype(np.float32)
        flat = [np.asarray(v).astype(np.float32).ravel() for v in inputs]
        x0 = np.asarray(inputs[0])
        written = 0
        if x0.ndim >= 2 and y.ndim >= 1 and y.shape[0] == x0.shape[0]:
            rows = x0.astype(np.float32).reshape(x0.shape[0], -1)
            write(folder / f"{case.name}.0", variant(case.model, inputs, names[:1], True), rows, y)
            written += 1
        write(folder / f"{case.name}.1", variant(case.model, inputs, names[:1], False), flat[0][None], y)
        written += 1
        if len(names) > 1:
            write(folder / f"{case.name}.2", variant(case.model, inputs, names, False), np.concatenate(flat)[None], y)
            written += 1
        cases[case.name] = written
    (folder / "cases.json").write_text(json.dumps({"onnx": onnx.__version__, "cases": cases}, indent=0, sort_keys=True))
    print(len(cases), "float cases of onnx", onnx.__version__)


def write(path, model, x, y):
    path.with_name(path.name + ".onnx").write_bytes(model.SerializeToString())
    np.savez(path.with_name(path.name + ".npz"), x=np.ascontiguousarray(x), y=np.ascontiguousarray(y))


def fixture(folder):
    """Of each list of operators the smallest case that passes within one step of the answer and half steps of the inputs."""
    report = json.loads(pathlib.Path("docs/node-tests.json").read_text())
    smallest = {}
    for spelling in report["passed"]["inputs"]:
        path = folder / spelling
        blob = path.with_name(path.name + ".onnx").read_bytes()
        data = np.load(path.with_name(path.name + ".npz"))
        size = len(blob) + data["x"].nbytes + data["y"].nbytes
        key = (spelling[-1], *(n.op_type for n in onnx.load_from_string(blob).graph.node))
        if size <= FIXTURE_BYTES and size < smallest.get(key, (FIXTURE_BYTES + 1,))[0]:
            smallest[key] = size, spelling, blob, data
    parts = lambda blob, data: (("model", np.frombuffer(blob, np.uint8)), ("x", data["x"]), ("y", data["y"]))
    chosen = sorted(smallest.values(), key=lambda v: v[1])
    arrays = ((f"{name}.{part}", value) for _, name, blob, data in chosen for part, value in parts(blob, data))
    archive.write("crates/compiler/tests/data/nodes.npz", arrays)
    print(len(smallest), "cases")


main()
