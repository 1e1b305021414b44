"""Processes are killed: the effects on other processes and on clients."""

import asyncio
import json
import signal
import time
import urllib.request

import pytest

from integration.system.witness import CHANNEL, Witness, reaches_all, until
from ringway.errors import CommandError
from support.system import System, free_port


async def test_clients_of_a_killed_node_are_back_elsewhere_and_the_node_returns(system, witnesses):
    crowd = await witnesses(10)
    direct = [witness for witness in crowd if witness.nodes[-1] == "node-1"]
    assert direct
    before = system.nodes()["node-1"]["incarnation"]
    system.kill("node-1")
    await until(lambda: system.nodes().get("node-1", {}).get("incarnation") != before, "the death to be noticed", 10)
    await until(lambda: all(witness.listening for witness in crowd), "everybody to be back")
    await reaches_all(crowd, "after the kill")
    await until(lambda: system.nodes().get("node-1", {}).get("incarnation", before) != before, "the node's return")


async def test_a_proxied_client_of_a_killed_node_is_told_and_carried_elsewhere(system, witnesses):
    proxied = await witnesses(6, url=system.gateway_url.replace("http", "ws"))
    victim = proxied[0].nodes[-1]
    hit = [witness for witness in proxied if witness.nodes[-1] == victim]
    system.kill(victim)
    await until(lambda: all(witness.ends for witness in hit), "the close frames")
    assert {witness.ends[0][0] for witness in hit} == {1012}
    await until(lambda: all(witness.listening for witness in proxied), "everybody to be back")
    await reaches_all(proxied, "through the proxy again")
    await until(lambda: len(system.nodes()) == 2, "the node's return")


async def test_killing_a_gateway_leaves_direct_clients_alone_and_it_returns(system, witnesses):
    crowd = await witnesses(4)
    system.kill("gateway-1")
    await until(lambda: not system.is_ready(), "the gateway's death")
    await reaches_all(crowd, "without a gateway")
    await until(system.is_ready, "the gateway's return")
    assert [witness.ends for witness in crowd] == [[]] * 4
    await witnesses(2)


async def test_two_gateways_see_the_same_and_place_together(system, witnesses):
    port, admin_port = free_port(), free_port()
    system.start("gateway", "--port", str(port), "--admin-port", str(admin_port))
    second = f"http://127.0.0.1:{port}"

    async def open_one() -> list[Witness] | None:
        try:
            return await witnesses(1, url=second)
        except Exception:  # not up yet: any refusal is as good as another
            return None

    deadline = time.monotonic() + 30
    while (made := await open_one()) is None:
        assert time.monotonic() < deadline, "the second gateway did not begin"
        await asyncio.sleep(0.1)
    crowd = made + await witnesses(9, url=second) + await witnesses(10)
    total = len(crowd)
    await until(lambda: sum(node["connections"] for node in system.nodes().values()) == total, "all to be counted")
    counts = [node["connections"] for node in system.nodes().values()]
    assert max(counts) - min(counts) <= 4
    await reaches_all(crowd, "placed by two gateways")


async def comes_to_reach_all(crowd: list[Witness]) -> None:
    """Publish until one publication has reached everybody: each member finds NATS again at its own time."""
    probes: list[int] = []

    def arrived() -> bool:
        return any(all(probe in witness.received for witness in crowd) for probe in probes)

    deadline = time.monotonic() + 30
    while not arrived():
        assert time.monotonic() < deadline, "not all nodes found NATS again"
        probes.append(len(probes))
        await crowd[0].client.publish(CHANNEL, probes[-1])
        await asyncio.sleep(0.2)


def health(system: System) -> str:
    """Return how the gateway says that it is."""
    with urllib.request.urlopen(f"{system.gateway_url}/readyz", timeout=5) as answer:
        return str(json.load(answer)["status"])


async def test_while_nats_is_away_clients_stay_and_publishing_is_refused_for_the_time_being(system, witnesses):
    crowd = await witnesses(6)
    system.up.send_signal(signal.SIGSTOP)  # the supervisor cannot start NATS again until it is told to go on
    system.kill("nats")
    await until(lambda: health(system) == "degraded", "the gateway to say that the engine is away")
    with pytest.raises(CommandError) as refused:
        await crowd[0].client.publish(CHANNEL, "lost?", timeout_s=0.5)
    assert refused.value.temporary
    system.up.send_signal(signal.SIGCONT)
    await until(lambda: health(system) == "ready", "NATS and the gateway to be back")
    assert [witness.ends for witness in crowd] == [[]] * 6
    assert set(system.nodes()) == {"node-1", "node-2"}
    await comes_to_reach_all(crowd)
