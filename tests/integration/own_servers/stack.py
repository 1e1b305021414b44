"""The servers that people have, each with its own client: how they are started.

A server gets its port from its command, and its name from the environment (INSTANCE). It knows nothing of Ringway.
"""

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from integration.own_servers.toolchain import APPS, go_echo, node, spring_echo

Command = Sequence[str]


@dataclass(frozen=True)
class Stack:
    """One server and its client. `server` and `client` may raise `Absent`: they build what is not built yet.

    `path` is where clients connect. `retries` is true if the client sends again what was not acknowledged.
    `lost_node` is what the client shows when the instance of its connection is lost, with on-move=close; `moved`
    is how that begins which it shows when it is moved. `is_plain`: on-move=auto reopens it, unseen by its client; it is
    greeted anew. `silent_s_max` is the time after which its client's library gives a silent connection up, as its
    documentation says, or the longest pause that it makes between two attempts.
    """

    name: str
    folder: str
    server: Callable[[str], Command]
    client: Callable[[], Command]
    path: str = ""
    retries: bool = False
    lost_node: str = "1012 node lost"
    moved: str = "1012 moved"
    is_plain: bool = False
    silent_s_max: float = 30.0

    def environ(self, name: str, port: str) -> dict[str, str]:
        """Return what the server's environment has beside this one's."""
        return {"INSTANCE": name, "PORT": port, "PYTHONPATH": str(APPS / self.folder)}


WEBSOCKETS_S = 40.0
"""PyPI's `websockets` sends a ping each 20 s, and waits 20 s for the pong."""

SOCKETIO_S = 45.0
"""Engine.IO's `pingInterval` and `pingTimeout`: 25 s and 20 s."""


def _python(client: str) -> Command:
    return [sys.executable, str(APPS / client / "client.py")]


def _echo_client() -> Command:
    return _python("plain")


def _asgi(name: str, folder: str, *options: str) -> Stack:
    """Return a stack whose server is a Python program that runs an ASGI application; {port} stands for its port."""

    def server(port: str) -> Command:
        return [sys.executable, "-m", *(option.replace("{port}", port) for option in options)]

    return _echo(name, folder, server)


def _echo(name: str, folder: str, server: Callable[[str], Command]) -> Stack:
    """Return a stack whose server echoes JSON, and has no state beside the handshake."""
    return Stack(name, folder, server, _echo_client, "/echo", is_plain=True, silent_s_max=WEBSOCKETS_S)


def _node(name: str, folder: str, **more: Any) -> Stack:
    """Return a stack whose server and client are Node.js programs."""
    return Stack(
        name,
        folder,
        lambda port: [node(), str(APPS / folder / "server.mjs"), port],
        lambda: [node(), str(APPS / folder / "client.mjs")],
        **more,
    )


def _socketio_server(port: str) -> Command:
    return [sys.executable, "-m", "uvicorn", "server:app", "--port", port, "--log-level", "warning"]


PYTHON = (
    _asgi("fastapi-uvicorn", "fastapi", "uvicorn", "app:app", "--port", "{port}", "--log-level", "warning"),
    _asgi("fastapi-hypercorn", "fastapi", "hypercorn", "app:app", "--bind", "127.0.0.1:{port}"),
    _asgi("fastapi-granian", "fastapi", "granian", "--interface", "asgi", "--port", "{port}", "app:app"),
    _asgi("channels-daphne", "channels", "daphne", "-p", "{port}", "asgi:application"),
    Stack(
        "python-socketio",
        "python_socketio",
        _socketio_server,
        lambda: _python("python_socketio"),
        lost_node="transport error",
        moved="transport error",
        silent_s_max=SOCKETIO_S,
    ),
)
NODE = (
    _node(
        "socketio",
        "socketio",
        lost_node="1012 transport close",
        moved="1012 transport close",
        silent_s_max=SOCKETIO_S,
    ),
    _node("graphql-ws", "graphql_ws", path="/graphql", retries=True),
    _node("trpc", "trpc", lost_node="1012", moved="1012"),
    _node("hocuspocus", "hocuspocus", retries=True),
)
COMPILED = (
    _echo("go", "go", lambda port: [go_echo()]),
    _echo("spring", "spring", lambda port: [*spring_echo(), f"--server.port={port}"]),
)
STACKS = {stack.name: stack for stack in (*PYTHON, *NODE, *COMPILED)}
