#!/usr/bin/env bash
# header.sh INCLUDE: each header alone and twice, as C11 and C++20, with gcc and clang, every warning an error.
set -euo pipefail
include="$1"
warnings=(-Wall -Wextra -Wpedantic -Werror -Wshadow -Wconversion -Wsign-conversion -Wundef -Wcast-qual)
for compiler in gcc clang; do
  command -v "$compiler" >/dev/null || { echo "header.sh: $compiler is not installed (scripts/setup.sh test installs it)" >&2; exit 1; }
done
# Every warning that clang has; left out are those that ask for C++98, for no padding, or for what no C header can do.
everything=(-Weverything -Wno-c++98-compat -Wno-c++98-compat-pedantic -Wno-padded -Wno-unknown-warning-option
            -Wno-unused-macros -Wno-old-style-cast)
count=0
for header in "$include"/toolformer_c.h "$include"/toolformer_c/*.h; do
  name="${header#"$include"/}"
  for source in "#include <$name>" "#include <$name>"$'\n'"#include <$name>"; do
    for language in "c c11 -Wstrict-prototypes -Wmissing-prototypes" "c++ c++20 -Wold-style-cast"; do
      read -r x standard extra <<<"$language"
      # shellcheck disable=SC2086
      gcc -x "$x" "-std=$standard" "${warnings[@]}" $extra -I "$include" -fsyntax-only - <<<"$source"
      clang -x "$x" "-std=$standard" "${warnings[@]}" "${everything[@]}" -isystem /nowhere -I "$include" -fsyntax-only - <<<"$source"
      count=$((count + 2))
    done
  done
done
echo "header.sh: $count compilations without a warning"
