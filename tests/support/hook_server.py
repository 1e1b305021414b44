"""A real HTTP server that answers as a backend with hooks does; it can hang, be slow, wrong, or away."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import msgspec
from aiohttp import web

Answer = dict[str, Any] | Callable[[dict[str, Any]], dict[str, Any]]


class HookServer:
    """The answers of the server, which a test changes. `requests` are the bodies that came, in their order."""

    def __init__(self) -> None:
        self.answer: Answer = {}
        self.status = 200
        self.body: bytes | None = None
        """An answer in place of `answer`."""
        self.answer_headers: dict[str, str] = {}
        self.requests: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.under_way = 0
        self.under_way_most = 0
        self.may_answer = asyncio.Event()
        self.may_answer.set()
        self.cuts = False
        """True: the connection is closed in place of an answer."""
        self.connections: set[object] = set()
        self.port = 0
        self._runner: web.AppRunner | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hooks"

    def hang(self) -> None:
        """Answer nothing from now on, until `go_on`."""
        self.may_answer.clear()

    def go_on(self) -> None:
        self.may_answer.set()

    async def start(self) -> None:
        """Serve, at the port of before if there was one."""
        application = web.Application()
        application.router.add_post("/hooks", self._answer)
        self._runner = web.AppRunner(application, handler_cancellation=True)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self.port, reuse_address=True).start()
        self.port = self._runner.addresses[0][1]

    async def stop(self) -> None:
        """Be away from now on."""
        if self._runner is not None:
            self.may_answer.set()
            await self._runner.cleanup()
            self._runner = None

    async def _answer(self, request: web.Request) -> web.Response:
        asked = msgspec.json.decode(await request.read())
        self.requests.append(asked)
        self.headers.append({name.lower(): value for name, value in request.headers.items()})
        self.connections.add(request.transport)
        self.under_way += 1
        self.under_way_most = max(self.under_way_most, self.under_way)
        try:
            await self.may_answer.wait()
        finally:
            self.under_way -= 1
        if self.cuts and request.transport is not None:
            request.transport.abort()
        body = self.body
        if body is None:
            body = msgspec.json.encode(self.answer(asked) if callable(self.answer) else self.answer)
        return web.Response(status=self.status, body=body, headers=self.answer_headers, content_type="application/json")


@asynccontextmanager
async def hook_server() -> AsyncIterator[HookServer]:
    """Run a server whose answers allow everything."""
    server = HookServer()
    await server.start()
    try:
        yield server
    finally:
        await server.stop()
