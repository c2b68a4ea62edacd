#!/usr/bin/env python3
"""transformers at the work of bench/toolformer_bench.cc. Float32 on the CPU, the tokenizer and model of one GGUF file.

    transformers_worker.py --model PATH.gguf|FOLDER [--threads N] [--tokenizer FOLDER]

With --tokenizer only that tokenizer.json is loaded, by Hugging Face tokenizers.
"""
import argparse
import array
import json
import os
import time
import zlib

import protocol


def load_model(path):
    import torch
    import transformers
    from transformers import AutoModelForCausalLM, AutoTokenizer

    transformers.utils.logging.disable_progress_bar()
    where = {"pretrained_model_name_or_path": path}
    if path.endswith(".gguf"):
        where = {"pretrained_model_name_or_path": os.path.dirname(path) or ".", "gguf_file": os.path.basename(path)}
    begin = time.perf_counter()  # the imports are not counted as loading
    tokenizer = AutoTokenizer.from_pretrained(**where)
    model = AutoModelForCausalLM.from_pretrained(**where, dtype=torch.float32).eval()
    facts = {"model_seconds": time.perf_counter() - begin, "torch_threads": torch.get_num_threads(),
             "versions": {"torch": torch.__version__, "transformers": transformers.__version__}}
    return {"model": model, "tokenizer": tokenizer}, facts


def annotate(state, command):
    from annotate import Annotator

    annotator = Annotator(state["model"], state["tokenizer"], command["prompt"])
    texts, begin = [], time.perf_counter()
    for text in command["texts"]:
        texts.append(annotator.annotate(text, command["k"], command["m"], 0.5, 32))
    return {"seconds": time.perf_counter() - begin, "texts": texts}


def losses(state, command):
    """[empty, with result] of each case, to be compared with ours."""
    from annotate import Annotator

    annotator = Annotator(state["model"], state["tokenizer"], {})
    x = annotator.encode(command["text"])
    rows = []
    for case in command["calls"]:
        empty, _, with_result = annotator.loss_rows(x, case["position"], case["call"], case["result"])
        rows += [empty, with_result]
    values = annotator.losses(rows)
    return {"losses": [values[index:index + 2] for index in range(0, len(values), 2)]}


def score(state, command):
    """Log-probability of every id; windows of the same length as ours, each behind a start token, in batches."""
    import torch

    model, tokenizer = state["model"], state["tokenizer"]
    start = tokenizer.eos_token_id if tokenizer.bos_token_id is None else tokenizer.bos_token_id
    ids, content = command["ids"], command["window"] - 1
    windows = [ids[first:first + content] for first in range(0, len(ids), content)]
    nats, begin = 0.0, time.perf_counter()
    with torch.no_grad():
        for first in range(0, len(windows), command["batch"]):
            batch = torch.tensor([window for window in windows[first:first + command["batch"]]])
            inputs = torch.cat([torch.full((len(batch), 1), start), batch[:, :-1]], dim=1)
            logits = model(input_ids=inputs, use_cache=False).logits
            nats -= logits.log_softmax(-1).gather(-1, batch.unsqueeze(-1)).sum(dtype=torch.float64).item()
    return {"seconds": time.perf_counter() - begin, "tokens": len(ids), "nats": nats}


def decode(state, command):
    """`rows` greedy continuations of one prefix by `generate`; the prefill alone is timed as one of a single token."""
    import torch

    model, tokenizer = state["model"], state["tokenizer"]
    ids = torch.tensor([command["prefix"]] * command["rows"])
    mask = torch.ones_like(ids)

    def run(tokens):
        begin = time.perf_counter()
        with torch.no_grad():
            written = model.generate(input_ids=ids, attention_mask=mask, do_sample=False, max_new_tokens=tokens, min_new_tokens=tokens,
                                     pad_token_id=tokenizer.eos_token_id)
        return time.perf_counter() - begin, written[:, ids.shape[1]:]

    prefill_seconds, _ = run(1)
    seconds, written = run(command["tokens"])
    return {"seconds": seconds, "prefill_seconds": prefill_seconds, "ids": written[0].tolist(),
            "rows_are_equal": bool((written == written[0]).all())}


def train(state, command):
    """Steps of AdamW on one padded batch, as a trainer makes them; the fused optimizer is torch's fastest here."""
    import torch

    model, tokenizer = state["model"], state["tokenizer"]
    start = tokenizer.eos_token_id if tokenizer.bos_token_id is None else tokenizer.bos_token_id
    sequences = [[start] + ids for ids in command["sequences"]]
    width = max(map(len, sequences))
    ids, mask = torch.zeros(len(sequences), width, dtype=torch.long), torch.zeros(len(sequences), width, dtype=torch.long)
    for index, sequence in enumerate(sequences):
        ids[index, :len(sequence)] = torch.tensor(sequence)
        mask[index, :len(sequence)] = 1
    labels = ids.masked_fill(mask == 0, -100)
    model.train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=command["learning_rate"], weight_decay=0.0, fused=True)
    seconds, losses = [], []
    for _ in range(command["steps"]):
        begin = time.perf_counter()
        optimizer.zero_grad(set_to_none=True)
        loss = model(input_ids=ids, attention_mask=mask, labels=labels, use_cache=False).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        losses.append(loss.item())
        seconds.append(time.perf_counter() - begin)
    return {"step_seconds": seconds, "losses": losses, "tokens": sum(len(sequence) - 1 for sequence in sequences)}


def sgemm(_state, command):
    """The best float32 rate of torch.mm on this machine, in floating-point operations a second."""
    import torch

    best, shape_of_best = 0.0, None
    for m, k, n in command["shapes"]:
        a, b = torch.randn(m, k), torch.randn(k, n)
        out = torch.empty(m, n)
        torch.mm(a, b, out=out)
        for _ in range(command["rounds"]):
            begin = time.perf_counter()
            torch.mm(a, b, out=out)
            rate = 2 * m * k * n / (time.perf_counter() - begin)
            if rate > best:
                best, shape_of_best = rate, [m, k, n]
    return {"flops_per_second": best, "shape": shape_of_best}


def save_tokenizer(state, command):
    state["tokenizer"].save_pretrained(command["folder"])
    return {}


def load_tokenizer(folder):
    # One thread, as asked of both sides; set before the library looks at it.
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    import tokenizers

    tokenizer = tokenizers.Tokenizer.from_file(os.path.join(folder, "tokenizer.json"))
    return {"fast": tokenizer}, {"versions": {"tokenizers": tokenizers.__version__}}


def encode_file(state, command):
    """Every line, a JSON string, encoded for itself. The batch call without offsets is the library's fastest."""
    with open(command["file"], encoding="utf-8") as lines:
        documents = [json.loads(line) for line in lines]
    begin = time.perf_counter()
    encodings = state["fast"].encode_batch_fast(documents, add_special_tokens=False)
    seconds = time.perf_counter() - begin
    ids = [array.array("i", encoding.ids) for encoding in encodings]
    return {"seconds": seconds, "bytes": sum(len(document.encode()) for document in documents),
            "tokens": sum(map(len, ids)), "crc32": [zlib.crc32(document.tobytes()) for document in ids]}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model")
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--tokenizer")
    options = parser.parse_args()

    def load():
        if options.tokenizer:
            return load_tokenizer(options.tokenizer)
        if options.threads:
            import torch

            torch.set_num_threads(options.threads)
        return load_model(options.model)

    protocol.serve(load, {"annotate": annotate, "losses": losses, "score": score, "decode": decode, "train": train, "sgemm": sgemm,
                          "save_tokenizer": save_tokenizer, "encode_file": encode_file, "memory": protocol.peak_memory})


if __name__ == "__main__":
    main()
