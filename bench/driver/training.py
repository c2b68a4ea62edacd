"""Fine-tuning: tokens a second of a step, all weights learning."""
import os

from driver.rows import row
from driver.session import in_turn

PEER = "transformers"


def settings(session):
    return {"dtype": "float32", "texts": "texts.jsonl", "sequences": 8, "steps": 3, "learning_rate": 1e-5,
            "rounds": session.options.rounds or 3}


def run(session, result):
    chosen = result.settings
    texts = [text["text"] for text in session.texts(chosen["texts"])][:chosen["sequences"]]
    ids = session.worker("ours", result).ask("encode", texts=texts)["ids"]

    def work(side):
        # A process of its own: what training holds is not there when others are measured. Ours reads the model for it.
        command = session.command(side) + (["--tokenizer-only"] if side == "ours" else [])
        with session.start(side, command) as worker:
            answer = worker.ask("train", sequences=ids, steps=chosen["steps"], learning_rate=chosen["learning_rate"],
                                folder=os.path.join(session.options.scratch, "training"))
            # The first step also makes the moments.
            answer["seconds"] = min(answer["step_seconds"][1:])
            answer["peak_bytes"] = worker.ask("memory")["peak_bytes"]
            return answer

    for round_number in range(chosen["rounds"]):
        in_turn(session, result, ["ours", PEER], "a step", round_number, work)


def rate(result, side):
    return max((sample["tokens"] / sample["seconds"] for sample in result.of(side)), default=None)


def rows(result):
    ours, theirs = result.of("ours"), result.of(PEER)
    entries = [row("fine-tuning, a step", rate(result, "ours"), rate(result, PEER), peer=PEER, unit="tokens/s", target=1.5)]
    if ours and theirs:
        a, b = ours[0]["losses"][-1], theirs[0]["losses"][-1]
        entries[0]["note"] = f"loss of the last step: ours {a:.6f}, transformers {b:.6f}"
        entries.append(row("fine-tuning, peak memory", min(s["peak_bytes"] for s in ours) / 1e6,
                           min(s["peak_bytes"] for s in theirs) / 1e6, peer=PEER, unit="MB", at_most=True))
    return entries


def bars(result):
    return {"unit": "tokens a second of fine-tuning", "bars": [(side, rate(result, side)) for side in ("ours", PEER)]}
