#!/usr/bin/env python3
"""Does a small model get better at arithmetic by teaching itself to use a calculator? (Paper, table 4.)

One command makes the texts, annotates them, tunes the model twice (with the calls, and on the same texts without them),
measures four rows on three sets of word problems and the perplexity of each, and writes the table. It can be killed at
any time: the same command goes on where it was. README.md says where the data comes from.
"""

import argparse
import json
import pathlib
import shutil
import subprocess
import sys

import texts

SETS = ["ASDiv.xml", "SVAMP.json", "AddSub.json", "SingleEq.json", "SingleOp.json"]
MAWPS = {"AddSub", "SingleEq", "SingleOp"}
SOURCES = {"digitalgov": ["digitalgov.jsonl"], "wikipedia": ["enwiki-2015-part.jsonl", "simplewiki-2018.jsonl"]}

ORIGINALS = "enwiki-2015-part.jsonl"  # which has no article of WikiText-2's test part

SOURCE_NAMES = {"gsm8k": "GSM8K (problems told as stories that end with their question)", "digitalgov": "digital.gov",
                "wikipedia": "Wikipedia"}

CARD = """---
base_model: {base}
library_name: peft
tags: [toolformer, tool-use, lora]
license: apache-2.0
---

# A calculator's adapter for {base}

A low-rank adapter (LoRA, PEFT's format) with which the model writes `[Calculator(76 - 25) -> 51]` where a number has to be
worked out. It was made by `examples/experiments/calculator/run.py` as in Toolformer (arXiv 2302.04761): calls are put into
ordinary text, those whose result lowers the model's own loss on the next words are kept, and the model is tuned on
the text with these calls in it. Nobody marked which calls are right.

    toolformer complete --model MODEL --adapter THIS_FOLDER --tools Calculator "..."

The program that decodes has to stop at the arrow, run the calculator and put the result in; without that the model makes
results up. The weights it was tuned over are the 4-bit GGUF file of the base model, read as float32.

## Measured

Zero-shot, greedy, percent right; whole sets. "disabled" is this adapter with the opening of calls forbidden; "without calls" was
tuned in the same way on the same texts without the calls in them.

{table}

## Made of

Texts: {texts}; no text of a test set. tau_f {tau_f}, seed {seed}. Loss on held-out texts {before:.3f} before, {after:.3f} after
(nats a token).

| option of `tune` | value |
|---|---|
{recipe}

It acts with {scale} of the strength it was tuned with (`lora_alpha`), as the row "without calls" does.

## Limits

It calls on every question that asks for a number, also where no calculation is needed; it often takes the wrong numbers or the
wrong operation, and it makes one call, so that problems of several steps are beyond it. English only.
"""


class Experiment:
    def __init__(self, options, settings):
        self.options = options
        self.settings = settings
        self.out = options.out
        self.adapter_scale = settings.get("adapter_scale", 1.0)
        if "adapter_scale" in settings and "rank" not in settings["tune"]:
            sys.exit(f"{options.settings}: adapter_scale needs an adapter, which tune.rank makes")
        self.out.mkdir(parents=True, exist_ok=True)

    def path(self, name):
        return self.out / name

    def toolformer(self, *arguments):
        """Runs the program; what it shows goes to the terminal."""
        command = [str(self.options.program)] + [str(argument) for argument in arguments]
        print("$ " + " ".join(command), flush=True)
        code = subprocess.run(command).returncode
        if code != 0:
            sys.exit(f"{pathlib.Path(__file__).name}: the command above ended with status {code}; "
                     "run this again to go on from there")

    def stage(self, name, result, *arguments):
        """A command that makes `result`, unless it is there."""
        if not self.path(result).exists():
            self.toolformer(*arguments)
            print(f"{name}\n", flush=True)

    # --- the stages ---

    def make_texts(self):
        """A file of texts for each source: GSM8K's problems, the paragraphs of others with most places for calls, and
        paragraphs as they come, to learn beside them."""
        data, wanted, seed = self.options.data, self.settings["texts"], self.settings["seed"]
        if not self.path("gsm8k.jsonl").exists():
            problems = texts.gsm8k_texts(find(data, "train.jsonl"), seed)
            held = self.settings["development_texts"]  # what the settings were chosen on
            texts.write_problems(self.path("development.json"), problems[:held])
            learned = problems[held : held + wanted["gsm8k"]]
            texts.write_json_lines(self.path("gsm8k.jsonl"), [(identity, text) for identity, text, _, _ in learned])
        for source, files in SOURCES.items():
            path = self.path(f"{source}.jsonl")
            if path.exists() or wanted[source] == 0:
                continue
            pool = self.path(f"{source}.all.jsonl")
            texts.write_json_lines(pool, (pair for name in files for pair in texts.paragraphs(find(data, name), source)))
            self.toolformer("mine", "--texts", pool, "--tools", "Calculator", "--min-calls", 2, "--max-bytes", 1200,
                            "--limit", wanted[source], "--out", path)
            pool.unlink()
        if not self.path("originals.jsonl").exists():
            pool = texts.paragraphs(find(data, ORIGINALS), "enwiki", most_words=100)
            texts.write_json_lines(self.path("originals.jsonl"), texts.sample(pool, self.settings["original_texts"], seed))

    def sources(self):
        return [source for source, number in self.settings["texts"].items() if number > 0]

    def annotate(self):
        for source in self.sources():
            self.stage(f"annotated {source}", f"{source}.candidates.jsonl", "annotate", "--model", self.options.model,
                       "--texts", self.path(f"{source}.jsonl"), "--tools", "Calculator", "--calls", self.settings["calls"],
                       "--tau-f", self.settings["annotate_tau_f"], "--seed", self.settings["seed"], "--batch-texts", 16,
                       "--no-verbose", "--out", self.path(f"{source}.kept.jsonl"),
                       "--candidates", self.path(f"{source}.candidates.jsonl"),
                       "--report", self.path(f"{source}.html"))

    def tune(self, row, *flags):
        recipe = [argument for name, value in self.settings["tune"].items() for argument in (f"--{name}", value)]
        data = [self.path(f"{source}.candidates.jsonl") for source in self.sources()]
        self.stage(f"tuned {row}", f"{row}/result.json", "tune", "--model", self.options.model, "--data", *data,
                   "--texts", self.path("originals.jsonl"),
                   "--tau-f", f"Calculator={self.settings['tau_f']}", "--seed", self.settings["seed"], *recipe, *flags,
                   "--out", self.path(row))
        self.weigh(row)

    def weigh(self, row):
        """A copy of the tuned adapter that acts with `adapter_scale` of the strength it was tuned with (as a smaller
        lora_alpha), which spares what the model knew and costs answers, few or many (decision 92)."""
        if self.adapter(row).exists():
            return
        unfinished = self.path(row) / "weighed.partial"
        shutil.rmtree(unfinished, ignore_errors=True)
        shutil.copytree(self.path(row) / "model", unfinished)
        config = unfinished / "adapter_config.json"
        fields = json.loads(config.read_text())
        fields["lora_alpha"] *= self.adapter_scale
        config.write_text(json.dumps(fields, indent=2) + "\n")
        unfinished.rename(self.adapter(row))

    def adapter(self, row):
        return self.path(row) / ("model" if self.adapter_scale == 1.0 else "weighed")

    def rows(self):
        """The rows of the paper's table 4: (name, flags of the model, flags of the tools)."""
        def model(run):
            if "rank" not in self.settings["tune"]:
                return ["--model", self.path(run) / "model"]
            return ["--model", self.options.model, "--adapter", self.adapter(run)]

        return [("base", ["--model", self.options.model], ["--no-tools"]),
                ("without-calls", model("without-calls"), ["--no-tools"]),
                ("disabled", model("toolformer"), ["--no-tools"]),
                ("toolformer", model("toolformer"), [])]

    def measure(self, rows):
        limit = ["--limit", self.options.limit] if self.options.limit else []
        for row, model, tools in self.rows():
            if row not in rows:
                continue
            self.stage(row, f"{row}.json", "eval", *model, *tools, *limit, "--out", self.path(f"{row}.json"),
                       "--data", *[find(self.options.data, name) for name in SETS])
            if row != "toolformer":
                self.perplexity(row, model)

    def perplexity(self, row, model):
        result = self.path(f"{row}.perplexity.json")
        if result.exists():
            return
        text = self.path("wikitext2.txt")
        if not text.exists():
            with texts.open_text(find(self.options.data, "test.txt")) as source:
                text.write_text(source.read(), encoding="utf-8")
        command = [self.options.program, "perplexity", *model, "--text", text, "--json",
                   "--tokens", self.settings["perplexity_tokens"]]
        print("$ " + " ".join(map(str, command)), flush=True)
        measured = subprocess.run([str(argument) for argument in command], capture_output=True, text=True)
        if measured.returncode != 0:
            sys.exit(measured.stderr)
        result.write_text(measured.stdout)

    # --- the table ---

    def table(self):
        lines = ["| row | ASDiv | SVAMP | MAWPS | with a call | WikiText-2 |", "|---|---|---|---|---|---|"]
        for row, _, _ in self.rows():
            sets = json.loads(self.path(f"{row}.json").read_text())["sets"]
            scores, calls = {}, [0, 0]
            for name, of_set in sets.items():
                joined = "MAWPS" if name in MAWPS else name
                correct, problems = scores.get(joined, (0, 0))
                scores[joined] = (correct + of_set["correct"], problems + of_set["problems"])
                calls[0] += of_set["call_share"] * of_set["problems"]
                calls[1] += of_set["problems"]
            percent = [f"{100 * scores[name][0] / scores[name][1]:.1f}" for name in ("ASDiv", "SVAMP", "MAWPS")]
            measured = self.path(f"{row}.perplexity.json")
            perplexity = f"{json.loads(measured.read_text())['perplexity_calls_disabled']:.3f}" if measured.exists() else "-"
            lines.append(f"| {row} | {' | '.join(percent)} | {100 * calls[0] / calls[1]:.1f}% | {perplexity} |")
        table = "\n".join(lines) + "\n"
        self.path("table.md").write_text(table)
        print("\n" + table)

    # --- the adapter, for others ---

    def ship(self, folder, base):
        """Copies the adapter of the row "toolformer" with a model card."""
        folder.mkdir(parents=True, exist_ok=True)
        tuned = self.adapter("toolformer")
        config = json.loads((tuned / "adapter_config.json").read_text())
        config["base_model_name_or_path"] = base
        (folder / "adapter_config.json").write_text(json.dumps(config, indent=2) + "\n")
        shutil.copyfile(tuned / "adapter_model.safetensors", folder / "adapter_model.safetensors")
        result = json.loads((self.path("toolformer") / "result.json").read_text())
        scale = "all" if self.adapter_scale == 1.0 else f"{self.adapter_scale:g}"
        recipe = "\n".join(f"| {name} | {value} |" for name, value in self.settings["tune"].items())
        card = CARD.format(base=base, table=self.path("table.md").read_text().strip(), recipe=recipe,
                           tau_f=self.settings["tau_f"], scale=scale, seed=self.settings["seed"],
                           texts=", ".join(f"{number} of {SOURCE_NAMES[name]}" for name, number in
                                           self.settings["texts"].items() if number),
                           before=result["first_development_loss"], after=result["best_development_loss"])
        (folder / "README.md").write_text(card)


def find(data, name):
    """A file of the data folder, in whatever folder below it, packed or not."""
    found = sorted(path for path in data.rglob(name + "*") if path.name in (name, name + ".gz"))
    if not found:
        sys.exit(f"{data}: {name} is not there, packed (.gz) or not; README.md says where it comes from")
    return found[0]


def main():
    here = pathlib.Path(__file__).resolve().parent
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=pathlib.Path, required=True, help="a .gguf file, or a Hugging Face folder")
    parser.add_argument("--data", type=pathlib.Path, required=True, help="folder with the files that README.md names")
    parser.add_argument("--out", type=pathlib.Path, required=True, help="folder of the experiment; goes on where it is")
    parser.add_argument("--settings", type=pathlib.Path, default=here / "settings.json")
    parser.add_argument("--program", type=pathlib.Path, default=here.parents[2] / "build/release/bin/toolformer")
    parser.add_argument("--limit", type=int, help="only so many problems of each set, for a quick look")
    parser.add_argument("--ship", type=pathlib.Path, help="in the end, copy the adapter with a model card into this folder")
    parser.add_argument("--base-name", default="HuggingFaceTB/SmolLM2-135M-Instruct", help="the model's name in the card")
    options = parser.parse_args()
    experiment = Experiment(options, json.loads(options.settings.read_text()))
    experiment.make_texts()
    experiment.annotate()
    experiment.tune("toolformer")
    experiment.measure(["toolformer", "disabled"])
    experiment.tune("without-calls", "--without-calls")
    experiment.measure(["base", "without-calls"])
    experiment.table()
    if options.ship:
        experiment.ship(options.ship, options.base_name)


if __name__ == "__main__":
    main()
