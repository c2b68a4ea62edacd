#!/usr/bin/env bash
# scripts/lint.sh [SOURCE...]: clang-tidy with .clang-tidy over the given sources, or over all of src/, capi/ and examples/.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
cmake --preset dev --log-level=WARNING  # for compile_commands.json, which has each source by itself
if [[ $# -eq 0 ]]; then
  mapfile -t sources < <(find src capi examples -name '*.cc' | sort)
  set -- "${sources[@]}"
fi
# GCC knows warnings that clang does not.
printf '%s\0' "$@" | xargs -0 -n 1 -P "$(nproc)" clang-tidy -p build/dev --quiet --warnings-as-errors='*' \
  --extra-arg=-Wno-unknown-warning-option 2> >(grep -v 'warnings generated' >&2)
