#!/usr/bin/env python3
"""toolformer mine, annotate with worked-out calls, tune and eval: from texts to a tuned model and its score."""
import json
import os
import signal
import time
import unittest

from program import ProgramTest, json_lines, read, run, start, write

TEXTS = [dict(id=f"sum-{i}", text=f"She had {i + 4} rolls and baked {3 * i + 2} more, {4 * i + 6} rolls in all.") for i in range(24)]
TEXTS += [dict(id=f"word-{i}", text=f"Nothing is counted in this sentence, number and all: {'so ' * i}it goes on for a while.")
          for i in range(4)]
RECIPE = ["--batch-size", 4, "--lr", 2e-3, "--epochs", 2, "--evaluate-every", 4, "--checkpoint-every", 1, "--pass-tokens", 200]


def lines_of(texts):
    return "".join(json.dumps(text, ensure_ascii=False) + "\n" for text in texts).encode()


class TrainingTest(ProgramTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.texts = os.path.join(cls.shared.name, "texts.jsonl")
        cls.data = os.path.join(cls.shared.name, "data.jsonl")
        write(cls.texts, lines_of(TEXTS))
        # A random model likes nothing in particular: every call passes.
        code, _, err = run("annotate", "--model", cls.model, "--texts", cls.texts, "--tools", "Calculator", "--calls", "worked-out",
                           "--set", "Calculator.tau_f=-9", "--out", cls.data)
        assert code == 0, err

    def tune(self, *more, data=None):
        return ["tune", "--model", self.model, "--data", data or self.data, *RECIPE, "--out", self.path("run"), *more]

    def test_worked_out_calls_are_annotated_as_such(self):
        annotated = json_lines(read(self.data))
        self.assertEqual(len(annotated), 24)
        for number, document in enumerate(annotated):
            calls = document["tools"][0]["calls"]
            self.assertEqual(document["tools"][0]["sampling"]["samples"], 0)
            self.assertTrue(all(call["source"] == "worked_out" for call in calls))
            self.assertIn(f"[Calculator({number + 4} + {3 * number + 2}) -> {4 * number + 6}] {4 * number + 6} rolls",
                          document["augmented_text"])

    def test_mine_picks_what_has_calls(self):
        code, out, err = run("mine", "--texts", self.texts, "--tools", "Calculator", "--min-bytes", 10, "--out", self.path("m.jsonl"))
        self.assertEqual(code, 0, err)
        self.assertIn(b"28 texts read, 24 picked", out)
        self.assertTrue(all(text["id"].startswith("sum-") for text in json_lines(read(self.path("m.jsonl")))))
        code, _, err = run("mine", "--texts", self.texts, "--tools", "Calculator", "--min-bytes", 10, "--limit", 5, "--quiet",
                           "--out", self.path("m.jsonl"))
        self.assertEqual((code, len(json_lines(read(self.path("m.jsonl"))))), (0, 5), err)

    def rounds(self, folder, rounds, *more):
        return ["rounds", "--model", self.model, "--texts", self.texts, "--tools", "Calculator", "--k", 2, "--m", 2, "--tau-s", 0,
                "--tau-f", -9, *RECIPE, "--rank", 2, "--out", self.path(folder), "--rounds", rounds, *more]

    def test_rounds(self):
        code, out, err = run(*self.rounds("whole", 2))
        self.assertEqual(code, 0, err)
        self.assertRegex(out.decode(), r"Calculator, worked_out +\d+")
        first, second = [json_lines(read(self.path(f"whole/round-{number}/candidates.jsonl"))) for number in (1, 2)]
        self.assertEqual([line["id"] for line in first], [line["id"] for line in second])

        def calls(lines, source):
            return {(line["id"], call["position"], call["input"]): call for line in lines for call in line["tools"][0]["calls"]
                    if call.get("source", "sampled") == source}
        # Worked out alike and judged alike by the first model; sampled by the tuned one.
        for key, call in calls(first, "worked_out").items():
            again = calls(second, "worked_out").get(key)
            if again is not None and "loss_result" in call:
                self.assertEqual(again["loss_result"], call["loss_result"])
        self.assertNotEqual(calls(first, "sampled"), calls(second, "sampled"))
        self.assertIn(b"Kept calls a million tokens of text", read(self.path("whole/rounds.html")))
        # A mistake before the first text binds nobody to the settings it was made with.
        self.fails(1, "nowhere.json", *self.rounds("parts", 1, "--quiet", "--tools-file", self.path("nowhere.json")))
        # One round, and then the same command with two, ends with the same.
        self.assertEqual(run(*self.rounds("parts", 1, "--quiet"))[0], 0)
        code, out, err = run(*self.rounds("parts", 2, "--quiet"))
        self.assertEqual((code, out), (0, b""), err)
        for name in ("round-2/candidates.jsonl", "round-2/tuned/model/adapter_model.safetensors", "rounds.html"):
            self.assertEqual(read(self.path(f"whole/{name}")), read(self.path(f"parts/{name}")), name)
        self.fails(1, "other settings", *self.rounds("parts", 2, "--seed", 3))
        self.fails(2, "--adapter", *self.rounds("new", 2, "--adapter", self.path("parts/round-2/tuned/model")))

    def test_dry_run_counts(self):
        code, out, err = run(*self.tune("--dry-run", "--texts", self.texts, "--originals", 0.5))
        self.assertEqual(code, 0, err)
        self.assertRegex(out.decode(), r"Calculator +24 +\d+")
        self.assertIn(b"4 of them without calls", out)
        self.assertFalse(os.path.exists(self.path("run")))

    def test_tune_then_complete_and_eval(self):
        code, out, err = run(*self.tune())
        self.assertEqual(code, 0, err)
        self.assertIn(b"held-out loss", out)
        model = self.path("run/model")
        self.assertTrue(os.path.exists(os.path.join(model, "config.json")))
        log = json_lines(read(self.path("run/log.jsonl")))
        self.assertEqual([line["step"] for line in log], list(range(1, len(log) + 1)))
        self.assertLess(log[-1]["loss"], log[0]["loss"])
        page = read(self.path("run/report.html")).decode()
        for part in ("Perplexity of the development texts", "best: ", "Calculator", f"<b>{log[-1]['step']}</b>"):
            self.assertIn(part, page)
        problems = self.path("svamp.json")
        write(problems, json.dumps([dict(ID="a", Body="She had 4 rolls and baked 2 more.", Question="How many rolls?", Answer=6.0)] * 3)
              .encode())
        for more in ([], ["--no-tools"]):
            code, out, err = run("eval", "--model", model, "--data", problems, "--out", self.path("scores.json"), "--overwrite", *more)
            self.assertEqual(code, 0, err)
            scores = json.loads(read(self.path("scores.json")))
            self.assertEqual(scores["sets"]["svamp"]["problems"], 3)
            predictions = scores["sets"]["svamp"]["predictions"]
            self.assertEqual(len({prediction["text"] for prediction in predictions}), 1)
            if more:
                self.assertEqual(scores["sets"]["svamp"]["call_share"], 0)

    def test_a_tuned_model_calls(self):
        code, _, err = run("tune", "--model", self.model, "--data", self.data, "--batch-size", 4, "--lr", 5e-3, "--max-steps", 400,
                           "--evaluate-every", 100, "--out", self.path("run"))
        self.assertEqual(code, 0, err)
        called = 0
        for number in range(6):
            arguments = ["--tools", "Calculator", "--max-tokens", 40, f"She had {number + 5} rolls and baked"]
            code, out, err = run("complete", "--model", self.path("run/model"), "--json", *arguments)
            self.assertEqual(code, 0, err)
            decoded = json.loads(out)
            _, streamed, _ = run("complete", "--model", self.path("run/model"), *arguments)
            self.assertEqual(streamed.decode(errors="replace")[:-1], decoded["text"])
            answers = [call["result"] for call in decoded["calls"] if call["result"] is not None]
            for answer in answers:
                self.assertIn(f" -> {answer}]", decoded["text"])
            called += len(answers)
            self.assertEqual([tool["tool"] for tool in decoded["tools"]], ["Calculator"] * bool(decoded["calls"]))
            self.assertEqual(sum(tool["requests"] for tool in decoded["tools"]), len(decoded["calls"]))
            self.assertEqual(sum(tool["answered"] for tool in decoded["tools"]), len(answers))
            _, untuned, _ = run("complete", "--model", self.model, "--json", *arguments)
            self.assertEqual(json.loads(untuned)["calls"], [])
        self.assertGreater(called, 2)

    def test_adapters(self):
        code, _, err = run(*self.tune("--rank", 2, "--quiet"))
        self.assertEqual(code, 0, err)
        self.assertEqual(sorted(os.listdir(self.path("run/model"))), ["adapter_config.json", "adapter_model.safetensors"])
        plain = run("complete", "--model", self.model, "--max-tokens", 8, "--tools", "Calculator", "--no-tools", "She had")
        tuned = run("complete", "--model", self.model, "--adapter", self.path("run/model"), "--max-tokens", 8, "--tools", "Calculator",
                    "--no-tools", "She had")
        self.assertEqual((plain[0], tuned[0]), (0, 0), tuned[2])

    def test_killed_at_any_moment(self):
        code, _, err = run(*self.tune())
        self.assertEqual(code, 0, err)
        whole = {name: read(self.path(name)) for name in ("run/log.jsonl", "run/model/model.safetensors")}
        for delay in (0.02, 0.1, 0.2, 0.3, 0.5):
            for kill in (signal.SIGKILL, signal.SIGTERM):
                with self.subTest(delay=delay, kill=kill):
                    for root, folders, files in os.walk(self.path("run"), topdown=False):
                        for name in files:
                            os.remove(os.path.join(root, name))
                        for name in folders:
                            os.rmdir(os.path.join(root, name))
                    process = start(*self.tune())
                    time.sleep(delay)
                    process.send_signal(kill)
                    process.communicate()
                    code, _, err = run(*self.tune())
                    self.assertEqual(code, 0, err)
                    self.assertEqual({name: read(self.path(name)) for name in whole}, whole)

    def test_bad_input(self):
        self.fails(1, "texts.jsonl:1: ", *self.tune(data=self.texts))
        self.fails(1, "0 of ", *self.tune("--tau-f", "Calculator=99"))
        self.fails(1, "Calculator 99", *self.tune("--tau-f", "Calculator=99"))
        self.fails(2, "--tau-f Calculator", *self.tune("--tau-f", "Calculator"))
        self.fails(1, "eval.json", "eval", "--model", self.model, "--data", self.file("eval.json", "{}"))
        code, _, err = run(*self.tune("--quiet"))
        self.assertEqual(code, 0, err)
        self.fails(1, "'max_gradient_norm' differs", *self.tune("--quiet", "--clip", 0.5))


if __name__ == "__main__":
    unittest.main()
