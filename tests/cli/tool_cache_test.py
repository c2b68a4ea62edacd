#!/usr/bin/env python3
"""toolformer annotate --tool-cache: answers kept between runs, over kills, and files that are none."""
import json
import os
import signal
import time
import unittest

from program import ProgramTest, read, run, start, write

# Each text has a day of its own, so that each has a call of its own.
TEXTS = [dict(id=str(i), date=f"2023-01-{i + 1:02}", text=f"In the year {1900 + i} the longest river of all was the Nile in Egypt.")
         for i in range(12)]


class ToolCacheTest(ProgramTest):
    def setUp(self):
        super().setUp()
        self.texts = self.file("texts.jsonl", "".join(json.dumps(text) + "\n" for text in TEXTS))
        # The program counts how often it runs.
        self.runs = self.path("runs")
        script = self.file("tell.sh", f"#!/bin/sh\necho run >> '{self.runs}'\necho 'the answer of a tool'\n")
        os.chmod(script, 0o755)
        self.tools = self.file("tools.json", json.dumps({"tools": [{
            "kind": "program", "name": "Tell", "description": "Tells.", "command": ["./tell.sh"], "environment": {"PATH": None},
            "arguments": {"type": "object", "properties": {}}, "free_of_side_effects": True, "version": "1"}]}))

    def count_runs(self):
        return read(self.runs).count(b"\n") if os.path.exists(self.runs) else 0

    def arguments(self, *more):
        return ["annotate", "--model", self.model, "--texts", self.texts, "--tools-file", self.tools, "--tau-s", 0, "--tau-f", -9,
                "--k", 1, "--m", 2, "--max-call-tokens", 16, "--batch-texts", 2, "--out", self.path("out.jsonl"), "--candidates",
                self.path("all.jsonl"), "--report", self.path("report.html"), "--summary", self.path("summary.json"), *more]

    def cached(self, *more):
        return self.arguments("--tool-cache", self.path("cache"), *more)

    def annotate(self, arguments):
        code, out, err = run(*arguments)
        self.assertEqual(code, 0, err)
        calls = json.loads(read(self.path("summary.json"))).get("calls_of_last_process", [{}])[0]
        return read(self.path("all.jsonl")), calls, out.decode()

    def test_answers_are_kept(self):
        plain, calls, out = self.annotate(self.arguments())
        self.assertEqual((calls["tool"], calls["called"]), ("Tell", self.count_runs()))
        self.assertGreater(calls["called"], 6)
        self.assertEqual(calls["requests"], calls["answered"] + sum(calls["errors"].values()))
        self.assertIn(f"{calls['requests']} calls: {calls['called']} made", out)
        self.assertIn(b"How the calls ran", read(self.path("report.html")))
        first, made, _ = self.annotate(self.cached("--overwrite"))
        self.assertEqual((first, made["called"], made["from_disk"]), (plain, calls["called"], 0))
        again, known, _ = self.annotate(self.cached("--overwrite"))
        self.assertEqual((again, known["called"], known["from_disk"]), (plain, 0, calls["called"]))
        self.assertEqual(self.count_runs(), 2 * calls["called"])
        # Another version is another tool.
        write(self.tools, read(self.tools).replace(b'"version": "1"', b'"version": "2"'))
        _, made, _ = self.annotate(self.cached("--overwrite"))
        self.assertEqual(made["called"], calls["called"])

    def test_rounds_share_answers(self):
        _, calls, _ = self.annotate(self.cached())
        made = self.count_runs()
        self.assertEqual(made, calls["called"])
        # The same seed and texts: the first round makes the same calls.
        arguments = ["rounds", "--model", self.model, "--texts", self.texts, "--tools-file", self.tools, "--tau-s", 0, "--tau-f", -9,
                     "--k", 1, "--m", 2, "--max-call-tokens", 16, "--calls", "sampled", "--rank", 2, "--batch-size", 2, "--max-steps", 1,
                     "--length", 128, "--rounds", 1, "--out", self.path("rounds"), "--tool-cache", self.path("cache")]
        code, _, err = run(*arguments)
        self.assertEqual(code, 0, err)
        self.assertEqual(self.count_runs(), made)
        # The cache is no setting: the rounds there go on without it.
        code, _, err = run(*arguments[:-2])
        self.assertEqual(code, 0, err)

    def test_runs_that_are_killed(self):
        plain, calls, _ = self.annotate(self.arguments())
        for name in ("out.jsonl", "all.jsonl", "report.html", "summary.json", "runs"):
            os.remove(self.path(name))
        partial = self.path("out.jsonl.partial")
        for texts in (1, 3, 6):
            process = start(*self.cached())
            while process.poll() is None and (not os.path.exists(partial) or read(partial).count(b"\n") < texts + 1):
                time.sleep(0.001)
            process.send_signal(signal.SIGKILL)
            process.communicate()
            if process.returncode == 0:
                break
        else:
            self.assertEqual(self.annotate(self.cached())[0], plain)
        again, known, _ = self.annotate(self.cached("--overwrite"))
        self.assertEqual((again, known["called"]), (plain, 0))
        # What ran when a run was killed may have run again; nothing else.
        self.assertLessEqual(self.count_runs(), calls["called"] + 3 * 2)

    def test_files_that_are_none(self):
        write(self.path("cache"), b"not a cache " * 100)
        self.fails(1, "not a store of answers", *self.cached())
        self.assertEqual(read(self.path("cache")), b"not a cache " * 100)
        self.fails(1, "none/cache", *self.arguments("--tool-cache", self.path("none/cache")))
        self.fails(2, "--tool-cache and --out are the same file", *self.arguments("--tool-cache", self.path("out.jsonl")))

    def test_damage_costs_no_run(self):
        plain, calls, _ = self.annotate(self.cached())
        # Every answer, in one letter.
        content = read(self.path("cache"))
        self.assertEqual(content.count(b"the answer of a tool"), calls["called"])
        write(self.path("cache"), content.replace(b"the answer of a tool", b"the Answer of a tool"))
        code, _, err = run(*self.cached("--overwrite"))
        self.assertEqual(code, 0)
        self.assertIn(f"{calls['called']} damaged records of the tool cache were dropped".encode(), err)
        self.assertEqual(read(self.path("all.jsonl")), plain)
        self.assertEqual(self.count_runs(), 2 * calls["called"])


if __name__ == "__main__":
    unittest.main()
