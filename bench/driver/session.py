"""What all benchmarks share: the options, the workers, which stay loaded between benchmarks, and the lines on the terminal."""
import glob
import json
import os
import sys

from driver.workers import Worker, WorkerError

BENCH = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


class Session:
    def __init__(self, options):
        self.options = options
        self._workers = {}
        self._broken = {}
        self._warm = set()
        self._shown = 0

    # Workers ----------------------------------------------------------------------------------------------------------

    def environment(self):
        threads = str(self.options.threads)
        # Tools of the peers look for updates and models unless told not to.
        return {"OMP_NUM_THREADS": threads, "MKL_NUM_THREADS": threads, "HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1",
                "HF_HUB_DISABLE_TELEMETRY": "1", "TOKENIZERS_PARALLELISM": "false"}

    def command(self, side):
        """The command line of a side: "ours", "ours:int8", "transformers", "llama.cpp"."""
        kind, _, variant = side.partition(":")
        common = ["--model", self.options.model, "--threads", str(self.options.threads)]
        if kind == "ours":
            return [self.options.worker, *common] + (["--dtype", variant] if variant else [])
        script = {"transformers": "transformers_worker.py", "llama.cpp": "llama_worker.py"}[kind]
        return [self.options.peers_python, os.path.join(BENCH, "peers", script), *common]

    def start(self, side, command=None):
        """A fresh worker, which the caller closes."""
        self.progress(f"{side}: starting")
        return Worker(side, command or self.command(side), self.environment())

    def worker(self, side, result):
        """The worker of a side, started once a run. WorkerError where it cannot be, the second time at once."""
        if side in self._broken:
            raise WorkerError(self._broken[side])
        if side not in self._workers:
            try:
                self._workers[side] = self.start(side)
            except WorkerError as error:
                self._broken[side] = str(error)
                raise
        result.data["versions"].update(self._workers[side].ready.get("versions", {}))
        return self._workers[side]

    def first_time(self, side, what):
        """True once for each side and kind of work: that it has to be warmed up."""
        key = (side, what)
        return key not in self._warm and not self._warm.add(key)

    def close(self):
        for worker in self._workers.values():
            worker.close()
        self._workers.clear()

    # Data -------------------------------------------------------------------------------------------------------------

    @staticmethod
    def texts(name):
        with open(os.path.join(BENCH, "data", name), encoding="utf-8") as lines:
            return [json.loads(line) for line in lines]

    def built_files(self):
        """The files that make up this build and the peers' scripts: results of others are not mixed with theirs."""
        library = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(self.options.worker))), "lib", "libtoolformer.so")
        files = [self.options.worker, library, *sorted(glob.glob(os.path.join(BENCH, "peers", "*.py")))]
        return [path for path in files if os.path.exists(path)]

    # Lines ------------------------------------------------------------------------------------------------------------

    def progress(self, text):
        """What is being done: a line that the next one replaces, on a terminal; nothing otherwise."""
        if sys.stderr.isatty():
            text = text[:os.get_terminal_size(sys.stderr.fileno()).columns - 1]
            sys.stderr.write("\r" + text.ljust(self._shown))
            sys.stderr.flush()
            self._shown = len(text)

    def say(self, text=""):
        """A line that stays."""
        if self._shown:
            sys.stderr.write("\r" + " " * self._shown + "\r")
            sys.stderr.flush()
            self._shown = 0
        print(text, flush=True)


def in_turn(session, result, sides, group, round_number, work):
    """Has each side do the same work once, in alternating order, one at a time: `work(side)` gives the numbers of its
    sample. What is there already is not done again; a side that cannot do it is noted and left out."""
    order = sides if round_number % 2 == 0 else sides[::-1]
    for side in order:
        if result.get(side, group, round_number) is not None or side in result.data["unavailable"]:
            continue
        session.progress(f"{result.name}: {group}, round {round_number + 1}, {side}")
        try:
            numbers = work(side)
        except WorkerError as error:
            result.unavailable(side, str(error))
            session.say(f"  {side}: not available: {error}")
            continue
        result.add(side, group, round_number, **numbers)
        if "seconds" in numbers:
            session.say(f"  {group}, round {round_number + 1}: {side} {numbers['seconds']:.3f} s")
