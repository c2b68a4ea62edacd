"""A worker: a process that loads a model once and answers one JSON command a line (bench/toolformer_bench.cc says which)."""
import json
import os
import subprocess
import tempfile
import time


class WorkerError(Exception):
    """A worker could not be started, ended, or answered with an error."""


class Worker:
    def __init__(self, name, command, environment=None):
        """Starts the process and waits until its model is ready; `ready` is what it said then."""
        self.name = name
        self._errors = tempfile.TemporaryFile(mode="w+", encoding="utf-8", errors="replace")
        begin = time.perf_counter()
        try:
            self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._errors,
                                             env={**os.environ, **(environment or {})}, text=True, encoding="utf-8")
        except OSError as error:
            raise WorkerError(f"{name} cannot be started: {error}") from error
        try:
            self.ready = self._read()
        except BaseException:
            self.close()
            raise
        self.start_seconds = time.perf_counter() - begin

    def ask(self, what, **fields):
        try:
            self._process.stdin.write(json.dumps({"do": what, **fields}) + "\n")
            self._process.stdin.flush()
        except OSError:
            pass  # it has ended: reading says why
        return self._read()

    def close(self):
        """Ends the process: it stops where its input ends."""
        if self._process.poll() is None:
            try:
                self._process.stdin.close()
                self._process.wait(timeout=10)
            except (OSError, subprocess.TimeoutExpired):
                self._process.kill()
                self._process.wait()
        self._process.stdout.close()
        self._errors.close()

    def _read(self):
        line = self._process.stdout.readline()
        if not line:
            code = self._process.wait()
            self._errors.seek(0)
            last = [text.strip() for text in self._errors.read().splitlines() if text.strip()][-1:]
            raise WorkerError(f"{self.name} ended with {code}: {last[0] if last else 'no message'}")
        answer = json.loads(line)
        if not answer.pop("ok"):
            raise WorkerError(f"{self.name}: {answer['error']}")
        return answer

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
