#!/usr/bin/env python3
"""toolformer eval: suites, scores, pages, and what a killed run leaves."""
import gzip
import json
import os
import shutil
import signal
import time
import unittest

from program import FIXTURES, ProgramTest, read, run, small_disk, start, write

LAMA = os.path.join(FIXTURES, "lama")
QUESTIONS = os.path.join(FIXTURES, "qa", "trivia.txt")
PROBLEMS = [dict(ID=f"p-{i}", Body=f"She had {i + 4} rolls and baked {2 * i + 1} more.", Question="How many rolls?", Answer=3.0 * i + 5)
            for i in range(300)]


class EvalTest(ProgramTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.problems = os.path.join(cls.shared.name, "svamp.json")
        write(cls.problems, json.dumps(PROBLEMS).encode())

    def arguments(self, *more, data=None, model=None):
        data = data or [self.problems]
        return ["eval", "--model", model or self.model, "--data", *data, "--max-tokens", 12, "--out", self.path("out.json"), *more]

    def scores(self):
        return json.loads(read(self.path("out.json")))

    def partial(self):
        try:
            return read(self.path("out.json.partial"))
        except FileNotFoundError:
            return b""

    def killed(self, number=signal.SIGKILL, lines=65):
        """A run that gets signal `number` once its log has so many lines; its exit code and errors."""
        process = start(*self.arguments("--report", self.path("out.html")))
        while process.poll() is None and self.partial().count(b"\n") < lines:
            time.sleep(0.001)
        process.send_signal(number)
        _, err = process.communicate()
        return process.returncode, err.decode()

    def reference(self):
        code, _, err = run(*self.arguments("--report", self.path("out.html")))
        self.assertEqual(code, 0, err)
        self.assertFalse(os.path.exists(self.path("out.json.partial")))
        results = read(self.path("out.json")), read(self.path("out.html"))
        os.remove(self.path("out.json"))
        os.remove(self.path("out.html"))
        return results

    def test_math(self):
        code, out, err = run(*self.arguments("--limit", 30))
        self.assertEqual((code, err), (0, b""))
        self.assertRegex(out.decode(), r"\n +svamp +30 +\d+ +[\d.]+ +[\d.]+% +\d+\n")
        scores = self.scores()
        self.assertEqual((scores["suite"], scores["tools"], scores["max_new_tokens"]), ("math", ["Calculator"], 12))
        of_set = scores["sets"]["svamp"]
        self.assertEqual(of_set["problems"], 30)
        self.assertEqual(of_set["correct"], sum(prediction["correct"] for prediction in of_set["predictions"]))
        self.assertEqual([prediction["id"] for prediction in of_set["predictions"]], [f"p-{i}" for i in range(30)])
        self.assertEqual(of_set["predictions"][1]["problem"], "She had 5 rolls and baked 3 more. How many rolls?")
        self.assertEqual(of_set["predictions"][1]["answer"], 8)
        self.assertTrue(all(0 < prediction["opening_probability"] < 1 for prediction in of_set["predictions"]))
        self.assertEqual(sum(row["problems"] for row in of_set["calibration"]), 30)

    def test_without_tools(self):
        code, _, err = run(*self.arguments("--limit", 5, "--no-tools"))
        self.assertEqual(code, 0, err)
        self.assertEqual(self.scores()["tools"], [])
        self.assertEqual({p["opening_probability"] for p in self.scores()["sets"]["svamp"]["predictions"]}, {0})

    def test_lama(self):
        files = [os.path.join(LAMA, name) for name in ("Squad/test.jsonl", "TREx/P19.jsonl", "TREx/P27.jsonl", "TREx/P1303.jsonl")]
        packed = self.path("packed.jsonl.gz")
        with gzip.open(packed, "wb") as f:
            f.write(read(os.path.join(LAMA, "Google_RE", "place_of_birth_test.jsonl")))
        code, out, err = run(*self.arguments("--report", self.path("out.html"), data=[*files, packed]))
        self.assertEqual((code, err), (0, b""))
        scores = self.scores()
        self.assertEqual(scores["suite"], "lama")
        self.assertEqual({name: (of["problems"], of["left_out"]) for name, of in scores["sets"].items()},
                         {"SQuAD": (2, 2), "T-REx": (3, 1), "Google-RE": (1, 1)})
        self.assertEqual(scores["sets"]["T-REx"]["predictions"][2]["answer"], "piano")
        self.assertIn(b"left out: 1 statements whose missing word is not the last", out)
        self.assertIn(b"Emil Entwurf plays the", read(self.path("out.html")))

    def test_open_questions(self):
        code, out, err = run(*self.arguments("--no-tools", "--report", self.path("out.html"), data=[QUESTIONS]))
        self.assertEqual((code, err), (0, b""))
        self.assertRegex(out.decode(), r"percent +exact +with a call")
        scores = self.scores()
        self.assertEqual(scores["suite"], "qa")
        of_set = scores["sets"]["TriviaQA"]
        self.assertEqual((of_set["problems"], of_set["left_out"]), (5, 1))
        self.assertEqual(of_set["exact"], sum(prediction.get("exact", False) for prediction in of_set["predictions"]))
        self.assertEqual(of_set["predictions"][0]["answer"], ["Lola Pint", "L. Pint"])

    def test_a_tool_that_is_asked(self):
        documents = self.file("documents.jsonl", json.dumps(dict(title="Mural", text="Lola Pint painted the mural in 1931.")))
        index = self.path("index")
        code, _, err = run("index", "build", "--out", index, documents)
        self.assertEqual(code, 0, err)
        asked = ("--ask", "QA", "--wiki-index", index, "--qa-least", 0)
        code, _, err = run(*self.arguments(*asked, data=[QUESTIONS]))
        self.assertEqual(code, 0, err)
        scores = self.scores()
        self.assertEqual((scores["asked"], scores["tools"]), ("QA", ["QA"]))
        first = scores["sets"]["TriviaQA"]["predictions"][0]
        self.assertEqual((first["calls"][0]["tool"], first["calls"][0]["input"]), ("QA", "Who painted the mural?"))
        self.assertEqual(first["calls"][0]["result"], first["text"])
        # Whatever the model is worth, its answers are words of the passage.
        self.assertIn(first["text"], "Mural > Lola Pint painted the mural in 1931.")
        self.assertNotEqual(first["text"], "")
        self.fails(1, "holds no search index", *self.arguments("--ask", "QA", "--wiki-index", self.folder, "--overwrite", data=[QUESTIONS]))
        self.fails(2, "--ask: only the questions of suite qa", *self.arguments("--ask", "QA", "--overwrite"))
        self.fails(2, "--ask: only the questions of suite qa", *self.arguments("--ask", "QA", "--suite", "math", "--overwrite"))
        self.fails(2, "--ask and --no-tools exclude each other", *self.arguments("--ask", "QA", "--no-tools", "--overwrite", data=[QUESTIONS]))
        self.fails(2, "unknown tool 'Q'", *self.arguments("--ask", "Q", "--overwrite", data=[QUESTIONS]))

    def test_perplexity(self):
        text = self.path("text.txt.gz")
        content = b"The quick brown fox [of the wood] jumps over the lazy dog, and 12 more of them.\n" * 30
        with gzip.open(text, "wb") as f:
            f.write(content)
        code, out, err = run("perplexity", "--model", self.model, "--text", text, "--window", 64, "--json")
        self.assertEqual(code, 0, err)
        expected = json.loads(out)
        code, out, err = run(*self.arguments("--suite", "ppl", "--window", 64, "--report", self.path("out.html"), data=[text]))
        self.assertEqual((code, err), (0, b""))
        scores = self.scores()["sets"]["text.txt.gz"]
        for name in ("tokens", "mean_nats", "perplexity", "window_nats"):
            self.assertEqual(scores[name], expected[name])
        self.assertEqual(scores["calls_disabled"]["perplexity"], expected["perplexity_calls_disabled"])
        self.assertLess(scores["calls_disabled"]["tokens"], scores["tokens"])  # the brackets of the text
        self.assertIn(f"{scores['perplexity']:.4f}", out.decode())
        self.assertIn(f"{scores['perplexity']:.3f}".encode(), read(self.path("out.html")))
        # A run that went on from a window ends like this one.
        whole = read(self.path("out.json"))
        header, *windows = self.log_of(self.arguments("--suite", "ppl", "--window", 64, "--overwrite", data=[text]))
        self.assertEqual(len(windows), len(scores["window_nats"]))
        for kept in (0, 1, len(windows) // 2, len(windows)):
            os.remove(self.path("out.json"))
            write(self.path("out.json.partial"), b"".join([header, *windows[:kept]]) + b'{"tokens": 6')
            code, _, err = run(*self.arguments("--suite", "ppl", "--window", 64, data=[text]))
            self.assertEqual(code, 0, err)
            self.assertEqual(read(self.path("out.json")), whole)

    def log_of(self, arguments):
        """The log of a run that has done everything but could not write its results."""
        target = self.path("out.json.tmp")
        os.mkdir(target)
        code, out, err = run(*arguments)
        os.rmdir(target)
        self.assertEqual(code, 1)
        self.assertIn(b"goes on from there", err)
        self.assertIn(b"perplexity" if b"nats" in out else b"percent", out)
        lines = self.partial().splitlines(keepends=True)
        return lines

    def test_killed(self):
        whole = self.reference()
        for number in (signal.SIGKILL, signal.SIGINT, signal.SIGTERM):
            with self.subTest(number=number):
                code, err = self.killed(number)
                if number != signal.SIGKILL and code != 0:
                    self.assertEqual(code, 130)
                    self.assertRegex(err, r"^toolformer: interrupted; \d+ of 300 are done: the same command goes on from there\n$")
                    self.assertFalse(os.path.exists(self.path("out.json")))
                if os.path.exists(self.path("out.json.partial")):
                    done = self.partial().count(b"\n") - 1
                    code, _, err = run(*self.arguments("--report", self.path("out.html")))
                    self.assertEqual(code, 0, err)
                    self.assertIn(f"continuing after {done} of 300".encode(), err)
                self.assertEqual((read(self.path("out.json")), read(self.path("out.html"))), whole)
                self.assertFalse(os.path.exists(self.path("out.json.partial")))
                os.remove(self.path("out.json"))
                os.remove(self.path("out.html"))

    def test_torn_at_any_byte(self):
        whole = self.reference()
        lines = self.log_of(self.arguments("--report", self.path("out.html")))
        log = b"".join(lines)
        first, second = len(lines[0]), len(lines[0]) + len(lines[1])
        for size in (0, first - 1, first, first + 1, second - 1, len(log) - 1, len(log)):
            for tail in (b"", b"\0" * 50 + b"\n"):
                if size < first and tail:
                    continue
                with self.subTest(size=size, tail=tail):
                    write(self.path("out.json.partial"), log[:size] + tail)
                    code, _, err = run(*self.arguments("--report", self.path("out.html")))
                    self.assertEqual(code, 0, err)
                    self.assertEqual((read(self.path("out.json")), read(self.path("out.html"))), whole)
                    os.remove(self.path("out.json"))
                    os.remove(self.path("out.html"))

    def test_other_settings_do_not_go_on(self):
        log = b"".join(self.log_of(self.arguments("--limit", 70)))
        for more, message in ((["--limit", 69], "data.svamp.problems (70 there, 69 now)"),
                              (["--limit", 70, "--top-k", 3], "opening_top_k (10 there, 3 now)"),
                              (["--limit", 70, "--no-tools"], "tools.0"),
                              (["--limit", 70, "--tools", "Calculator,Calendar"], "tools.1"),
                              (["--limit", 70, "--date", "2023-01-30"], 'date (absent there, "2023-01-30" now)'),
                              (["--limit", 70, "--dtype", "bfloat16"], "dtype")):
            with self.subTest(message=message):
                self.fails(1, message, *self.arguments(*more))
                self.assertEqual(self.partial(), log)
        write(self.path("out.json.partial"), b"my notes\n")
        self.fails(1, "not a log of this program", *self.arguments())
        code, _, err = run(*self.arguments("--limit", 5, "--overwrite", "--quiet"))
        self.assertEqual((code, err), (0, b""))

    def test_never_replaces_unasked(self):
        write(self.path("out.json"), b"precious")
        self.fails(1, "out.json: exists; --overwrite to replace it", *self.arguments())
        self.assertEqual(read(self.path("out.json")), b"precious")
        write(self.path("only.html"), b"precious")
        self.fails(1, "only.html: exists", "eval", "--model", self.model, "--data", self.problems, "--report", self.path("only.html"))
        self.fails(2, "--data and --out are the same file", "eval", "--model", self.model, "--data", self.problems, "--out", self.problems)
        self.fails(2, "--data and --data are the same file", *self.arguments(data=[self.problems, self.problems]))

    def test_report_that_cannot_be_written(self):
        self.fails(1, "nowhere/r.html: cannot be written", *self.arguments("--report", self.path("nowhere/r.html")))
        self.fails(1, "not a regular file", *self.arguments("--report", "/dev/null"))
        # It could be written before, and cannot at the end: the scores are there, and the same command writes the page.
        os.mkdir(self.path("r.html.tmp"))
        arguments = self.arguments("--limit", 5, "--report", self.path("r.html"))
        code, out, err = run(*arguments)
        self.assertEqual(code, 1)
        self.assertIn(b"svamp", out)
        self.assertIn(b"r.html", err)
        self.assertIn(b"5 of 5 are done: the same command goes on from there", err)
        scores = read(self.path("out.json"))
        self.assertTrue(os.path.exists(self.path("out.json.partial")))
        os.rmdir(self.path("r.html.tmp"))
        code, _, err = run(*arguments)
        self.assertEqual(code, 0, err)
        self.assertEqual(read(self.path("out.json")), scores)
        self.assertTrue(read(self.path("r.html")).endswith(b"</html>\n"))

    def test_full_disk(self):
        whole = self.reference()
        process = start(*self.arguments("--report", self.path("out.html")), **small_disk(20000))
        _, err = process.communicate()
        self.assertEqual(process.returncode, 1)
        self.assertRegex(err.decode(), r"^toolformer: .*out.json.partial: cannot be written: .*goes on from there\n$")
        self.assertTrue(self.partial().endswith(b"\n"))
        code, _, err = run(*self.arguments("--report", self.path("out.html")))
        self.assertEqual(code, 0, err)
        self.assertEqual((read(self.path("out.json")), read(self.path("out.html"))), whole)

    def test_without_out(self):
        before = os.listdir(self.folder)
        code, out, err = run("eval", "--model", self.model, "--data", self.problems, "--limit", 3, "--max-tokens", 4)
        self.assertEqual((code, err), (0, b""))
        self.assertIn(b"svamp", out)
        self.assertEqual(os.listdir(self.folder), before)

    def test_bad_input(self):
        lama = os.path.join(LAMA, "Squad/test.jsonl")
        text = self.file("plain.txt", "plain text")
        self.fails(1, "text with --suite ppl", *self.arguments(data=[text]))
        self.fails(2, "one suite at a time", *self.arguments(data=[self.problems, lama]))
        self.fails(1, "plain.txt: not valid JSON", *self.arguments("--suite", "math", data=[text]))
        self.fails(1, "plain.txt:1: ", *self.arguments("--suite", "lama", data=[text]))
        self.fails(1, "svamp.json:1: ", *self.arguments("--suite", "lama"))
        self.fails(1, "entry 1 lacks 'Question'", *self.arguments(data=[self.file("a.json", json.dumps([PROBLEMS[0], dict(Body="x")]))]))
        self.fails(1, "b.jsonl:2: field 'obj_label' is missing; LAMA's SQuAD, Google-RE and T-REx (JSON lines) are read",
                   *self.arguments(data=[self.file("b.jsonl", read(lama).splitlines()[0] + b'\n{"masked_sentences": [], "id": "x"}\n')]))
        self.fails(1, "c.json: holds no problems", *self.arguments(data=[self.file("c.json", "[]")]))
        self.fails(1, "T-REx: nothing to ask: all 1 entries are statements whose missing word is not the last",
                   *self.arguments(data=[os.path.join(LAMA, "TREx/P27.jsonl")]))
        self.fails(1, "empty: holds no text", *self.arguments("--suite", "ppl", data=[self.file("empty", "")]))
        self.fails(1, "--window 100000: the context of the model is 4096", *self.arguments("--suite", "ppl", "--window", 100000, data=[text]))
        self.fails(1, "absent", *self.arguments(data=[self.path("absent")]))
        self.fails(1, "damaged gzip", *self.arguments(data=[self.file("d.gz", gzip.compress(b"[]")[:-4])]))
        self.fails(2, "--suite", *self.arguments("--suite", "chess"))
        self.assertEqual([name for name in os.listdir(self.folder) if name.startswith("out")], [])
        shutil.copytree(LAMA, self.path("lama"))
        os.remove(self.path("lama/relations.jsonl"))
        self.fails(1, "needs the templates of relations.jsonl", *self.arguments(data=[self.path("lama/TREx/P19.jsonl")]))


if __name__ == "__main__":
    unittest.main()
