#!/usr/bin/env bash
# install.sh CMAKE SOURCE BUILD TORCH: installs into an empty prefix, moves it, and builds and runs hosts against it: with CMake,
# with pkg-config and with the compiler alone. Then the packages of cpack.
set -euo pipefail
cmake="$1" source="$2" build="$3" torch="$4"
unset TOOLFORMER_TORCH_DIR LD_LIBRARY_PATH PKG_CONFIG_PATH
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
source "$source/tests/first_program.sh"
fail() { echo "install.sh: $*" >&2; exit 1; }
expect() {  # expect TEXT COMMAND...
  local text="$1" output
  shift
  output=$("$@" 2>&1) || true
  [[ "$output" == *"$text"* ]] || fail "$* said '$output', without '$text'"
}
quietly() { "$@" >"$folder/log" 2>&1 || { tail -n 20 "$folder/log" >&2; fail "$* failed"; }; }
# Nothing of the build or the source tree is opened: it may be gone. libtorch may lie there.
touches_nothing() {  # touches_nothing COMMAND...
  local touched
  touched=$(LD_DEBUG=libs,files "$@" 2>&1 | sed "s|$torch/lib||g" | grep -F -e "$build/" -e "$source/" || true)
  [[ -z "$touched" ]] || fail "$* looks into the build or the source tree: $touched"
}

quietly "$cmake" --install "$build" --prefix "$folder/first"
mv "$folder/first" "$folder/prefix"  # nothing may depend on where it was
prefix="$folder/prefix"
lib="$(dirname "$(find "$prefix" -name libtoolformer_c.so)")"

# Nothing points back to the build or the source tree; libtorch may lie there.
while read -r file; do
  ! readelf -d "$file" | grep -E 'R(UN)?PATH' | sed "s|$torch/lib||g" | grep -E "$build|$source" || fail "$file looks for libraries in the build"
done < <(find "$prefix" -name '*.so*' -type f; find "$prefix/libexec" -type f)
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

# The program in C of the README, as it stands, on a small model with room for a tool's examples.
first_program "$source/README.md" c >"$folder/readme.c"
quietly cc -std=c11 -Wall -Wextra -Werror "$folder/readme.c" -o "$folder/readme" -I "$prefix/include" -L "$lib" -ltoolformer_c "-Wl,-rpath,$lib"
expect "model.gguf" "$folder/readme"
cp -r "$source/tests/fixtures/models/llama_gqa" "$folder/model.gguf"
sed -i 's/"max_position_embeddings": [0-9]*/"max_position_embeddings": 4096/' "$folder/model.gguf/config.json"
(cd "$folder" && OMP_NUM_THREADS=1 ./readme >readme.output && [[ -s readme.output ]]) || fail "the program in C of README.md prints nothing"
touches_nothing "$folder/consumer/build/consumer_c"
touches_nothing "$folder/consumer/build/consumer_cc"
touches_nothing "$folder/plain"

# The program: libtorch where it was built, where the environment variable says, beside the libraries, and nowhere.
program="$prefix/bin/toolformer"
expect 0.1.0 "$program" --version
touches_nothing "$program" --version
mkdir "$folder/links" && ln -s "$program" "$folder/links/toolformer"
expect 0.1.0 "$folder/links/toolformer" --version
expect 0.1.0 env TOOLFORMER_TORCH_DIR="$torch" "$program" --version
expect 0.1.0 env TOOLFORMER_TORCH_DIR="$torch/lib" "$program" --version
expect "has no libtorch_cpu.so; let it name the folder of libtorch 2." env TOOLFORMER_TORCH_DIR="$folder" "$program" --version
# An installation whose libtorch is not there any more: all that names that folder names another of the same length. (The C library
# has its own test, tests/capi/loading.sh.)
elsewhere=$(printf '%s' "$torch/lib" | sed 's|[^/]|x|g')
cp -r "$prefix" "$folder/astray"
find "$folder/astray" \( -path '*/bin/*' -o -path '*/libexec/*' -o -name '*.so*' \) -type f -exec sed -i "s|$torch/lib|$elsewhere|g" {} +
astray="$folder/astray/bin/toolformer" astray_lib="$folder/astray${lib#"$prefix"}"
expect "libtorch was not found; let the environment variable TOOLFORMER_TORCH_DIR name the folder of libtorch 2." "$astray" --version
expect 0.1.0 env TOOLFORMER_TORCH_DIR="$torch" "$astray" --version
expect 0.1.0 env LD_LIBRARY_PATH="$torch/lib" "$astray" --version
mkdir -p "$astray_lib/libtorch" && ln -s "$torch/lib" "$astray_lib/libtorch/lib"
expect 0.1.0 "$astray" --version
rm -r "$astray_lib/libtorch"
ln -s "$torch"/lib/*.so* "$astray_lib/"
expect 0.1.0 "$astray" --version

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

# The .deb is installed, used and removed, and leaves nothing: in a folder of its own, whose dpkg knows the packages that the system
# has, so that what the .deb depends on is checked.
root="$folder/root" unprivileged=()
mkdir -p "$root/var/lib/dpkg/"{info,updates,triggers}
cp /var/lib/dpkg/status "$root/var/lib/dpkg/status"
(( $(id -u) == 0 )) || unprivileged=(--force-not-root)
mkdir "$folder/bin" && printf '#!/bin/sh\n' >"$folder/bin/ldconfig" && chmod +x "$folder/bin/ldconfig"  # the system's cache is not ours
package() { quietly env PATH="$folder/bin:$PATH" dpkg "${unprivileged[@]}" --force-script-chrootless --root="$root" --log="$folder/dpkg.log" "$@"; }
files_of "$root" >"$folder/before"
package --install "${deb[0]}"
expect "install ok installed" dpkg-query --admindir="$root/var/lib/dpkg" -W -f '${Status}' toolformer
root_lib="$(dirname "$(find "$root/usr" -name libtoolformer_c.so)")"
for example in c/convert.c cpp/convert.cc cpp/quickstart.cc; do
  [[ -s "$root/usr/share/doc/toolformer/examples/$example" ]] || fail "the package has no examples/$example"
done
quietly cc -std=c11 "$root/usr/share/doc/toolformer/examples/c/convert.c" -o "$folder/from_deb" -I "$root/usr/include" -L "$root_lib" -ltoolformer_c
model="$source/tests/fixtures/models/llama_gqa"
expect "without calls:" env LD_LIBRARY_PATH="$root_lib" "$folder/from_deb" "$model"
expect 0.1.0 "$root/usr/bin/toolformer" --version
expect "[" "$root/usr/bin/toolformer" tokenize --model "$model" <<<"A word."
package --remove toolformer
package --purge toolformer
diff <(grep -v '^./var/lib/dpkg' "$folder/before" || true) <(files_of "$root" | grep -v '^./var/lib/dpkg' || true) || fail "removing the package leaves files (above)"
[[ ! -e "$root/usr/include/toolformer_c.h" ]] || fail "removing the package leaves the header"
# The same in the system itself, where that is asked for.
if [[ "${TOOLFORMER_TEST_DEB:-0}" == 1 ]]; then
  quietly dpkg --install "${deb[0]}"
  quietly cc -std=c11 /usr/share/doc/toolformer/examples/c/convert.c -o "$folder/from_deb" -ltoolformer_c
  expect "without calls:" "$folder/from_deb" "$model"
  expect 0.1.0 /usr/bin/toolformer --version
  quietly dpkg --remove toolformer
  [[ ! -e /usr/include/toolformer_c.h && ! -e /usr/bin/toolformer && ! -e /usr/share/doc/toolformer ]] || fail "removing the package leaves files"
fi
echo "install.sh: passed"
