#!/usr/bin/env bash
# silent.sh PROGRAM: errors, refusals and failing callbacks are answered, never printed: the test program's own lines are all there is.
set -euo pipefail
printed=$("$1" base models host misuse null decoding 2>&1 | grep -vE '^[a-z]+ +passed$|^[0-9]+ checks, 0 failed$' || true)
[[ -z "$printed" ]] || { echo "silent.sh: $1 has printed: $printed" >&2; exit 1; }
echo "silent.sh: passed"
