"""Planner of moves: from the present distribution of connections to the balanced one.

A plan is a quota for each pair of donor and target, made before any client is moved. The sum of all quotas is the least
number that balances. To shed connections without a target costs more: with random reconnects nine times as many clients
move as necessary, and a client may be sent in circles (tests/simulation/test_moves.py).

Theory of operation
- The fair share of a node is its weight's part of all connections, up to the node's maximum (`share`); a weight of zero
  has a share of zero. A draining node gives away all its connections, without a dead band.
- A dead band prevents moves that noise would cause. A balance begins if a node is off its share by more than
  `start_above` *and* by more than random placement makes likely, `(1 + sqrt(2 ln n)) sqrt(share)`. It goes on until all
  nodes are within `stop_below` (`until`).
- A node gives away only connections that it holds. For a second after a client has arrived, a target's load counts the
  client twice: in the target's report, and as a place in the donor's last report. If that counted as excess, clients
  would be sent back.
- A node gets only as many connections as it has room for. Connections without room elsewhere stay, and the reason says
  how many.
- In a rolling restart (`roll`) nodes that have been restarted are filled first, and only draining nodes give.
- The caller counts moves in flight as arrived (`core.load.reservation`). So a plan for the whole difference is exact
  for any delay of the reports, and never overshoots (tests/property/test_balance_dynamics.py).
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
    """The moves of a round, maybe none, with their cause. `reason` is a sentence for the log and the operator."""

    quotas: tuple[Quota, ...]
    reason: str
    imbalance: float = 0.0  # of the node that is furthest off for its dead band: |load - fair| / fair
    fair: Mapping[NodeName, float] = field(default_factory=dict)
    by_key: bool = False  # each quota counts connections whose keys belong to its target
    cause: str = ""  # "drain", "imbalance", "keys" or "asked"; empty without moves
    load: Mapping[NodeName, int] = field(default_factory=dict)  # of each node, moves in flight as arrived
    waiting: int = 0  # connections that would be moved as well, but were moved a short while ago

    @property
    def moves(self) -> int:
        """The number of connections that the plan moves."""
        return sum(quota.count for quota in self.quotas)


def plan_by_load(standings: Sequence[NodeSnapshot], config: BalanceConfig, *, until: float | None = None) -> Plan:
    """Plan for policies by load: each active node to its fair share, draining nodes to zero.

    `until` is set while a balance is under way. Then small differences are planned for as well, as long as a node is
    off by more than that part of its share. With 0 the plan goes to the last connection, across zones if necessary.
    """
    load = {node.name: node.load for node in standings}
    active = [node for node in standings if node.active]
    if not any(node.weight > 0 for node in active):
        return Plan((), "no active node could receive connections", load=load)
    fair = exact_shares(active, sum(load.values()))
    leaving = {
        node.name: node.movable - node.cooling for node in standings if not node.active and node.movable > node.cooling
    }
    bands, off = _furthest_off(active, fair, config, draining=bool(leaving))
    imbalance = abs(off.load - fair[off.name]) / max(fair[off.name], 1.0)
    rolling = any(node.avoided for node in active)
    begins = bands > 1 and not rolling
    if not (begins or leaving or rolling or until is not None):  # in calm, which is most of the time
        return Plan((), _balanced(off, imbalance), imbalance, fair, load=load)
    shares = whole_shares(active, fair)
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
        reason = _balanced(off, imbalance)
    homeless = _total(excess) - _total(deficit)
    if homeless > 0 and (leaving or begins):
        reason += f"; there is no room for {homeless}"
    cause = "" if not quotas else "drain" if leaving else "imbalance"
    return Plan(quotas, reason, imbalance, fair, cause=cause, load=load, waiting=waiting)


def _balanced(off: NodeSnapshot, imbalance: float) -> str:
    return f"balanced: {off.name} is furthest off its fair share, by {imbalance:.1%}"


def plan_by_key(
    misplaced: Mapping[NodeName, Mapping[NodeName, int]],
    room: Mapping[NodeName, int] | None = None,
    staying: str = "",
) -> Plan:
    """Plan for hash policies, from each node's count of the keys that belong to other nodes now.

    `room` is the number of connections that each owner may still get; an owner without an entry is not limited. If
    several donors need the room of one owner, each donor gets its part of the room. `staying` says which connections
    were not counted, since they may not be moved now; empty if all were.
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
        keys, rest = ("every key that may be moved", f"; {staying}") if staying else ("every key", "")
        return Plan((), f"{keys} is where the policy puts it{rest}", by_key=True)
    planned = sum(quota.count for quota in quotas)
    reason = f"{count} connections hold keys of other nodes"
    if planned < count:
        reason += f"; the owners of {count - planned} have no room"
    return Plan(quotas, reason, by_key=True, cause="keys" if quotas else "")


def _portion(wanted: Mapping[NodeName, int], room: int | None) -> dict[NodeName, int]:
    """Return each donor's part of `room`, in whole connections; its whole excess if `room` suffices for all donors."""
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
    """The number of connections by which one of `nodes` may be off its `share` before a balance is begun."""
    return max(config.start_above * share, _deviations(nodes) * math.sqrt(share))


def _deviations(nodes: int) -> float:
    return 1 + math.sqrt(2 * math.log(max(nodes, 2)))


def _furthest_off(
    active: Sequence[NodeSnapshot], fair: Mapping[NodeName, float], config: BalanceConfig, *, draining: bool
) -> tuple[float, NodeSnapshot]:
    """The node that is furthest off its share, and its distance in dead bands: above 1 it is outside.

    A small share has a wide band, a large share a narrow band. So the distance is measured in the node's own band.
    While other nodes drain, less than the share is no fault: the drain fills it.
    """

    start_above, deviations = config.start_above, _deviations(len(active))
    most, worst = -math.inf, active[0]
    for node in active:
        share, load = fair[node.name], node.load
        band = max(start_above * share, deviations * math.sqrt(share), 1e-9)
        if abs(load - share) / band <= most:
            continue  # its surplus is not above that
        difference = _surplus(node, share) if draining else max(_surplus(node, share), share - load)
        if difference / band > most:
            most, worst = difference / band, node
    return most, worst
