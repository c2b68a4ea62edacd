#!/usr/bin/env python3
"""Does a small model get better at arithmetic by teaching itself to use a calculator? (Paper, table 4.)

One command makes the texts, annotates them, tunes the model twice (with the calls, and on the same texts without them),
measures four rows on three sets of word problems and the perplexity of each, and writes the table. The tunings and the
rows go two at a time, each with half of the cores. It can be killed at any time: the same command goes on where it was.
README.md says where the data comes from.
"""

import argparse
import concurrent.futures
import json
import math
import os
import pathlib
import shutil
import subprocess
import sys
import threading
import time

import texts

SIDE_BY_SIDE = 2
PROGRESS_SECONDS = 0.5

PERPLEXITIES = {"perplexity": ("WikiText-2", "wikitext2.txt"), "prose": ("Wikipedia", "prose.txt")}
ROWS = {"base": None, "without-calls": "without-calls", "disabled": "toolformer", "toolformer": "toolformer"}  # tuned as

SETS = ["ASDiv.xml", "SVAMP.json", "AddSub.json", "SingleEq.json", "SingleOp.json"]
MAWPS = {"AddSub", "SingleEq", "SingleOp"}
SOURCES = {"digitalgov": ["digitalgov.jsonl"], "wikipedia": ["enwiki-2015-part.jsonl", "simplewiki-2018.jsonl"]}

WIKITEXT = "test.txt"
ORIGINALS = "enwiki-2015-part.jsonl"  # which has no article of WikiText-2's test part

SOURCE_NAMES = {"gsm8k": "GSM8K (problems told as stories that end with their question)", "digitalgov": "digital.gov",
                "wikipedia": "Wikipedia"}

CARD = """---
base_model: {base}
library_name: peft
tags: [toolformer, tool-use, lora]
license: {license}
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


class Failed(Exception):
    """A command did not do its work; the text says which, and what helps."""


class Commands:
    """Runs the program, as often at a time as it is asked to."""

    def __init__(self, program, times):
        self.program = program
        self.times = times  # a file: the seconds that each command took
        self.lock = threading.RLock()
        self.running = set()
        self.stopped = False
        self.on_terminal = sys.stdout.isatty()

    def say(self, line):
        with self.lock:
            print(self.at_line_start() + line, flush=True)

    def show_progress(self, line):
        """A last line that the next one takes the place of; on terminals only."""
        if self.on_terminal:
            with self.lock:
                print(self.at_line_start() + line[: shutil.get_terminal_size().columns - 1], end="", flush=True)

    def at_line_start(self):
        return "\r\033[K" if self.on_terminal else ""

    def run(self, arguments, job=None, output=None):
        """What the program shows goes to the terminal. Commands of jobs share the cores with another, and the terminal:
        their lines begin with the job's name. `output` is a file for what they print when all went well."""
        command = [str(self.program)] + [str(argument) for argument in arguments]
        name = f"{job}: " if job else ""
        began = time.monotonic()
        with self.lock:
            if self.stopped:
                raise Failed(f"{name}not begun")
            self.say(f"{name}$ " + " ".join(command))
            process = self.start_job(command, output) if job else subprocess.Popen(command)
            self.running.add(process)
        for line in (process.stderr if output else process.stdout) or ():
            self.say(name + line.rstrip("\n"))
        code = process.wait()
        with self.lock:
            self.running.discard(process)
        if code != 0:
            raise Failed(f"{name}{' '.join(command[:2])} ended with status {code}; run this again to go on from there")
        if output:
            texts.unfinished(output).replace(output)
        self.took(name + arguments[0], time.monotonic() - began)

    def start_job(self, command, output):
        threads = max(1, len(os.sched_getaffinity(0)) // SIDE_BY_SIDE)
        shown = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
        if output:
            shown = {"stdout": open(texts.unfinished(output), "wb"), "stderr": subprocess.PIPE}
        return subprocess.Popen(command, **shown, text=True, encoding="utf-8", errors="replace",
                                env=dict(os.environ, OMP_NUM_THREADS=str(threads)))

    def took(self, what, seconds):
        self.say(f"{what} took {seconds / 60:.1f} min\n")
        with self.lock, open(self.times, "a", encoding="utf-8") as out:
            out.write(json.dumps({"what": what, "seconds": round(seconds, 1)}) + "\n")

    def stop(self):
        """Ends what is running, so that it can be gone on with, and begins nothing more."""
        with self.lock:
            self.stopped = True
            for process in self.running:
                process.terminate()


class Experiment:
    def __init__(self, options, settings):
        self.options = options
        self.settings = settings
        self.out = options.out
        self.adapter_scale = settings.get("adapter_scale", 1.0)
        if "adapter_scale" in settings and "rank" not in settings["tune"]:
            raise Failed(f"{options.settings}: adapter_scale needs an adapter, which tune.rank makes")
        self.out.mkdir(parents=True, exist_ok=True)
        self.commands = Commands(options.program, self.path("times.jsonl"))

    def path(self, name):
        return self.out / name

    def check_inputs(self):
        """What is missing is rather said now than after hours."""
        if not shutil.which(self.options.program):
            raise Failed(f"{self.options.program}: no program is there; `make build` makes it, --program names another")
        if not self.options.model.exists():
            raise Failed(f"{self.options.model}: no model is there; --model takes a .gguf file or a Hugging Face folder")
        for name in [*SETS, WIKITEXT]:
            find(self.options.data, name)

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
            self.commands.run(["mine", "--texts", pool, "--tools", "Calculator", "--min-calls", 2, "--max-bytes", 1200,
                               "--limit", wanted[source], "--out", path])
            pool.unlink()
        if not self.path("originals.jsonl").exists():
            pool = texts.paragraphs(find(data, ORIGINALS), "enwiki", most_words=100)
            texts.write_json_lines(self.path("originals.jsonl"), texts.sample(pool, self.settings["original_texts"], seed))
        if not self.path("wikitext2.txt").exists():
            with texts.open_text(find(data, WIKITEXT)) as source:
                texts.write_whole(self.path("wikitext2.txt"), source)
        if not self.path("prose.txt").exists():
            self.make_prose()

    def make_prose(self):
        """Paragraphs of Wikipedia's articles that nothing is learned from: as they were written, while WikiText-2 has
        `<unk>` for rare words and spaces around its punctuation."""
        learned = {article(row["id"]) for name in ("originals", *self.sources()) for row in
                   texts.read_json_lines(self.path(f"{name}.jsonl"))}
        pool = texts.paragraphs(find(self.options.data, ORIGINALS), "enwiki", most_words=400)
        drawn = texts.sample(((identity, text) for identity, text in pool if article(identity) not in learned),
                             self.settings["prose_paragraphs"], self.settings["seed"])
        texts.write_whole(self.path("prose.txt"), (text + "\n" for _, text in drawn))

    def sources(self):
        return [source for source, number in self.settings["texts"].items() if number > 0]

    def annotate(self):
        for source in self.sources():
            candidates = self.path(f"{source}.candidates.jsonl")
            if candidates.exists():
                continue
            self.commands.run(["annotate", "--model", self.options.model, "--texts", self.path(f"{source}.jsonl"),
                               "--tools", "Calculator", "--calls", self.settings["calls"],
                               "--tau-f", self.settings["annotate_tau_f"], "--seed", self.settings["seed"],
                               "--batch-texts", 16, "--no-verbose", "--out", self.path(f"{source}.kept.jsonl"),
                               "--candidates", candidates, "--report", self.path(f"{source}.html")])

    def tune_and_measure(self):
        """Both tunings and the row that needs none, and each other row as soon as its model is tuned."""
        with concurrent.futures.ThreadPoolExecutor(SIDE_BY_SIDE) as pool:
            jobs = {pool.submit(self.tune, "toolformer"): "toolformer",
                    pool.submit(self.tune, "without-calls", "--without-calls"): "without-calls",
                    pool.submit(self.measure, "base"): ""}
            try:
                while jobs:
                    self.commands.show_progress(self.progress())
                    for job in concurrent.futures.wait(jobs, PROGRESS_SECONDS, concurrent.futures.FIRST_COMPLETED).done:
                        job.result()
                        tuned = jobs.pop(job)
                        jobs.update({pool.submit(self.measure, row): "" for row, run in ROWS.items() if run == tuned})
            except BaseException:
                self.commands.stop()
                raise

    def progress(self):
        """What the files of what is running say: their program shows nothing but lines, where it shares a terminal."""
        shown = []
        for row, run in ROWS.items():
            try:
                if row == run and not self.path(f"{run}/result.json").exists():
                    plan = json.loads(self.path(f"{run}/run.json").read_text())
                    steps = math.ceil(plan["training"]["sequences"] * plan["epochs"] / plan["batch_size"])
                    shown.append(f"{run}: step {len(self.path(f'{run}/log.jsonl').read_bytes().splitlines())} of {steps}")
                head, *answers = self.path(f"{row}.json.partial").read_bytes().splitlines()
                problems = sum(of_set["problems"] for of_set in json.loads(head)["data"].values())
                shown.append(f"{row}: {len(answers)} of {problems} problems")
            except (OSError, ValueError):
                pass  # not begun, or just over
        return ", ".join(shown)

    def tune(self, row, *flags):
        if not self.path(f"{row}/result.json").exists():
            self.commands.run(self.tuning(row, *flags), row)
        self.weigh(row)

    def tuning(self, row, *flags):
        recipe = [argument for name, value in self.settings["tune"].items() for argument in (f"--{name}", value)]
        data = [self.path(f"{source}.candidates.jsonl") for source in self.sources()]
        return ["tune", "--model", self.options.model, "--data", *data, "--texts", self.path("originals.jsonl"),
                "--tau-f", f"Calculator={self.settings['tau_f']}", "--seed", self.settings["seed"], *recipe, *flags,
                "--out", self.path(row)]

    def weigh(self, row):
        """A copy of the tuned adapter that acts with `adapter_scale` of the strength it was tuned with (as a smaller
        lora_alpha), which spares what the model knew and costs answers, few or many (decision 92)."""
        if self.adapter(row).exists():
            return
        copy = texts.unfinished(self.adapter(row))
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(self.path(row) / "model", copy)
        config = copy / "adapter_config.json"
        fields = json.loads(config.read_text())
        fields["lora_alpha"] *= self.adapter_scale
        config.write_text(json.dumps(fields, indent=2) + "\n")
        copy.rename(self.adapter(row))

    def adapter(self, row):
        return self.path(row) / ("model" if self.adapter_scale == 1.0 else "weighed")

    def model(self, row):
        """The options of the program that name a row's model."""
        if ROWS[row] is None:
            return ["--model", self.options.model]
        if "rank" not in self.settings["tune"]:
            return ["--model", self.path(ROWS[row]) / "model"]
        return ["--model", self.options.model, "--adapter", self.adapter(ROWS[row])]

    def measure(self, row):
        """A row of the paper's table 4."""
        if not self.path(f"{row}.json").exists():
            tools = [] if row == "toolformer" else ["--no-tools"]
            limit = ["--limit", self.options.limit] if self.options.limit else []
            self.commands.run(["eval", *self.model(row), *tools, *limit, "--out", self.path(f"{row}.json"),
                               "--data", *[find(self.options.data, name) for name in SETS]], row)
        for kind, (_, text) in PERPLEXITIES.items():
            if row != "toolformer" and not self.path(f"{row}.{kind}.json").exists():
                self.commands.run(["perplexity", *self.model(row), "--text", self.path(text), "--json",
                                   "--tokens", self.settings["perplexity_tokens"][kind]],
                                  row, self.path(f"{row}.{kind}.json"))

    # --- the table ---

    def table(self):
        heads = ["row", "ASDiv", "SVAMP", "MAWPS", "with a call", *[name for name, _ in PERPLEXITIES.values()]]
        lines = [f"| {' | '.join(heads)} |", "|---" * len(heads) + "|"]
        for row in ROWS:
            sets = json.loads(self.path(f"{row}.json").read_text())["sets"]
            scores, calls = {}, [0, 0]
            for name, of_set in sets.items():
                joined = "MAWPS" if name in MAWPS else name
                correct, problems = scores.get(joined, (0, 0))
                scores[joined] = (correct + of_set["correct"], problems + of_set["problems"])
                calls[0] += of_set["call_share"] * of_set["problems"]
                calls[1] += of_set["problems"]
            percent = [f"{100 * scores[name][0] / scores[name][1]:.1f}" for name in ("ASDiv", "SVAMP", "MAWPS")]
            perplexities = [self.perplexity(row, kind) for kind in PERPLEXITIES]
            lines.append(f"| {row} | {' | '.join(percent)} | {100 * calls[0] / calls[1]:.1f}% | {' | '.join(perplexities)} |")
        table = "\n".join(lines) + "\n"
        self.path("table.md").write_text(table)
        print("\n" + table)

    def perplexity(self, row, kind):
        measured = self.path(f"{row}.{kind}.json")
        return f"{json.loads(measured.read_text())['perplexity_calls_disabled']:.3f}" if measured.exists() else "-"

    # --- the adapter, for others ---

    def ship(self, folder):
        """Copies the adapter of the row "toolformer" with a model card."""
        folder.mkdir(parents=True, exist_ok=True)
        tuned = self.adapter("toolformer")
        config = json.loads((tuned / "adapter_config.json").read_text())
        config["base_model_name_or_path"] = self.settings["base"]["name"]
        (folder / "adapter_config.json").write_text(json.dumps(config, indent=2) + "\n")
        shutil.copyfile(tuned / "adapter_model.safetensors", folder / "adapter_model.safetensors")
        result = json.loads((self.path("toolformer") / "result.json").read_text())
        scale = "all" if self.adapter_scale == 1.0 else f"{self.adapter_scale:g}"
        recipe = "\n".join(f"| {name} | {value} |" for name, value in self.settings["tune"].items())
        card = CARD.format(base=self.settings["base"]["name"], license=self.settings["base"]["license"],
                           table=self.path("table.md").read_text().strip(), recipe=recipe, tau_f=self.settings["tau_f"],
                           scale=scale, seed=self.settings["seed"],
                           texts=", ".join(f"{number} of {SOURCE_NAMES[name]}" for name, number in
                                           self.settings["texts"].items() if number),
                           before=result["first_development_loss"], after=result["best_development_loss"])
        (folder / "README.md").write_text(card)


def article(identity):
    """Of a paragraph's: source-ARTICLE-part."""
    return identity.split("-", 1)[1].rsplit("-", 1)[0]


def read_settings(path):
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise Failed(f"{path}: not JSON ({error})") from None


def find(data, name):
    """A file of the data folder, in whatever folder below it, packed or not."""
    found = sorted(path for path in data.rglob(name + "*") if path.name in (name, name + ".gz"))
    if not found:
        raise Failed(f"{data}: {name} is not there, packed (.gz) or not; README.md says where it comes from")
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
    options = parser.parse_args()
    try:
        experiment = Experiment(options, read_settings(options.settings))
        experiment.check_inputs()
        experiment.make_texts()
        experiment.annotate()
        experiment.tune_and_measure()
        experiment.table()
        if options.ship:
            experiment.ship(options.ship)
    except (Failed, OSError) as failed:
        sys.exit(f"{pathlib.Path(__file__).name}: {failed}")
    except KeyboardInterrupt:
        sys.exit(f"{pathlib.Path(__file__).name}: interrupted; run this again to go on")


if __name__ == "__main__":
    main()
