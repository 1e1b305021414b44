"""A real HTTP server with a key set, as identity providers have one; it can be away, slow, or wrong."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import msgspec
from aiohttp import web


class KeySetServer:
    """The answers of the server, which a test changes; `asked` counts the requests."""

    def __init__(self, *keys: dict[str, Any]) -> None:
        self.keys = list(keys)
        self.status = 200
        self.body: bytes | None = None
        """An answer in place of the keys."""
        self.headers: dict[str, str] = {}
        self.asked = 0
        self.may_answer = asyncio.Event()
        self.may_answer.set()
        self.url = ""

    async def answer(self, _: web.Request) -> web.Response:
        self.asked += 1
        await self.may_answer.wait()
        body = msgspec.json.encode({"keys": self.keys}) if self.body is None else self.body
        return web.Response(status=self.status, body=body, headers=self.headers, content_type="application/json")


@asynccontextmanager
async def key_set_server(*keys: dict[str, Any]) -> AsyncIterator[KeySetServer]:
    """Run a server with `keys`."""
    server = KeySetServer(*keys)
    application = web.Application()
    application.router.add_get("/keys", server.answer)
    runner = web.AppRunner(application)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    server.url = f"http://127.0.0.1:{runner.addresses[0][1]}/keys"
    try:
        yield server
    finally:
        server.may_answer.set()
        await runner.cleanup()
