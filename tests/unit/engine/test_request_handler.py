import asyncio

import pytest

from ringway.engine import request_handler
from ringway.engine.request_handler import RequestHandler


async def test_requests_beyond_the_bound_are_refused_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(request_handler, "RUNNING_MAX", 2)
    release = asyncio.Event()
    replies: list[tuple[bool, bytes]] = []

    async def handler(request: bytes) -> bytes:
        await release.wait()
        return request

    requests = RequestHandler("node.a", handler)
    for i in range(3):
        requests.start_request(b"%d" % i, lambda *reply: replies.append(reply))
    assert replies == [(False, b"2 requests to node.a are in work already")]
    release.set()
    await requests.close()
    assert replies[1:] == [(True, b"0"), (True, b"1")]


async def test_closing_cancels_what_takes_too_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(request_handler, "CLOSE_S", 0.01)
    cancelled = asyncio.Event()

    async def handler(request: bytes) -> bytes:
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()
        return b""

    requests = RequestHandler("node.a", handler)
    requests.start_request(b"", lambda *reply: None)
    await asyncio.sleep(0)
    await requests.close()
    assert cancelled.is_set()


async def test_a_handler_may_close_its_own_address() -> None:
    replies: list[tuple[bool, bytes]] = []

    async def handler(request: bytes) -> bytes:
        await requests.close()
        return b"closed"

    requests = RequestHandler("node.a", handler)
    requests.start_request(b"", lambda *reply: replies.append(reply))
    await requests.close()
    assert replies == [(True, b"closed")]
