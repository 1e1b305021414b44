"""Matching of donors' excess with targets' deficit: few pairs, and inside zones where possible.

Theory: the excess and the deficit of each node are decided before, so any pairing makes the fewest moves, and the zones
decide. Pairs within a zone are made first; pairs across zones are made only for nodes that would otherwise be off their
share by more than their `slack`.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from ringway.types import NodeName

Counts = Mapping[NodeName, int]


@dataclass(frozen=True, slots=True)
class Quota:
    """So many connections from `donor` to `target`."""

    donor: NodeName
    target: NodeName
    count: int


def match(
    excess: Counts, deficit: Counts, zones: Mapping[NodeName, str] | None = None, slack: Counts | None = None
) -> tuple[Quota, ...]:
    """Pair donors with targets, the largest first. The pairs are fewer than the nodes in them.

    `zones` holds the zone of each node, `slack` the part of its excess or deficit that it may keep to avoid a pair
    across zones.
    """
    zone_of = zones or {}
    if len({zone_of.get(name, "") for name in [*excess, *deficit]}) <= 1:
        return tuple(_pair(excess, deficit))
    quotas: list[Quota] = []
    giving, taking = dict(excess), dict(deficit)
    for zone in sorted({zone_of.get(name, "") for name in excess}):
        inside = _pair(
            {name: count for name, count in giving.items() if zone_of.get(name, "") == zone},
            {name: count for name, count in taking.items() if zone_of.get(name, "") == zone},
        )
        for quota in inside:
            giving[quota.donor] -= quota.count
            taking[quota.target] -= quota.count
        quotas += inside
    crossing = min(
        max(sum(_beyond(giving, slack).values()), sum(_beyond(taking, slack).values())),
        sum(_positive(giving).values()),
        sum(_positive(taking).values()),
    )
    return (*quotas, *_pair(_cut(giving, slack, crossing), _cut(taking, slack, crossing)))


def _pair(excess: Counts, deficit: Counts) -> list[Quota]:
    quotas: list[Quota] = []
    givers = _largest_first(excess)[::-1]  # the next is the last
    if not givers:
        return quotas
    takers = _largest_first(deficit)[::-1]
    while givers and takers:
        giving, donor = givers.pop()
        taking, target = takers.pop()
        count = min(giving, taking)
        quotas.append(Quota(donor, target, count))
        if giving > count:
            givers.append((giving - count, donor))
        if taking > count:
            takers.append((taking - count, target))
    return quotas


def _largest_first(counts: Counts) -> list[tuple[int, NodeName]]:
    positive = ((count, name) for name, count in counts.items() if count > 0)
    return sorted(positive, key=lambda item: (-item[0], item[1]))


def _positive(counts: Counts) -> dict[NodeName, int]:
    return {name: count for name, count in counts.items() if count > 0}


def _beyond(counts: Counts, slack: Counts | None) -> dict[NodeName, int]:
    """The parts of `counts` above `slack`."""
    return _positive({name: count - (slack or {}).get(name, 0) for name, count in counts.items()})


def _cut(counts: Counts, slack: Counts | None, total: int) -> dict[NodeName, int]:
    """Return `total` of `counts`: first the parts above `slack`, then the rest."""
    beyond = _beyond(counts, slack)
    rest = {name: count - beyond.get(name, 0) for name, count in _positive(counts).items()}
    taken: dict[NodeName, int] = {}
    for part in (beyond, rest):
        for count, name in _largest_first(part):
            some = min(count, total)
            taken[name] = taken.get(name, 0) + some
            total -= some
    return taken
