"""The other side of `selfsame bench`: ONNX Runtime behind a line protocol."""

import json
import subprocess
import sys
import unittest

from tests import fixtures


def replies(*requests):
    """What the service of `tools/bench_onnxruntime.py` answers to these requests."""
    lines = "".join(json.dumps(request) + "\n" for request in requests)
    tool = fixtures.ROOT / "tools/bench_onnxruntime.py"
    done = subprocess.run(
        [sys.executable, str(tool), "serve"], input=lines, capture_output=True, text=True, check=True
    )
    return [json.loads(line) for line in done.stdout.splitlines()]


def request(model, **others):
    return {"model": str(model), "batch": 1, "threads": 1, "iterations": 3, **others}


class Peer(unittest.TestCase):
    def test_it_times_its_call_alone_and_models_of_any_batch(self):
        lenet = fixtures.MODELS / "lenet/model.onnx"
        asked = [request(model, batch=batch) for model in ("identity", lenet) for batch in (1, 16)]
        for wanted, found in zip(asked, replies(*asked), strict=True):
            self.assertNotIn("error", found)
            self.assertEqual(found["batch"], wanted["batch"])
            self.assertEqual(len(found["seconds"]), 3)

    def test_named_dimensions_need_a_value_and_one_bad_request_does_not_end_it(self):
        missing, given = replies(
            request(fixtures.ENCODER), request(fixtures.ENCODER, dims={"seq": 8})
        )
        self.assertIn("--dim seq=VALUE", missing["error"])
        self.assertEqual(len(given["seconds"]), 3)
