#!/usr/bin/env python3
"""toolformer index: building, searching, and builds that are killed anywhere; WikiSearch in the other commands."""
import gzip
import json
import os
import pty
import signal
import time
import unittest

from program import FIXTURES, ProgramTest, json_lines, read, run, start, write

DOCUMENTS = os.path.join(FIXTURES, "search", "documents.jsonl.gz")
ARTICLES = [dict(id=1, title="Nile", url="http://x/nile", text="The Nile is a river in Africa. " + "It floods in summer. " * 40),
            dict(id=2, title="Amazon River", text="The Amazon is the largest river by discharge."),
            dict(id=3, title="Egypt\u202e", text="Egypt lies at the Nile. \x1b[31m")]
EXPORT = """<mediawiki><siteinfo><base>https://w.org/wiki/Main</base></siteinfo><page><title>Tea</title><ns>0</ns><id>7</id>
<revision><text>'''Tea''' is a [[drink]].</text></revision></page></mediawiki>"""


def lines_of(documents):
    return "".join(json.dumps(document) + "\n" for document in documents)


class IndexTest(ProgramTest):
    def build(self, *more):
        out = self.path("index")
        code, text, err = run("index", "build", "--out", out, *more)
        self.assertEqual((code, err), (0, b""))
        return out, text.decode()

    def articles(self):
        return self.build("--passage-words", 20, self.file("articles.jsonl", lines_of(ARTICLES)))[0]

    def contents(self, folder):
        return {name: read(os.path.join(folder, name)) for name in sorted(os.listdir(folder)) if name != "lock"}

    def test_build_search_show(self):
        index = self.articles()
        code, out, _ = run("index", "search", "--index", index, "--json", "--limit", 2, "largest", "river")
        self.assertEqual(code, 0)
        found = json_lines(out)
        self.assertEqual([passage["title"] for passage in found], ["Amazon River", "Nile"])
        self.assertEqual((found[1]["url"], found[1]["page"], found[1]["pages"], found[1]["id"]), ("http://x/nile", 1, 9, "1"))
        self.assertGreater(found[0]["score"], found[1]["score"])
        _, out, _ = run("index", "search", "--index", index, "--limit", 1, "--page", 2, "largest river")
        self.assertTrue(out.startswith(b"  2. Nile  score"), out)
        _, out, _ = run("index", "search", "--index", index, "zebra")
        self.assertEqual(out, b"nothing has any of these words\n")
        _, out, _ = run("index", "search", "--index", index, stdin=b"largest river\n\nzebra\n")
        self.assertEqual(out.count(b"score"), 2)
        self.assertTrue(out.endswith(b"nothing has any of these words\n"), out)
        _, out, _ = run("index", "search", "--index", index, "--as-tool", "open: nile #2")
        self.assertTrue(out.startswith(b"Nile (2 of 9) > "), out)
        # What documents hold does not reach the terminal raw.
        _, out, _ = run("index", "search", "--index", index, "Egypt")
        self.assertIn(rb"Egypt\u202e", out)
        self.assertIn(rb"\x1b[31m", out)
        _, out, _ = run("index", "show", "--index", index)
        self.assertIn(b"documents   3\n", out)
        _, out, _ = run("index", "show", "--index", index, "--json", "NILE")
        self.assertEqual(len(json_lines(out)), 9)
        _, out, _ = run("index", "show", "--index", index, "amazon river")
        self.assertEqual(out, b"Amazon River\nThe Amazon is the largest river by discharge.\n")

    def test_mediawiki_and_several_files(self):
        packed = self.file("wiki.xml.gz", gzip.compress(EXPORT.encode()))
        index, text = self.build(packed, self.file("articles.jsonl", lines_of(ARTICLES)))
        self.assertIn("4 documents", text)
        _, out, _ = run("index", "show", "--index", index, "Tea")
        self.assertEqual(out, b"Tea  https://w.org/wiki/Tea\nTea is a drink.\n")

    def test_mistakes(self):
        index = self.articles()
        articles = self.path("articles.jsonl")
        self.fails(1, "holds a finished index", "index", "build", "--out", index, articles)
        self.fails(1, "no such file", "index", "build", "--out", self.path("new"), self.path("none"))
        self.assertFalse(os.path.exists(self.path("new")))
        self.fails(1, "is none of an index", "index", "build", "--out", self.folder, articles)
        self.fails(1, "bad.jsonl:2: field 'text' is missing", "index", "build", "--out", self.path("bad"),
                   self.file("bad.jsonl", '{"text": "a"}\n{"title": "b"}\n'))
        self.fails(1, "not finished", "index", "search", "--index", self.path("bad"), "a")
        self.fails(1, "unknown language 'klingon'; there are: none, ", "index", "build", "--out", self.path("new"), "--language",
                   "klingon", articles)
        self.fails(1, "no such folder", "index", "search", "--index", self.path("none"), "a")
        self.fails(1, "no document is called 'Tea'", "index", "show", "--index", index, "Tea")
        self.fails(2, "A subcommand is required", "index")
        write(os.path.join(index, "part-000000"), b"short")
        self.fails(1, "part-000000: damaged", "index", "search", "--index", index, "a")

    def test_help_teaches(self):
        for command in ([], ["build"], ["search"], ["show"]):
            code, out, err = run("index", *command, "--help")
            self.assertEqual((code, err), (0, b""))
            self.assertIn(b"Example" if command else b"--help' tells more", out)

    def test_progress_on_a_terminal_only(self):
        leader, follower = pty.openpty()
        process = start("index", "build", "--out", self.path("index"), DOCUMENTS, stderr=follower)
        os.close(follower)
        out, _ = process.communicate()
        shown = os.read(leader, 65536)
        os.close(leader)
        self.assertEqual(process.returncode, 0)
        self.assertRegex(shown, rb"^\r\x1b\[K\[[#.]{24}\] +\d+%  \d+ documents, \d+ passages")
        self.assertTrue(shown.endswith(b"\r\x1b[K"), shown)
        self.assertRegex(out.decode(), r"900 documents, 900 passages, 0\.18 MB of text, [\d.]+ MB on the disk; [\d.]+ s\n$")

    def test_killed_anywhere(self):
        command = ["index", "build", "--part-passages", 60]
        run(*command, "--out", self.path("whole"), DOCUMENTS)
        whole = self.contents(self.path("whole"))
        self.assertEqual(len(whole), 16)
        out, killed = self.path("index"), 0
        for number in (signal.SIGKILL, signal.SIGINT, signal.SIGKILL, signal.SIGTERM, signal.SIGKILL):
            process = start(*command, "--out", out, DOCUMENTS)
            wanted = len(os.listdir(out)) + 2 if os.path.isdir(out) else 4
            while process.poll() is None and (not os.path.isdir(out) or len(os.listdir(out)) < wanted):
                time.sleep(0.0005)
            process.send_signal(number)
            _, err = process.communicate()
            if process.returncode == 0:
                break
            killed += 1
            if number != signal.SIGKILL:
                self.assertEqual(process.returncode, 130)
                self.assertIn(b"the same command goes on from there", err)
        self.assertGreater(killed, 0)
        code, _, err = run(*command, "--out", out, DOCUMENTS)
        self.assertIn(code, (0, 1), err)  # 1: the last one was done before its signal came
        self.assertEqual(self.contents(out), whole)

    def test_other_settings_do_not_mix(self):
        bad = self.file("bad.jsonl", '{"text": "a"}\n{}\n')
        run("index", "build", "--out", self.path("index"), bad)
        self.fails(1, "holds an unfinished index with k1 1.5, now 2", "index", "build", "--out", self.path("index"), "--k1", 2, bad)
        self.fails(1, "holds an unfinished index of", "index", "build", "--out", self.path("index"),
                   self.file("articles.jsonl", lines_of(ARTICLES)))

    def test_in_the_other_commands(self):
        texts = self.file("texts.jsonl", '{"text": "The longest river of all in the east of Africa is the Nile in Egypt."}\n')
        arguments = ["annotate", "--model", self.model, "--texts", texts, "--tools", "WikiSearch", "--tau-s", 0, "--tau-f", -9, "--k", 1,
                     "--m", 2, "--max-call-tokens", 8, "--out", self.path("out.jsonl"), "--candidates", self.path("all.jsonl")]
        self.fails(2, "WikiSearch needs an index: --wiki-index FOLDER", *arguments)
        self.fails(1, "no such folder", *arguments, "--wiki-index", self.path("none"))
        code, _, err = run(*arguments, "--wiki-index", self.articles())
        self.assertEqual(code, 0, err)
        self.assertEqual(len(json_lines(read(self.path("all.jsonl")))), 1)


if __name__ == "__main__":
    unittest.main()
