"""A node joins, drains and comes back: just the connections that must move do, each to the node that it was told."""

import asyncio
import json
from collections import Counter

import pytest

from integration.system.witness import reaches_all, until


def connections(system) -> dict[str, int]:
    return {name: node["connections"] for name, node in system.nodes().items()}


async def counts(system, expected: dict[str, int]) -> None:
    """Wait until the nodes report the expected connections."""
    await until(lambda: connections(system) == expected, f"{expected}")


async def test_a_third_node_gets_its_share_with_the_fewest_moves_and_drains_to_the_others(system, witnesses):
    crowd = await witnesses(60)
    await reaches_all(crowd, "before")
    first = Counter(witness.nodes[-1] for witness in crowd)
    assert set(first) == {"node-1", "node-2"}
    old_shares = dict(first)

    system.start("node")
    await until(lambda: connections(system).get("node-3") == 20, "the third node to get its share", 60)
    await until(lambda: sum(connections(system).values()) == 60, "everybody to be back")
    moved = [witness for witness in crowd if len(witness.nodes) > 1]
    assert len(moved) == 20
    assert all(len(witness.nodes) == 2 and witness.nodes[1] == "node-3" for witness in moved)
    assert not any(witness.ends for witness in crowd)
    assert all(count <= old_shares[name] for name, count in connections(system).items() if name in old_shares)
    await until(lambda: all(witness.listening for witness in crowd), "all subscriptions")
    await reaches_all(crowd, "after the join")

    output = await asyncio.to_thread(system.ringway, "drain", "node-3")
    assert "node-3" in output
    await until(lambda: connections(system)["node-3"] == 0, "an empty node")
    await until(lambda: all(witness.listening for witness in crowd), "all subscriptions")
    assert {witness.nodes[-1] for witness in crowd} == {"node-1", "node-2"}
    assert system.nodes()["node-3"]["state"] == "draining"
    await reaches_all(crowd, "after the drain")

    await asyncio.to_thread(system.ringway, "undrain", "node-3")
    await until(lambda: connections(system)["node-3"] == 20, "the node to be filled again")


async def test_a_drain_by_a_deadline_is_refused_where_it_cannot_be_met_and_meets_it_where_it_can(system, witnesses):
    crowd = await witnesses(40)
    holder = max(connections(system).items(), key=lambda item: item[1])[0]
    await until(lambda: sum(connections(system).values()) == 40, "everybody to be counted")
    with pytest.raises(RuntimeError, match=r"cannot leave .* within 3 s: 5 moves a second are safe, .* --force"):
        await asyncio.to_thread(system.ringway, "drain", holder, "--within", "3s")
    assert system.nodes()[holder]["state"] == "active"
    drained = json.loads(await asyncio.to_thread(system.ringway, "drain", holder, "--within", "15s", "--json"))
    assert drained["connections"] == 0
    assert drained["seconds"] <= 15
    await until(lambda: all(witness.listening for witness in crowd), "all subscriptions")
    await reaches_all(crowd, "after the drain by a deadline")
    await asyncio.to_thread(system.ringway, "undrain", holder)
