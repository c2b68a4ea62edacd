#!/usr/bin/env python3
"""The program of examples/c/convert.c in Python.

    TOOLFORMER_LIBRARY=build/release/lib/libtoolformer_c.so PYTHONPATH=bindings/python/src convert.py MODEL.gguf
"""
import sys

import toolformer

# Name: factor in metres or grams, kind.
UNITS = {"km": (1000.0, "m"), "kilometers": (1000.0, "m"), "m": (1.0, "m"), "meters": (1.0, "m"), "miles": (1609.344, "m"),
         "feet": (0.3048, "m"), "kg": (1000.0, "g"), "kilograms": (1000.0, "g"), "pounds": (453.59237, "g"),
         "lbs": (453.59237, "g")}
EXAMPLES = [
    ("The race is 5 miles long, that is 8.05 km.",
     "The race is 5 miles long, that is [Convert(5 miles to km) -> 8.05] 8.05 km."),
    ("The bag weighs 20 kg, or 44.09 pounds.",
     "The bag weighs 20 kg, or [Convert(20 kg to pounds) -> 44.09] 44.09 pounds."),
    ("At 300 m, that is 984.25 feet, the tower is tall.",
     "At 300 m, that is [Convert(300 m to feet) -> 984.25] 984.25 feet, the tower is tall."),
]
TEXTS = [
    "A marathon is 26.2 miles long, that is 42.16 km.",
    "The suitcase weighs 23 kg, or 50.71 pounds, and is too heavy.",
    "The weather was fine and nobody wanted to go home.",
]
PROMPT = "The lake is 12 miles long, that is"


def is_number(text):
    return set(text) <= set("0123456789.") and text.count(".") <= 1 and text != "."


def convert(text):
    """'26.2 miles to km' -> '42.16'. The input is whatever the model wrote."""
    words = text.split()
    if len(text.encode()) >= 64 or len(words) != 4 or words[2] != "to" or not is_number(words[0]):
        raise ValueError("write it like this: 5 km to miles")
    source, target = UNITS.get(words[1]), UNITS.get(words[3])
    if source is None or target is None or source[1] != target[1]:
        raise ValueError("not units of one kind")
    return f"{float(words[0]) * source[0] / target[0]:.2f}"


def annotate(model, registry):
    annotator = toolformer.Annotator(model, registry, seed=1, max_call_tokens=24, exact_gains=True)
    for text in TEXTS:
        annotation = annotator.annotate(text)
        print(f"text: {annotation.augmented_text}")
        for call in annotation.calls:
            answer = f"error: {call['error']}" if call["result"] is None else \
                f"{call['result']}, gain {call['gain']:.3f}{', kept' if call['kept'] else ''}"
            print(f"  {call['tool']}({call['input']}) at {call['byte_offset']}: {answer}")


def complete(model, registry):
    generation = toolformer.Decoder(model, registry).decode(PROMPT, in_context=True, max_new_tokens=48)
    print(f"prompt: {PROMPT}")
    print(f"output:{generation.text}")
    print(f"without calls:{generation.plain_text}")
    for call in generation.calls:
        answer = f"error: {call['error']}" if call["result"] is None else call["result"]
        print(f"  {call['tool']}({call['input']}): {answer}")


def main():
    if len(sys.argv) != 2:
        sys.exit("usage: convert.py MODEL")
    try:
        model = toolformer.Model(sys.argv[1])
        registry = toolformer.Registry()
        registry.add("Convert", convert,
                     instruction='You can convert lengths and weights by writing "[Convert(number unit to unit)]". The units '
                                 "are km, m, miles, feet, kg and pounds.",
                     examples=EXAMPLES, input_characters="0123456789. abcdefghijklmnopqrstuvwxyz",
                     parameters={"tau_s": 0.0, "k": 3, "m": 2, "tau_f": 0.25}, returns_at_once=True,
                     free_of_side_effects=True)
        print(f"toolformer {toolformer.version()}")
        annotate(model, registry)
        complete(model, registry)
    except toolformer.Error as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
