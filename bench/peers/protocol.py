"""One JSON command a line in, one JSON answer a line out: what bench/toolformer_bench.cc speaks, for the peers."""
import json
import os
import sys
import time


def serve(load, commands):
    """Loads, says so, then answers. `load()` gives (state, facts to report); `commands` maps a name to f(state, command)."""
    # Whatever a library prints must not come between the answers.
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)

    def answer(**fields):
        answers.write(json.dumps(fields) + "\n")
        answers.flush()

    begin = time.perf_counter()
    try:
        state, facts = load()
    except Exception as error:  # reported, whatever it is
        answer(ok=False, error=f"{type(error).__name__}: {error}")
        sys.exit(1)
    answer(ok=True, load_seconds=time.perf_counter() - begin, **facts)
    for line in sys.stdin:
        try:
            command = json.loads(line)
            answer(ok=True, **commands[command["do"]](state, command))
        except Exception as error:  # the next command may fare better
            answer(ok=False, error=f"{type(error).__name__}: {error}")


def peak_memory(_state, _command):
    """Most memory that this process has had resident, in bytes."""
    with open("/proc/self/status", encoding="ascii") as status:
        for line in status:
            if line.startswith("VmHWM:"):
                return {"peak_bytes": int(line.split()[1]) * 1024}
    raise OSError("/proc/self/status has no VmHWM")
