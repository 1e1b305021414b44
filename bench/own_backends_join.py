"""Ways in which a server becomes a backend while gateways run, for the benchmark of backends."""

import json
import threading
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Protocol

from support.system import RINGWAY

WAYS = ("file", "http", "join")
RENEW_S = 3.0


class Stack(Protocol):
    """What joining needs of the system."""

    on_move: str
    ports: dict[str, int]
    registration_urls: list[str]

    def start_server(self, name: str) -> None: ...
    def server_command(self, name: str) -> tuple[list[str], dict[str, str]]: ...
    def launch(self, name: str, command: Sequence[str], environ: dict[str, str]) -> None: ...
    def name_backends(self, names: Sequence[str]) -> None: ...


class Joining:
    """The server `name` joins those called `old`."""

    def __init__(self, stack: Stack, name: str, old: Sequence[str]) -> None:
        self._stack = stack
        self._name = name
        self._old = old

    @contextmanager
    def by(self, way: str) -> Iterator[None]:
        """Let the server join, and run the block meanwhile."""
        if way == "join":
            self._by_sidecar()
            yield
            return
        self._stack.start_server(self._name)
        if way == "file":
            self._stack.name_backends([*self._old, self._name])
            yield
            return
        with self._registered():
            yield

    def _by_sidecar(self) -> None:
        server, environ = self._stack.server_command(self._name)
        command = [*RINGWAY, "join", f"ws://127.0.0.1:{self._stack.ports[self._name]}"]
        for url in self._stack.registration_urls:
            command += ["--at", url]
        command += ["--name", self._name, "--check", "/healthz", "--on-move", self._stack.on_move]
        self._stack.launch(self._name, [*command, "--", *server], environ)

    @contextmanager
    def _registered(self) -> Iterator[None]:
        over = threading.Event()
        url = f"ws://127.0.0.1:{self._stack.ports[self._name]}"
        self._call("PUT", "", {"url": url, "check": "/healthz", "on_move": self._stack.on_move})

        def renew() -> None:
            while not over.wait(RENEW_S):
                self._call("POST", "/renew", {})

        thread = threading.Thread(target=renew, daemon=True)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()

    def _call(self, method: str, what: str, body: dict[str, Any]) -> None:
        url = f"{self._stack.registration_urls[0]}/v1/backends/{self._name}{what}"
        kind = {"Content-Type": "application/json"}
        request = urllib.request.Request(url, json.dumps(body).encode(), kind, method=method)
        urllib.request.urlopen(request, timeout=10).close()
