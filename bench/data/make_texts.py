#!/usr/bin/env python3
"""Makes bench/data/texts.jsonl and long.jsonl from two freely redistributable sets: GSM8K (train) and posts of digital.gov.

    bench/data/make_texts.py DATA WORKER MODEL

DATA is a folder with eval/gsm8k/train.jsonl.gz and text/digitalgov.jsonl.gz; WORKER the built toolformer_bench; MODEL a model
whose tokenizer counts (SmolLM2-135M). The choice is by the criteria below and by nothing else, so the same data give the
same files.

  texts.jsonl  40 texts of 60 to 250 tokens with at least three numbers, five of each eighth of that range. GSM8K: question
               and worked solution as one paragraph, without its <<...>> marks; digital.gov: a paragraph of running text.
               Sources take turns where both have texts of that length.
  long.jsonl   5 posts of digital.gov of 1,100 to 1,600 tokens in plain ASCII with at least eight numbers: running text is kept,
               headings and lists are left out.

Among equals the order is that of a hash of the id.
"""
import argparse
import hashlib
import json
import os
import re
import sys

BENCH = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path[:0] = [BENCH, os.path.join(os.path.dirname(BENCH), "scripts")]
import make_demo_corpus as corpus  # noqa: E402
from driver.workers import Worker  # noqa: E402

SHORTEST, LONGEST, BINS, A_BIN = 60, 250, 8, 5
NUMBER = re.compile(r"\d[\d,.]*")
LICENCES = {"GSM8K train": "MIT", "digital.gov": "CC0-1.0"}


def shuffled(records):
    return sorted(records, key=lambda record: hashlib.sha256(record["id"].encode()).digest())


def gsm8k(folder):
    import gzip

    with gzip.open(os.path.join(folder, "eval/gsm8k/train.jsonl.gz"), "rt", encoding="utf-8") as lines:
        for index, line in enumerate(lines):
            record = json.loads(line)
            made = corpus.gsm8k_paragraph(record["question"], record["answer"])
            if made:
                yield {"id": f"gsm8k-train-{index}", "text": made[0], "source": "GSM8K train"}


def posts(folder):
    """Paragraphs of running text by post, in the order of the post."""
    corpus.MIN_TOKENS, corpus.MAX_TOKENS = 20, 400
    by_post = {}
    for post, _, index, text in corpus.digitalgov_paragraphs(folder):
        path = post["url"].split("digital.gov/")[-1].strip("/").replace("/", "-")
        by_post.setdefault(f"digitalgov-{path}", []).append((index, text, post["url"]))
    return by_post


def count_tokens(worker, records):
    counted = []
    for first in range(0, len(records), 500):
        part = records[first:first + 500]
        ids = worker.ask("encode", texts=[record["text"] for record in part])["ids"]
        counted += [{**record, "tokens": len(of_text)} for record, of_text in zip(part, ids)]
    return counted


def choose_texts(sources):
    """Five of each bin, the sources in turns; of one post at most one."""
    chosen, posts_used = [], set()
    for number in range(BINS):
        low = SHORTEST + (LONGEST + 1 - SHORTEST) * number // BINS
        high = SHORTEST + (LONGEST + 1 - SHORTEST) * (number + 1) // BINS
        queues = [[record for record in source if low <= record["tokens"] < high] for source in sources]
        taken = 0
        while taken < A_BIN and any(queues):
            queue = queues[taken % 2] or queues[(taken + 1) % 2]
            record = queue.pop(0)
            post = record["id"].rsplit("-", 1)[0] if record["id"].startswith("digitalgov") else record["id"]
            if post not in posts_used:
                posts_used.add(post)
                chosen.append(record)
                taken += 1
    return chosen


def write(path, records):
    with open(path, "w", encoding="utf-8") as out:
        for record in records:
            out.write(json.dumps({**record, "licence": LICENCES[record["source"]]}, ensure_ascii=False) + "\n")
    print(f"{path}: {len(records)} texts of {min(r['tokens'] for r in records)} to {max(r['tokens'] for r in records)} tokens")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data")
    parser.add_argument("worker")
    parser.add_argument("model")
    options = parser.parse_args()
    by_post = posts(options.data)
    paragraphs = [{"id": f"{post}-{index}", "text": text, "url": url, "source": "digital.gov"}
                  for post, parts in by_post.items() for index, text, url in parts]
    whole = [{"id": post, "text": "\n\n".join(text for _, text, _ in parts), "url": parts[0][2], "source": "digital.gov"}
             for post, parts in by_post.items()]
    with Worker("worker", [options.worker, "--model", options.model, "--tokenizer-only"]) as worker:
        sources = []
        for records in (list(gsm8k(options.data)), paragraphs):
            numbered = [record for record in records if len(NUMBER.findall(record["text"])) >= 3]
            sources.append(shuffled(count_tokens(worker, numbered)))
        texts = choose_texts(sources)
        long = count_tokens(worker, [record for record in whole if record["text"].isascii() and len(record["text"]) > 4000])
    long = [record for record in shuffled(long) if 1100 <= record["tokens"] <= 1600
            and len(NUMBER.findall(record["text"][:4000])) >= 8][:5]
    write(os.path.join(BENCH, "data/texts.jsonl"), sorted(texts, key=lambda record: record["tokens"]))
    write(os.path.join(BENCH, "data/long.jsonl"), long)


if __name__ == "__main__":
    main()
