"""Annotation: texts a second, ours and transformers' on the same texts, prompt and settings."""
from driver.rows import row
from driver.session import in_turn
from driver.workers import WorkerError

# Ours samples as the peer does, the whole call freely; "constrained" is the library's default, which feeds name and
# parenthesis and so gets a call out of nearly every sample.
OURS, CONSTRAINED, PEER = "ours", "ours, constrained", "transformers"
MOST_CHECKED = 12  # calls whose losses the peer computes too


def spread(texts, count):
    """`count` of the texts, evenly over the list."""
    count = min(count, len(texts))
    return [texts[(2 * index + 1) * len(texts) // (2 * count)] for index in range(count)]


def settings(session, k, m, texts, group_size):
    chosen = spread(session.texts("texts.jsonl"), session.options.texts or texts)
    return {"k": k, "m": m, "tau_s": 0.0, "tau_f": 0.5, "max_call_tokens": 32, "dtype": "float32", "group_size": group_size,
            "texts": [text["id"] for text in chosen]}


def groups_of(ids, size):
    """Groups with about the same lengths in each: of a list by length every n-th."""
    count = -(-len(ids) // size)
    return [ids[first::count] for first in range(count)]


def annotate(session, result, side, texts):
    """One group on one side: the sample's numbers, and the answer."""
    worker = session.worker(PEER if side == PEER else "ours", result)
    command = {"k": result.settings["k"], "m": result.settings["m"]}
    if side == PEER:
        command["prompt"] = session.worker("ours", result).ask("prompt")
    else:
        command["constrain_syntax"] = side == CONSTRAINED
    if session.first_time(side, "annotate"):
        worker.ask("annotate", **{**command, "k": 2, "m": 2, "texts": texts[:1]})
    answer = worker.ask("annotate", texts=texts, **command)
    totals = {field: sum(text.get(field, 0) for text in answer["texts"])
              for field in ("tokens", "positions", "samples", "candidates", "kept")}
    return {"seconds": answer["seconds"], "texts": len(texts), **totals}, answer


def check_losses(session, result, texts):
    """The largest difference between our losses and the peer's for the same calls."""
    _, answer = annotate(session, result, CONSTRAINED, texts)
    worst, checked = 0.0, 0
    for text, annotated in zip(texts, answer["texts"]):
        calls = annotated.get("calls", [])[:MOST_CHECKED - checked]
        if not calls:
            continue
        theirs = session.worker(PEER, result).ask("losses", text=text, calls=calls)["losses"]
        for call, (empty, with_result) in zip(calls, theirs):
            worst = max(worst, abs(call["empty"] - empty), abs(call["with_result"] - with_result))
        checked += len(calls)
    return {"calls": checked, "largest_difference_nats": worst}


def run(session, result):
    texts = {text["id"]: text["text"] for text in session.texts("texts.jsonl")}
    groups = groups_of(result.settings["texts"], result.settings["group_size"])
    for index, ids in enumerate(groups):
        group = [texts[name] for name in ids]
        label = f"group {index + 1} of {len(groups)}"
        sides = [OURS, CONSTRAINED, PEER] if index % 2 == 0 else [PEER, CONSTRAINED, OURS]
        in_turn(session, result, sides, label, 0, lambda side: annotate(session, result, side, group)[0])
    if result.get("check", "losses") is None and PEER not in result.data["unavailable"]:
        try:
            result.add("check", "losses", **check_losses(session, result, [texts[name] for name in groups[0][:3]]))
        except WorkerError as error:
            session.say(f"  losses not compared: {error}")


def rate(result, side, peer):
    """Texts a second over the groups that both sides have done."""
    groups = {sample["group"] for sample in result.of(peer)}
    samples = [sample for sample in result.of(side) if sample["group"] in groups or not groups]
    seconds = sum(sample["seconds"] for sample in samples)
    return sum(sample["texts"] for sample in samples) / seconds if seconds else None


def rows_with_target(target):
    def rows(result):
        k, m = result.settings["k"], result.settings["m"]
        # A run that was interrupted has done some groups only.
        done = {sample["group"] for sample in result.of(PEER)}
        texts = sum(sample["texts"] for sample in result.of(OURS) if sample["group"] in done) or len(result.settings["texts"])
        title = f"annotation, k={k} m={m}, {texts} text{'s' if texts > 1 else ''}"
        theirs = rate(result, PEER, OURS)
        entries = [row(title, rate(result, OURS, PEER), theirs, peer=PEER, unit="texts/s", target=target),
                   row(f"{title}, constrained syntax", rate(result, CONSTRAINED, PEER), theirs, peer=PEER, unit="texts/s")]
        check = result.get("check", "losses")
        if check:
            entries[0]["note"] = (f"losses of {check['calls']} calls differ from transformers' by at most "
                                  f"{check['largest_difference_nats']:.1e} nats")
        return entries
    return rows


def bars(result):
    names = {OURS: "ours", CONSTRAINED: "ours, constrained syntax", PEER: PEER}
    return {"unit": "texts a second", "bars": [(names[side], rate(result, side, PEER)) for side in (OURS, CONSTRAINED, PEER)]}
