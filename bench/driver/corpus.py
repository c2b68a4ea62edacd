"""A few MB of English without repeats, of what is on every machine that can run the benchmarks: the texts of the
benchmarks, licences, and what the standard library of Python says of itself."""
import ast
import json
import os
import re
import sysconfig

LICENCES = "/usr/share/common-licenses"
LEFT_OUT = {"site-packages", "dist-packages", "test", "tests", "idlelib", "lib2to3", "__pycache__"}
SHORTEST, LONGEST = 80, 8000  # characters of a document


def docstrings(folder):
    for root, folders, files in os.walk(folder):
        folders[:] = sorted(set(folders) - LEFT_OUT)
        for name in sorted(files):
            if not name.endswith(".py"):
                continue
            try:
                with open(os.path.join(root, name), "rb") as file:
                    tree = ast.parse(file.read())
            except (OSError, SyntaxError, ValueError):
                continue
            for node in ast.walk(tree):
                if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
                    yield ast.get_docstring(node) or ""


def sources(data):
    for name in ("texts.jsonl", "long.jsonl"):
        with open(os.path.join(data, name), encoding="utf-8") as lines:
            for line in lines:
                yield json.loads(line)["text"]
    if os.path.isdir(LICENCES):
        for name in sorted(os.listdir(LICENCES)):
            with open(os.path.join(LICENCES, name), encoding="utf-8", errors="replace") as file:
                yield file.read()
    try:
        from pydoc_data import topics

        yield from topics.topics.values()
    except ImportError:
        pass
    library = sysconfig.get_paths()["stdlib"]
    yield from docstrings(library)
    # libtorch comes as a Python package that documents itself.
    yield from docstrings(os.path.join(os.path.dirname(os.path.dirname(data)), ".deps", "python", "torch"))


def assemble(data):
    """Documents of at most LONGEST characters; no paragraph occurs twice."""
    seen, documents = set(), []
    for text in sources(data):
        kept, size = [], 0
        for paragraph in re.split(r"\n\s*\n", text):
            if paragraph in seen or not paragraph.strip():
                continue
            seen.add(paragraph)
            if size + len(paragraph) > LONGEST and kept:
                documents.append("\n\n".join(kept))
                kept, size = [], 0
            kept.append(paragraph)
            size += len(paragraph) + 2
        documents.append("\n\n".join(kept))
    return [document for document in documents if len(document) >= SHORTEST]
