#!/usr/bin/env bash
# scripts/test.sh PRESET [CTEST ARGUMENT...]: builds with a preset and runs all the tests.
# For the presets asan and tsan it sets what the sanitizers need beside libtorch and OpenMP.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
preset="${1:?usage: scripts/test.sh PRESET [CTEST ARGUMENT...]}"
shift
parallel=$(nproc)  # before OMP_NUM_THREADS, which nproc takes for its answer
scripts/build.sh "$preset"

launch=()
case "$preset" in
  asan)
    checks=detect_leaks=1:strict_string_checks=1:detect_stack_use_after_return=1:check_initialization_order=1
    export ASAN_OPTIONS="${ASAN_OPTIONS:-$checks}"
    export UBSAN_OPTIONS="${UBSAN_OPTIONS:-print_stacktrace=1:halt_on_error=1}"
    ;;
  tsan)
    # libgomp and libtorch are not instrumented, so their locks are not seen: OpenMP runs on one thread, and what happens
    # inside those libraries is ignored. The threads of the project's own code are checked in full.
    export OMP_NUM_THREADS=1 MKL_NUM_THREADS=1
    export TSAN_OPTIONS="${TSAN_OPTIONS:-allocator_may_return_null=1:ignore_noninstrumented_modules=1:halt_on_error=1:second_deadlock_stack=1}"
    # ThreadSanitizer of GCC 12 cannot place its shadow where the kernel randomises addresses widely.
    if setarch -R true 2>/dev/null; then launch=(setarch -R); fi
    ;;
esac
# Most tests keep to one core most of the time, so they run beside each other; threads that wait leave the cores to others.
export OMP_WAIT_POLICY="${OMP_WAIT_POLICY:-passive}"
exec ${launch[@]+"${launch[@]}"} ctest --preset "$preset" --timeout 1800 --parallel "$parallel" "$@"
