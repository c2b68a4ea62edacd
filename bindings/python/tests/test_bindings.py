"""What Python adds to the C interface: layout, ownership, exceptions. The model is a small fixture of the project."""
import ctypes
import gc
import os
import pathlib
import sys
import threading
import unittest
import unittest.mock

import toolformer
from toolformer import abi

ROOT = pathlib.Path(__file__).resolve().parents[3]
MODEL = ROOT / "tests/fixtures/models/llama_gqa"


class BindingsTest(unittest.TestCase):
    def test_tools_of_a_file(self):
        registry = toolformer.Registry()
        registry.add_file(ROOT / "examples/tools/tools.json")
        self.assertEqual(len(registry), 4)
        self.assertEqual(registry.execute("Roman", "14"), "XIV")
        with self.assertRaises(toolformer.Error) as raised:
            registry.add_file("/nonexistent.json")
        self.assertEqual(raised.exception.status, abi.TOOLFORMER_ERROR_NOT_FOUND)

    def test_layout_is_that_of_c(self):
        lines = []
        for struct in abi.STRUCTS:
            lines.append(f"{struct.__name__} {ctypes.sizeof(struct)}\n")
            for name, _ in struct._fields_:
                field = getattr(struct, name)
                lines.append(f"{struct.__name__}.{name} {field.offset} {field.size}\n")
        self.assertEqual("".join(lines), (ROOT / "capi/abi/layout.txt").read_text())

    def test_tools_answer_and_fail(self):
        def answer(text):
            if text == "fail":
                raise KeyError("no %n")
            return text.upper()

        registry = toolformer.Registry()
        registry.add("Echo", answer)
        registry.add_builtin("Calculator")
        self.assertEqual(len(registry), 2)
        self.assertEqual(registry.execute("Echo", "abc"), "ABC")
        self.assertEqual(registry.execute("Calculator", "6 * 7"), "42")
        with self.assertRaises(toolformer.Error) as raised:
            registry.execute("Echo", "fail")
        self.assertEqual(raised.exception.status, abi.TOOLFORMER_ERROR_TOOL)
        self.assertEqual(raised.exception.message, "'no %n'")
        with self.assertRaises(toolformer.Error) as raised:
            registry.execute("Nobody", "")
        self.assertEqual(raised.exception.status, abi.TOOLFORMER_ERROR_NOT_FOUND)
        registry.add("Number", lambda text: 7)
        with self.assertRaises(toolformer.Error):
            registry.execute("Number", "")

        class Mute(Exception):
            def __str__(self):
                raise self

        def refuse(text):
            raise Mute()

        registry.add("Mute", refuse)
        with self.assertRaisesRegex(toolformer.Error, "Mute"):
            registry.execute("Mute", "")
        with self.assertRaisesRegex(TypeError, "'tau'"):
            registry.add("Odd", str.upper, parameters={"tau": 1})

    def test_limits_are_passed_on(self):
        registry = toolformer.Registry()
        for bad in ({"max_concurrent_calls": -2}, {"max_retries": 101}, {"deadline": 1e12}, {"version": "1" * 257}):
            with self.assertRaisesRegex(toolformer.Error, next(iter(bad))):
                registry.add("T", str.upper, **bad)
        done = threading.Event()

        def slow(text):
            done.wait()
            raise ConnectionError("gone")

        registry.add("Slow", slow, deadline=1)
        with self.assertRaises(toolformer.Error) as raised:
            registry.execute("Slow", "")
        self.assertEqual(raised.exception.status, abi.TOOLFORMER_ERROR_TIMEOUT)
        done.set()
        with self.assertRaisesRegex(toolformer.Error, "gone"):
            registry.execute("Slow", "again")
        with self.assertRaisesRegex(toolformer.Error, "free_of_side_effects"):
            toolformer.Annotator(toolformer.Model(MODEL), registry)

    def test_functions_are_let_go_of(self):
        before = len(toolformer._tools)
        registry = toolformer.Registry()
        registry.add("Once", str.upper, returns_at_once=True)
        with self.assertRaises(toolformer.Error):
            registry.add("Once", str.upper)
        self.assertEqual(len(toolformer._tools), before + 1)
        model = toolformer.Model(MODEL)
        decoder = toolformer.Decoder(model, registry)
        del registry, model
        gc.collect()
        self.assertEqual(len(toolformer._tools), before + 1)
        generation = decoder.decode("abc", max_new_tokens=3)
        del decoder
        gc.collect()
        self.assertEqual(len(toolformer._tools), before)
        self.assertEqual(generation.calls, [])

    def test_events_and_interrupts(self):
        model, registry = toolformer.Model(MODEL), toolformer.Registry()
        decoder = toolformer.Decoder(model, registry)
        pieces = []
        generation = decoder.decode("abc", max_new_tokens=8, on_event=lambda kind, text: pieces.append(text))
        self.assertEqual(b"".join(pieces).decode("utf-8", "replace"), generation.text)
        token = toolformer.CancelToken()
        token.cancel()
        with self.assertRaises(toolformer.Error) as raised:
            decoder.decode("abc", cancel=token)
        self.assertEqual(raised.exception.status, abi.TOOLFORMER_ERROR_CANCELLED)

        def stumble(kind, text):
            raise RuntimeError("stumbled")

        with self.assertRaisesRegex(RuntimeError, "stumbled"):
            decoder.decode("abc", max_new_tokens=2, on_event=stumble)

    def test_logits(self):
        model = toolformer.Model(MODEL)
        ids = [0] + model.encode("abc")
        with unittest.mock.patch.dict(sys.modules, {"numpy": None}):  # as where it is not installed
            rows = model.logits(ids)
            again = model.logits(ids[:1])
        self.assertIsInstance(rows, list)
        self.assertEqual((len(rows), len(rows[0])), (len(ids), 320))
        self.assertEqual(rows[0][:], again[0][:])

    def test_logits_as_numpy_has_them(self):
        try:
            import numpy
        except ImportError:
            self.assertNotIn("TOOLFORMER_TEST_NUMPY", os.environ, "numpy is not installed")
            self.skipTest("numpy is not installed")
        model = toolformer.Model(MODEL)
        ids = [0] + model.encode("abc")
        view = model.logits(ids)
        self.assertEqual((view.shape, view.dtype), ((len(ids), 320), numpy.dtype("float32")))
        base = view
        while isinstance(base, numpy.ndarray):
            base = base.base
        self.assertIsInstance(base, ctypes.Array)  # over the library's own memory, which lives as long as the view
        part = view[1:, :5]
        with unittest.mock.patch.dict(sys.modules, {"numpy": None}):
            expected = [row[:5] for row in model.logits(ids)[1:]]
        del model, view
        gc.collect()
        self.assertEqual(part.tolist(), expected)

    def test_threads(self):
        model, registry = toolformer.Model(MODEL), toolformer.Registry()
        expected = toolformer.Decoder(model, registry).decode("abc").text
        texts = []
        threads = [threading.Thread(target=lambda: texts.append(toolformer.Decoder(model, registry).decode("abc").text))
                   for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(texts, [expected] * 4)

    def test_errors(self):
        with self.assertRaises(toolformer.Error) as raised:
            toolformer.Model("/nowhere")
        self.assertEqual(raised.exception.status, abi.TOOLFORMER_ERROR_NOT_FOUND)
        self.assertIsNone(raised.exception.offset)
        self.assertTrue(str(raised.exception).startswith("not found: "))


if __name__ == "__main__":
    unittest.main()
