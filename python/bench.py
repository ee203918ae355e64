"""Times of one Python call: this package, ONNX Runtime, and the same call in Rust beside them.

usage: python bench.py [MODEL.onnx PROGRAM.selfsame] [--batch 1] [--length N] [--rounds 20] [--iterations 2000]

All run in turn in each round, on one thread. The result is one JSON object: medians in microseconds,
`ratio` (ours / ONNX Runtime's, below 1 this package is faster) and `overhead_us`, what Python adds to the
call in Rust. A model of several inputs (token ids, masks) gets arrays of ones; `--length 128` takes an open
dimension at 128. Needs requirements-test.txt, the package and cargo (for the example `call_time`).
"""

import argparse
import json
import pathlib
import subprocess
import sys
import time

import numpy as np
import onnxruntime

import selfsame

ROOT = pathlib.Path(__file__).resolve().parents[1]


class Rust:
    """The example `call_time`: a number of iterations a line, times in seconds a line."""

    def __init__(self, program, batch, sizes):
        command = ["cargo", "run", "--quiet", "--release", "--locked", "--package", "selfsame"]
        command += ["--example", "call_time", "--", str(program), str(batch), *map(str, sizes)]
        pipe = subprocess.PIPE
        self.child = subprocess.Popen(command, cwd=ROOT, stdin=pipe, stdout=pipe, text=True)

    def times(self, iterations):
        self.child.stdin.write(f"{iterations}\n")
        self.child.stdin.flush()
        return [float(word) for word in self.child.stdout.readline().split()]

    def close(self):
        self.child.stdin.close()
        self.child.wait()


def times(call, iterations):
    """Seconds of each call."""
    clock = time.perf_counter
    found = []
    for _ in range(iterations):
        begun = clock()
        call()
        found.append(clock() - begun)
    return found


def peer(onnx, batch):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(
        str(onnx), options, providers=["CPUExecutionProvider"]
    )
    if batch != 1 and session.get_inputs()[0].shape[0] == 1:
        sys.exit(f"{onnx}: made for a batch of 1")
    return session


def inputs(model, session, batch):
    """What both are given: one array of floats, or an array for each input."""
    taken = session.get_inputs()
    if len(taken) == 1:
        x = np.random.default_rng(1).random([batch, *model.input.shape], dtype=np.float32)
        return x, {taken[0].name: x}
    kinds = {"tensor(int64)": np.int64, "tensor(int32)": np.int32, "tensor(float)": np.float32}
    kind = {one.name: kinds[one.type] for one in taken}
    arrays = {name: np.ones((batch, elements), kind[name]) for name, elements in model.inputs}
    return arrays, arrays


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("onnx", nargs="?", default=ROOT / "models/mlp/model.onnx")
    parser.add_argument("program", nargs="?", default=ROOT / "models/mlp/program.selfsame")
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--length", type=int)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--iterations", type=int, default=2000)
    args = parser.parse_args()

    model = selfsame.load(args.program)
    if args.length is not None:
        model = model.at(args.length)
    session = peer(args.onnx, args.batch)
    x, feed = inputs(model, session, args.batch)
    rust = Rust(pathlib.Path(args.program).resolve(), args.batch, model.sizes)
    calls = {
        "python": lambda count: times(lambda: model.run(x), count),
        "onnxruntime": lambda count: times(lambda: session.run(None, feed), count),
        "rust": rust.times,
    }
    found = {engine: [] for engine in calls}
    for round_number in range(args.rounds + 1):
        for engine, call in calls.items():
            taken = call(args.iterations)
            # The first round warms up.
            if round_number:
                found[engine] += taken
    rust.close()
    median = {engine: float(np.median(taken)) * 1e6 for engine, taken in found.items()}
    report = {
        "schema": "selfsame.bench-python/1",
        "model_id": model.id,
        "kernel": model.kernel,
        "batch": args.batch,
        "onnxruntime": onnxruntime.__version__,
        "median_us": median,
        "p99_us": {engine: float(np.quantile(t, 0.99)) * 1e6 for engine, t in found.items()},
        "ratio": median["python"] / median["onnxruntime"],
        "overhead_us": median["python"] - median["rust"],
    }
    print(json.dumps(report))


if __name__ == "__main__":
    main()
