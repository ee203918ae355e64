"""What callers may rely on: shapes, types, copies, threads, engines, files, exceptions."""

import pathlib
import tempfile
import threading
import unittest

import numpy as np

import selfsame
from tests import fixtures

MLP = fixtures.MODELS / "mlp/program.selfsame"
LENET = fixtures.MODELS / "lenet/program.selfsame"


def digits(count):
    """Rows of the MLP, f32[count, 64]."""
    return fixtures.SHIPPED[1].floats()[:count]


class Shapes(unittest.TestCase):
    def setUp(self):
        self.model = selfsame.load(MLP)

    def test_one_sample_has_no_batch_axis_and_a_batch_keeps_it(self):
        rows = digits(5)
        batch = self.model.run(rows)
        self.assertEqual((batch.shape, batch.dtype), ((5, 10), np.float32))
        one = self.model.run(rows[2])
        self.assertEqual(one.shape, (10,))
        np.testing.assert_array_equal(one, batch[2])
        np.testing.assert_array_equal(self.model(rows), batch)
        self.assertEqual(self.model.run(rows[:0]).shape, (0, 10))

    def test_any_numbers_in_any_order_of_memory_are_read_as_floats(self):
        rows = digits(4)
        wanted = self.model.run(rows)
        for other in (
            rows.astype(np.float64),
            np.asfortranarray(rows),
            np.repeat(rows, 2, axis=0)[::2],
            rows.tolist(),
        ):
            np.testing.assert_array_equal(self.model.run(other), wanted)
        # Digits of 8x8 have shades 0 to 16.
        whole = np.round(rows)
        np.testing.assert_array_equal(
            self.model.run(whole.astype(np.int64)), self.model.run(whole)
        )

    def test_pictures_of_bytes_are_their_floats(self):
        model = selfsame.load(LENET)
        x, _ = fixtures.SHIPPED[2].arrays()
        floats = fixtures.SHIPPED[2].floats()
        np.testing.assert_array_equal(model.run(x[:6]), model.run(floats[:6]))
        self.assertEqual(model.roots(x[7]), model.roots(floats[7]))

    def test_the_programs_integers_go_in_and_come_out(self):
        port = self.model.input
        self.assertEqual((port.shape, port.dtype), ([64], "int8"))
        integers = np.arange(-64, 64, dtype=np.int8).reshape(2, *port.program_shape)
        answers = self.model.run_integers(integers)
        self.assertEqual(answers.dtype, np.dtype(self.model.output.dtype))
        self.assertEqual(answers.shape, (2, *self.model.output.program_shape))
        one = self.model.run_integers(integers[1])
        np.testing.assert_array_equal(one, answers[1])
        interpreter = self.model.with_options(kernel="interpreter")
        np.testing.assert_array_equal(interpreter.run_integers(integers), answers)

    def test_arrays_are_neither_kept_nor_changed(self):
        rows = digits(3)
        copy = rows.copy()
        answers = self.model.run(rows)
        rows[:] = 0
        np.testing.assert_array_equal(self.model.run(copy), answers)


class Engines(unittest.TestCase):
    def test_every_engine_and_number_of_threads_gives_the_same_roots_and_answers(self):
        model = selfsame.load(LENET)
        rows = fixtures.SHIPPED[2].floats()[:9]
        wanted, root = model.run(rows), model.trace_root(rows[0])
        for kernel in [*selfsame.kernels(), "interpreter"]:
            other = model.with_options(kernel=kernel)
            self.assertEqual((other.kernel, other.id), (kernel, model.id))
            self.assertEqual(other.trace_root(rows[0]), root)
        for threads in (2, 5):
            other = model.with_options(threads=threads)
            self.assertEqual(other.threads, threads)
            np.testing.assert_array_equal(other.run(rows), wanted)
        self.assertTrue(model.verify(rows[0])["equal"])

    def test_threads_of_python_share_a_model(self):
        model = selfsame.load(LENET)
        rows = fixtures.SHIPPED[2].floats()[:64]
        wanted = model.run(rows)
        found = [None] * 8

        def work(index):
            for _ in range(20):
                found[index] = model.run(rows)

        threads = [threading.Thread(target=work, args=(index,)) for index in range(len(found))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for answers in found:
            np.testing.assert_array_equal(answers, wanted)

    def test_python_goes_on_while_a_model_runs(self):
        model = selfsame.load(fixtures.MODELS / "resnet20/program.selfsame")
        rows = fixtures.SHIPPED[3].floats()
        done = threading.Event()
        count = [0]

        def work():
            while not done.is_set():
                count[0] += 1

        thread = threading.Thread(target=work)
        thread.start()
        # Only a run without the lock lets the other thread count on, many times a millisecond.
        before = count[0]
        model.run(rows)
        counted = count[0] - before
        done.set()
        thread.join()
        self.assertGreater(counted, 100)


class Files(unittest.TestCase):
    def test_a_saved_model_is_the_same_model(self):
        model = selfsame.import_onnx(
            fixtures.SHIPPED[0].onnx.read_bytes(), fixtures.SHIPPED[0].floats(), name="cancer"
        )
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "model.selfsame"
            model.save(path)
            again = selfsame.load(str(path))
            self.assertEqual((again.id, again.name), (model.id, "cancer"))
            self.assertEqual(path.read_bytes(), model.to_bytes())
        self.assertIsNone(again.report)
        self.assertEqual(selfsame.load(model.to_bytes()).id, model.id)
        rows = fixtures.SHIPPED[0].floats()[-50:]
        self.assertEqual(
            model.compare(None, rows), again.compare(fixtures.SHIPPED[0].onnx, rows)
        )


class Refusals(unittest.TestCase):
    def refuse(self, exception, text, function, *arguments, **options):
        with self.assertRaises(exception) as caught:
            function(*arguments, **options)
        self.assertIn(text, str(caught.exception))

    def test_inputs_that_are_none_are_refused_by_name(self):
        model = selfsame.load(MLP)
        refused = selfsame.InputError
        self.refuse(refused, "[2, 63]", model.run, np.zeros((2, 63), np.float32))
        self.refuse(refused, "one sample", model.trace_root, digits(2))
        bad = digits(2).copy()
        bad[1, 3] = np.nan
        self.refuse(refused, "element 67", model.run, bad)
        self.refuse(refused, "int8", model.run_integers, np.zeros((1, 64), np.int32))
        low = np.full(model.input.program_shape, -128, np.int8)
        self.refuse(refused, "-128", model.run_integers, low)
        self.refuse(refused, "source", model.compare, None, digits(2))
        self.assertTrue(issubclass(refused, (selfsame.SelfsameError, ValueError)))

    def test_damaged_and_missing_files_are_refused(self):
        data = bytearray(MLP.read_bytes())
        data[-1] ^= 1
        self.refuse(selfsame.ArtefactError, "tensor root", selfsame.load, data)
        self.refuse(selfsame.ArtefactError, "SELFSAME", selfsame.load, b"x" * 100)
        self.refuse(FileNotFoundError, "nowhere", selfsame.load, "nowhere.selfsame")
        self.refuse(FileNotFoundError, "nowhere", selfsame.import_onnx, "nowhere.onnx", digits(9))
        compare = selfsame.load(MLP).compare
        self.refuse(FileNotFoundError, "nowhere", compare, "nowhere.onnx", digits(9))
        cut = fixtures.SHIPPED[0].onnx.read_bytes()[:500]
        self.refuse(selfsame.OnnxError, "", selfsame.import_onnx, cut, digits(9))

    def test_engines_that_are_missing_and_rows_that_do_not_fit_are_refused(self):
        self.refuse(selfsame.EngineError, "abacus", selfsame.load, MLP, kernel="abacus")
        onnx = fixtures.SHIPPED[1].onnx
        self.refuse(selfsame.InputError, "[9, 30]", selfsame.import_onnx, onnx, np.zeros((9, 30)))
        refused = selfsame.InputError
        self.refuse(refused, "test_from", selfsame.import_onnx, onnx, digits(9), test_from=9)
        for call in (selfsame.import_onnx, selfsame.load(MLP).compare):
            self.refuse(refused, "5 labels for 9 rows", call, onnx, digits(9), labels=[0] * 5)

    def test_dimensions_that_there_are_not_are_refused(self):
        onnx = fixtures.SHIPPED[1].onnx
        refused = selfsame.InputError
        for wishes in ({"dims": {"length": 3}}, {"open": {"length": (2, 9)}}):
            self.refuse(refused, '"length"', selfsame.import_onnx, onnx, digits(9), **wishes)
        self.refuse(refused, "the program has 0 open dimensions", selfsame.load(MLP).at, 3)

    def test_shapes_and_constants_that_do_not_fit_are_refused(self):
        onnx = fixtures.SHIPPED[1].onnx
        refused = selfsame.OnnxError
        for wishes in ({"shapes": {"nothing": (1, 4)}}, {"constants": {"nothing": 4}}):
            self.refuse(refused, '"nothing"', selfsame.import_onnx, onnx, digits(9), **wishes)

    def test_a_text_that_is_no_receipt_is_refused(self):
        self.refuse(selfsame.ReceiptError, "", selfsame.check_receipt, "{}")
