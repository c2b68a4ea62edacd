"""Scoring and decoding: tokens a second."""
from driver.rows import row
from driver.session import in_turn
from driver.workers import WorkerError

PEER, LLAMA, INT8 = "transformers", "llama.cpp", "ours:int8"
WINDOW = 512  # tokens of a scored sequence, start token included
SGEMM_SHAPES = [[512, 1536, 3072], [1024, 1024, 1024], [1024, 4096, 4096], [2048, 2048, 2048], [512, 576, 49152],
                [4096, 576, 1536]]


def long_ids(session, result, tokens):
    """The first `tokens` ids of each of the long texts."""
    texts = [text["text"] for text in session.texts("long.jsonl")]
    return [ids[:tokens] for ids in session.worker("ours", result).ask("encode", texts=texts)["ids"]]


# Scoring ------------------------------------------------------------------------------------------------------------


def score_settings(session):
    return {"dtype": "float32", "window": WINDOW, "texts": "long.jsonl", "tokens_a_text": 2 * (WINDOW - 1), "peer_batch": 2,
            "rounds": session.options.rounds or 5}


def run_score(session, result):
    settings = result.settings
    ids = sum(long_ids(session, result, settings["tokens_a_text"]), [])

    def work(side):
        worker = session.worker(side, result)
        command = {"window": settings["window"], "batch": settings["peer_batch"]}
        if session.first_time(side, "score"):
            worker.ask("score", ids=ids[:2 * (settings["window"] - 1)], **command)
        return worker.ask("score", ids=ids, **command)

    for round_number in range(settings["rounds"]):
        in_turn(session, result, ["ours", PEER], "long texts", round_number, work)
        in_turn(session, result, ["sgemm"], "torch.mm", round_number,
                lambda _: session.worker(PEER, result).ask("sgemm", shapes=SGEMM_SHAPES, rounds=4))
    if result.get("arithmetic", "model") is None:
        result.add("arithmetic", "model", **session.worker("ours", result).ask("arithmetic"))


def tokens_a_second(result, side, group=None):
    return max((sample["tokens"] / sample["seconds"] for sample in result.of(side, group)), default=None)


def score_rows(result):
    ours, theirs = tokens_a_second(result, "ours"), tokens_a_second(result, PEER)
    arithmetic = result.get("arithmetic", "model")
    peak = result.best("sgemm", "flops_per_second", largest=True)
    entries = [row(f"scoring, windows of {result.settings['window']}", ours, theirs, peer=PEER, unit="tokens/s", target=1.3)]
    if result.of("ours") and result.of(PEER):
        a, b = result.of("ours")[0], result.of(PEER)[0]
        entries[0]["note"] = (f"nats a token: ours {a['nats'] / a['tokens']:.6f}, "
                              f"transformers {b['nats'] / b['tokens']:.6f}")
    if ours and arithmetic and peak:
        # A multiplication and an addition for every weight of a matrix; in attention, two products of the query's width
        # with half a window of keys on average.
        a_token = 2 * arithmetic["matrix_weights"] + 4 * arithmetic["query_width"] * (result.settings["window"] + 1) / 2
        entries.append(row("scoring, part of the sgemm peak", ours * a_token / 1e9, peak / 1e9, peer="torch.mm, best of shapes",
                           unit="GFLOP/s", target=0.8, percent=True,
                           note=f"{a_token / 1e6:.0f} MFLOP a token: 2 for each weight in a matrix (the embedding once, as output "
                                "projection), and attention"))
    return entries


def score_bars(result):
    return {"unit": "tokens a second", "bars": [(side, tokens_a_second(result, side)) for side in ("ours", PEER)]}


# Decoding -----------------------------------------------------------------------------------------------------------


def decode_settings(rows, prefix, tokens, dtype="float32"):
    return lambda session: {"rows": rows, "prefix_tokens": prefix, "tokens_a_row": tokens, "dtype": dtype,
                            "rounds": session.options.rounds or 5}


def decode_runner(sides):
    def run(session, result):
        settings = result.settings
        try:
            prefix = long_ids(session, result, settings["prefix_tokens"])[0]
        except WorkerError as error:
            result.unavailable("ours", str(error))
            session.say(f"  not available: {error}")
            return
        command = {"prefix": prefix, "rows": settings["rows"]}

        def work(side):
            worker = session.worker(side, result)
            if session.first_time(side, result.name):
                worker.ask("decode", tokens=4, **command)
            return worker.ask("decode", tokens=settings["tokens_a_row"], **command)

        for round_number in range(settings["rounds"]):
            in_turn(session, result, sides, f"{settings['rows']} rows", round_number, work)
    return run


def whole_rate(result, side):
    """Generated tokens a second, the reading of the prefix included."""
    seconds = result.best(side, "seconds")
    return result.settings["rows"] * result.settings["tokens_a_row"] / seconds if seconds else None


def step_rate(result, side):
    """Generated tokens a second after the first, which comes of the reading."""
    best = min((sample["seconds"] - sample["prefill_seconds"] for sample in result.of(side)), default=None)
    return result.settings["rows"] * (result.settings["tokens_a_row"] - 1) / best if best and best > 0 else None


def agreement(result, side, peer):
    """How many of the greedy tokens are the same from the first on."""
    if not result.of(side) or not result.of(peer):
        return None
    ours, theirs = result.of(side)[0]["ids"], result.of(peer)[0]["ids"]
    same = next((index for index, pair in enumerate(zip(ours, theirs)) if pair[0] != pair[1]), len(ours))
    return f"the first {same} of {len(ours)} greedy tokens are those of {peer}" if same < len(ours) else f"the tokens are those of {peer}"


def decode25_rows(result):
    s = result.settings
    title = f"decode, {s['rows']} rows over {s['prefix_tokens']} tokens"
    return [row(f"{title}, with reading them", whole_rate(result, "ours"), whole_rate(result, PEER), peer=PEER, unit="tokens/s",
                target=5.0, note=agreement(result, "ours", PEER)),
            row(f"{title}, without", step_rate(result, "ours"), step_rate(result, PEER), peer=PEER, unit="tokens/s")]


def decode1_rows(result):
    ours = step_rate(result, "ours")
    return [row("decode, 1 row", ours, step_rate(result, PEER), peer=PEER, unit="tokens/s", target=1.4,
                note=agreement(result, "ours", PEER)),
            row("decode, 1 row", ours, step_rate(result, LLAMA), peer="llama.cpp, quantised weights", unit="tokens/s")]


def int8_rows(result):
    return [row("decode, 1 row, int8 weights", step_rate(result, INT8), step_rate(result, LLAMA),
                peer="llama.cpp, quantised weights", unit="tokens/s", target=0.8,
                note=result.data["unavailable"].get(INT8) or agreement(result, INT8, LLAMA))]


def decode_bars(sides, rate):
    names = {INT8: "ours, int8"}
    return lambda result: {"unit": "tokens a second", "bars": [(names.get(side, side), rate(result, side)) for side in sides]}
