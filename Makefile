# Shortcuts: `make` lists them. What they run is in scripts/, and a machine that has the dependencies needs only
# `cmake --preset release && cmake --build --preset release`.
.DEFAULT_GOAL := help
.PHONY: help setup build demo test format check lint asan tsan bench clean

help:
	@echo 'make demo     install what is missing, build, annotate a small corpus with a small model (start here)'
	@echo 'make test     install what is missing, build, run all the tests'
	@echo ''
	@echo 'make setup    install what is missing: Debian packages, and libtorch and a model into .deps/'
	@echo 'make build    build everything into build/release'
	@echo 'make asan     the tests under AddressSanitizer and UndefinedBehaviorSanitizer'
	@echo 'make tsan     the tests under ThreadSanitizer'
	@echo 'make bench    measure against transformers, llama.cpp, Xapian and others (docs/benchmarks.md); ONLY=decode25,load for some'
	@echo 'make format   format the C++ sources'
	@echo 'make check    formatting and rules of the sources, no build'
	@echo 'make lint     clang-tidy over the sources (minutes)'
	@echo 'make clean    remove build/ and demo-output/; .deps/ (libtorch, models) stays'

setup:
	@scripts/setup.sh demo

build: setup
	@scripts/build.sh release

demo: setup
	@scripts/build.sh release toolformer_cli
	@scripts/demo.sh

test:
	@scripts/setup.sh test
	@scripts/test.sh release

asan:
	@scripts/setup.sh test
	@scripts/test.sh asan

tsan:
	@scripts/setup.sh test
	@scripts/test.sh tsan

bench:
	@scripts/setup.sh bench
	@scripts/build.sh release toolformer_bench search_bench
	@python3 bench/bench.py $(if $(ONLY),--only $(ONLY)) $(BENCH_FLAGS)

format:
	@scripts/setup.sh dev
	@git ls-files --cached --others --exclude-standard '*.h' '*.cc' | xargs -r clang-format -i

check:
	@scripts/setup.sh dev
	@scripts/check.sh

lint:
	@scripts/setup.sh dev
	@scripts/lint.sh

clean:
	@rm -rf build demo-output
