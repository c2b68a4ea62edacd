#!/usr/bin/env python3
"""A server of the Model Context Protocol on standard streams that does what its tools are named after, good or bad.

Flags: --modern (revision 2026-07-28 alone), --old (2024-11-05), --future (a revision nobody knows), --no-tools, --banner,
--silent, --exit, --slow-start, --no-list, --many, --forever-pages, --bad-schemas.
"""
import json
import sys
import time

FLAGS = set(sys.argv[1:])
changed = False
count = 0


def send(message):
    sys.stdout.write(json.dumps({"jsonrpc": "2.0", **message}) + "\n")
    sys.stdout.flush()


def raw(text):
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def text(content, **more):
    return {"content": [{"type": "text", "text": content}], **more}


def tool(name, properties=None, required=(), **more):
    return {"name": name, "description": f"The tool {name}.",
            "inputSchema": {"type": "object", "properties": properties or {}, "required": list(required)}, **more}


STRING = {"type": "string"}
FIRST = [tool("echo", {"text": STRING}, ["text"], annotations={"readOnlyHint": True}),
         tool("add", {"a": {"type": "integer"}, "b": {"type": "integer"}}, ["a", "b"]),
         tool("bad name.with/marks", {"text": STRING}, ["text"])]
SECOND = [tool(name) for name in ("count", "fail", "error", "blocks", "structured", "ping", "change", "die", "garbage", "debris",
                                  "huge", "deep", "hang", "twice", "wrong_id", "no_result", "input_required", "cancelled", "flood")]
CHANGED = [tool("echo", {"words": STRING, "times": {"type": "integer"}}, ["words", "times"]), tool("count"), tool("new")]


def tools_page(cursor):
    if "--no-list" in FLAGS:
        return {"tools": "none"}
    if "--many" in FLAGS:
        return {"tools": [tool(f"t{cursor}{i}") for i in range(600)], "nextCursor": (cursor or "") + "x"}
    if "--forever-pages" in FLAGS:
        return {"tools": [], "nextCursor": "again"}
    if "--bad-schemas" in FLAGS:
        return {"tools": [{"name": "no_schema"}, {"name": "bad", "inputSchema": {"type": "text"}}, {"name": ""}, "x", {"name": 3},
                          {"name": "elsewhere", "inputSchema": {"$ref": "http://127.0.0.1/x"}}, tool("good", {"a": STRING})]}
    if changed:
        return {"tools": CHANGED}
    return {"tools": SECOND} if cursor == "second" else {"tools": FIRST, "nextCursor": "second"}


def call(message):
    global changed, count
    name, arguments, id = message["params"]["name"], message["params"].get("arguments", {}), message["id"]
    count += 1
    if name in ("echo", "bad name.with/marks"):
        result = text(arguments["text"]) if "text" in arguments else text(arguments["words"] * arguments["times"])
    elif name == "add":
        result = text(str(arguments["a"] + arguments["b"]))
    elif name == "count":
        result = text(str(count))
    elif name == "new":
        result = text("new")
    elif name == "fail":
        result = text("it failed because", isError=True)
    elif name == "error":
        return send({"id": id, "error": {"code": -32000, "message": "no [such] luck\n"}})
    elif name == "blocks":
        result = {"content": [{"type": "text", "text": "one"}, {"type": "image", "data": "eA==", "mimeType": "image/png"},
                              {"type": "resource_link", "uri": "file:///x", "name": "x"}, {"type": "text", "text": 3}, 7,
                              {"type": "resource", "resource": {"uri": "u", "text": "two"}}]}
    elif name == "structured":
        result = {"content": [], "structuredContent": {"a": {"b": [1, 2]}}}
    elif name == "ping":
        send({"id": "p1", "method": "ping"})
        pong = json.loads(sys.stdin.readline())
        send({"id": "p2", "method": "sampling/createMessage", "params": {}})
        refusal = json.loads(sys.stdin.readline())
        result = text(f"{pong['id']} {pong['result']} {refusal['id']} {refusal['error']['code']}")
    elif name == "change":
        changed = True
        send({"method": "notifications/tools/list_changed"})
        result = text("changed")
    elif name == "die":
        sys.stderr.write("about to die\n")
        sys.stderr.flush()
        sys.exit(3)
    elif name == "garbage":
        return raw("\x00\x1b[31m not json at all")
    elif name == "debris":
        return raw('{"jsonrpc": "2.0", "id": ')
    elif name == "huge":
        return raw(json.dumps({"jsonrpc": "2.0", "id": id, "result": text("x" * 3000000)}))
    elif name == "deep":
        return raw('{"jsonrpc": "2.0", "id": %d, "result": %s' % (id, "[" * 100000))
    elif name == "hang":
        time.sleep(1000)
    elif name == "twice":
        send({"id": id, "result": text("first")})
        result = text("second")
    elif name == "wrong_id":
        for wrong in ("x", None, 1.5, -1, 10**30, True, [id]):
            send({"id": wrong, "result": text("wrong")})
        result = text("right")
    elif name == "no_result":
        return send({"id": id, "result": "not an object"})
    elif name == "input_required":
        result = {"resultType": "input_required", "inputRequests": {}}
    elif name == "cancelled":  # says whether an earlier call was cancelled
        send({"method": "notifications/progress", "params": {}})
        notification = json.loads(sys.stdin.readline())
        result = text(notification["method"])
    elif name == "flood":
        for _ in range(20000):
            send({"method": "notifications/message", "params": {"data": "x" * 50}})
        result = text("after the flood")
    else:
        return send({"id": id, "error": {"code": -32602, "message": f"Unknown tool: {name}"}})
    send({"id": id, "result": result})


def answer(message):
    method, id = message.get("method"), message.get("id")
    if id is None:
        return
    modern = "--modern" in FLAGS
    if modern and message.get("params", {}).get("_meta", {}).get("io.modelcontextprotocol/protocolVersion") != "2026-07-28":
        send({"id": id, "error": {"code": -32022, "message": "Unsupported protocol version", "data": {"supported": ["2026-07-28"]}}})
    elif method == "initialize":
        revision = "2024-11-05" if "--old" in FLAGS else "2099-01-01" if "--future" in FLAGS else message["params"]["protocolVersion"]
        capabilities = {} if "--no-tools" in FLAGS else {"tools": {"listChanged": True}}
        send({"id": id, "result": {"protocolVersion": revision, "capabilities": capabilities,
                                   "serverInfo": {"name": "stand-in", "version": "1"}}})
    elif modern and method == "server/discover":
        send({"id": id, "result": {"resultType": "complete", "supportedVersions": ["2026-07-28"],
                                   "capabilities": {"tools": {"listChanged": True}}}})
    elif modern and method == "subscriptions/listen":
        send({"method": "notifications/subscriptions/acknowledged", "params": {"notifications": {"toolsListChanged": True}}})
    elif method == "tools/list":
        send({"id": id, "result": tools_page(message.get("params", {}).get("cursor"))})
    elif method == "tools/call":
        call(message)
    else:
        send({"id": id, "error": {"code": -32601, "message": "Method not found"}})


if "--slow-start" in FLAGS:
    time.sleep(0.3)
if "--exit" in FLAGS:
    sys.exit("cannot start: no licence")
if "--banner" in FLAGS:
    raw("Welcome to the stand-in server v1.0")
    raw("{broken")
for line in sys.stdin:
    if "--silent" not in FLAGS:
        answer(json.loads(line))
