#!/usr/bin/env bash
# loading.sh PROGRAM LIBRARY ENGINE TOOLFORMER TORCH ASTRAY: where libtorch is looked for, and what is said where it is not found.
# ASTRAY is the library as if it had been built with a libtorch in /nowhere.
set -euo pipefail
program="$1" library="$2" engine="$3" toolformer="$4" torch="$5" astray="$6"
unset TOOLFORMER_TORCH_DIR LD_LIBRARY_PATH
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
fail() { echo "loading.sh: $*" >&2; exit 1; }
expect() {  # expect STATUS TEXT COMMAND...
  local wanted="$1" text="$2" output status=0
  shift 2
  output=$("$@" 2>&1) || status=$?
  [[ "$status" == "$wanted" ]] || fail "$* ended with $status, not $wanted: $output"
  [[ "$output" == *"$text"* ]] || fail "$* said '$output', without '$text'"
  [[ -n "$text" || -z "$output" ]] || fail "$* said '$output', and should be silent"
}

# Where it was built; once, twice, and in a child.
expect 0 "" "$program" "$library"
expect 0 "" "$program" "$library" twice
expect 0 "" "$program" "$library" forked
# The environment variable, with and without lib/. Where it is set, nothing else is looked at.
expect 0 "" env TOOLFORMER_TORCH_DIR="$torch" "$program" "$library"
expect 0 "" env TOOLFORMER_TORCH_DIR="$torch/lib" "$program" "$library"
expect 1 "-15 TOOLFORMER_TORCH_DIR is '$folder', which has no libtorch" env TOOLFORMER_TORCH_DIR="$folder" "$program" "$library"
# Nowhere: a library that was built with a libtorch whose folder is gone. What was tried is said, and what to do.
mkdir "$folder/astray"
cp "$astray" "$folder/astray/libtoolformer_c.so"
for part in "$folder/astray/libtorch_cpu.so" "$folder/astray/libtorch/lib/libtorch_cpu.so" "/nowhere/libtorch_cpu.so" "-15 libtorch 2." \
            "let the environment variable TOOLFORMER_TORCH_DIR name its folder" "put its libraries beside $folder/astray/libtoolformer_c.so"; do
  expect 1 "$part" "$program" "$folder/astray/libtoolformer_c.so"
done
# Without the engine beside it.
cp "$library" "$folder/libtoolformer_c.so"
expect 1 "libtoolformer_c_engine.so" "$program" "$folder/libtoolformer_c.so"
# An engine of another build.
printf 'void *toolformer_engine(void) { return 0; }' >"$folder/engine.c"
gcc -shared -fPIC -o "$folder/libtoolformer_c_engine.so" "$folder/engine.c"
expect 1 "is not of version" "$program" "$folder/libtoolformer_c.so"
# A libtorch that is none.
mkdir -p "$folder/lib" && echo "no library" >"$folder/lib/libtorch_cpu.so"
expect 1 "libtorch_cpu.so" env TOOLFORMER_TORCH_DIR="$folder" "$program" "$library"
# All beside each other: libtorch of the folder is taken, the one of the build is not.
cp "$engine" "$folder/libtoolformer_c_engine.so"
cp -P "$(dirname "$toolformer")"/libtoolformer.so* "$folder/"
ln -s "$torch"/lib/*.so* "$folder/" 2>/dev/null || true
expect 0 "" "$program" "$folder/libtoolformer_c.so"
# Two copies in one process, as two plug-ins of a host may bring them.
expect 0 "" "$program" "$library" both "$folder/libtoolformer_c.so"
echo "loading.sh: passed"
