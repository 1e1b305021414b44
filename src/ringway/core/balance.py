"""Where connections are, against where they should be: the planner of moves.

A plan is a quota for each pair of donor and target, made before anybody is moved. Others shed connections and hope that
they land well: with random reconnects nine times as many move as need to, and a client may be sent around in circles
(research: load-balancing §0.2, realtime-peers §1). Here the sum of all quotas is the least number that balances.

Theory of operation
- The fair share of an active node is `K w / W`: of all connections, its weight's part. Shares are rounded to whole
  connections whose sum is K, so donors' excess and targets' deficit match exactly.
- A draining node gives away all it has; the fair shares count its connections as everybody else's.
- A dead band keeps noise from causing moves: nothing begins until some node is off its share by more than
  `start_above` *and* by more than random placement makes likely, `(1 + sqrt(2 ln n)) sqrt(share)`.
- A node gives away only what it holds. For a second after a client has arrived, a target's load counts it twice: in the
  target's report, and as a place in the donor's, which has not heard of it yet. Taking that for excess would send
  clients back.
- Moves in flight are counted as arrived (`core.reservation`), by the caller: then acting on the whole difference at
  once is exact for any delay of the reports, and never overshoots (research §4.2.7).
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, TypeVar

import msgspec

from ringway.types import NodeName

Share = TypeVar("Share", int, float)


class BalanceConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """When the balancer acts, and how fast."""

    start_above: Annotated[
        float,
        msgspec.Meta(
            description="Begin when a node is off its fair share by more than this part of it. "
            "Must exceed the noise of random placement.",
            gt=0,
            le=1,
        ),
    ] = 0.10
    moves_share_per_s: Annotated[
        float,
        msgspec.Meta(description="Move at most this part of all connections a second.", gt=0, le=1),
    ] = 0.02
    moves_per_s_min: Annotated[
        float,
        msgspec.Meta(description="A small cluster moves at least this many connections a second.", gt=0),
    ] = 5.0
    moves_per_s_max: Annotated[
        float,
        msgspec.Meta(description="No cluster moves more connections a second than this.", gt=0),
    ] = 500.0
    target_share: Annotated[
        float,
        msgspec.Meta(
            description="Moves use at most this part of the handshakes a second that a target says it can take; "
            "the rest is for clients that come by themselves.",
            gt=0,
            le=1,
        ),
    ] = 0.5
    settle_s: Annotated[
        float,
        msgspec.Meta(
            description="Wait this long after a node joined, left or changed its state: others may be about to.",
            ge=0,
            extra={"unit": "s"},
        ),
    ] = 2.0
    lease_s: Annotated[
        float,
        msgspec.Meta(
            description="How long a balancer leads without renewing its lease; another takes over after it died.",
            ge=2,
            le=60,
            extra={"unit": "s"},
        ),
    ] = 4.0


@dataclass(frozen=True, slots=True)
class Standing:
    """One node as the planner sees it; moves in flight are counted as arrived."""

    name: NodeName
    weight: float
    load: int
    movable: int  # how many connections it can still be told to move away
    active: bool
    cooling: int = 0  # of these, how many were moved there a short while ago, and stay for now


@dataclass(frozen=True, slots=True)
class Quota:
    """So many connections from `donor` to `target`."""

    donor: NodeName
    target: NodeName
    count: int


@dataclass(frozen=True, slots=True)
class Plan:
    """What to move, and why that or nothing. `reason` is a sentence for the log and the operator."""

    quotas: tuple[Quota, ...]
    reason: str
    imbalance: float = 0.0  # of the node that is furthest off for its dead band: |load - fair| / fair
    fair: Mapping[NodeName, float] = field(default_factory=dict)
    by_key: bool = False  # each quota is of connections whose keys belong to its target

    @property
    def moves(self) -> int:
        """How many connections the plan moves."""
        return sum(quota.count for quota in self.quotas)


def plan_by_load(standings: Sequence[Standing], config: BalanceConfig, *, within_band: bool = False) -> Plan:
    """Plan for policies that go by load: everybody to the fair share, draining nodes to zero.

    `within_band` plans for small differences as well: an operator asked, or a balance begun is being finished.
    """
    active = [node for node in standings if node.active and node.weight > 0]
    if not active:
        return Plan((), "no active node could receive connections")
    total = sum(node.load for node in standings)
    shares = fair_shares(active, total)
    fair = {node.name: total * node.weight / sum(other.weight for other in active) for node in active}
    leaving = {node.name: node.movable for node in standings if not node.active and node.movable > 0}
    bands, off = _furthest_off(active, fair, config, draining=bool(leaving))
    imbalance = abs(off.load - fair[off.name]) / max(fair[off.name], 1.0)
    excess = dict(leaving)
    begins = bands > 1
    if begins or within_band:
        excess |= {node.name: _surplus(node, shares[node.name]) for node in active}
    deficit = {node.name: shares[node.name] - node.load for node in active}
    quotas = match(excess, deficit)
    if leaving:
        reason = f"{', '.join(sorted(leaving))} draining, {sum(leaving.values())} connections left"
    elif begins:
        reason = f"{off.name} holds {off.load} of a fair {fair[off.name]:.0f}: {imbalance:.0%} off"
        if not quotas:
            reason += "; who could be moved was moved a short while ago"
    elif quotas:
        reason = f"inside the dead band, {imbalance:.1%} off at most: balancing to the last connection"
    else:
        reason = f"balanced: {off.name} is furthest off its fair share, by {imbalance:.1%}"
    return Plan(quotas, reason, imbalance, fair)


def plan_by_key(misplaced: Mapping[NodeName, Mapping[NodeName, int]]) -> Plan:
    """Plan for hash policies, from each node's count of the keys that belong to others now."""
    quotas = tuple(
        Quota(donor, target, count)
        for donor in sorted(misplaced)
        for target, count in sorted(misplaced[donor].items())
        if count > 0 and target != donor
    )
    if not quotas:
        return Plan((), "every key is where the ring puts it")
    count = sum(quota.count for quota in quotas)
    return Plan(quotas, f"{count} connections hold keys of other nodes", by_key=True)


def fair_shares(active: Sequence[Standing], total: int) -> dict[NodeName, int]:
    """Share `total` among `active` by weight, in whole connections that add up to it.

    Shares are rounded up where more than that is held already, so that no move is made for a fraction; then where the
    fraction is largest.
    """
    weights = sum(node.weight for node in active)
    exact = {node.name: total * node.weight / weights for node in active}
    shares = {name: math.floor(share + 1e-9) for name, share in exact.items()}

    def first_served(node: Standing) -> tuple[bool, float, NodeName]:
        return node.load <= shares[node.name], shares[node.name] - exact[node.name], node.name

    for node in sorted(active, key=first_served)[: total - sum(shares.values())]:
        shares[node.name] += 1
    return shares


def match(excess: Mapping[NodeName, int], deficit: Mapping[NodeName, int]) -> tuple[Quota, ...]:
    """Pair donors with targets, the largest first: fewer pairs than nodes that take part."""
    givers = _largest_first(excess)
    takers = _largest_first(deficit)
    quotas: list[Quota] = []
    while givers and takers:
        giving, donor = givers.pop(0)
        taking, target = takers.pop(0)
        count = min(giving, taking)
        quotas.append(Quota(donor, target, count))
        if giving > count:
            givers.insert(0, (giving - count, donor))
        if taking > count:
            takers.insert(0, (taking - count, target))
    return tuple(quotas)


def _largest_first(counts: Mapping[NodeName, int]) -> list[tuple[int, NodeName]]:
    positive = ((count, name) for name, count in counts.items() if count > 0)
    return sorted(positive, key=lambda item: (-item[0], item[1]))


def _surplus(node: Standing, share: Share) -> Share:
    return min(min(node.movable, node.load) - share, node.movable - node.cooling)


def _furthest_off(
    active: Sequence[Standing], fair: Mapping[NodeName, float], config: BalanceConfig, *, draining: bool
) -> tuple[float, Standing]:
    """The node furthest off its share, and how far, in dead bands: above 1 it is outside.

    The band of a small share is wide, that of a large one is narrow: what counts is how far outside its own each is.
    While others drain, holding less than the share is no fault: that is being filled.
    """
    deviations = 1 + math.sqrt(2 * math.log(max(len(active), 2)))

    def bands(node: Standing) -> float:
        share = fair[node.name]
        difference = _surplus(node, share) if draining else max(_surplus(node, share), share - node.load)
        return difference / max(config.start_above * share, deviations * math.sqrt(share), 1e-9)

    worst = max(active, key=bands)
    return bands(worst), worst
