"""Libraries that take a WebSocket class do not notice that their socket is moved: RingwaySocket in Node.js."""

import asyncio
import json
from typing import Any

import pytest

from integration.moves.channels import Channels
from integration.moves.cluster import Cluster
from integration.moves.kit import is_built
from integration.moves.node import Session
from integration.sdk.kit import install_javascript, run_library
from support.npm import has_node

pytestmark = [
    pytest.mark.skipif(not has_node(), reason="needs Node.js and npm"),
    pytest.mark.skipif(not is_built(), reason="needs the TypeScript client; scripts/test builds it"),
]

COUNT = 120
MOVES_MIN = 5

EXPECTED = {
    "centrifuge": ["subscribing", "connecting", "connected", "subscribed"],
    "reconnecting-websocket": ["open"],
    "graphql-ws": ["opened", "connected"],
}


def echo(session: Session, message: str | bytes) -> None:
    session.send(message)


class Numbers:
    """What graphql-ws wants of a server: an acknowledgement, and the results of one subscription, at their pace."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        cluster.on_message = self._take

    def _take(self, session: Session, message: str | bytes) -> None:
        request = json.loads(message)
        if request["type"] == "connection_init":
            session.send(json.dumps({"type": "connection_ack"}))
        elif request["type"] == "subscribe":
            self._cluster.run(self._results(session, request["id"]))

    async def _results(self, session: Session, ident: str) -> None:
        for number in range(COUNT):
            session.send(json.dumps({"id": ident, "type": "next", "payload": {"data": {"numbers": number}}}))
            await asyncio.sleep(0.005)
        session.send(json.dumps({"id": ident, "type": "complete"}))


async def keep_moving(cluster: Cluster) -> None:
    """Move every session again as soon as it has arrived."""
    while True:
        for session in cluster.sessions:
            if session.peer is not None and session.over is None and session.received:
                cluster.move(session)
        await asyncio.sleep(0.03)


@pytest.mark.parametrize("library", EXPECTED)
async def test_a_library_does_not_notice_moves(library: str) -> None:
    await install_javascript()
    async with Cluster("n1", "n2") as cluster:
        if library == "centrifuge":
            Channels(cluster)
        elif library == "graphql-ws":
            Numbers(cluster)
        else:
            cluster.on_message = echo
        cluster.run(keep_moving(cluster))
        seen: dict[str, Any] = await run_library(library, cluster.gateway.url, COUNT)
    assert seen["received"] == list(range(COUNT))
    assert seen["changes"] == EXPECTED[library]
    assert seen["moves"] >= MOVES_MIN
    assert len(cluster.sessions) == 1
