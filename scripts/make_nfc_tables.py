#!/usr/bin/env python3
"""Writes src/text/tokenizer_nfc_tables.cc from the Unicode data of this Python (unicodedata)."""
import os
import sys
import unicodedata

OUT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "src", "text", "tokenizer_nfc_tables.cc")


def wrap(cells):
    lines, line = [], "   "
    for cell in cells:
        if len(line) + 1 + len(cell) > 120:
            lines.append(line)
            line = "   "
        line += " " + cell
    return "\n".join(lines + [line])


def main():
    classes, decompositions = [], []
    for code in range(sys.maxunicode + 1):
        char = chr(code)
        ccc = unicodedata.combining(char)
        if ccc:
            if classes and classes[-1][1] == code - 1 and classes[-1][2] == ccc:
                classes[-1][1] = code
            else:
                classes.append([code, code, ccc])
        parts = unicodedata.decomposition(char).split()
        if not parts or parts[0].startswith("<"):
            continue
        first, second = int(parts[0], 16), int(parts[1], 16) if len(parts) == 2 else 0
        composes = second and unicodedata.normalize("NFC", chr(first) + chr(second)) == char
        decompositions.append((code, first, second, 1 if composes else 0))
    with open(OUT, "w", encoding="utf-8") as out:
        out.write(f"""// Written by scripts/make_nfc_tables.py from Unicode {unicodedata.unidata_version}; change that instead.
#include "src/text/tokenizer_nfc_tables.h"

namespace toolformer {{

// clang-format off
const CombiningRange kCombiningRanges[] = {{
{wrap("{%#x,%#x,%d}," % tuple(c) for c in classes)}
}};
const size_t kCombiningRangeCount = {len(classes)};

const CanonicalDecomposition kCanonicalDecompositions[] = {{
{wrap("{%#x,%#x,%#x,%d}," % d for d in decompositions)}
}};
const size_t kCanonicalDecompositionCount = {len(decompositions)};
// clang-format on

}}  // namespace toolformer
""")


main()
