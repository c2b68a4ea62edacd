#!/usr/bin/env python3
"""toolformer annotate: results, bad input, and runs that are interrupted anywhere."""
import json
import os
import shutil
import signal
import time
import unittest

from program import FIXTURES, ProgramTest, json_lines, read, run, small_disk, start, write

TEXTS = [dict(id=f"doc-{i}", date="2023-01-30", text=f"Le café 東京 No. {i} sold {i + 3} + {i} = {2 * i + 3} rolls today.")
         for i in range(16)]
TEXTS[3].pop("date")  # no calendar calls
TEXTS[5]["text"] = "It says [Calculator(1 + 1) -> 2] here."  # skipped
TEXTS[7]["text"] = ""  # skipped
# A random model likes nothing in particular: thresholds that let its calls of the calendar pass.
SETTINGS = ["--tools", "Calendar,Calculator", "--set", "Calendar.tau_s=0", "--set", "Calendar.tau_f=-9", "--set", "Calendar.k=2",
            "--set", "Calendar.m=2", "--set", "Calculator.k=2", "--set", "Calculator.m=3", "--max-call-tokens", 16]


def lines_of(texts):
    return "".join(json.dumps(text, ensure_ascii=False) + "\n" for text in texts)


class AnnotateTest(ProgramTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.texts = os.path.join(cls.shared.name, "texts.jsonl")
        write(cls.texts, lines_of(TEXTS).encode())

    def arguments(self, *more, texts=None):
        return ["annotate", "--model", self.model, "--texts", texts or self.texts, *SETTINGS, "--out", self.path("out.jsonl"),
                "--candidates", self.path("all.jsonl"), "--report", self.path("report.html"), *more]

    def results(self):
        return [read(self.path(name)) for name in ("out.jsonl", "all.jsonl", "report.html")]

    def reference(self):
        """What an undisturbed run writes."""
        if not hasattr(AnnotateTest, "undisturbed"):
            code, _, err = run(*self.arguments())
            self.assertEqual(code, 0, err)
            AnnotateTest.undisturbed = self.results()
            self.assertEqual(sorted(os.listdir(self.folder)), ["all.jsonl", "out.jsonl", "report.html"])
            for name in os.listdir(self.folder):
                os.remove(self.path(name))
        return AnnotateTest.undisturbed

    def finish(self, *more):
        code, _, err = run(*self.arguments(*more))
        self.assertEqual(code, 0, err)
        self.assertEqual(self.results(), self.reference())
        self.assertEqual(sorted(os.listdir(self.folder)), ["all.jsonl", "out.jsonl", "report.html"])
        return err.decode()

    def log_lines(self):
        """Lines of the log; -1 where there is none: not yet, or no longer."""
        try:
            return read(self.path("out.jsonl.partial")).count(b"\n")
        except FileNotFoundError:
            return -1

    def stop_after(self, lines, number):
        """A run that gets signal `number` once its log has so many lines. False where it was done before."""
        process = start(*self.arguments())
        while process.poll() is None and self.log_lines() < lines:
            time.sleep(0.001)
        process.send_signal(number)
        out, err = process.communicate()
        return process.returncode, err.decode()

    def partial_log(self, least=5):
        """The log of a run killed after `least` texts at the earliest."""
        self.reference()
        for _ in range(20):
            self.stop_after(least + 1, signal.SIGKILL)
            partial = self.path("out.jsonl.partial")
            if self.log_lines() > least:
                log = read(partial)
                os.remove(partial)
                return log
            for name in os.listdir(self.folder):
                os.remove(self.path(name))
        self.fail("the run always ended before it could be killed")

    def test_results(self):
        out, candidates, report = self.reference()
        kept, every = json_lines(out), json_lines(candidates)
        self.assertEqual([line.get("id") for line in every], [text["id"] for text in TEXTS])
        has_call = [line for line in every
                    if any(call["verdict"] == "kept" for tool in line["tools"] for call in tool["calls"])]
        self.assertEqual(kept, has_call)
        self.assertEqual(len(kept), len(TEXTS) - 3)
        self.assertIn("[Calendar() -> Today is Monday, January 30, 2023.]", kept[0]["augmented_text"])
        self.assertEqual(every[5]["skip"], "contains_calls")
        self.assertEqual(every[7]["skip"], "empty")
        self.assertIn(b"doc-15", report)

    def test_summary_and_details(self):
        code, out, err = run(*self.arguments("--verbose"))
        self.assertEqual((code, err), (0, b""))  # no progress line where stderr is no terminal
        self.assertIn("16/16 doc-15", out.decode())
        self.assertIn("skipped (contains_calls)", out.decode())
        self.assertRegex(out.decode(), r"Calendar\(\) +Today is Monday, January 30.* kept")
        self.assertNotIn(b"\x1b", out)
        code, out, err = run(*self.arguments("--quiet", "--overwrite"))
        self.assertEqual((code, out, err), (0, b"", b""))

    def test_summary_as_json(self):
        code, _, err = run(*self.arguments("--summary", self.path("summary.json")))
        self.assertEqual(code, 0, err)
        summary = json.loads(read(self.path("summary.json")))
        every = json_lines(read(self.path("all.jsonl")))
        self.assertEqual(summary["texts"], len(every))
        self.assertEqual(summary["tokens"], sum(len(line["token_ids"]) for line in every if not line["skip"]))
        calls = [call for line in every for tool in line["tools"] for call in tool["calls"] if tool["tool"] == "Calendar"]
        sampled = summary["tools"]["Calendar"]["sources"]["sampled"]
        self.assertEqual(sampled["candidates"], len(calls))
        self.assertEqual(sampled["kept"], sum(call["verdict"] == "kept" for call in calls))
        self.assertEqual(sampled["at"]["0.5"], sum(call.get("gain", 0) >= 0.5 for call in calls))
        self.assertAlmostEqual(sampled["kept_per_million_tokens"], 1e6 * sampled["kept"] / summary["tokens"])

    def test_limit(self):
        code, _, _ = run(*self.arguments("--limit", 3))
        self.assertEqual(code, 0)
        self.assertEqual(len(json_lines(read(self.path("all.jsonl")))), 3)

    def test_forgives_byte_order_mark_blank_lines_and_crlf(self):
        expected = self.reference()
        texts = self.file("crlf.jsonl", b"\xef\xbb\xbf" + lines_of(TEXTS).replace("\n", "\r\n\r\n").encode())
        code, _, err = run(*self.arguments(texts=texts))
        self.assertEqual(code, 0, err)
        self.assertEqual(self.results()[:2], expected[:2])

    def test_never_replaces_unasked(self):
        write(self.path("out.jsonl"), b"precious")
        self.fails(1, "out.jsonl: exists; --overwrite to replace", *self.arguments())
        self.assertEqual(read(self.path("out.jsonl")), b"precious")
        self.finish("--overwrite")

    def test_killed(self):
        self.reference()
        for lines in (0, 1, 2, 6, 11, 17):
            with self.subTest(lines=lines):
                self.stop_after(lines, signal.SIGKILL)
                for _ in range(2):  # and once more while it continues
                    if os.path.exists(self.path("out.jsonl.partial")):
                        self.stop_after(lines + 2, signal.SIGKILL)
                if os.path.exists(self.path("out.jsonl.partial")) or not os.path.exists(self.path("out.jsonl")):
                    self.finish()
                else:
                    self.assertEqual(self.results(), self.reference())
                for name in os.listdir(self.folder):
                    os.remove(self.path(name))

    def test_groups(self):
        """The number of texts annotated together changes nothing, nor does another one after a kill."""
        expected = self.reference()
        for texts in (1, 3, 100):
            with self.subTest(texts=texts):
                code, _, err = run(*self.arguments("--batch-texts", texts))
                self.assertEqual(code, 0, err)
                self.assertEqual(self.results(), expected)
                for name in os.listdir(self.folder):
                    os.remove(self.path(name))
        write(self.path("out.jsonl.partial"), self.partial_log())
        self.finish("--batch-texts", 5)
        self.fails(2, "--batch-texts", *self.arguments("--batch-texts", 0))

    def scored(self):
        return {(line["id"], tool["tool"], call["position"], call["input"]): call
                for line in json_lines(self.results()[1]) for tool in line["tools"] for call in tool["calls"]
                if "loss_empty" in call}

    def test_proposals_of_int8_weights(self):
        """Other probabilities, and perhaps other calls, but losses of the exact weights."""
        found = []
        for flags in ([], ["--propose-int8"]):
            code, _, err = run(*self.arguments("--overwrite", *flags))
            self.assertEqual(code, 0, err)
            found.append(self.scored())
        exact, proposed = found
        common = exact.keys() & proposed.keys()
        self.assertGreater(len(common), 5)
        for key in common:
            for loss in "loss_empty", "loss_result":
                self.assertEqual(proposed[key][loss], exact[key][loss])
        self.assertNotEqual([proposed[key]["opening_probability"] for key in common],
                            [exact[key]["opening_probability"] for key in common])
        self.fails(1, "int8", *self.arguments("--dtype", "int8", "--overwrite"))

    def test_an_adapter_proposes(self):
        """The calls of the model with the adapter, judged by the model without it."""
        adapter = os.path.join(FIXTURES, "models", "llama_gqa", "adapter")
        found = []
        for flags in (["--adapter", adapter], ["--propose-adapter", adapter]):
            code, _, err = run(*self.arguments("--overwrite", *flags))
            self.assertEqual(code, 0, err)
            found.append(self.scored())
        tuned, proposed = found
        self.assertEqual(tuned.keys(), proposed.keys())
        self.assertGreater(len(tuned), 5)
        for key, call in tuned.items():
            self.assertEqual(call["opening_probability"], proposed[key]["opening_probability"])
            self.assertNotEqual(call["loss_empty"], proposed[key]["loss_empty"])

    def test_another_model_proposes(self):
        expected = self.reference()
        code, _, err = run(*self.arguments("--propose-model", self.model))
        self.assertEqual(code, 0, err)
        self.assertEqual(self.results()[:2], expected[:2])
        other = self.path("other")
        shutil.copytree(self.model, other)
        tokenizer = json.loads(read(os.path.join(other, "tokenizer.json")))
        vocabulary = tokenizer["model"]["vocab"]
        first, second = list(vocabulary)[100:102]
        vocabulary[first], vocabulary[second] = vocabulary[second], vocabulary[first]
        write(os.path.join(other, "tokenizer.json"), json.dumps(tokenizer).encode())
        self.fails(1, "vocabulary", *self.arguments("--propose-model", other, "--overwrite"))
        shutil.rmtree(other)
        for name in os.listdir(self.folder):
            os.remove(self.path(name))
        # A run that was interrupted goes on with the same proposer only.
        write(self.path("out.jsonl.partial"), self.partial_log())
        self.fails(1, "proposer", *self.arguments("--propose-model", self.model))

    def test_interrupted(self):
        self.reference()
        for number in (signal.SIGINT, signal.SIGTERM):
            with self.subTest(signal=number):
                code, err = self.stop_after(3, number)
                if code == 0:
                    self.skipTest("the run ended before the signal")
                self.assertEqual(code, 130, err)
                self.assertRegex(err, r"^toolformer: interrupted; \d+ of 16 texts are done: the same command goes on from there\n$")
                done = int(err.split("; ")[1].split(" ")[0])
                self.assertGreaterEqual(done, 2)
                self.assertEqual(read(self.path("out.jsonl.partial")).count(b"\n"), done + 1)
                self.assertIn(f"continuing after {done} of 16", self.finish())
                for name in os.listdir(self.folder):
                    os.remove(self.path(name))

    def test_torn_log(self):
        log = self.partial_log()
        lines = log.splitlines(keepends=True)
        header, two = len(lines[0]), len(lines[0] + lines[1] + lines[2])
        inside_letter = log.index("東".encode(), two) + 1
        cuts = {"empty": 0, "in the header": header // 2, "header without its break": header - 1, "header": header,
                "first byte of a text": header + 1, "in a letter": inside_letter, "before a break": two - 1, "after a break": two,
                "nothing": len(log)}
        for name, size in cuts.items():
            with self.subTest(cut=name):
                write(self.path("out.jsonl.partial"), log[:size])
                complete = max(log[:size].count(b"\n") - 1, 0)
                err = self.finish()
                self.assertEqual(err, f"toolformer: continuing after {complete} of 16 texts\n" if complete else "")
                for left in os.listdir(self.folder):
                    os.remove(self.path(left))
        damaged = {"zeros": log[:two] + bytes(4096), "zeros in lines": log[:two] + bytes(500) + b"\n" + b"".join(lines[3:]),
                   "no annotation": log[:two] + b'{"text": "x"}\n'}
        for name, content in damaged.items():
            with self.subTest(damage=name):
                write(self.path("out.jsonl.partial"), content)
                self.assertEqual(self.finish(), "toolformer: continuing after 2 of 16 texts\n")
                for left in os.listdir(self.folder):
                    os.remove(self.path(left))

    def test_killed_between_results_and_end(self):
        log = self.partial_log()
        for name, content in zip(("out.jsonl", "all.jsonl"), self.reference()):
            write(self.path(name), content)
        write(self.path("out.jsonl.tmp"), b"half a res")
        write(self.path("out.jsonl.partial"), log)
        self.finish()

    def test_other_settings_do_not_continue(self):
        log = self.partial_log()
        write(self.path("out.jsonl.partial"), log)
        self.fails(1, "seed (0 there, 7 now)", *self.arguments("--seed", 7))
        self.fails(1, "tools.Calendar.k (2 there, 3 now)", *self.arguments("--set", "Calendar.k=3"))
        other = self.file("other.jsonl", lines_of(TEXTS[::-1]))
        self.fails(1, "texts.hash", *self.arguments(texts=other))
        self.assertEqual(read(self.path("out.jsonl.partial")), log)
        os.remove(other)
        self.finish("--overwrite")
        write(self.path("out.jsonl.partial"), b"my notes\n")
        os.remove(self.path("out.jsonl"))
        self.fails(1, "not a log of this program", *self.arguments())
        self.assertEqual(read(self.path("out.jsonl.partial")), b"my notes\n")

    def test_two_at_once(self):
        log = self.partial_log()
        write(self.path("out.jsonl.partial"), log)
        import fcntl
        with open(self.path("out.jsonl.partial"), "rb") as f:
            fcntl.flock(f, fcntl.LOCK_EX)
            self.fails(1, "another process is writing it", *self.arguments())
        self.finish()

    def test_disk_full(self):
        size = len(self.partial_log())
        self.reference()

        code, _, err = run(*self.arguments(), **small_disk(size // 2))
        self.assertEqual(code, 1)
        self.assertRegex(err.decode(), r"^toolformer: .*out.jsonl.partial: cannot be written: .*goes on from there\n$")
        self.assertTrue(read(self.path("out.jsonl.partial")).endswith(b"\n"))
        self.finish()

    def test_bad_texts(self):
        missing_model = ["annotate", "--model", "/nonexistent", *SETTINGS, "--out", self.path("out.jsonl"), "--texts"]
        good = '{"text": "fine"}\n'
        for content, message in {
                good * 16 + '{"text": "broken\n': ":17: ",
                "\n\n" + good + '{"id": 3}\n': ":4: document: field 'text' is missing",
                '{"text": 7}\n': ":1: document: field 'text' is a JSON number",
                "[1]\n": ":1: ",
                good + '{"text": "\\ud800"}\n': ":2: ",
                "[" * 100000 + "\n": ":1: ",
                "": "holds no texts",
                "\n \r\n": "holds no texts"}.items():
            with self.subTest(message=message):
                # The model does not exist: the text is looked at first.
                self.fails(1, "bad.jsonl" + message if message[0] == ":" else message, *missing_model,
                           self.file("bad.jsonl", content))
        self.fails(1, "bad.jsonl:2: ", *missing_model, self.file("bad.jsonl", good.encode() + b'{"text": "\xff"}\n'))
        with open(self.path("long.jsonl"), "wb") as f:
            f.truncate(65 << 20)
        self.fails(1, "long.jsonl:1: a line of more than", *missing_model, self.path("long.jsonl"))
        self.fails(1, "absent.jsonl: No such file or directory", *missing_model, self.path("absent.jsonl"))
        self.fails(1, "not a regular file", *missing_model, self.folder)
        self.fails(1, "/nonexistent", *missing_model, self.file("good.jsonl", good))
        self.assertFalse(os.path.exists(self.path("out.jsonl.partial")))

    def test_bad_outputs(self):
        start_of = ["annotate", "--model", "/nonexistent", "--texts", self.texts, *SETTINGS]
        self.fails(1, "No such file or directory", *start_of, "--out", self.path("no/folder/out.jsonl"))
        self.fails(1, "/dev/full: exists and is not a regular file", *start_of, "--out", "/dev/full")
        self.fails(1, "not a regular file", *start_of, "--out", self.folder)
        self.fails(1, "cannot be written", *start_of, "--out", self.path("out.jsonl"), "--report", self.path("no/r.html"))
        self.fails(2, "--out and --report are the same file", *start_of, "--out", self.path("a"), "--report", self.path("./a"))
        self.fails(2, "--texts and --out are the same file", *start_of, "--out", self.texts, "--overwrite")
        os.mkdir(self.path("locked"), 0o500)
        if os.geteuid() != 0:
            self.fails(1, "Permission denied", *start_of, "--out", self.path("locked/out.jsonl"))
        self.assertEqual(read(self.texts), lines_of(TEXTS).encode())

    def test_tools_of_a_file(self):
        tool = {"kind": "program", "name": "Upper", "command": ["tr", "a-z", "A-Z"], "environment": {"PATH": None},
                "input_characters": "ab", "parameters": {"tau_s": 0, "k": 4, "m": 8, "tau_f": -100}, "free_of_side_effects": True}
        tools = self.path("tools.json")
        start_of = ["annotate", "--model", self.model, "--texts", self.texts, "--out", self.path("out.jsonl"), "--candidates",
                    self.path("all.jsonl"), "--max-call-tokens", 24, "--tools-file", tools]
        write(tools, json.dumps({"tools": [tool]}).encode())
        code, _, err = run(*start_of, "--limit", 4)
        self.assertEqual(code, 0, err)
        calls = [call for line in json_lines(read(self.path("all.jsonl"))) for found in line["tools"] for call in found["calls"]]
        answered = [call for call in calls if call.get("result")]
        self.assertTrue(answered, calls)
        for call in answered:
            # As the tool says it, neutralized.
            self.assertEqual(call["result"], call["input"].upper().replace("[", "(").replace("]", ")").strip())
        # Tools named beside the file's are added to them.
        code, _, err = run(*start_of, "--overwrite", "--limit", 1, "--tools", "Calendar", "--set", "Upper.k=1")
        self.assertEqual(code, 0, err)
        self.fails(2, "'Calculator'", *start_of, "--tools", "Calculator,Calculator")
        write(tools, json.dumps({"tools": [dict(tool, kommand=1)]}).encode())
        self.fails(1, "tools.json: tools[0] (program 'Upper'): field 'kommand' is unknown", *start_of)
        write(tools, json.dumps({"tools": [dict(tool, free_of_side_effects=False)]}).encode())
        self.fails(1, "free_of_side_effects", *start_of, "--overwrite")

    def test_usage(self):
        start_of = ["annotate", "--model", "/nonexistent", "--texts", self.texts, "--out", self.path("out.jsonl"), "--tools"]
        self.fails(2, "unknown tool 'Oracle'; there are: Calculator, Calendar", *start_of, "Calculator,Oracle")
        self.fails(2, "Calculator", *start_of, "Calculator,Calculator")
        for setting, message in {"Oracle.k=1": "no tool 'Oracle' is in use; --tools names: Calculator",
                                 "Calculator.z=1": "unknown parameter 'z'; there are: k, m, tau_f, tau_s",
                                 "Calculator.k=many": "'many' is not a whole number",
                                 "Calculator.tau_f=1x": "'1x' is not a number",
                                 "Calculator.k=0": "k",
                                 "Calculator.tau_s=nan": "tau_s",
                                 "Calculator": "not of the form"}.items():
            with self.subTest(setting=setting):
                self.fails(2, message, *start_of, "Calculator", "--set", setting)
        self.fails(2, "--temperature", *start_of, "Calculator", "--temperature", 0)
        self.fails(2, "--nonsense", *start_of, "Calculator", "--nonsense")
        self.fails(2, "--tools", *start_of[:-1])


if __name__ == "__main__":
    unittest.main()
