#!/usr/bin/env bash
# install.sh CMAKE SOURCE BUILD TORCH: installs into an empty prefix, moves it, and builds and runs hosts against it: with CMake,
# with pkg-config and with the compiler alone. Then the packages of cpack.
set -euo pipefail
cmake="$1" source="$2" build="$3" torch="$4"
unset TOOLFORMER_TORCH_DIR LD_LIBRARY_PATH PKG_CONFIG_PATH
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
fail() { echo "install.sh: $*" >&2; exit 1; }
expect() {  # expect TEXT COMMAND...
  local text="$1" output
  shift
  output=$("$@" 2>&1) || true
  [[ "$output" == *"$text"* ]] || fail "$* said '$output', without '$text'"
}
quietly() { "$@" >"$folder/log" 2>&1 || { tail -n 20 "$folder/log" >&2; fail "$* failed"; }; }

quietly "$cmake" --install "$build" --prefix "$folder/first"
mv "$folder/first" "$folder/prefix"  # nothing may depend on where it was
prefix="$folder/prefix"
lib="$(dirname "$(find "$prefix" -name libtoolformer_c.so)")"

# Nothing points back to the build or the source tree; libtorch may lie there.
while read -r file; do
  ! readelf -d "$file" | grep -E 'R(UN)?PATH' | sed "s|$torch/lib||g" | grep -E "$build|$source" || fail "$file looks for libraries in the build"
done < <(find "$prefix" -name '*.so*' -type f; find "$prefix/bin" -type f)
! grep -rl --include='*.cmake' --include='*.pc' -e "$build" "$prefix" || fail "files above name the build folder"

cp -r "$source/tests/install/consumer" "$folder/consumer"
quietly "$cmake" -S "$folder/consumer" -B "$folder/consumer/build" -DCMAKE_PREFIX_PATH="$prefix"
quietly "$cmake" --build "$folder/consumer/build"
expect 42 "$folder/consumer/build/consumer_c"
expect 42 "$folder/consumer/build/consumer_cc"

pc="$lib/pkgconfig"
# shellcheck disable=SC2046
quietly gcc -std=c11 -Wall -Wextra -Werror $(PKG_CONFIG_PATH="$pc" pkg-config --cflags toolformer_c) -o "$folder/by_pkg_config" \
  "$folder/consumer/consumer.c" $(PKG_CONFIG_PATH="$pc" pkg-config --libs toolformer_c)
expect 42 env LD_LIBRARY_PATH="$lib" "$folder/by_pkg_config"
# shellcheck disable=SC2046
quietly g++ -std=c++20 $(PKG_CONFIG_PATH="$pc" pkg-config --cflags toolformer) -o "$folder/cc_by_pkg_config" \
  "$folder/consumer/consumer.cc" $(PKG_CONFIG_PATH="$pc" pkg-config --libs toolformer)
expect 42 env LD_LIBRARY_PATH="$lib" "$folder/cc_by_pkg_config"
quietly cc "$folder/consumer/consumer.c" -o "$folder/plain" -I "$prefix/include" -L "$lib" -ltoolformer_c "-Wl,-rpath,$lib"
expect 42 "$folder/plain"
expect "has no libtorch" env TOOLFORMER_TORCH_DIR="$folder" "$folder/plain"
expect 42 env TOOLFORMER_TORCH_DIR="$torch" "$folder/plain"
[[ ! -x "$prefix/bin/toolformer" ]] || expect 0.1.0 "$prefix/bin/toolformer" --version

# The packages hold the same and name what they need.
quietly "$cmake" -E chdir "$build" "$(dirname "$cmake")/cpack" -B "$folder/packages"
deb=("$folder"/packages/*.deb)
tar=("$folder"/packages/*.tar.gz)
[[ -f "${deb[0]}" && -f "${tar[0]}" ]] || fail "cpack made no .deb or no .tar.gz"
expect libabsl dpkg-deb --field "${deb[0]}" Depends
dpkg-deb --extract "${deb[0]}" "$folder/deb"
mkdir "$folder/tar" && tar -C "$folder/tar" -xzf "${tar[0]}"
for package in deb tar; do
  found="$(dirname "$(find "$folder/$package" -name libtoolformer_c.so)")"
  expect 42 env LD_LIBRARY_PATH="$found" "$folder/by_pkg_config"
done
files_of() { (cd "$1" && find . ! -type d | sort); }
diff <(files_of "$folder/deb/usr") <(files_of "$folder"/tar/*/usr) || fail "the .deb and the .tar.gz hold different files (above)"
# Where it may: the package is installed, used and removed, and leaves nothing.
if [[ "${TOOLFORMER_TEST_DEB:-0}" == 1 ]]; then
  quietly dpkg --install "${deb[0]}"
  quietly cc "$folder/consumer/consumer.c" -o "$folder/from_deb" -ltoolformer_c
  expect 42 "$folder/from_deb"
  quietly dpkg --remove toolformer
  [[ ! -e /usr/include/toolformer_c.h ]] || fail "removing the package leaves files"
fi
echo "install.sh: passed"
