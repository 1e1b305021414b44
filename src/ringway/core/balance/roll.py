"""Rolling restart: targets for the clients of the node that restarts next, chosen so that few clients move twice.

Theory: a client that goes to a restarted node moves once; a client that goes to a node that is still to be restarted
moves again with it. So the restarted nodes are filled first, each to the same height for its weight ("water filling",
and only upwards: no node loses clients for that). This has a bound, since a node with twice its share would be the next
outage: above `roll_above` of its fair share, the other nodes get the rest.

The clients of the first node can only go to nodes that will be restarted, so they move twice; all other clients can
move once. That makes 1 + 1/n moves a client for n nodes.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

from ringway.core.balance.share import NodeSnapshot
from ringway.types import NodeName


def targets_in_roll(
    active: Sequence[NodeSnapshot], leaving: int, fair: Mapping[NodeName, float], above: float
) -> dict[NodeName, int]:
    """Return, by node of `active`, its part of the `leaving` connections; their sum is smaller if room is missing.

    `fair` is the share of each node, `above` the part of it by which a restarted node may exceed its share.
    """
    rested = [node for node in active if not node.avoided]
    capped = [replace(node, room=min(node.room, (1.0 + above) * fair[node.name] - node.load)) for node in rested]
    given = dict.fromkeys((node.name for node in active), 0)
    for nodes in (capped, [node for node in active if node.avoided], rested):
        filled = [replace(node, load=node.load + given[node.name], room=node.room - given[node.name]) for node in nodes]
        for name, count in fill(filled, leaving - sum(given.values())).items():
            given[name] += count
    return given


def fill(nodes: Sequence[NodeSnapshot], count: int) -> dict[NodeName, int]:
    """Share `count` newcomers among the `nodes` that are least full for their weight, each within its room.

    Nodes that get no newcomer are left out.
    """
    rooms = {node.name: max(0, math.floor(min(node.room, count))) if node.weight > 0 else 0 for node in nodes}
    count = min(count, sum(rooms.values()))
    open_ = [node for node in nodes if rooms[node.name]]
    level = _level(open_, rooms, count)
    exact = {node.name: min(max(0.0, level * node.weight - node.load), float(rooms[node.name])) for node in open_}
    given = {name: math.floor(part + 1e-9) for name, part in exact.items()}
    rest = count - sum(given.values())
    for name in sorted(given, key=lambda name: (given[name] - exact[name], name)):
        if rest and given[name] < rooms[name]:
            given[name] += 1
            rest -= 1
    return {name: newcomers for name, newcomers in given.items() if newcomers}


def _level(nodes: Sequence[NodeSnapshot], rooms: Mapping[NodeName, int], count: int) -> float:
    """The load for each unit of weight to which `count` newcomers fill `nodes`.

    Each node begins and ends to be filled at a certain level. Between two such levels, a unit of height holds as many
    newcomers as the weights of the nodes being filled add up to.
    """
    turns = sorted(
        [(node.load / node.weight, node.weight) for node in nodes]
        + [((node.load + rooms[node.name]) / node.weight, -node.weight) for node in nodes]
    )
    left, slope, level = float(count), 0.0, turns[0][0] if turns else 0.0
    for at, change in turns:
        if slope * (at - level) >= left:
            return level + left / slope if slope > 0 else level
        left -= slope * (at - level)
        level = at
        slope += change
    return level
