"""Search: the speed of queries beside other engines on the same passages, and ranks and scores beside those of bm25s."""
import glob
import gzip
import hashlib
import json
import os
import random
import shutil

from driver.rows import row
from driver.session import BENCH, in_turn
from driver.workers import WorkerError

ROOT = os.path.dirname(BENCH)
DATA = os.path.join(ROOT, "..", "shared", "data")
PEERS = ["bm25s", "sqlite", "xapian"]
NAMES = {"ours": "ours", "bm25s": "bm25s", "sqlite": "SQLite FTS5", "xapian": "Xapian"}
MEDIAN_MS, P99_MS, SIZE = 5.0, 20.0, 1.2  # what is to be reached


def corpus():
    """Wikipedia where it lies beside the tree, else the texts that the project ships."""
    wikipedia = sorted(glob.glob(os.path.join(DATA, "wikipedia", "*.jsonl.gz")))
    return wikipedia or sorted(glob.glob(os.path.join(ROOT, "examples", "data", "search", "*.jsonl.gz")))


def start(session, side):
    if side == "ours":
        command = [os.path.join(os.path.dirname(os.path.abspath(session.options.worker)), "search_bench")]
    else:
        # Debian's module of Xapian is its own Python's.
        python = "/usr/bin/python3" if side == "xapian" else session.options.peers_python
        command = [python, os.path.join(BENCH, "peers", "search_worker.py"), "--engine", side]
    return session.start(side, command)


def files_settings(files):
    return {"files": [os.path.basename(path) for path in files], "bytes": sum(os.path.getsize(path) for path in files)}


def scratch(session, settings):
    """Indexes are kept between runs: building one takes longer than all queries."""
    key = hashlib.sha256(json.dumps([settings["files"], settings["bytes"]]).encode()).hexdigest()[:12]
    folder = os.path.join(session.options.scratch, "search-" + key)
    os.makedirs(folder, exist_ok=True)
    return folder


class Engines:
    """The workers with their indexes, started and built when first asked for."""

    def __init__(self, session, result, files, folder):
        self._session, self._result, self._files, self._folder = session, result, files, folder
        self._workers = {}
        self.passages = os.path.join(folder, "passages.jsonl")

    def worker(self, side):
        if side not in self._workers:
            self._workers[side] = start(self._session, side)
            self._result.data["versions"].update(self._workers[side].ready.get("versions", {}))
            self._build(side)
        return self._workers[side]

    def close(self):
        for worker in self._workers.values():
            worker.close()

    def _build(self, side):
        worker, folder = self._workers[side], os.path.join(self._folder, side)
        facts = folder + ".json"
        if not os.path.exists(facts):
            self._session.progress(f"{side}: building the index")
            shutil.rmtree(folder, ignore_errors=True)
            source = {"files": self._files} if side == "ours" else {"passages": self.passages}
            built = worker.ask("build", folder=folder, **source)
            with open(facts + ".partial", "w", encoding="utf-8") as out:
                json.dump(built, out)
            os.replace(facts + ".partial", facts)
        with open(facts, encoding="utf-8") as stored:
            built = json.load(stored)
        if self._result.get(side, "build") is None:
            self._result.add(side, "build", **{"build_seconds" if k == "seconds" else k: v for k, v in built.items()})
        opened = worker.ask("open", folder=folder)
        if self._result.get(side, "open") is None:
            self._result.add(side, "open", open_seconds=opened["seconds"])
        if side == "ours" and not os.path.exists(self.passages):
            worker.ask("dump", out=self.passages + ".partial", folder=folder)
            os.replace(self.passages + ".partial", self.passages)


def read_lines(path):
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def queries_of(passages_path, count):
    """What a model writes: titles, titles with a few words of the text, and questions where there are any at hand."""
    draw = random.Random(5)
    questions = os.path.join(DATA, "eval", "nq_open", "NQ-open.dev.jsonl.gz")
    queries = []
    if os.path.exists(questions):
        queries = [line["question"] for line in draw.sample(read_lines(questions), count // 2)]
    with open(passages_path, encoding="utf-8") as lines:
        drawn = draw.sample(lines.readlines(), count - len(queries))
    for line in drawn:
        passage = json.loads(line)
        words = passage["text"].split()
        queries.append(" ".join([passage["title"], *draw.sample(words, min(len(words), draw.choice([0, 1, 2, 4])))]))
    draw.shuffle(queries)
    return queries


def part(values, share):
    """The value that `share` of them are at most, in milliseconds."""
    values = sorted(values)
    return 1e3 * values[min(len(values) - 1, int(share * len(values)))]


# Speed --------------------------------------------------------------------------------------------------------------


def speed_settings(session):
    session.search_files = corpus()
    return {"model": "no model", **files_settings(session.search_files), "queries": 100, "limit": 10, "threads": 1,
            "rounds": session.options.rounds or 5}


def run_speed(session, result):
    settings = result.settings
    engines = Engines(session, result, session.search_files, scratch(session, settings))
    try:
        engines.worker("ours")
        queries = queries_of(engines.passages, settings["queries"])

        def work(side):
            worker = engines.worker(side)
            if session.first_time(side, result.name):
                worker.ask("search", queries=queries, limit=settings["limit"])
            answer = worker.ask("search", queries=queries, limit=settings["limit"])
            numbers = {"seconds": sum(answer["query_seconds"])}
            for name, values in (("", answer["query_seconds"]), ("cpu_", answer["query_cpu_seconds"])):
                numbers.update({name + "median_ms": part(values, 0.5), name + "p99_ms": part(values, 0.99)})
            return numbers

        for round_number in range(settings["rounds"]):
            in_turn(session, result, ["ours", *PEERS], "queries", round_number, work)
    finally:
        engines.close()


def speed_rows(result):
    """By the processor's time: all sides work on one thread and wait for nothing, and a busy machine does not count against the
    slower of them. What clocks saw is in the samples."""
    rows = []
    for side in PEERS:
        rows.append(row("search, median of a query", result.best("ours", "cpu_median_ms"), result.best(side, "cpu_median_ms"),
                        peer=NAMES[side], unit="ms", is_time=True))
    for side in PEERS:
        rows.append(row("search, 99 of 100 queries within", result.best("ours", "cpu_p99_ms"), result.best(side, "cpu_p99_ms"),
                        peer=NAMES[side], unit="ms", is_time=True))
    built = result.get("ours", "build")
    if not built:
        return rows
    for what, field, limit in (("median", "cpu_median_ms", MEDIAN_MS), ("99 of 100", "cpu_p99_ms", P99_MS)):
        rows.append(row(f"search, {what}, over {limit:.0f} ms", result.best("ours", field), limit, unit="ms", at_most=True, target=1.0,
                        peer="the limit"))
    rows.append(row("search, size of the index over that of the text", built["index_bytes"] / 1e6, built["text_bytes"] / 1e6,
                    unit="MB", at_most=True, target=SIZE, peer="text",
                    note="; ".join(facts(result, side) for side in ["ours", *PEERS] if result.get(side, "build"))))
    return rows


def facts(result, side):
    built, opened = result.get(side, "build"), result.get(side, "open")
    text = f"{NAMES[side]}: {built['index_bytes'] / 1e6:.0f} MB, built in {built['build_seconds']:.0f} s"
    if side == "ours":
        text += f" ({built['documents']:,} documents, {built['passages']:,} passages)"
    if opened:
        text += f", opened in {1e3 * opened['open_seconds']:.1f} ms"
    if result.best(side, "median_ms"):
        text += f", by the clock {result.best(side, 'median_ms'):.2f} ms median and {result.best(side, 'p99_ms'):.2f} ms in 99 of 100"
    return text


def speed_bars(result):
    return {"unit": "median milliseconds of a query (less is better)",
            "bars": [(NAMES[side], result.best(side, "cpu_median_ms")) for side in ["ours", *PEERS]]}


# Ranks and scores ---------------------------------------------------------------------------------------------------


def quality_settings(session):
    session.search_files = corpus()
    path = os.path.join(DATA, "retrieval", "boolq_val.jsonl.gz")
    session.boolq = path if os.path.exists(path) else None
    return {"model": "no model", **files_settings(session.search_files), "queries": 1000,
            "questions": os.path.basename(path) if session.boolq else "none at hand", "limit": 10}


def run_quality(session, result):
    settings = result.settings
    if result.get("ours", "scores") is None:
        measure_scores(session, result, Engines(session, result, session.search_files, scratch(session, settings)))
    if session.boolq and result.get("ours", "boolq") is None:
        measure_boolq(session, result)


def measure_scores(session, result, engines):
    """The largest difference between our scores and bm25s' over the best passages of 1,000 queries."""
    try:
        ours = engines.worker("ours")
        queries = queries_of(engines.passages, result.settings["queries"])
        found = ours.ask("search", queries=queries, limit=result.settings["limit"], results=True)["results"]
        terms = ours.ask("terms", queries=queries)["terms"]
        with start(session, "bm25s") as peer:
            result.data["versions"].update(peer.ready["versions"])
            theirs = peer.ask("scores", passages=engines.passages, queries=terms, limit=result.settings["limit"])["results"]
    finally:
        engines.close()
    differences = [abs(a[1] - b[1]) for mine, its in zip(found, theirs) for a, b in zip(mine, its)]
    result.add("ours", "scores", compared=len(differences), largest_difference=max(differences),
               other_counts=sum(len(mine) != len(its) for mine, its in zip(found, theirs)))


def measure_boolq(session, result):
    """Each question's own passage among all of them."""
    lines = read_lines(session.boolq)
    numbers, documents = {}, []
    for line in lines:
        if line["passage"] not in numbers:
            numbers[line["passage"]] = len(documents)
            title, _, text = line["passage"].partition(" -- ")
            documents.append({"id": len(documents), "title": title, "text": text})
    folder = os.path.join(session.options.scratch, "search-boolq")
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(folder)
    path = os.path.join(folder, "passages.jsonl")
    with open(path, "w", encoding="utf-8") as out:
        out.writelines(json.dumps(document) + "\n" for document in documents)
    questions, gold = [line["question"] for line in lines], [numbers[line["passage"]] for line in lines]
    with start(session, "ours") as ours:
        ours.ask("build", files=[path], folder=os.path.join(folder, "index"), passage_words=10000)
        ours.ask("open", folder=os.path.join(folder, "index"))
        found = ours.ask("search", queries=questions, limit=result.settings["limit"], results=True)["results"]
        terms = ours.ask("terms", queries=questions)["terms"]
        dumped = os.path.join(folder, "dump.jsonl")
        ours.ask("dump", out=dumped, folder=folder)
    with start(session, "bm25s") as peer:
        theirs = peer.ask("scores", passages=dumped, queries=terms, limit=result.settings["limit"])["results"]
    for side, results in (("ours", found), ("bm25s", theirs)):
        ranks = [next((rank for rank, hit in enumerate(hits, 1) if hit[0] == wanted), None)
                 for hits, wanted in zip(results, gold)]
        result.add(side, "boolq", questions=len(ranks), passages=len(documents), success_1=mean(rank == 1 for rank in ranks),
                   success_10=mean(rank is not None for rank in ranks),
                   mrr_10=mean(1 / rank if rank else 0 for rank in ranks))


def mean(values):
    values = list(values)
    return sum(values) / len(values)


def quality_rows(result):
    rows = []
    ours, theirs = result.get("ours", "boolq"), result.get("bm25s", "boolq")
    for what, field in (("success@1", "success_1"), ("success@10", "success_10"), ("MRR@10", "mrr_10")):
        if ours and theirs:
            rows.append(row(f"search, BoolQ, {what}", ours[field], theirs[field], peer="bm25s, same terms", target=1.0,
                            note=f"ours {ours[field]:.4f}, bm25s {theirs[field]:.4f} over {ours['questions']:,} questions and "
                                 f"{ours['passages']:,} passages"))
    scores = result.get("ours", "scores")
    if scores:
        rows.append(row("search, largest difference of a score over 0.0001", scores["largest_difference"], 1e-4, at_most=True,
                        target=1.0, peer="the limit",
                        note=f"{scores['compared']:,} scores of {result.settings['queries']:,} queries; "
                             f"{scores['other_counts']} with another number of results"))
    return rows


def quality_bars(result):
    return {"unit": "MRR@10 on BoolQ", "bars": [(side, result.best(side, "mrr_10")) for side in ("ours", "bm25s")]}
