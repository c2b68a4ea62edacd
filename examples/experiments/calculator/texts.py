"""The texts of the experiment: prose with numbers, none of it from the test sets.

Reads the public files as they are published and writes JSON lines {"id", "text"}.
"""

import gzip
import json
import random
import re

# "48/2 = <<48/2=24>>24": an equation in prose with the mark that GSM8K adds for calculators.
EQUATION = re.compile("(?:[\\d.,/*+\\-x\u00d7\u00f7()$%\\s]*=\\s*)?(\\$?)<<[^=<>]*=[^<>]*>>")
# What is left of an equation whose result is given as its own reason.
CIRCULAR = re.compile(r"(\d+)\D{0,6} because \$?\1\b")
NUMBER = re.compile(r"\d[\d.,]*")


def open_text(path):
    if str(path).endswith(".gz"):
        return gzip.open(path, "rt", encoding="utf-8")
    return open(path, encoding="utf-8")


def read_json_lines(path):
    with open_text(path) as lines:
        for number, line in enumerate(lines, 1):
            try:
                yield json.loads(line)
            except ValueError as error:
                raise SystemExit(f"{path}: line {number} is not JSON ({error}); the file may not be whole") from None


def gsm8k_prose(row):
    """The question and its worked solution as prose: each equation is replaced by its result, with the marks. None
    where that leaves no prose (an equation without a mark, a number that explains itself)."""
    body = row["answer"].partition("####")[0]
    if not EQUATION.search(body):
        return None
    body = EQUATION.sub(lambda match: " " + match.group(1), body)
    lines = [re.sub(r"[ \t]+", " ", line).strip() for line in body.split("\n")]
    lines = [line if line[-1] in ".!?" else line + "." for line in lines if line]
    text = " ".join([row["question"].strip()] + lines)
    return None if "=" in text or CIRCULAR.search(text) else text


def gsm8k_texts(path, seed):
    """[(id, text)] in an order of its own, decided by the seed."""
    texts = []
    for index, row in enumerate(read_json_lines(path)):
        text = gsm8k_prose(row)
        if text is not None:
            texts.append((f"gsm8k-{index}", text))
    random.Random(seed).shuffle(texts)
    return texts


def paragraphs(path, name):
    """[(id, paragraph)] of the texts of a file of JSON lines: those of 40 to 200 words that are prose, no lists of
    numbers."""
    for index, row in enumerate(read_json_lines(path)):
        for part, paragraph in enumerate(re.split(r"\n+", row.get("text", ""))):
            paragraph = " ".join(paragraph.split())
            words = paragraph.count(" ") + 1
            if 40 <= words <= 200 and len(NUMBER.findall(paragraph)) * 6 <= words:
                yield f"{name}-{row.get('id', index)}-{part}", paragraph


def write_json_lines(path, texts):
    part = path.with_name(path.name + ".part")
    with open(part, "w", encoding="utf-8") as out:
        for identity, text in texts:
            out.write(json.dumps({"id": identity, "text": text}, ensure_ascii=False) + "\n")
    part.replace(path)
