#!/usr/bin/env python3
"""llama.cpp (by llama-cpp-python) at the decoding of bench/toolformer_bench.cc: one row, greedy, on the GGUF file as it is.

    llama_worker.py --model PATH.gguf [--threads N]
"""
import argparse
import time

import protocol


def load(path, threads):
    import llama_cpp
    import numpy

    model = llama_cpp.Llama(model_path=path, n_ctx=2048, n_batch=512, n_threads=threads, n_threads_batch=threads, verbose=False)
    return {"model": model, "llama_cpp": llama_cpp, "numpy": numpy}, {"versions": {"llama_cpp_python": llama_cpp.__version__}}


def decode(state, command):
    """Greedy tokens of one row; end tokens are not taken."""
    model, llama_cpp, numpy = state["model"], state["llama_cpp"], state["numpy"]
    if command["rows"] != 1:
        raise ValueError("one row only")
    vocabulary, end = model.n_vocab(), model.token_eos()

    def best():
        logits = numpy.ctypeslib.as_array(llama_cpp.llama_get_logits(model.ctx), shape=(vocabulary,))
        logits[end] = -numpy.inf
        return int(logits.argmax())

    model.reset()
    begin = time.perf_counter()
    model.eval(command["prefix"])
    written = [best()]
    prefill_seconds = time.perf_counter() - begin
    while len(written) < command["tokens"]:
        model.eval(written[-1:])
        written.append(best())
    return {"seconds": time.perf_counter() - begin, "prefill_seconds": prefill_seconds, "ids": written,
            "rows_are_equal": True}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", required=True)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    protocol.serve(lambda: load(options.model, options.threads), {"decode": decode, "memory": protocol.peak_memory})


if __name__ == "__main__":
    main()
