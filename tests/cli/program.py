"""Runs the program under test on a small model."""
import json
import os
import resource
import shutil
import subprocess
import tempfile
import unittest

PROGRAM = os.environ["TOOLFORMER_PROGRAM"]
FIXTURES = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "fixtures")
ENVIRONMENT = dict(os.environ, OMP_NUM_THREADS="1")  # small matrices: more threads only wait


def start(*arguments, **options):
    options.setdefault("stdin", subprocess.DEVNULL)
    options.setdefault("stderr", subprocess.PIPE)
    options.setdefault("env", ENVIRONMENT)
    return subprocess.Popen([PROGRAM, *map(str, arguments)], stdout=subprocess.PIPE, **options)


def small_disk(size):
    """Options of `start` and `run`: no file grows beyond `size` bytes."""
    # ThreadSanitizer maps a file of its own from $TMPDIR, which must not be cut: it does without one.
    return {"preexec_fn": lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, size)),
            "env": dict(ENVIRONMENT, TMPDIR="/nonexistent")}


def run(*arguments, stdin=None, **options):
    """Exit code, output and errors, as bytes."""
    process = start(*arguments, stdin=subprocess.PIPE, **options)
    out, err = process.communicate(stdin or b"")
    return process.returncode, out, err


def read(path):
    with open(path, "rb") as f:
        return f.read()


def write(path, content):
    with open(path, "wb") as f:
        f.write(content)


def json_lines(content):
    return [json.loads(line) for line in content.decode().splitlines()]


def roomy_model(folder):
    """The small model llama_gqa with room for a tool's prompt; its rotary positions work at any length."""
    target = os.path.join(folder, "model")
    shutil.copytree(os.path.join(FIXTURES, "models", "llama_gqa"), target)
    path = os.path.join(target, "config.json")
    with open(path, encoding="utf8") as f:
        config = json.load(f)
    config["max_position_embeddings"] = 4096
    with open(path, "w", encoding="utf8") as f:
        json.dump(config, f)
    return target


class ProgramTest(unittest.TestCase):
    """A folder of its own, removed afterwards."""

    @classmethod
    def setUpClass(cls):
        cls.shared = tempfile.TemporaryDirectory(prefix="toolformer-cli-")
        cls.model = roomy_model(cls.shared.name)

    @classmethod
    def tearDownClass(cls):
        cls.shared.cleanup()

    def setUp(self):
        self.folder = tempfile.mkdtemp(dir=self.shared.name)

    def path(self, name):
        return os.path.join(self.folder, name)

    def file(self, name, content):
        write(self.path(name), content if isinstance(content, bytes) else content.encode())
        return self.path(name)

    def fails(self, code, message, *arguments, **options):
        """One line on stderr that holds `message`; usage errors (2) also say where help is."""
        got, out, err = run(*arguments, **options)
        text = err.decode()
        self.assertEqual(got, code, text)
        self.assertIn(message, text)
        self.assertTrue(text.startswith("toolformer: "), text)
        self.assertLessEqual(text.count("\n"), 2 if code == 2 else 1, text)
        self.assertEqual(out, b"")
