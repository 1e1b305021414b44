"""A gateway changes nothing of what the Autobahn test suite says of a server behind it, case by case.

The server behind it is aiohttp's: it answers what came before a breach of the protocol, also if both come in one read.
A server that drops that answer if the breach is read at the same time would make the verdict a matter of luck.
"""

import random
from collections.abc import AsyncIterator

import pytest
from aiohttp import WSMsgType, web

from integration.autobahn.kit import WHOLE, Verdict, judge_servers
from integration.gateway.gateway_kit import Rig
from ringway.gateway.config.gateway import GatewayConfig

RANKS = ("OK", "NON-STRICT", "INFORMATIONAL", "UNIMPLEMENTED", "UNCLEAN", "WRONG CODE", "FAILED BY CLIENT", "FAILED")


async def echo(request: web.Request) -> web.WebSocketResponse:
    socket = web.WebSocketResponse(compress=False, max_msg_size=0)
    await socket.prepare(request)
    async for message in socket:
        if message.type is WSMsgType.TEXT:
            await socket.send_str(message.data)
        elif message.type is WSMsgType.BINARY:
            await socket.send_bytes(message.data)
    return socket


@pytest.fixture
async def server() -> AsyncIterator[str]:
    app = web.Application()
    app.router.add_get("/", echo)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield f"ws://127.0.0.1:{runner.addresses[0][1]}"
    await runner.cleanup()


@pytest.fixture
async def through(server: str) -> AsyncIterator[str]:
    rig = Rig(GatewayConfig(port=0), (server,), random.Random(7))
    await rig.start()
    yield rig.url()
    await rig.stop()


def worse(verdicts: dict[str, dict[str, Verdict]]) -> dict[str, tuple[Verdict, Verdict]]:
    """Return the cases in which the gateway does worse, with both verdicts."""
    found: dict[str, tuple[Verdict, Verdict]] = {}
    for case, direct in verdicts["direct"].items():
        through = verdicts["through"][case]
        if any(RANKS.index(there) > RANKS.index(here) for here, there in zip(direct, through, strict=True)):
            found[case] = direct, through
    return found


@pytest.mark.timeout(3000 if WHOLE else 240)
async def test_the_same_with_and_without_a_gateway(wstest, tmp_path, server, through):
    urls = {"direct": server, "through": through}
    verdicts = await judge_servers(wstest, tmp_path / "all", urls)
    assert len(verdicts["direct"]) > 240
    assert set(verdicts["direct"]) == set(verdicts["through"])
    assert not worse(verdicts)
