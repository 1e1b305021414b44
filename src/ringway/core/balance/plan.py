"""Planner of moves: from where connections are to where they should be.

A plan is a quota for each pair of donor and target, made before anybody is moved. The sum of all quotas is the least
number that balances. To shed connections without a target costs more: with random reconnects nine times as many clients
move as necessary, and a client may be sent in circles (tests/simulation/test_moves.py).

Theory of operation
- The fair share of a node is its weight's part of all connections, as far as it may hold that many (`share`); a
  weight of zero has a share of zero. A draining node gives away all it has, whatever the dead band says.
- A dead band keeps noise from causing moves: nothing begins until some node is off its share by more than
  `start_above` *and* by more than random placement makes likely, `(1 + sqrt(2 ln n)) sqrt(share)`. What was begun goes
  on until all are within `stop_below` (`until`).
- A node gives away only what it holds. For a second after a client has arrived, a target's load counts it twice: in the
  target's report, and as a place in the donor's, which has not heard of it yet. Taking that for excess would send
  clients back.
- A node gets only what it may hold. What finds no room stays where it is, and the reason says how many.
- In a rolling restart (`roll`) nodes that have been restarted are filled first, and nobody but the draining gives.
- Moves in flight are counted as arrived (`core.load.reservation`), by the caller: then acting on the whole difference
  at once is exact for any delay of the reports, and never overshoots (tests/property/test_balance_dynamics.py).
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from ringway.core.balance.config import BalanceConfig
from ringway.core.balance.match import Quota, match
from ringway.core.balance.roll import targets_in_roll
from ringway.core.balance.share import NodeSnapshot, exact_shares, fair_shares, whole_shares
from ringway.types import NodeName

__all__ = ["BalanceConfig", "Plan", "Quota", "NodeSnapshot", "dead_band", "fair_shares", "plan_by_key", "plan_by_load"]

Share = TypeVar("Share", int, float)


@dataclass(frozen=True, slots=True)
class Plan:
    """What to move, and why that or nothing. `reason` is a sentence for the log and the operator."""

    quotas: tuple[Quota, ...]
    reason: str
    imbalance: float = 0.0  # of the node that is furthest off for its dead band: |load - fair| / fair
    fair: Mapping[NodeName, float] = field(default_factory=dict)
    by_key: bool = False  # each quota counts connections whose keys belong to its target
    cause: str = ""  # "drain", "imbalance", "keys" or "asked"; empty if there is nothing to do
    load: Mapping[NodeName, int] = field(default_factory=dict)  # of each node, moves in flight as arrived
    waiting: int = 0  # connections that would be moved as well, but were moved a short while ago

    @property
    def moves(self) -> int:
        """How many connections the plan moves."""
        return sum(quota.count for quota in self.quotas)


def plan_by_load(standings: Sequence[NodeSnapshot], config: BalanceConfig, *, until: float | None = None) -> Plan:
    """Plan for policies that go by load: everybody to the fair share, draining nodes to zero.

    With `until`, small differences are planned for as well while some node is off by more than that part of its share:
    a balance that was begun is being finished. With 0 it is planned to the last connection, across zones if need be.
    """
    load = {node.name: node.load for node in standings}
    active = [node for node in standings if node.active]
    if not any(node.weight > 0 for node in active):
        return Plan((), "no active node could receive connections", load=load)
    fair = exact_shares(active, sum(load.values()))
    shares = whole_shares(active, fair)
    leaving = {node.name: node.movable - node.cooling for node in standings if not node.active}
    leaving = {name: count for name, count in leaving.items() if count > 0}
    bands, off = _furthest_off(active, fair, config, draining=bool(leaving))
    rolling = any(node.avoided for node in active)
    begins = bands > 1 and not rolling
    goes_on = not rolling and until is not None and any(_is_off(node, shares[node.name], until) for node in active)
    excess = dict(leaving)
    waiting = 0
    if begins or goes_on:
        excess |= {node.name: _surplus(node, shares[node.name]) for node in active}
        too_much = {node.name: min(node.movable, node.load) - shares[node.name] for node in active}
        waiting = _total(too_much) - _total({node.name: excess[node.name] for node in active})
    deficit = {node.name: shares[node.name] - node.load for node in active}
    if rolling:
        deficit = targets_in_roll(active, sum(leaving.values()), fair, config.roll_above)
    tolerance = 0.0 if until == 0 else config.zone_tolerance
    zones = {node.name: node.zone for node in standings}
    quotas = match(excess, deficit, zones, {name: int(tolerance * share) for name, share in shares.items()})
    imbalance = abs(off.load - fair[off.name]) / max(fair[off.name], 1.0)
    if leaving:
        reason = f"{', '.join(sorted(leaving))} draining, {sum(leaving.values())} connections left"
    elif rolling:
        reason = "a rolling restart is under way: the others stay where they are"
    elif begins:
        reason = f"{off.name} holds {off.load} of a fair {fair[off.name]:.0f}: {imbalance:.0%} off"
        reason += "" if quotas else "; " + _why_none(deficit)
    elif quotas:
        end = f"within {until:.0%}" if until else "the last connection"
        reason = f"inside the dead band, {imbalance:.1%} off at most: balancing to {end}"
    else:
        reason = f"balanced: {off.name} is furthest off its fair share, by {imbalance:.1%}"
    homeless = _total(excess) - _total(deficit)
    if homeless > 0 and (leaving or begins):
        reason += f"; there is no room for {homeless}"
    cause = "" if not quotas else "drain" if leaving else "imbalance"
    return Plan(quotas, reason, imbalance, fair, cause=cause, load=load, waiting=waiting)


def plan_by_key(
    misplaced: Mapping[NodeName, Mapping[NodeName, int]], room: Mapping[NodeName, int] | None = None
) -> Plan:
    """Plan for hash policies, from each node's count of the keys that belong to others now.

    `room` says how many more each owner may be given; one that it does not name is not limited. Where several donors
    want the room of one owner, each gets its part of it.
    """
    wanted: dict[NodeName, dict[NodeName, int]] = {}
    for donor in sorted(misplaced):
        for target, count in sorted(misplaced[donor].items()):
            if count > 0 and target != donor:
                wanted.setdefault(target, {})[donor] = count
    granted = {target: _portion(donors, (room or {}).get(target)) for target, donors in wanted.items()}
    quotas = tuple(
        sorted(
            (Quota(donor, target, count) for target, donors in granted.items() for donor, count in donors.items()),
            key=lambda quota: (quota.donor, quota.target),
        )
    )
    count = sum(sum(donors.values()) for donors in wanted.values())
    if not count:
        return Plan((), "every key is where the policy puts it", by_key=True)
    planned = sum(quota.count for quota in quotas)
    reason = f"{count} connections hold keys of other nodes"
    if planned < count:
        reason += f"; the owners of {count - planned} have no room"
    return Plan(quotas, reason, by_key=True, cause="keys" if quotas else "")


def _portion(wanted: Mapping[NodeName, int], room: int | None) -> dict[NodeName, int]:
    """Return each donor's part of `room`, in whole connections; all that it gives if there is room for all."""
    total = sum(wanted.values())
    if room is None or room >= total:
        return dict(wanted)
    room = max(0, room)
    parts = {donor: count * room // total for donor, count in wanted.items()}
    rest = room - sum(parts.values())
    for donor in sorted(wanted, key=lambda donor: (-(wanted[donor] * room % total), donor))[:rest]:
        parts[donor] += 1
    return {donor: count for donor, count in parts.items() if count}


def _surplus(node: NodeSnapshot, share: Share) -> Share:
    return min(min(node.movable, node.load) - share, node.movable - node.cooling)


def _is_off(node: NodeSnapshot, share: int, until: float) -> bool:
    return max(_surplus(node, share), share - node.load) > until * share


def _total(counts: Mapping[NodeName, int]) -> int:
    return sum(count for count in counts.values() if count > 0)


def _why_none(deficit: Mapping[NodeName, int]) -> str:
    if _total(deficit):
        return "who could be moved was moved a short while ago, or stays in its zone"
    return "no other node has room"


def dead_band(share: float, nodes: int, config: BalanceConfig) -> float:
    """How many connections one of `nodes` may be off its `share` before a balance is begun."""
    deviations = 1 + math.sqrt(2 * math.log(max(nodes, 2)))
    return max(config.start_above * share, deviations * math.sqrt(share))


def _furthest_off(
    active: Sequence[NodeSnapshot], fair: Mapping[NodeName, float], config: BalanceConfig, *, draining: bool
) -> tuple[float, NodeSnapshot]:
    """The node furthest off its share, and how far, in dead bands: above 1 it is outside.

    The band of a small share is wide, that of a large one is narrow: what counts is how far outside its own each is.
    While others drain, holding less than the share is no fault: that is being filled.
    """

    def bands(node: NodeSnapshot) -> float:
        share = fair[node.name]
        difference = _surplus(node, share) if draining else max(_surplus(node, share), share - node.load)
        return difference / max(dead_band(share, len(active), config), 1e-9)

    worst = max(active, key=bands)
    return bands(worst), worst
