"""A server made with pip's `mcp`, whose protocol is not ours: mcp_real_server.py stdio, or http PORT_FILE [json]."""
import socket
import sys

from mcp.server.mcpserver import Context, MCPServer

server = MCPServer("real")


@server.tool()
def multiply(a: int, b: int) -> int:
    """Multiply two whole numbers."""
    return a * b


@server.tool(annotations={"readOnlyHint": True})
def shout(text: str) -> str:
    """Say a text louder, e.g. 'hello there'."""
    return text.upper()


@server.tool()
def refuse() -> str:
    """Always fails."""
    raise ValueError("refused on principle")


@server.tool()
def measure(place: str, unit: str = "C") -> dict[str, float]:
    """The temperature of a place."""
    return {"temperature": 21.5 if unit == "C" else 70.7, "length": len(place)}


@server.tool()
async def grow(context: Context) -> str:
    """Adds a tool to this server."""
    server.add_tool(lambda: "grown", name="grown", description="Was not there before.")
    server.remove_tool("refuse")
    await context.request_context.session.send_tool_list_changed()
    return "it has grown"


if __name__ == "__main__":
    if sys.argv[1] == "stdio":
        server.run("stdio")
    else:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        with open(sys.argv[2] + ".new", "w", encoding="ascii") as file:
            file.write(f"{port}\n")
        import os
        os.rename(sys.argv[2] + ".new", sys.argv[2])
        server.run("streamable-http", host="127.0.0.1", port=port, json_response="json" in sys.argv)
