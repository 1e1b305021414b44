"""A node that admits no clients, clients that are pinned, and a deadline that ends both, in a whole system."""

import asyncio

from integration.system.witness import reaches_all, until


def connections(system) -> dict[str, int]:
    return {name: node["connections"] for name, node in system.nodes().items()}


async def test_weight_zero_gets_nobody_and_a_deadline_ends_a_drain_of_the_pinned(system, witnesses):
    system.start("node", "--name", "idle", "--weight", "0")
    await until(lambda: "idle" in system.nodes(), "the third node")
    pinned = await witnesses(10, url=system.gateway_url.replace("http", "ws") + "/connection/websocket?pin=1")
    crowd = await witnesses(20)
    await until(lambda: sum(connections(system).values()) == 30, "everybody to be counted")
    assert connections(system)["idle"] == 0, "it is the emptiest, and has no share"
    assert {name for witness in crowd for name in witness.nodes} == {"node-1", "node-2"}

    staying = [witness for witness in pinned if witness.nodes == ["node-1"]]
    assert staying, "two choices use both nodes"
    await asyncio.to_thread(system.ringway, "drain", "node-1", "--no-wait")
    await until(lambda: connections(system)["node-1"] == len(staying), "all others to have moved")
    assert not any(witness.ends for witness in pinned)

    await asyncio.to_thread(system.ringway, "drain", "node-1", "--within", "3s", "--force", "--no-wait")
    await until(lambda: connections(system)["node-1"] == 0, "the deadline")
    assert all(witness.ends == [(1012, "drained")] for witness in staying)
    await until(lambda: connections(system)["node-2"] == 30, "everybody to be back")
    assert connections(system)["idle"] == 0
    await until(lambda: all(witness.listening for witness in [*pinned, *crowd]), "all subscriptions")
    await reaches_all([*pinned, *crowd], "after the deadline")
