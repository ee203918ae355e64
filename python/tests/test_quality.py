"""Models against ONNX Runtime: accuracy, agreement, cosine, signal-to-noise ratio, equal bits."""

import json
import os
import subprocess
import tempfile
import unittest

import numpy as np

import selfsame
from tests import fixtures


class Quality(unittest.TestCase):
    def test_every_import_answers_like_onnx_runtime_on_rows_that_calibration_never_saw(self):
        for fixture in fixtures.ALL:
            with self.subTest(fixture.name):
                model = fixtures.made(fixture)
                rows = fixture.floats()[fixture.test_from :]
                labels = fixture.arrays()[1][fixture.test_from :]
                found = fixtures.figures(
                    fixtures.peer(fixture.onnx, rows), model.run(rows), labels
                )
                self.assertGreaterEqual(found["agreement"], 0.99, found)
                self.assertGreaterEqual(found["snr_db"], 30.0, found)
                self.assertGreaterEqual(found["cosine_mean"], 0.999, found)
                self.assertGreaterEqual(
                    found["found_accuracy"], found["wanted_accuracy"] - 0.01, found
                )
                # The report of the import saw the same rows, through the importer's own reference.
                report = model.report
                self.assertEqual(report["samples"], len(rows))
                self.assertAlmostEqual(report["snr_db"], found["snr_db"], delta=0.1)
                self.assertEqual(report["exact_accuracy"], found["found_accuracy"])

    def test_compare_gives_the_figures_of_onnx_runtime(self):
        fixture = fixtures.SHIPPED[2]
        model = selfsame.load(fixtures.MODELS / "lenet/program.selfsame")
        x, y = fixture.arrays()
        rows = fixture.floats()[fixture.test_from :]
        found = model.compare(fixture.onnx, x[fixture.test_from :], labels=y[fixture.test_from :])
        peer = fixtures.peer(fixture.onnx, rows)
        wanted = fixtures.figures(peer, model.run(rows), y[fixture.test_from :])
        self.assertAlmostEqual(found["snr_db"], wanted["snr_db"], delta=0.1)
        self.assertAlmostEqual(found["cosine_min"], wanted["cosine_min"], delta=1e-5)
        self.assertEqual(found["exact_accuracy"], wanted["found_accuracy"])
        self.assertEqual(found["float_accuracy"], wanted["wanted_accuracy"])
        self.assertEqual(found["top1_agreement"], wanted["agreement"])

    def test_importing_again_gives_the_shipped_programs_byte_for_byte(self):
        for fixture in fixtures.SHIPPED:
            with self.subTest(fixture.name):
                model = fixtures.made(fixture)
                program = fixtures.MODELS / fixture.name / "program.selfsame"
                self.assertEqual(model.to_bytes(), program.read_bytes())


class CommandLine(unittest.TestCase):
    """The same bits as the binary, which is built for it."""

    def run_command(self, *arguments):
        command = ["cargo", "run", "--quiet", "--locked", "--package", "selfsame-cli", "--"]
        command += ["--json", *map(str, arguments)]
        done = subprocess.run(
            command, cwd=fixtures.ROOT, check=True, stdout=subprocess.PIPE, env=os.environ
        )
        return json.loads(done.stdout)

    def test_roots_and_answers_are_those_of_the_command_line(self):
        for fixture in fixtures.SHIPPED:
            with self.subTest(fixture.name), tempfile.TemporaryDirectory() as folder:
                program = fixtures.MODELS / fixture.name / "program.selfsame"
                row = fixture.test_from
                said = self.run_command(
                    "run", program, "--input", fixture.data, "--row", row,
                    f"--trace={folder}/run.trace",
                )
                model = selfsame.load(program)
                sample = fixture.arrays()[0][row]
                roots = model.roots(sample)
                self.assertEqual(said["model_id"], model.id)
                self.assertEqual(said["samples"][0]["input_root"], roots["input"])
                self.assertEqual(said["samples"][0]["output_root"], roots["output"])
                self.assertEqual(said["trace"]["root"], roots["trace"])
                wanted = np.array(said["samples"][0]["floats"], dtype=np.float32)
                np.testing.assert_array_equal(model.run(sample).ravel(), wanted)
