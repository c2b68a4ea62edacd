"""A tool that is kept between calls: a line of JSON in, a line of JSON out."""
import json
import sys

NUMERALS = [(1000, "M"), (900, "CM"), (500, "D"), (400, "CD"), (100, "C"), (90, "XC"), (50, "L"), (40, "XL"), (10, "X"), (9, "IX"),
            (5, "V"), (4, "IV"), (1, "I")]


def roman(text):
    if not text.isascii() or not text.isdigit() or not 1 <= len(text) <= 4 or not 1 <= int(text) <= 3999:
        raise ValueError("not a whole number from 1 to 3999")
    number, out = int(text), ""
    for value, numeral in NUMERALS:
        while number >= value:
            number, out = number - value, out + numeral
    return out


for line in sys.stdin:
    try:
        answer = {"result": roman(json.loads(line)["input"])}
    except ValueError as error:
        answer = {"error": str(error)}
    print(json.dumps(answer), flush=True)
