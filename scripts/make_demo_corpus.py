#!/usr/bin/env python3
"""Makes examples/data/demo.jsonl from two freely redistributable sets: GSM8K (train) and posts of digital.gov.

    scripts/make_demo_corpus.py [DATA] [--count N] [--out FILE]

DATA is a folder with eval/gsm8k/train.jsonl.gz and text/digitalgov.jsonl.gz. The choice is by the criteria below and by
nothing else, so the same data give the same file; a larger --count gives a larger pool that begins with the same texts.

What makes a text useful here: it states a number or a date that cannot be copied from what stands before it, but that a
calculator or a calendar can supply.
  calculation (45 % of the texts)  GSM8K: question and worked solution as one paragraph, only where every marked calculation
              is right. Half or more of its results are the outcome of one + - * / on two numbers that stand earlier in the
              text, and are not in the text before. Ranked by how hard these results are to guess (864 is harder than 350,
              3,000 counts for nothing). The four operations take turns.
  date        (45 %)  digital.gov: the paragraph states the date, the weekday or the year of its own post, or dates a few
              days from it with the right weekday. Ranked by how much of the post's own date it states.
  quantity    (the rest)  digital.gov: a number is the sum, difference, product, quotient or percentage of two earlier
              ones, among at most eight numbers. Ranked by how hard that number is to guess.
"""
import argparse
import ast
import datetime
import gzip
import html
import json
import operator
import os
import re
import sys

WEEKDAYS = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split()
MONTHS = "January February March April May June July August September October November December".split()
OPERATIONS = {ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv}
NUMBER = re.compile(r"(?<![\w.])\d[\d,]*(?:\.\d+)?")
MIN_TOKENS, MAX_TOKENS = 60, 110  # short: the demo is watched on two cores
# Read, and left out.
LEFT_OUT = {
    # A relation of its numbers holds by chance.
    "digitalgov-2016-07-05-trends-on-tuesday-iot-connected-devices-expected-to-surpass-mobile-phones-by-2018-3",
    "gsm8k-train-3644",  # a slip of the pen
}


def estimated_tokens(text):
    """Pieces of a tokenizer that takes digits one at a time; words count by length."""
    return sum(1 + len(piece) // 8 if piece.isalpha() else 1 for piece in re.findall(r"\d|[^\W\d_]+|[^\w\s]", text))


def value_of(number):
    return float(number.replace(",", ""))


def evaluate(expression):
    """The value of an expression of + - * / over numbers, or None."""

    def walk(node):
        if isinstance(node, ast.Constant) and isinstance(node.value, (int, float)):
            return node.value
        if isinstance(node, ast.BinOp) and type(node.op) in OPERATIONS:
            return OPERATIONS[type(node.op)](walk(node.left), walk(node.right))
        raise ValueError

    try:
        return walk(ast.parse(expression.strip(), mode="eval").body)
    except (SyntaxError, ValueError, ZeroDivisionError):
        return None


def hardness(number):
    """How hard a number is to guess: 0 for 40 or 3,000, 1 for 350 or 7.5, 2 for 144 or 24.75."""
    digits = number.replace(",", "")
    significant = digits.replace(".", "").strip("0") if "." in digits else digits.rstrip("0")
    return 2 if len(significant) >= 3 else int(len(digits) >= 3 and len(significant) == 2)


# GSM8K --------------------------------------------------------------------------------------------------------------


# Typing slips of the set: signs after the amount, doubled words, half-written expressions, sentences run together.
GSM8K_SLIPS = re.compile(r"\d\$|\$ |\.\.|\s[.,;?]|[^\x20-\x7e]|[<>\[\]{}_~]|%\d|\b(\w+) \1\b|=\s*[A-Za-z]|\?[A-Za-z]"
                         r"|[a-z]\.[A-Z]|:\.|/[a-z]|[a-z]/|\b(is|are|was|were|made|makes|pays|be) =|\d [a-z]{1,2} \d")


def gsm8k_paragraph(question, answer):
    """Question and solution as prose and the marked calculations, or None when it does not read as prose."""
    lines = [" ".join(line.split()) for line in answer.split("\n") if not line.startswith("####")]
    calculations = []
    sentences = []
    for line in lines:
        for mark in re.findall(r"<<([^>]*)>>", line):
            left, _, right = mark.rpartition("=")
            computed, stated = evaluate(left), evaluate(right)
            if computed is None or stated is None or "/" in right or abs(computed - stated) > 1e-9:
                return None
            calculations.append((left, right))
        line = re.sub(r"<<[^>]*>>", "", line)
        # 48+24=72 and 48 + 24 = 72 both occur; the spaced form reads as text.
        line = re.sub(r"[\d$.,%()+*/x \-]*\d[\d$.,%()+*/x \-]*=",
                      lambda run: re.sub(r"\s*([+*/=x]|(?<=[\d%) ])-(?=[\d$( ]))\s*", r" \1 ", run.group()), line)
        line = re.sub(r" {2,}", " ", re.sub(r"=\s*(?=[\d$])", "= ", line)).strip()
        if not re.match(r"[A-Z].*\w", line):
            return None
        sentences.append(line if line[-1] in ".!" else line + ".")
    text = " ".join(question.split()) + " " + " ".join(sentences)
    if GSM8K_SLIPS.search(text):
        return None
    if text.count("(") != text.count(")") or any(len(re.findall("[a-z]{2,}", s)) < 4 for s in sentences):
        return None
    return text, calculations


def gsm8k_score(text, calculations):
    """(how many of the calculations a calculator helps with, how hard they are, the operation of the first of them)."""
    useful, hard, first, after = 0, 0, None, 0
    for left, right in calculations:
        parts = re.fullmatch(r"([\d.]+)([+\-*/])([\d.]+)", left.replace(" ", ""))
        shown = re.compile(r"(?<![\d.,])" + re.escape(right) + r"(?![\d,]|\.\d)")
        plain = text.replace(",", "")
        place = plain.find("= ", after)
        result = shown.search(plain, place) if place >= 0 else None
        if not parts or not result:
            continue
        after = result.end()
        stated = {value_of(n) for n in NUMBER.findall(plain[:result.start()])}
        if float(right) not in stated and hardness(right) and {float(parts[1]), float(parts[3])} <= stated:
            useful += 1
            hard += hardness(right)
            first = first or parts[2]
    return useful, hard, first


def gsm8k_texts(folder):
    chosen = {sign: [] for sign in "+-*/"}
    with gzip.open(os.path.join(folder, "eval/gsm8k/train.jsonl.gz"), "rt", encoding="utf-8") as lines:
        for index, line in enumerate(lines):
            record = json.loads(line)
            made = gsm8k_paragraph(record["question"], record["answer"])
            if not made or not MIN_TOKENS <= estimated_tokens(made[0]) <= MAX_TOKENS:
                continue
            useful, hard, first = gsm8k_score(*made)
            if useful and useful * 2 >= len(made[1]) and f"gsm8k-train-{index}" not in LEFT_OUT:
                chosen[first].append((-hard, index, made[0]))
    queues = [sorted(chosen[sign]) for sign in "+-*/"]
    for turn in range(max(map(len, queues))):
        for queue in queues:
            if turn < len(queue):
                yield {"id": f"gsm8k-train-{queue[turn][1]}", "text": queue[turn][2], "source": "GSM8K train, MIT"}


# digital.gov --------------------------------------------------------------------------------------------------------


# What is left of markup, of lists and of removed links.
MARKUP = re.compile(r"https?:|www\.|[<>|@{}\[\]*_#=\\]|[a-z]{2}[.!?][A-Z]|\s[.,;:?!)]|\(\s*\)|\bSlide\b|^Note:|\(?\b[A-Z]\)"
                    r"|\s-\s.*\s-\s|[a-z][A-Z][a-z]+[A-Z]")
REFERS_TO_THE_PAGE = re.compile(r"\b(link|click here|sign up here|register here|(pictured|see|shown) (below|above)"
                                r"|screenshot|photo|image)\b", re.I)


def digitalgov_paragraphs(folder):
    """(post, its date, number of the paragraph, paragraph) for what reads as a clean paragraph of running text."""
    seen = set()
    with gzip.open(os.path.join(folder, "text/digitalgov.jsonl.gz"), "rt", encoding="utf-8") as lines:
        for line in lines:
            post = json.loads(line)
            date = datetime.date.fromisoformat(post["date"])
            for index, block in enumerate(re.split(r"\n\s*\n", post["text"])):
                # The set has entities without their #: "&8217;".
                text = re.sub(r"&#?(\d{2,5});", lambda code: chr(int(code.group(1))), block)
                text = html.unescape(text).translate(str.maketrans("\u2018\u2019\u201c\u201d\u00a0", "''\"\" "))
                rows = [row.strip() for row in text.split("\n") if row.strip()]
                if any(row[-1] not in ".!?\"')" for row in rows):
                    continue  # a heading or a list
                text = " ".join(" ".join(rows).split())
                if text in seen or not MIN_TOKENS <= estimated_tokens(text) <= MAX_TOKENS:
                    continue
                seen.add(text)
                if reads_clean(text):
                    yield post, date, index, text


def reads_clean(text):
    if not re.match(r"[\"']?[A-Z]", text) or not re.search(r"[.!?][\"')]*$", text):
        return False
    if MARKUP.search(text) or REFERS_TO_THE_PAGE.search(text):
        return False
    sentences = len(re.findall(r"[.!?](?=\s|$)", text))
    return sentences >= 2 and text.count("(") == text.count(")") and text.count('"') % 2 == 0


def date_score(text, date):
    """How much of the post's own date the text states, and that could not be copied from earlier in the text."""
    weekday, month = WEEKDAYS[date.weekday()], MONTHS[date.month - 1]
    score = 0
    if re.search(rf"\b([Tt]oday|[Tt]his)\b.{{0,12}}\b{weekday}\b|\b{weekday}\b,? {month} {date.day}\b", text):
        score += 6
    elif re.search(rf"\b{month} {date.day}(?!\d)", text):
        score += 4
    now = r"\b([Tt]oday|[Tt]his (year|month|week|summer|fall|spring|winter)|[Ss]o far|[Aa]s of|now)\b"
    if re.search(rf"{now}.{{0,50}}\b({date.year}|{month})\b", text):
        score += 3
    stated = re.finditer(rf"\b({'|'.join(WEEKDAYS)}),? (?:the )?({'|'.join(MONTHS)}) "
                         r"(\d{1,2})(?:st|nd|rd|th)?(?:, (\d{4}))?", text)
    for weekday_name, month_name, day, year in (match.groups() for match in stated):
        try:
            other = datetime.date(int(year or date.year), MONTHS.index(month_name) + 1, int(day))
        except ValueError:
            continue
        if WEEKDAYS[other.weekday()] != weekday_name:
            return 0  # a slip of the post, or a date of another year
        if abs((other - date).days) <= 14:
            score += 3  # a date that follows from today's
    if re.search(rf"\b(in|of|for|since|early|late|{'|'.join(MONTHS)}) {date.year}\b", text):
        score += 1
    if score and re.search(r"\b([Tt]oday|[Tt]omorrow|[Yy]esterday|[Tt]his (year|month|week|morning|weekend))\b", text):
        score += 1
    return score


def relation(text):
    """The most telling number that is the outcome of one operation on two earlier numbers: its score, or 0."""
    numbers = []
    for match in NUMBER.finditer(text):
        number = match.group().rstrip(",")
        follows = text[match.start() + len(number):][:12]
        scale = next((factor for word, factor in ((" million", 1e6), (" billion", 1e9)) if follows.startswith(word)), 1)
        percent = bool(re.match(r"%| percent", follows))
        year = re.fullmatch(r"(19|20)\d\d", number) is not None
        before = text[:match.start()]
        part_of_name = (re.match(r"[A-Za-z]|[-/:.]\d|-| ?\u2013| to \d", follows)
                        or re.search(r"[-/:#\u2013] ?$|\b\d[\d,.]* to $", before))
        ordinal = re.search(rf"\b({'|'.join(MONTHS)}) $", before) is not None
        if not (year or part_of_name or ordinal):
            numbers.append((value_of(number) * scale, percent, number))
    # Among many numbers some relation holds by chance.
    if not 3 <= len(numbers) <= 8:
        return 0
    best = 0
    for k, (c, c_percent, shown) in enumerate(numbers):
        if any(c == earlier for earlier, _, _ in numbers[:k]):
            continue
        for a, a_percent, _ in numbers[:k]:
            for b, b_percent, _ in numbers[:k]:
                if a == b or min(a, b) <= 1 or a_percent or b_percent:
                    continue
                if c_percent:
                    tolerance = 0.5 if c == int(c) else 0.06
                    part, growth = abs(a / b * 100 - c), abs((b - a) / a * 100 - c)
                    if min(a, b) >= 20 and (a < b and part < tolerance or growth < tolerance):
                        best = max(best, 4 + (c != int(c)))
                elif min(a, b, c) >= 3 and (abs(c - (a + b)) < 1e-6 or abs(c - (a - b)) < 1e-6):
                    best = max(best, 2 + hardness(shown))
                elif hardness(shown) and min(a, b) >= 11 and (c == a * b or abs(a / b - c) < 0.004 * c):
                    best = max(best, 3 + hardness(shown))
    return best


def digitalgov_texts(folder):
    """Two lists of records, by date and by quantity, best first."""
    dates, quantities = [], []
    for order, (post, date, index, text) in enumerate(digitalgov_paragraphs(folder)):
        path = post["url"].split("digital.gov/")[-1].strip("/").replace("/", "-")
        record = {"id": f"digitalgov-{path}-{index}", "text": text, "url": post["url"], "date": post["date"],
                  "source": "digital.gov, CC0"}
        if record["id"] in LEFT_OUT:
            continue
        by_date, by_quantity = date_score(text, date), relation(text)
        if by_quantity:
            quantities.append((-by_quantity, order, record))
        elif by_date >= 3:
            dates.append((-by_date, order, record))
    return one_a_post(dates), one_a_post(quantities)


def one_a_post(ranked):
    """The records, best first; of one post only the best paragraph."""
    urls = set()
    ranked = sorted(ranked, key=lambda entry: entry[:2])
    return [record for _, _, record in ranked if not (record["url"] in urls or urls.add(record["url"]))]


def main():
    root = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", nargs="?", default=os.path.join(root, "../shared/data"))
    parser.add_argument("--count", type=int, default=40, help="how many texts (default: 40)")
    parser.add_argument("--out", default=os.path.join(root, "examples/data/demo.jsonl"))
    options = parser.parse_args()
    if not os.path.isdir(options.data):
        sys.exit(f"{options.data}: no such folder; give the folder of the data sets as the first argument")

    dates, quantities = digitalgov_texts(options.data)
    calculations = list(gsm8k_texts(options.data))
    print(f"candidates: {len(calculations)} calculation, {len(dates)} date, {len(quantities)} quantity", file=sys.stderr)
    # In turns, so that a beginning of any length has the mixture.
    queues = {"c": iter(calculations), "d": iter(dates), "q": iter(quantities)}
    texts = []
    pattern = "cdcdqcdcdcdcdcdqcdcd"  # of 20: 9 calculation, 9 date, 2 quantity
    turn = 0
    while len(texts) < options.count and queues:
        record = next(queues.get(pattern[turn % len(pattern)], iter(())), None)
        if record is None:
            queues.pop(pattern[turn % len(pattern)], None)
        else:
            texts.append(record)
        turn += 1
    with open(options.out, "w", encoding="utf-8") as out:
        for record in texts:
            out.write(json.dumps(record, ensure_ascii=False) + "\n")
    print(f"{options.out}: {len(texts)} texts", file=sys.stderr)


if __name__ == "__main__":
    main()
