"""Loading, tokenizing and memory."""
import hashlib
import json
import os

from driver import corpus
from driver.annotation import spread
from driver.rows import row
from driver.session import BENCH, in_turn

PEER, TOKENIZERS = "transformers", "tokenizers"

# Loading ------------------------------------------------------------------------------------------------------------


def load_settings(session):
    return {"dtype": "float32", "rounds": min(session.options.rounds or 3, 3), "file_cache": "warm"}


def run_load(session, result):
    with open(session.options.model, "rb") as file:  # so that no side pays for the disk
        while file.read(1 << 24):
            pass

    def work(side):
        with session.start(side) as worker:
            result.data["versions"].update(worker.ready.get("versions", {}))
            # The imports of Python are not counted against the peer.
            seconds = worker.ready.get("model_seconds", worker.ready["load_seconds"])
            return {"seconds": seconds, "from_start_of_process": worker.start_seconds}

    for round_number in range(result.settings["rounds"]):
        in_turn(session, result, ["ours", PEER], "fresh process", round_number, work)


def load_rows(result):
    ours, theirs = result.best("ours", "seconds"), result.best(PEER, "seconds")
    starts = [result.best(side, "from_start_of_process") for side in ("ours", PEER)]
    note = None
    if ours and all(starts):
        note = f"from the start of the process ours takes {starts[0]:.2f} s, transformers {starts[1]:.2f} s"
    return [row("model load", ours, theirs, peer=PEER, unit="s", is_time=True, target=8.0, note=note)]


def load_bars(result):
    return {"unit": "seconds (less is better)", "bars": [(side, result.best(side, "seconds")) for side in ("ours", PEER)]}


# Tokenizing ---------------------------------------------------------------------------------------------------------


def tokenize_settings(session):
    session.corpus = corpus.assemble(os.path.join(BENCH, "data"))
    digest = hashlib.sha256("\0".join(session.corpus).encode()).hexdigest()[:16]
    return {"threads": 1, "documents": len(session.corpus), "bytes": sum(len(text.encode()) for text in session.corpus),
            "corpus": digest, "rounds": session.options.rounds or 5}


def saved_tokenizer(session, result):
    """A folder with the tokenizer.json of the model, made by transformers where it is not there."""
    name = os.path.splitext(os.path.basename(session.options.model))[0]
    folder = os.path.join(session.options.scratch, "tokenizer-" + name)
    if not os.path.exists(os.path.join(folder, "tokenizer.json")):
        session.worker(PEER, result).ask("save_tokenizer", folder=folder)
    return folder


def run_tokenize(session, result):
    path = os.path.join(session.options.scratch, "corpus.jsonl")
    with open(path, "w", encoding="utf-8") as out:
        out.writelines(json.dumps(text) + "\n" for text in session.corpus)
    workers = {}

    def start(side):
        if side == "ours":
            return session.start(side, [*session.command("ours"), "--tokenizer-only"])
        script = os.path.join(BENCH, "peers", "transformers_worker.py")
        return session.start(side, [session.options.peers_python, script, "--tokenizer", saved_tokenizer(session, result)])

    def work(side):
        if side not in workers:
            workers[side] = start(side)
            result.data["versions"].update(workers[side].ready.get("versions", {}))
        answer = workers[side].ask("encode_file", file=path)
        if result.get("ids", side) is None:
            result.add("ids", side, tokens=answer["tokens"], crc32=answer["crc32"])
        return {"seconds": answer["seconds"], "bytes": answer["bytes"]}

    try:
        for round_number in range(result.settings["rounds"]):
            in_turn(session, result, ["ours", TOKENIZERS], "corpus", round_number, work)
    finally:
        for worker in workers.values():
            worker.close()
        os.unlink(path)
    ours, theirs = result.get("ids", "ours"), result.get("ids", TOKENIZERS)
    if ours and theirs and result.get("check", "ids") is None:
        same = sum(a == b for a, b in zip(ours["crc32"], theirs["crc32"]))
        # The sums have said what they can.
        result.data["samples"] = [sample for sample in result.data["samples"] if sample["side"] != "ids"]
        result.add("check", "ids", documents=len(ours["crc32"]), equal=same, tokens=ours["tokens"])


def megabytes_a_second(result, side):
    return max((sample["bytes"] / sample["seconds"] / 1e6 for sample in result.of(side)), default=None)


def tokenize_rows(result):
    check = result.get("check", "ids")
    note = f"ids are equal in {check['equal']:,} of {check['documents']:,} documents ({check['tokens']:,} tokens)" if check else None
    return [row(f"tokenizer, one thread, {result.settings['bytes'] / 1e6:.1f} MB", megabytes_a_second(result, "ours"),
                megabytes_a_second(result, TOKENIZERS), peer=TOKENIZERS, unit="MB/s", target=2.0, note=note)]


def tokenize_bars(result):
    return {"unit": "MB a second, one thread", "bars": [(side, megabytes_a_second(result, side)) for side in ("ours", TOKENIZERS)]}


# Memory -------------------------------------------------------------------------------------------------------------


def memory_settings(session):
    chosen = spread(session.texts("texts.jsonl"), session.options.texts or 40)
    return {"dtype": "float32", "k": 5, "m": 5, "texts": [text["id"] for text in chosen], "batch": len(chosen)}


def run_memory(session, result):
    texts = {text["id"]: text["text"] for text in session.texts("texts.jsonl")}

    def work(_):
        with session.start("ours") as worker:
            loaded = worker.ask("memory")["peak_bytes"]
            answer = worker.ask("annotate", texts=[texts[name] for name in result.settings["texts"]], k=result.settings["k"],
                                m=result.settings["m"], constrain_syntax=True)
            return {"seconds": answer["seconds"], "peak_bytes": worker.ask("memory")["peak_bytes"], "peak_of_loading": loaded,
                    "weight_bytes": 4 * worker.ready["parameters"]}

    in_turn(session, result, ["ours"], "one batch", 0, work)


def memory_rows(result):
    sample = (result.of("ours") or [None])[0]
    if not sample:
        return [row("peak memory of annotation", None, None, at_most=True)]
    # 1.6 times the weights and 300 MB, as a multiple of the weights.
    bound = 1.6 + 300e6 / sample["weight_bytes"]
    return [row("peak memory of annotation", sample["peak_bytes"] / 1e6, sample["weight_bytes"] / 1e6, peer="float32 weights",
                unit="MB", target=bound, at_most=True,
                note=f"the target is 1.6x and 300 MB; loading alone peaks at {sample['peak_of_loading'] / 1e6:,.0f} MB")]


def memory_bars(result):
    sample = (result.of("ours") or [{}])[0]
    shown = [("float32 weights", "weight_bytes"), ("peak of loading", "peak_of_loading"), ("peak of annotation", "peak_bytes")]
    return {"unit": "MB (less is better)", "bars": [(name, sample[field] / 1e6 if field in sample else None) for name, field in shown]}
