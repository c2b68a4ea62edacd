"""How time a text grows with its length and with k * m, and what it would be without sharing."""
from driver.rows import row
from driver.session import in_turn

LENGTHS = [64, 128, 256, 512, 1024]
K_AND_M = [(5, 1), (5, 5), (5, 10), (10, 10), (20, 10)]
TEXTS, NAIVE_TEXTS, TOKENS_OF_KM = 5, 2, 128
OURS, NAIVE = "ours", "naive"


def length_settings(session):
    return {"dtype": "float32", "k": 5, "m": 5, "lengths": LENGTHS, "texts": min(session.options.texts or TEXTS, TEXTS),
            "naive_texts": min(session.options.texts or NAIVE_TEXTS, NAIVE_TEXTS), "rounds": min(session.options.rounds or 2, 2)}


def km_settings(session):
    settings = length_settings(session)
    settings.update(lengths=[TOKENS_OF_KM], k_and_m=K_AND_M)
    del settings["k"], settings["m"]
    return settings


def points(settings):
    """(x, tokens of a text, k, m) of the curve."""
    if "k_and_m" in settings:
        return [(k * m, settings["lengths"][0], k, m) for k, m in settings["k_and_m"]]
    return [(length, length, settings["k"], settings["m"]) for length in settings["lengths"]]


def run(session, result):
    settings = result.settings
    whole = [text["text"] for text in session.texts("long.jsonl")][:settings["texts"]]
    for x, tokens, k, m in points(settings):
        worker = session.worker("ours", result)
        texts = [worker.ask("cut", text=text, tokens=tokens)["text"] for text in whole]

        def ours(_):
            if session.first_time(OURS, "annotate"):
                worker.ask("annotate", texts=texts[:1], k=2, m=2, constrain_syntax=True)
            answer = worker.ask("annotate", texts=texts, k=k, m=m, constrain_syntax=True)
            return {"seconds": answer["seconds"], "texts": len(texts),
                    "candidates": sum(text.get("candidates", 0) for text in answer["texts"])}

        def naive(_):
            answers = [worker.ask("naive", text=text, k=k, m=m, whole=False) for text in texts[:settings["naive_texts"]]]
            return {"seconds": sum(answer["seconds"] for answer in answers), "texts": len(answers), "composed": answers}

        for round_number in range(settings["rounds"]):
            in_turn(session, result, [OURS], x, round_number, ours)
        in_turn(session, result, [NAIVE], x, 0, naive)
    # The composed time of the cheapest point beside one in which every pass was run.
    x, tokens, k, m = points(settings)[0]
    if result.get("check", "naive") is None:
        worker = session.worker("ours", result)
        text = worker.ask("cut", text=whole[0], tokens=tokens)["text"]
        session.progress(f"{result.name}: the naive procedure in full at {x}")
        composed = worker.ask("naive", text=text, k=k, m=m, whole=False)["seconds"]
        result.add("check", "naive", x=x, composed_seconds=composed,
                   run_seconds=worker.ask("naive", text=text, k=k, m=m, whole=True)["seconds"])


def seconds_a_text(result, side, x):
    return min((sample["seconds"] / sample["texts"] for sample in result.of(side, x)), default=None)


def rows(result):
    entries = []
    for x, tokens, k, m in points(result.settings):
        ours, naive = seconds_a_text(result, OURS, x), seconds_a_text(result, NAIVE, x)
        entries.append(row(f"annotation, {tokens} tokens, k={k} m={m}", ours, naive, peer="naive", unit="s a text", is_time=True))
    check = result.get("check", "naive")
    if check:
        entries[0]["note"] = (f"naive times are composed of measured parts: {check['composed_seconds']:.1f} s where running every pass "
                              f"took {check['run_seconds']:.1f} s")
    return entries


def lines(result):
    by_length = "k_and_m" not in result.settings
    series = [(name, [(x, seconds_a_text(result, side, x)) for x, _, _, _ in points(result.settings)])
              for name, side in (("naive", NAIVE), ("ours", OURS))]
    return {"x": "tokens of the text" if by_length else "samples of a text (k * m)", "y": "seconds a text", "series": series}
