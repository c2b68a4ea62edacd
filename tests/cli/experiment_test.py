#!/usr/bin/env python3
"""examples/experiments/calculator/run.py, whole, on a small model and a handful of texts: it can be killed and gone on with."""
import json
import os
import re
import signal
import subprocess
import sys
import time
import unittest

from program import ENVIRONMENT, PROGRAM, ProgramTest, json_lines, read, write

RUN = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "examples", "experiments", "calculator", "run.py")
# A random model likes nothing in particular: every call passes.
SETTINGS = {
    "base": {"name": "nobody/small", "license": "cc0-1.0"}, "seed": 1, "development_texts": 2,
    "texts": {"gsm8k": 12, "digitalgov": 2, "wikipedia": 0}, "original_texts": 4, "calls": "worked-out",
    "annotate_tau_f": -9, "tau_f": -9,
    "tune": {"originals": 0.5, "rank": 2, "lr": 1e-3, "batch-size": 4, "epochs": 2, "evaluate-every": 2, "checkpoint-every": 1},
    "adapter_scale": 0.5, "prose_paragraphs": 2, "perplexity_tokens": {"perplexity": 300, "prose": 100},
}
LONG = ("The harbour had {} boats in spring and {} more came in summer, so that {} boats lay there when the storm rose from the "
        "west, and of the {} people of the town {} went down to the water while the other {} waited at home to see whether the "
        "ropes would hold through the long night.")


def problem(number):
    a, b = number + 3, 2 * number + 5
    return {"question": f"Ann had {a} pears. She found {b} more. How many pears has she?",
            "answer": f"She has {a} + {b} = <<{a}+{b}={a + b}>>{a + b} pears.\n#### {a + b}"}


class ExperimentTest(ProgramTest):
    def setUp(self):
        super().setUp()
        self.data, self.out = self.path("data"), self.path("out")
        os.mkdir(self.data)
        lines = lambda rows: "".join(json.dumps(row) + "\n" for row in rows)
        texts = [{"id": i, "text": LONG.format(i + 4, i + 7, 2 * i + 11, i + 90, i + 50, 40)} for i in range(12)]
        mawps = json.dumps([{"problem": f"Tom has {i} cats and {i} dogs. How many pets?", "gold_answer": f"{2 * i}"} for i in (3, 4)])
        files = {
            "train.jsonl": lines(problem(i) for i in range(20)), "digitalgov.jsonl": lines(texts),
            "enwiki-2015-part.jsonl": lines(texts), "test.txt": "It rained in the hills and the river rose. " * 40,
            "ASDiv.xml": '<?xml version="1.0"?><Machine-Reading-Corpus-File><ProblemSet><Problem ID="1" Grade="1" Source="none">'
                         "<Body>Ann has 2 pears and 3 figs.</Body><Question>How many fruits?</Question>"
                         "<Solution-Type>Addition</Solution-Type><Answer>5 (fruits)</Answer><Formula>2+3=5</Formula></Problem>"
                         "</ProblemSet></Machine-Reading-Corpus-File>",
            "SVAMP.json": json.dumps([{"ID": "1", "Body": "Ann has 2 pears.", "Question": "How many?", "Answer": 2.0}]),
            "AddSub.json": mawps, "SingleEq.json": mawps, "SingleOp.json": mawps,
        }
        for name, content in files.items():
            write(os.path.join(self.data, name), content.encode())

    def start(self, *more, settings=SETTINGS, **options):
        arguments = ["--model", self.model, "--data", self.data, "--out", self.out, "--program", PROGRAM,
                     "--settings", self.file("settings.json", json.dumps(settings))]
        options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **options}
        return subprocess.Popen([sys.executable, RUN, *arguments, *more], stdin=subprocess.DEVNULL, env=ENVIRONMENT, text=True,
                                start_new_session=True, **options)

    def run_experiment(self, *more, **options):
        process = self.start(*more, **options)
        out, err = process.communicate()
        return process.returncode, out, err

    def results(self):
        """What a run leaves that has to be the same however it went."""
        names = ["table.md", *[f"{run}/model/adapter_model.safetensors" for run in ("toolformer", "without-calls")],
                 *[f"{row}.json" for row in ("base", "without-calls", "disabled", "toolformer")],
                 *[f"{row}.{kind}.json" for row in ("base", "without-calls", "disabled") for kind in ("perplexity", "prose")]]
        return {name: read(os.path.join(self.out, name)) for name in names}

    def test_whole_killed_and_gone_on_with(self):
        code, out, err = self.run_experiment("--ship", self.path("shipped"))
        self.assertEqual((code, err), (0, ""), out)
        whole = self.results()
        self.assertEqual([line.split(" | ")[0] for line in whole["table.md"].decode().splitlines()[2:]],
                         ["| base", "| without-calls", "| disabled", "| toolformer"])
        # Everything was done, each by its own job, and the adapter acts with its part of the strength.
        took = [json.loads(line)["what"] for line in read(os.path.join(self.out, "times.jsonl")).splitlines()]
        self.assertEqual(sorted(took), sorted(
            ["mine", "annotate", "annotate", "toolformer: tune", "without-calls: tune", "toolformer: eval"] +
            [f"{row}: {what}" for row in ("base", "without-calls", "disabled") for what in ("eval", "perplexity", "perplexity")]))
        self.assertIn("\ntoolformer: held-out loss", out)
        self.assertIn("\nbase: $ ", out)
        self.assertNotIn("\r", out)
        # Only one row may call.
        evals = [line.split(": $ ") for line in out.splitlines() if re.search(r": \$ \S+ eval ", line)]
        self.assertEqual({row: "--no-tools" in command.split() for row, command in evals},
                         {"base": True, "without-calls": True, "disabled": True, "toolformer": False})
        config = json.loads(read(self.path("shipped/adapter_config.json")))
        self.assertEqual((config["base_model_name_or_path"], config["lora_alpha"], config["r"]), ("nobody/small", 2.0, 2))
        self.assertIn(b"license: cc0-1.0\n", read(self.path("shipped/README.md")))
        self.assertEqual(read(self.path("shipped/adapter_model.safetensors")), whole["toolformer/model/adapter_model.safetensors"])
        # The rows are of different models.
        losses = {row: json.loads(whole[f"{row}.perplexity.json"])["mean_nats"] for row in ("base", "without-calls", "disabled")}
        self.assertEqual(len(set(losses.values())), 3, losses)
        # What the perplexity of prose is measured on was not learned.
        prose = read(os.path.join(self.out, "prose.txt")).decode().splitlines()
        learned = {row["text"] for row in json_lines(read(os.path.join(self.out, "originals.jsonl")))}
        self.assertEqual((len(prose), len(learned), learned & set(prose)), (2, 4, set()))
        # Once more: nothing is left to do.
        before = read(os.path.join(self.out, "times.jsonl"))
        code, out, err = self.run_experiment()
        self.assertEqual((code, err), (0, ""))
        self.assertNotIn("$ ", out)
        self.assertEqual(read(os.path.join(self.out, "times.jsonl")), before)
        # Killed while both tunings run, the program with it, and later politely stopped.
        self.out = self.path("killed")
        for stop in (signal.SIGKILL, signal.SIGINT):
            process = self.start()
            log = os.path.join(self.out, "without-calls", "log.jsonl")
            steps = len(read(log).splitlines()) if os.path.exists(log) else 0
            while process.poll() is None and (not os.path.exists(log) or len(read(log).splitlines()) <= steps):
                time.sleep(0.01)
            self.assertIsNone(process.poll(), "the run must not be over yet")
            os.killpg(process.pid, stop)
            out, err = process.communicate()
            self.assertNotEqual(process.returncode, 0, out)
            self.assertNotIn("Traceback", err)
        code, out, err = self.run_experiment()
        self.assertEqual((code, err), (0, ""), out)
        self.assertEqual(self.results(), whole)

    def test_a_terminal_shows_how_far_it_is(self):
        longer = dict(SETTINGS, tune=dict(SETTINGS["tune"], epochs=20))
        ours, its = os.openpty()
        process = self.start(settings=longer, stdout=its, stderr=its)
        os.close(its)
        shown = b""
        try:
            while part := os.read(ours, 65536):
                shown += part
        except OSError:  # the terminal's other end is closed
            pass
        os.close(ours)
        self.assertEqual(process.wait(), 0, shown)
        steps = len(read(os.path.join(self.out, "toolformer", "log.jsonl")).splitlines())
        self.assertRegex(shown, rb"\r\x1b\[K[^\r]*(toolformer|without-calls): step \d+ of %d\b" % steps)
        self.assertIn(b"\r\x1b[Ktoolformer: held-out loss", shown)

    def test_a_command_that_fails_ends_it(self):
        code, out, err = self.run_experiment(settings=dict(SETTINGS, tune=dict(SETTINGS["tune"], rank=-1)))
        self.assertEqual(code, 1, out)
        self.assertRegex(err, r"^run\.py: (toolformer|without-calls): .*toolformer tune ended with status 2; run this again to go on")
        self.assertEqual(err.count("\n"), 1, err)
        self.assertNotIn("perplexity", read(os.path.join(self.out, "times.jsonl")).decode())

    def test_what_is_missing_is_said_at_once(self):
        os.remove(os.path.join(self.data, "SVAMP.json"))
        code, out, err = self.run_experiment()
        self.assertEqual((code, out), (1, ""))
        self.assertRegex(err, r"^run\.py: .*data: SVAMP\.json is not there, packed \(\.gz\) or not; README\.md says where it comes from\n$")
        code, out, err = self.run_experiment("--model", self.path("nothing.gguf"))
        self.assertEqual((code, out), (1, ""))
        self.assertRegex(err, r"^run\.py: .*nothing\.gguf: no model is there; --model takes a \.gguf file or a Hugging Face folder\n$")
        code, out, err = self.run_experiment("--program", self.path("nothing"))
        self.assertEqual((code, out), (1, ""))
        self.assertRegex(err, r"^run\.py: .*nothing: no program is there; `make build` makes it, --program names another\n$")
        code, out, err = self.run_experiment("--settings", self.file("broken.json", "{"))
        self.assertEqual((code, err.count("\n")), (1, 1), err)
        self.assertIn("broken.json: not JSON", err)


if __name__ == "__main__":
    unittest.main()
