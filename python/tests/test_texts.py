"""Models of several inputs and of an open length: a sentence encoder against ONNX Runtime."""

import os
import tempfile
import unittest

import numpy as np

import selfsame
from tests import fixtures

TEST = slice(fixtures.ENCODER_TEST_FROM, None)


def cut(length, rows=TEST):
    """The first tokens of texts that are no longer than `length`."""
    texts = fixtures.texts()
    short = texts["mask"][rows].sum(1) <= length
    return {name: array[rows][short][:, :length] for name, array in texts.items()}


class Texts(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.model = fixtures.encoder()

    def test_inputs_and_bounds_are_told(self):
        self.assertEqual(self.model.inputs, [("ids", 32), ("mask", 32)])
        self.assertEqual((self.model.dimensions, self.model.sizes), ([(2, 32)], [32]))
        self.assertEqual(self.model.report["samples"], 256)

    def test_a_length_that_is_not_given_is_that_of_the_texts_and_is_told(self):
        extent = {"input": "ids", "axis": 1, "name": "seq", "extent": 32}
        few = {name: array[:24] for name, array in fixtures.texts().items()}
        with tempfile.TemporaryDirectory() as folder:
            archive = os.path.join(folder, "texts.npz")
            np.savez_compressed(archive, **few)
            for texts in (few, archive):
                model = selfsame.import_onnx(fixtures.ENCODER, texts, name="")
                self.assertEqual(model.report["extents"], [extent])
        given = selfsame.import_onnx(
            fixtures.ENCODER, few, name="", shapes={"ids": (1, 32), "mask": (1, 32)}
        )
        self.assertEqual((given.report["extents"], given.inputs), ([], model.inputs))

    def test_embeddings_are_those_of_onnx_runtime(self):
        texts = cut(32)
        found = self.model.run(texts)
        (wanted,) = fixtures.session(fixtures.ENCODER).run(None, texts)
        figures = fixtures.figures(wanted, found, np.zeros(len(wanted)))
        self.assertEqual(found.shape, wanted.shape)
        self.assertGreaterEqual(figures["cosine_mean"], 0.995)

    def test_one_program_serves_every_length_and_padding_changes_no_bit(self):
        texts = cut(9)
        self.assertGreater(len(texts["ids"]), 8)
        wanted = self.model.run(texts)
        for length in (11, 32):
            padded = {
                name: np.pad(array, [(0, 0), (0, length - 9)]) for name, array in texts.items()
            }
            np.testing.assert_array_equal(self.model.run(padded), wanted)
        # More lengths than stay packed, then the first again.
        for length in range(12, 32):
            self.model.run(cut(length, slice(0, 4)))
        np.testing.assert_array_equal(self.model.run(texts), wanted)
        at = self.model.at(9)
        self.assertEqual((at.sizes, at.id, at.inputs[0]), ([9], self.model.id, ("ids", 9)))
        np.testing.assert_array_equal(at.run(texts), wanted)

    def test_one_text_has_no_batch_axis_and_its_roots_are_checked(self):
        texts = cut(20)
        one = {name: array[3] for name, array in texts.items()}
        np.testing.assert_array_equal(self.model.run(one), self.model.run(texts)[3])
        joined = np.concatenate([one["ids"], one["mask"]])
        np.testing.assert_array_equal(self.model.run(joined), self.model.run(one))
        root = self.model.trace_root(one)
        again = self.model.verify(one)
        self.assertEqual((again["equal"], again["trace_root"]), (True, root))
        self.assertEqual(self.model.roots(one)["trace"], root)

    def test_an_artefact_keeps_names_and_bounds(self):
        again = selfsame.load(self.model.to_bytes(), threads=2)
        self.assertEqual(again.inputs, self.model.inputs)
        texts = cut(17)
        np.testing.assert_array_equal(again.run(texts), self.model.run(texts))
        figures = again.compare(
            fixtures.ENCODER, {k: v[TEST] for k, v in fixtures.texts().items()}, dims={"seq": 32}
        )
        self.assertEqual(figures["cosine_mean"], self.model.report["cosine_mean"])

    def test_inputs_that_do_not_fit_are_refused_by_name(self):
        texts = cut(20)
        ids, mask = texts["ids"], texts["mask"]
        for given, text in [
            ({"ids": ids}, "mask"),
            ({"ids": ids, "mask": mask, "type": mask}, "type"),
            ({"ids": ids, "masks": mask}, '"mask"'),
            ({"ids": ids[:, :5], "mask": mask[:, :7]}, "5 numbers"),
            ({"ids": ids, "mask": mask[:2]}, "2 samples"),
            ({"ids": ids[:, :1], "mask": mask[:, :1]}, "2 numbers"),
            (np.zeros((3, 65), np.float32), "[3, 65]"),
        ]:
            with self.assertRaises(selfsame.InputError) as caught:
                self.model.run(given)
            self.assertIn(text, str(caught.exception))
        with self.assertRaises(selfsame.InputError):
            self.model.at(33)
        with self.assertRaisesRegex(selfsame.OnnxError, "one may stay open"):
            selfsame.import_onnx(
                fixtures.ENCODER, texts, open={"seq": (2, 32), "batch": (1, 4)}
            )


class WithoutBatch(unittest.TestCase):
    def test_a_file_without_an_axis_for_the_batch_is_read_as_one_sample(self):
        # `a + b` over [3, 4, 5], of ONNX's own node tests.
        with np.load(fixtures.FIXTURES / "nodes.npz") as data:
            onnx, x = data["test_add.2.model"].tobytes(), data["test_add.2.x"].reshape(2, 1, 3, 4, 5)
        rows = dict(zip("xy", np.repeat(x, 8, axis=1)))
        with self.assertRaisesRegex(selfsame.OnnxError, "no-batch"):
            selfsame.import_onnx(onnx, rows)
        model = selfsame.import_onnx(onnx, rows, no_batch=True)
        self.assertEqual(model.inputs, [("x", 60), ("y", 60)])
        found = model.run({"x": x[0], "y": x[1]})
        np.testing.assert_allclose(found.ravel(), (x[0] + x[1]).ravel(), atol=0.05)
