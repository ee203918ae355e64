"""ONNX Runtime as the opponent: its time for a model, its own int8 of a model, its call overhead.

usage:
  python3 bench_onnxruntime.py serve
      One JSON request a line on stdin, one JSON reply a line on stdout:
      {"model": "m.onnx", "batch": 1, "threads": 1, "iterations": 200}
      -> {"model": .., "batch": .., "threads": .., "version": .., "seconds": [..]}   or   {"error": ".."}
      "dims": {"seq": 32} gives named dimensions other than the batch a value, "other_dim": 32 all others.
      The model "identity" is a graph of one Identity node: what a call costs before any work.
  python3 bench_onnxruntime.py bench MODEL.onnx .. [--batch 1,16] [--threads 1,2] [--iterations 500]
      The same as a table: JSON lines with median and p99 in milliseconds, identity first.
  python3 bench_onnxruntime.py quantise MODEL.onnx DATA.npz OUT.onnx [--rows 0:256]
      Its static int8 (QDQ, unsigned activations, signed weights per channel, min-max), calibrated
      on these rows of `x`; integers are pixels and are divided by 255.

Needs onnxruntime, onnx and numpy. One process serves many requests, so that a caller can take
turns with it: timings of two programs are only comparable when they are interleaved.
"""
import argparse
import json
import os
import statistics
import sys
import tempfile
import time


def identity_model(batch):
    """The bytes of a model whose only node is an Identity on one float of each sample."""
    import onnx
    from onnx import TensorProto, helper

    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, [batch, 1])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, [batch, 1])
    graph = helper.make_graph([helper.make_node("Identity", ["x"], ["y"])], "identity", [x], [y])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    onnx.checker.check_model(model)
    return model.SerializeToString()


def with_batch(path, batch):
    """The model's bytes with the first axis of inputs and outputs set to `batch`."""
    import onnx

    model = onnx.load(path)
    weights = {tensor.name for tensor in model.graph.initializer}
    for value in [*model.graph.input, *model.graph.output]:
        if value.name not in weights and value.type.tensor_type.shape.dim:
            value.type.tensor_type.shape.dim[0].dim_value = batch
    del model.graph.value_info[:]
    return model.SerializeToString()


def extent(name, value, dims, other_dim):
    """The value of dimension `name` of input `value`."""
    found = dims.get(name, other_dim)
    if not isinstance(found, int) or found < 1:
        raise ValueError(f"input {value}: dimension {name!r} has no value; give --dim {name}=VALUE")
    return found


def numbers(random, value, shape):
    """An input: random floats; whole numbers are ones where they are a mask, else 0 and 1, which any table has."""
    import numpy as np

    kinds = {"tensor(int64)": np.int64, "tensor(int32)": np.int32, "tensor(bool)": np.bool_,
             "tensor(float16)": np.float16, "tensor(double)": np.float64, "tensor(float)": np.float32}
    if value.type not in kinds:
        raise ValueError(f"input {value.name} is a {value.type}; fed are {', '.join(kinds)}")
    kind = kinds[value.type]
    if np.issubdtype(kind, np.floating):
        return random.random(shape).astype(kind)
    if "mask" in value.name or kind is np.bool_:
        return np.ones(shape, dtype=kind)
    return random.integers(0, 2, shape).astype(kind)


class Sessions:
    """Loaded models by (path, batch, threads), each with an input."""

    def __init__(self):
        self.loaded = {}

    def get(self, path, batch, threads, dims=None, other_dim=None):
        import numpy as np
        import onnxruntime as ort

        dims = dims or {}
        key = (path, batch, threads, tuple(sorted(dims.items())), other_dim)
        if key not in self.loaded:
            options = ort.SessionOptions()
            options.intra_op_num_threads = threads
            options.inter_op_num_threads = 1
            options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_ALL
            options.log_severity_level = 3
            source = identity_model(batch) if path == "identity" else with_batch(path, batch)
            session = ort.InferenceSession(source, options, providers=["CPUExecutionProvider"])
            random = np.random.default_rng(1)
            feed = {}
            for value in session.get_inputs():
                shape = [n if isinstance(n, int) else extent(n, value.name, dims, other_dim) for n in value.shape]
                feed[value.name] = numbers(random, value, shape)
            self.loaded[key] = (session, feed)
        return self.loaded[key]

    def seconds(self, path, batch, threads, iterations, dims=None, other_dim=None):
        session, feed = self.get(path, batch, threads, dims, other_dim)
        run, clock = session.run, time.perf_counter
        for _ in range(3):
            run(None, feed)
        samples = []
        for _ in range(iterations):
            start = clock()
            run(None, feed)
            samples.append(clock() - start)
        return samples


def reply(sessions, line):
    import onnxruntime as ort

    try:
        request = json.loads(line)
        model = str(request["model"])
        batch = int(request.get("batch", 1))
        threads = int(request.get("threads", 1))
        iterations = int(request.get("iterations", 100))
        if min(batch, threads, iterations) < 1 or iterations > 1_000_000:
            raise ValueError("batch, threads and iterations are at least 1, iterations at most 1000000")
        dims = {str(name): int(value) for name, value in (request.get("dims") or {}).items()}
        seconds = sessions.seconds(model, batch, threads, iterations, dims, request.get("other_dim"))
    except Exception as error:  # The caller decides; one bad request must not end the service.
        return {"error": f"{type(error).__name__}: {error}"}
    return {"model": model, "batch": batch, "threads": threads, "version": ort.__version__, "seconds": seconds}


def serve():
    sessions = Sessions()
    for line in sys.stdin:
        if line.strip():
            print(json.dumps(reply(sessions, line)), flush=True)


def bench(options):
    sessions = Sessions()
    for model in ["identity", *options.models]:
        for batch in options.batch:
            for threads in options.threads:
                seconds = sorted(sessions.seconds(model, batch, threads, options.iterations))
                p99 = seconds[min(len(seconds) - 1, len(seconds) * 99 // 100)]
                row = {"model": model, "batch": batch, "threads": threads,
                       "median_ms": statistics.median(seconds) * 1e3, "p99_ms": p99 * 1e3,
                       "samples": len(seconds)}
                print(json.dumps(row), flush=True)


def quantise(options):
    import numpy as np
    import onnx
    from onnxruntime.quantization import (CalibrationDataReader, CalibrationMethod, QuantFormat,
                                          QuantType, quantize_static)
    from onnxruntime.quantization.shape_inference import quant_pre_process

    start, end = (int(part) for part in options.rows.split(":"))
    data = np.load(options.data)["x"][start:end]
    x = data.astype(np.float32) / 255 if np.issubdtype(data.dtype, np.integer) else data.astype(np.float32)
    graph = onnx.load(options.model).graph
    weights = {tensor.name for tensor in graph.initializer}
    name = next(value.name for value in graph.input if value.name not in weights)

    class Rows(CalibrationDataReader):
        def __init__(self):
            self.rows = iter(x)

        def get_next(self):
            row = next(self.rows, None)
            return None if row is None else {name: row[None]}

    with tempfile.TemporaryDirectory() as folder:
        prepared = os.path.join(folder, "prepared.onnx")
        quant_pre_process(options.model, prepared, skip_symbolic_shape=True)
        quantize_static(prepared, options.out, Rows(), quant_format=QuantFormat.QDQ, per_channel=True,
                        activation_type=QuantType.QUInt8, weight_type=QuantType.QInt8,
                        calibrate_method=CalibrationMethod.MinMax,
                        op_types_to_quantize=["MatMul", "Gemm", "Conv", "Add", "Relu", "Clip", "MaxPool",
                                              "GlobalAveragePool", "ReduceMean", "Flatten", "Reshape"],
                        extra_options={"ActivationSymmetric": False, "WeightSymmetric": True})
    print(json.dumps({"model": options.model, "out": options.out, "rows": len(x)}))


def main():
    numbers = lambda text: [int(part) for part in text.split(",")]
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("serve")
    table = commands.add_parser("bench")
    table.add_argument("models", nargs="*")
    table.add_argument("--batch", type=numbers, default=[1, 16])
    table.add_argument("--threads", type=numbers, default=[1, 2])
    table.add_argument("--iterations", type=int, default=500)
    static = commands.add_parser("quantise")
    static.add_argument("model")
    static.add_argument("data")
    static.add_argument("out")
    static.add_argument("--rows", default="0:256")
    options = parser.parse_args()
    if options.command == "serve":
        serve()
    elif options.command == "bench":
        bench(options)
    else:
        quantise(options)


if __name__ == "__main__":
    main()
