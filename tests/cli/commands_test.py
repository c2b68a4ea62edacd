#!/usr/bin/env python3
"""The other subcommands of toolformer."""
import json
import os
import pty
import re
import struct
import subprocess
import unittest

from program import ENVIRONMENT, FIXTURES, PROGRAM, ProgramTest, json_lines, read, run

LLAMA = os.path.join(FIXTURES, "models", "llama_gqa")
CASES = os.path.join(FIXTURES, "filter", "llama_gqa_losses.jsonl")


def safetensors(path):
    """Header and data."""
    content = read(path)
    length = struct.unpack("<Q", content[:8])[0]
    return json.loads(content[8:8 + length]), content[8 + length:]


def floats(tensor, data):
    begin, end = tensor["data_offsets"]
    return struct.unpack(f"<{(end - begin) // 4}f", data[begin:end])


def on_terminal(*arguments):
    """What a terminal would receive."""
    leader, follower = pty.openpty()
    process = subprocess.Popen([PROGRAM, *map(str, arguments)], stdin=follower, stdout=follower, stderr=follower, env=ENVIRONMENT)
    os.close(follower)
    received = b""
    while True:
        try:
            block = os.read(leader, 65536)
        except OSError:  # the other end is closed
            break
        if not block:
            break
        received += block
    os.close(leader)
    return process.wait(), received


class TranslateTest(ProgramTest):
    NLLB = os.path.join(FIXTURES, "seq2seq", "nllb")
    LID = os.path.join(FIXTURES, "fasttext", "softmax.ftz")

    def test_translations_of_transformers(self):
        expected = json.loads(read(os.path.join(self.NLLB, "expected.json")))
        greedy = expected["runs"][0]
        text = expected["texts"][0]["text"]
        flags = ["--model", self.NLLB, "--beams", "1", "--max-tokens", greedy["options"]["max_new_tokens"]]
        code, out, err = run("translate", *flags, "--source", "deu_Latn", text)
        self.assertEqual((code, out.decode().strip()), (0, greedy["texts"][0]), err)
        code, out, err = run("translate", *flags, "--lid", self.LID, stdin=f"{text}\n\n{text}\n".encode())
        self.assertEqual((code, out.decode()), (0, f"{greedy['texts'][0]}\n\n{greedy['texts'][0]}\n"), err)

    def test_a_tools_file_declares_the_tool(self):
        def complete(**fields):
            path = self.file("tools.json", json.dumps({"tools": [{"kind": "translation", **fields}]}))
            return run("complete", "--model", LLAMA, "--tools-file", path, "--max-tokens", "2", "Hello")
        code, _, err = complete(model=self.NLLB, lid=self.LID, beams=2)
        self.assertEqual(code, 0, err)
        for fields, message in [({"model": self.NLLB}, b"'lid' is missing"), ({"lid": self.LID}, b"'model' is missing"),
                                ({"model": self.path("none"), "lid": self.LID}, b"none: is not a folder"),
                                ({"model": self.NLLB, "lid": self.NLLB}, b"nllb"),
                                ({"model": self.NLLB, "lid": self.LID, "beams": 0}, b"0 beams")]:
            code, _, err = complete(**fields)
            self.assertNotEqual(code, 0)
            self.assertIn(message, err)

    def test_mistakes(self):
        code, out, _ = run("translate", "--model", self.NLLB, "--list")
        self.assertEqual((code, len(out.split())), (0, 202))
        for arguments, message in [(["--model", self.NLLB, "x"], b"--source or --lid"),
                                   (["--model", self.NLLB, "--source", "tlh", "x"], b"does not read 'tlh'"),
                                   (["--model", self.NLLB, "--source", "de", "--target", "tlh", "x"], b"does not write 'tlh'"),
                                   (["--model", self.path("none"), "--source", "de", "x"], b"not a folder"),
                                   (["--model", self.NLLB, "--lid", self.path("none"), "x"], b"none"),
                                   (["--model", LLAMA, "--source", "de", "x"], b"supported encoder-decoders")]:
            code, out, err = run("translate", *arguments)
            self.assertNotEqual(code, 0)
            self.assertEqual(out, b"")
            self.assertIn(message, err)


class ScoreTest(ProgramTest):
    def test_losses_of_transformers(self):
        code, out, err = run("score", "--model", LLAMA, "--cases", CASES, "--out", self.path("out.jsonl"))
        self.assertEqual((code, out), (0, b""), err)
        expected, got = json_lines(read(CASES)), json_lines(read(self.path("out.jsonl")))
        self.assertEqual(len(got), len(expected))
        for ours, theirs in zip(got, expected):
            self.assertEqual(list(ours), list(theirs))
            for name, value in theirs.items():
                if isinstance(value, float):
                    self.assertAlmostEqual(ours[name], value, delta=1e-4)
                else:
                    self.assertEqual(ours[name], value)

    def test_other_fields_are_kept(self):
        line = '{"note": {"z": [1, null]}, "text": "7 * 6 = 42", "position": 1, "call": "Calendar()", "result": "0", "a": 1.5}'
        code, _, err = run("score", "--model", LLAMA, "--cases", self.file("c.jsonl", line), "--out", self.path("out.jsonl"))
        self.assertEqual(code, 0, err)
        scored = json_lines(read(self.path("out.jsonl")))[0]
        self.assertEqual(list(scored), list(json.loads(line)) + ["token_ids", "loss_empty", "loss_call", "loss_result", "gain"])
        self.assertEqual(scored["note"], {"z": [1, None]})

    def test_bad_cases(self):
        good = dict(text="7 * 6 = 42", position=1, call="Calendar()", result="0")
        for change, message in [(dict(call="Calendar"), "field 'call' is not one call"),
                                (dict(call="Calendar() or so"), "field 'call' is not one call"),
                                (dict(position=-1), "position"), (dict(position=1.5), "position"),
                                (dict(position=2**63), "position"), (dict(result=None), "field 'result' is a JSON null"),
                                (dict(position=10**6), "position 1000000 is not within the text's")]:
            with self.subTest(change=change):
                cases = self.file("cases.jsonl", json.dumps(good) + "\n\n" + json.dumps({**good, **change}) + "\n")
                self.fails(1, "cases.jsonl:3: ", "score", "--model", LLAMA, "--cases", cases, "--out", self.path("out.jsonl"))
                self.fails(1, message, "score", "--model", LLAMA, "--cases", cases, "--out", self.path("out.jsonl"))
                self.assertEqual(os.listdir(self.folder), ["cases.jsonl"])
        self.fails(1, "holds no cases", "score", "--model", LLAMA, "--cases", self.file("e.jsonl", ""), "--out", self.path("o"))


class LogitsTest(ProgramTest):
    def test_logits_of_transformers(self):
        header, data = safetensors(os.path.join(LLAMA, "expected.safetensors"))
        ids = ",".join(str(int(number)) for number in floats(header["ids"], data))
        code, _, err = run("logits", "--model", LLAMA, "--ids", ids, "--out", self.path("l.safetensors"))
        self.assertEqual(code, 0, err)
        got_header, got_data = safetensors(self.path("l.safetensors"))
        self.assertEqual(got_header["logits"]["shape"], header["logits"]["shape"])
        self.assertEqual(got_header["logits"]["dtype"], "F32")
        for ours, theirs in zip(floats(got_header["logits"], got_data), floats(header["logits"], data)):
            self.assertAlmostEqual(ours, theirs, delta=1e-3)

    def test_bad_ids(self):
        self.fails(1, "99999", "logits", "--model", LLAMA, "--ids", "1,99999", "--out", self.path("l"))
        self.fails(2, "--ids", "logits", "--model", LLAMA, "--ids", "1,x", "--out", self.path("l"))


class TokenizeTest(ProgramTest):
    def test_ids_of_transformers(self):
        cases = json_lines(read(CASES))
        text = "\n".join(case["text"] for case in cases) + "\n\nlast line, without its break"
        for model in (LLAMA, os.path.join(LLAMA, "tokenizer.json")):
            code, out, err = run("tokenize", "--model", model, stdin=text.encode())
            self.assertEqual(code, 0, err)
            got = json_lines(out)
            self.assertEqual(got[:len(cases)], [case["token_ids"] for case in cases])
            self.assertEqual(got[len(cases)], [])
            self.assertEqual(len(got), len(cases) + 2)

    def test_full_disk(self):
        with open("/dev/full", "wb") as full:
            process = subprocess.run([PROGRAM, "tokenize", "--model", LLAMA], input=b"text\n", stdout=full, stderr=subprocess.PIPE,
                                     env=ENVIRONMENT, check=False)
        self.assertEqual(process.returncode, 1)
        self.assertIn(b"toolformer: standard output: cannot be written", process.stderr)


class CompleteTest(ProgramTest):
    SAMPLING = ["--tools", "Calculator,Calendar", "--date", "2023-01-30", "--max-tokens", 80, "--temperature", 1.5, "--opening-top-k", 40,
                "--max-calls", 4]

    def test_stream_and_json_agree(self):
        for seed in range(4):
            arguments = ["complete", "--model", self.model, *self.SAMPLING, "--seed", seed, "Seven times six is"]
            code, out, err = run(*arguments)
            self.assertEqual((code, err), (0, b""))
            code, as_json, err = run(*arguments, "--json")
            self.assertEqual(code, 0, err)
            decoded = json.loads(as_json)
            self.assertEqual(list(decoded), ["text", "plain_text", "calls", "stop_reason", "tokens", "opening_probability", "tools"])
            # JSON has U+FFFD where the model wrote bytes that are no UTF-8.
            self.assertEqual(out.decode("utf8", "replace").replace("\ufffd", "")[:-1], decoded["text"].replace("\ufffd", ""))

    def test_prompt_from_standard_input(self):
        given = run("complete", "--model", self.model, "--no-tools", "--max-tokens", 20, "Seven times")
        piped = run("complete", "--model", self.model, "--no-tools", "--max-tokens", 20, "-", stdin=b"Seven times\n")
        self.assertEqual(given[0], 0, given[2])
        self.assertEqual(given, piped)

    def test_nothing_acts_on_the_terminal(self):
        for seed in range(3):
            code, received = on_terminal("complete", "--model", self.model, *self.SAMPLING, "--seed", seed,
                                         "\x1b]0;title\x07 \x9b31m \u202e prompt\r")
            self.assertEqual(code, 0, received)
            self.assertIn(b"\\x1b]0;title\\x07", received)
            plain = re.sub(rb"\x1b\[[0-9;]*m", b"", received)
            self.assertNotIn(b"\x1b", plain)
            text = plain.replace(b"\r\n", b"\n").decode()
            self.assertEqual([c for c in text if (ord(c) < 32 and c not in "\n\t") or 127 <= ord(c) < 160 or c == "\u202e"], [])

    def test_mistakes(self):
        start = ["complete", "--model", self.model]
        self.fails(2, "exclude each other", *start, "--no-tools", "--in-context", "x")
        self.fails(2, "not a day written as YYYY-MM-DD", *start, "--date", "2023-02-29", "x")
        self.fails(2, "unknown tool", *start, "--tools", "Oracle", "x")
        self.fails(2, "--max-calls", *start, "--max-calls", 17, "x")
        self.fails(2, "PROMPT", *start)
        self.fails(1, "context", "complete", "--model", LLAMA, "--no-tools", "x " * 400)
        self.fails(1, "/nonexistent", "complete", "--model", "/nonexistent", "x")
        # --json prints all or nothing.
        self.fails(1, "the deadline of 0.001 seconds has passed", *start, "--no-tools", "--json", "--deadline", 0.001,
                   "--max-tokens", 2000, "x")


class InspectTest(ProgramTest):
    def test_safetensors(self):
        code, out, err = run("inspect", LLAMA, "--json")
        self.assertEqual(code, 0, err)
        shown = json.loads(out)
        header, _ = safetensors(os.path.join(LLAMA, "model.safetensors"))
        header.pop("__metadata__", None)
        self.assertEqual({t["name"]: (t["type"], t["shape"]) for t in shown["tensors"]},
                         {name: (tensor["dtype"], tensor["shape"]) for name, tensor in header.items()})
        self.assertEqual(sum(t["bytes"] for t in shown["tensors"]), sum(t["bytes"] for t in shown["types"].values()))
        code, table, err = run("inspect", os.path.join(LLAMA, "model.safetensors"))
        self.assertEqual(code, 0, err)
        for name in header:
            self.assertIn(name, table.decode())

    def test_not_a_weight_file(self):
        self.fails(1, "notes.gguf", "inspect", self.file("notes.gguf", "some notes"))
        self.fails(1, "absent", "inspect", self.path("absent"))


class HelpTest(ProgramTest):
    def test_help_and_version(self):
        code, out, _ = run("--version")
        self.assertEqual(code, 0)
        self.assertRegex(out.decode(), r"^toolformer \d+\.\d+\.\d+\n$")
        commands = ["annotate", "score", "complete", "tokenize", "logits", "inspect"]
        code, out, _ = run("--help")
        self.assertEqual(code, 0)
        for command in commands:
            self.assertIn(command, out.decode())
            code, text, err = run(command, "--help")
            self.assertEqual((code, err), (0, b""))
            self.assertIn(f"toolformer {command}", text.decode())
            self.assertIn("Example", text.decode())
        self.fails(2, "", "frobnicate")
        self.fails(2, "subcommand is required")


if __name__ == "__main__":
    unittest.main()
