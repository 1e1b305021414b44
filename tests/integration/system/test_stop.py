"""SIGTERM at a node: its clients are led away before it ends, also when the leading gateway dies meanwhile."""

import asyncio
import json
import math
import signal
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from integration.node.kit import PATH, Peer, head
from integration.system.conftest import SOON
from integration.system.witness import Witness, reaches_all, until
from ringway.core.balance.plan import BalanceConfig, dead_band
from support.system import System, free_port, running_system

DRAIN_S = 20


@pytest.fixture(scope="module")
def system() -> Iterator[System]:
    with running_system(environ={**SOON, "RINGWAY_NODE_DRAIN_WITHIN_S": str(DRAIN_S)}) as running:
        yield running


def ask(url: str) -> tuple[int, Any]:
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.load(error)


def events(log: Path) -> list[dict[str, Any]]:
    """What a process has logged."""
    return [json.loads(line) for line in log.read_text().splitlines() if line.startswith("{")]


class Beside:
    """A process that was started beside `up`, and its log."""

    def __init__(self, system: System, *arguments: str) -> None:
        before = set(system.state.glob("*-beside-*.log"))
        self.process: subprocess.Popen[bytes] = system.start(*arguments)
        [self.log] = set(system.state.glob("*-beside-*.log")) - before

    def stopping(self) -> list[dict[str, Any]]:
        return [event for event in events(self.log) if event["event"].startswith("stopping:")]


async def node_with_clients(system: System, name: str, crowd: list[Witness]) -> tuple[Beside, int]:
    """Start a third node, and return it when it has been given its part of `crowd`; also the least that this may be.

    Where a busy machine makes the lease change hands meanwhile, the next leader begins nothing inside the dead band.
    """
    beside = Beside(system, "node", "--name", name)
    share = len(crowd) / 3
    least = math.ceil(share - dead_band(share, 3, BalanceConfig()))
    await until(lambda: system.nodes().get(name, {}).get("connections", 0) >= least, f"{name} to get its share")
    await until(lambda: all(witness.listening for witness in crowd), "everybody to be back")
    return beside, least


def moves(crowd: list[Witness]) -> int:
    return sum(len(witness.nodes) - 1 for witness in crowd)


async def test_sigterm_moves_everybody_before_the_end(system, witnesses):
    crowd = await witnesses(60)
    node, least = await node_with_clients(system, "third", crowd)
    before = moves(crowd)
    url, admin = system.nodes()["third"]["url"], system.nodes()["third"]["admin_url"]
    node.process.send_signal(signal.SIGTERM)
    await until(lambda: system.nodes()["third"]["state"] == "draining", "the others to know", 5)
    assert ask(f"{admin}/readyz")[0] == 503
    peer = await Peer.tcp(int(url.rpartition(":")[2].partition("/")[0]))
    status, headers, _ = await peer.handshake(head(PATH))
    assert status == 503
    assert "retry-after" in headers
    peer.abort()
    assert await asyncio.to_thread(node.process.wait, 60) == 0
    assert [event["event"] for event in node.stopping()] == ["stopping: all clients have left"]
    assert not any(witness.ends for witness in crowd), "nobody was cut off, and nobody noticed"
    assert moves(crowd) - before >= least
    await until(lambda: all(witness.listening for witness in crowd), "everybody to be back")
    await reaches_all(crowd, "after the stop")


async def test_a_drain_survives_the_death_of_the_gateway_that_leads(system, witnesses):
    port, admin_port = free_port(), free_port()
    second = Beside(system, "gateway", "--port", str(port), "--admin-port", str(admin_port))
    await until(lambda: len(ask(f"{system.admin_url}/v1/gateways")[1]) == 2, "the second gateway")
    crowd = await witnesses(90, url=[system.gateway_url, f"http://127.0.0.1:{port}"])
    node, _ = await node_with_clients(system, "fourth", crowd)
    before = moves(crowd)
    node.process.send_signal(signal.SIGTERM)
    await until(lambda: moves(crowd) >= before + 3, "the moves to begin")
    [leader] = [gateway["name"] for gateway in ask(f"{system.admin_url}/v1/gateways")[1] if gateway["leading"]]
    if leader == "gateway-1":
        system.kill("gateway-1")
    else:
        second.process.kill()
    done = moves(crowd)
    assert node.process.poll() is None
    assert await asyncio.to_thread(node.process.wait, 60) == 0
    assert moves(crowd) > done, "by chance all had left before: the test can say nothing"
    assert [event["event"] for event in node.stopping()] == ["stopping: all clients have left"]
    assert not any(witness.ends for witness in crowd), "nobody was cut off, and nobody noticed"
    await until(lambda: all(witness.listening for witness in crowd), "everybody to be back", 60)
    await reaches_all(crowd, "after the change of leaders")


async def test_at_the_deadline_who_is_left_is_closed(system, witnesses):
    await until(system.is_ready, "the gateway to be back")
    node = Beside(system, "node", "--name", "fifth", "--drain-within-s", "2")
    await until(lambda: "fifth" in system.nodes(), "the node")
    url = system.nodes()["fifth"]["url"]
    pinned = await witnesses(3, url=f"{url}?pin=1")
    node.process.send_signal(signal.SIGTERM)
    assert await asyncio.to_thread(node.process.wait, 60) == 0
    await until(lambda: all(witness.ends for witness in pinned), "the close frames")
    assert [witness.ends[0] for witness in pinned] == [(1012, "drained")] * 3


async def test_while_it_drains_it_takes_no_other_word_and_a_second_signal_ends_it_at_once(system, witnesses):
    node = Beside(system, "node", "--name", "seventh")
    await until(lambda: "seventh" in system.nodes(), "the node")
    url = system.nodes()["seventh"]["url"]
    await witnesses(1, url=f"{url}?pin=1")
    node.process.send_signal(signal.SIGTERM)
    await until(lambda: system.nodes()["seventh"]["state"] == "draining", "the drain")
    with pytest.raises(RuntimeError, match="seventh was told to stop"):
        await asyncio.to_thread(system.ringway, "undrain", "seventh")
    node.process.send_signal(signal.SIGTERM)
    assert await asyncio.to_thread(node.process.wait, 10) == 128 + signal.SIGTERM


async def test_sigint_is_quick_and_so_is_a_setting_of_0(system):
    for arguments, number in (((), signal.SIGINT), (("--drain-within-s", "0"), signal.SIGTERM)):
        node = Beside(system, "node", "--name", "sixth", *arguments)
        await until(lambda: "sixth" in system.nodes(), "the node")
        node.process.send_signal(number)
        assert await asyncio.to_thread(node.process.wait, 30) == 0
        said = [event["event"] for event in events(node.log)]
        assert "draining before the stop" not in said
        await until(lambda: "sixth" not in system.nodes(), "it to be gone")


async def test_the_last_one_does_not_wait_and_up_stops_all_quickly():
    with running_system(nodes=1, environ=SOON) as system:
        [witness] = [Witness(system.gateway_url)]
        async with witness.client:
            await witness.listen()
            before = system.nodes()["node-1"]["incarnation"]
            system.kill("node-1", signal.SIGTERM)
            await until(lambda: witness.ends == [(3001, "shutdown")], "the goodbye")
            await until(lambda: system.nodes().get("node-1", {}).get("incarnation", before) != before, "its return")
            await until(lambda: witness.listening, "the client to be back")
            assert system.up is not None
            system.up.send_signal(signal.SIGTERM)
            assert await asyncio.to_thread(system.up.wait, 30) == 0
        said = [event["event"] for event in events(system.state / "logs" / "node-1.log")]
        assert [event for event in said if event.startswith("stopping:")] == [
            "stopping: no other node takes connections, so there is nowhere to drain to"
        ]
        assert said.count("draining before the stop") == 1
