#!/usr/bin/env python3
"""Makes examples/data/search/digitalgov.jsonl.gz, what the small index of the demo is built of: posts of digital.gov (CC0).

    scripts/make_search_corpus.py [DATA] [--megabytes N] [--out FILE]

DATA is a folder with text/digitalgov.jsonl.gz. Whole posts of 80 to 1,200 words, blanks and line breaks made single and entities
decoded, as many as fit, chosen by the hash of their address and written in the order of their dates. Posts that the demo annotates are
left out: a search for a text must not find the text itself.
"""
import argparse
import gzip
import hashlib
import html
import io
import json
import os

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def single_blanks(text):
    return " ".join(html.unescape(text).split())


def packed(posts):
    buffer = io.BytesIO()
    with gzip.GzipFile(fileobj=buffer, mode="wb", compresslevel=9, mtime=0) as out:
        for post in sorted(posts, key=lambda post: post["url"]):
            out.write((json.dumps(post, ensure_ascii=False) + "\n").encode())
    return buffer.getvalue()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", nargs="?", metavar="DATA", default=os.path.join(ROOT, "..", "shared", "data"))
    parser.add_argument("--megabytes", type=float, default=1.2, metavar="N", help="of the packed file, at most (default: 1.2)")
    parser.add_argument("--out", default=os.path.join(ROOT, "examples/data/search/digitalgov.jsonl.gz"), metavar="FILE")
    options = parser.parse_args()
    with open(os.path.join(ROOT, "examples/data/demo.jsonl"), encoding="utf-8") as lines:
        annotated = {json.loads(line).get("url") for line in lines}
    posts = []
    with gzip.open(os.path.join(options.data, "text/digitalgov.jsonl.gz"), "rt", encoding="utf-8") as lines:
        for line in lines:
            post = json.loads(line)
            text = single_blanks(post["text"])
            if 80 <= len(text.split()) <= 1200 and post["url"] not in annotated:
                posts.append({"id": post["url"].rstrip("/").rsplit("/", 1)[-1], "title": single_blanks(post["title"]),
                              "url": post["url"], "text": text})
    posts.sort(key=lambda post: hashlib.sha256(post["url"].encode()).digest())
    fit, too_many = 0, len(posts) + 1  # packed sizes are not sums: the largest number that fits is looked for
    while too_many - fit > 1:
        middle = (fit + too_many) // 2
        if len(packed(posts[:middle])) <= options.megabytes * 1e6:
            fit = middle
        else:
            too_many = middle
    os.makedirs(os.path.dirname(options.out), exist_ok=True)
    with open(options.out, "wb") as out:
        out.write(packed(posts[:fit]))
    print(f"{options.out}: {fit} posts, {os.path.getsize(options.out):,} bytes")


if __name__ == "__main__":
    main()
