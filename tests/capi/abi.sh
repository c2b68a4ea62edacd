#!/usr/bin/env bash
# abi.sh LIBRARY BASELINE: no program that was linked with an earlier library would notice this one (libabigail).
# Additions are fine; when they are released, a new baseline is: abidw --exported-interfaces-only --no-corpus-path
# --no-comp-dir-path --no-show-locs --out-file capi/abi/toolformer_c.abi build/release/lib/libtoolformer_c.so
set -euo pipefail
library="$1" baseline="$2"
command -v abidiff >/dev/null || { echo "abi.sh: abidiff is not installed (scripts/setup.sh test installs it)" >&2; exit 1; }
[[ -s "$baseline" ]] || { echo "abi.sh: there is no baseline $baseline" >&2; exit 1; }
status=0
abidiff --no-added-syms "$baseline" "$library" || status=$?
# Bit 3: a change; bit 4: one that breaks programs; bits 1 and 2: abidiff could not compare.
if (( status & 1 || status & 2 )); then echo "abi.sh: abidiff could not compare (status $status)" >&2; exit 1; fi
if (( status & 8 )); then echo "abi.sh: the change breaks programs that were linked before" >&2; exit 1; fi
if (( status & 4 )); then echo "abi.sh: something that was there has changed (above): if that is meant, make a new baseline" >&2; exit 1; fi
grep -q toolformer_decode_options "$baseline" || { echo "abi.sh: the baseline knows no types; was the library built without -g?" >&2; exit 1; }
echo "abi.sh: no change"
