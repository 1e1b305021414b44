"""More handshakes at a node than it can admit: it admits its rate, refuses the rest at once, and goes on serving."""

import asyncio
import json
import time
import urllib.request
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from integration.node.kit import PATH, Peer, head
from integration.system.conftest import SOON
from integration.system.witness import reaches_all, until
from ringway.core.handshake_limiter import BURST_S
from support.system import System, running_system

SOCKETS = 1800
"""Below `pending_max`, so that the rate alone refuses."""


@pytest.fixture(scope="module")
def system() -> Iterator[System]:
    with running_system(nodes=1, environ=SOON) as running:
        yield running


def metrics(system: System, name: str) -> dict[str, float]:
    """The node's metrics, those without labels."""
    url = system.nodes()[name]["admin_url"]
    with urllib.request.urlopen(f"{url}/metrics", timeout=30) as answer:
        lines = [line for line in answer.read().decode().splitlines() if not line.startswith("#")]
    return {series: float(value) for series, value in (line.rsplit(" ", 1) for line in lines)}


async def knock(port: int, path: str) -> tuple[int, dict[str, str], Any, Peer]:
    peer = await Peer.tcp(port)
    status, headers, body = await peer.handshake(head(path, host="127.0.0.1"))
    return status, headers, json.loads(body) if body else None, peer


async def test_a_flood_is_shed_and_nobody_else_notices(system, witnesses):
    crowd = await witnesses(5)
    port = int(system.nodes()["node-1"]["url"].rpartition(":")[2].partition("/")[0])
    before = metrics(system, "node-1")
    rates = [rate_of(system)]
    began = time.monotonic()
    knocking = [asyncio.ensure_future(knock(port, PATH)) for _ in range(SOCKETS)]
    await reaches_all(crowd, "in the midst of it")
    async with asyncio.timeout(60):
        answers = await asyncio.gather(*knocking)
    took_s = time.monotonic() - began
    rates.append(rate_of(system))
    statuses = Counter(status for status, *_ in answers)
    assert set(statuses) == {101, 503}, "an answer for everybody, and no reset"
    assert statuses[101] <= max(rates) * (took_s + BURST_S) + 1
    assert statuses[101] >= min(min(rates) * BURST_S, SOCKETS) - 1
    refused = [(headers, body) for status, headers, body, _ in answers if status == 503]
    assert all("retry-after" in headers and "more handshakes come than" in body["error"] for headers, body in refused)
    latest_s = len(refused) / max(rates) - took_s
    assert max(int(headers["retry-after"]) for headers, _ in refused) >= latest_s, "they come back at the node's rate"
    after = metrics(system, "node-1")
    assert after["ringway_node_turned_away_total"] - before["ringway_node_turned_away_total"] == statuses[503]
    assert system.nodes()["node-1"]["loop_lag_s"] < 5, "each turn of the loop is short; a starved machine allowed for"
    assert after["ringway_node_shed_total"] == 0, "nobody was cut without an answer"
    # With a ticket there is room at once, whatever comes without.
    newcomers = await witnesses(5)
    await reaches_all([*crowd, *newcomers], "after it")
    assert not any(witness.ends for witness in crowd)
    for *_, peer in answers:
        peer.abort()
    await until(lambda: system.nodes()["node-1"]["connections"] == 10, "the flood to be over")


def rate_of(system: System) -> float:
    return float(system.nodes()["node-1"]["accept_per_s"])
