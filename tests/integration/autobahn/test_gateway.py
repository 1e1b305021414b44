"""A gateway changes nothing of what the Autobahn test suite says of a server behind it, case by case."""

import logging
import random
from collections.abc import AsyncIterator

import pytest
from websockets.asyncio.server import ServerConnection, serve

from integration.autobahn.kit import WHOLE, Verdict, judge_servers
from ringway.core.steering import Steering
from ringway.gateway.cluster.backends import read_backends
from ringway.gateway.cluster.directory import Directory
from ringway.gateway.config.gateway import GatewayConfig
from ringway.gateway.server import Gateway
from ringway.types import Issuer, NodeState

RANKS = ("OK", "NON-STRICT", "INFORMATIONAL", "UNIMPLEMENTED", "UNCLEAN", "WRONG CODE", "FAILED BY CLIENT", "FAILED")


async def echo(connection: ServerConnection) -> None:
    async for message in connection:
        await connection.send(message)


@pytest.fixture
async def server() -> AsyncIterator[str]:
    quiet = logging.getLogger("echo")
    quiet.setLevel(logging.CRITICAL)
    async with serve(echo, "127.0.0.1", 0, compression=None, max_size=None, logger=quiet) as listening:
        yield f"ws://127.0.0.1:{listening.sockets[0].getsockname()[1]}"


@pytest.fixture
async def through(server: str) -> AsyncIterator[str]:
    config, directory = GatewayConfig(port=0), Directory(Issuer("0badcafe"))
    gateway = Gateway(config, directory, Steering(config.policy, b""), None, random.Random(7))
    for backend in read_backends((server,)):
        directory.adopt(backend.report(1, NodeState.ACTIVE, 0))
    await gateway.start()
    yield f"ws://127.0.0.1:{gateway.port}"
    await gateway.stop()


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
    found = worse(verdicts)
    for again in range(2):  # whether that server echoes what came just before a breach is a matter of luck
        if found:
            found = worse(await judge_servers(wstest, tmp_path / f"again{again}", urls, found))
    assert not found
