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
CIRCULAR = re.compile(r"because \$?[\d.,]+(?:\s|$)")
NUMBER = re.compile(r"\d[\d.,]*")
RESULT = re.compile("<<[^=<>]*=([^<>]*)>>")
# What is told, and the question that ends it.
STORY_AND_QUESTION = re.compile(r"(?s)(.*[.!])\s+([^.!?]*\?)$")


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


def prose_of(solution):
    """The sentences of a worked solution, a line each, without the equations."""
    lines = []
    for line in EQUATION.sub(lambda match: " " + match.group(1), solution).split("\n"):
        line = re.sub(r"[ \t]+", " ", line).strip()
        if line:
            lines.append(line if line[-1] in ".!?" else line + ".")
    return lines


def question_last(row):
    """A problem as a story that ends with its question: what is told, what the solution works out on the way, the
    question, and the answer, which is one operation away. (text, question without the answer, answer), or None where
    that leaves no prose: an equation without a mark, a number that explains itself, no question of its own, a last line
    that works out something else than the answer."""
    solution, _, answer = (part.strip() for part in row["answer"].partition("####"))
    lines = [line for line in solution.split("\n") if line.strip()]
    told = STORY_AND_QUESTION.match(row["question"].strip())
    marked = RESULT.findall(lines[-1])
    if not told or len(marked) != 1 or marked[0].strip() != answer:
        return None
    question = " ".join([told.group(1)] + prose_of("\n".join(lines[:-1])) + [told.group(2)])
    if "=" in " ".join(prose_of(solution)) or CIRCULAR.search(question):
        return None
    return f"{question} The answer is {answer}.", question, answer


def gsm8k_texts(path, seed):
    """[(id, text, question, answer)] in an order of its own, decided by the seed."""
    rows = ((f"gsm8k-{index}", question_last(row)) for index, row in enumerate(read_json_lines(path)))
    texts = [(identity, *text) for identity, text in rows if text is not None]
    random.Random(seed).shuffle(texts)
    return texts


def paragraphs(path, name, most_words=200):
    """[(id, paragraph)] of the texts of a file of JSON lines: those of 40 to `most_words` words that are prose, no
    lists of numbers."""
    for index, row in enumerate(read_json_lines(path)):
        for part, paragraph in enumerate(re.split(r"\n+", row.get("text", ""))):
            paragraph = " ".join(paragraph.split())
            words = paragraph.count(" ") + 1
            if 40 <= words <= most_words and len(NUMBER.findall(paragraph)) * 6 <= words:
                yield f"{name}-{row.get('id', index)}-{part}", paragraph


def sample(pairs, number, seed):
    """`number` of the pairs, the same for the same seed."""
    drawn = list(pairs)
    random.Random(seed).shuffle(drawn)
    return drawn[:number]


def unfinished(path):
    """What a file or folder is called until it is whole."""
    return path.with_name(path.name + ".part")


def write_whole(path, pieces):
    """A file of these texts, one after the other, which is there when it is whole and not before."""
    with open(unfinished(path), "w", encoding="utf-8") as out:
        out.writelines(pieces)
    unfinished(path).replace(path)


def write_json_lines(path, texts):
    write_whole(path, (json.dumps({"id": identity, "text": text}, ensure_ascii=False) + "\n" for identity, text in texts))


def write_problems(path, problems):
    """Problems in SVAMP's format."""
    rows = [{"ID": identity, "Body": "", "Question": question, "Answer": float(answer.replace(",", ""))}
            for identity, _, question, answer in problems]
    write_whole(path, [json.dumps(rows, ensure_ascii=False, indent=1) + "\n"])
