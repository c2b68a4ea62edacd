#!/usr/bin/env python3
"""Calls of a local HTTP service and of an MCP server that hang, answer rubbish and die, one call in a hundred each: nothing may be
lost or stuck, no answer wrong, and counts must add up.

    scripts/build.sh release fault_run && bench/faults.py               20,000 calls; writes bench/results/faults.json
    bench/faults.py --calls 2000 --program build/asan/bin/fault_run --no-results

Needs Python's standard library only. Exits with 1 where something does not hold.
"""
import argparse
import json
import os
import random
import re
import signal
import socket
import struct
import subprocess
import sys
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
HANG_S = 5.0  # longer than the deadline of the calls, shorter than the run


def fault(draw):
    """One call in a hundred of each kind."""
    return ["hang", "garbage", "death", None][min(int(draw.random() * 100), 3)]


# ---- The HTTP service: a process of its own, which its faults may end ----

def serve_http(port, counts):
    """Answers GET /?q=TEXT with {"answer": "answer to TEXT"}; every death ends the connection, one in ten the process."""
    draw = random.Random()
    lock = threading.Lock()

    def count(kind):
        with lock, open(counts, "a", encoding="ascii") as out:
            out.write(kind + "\n")

    def handle(connection):
        with connection:
            request = b""
            while b"\r\n\r\n" not in request:
                got = connection.recv(65536)
                if not got:
                    return
                request += got
            text = re.match(rb"GET /\?q=(\w+) ", request).group(1).decode()
            kind = fault(draw)
            count(kind or "answer")
            if kind == "hang":
                time.sleep(HANG_S)
                return
            if kind == "garbage":
                body = draw.choice([b"HTTP/1.1 200 OK\r\nContent-Length: 30\r\n\r\n{\"answer\": \xff\xfe not JSON \x1b[2J",
                                    b"\x00\x01\x02 no HTTP\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]"])
                connection.sendall(body)
                return
            if kind == "death":
                if draw.random() < 0.1:
                    os._exit(1)
                # A reset, not an orderly end.
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                return
            body = json.dumps({"answer": "answer to " + text}).encode()
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s"
                               % (len(body), body))

    def guarded(connection):
        try:
            handle(connection)
        except OSError:
            pass

    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", port))
    listener.listen(256)
    while True:
        connection, _ = listener.accept()
        threading.Thread(target=guarded, args=(connection,), daemon=True).start()


class HttpService:
    """Starts the service again, after a moment, whenever it has died."""

    def __init__(self, counts):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.counts, self.deaths, self.ending = counts, 0, False
        self.thread = threading.Thread(target=self.keep, daemon=True)
        self.process = self.begin()
        self.thread.start()

    def begin(self):
        process = subprocess.Popen([sys.executable, __file__, "--serve-http", str(self.port), self.counts])
        while process.poll() is None:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                break
            except OSError:
                time.sleep(0.02)
        return process

    def keep(self):
        while not self.ending:
            if self.process.poll() is not None and not self.ending:
                self.deaths += 1
                time.sleep(0.1)
                self.process = self.begin()
            time.sleep(0.01)

    def end(self):
        self.ending = True
        self.thread.join()
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()


# ---- The MCP server: over its standard streams ----

def serve_mcp(counts):
    """One tool, ask(text), which answers "answer to TEXT"."""
    draw = random.Random()

    def say(message):
        sys.stdout.write(json.dumps(message) + "\n")
        sys.stdout.flush()

    for line in sys.stdin:
        try:
            message = json.loads(line)
        except ValueError:
            continue
        number, method = message.get("id"), message.get("method")
        if number is None:
            continue
        if method == "initialize":
            say({"jsonrpc": "2.0", "id": number, "result": {
                "protocolVersion": message["params"]["protocolVersion"], "capabilities": {"tools": {}},
                "serverInfo": {"name": "faulty", "version": "1"}}})
        elif method == "tools/list":
            say({"jsonrpc": "2.0", "id": number, "result": {"tools": [{
                "name": "ask", "description": "Answers a text.", "inputSchema": {
                    "type": "object", "properties": {"text": {"type": "string"}}, "required": ["text"]}}]}})
        elif method == "tools/call":
            kind = fault(draw)
            with open(counts, "a", encoding="ascii") as out:
                out.write((kind or "answer") + "\n")
            if kind == "death":
                os._exit(1)
            if kind == "hang":
                continue
            if kind == "garbage":
                sys.stdout.write(draw.choice(["\x1b[2J}{ no JSON\n", "[1, 2, 3]\n", "{\"jsonrpc\": \"2.0\"}\n"]))
                sys.stdout.flush()
                continue
            text = message["params"]["arguments"]["text"]
            say({"jsonrpc": "2.0", "id": number, "result": {"content": [{"type": "text", "text": "answer to " + text}]}})
        else:
            say({"jsonrpc": "2.0", "id": number, "error": {"code": -32601, "message": "no such method"}})


# ---- The run ----

def tally(path):
    kinds = {}
    with open(path, encoding="ascii") as lines:
        for line in lines:
            kinds[line.strip()] = kinds.get(line.strip(), 0) + 1
    return kinds


def check(result, asked, calls):
    """What does not hold, in words."""
    tools = {tool["tool"]: tool for tool in result["tools"]}
    wrong = []
    if result["calls"] != calls or result["right"] + result["wrong"] + result["failed"] != calls:
        wrong.append("calls were lost")
    if result["wrong"]:
        wrong.append(f"{result['wrong']} answers are wrong")
    if not result["adds_up"]:
        wrong.append("the executor's counts do not add up")
    for name, kinds in asked.items():
        # What was sent to a server that was dead already reached nobody.
        if sum(kinds.values()) > tools[name]["attempts"]:
            wrong.append(f"{name}: the server was asked {sum(kinds.values())} times, the executor counts {tools[name]['attempts']}")
        if tools[name]["answered"] > kinds["answer"]:
            wrong.append(f"{name}: more answers than the server gave")
        # Of fewer calls one kind may well be missing.
        if calls >= 10000 and not all(kinds.get(kind) for kind in ("hang", "garbage", "death")):
            wrong.append(f"{name}: not every fault came up")
    return wrong


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, default=20000)
    parser.add_argument("--program", default=os.path.join(HERE, "..", "build", "release", "bin", "fault_run"))
    parser.add_argument("--results", default=os.path.join(HERE, "results", "faults.json"))
    parser.add_argument("--no-results", action="store_true", help="print only")
    parser.add_argument("--limit", type=float, default=1800, help="seconds after which the run counts as stuck")
    parser.add_argument("--serve-http", nargs=2, help=argparse.SUPPRESS)
    parser.add_argument("--serve-mcp", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.serve_http:
        return serve_http(int(arguments.serve_http[0]), arguments.serve_http[1])
    if arguments.serve_mcp:
        return serve_mcp(arguments.serve_mcp)

    import tempfile
    with tempfile.TemporaryDirectory(prefix="toolformer-faults-") as folder:
        counts = {name: os.path.join(folder, name) for name in ("Http", "Mcp")}
        for path in counts.values():
            open(path, "w").close()
        service = HttpService(counts["Http"])
        command = [arguments.program, str(arguments.calls), f"http://127.0.0.1:{service.port}/", sys.executable,
                   os.path.abspath(__file__), "--serve-mcp", counts["Mcp"]]
        try:
            done = subprocess.run(command, stdout=subprocess.PIPE, timeout=arguments.limit, check=False)
        except subprocess.TimeoutExpired:
            sys.exit(f"faults: stuck: not done after {arguments.limit:.0f} s")
        finally:
            service.end()
        if done.returncode != 0:
            sys.exit(f"faults: the program ended with {done.returncode}")
        result = json.loads(done.stdout)
        asked = {name: tally(path) for name, path in counts.items()}
    result["asked_of_the_servers"] = asked
    result["http_service_died"] = service.deaths
    result["processors"] = os.cpu_count()
    print(json.dumps(result, indent=1))
    if not arguments.no_results:
        with open(arguments.results, "w", encoding="ascii") as out:
            json.dump(result, out, indent=1)
            out.write("\n")
    wrong = check(result, asked, arguments.calls)
    for each in wrong:
        print("faults:", each, file=sys.stderr)
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
