#!/usr/bin/env python3
"""The peers of search: an index of the same passages in bm25s, SQLite FTS5 or Xapian. Commands as bench/search_bench.cc has them:

    build   {"passages": PATH, "folder": F}: an index of the passages, JSON lines of title, text, terms
    open    {"folder": F}
    search  {"queries": [...], "limit": L}: seconds of each; every side fetches titles and texts of what it finds
    scores  {"passages": PATH, "queries": [[term, ...], ...], "limit": L}: bm25s alone, on terms that were made elsewhere
"""
import argparse
import json
import os
import re
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from protocol import serve  # noqa: E402

K1, B = 1.5, 0.75
# What our analyser leaves out: no side is asked for words that occur everywhere. bm25s has a list of its own.
STOP_WORDS = set("a an and are as at be but by for if in into is it no not of on or such that the their then there these they this to "
                 "was will with".split())


def words_of(query):
    return [word for word in re.findall(r"\w+", query) if word.lower() not in STOP_WORDS]


def passages(path):
    with open(path, encoding="utf-8") as lines:
        for line in lines:
            yield json.loads(line)


class Bm25s:
    def __init__(self):
        import bm25s
        import Stemmer
        self.bm25s, self.stemmer = bm25s, Stemmer.Stemmer("english")
        self.versions = {"bm25s": bm25s.__version__}

    def build(self, path, folder):
        texts = [passage["title"] + "\n" + passage["text"] for passage in passages(path)]
        tokens = self.bm25s.tokenize(texts, stopwords="en", stemmer=self.stemmer, show_progress=False)
        retriever = self.bm25s.BM25(method="lucene", k1=K1, b=B)
        retriever.index(tokens, show_progress=False)
        retriever.save(folder, corpus=texts)

    def open(self, folder):
        self.retriever = self.bm25s.BM25.load(folder, load_corpus=True, mmap=True)

    def search(self, query, limit):
        tokens = self.bm25s.tokenize(query, stopwords="en", stemmer=self.stemmer, show_progress=False)
        found, _ = self.retriever.retrieve(tokens, k=limit, show_progress=False)
        return [hit["text"] for hit in found[0]]

    def scores(self, path, queries, limit):
        """Numbers and scores of the best passages, every score computed."""
        import numpy
        retriever = self.bm25s.BM25(method="lucene", k1=K1, b=B)
        documents = [passage["terms"] for passage in passages(path)]
        known = {term for document in documents for term in document}
        retriever.index(documents, show_progress=False)
        results = []
        for query in queries:
            query = [term for term in query if term in known]
            of_query = retriever.get_scores(query) if query else numpy.zeros(len(documents))
            # Equal scores in the order of the passages.
            best = numpy.lexsort((numpy.arange(len(of_query)), -of_query))[:limit]
            results.append([[int(number), float(of_query[number])] for number in best if of_query[number] > 0])
        return results


class Sqlite:
    def __init__(self):
        import sqlite3
        self.sqlite3 = sqlite3
        self.versions = {"SQLite": sqlite3.sqlite_version}

    def build(self, path, folder):
        os.makedirs(folder, exist_ok=True)
        database = self.sqlite3.connect(os.path.join(folder, "fts.db"))
        database.execute("CREATE VIRTUAL TABLE passages USING fts5(title, text, tokenize='porter unicode61')")
        database.executemany("INSERT INTO passages VALUES (?, ?)", ((p["title"], p["text"]) for p in passages(path)))
        database.execute("INSERT INTO passages(passages) VALUES ('optimize')")
        database.commit()
        database.close()

    def open(self, folder):
        self.database = self.sqlite3.connect(os.path.join(folder, "fts.db"))
        self.database.execute("PRAGMA mmap_size = 4294967296")

    def search(self, query, limit):
        words = " OR ".join(f'"{word}"' for word in words_of(query))
        # Texts afterwards: the sorting would carry those of all matches along.
        best = self.database.execute("SELECT rowid FROM passages WHERE passages MATCH ? ORDER BY rank LIMIT ?", (words, limit)).fetchall()
        return [self.database.execute("SELECT title, text FROM passages WHERE rowid = ?", row).fetchone() for row in best]


class Xapian:
    def __init__(self):
        import xapian
        self.xapian = xapian
        self.versions = {"Xapian": xapian.version_string()}

    def build(self, path, folder):
        database = self.xapian.WritableDatabase(folder, self.xapian.DB_CREATE_OR_OVERWRITE)
        generator = self.xapian.TermGenerator()
        generator.set_stemmer(self.xapian.Stem("english"))
        for passage in passages(path):
            document = self.xapian.Document()
            generator.set_document(document)
            text = passage["title"] + "\n" + passage["text"]
            # No positions: nobody asks for phrases, and the index is less than half as large.
            generator.index_text_without_positions(text)
            document.set_data(text)
            database.add_document(document)
        database.close()

    def open(self, folder):
        self.database = self.xapian.Database(folder)
        self.parser = self.xapian.QueryParser()
        self.parser.set_stemmer(self.xapian.Stem("english"))
        self.parser.set_stemming_strategy(self.xapian.QueryParser.STEM_SOME)
        self.parser.set_database(self.database)
        self.enquire = self.xapian.Enquire(self.database)
        self.enquire.set_weighting_scheme(self.xapian.BM25Weight(K1, 0, 1, B, 0))

    def search(self, query, limit):
        self.enquire.set_query(self.parser.parse_query(" ".join(words_of(query)), 0))  # OR, no operators
        return [match.document.get_data() for match in self.enquire.get_mset(0, limit)]


ENGINES = {"bm25s": Bm25s, "sqlite": Sqlite, "xapian": Xapian}


def folder_bytes(folder):
    return sum(os.path.getsize(os.path.join(folder, name)) for name in os.listdir(folder))


def build(engine, command):
    begin = time.perf_counter()
    engine.build(command["passages"], command["folder"])
    return {"seconds": time.perf_counter() - begin, "index_bytes": folder_bytes(command["folder"])}


def open_index(engine, command):
    begin = time.perf_counter()
    engine.open(command["folder"])
    return {"seconds": time.perf_counter() - begin}


def search(engine, command):
    seconds, cpu_seconds, hits = [], [], 0
    for query in command["queries"]:
        cpu_begin, begin = time.thread_time(), time.perf_counter()
        hits += len(engine.search(query, command["limit"]))
        seconds.append(time.perf_counter() - begin)
        cpu_seconds.append(time.thread_time() - cpu_begin)
    return {"query_seconds": seconds, "query_cpu_seconds": cpu_seconds, "hits": hits}


def scores(engine, command):
    return {"results": engine.scores(command["passages"], command["queries"], command["limit"])}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--engine", choices=ENGINES, required=True)
    arguments = parser.parse_args()

    def load():
        engine = ENGINES[arguments.engine]()
        return engine, {"versions": engine.versions}

    serve(load, {"build": build, "open": open_index, "search": search, "scores": scores})


if __name__ == "__main__":
    main()
