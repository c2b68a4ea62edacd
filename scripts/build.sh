#!/usr/bin/env bash
# scripts/build.sh PRESET [TARGET...]: configures (quietly) and builds with a preset of CMakePresets.json.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
preset="${1:?usage: scripts/build.sh PRESET [TARGET...]}"
shift

# A compiler cache of its own, so that its bound does not shrink yours.
export CCACHE_DIR="${CCACHE_DIR:-${XDG_CACHE_HOME:-${HOME:-$PWD/.deps}/.cache}/toolformer-ccache}"
export CCACHE_MAXSIZE="${CCACHE_MAXSIZE:-1G}" CCACHE_BASEDIR="${CCACHE_BASEDIR:-$PWD}"

# Sources that include libtorch take up to 1.5 GB each to compile: as many at a time as there are cores and memory.
jobs=$(nproc)
memory_jobs=$(awk '/^MemAvailable:/ { print int($2 / 1572864) }' /proc/meminfo)
if (( memory_jobs < jobs )); then jobs=$(( memory_jobs > 1 ? memory_jobs : 1 )); fi

mkdir -p "build/$preset"
log="build/$preset/configure.log"
if ! cmake --preset "$preset" --log-level=NOTICE >"$log" 2>&1; then
  cat "$log" >&2
  exit 1
fi
grep -A5 'CMake .*Warning' "$log" >&2 || true

arguments=(--preset "$preset" --parallel "$jobs")
if [[ $# -gt 0 ]]; then arguments+=(--target "$@"); fi
# On a terminal ninja shows progress in one line; into a file it would be a line for each source.
if [[ ! -t 1 ]]; then
  echo "building $preset ${*:-everything}, $jobs at a time ..."
  arguments+=(-- --quiet)
fi
cmake --build "${arguments[@]}"
