"""Arrivals: the clients a second that come to each node by themselves, from the nodes' counters.

    arrivals = connections accepted - tickets redeemed that other nodes issued, at most as many as they moved clients

The subtracted part is moves: a node that moves a client away issues its ticket. Moves may use the handshakes of a node
that arrivals do not need.

More tickets are redeemed than clients were moved if newcomers claim places (`core.load.claim`), and the moved clients
come as well, with their own tickets. These newcomers are arrivals: if they were not counted, a new node would get twice
its budget. Donors' counters come in their own reports, so a difference may be early or late; only the average is cut
off at zero.
"""

import math
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

from ringway.core.load.node import NodeLoad
from ringway.protocol.beat import TakenCounts
from ringway.protocol.report import Report
from ringway.types import Issuer, NodeName

TAU_S = 5.0
"""Time constant of the estimate: a flood is seen within seconds, a single burst passes."""

STEADY_S = 60.0
"""Time constant of the steady estimate: a flood that is over in seconds hardly counts."""

OBSERVE_S = 1.5
"""How long the estimates are as of now: a leader observes the nodes each second, other gateways when they place."""

PART = 200
"""Nodes whose counters are read in one turn of the event loop: each may have tickets of a thousand donors."""


@dataclass(slots=True)
class _Track:
    report: Report
    heard_at: float
    moved: dict[Issuer, int]  # clients moved here, by donor
    open: set[Issuer]  # issuers of which more tickets were redeemed than clients are known to be sent
    per_s: float = 0.0
    steady_per_s: float = 0.0


class Arrivals:
    """The rates of all nodes. Feed it the nodes about once a second; `NodeLoad.heard_at` is its clock.

    `steady_sum` is the sum of `steady_per_s` over the nodes.
    """

    def __init__(self) -> None:
        self._tracks: dict[NodeName, _Track] = {}
        self._observed_at = -math.inf
        self.steady_sum = 0.0

    def is_due(self, now: float) -> bool:
        """True if the nodes were not observed for `OBSERVE_S`; `now` is monotonic."""
        return now >= self._observed_at + OBSERVE_S

    def observe(self, nodes: Collection[NodeLoad], now: float) -> None:
        """Update the estimates from the nodes' newest reports."""
        for _ in self.observe_in_parts(nodes, now):
            pass

    def observe_in_parts(self, nodes: Collection[NodeLoad], now: float) -> Iterator[None]:
        """Do the same, and yield after every `PART` nodes."""
        self._observed_at = now
        tracks = self._tracks
        reporting = [(node, report) for node in nodes if (report := node.report) is not None]
        sent = {Issuer(report.incarnation): report.moved for _, report in reporting if report.moved}
        if len(tracks) > len(reporting):
            for name in tracks.keys() - {node.name for node, _ in reporting}:
                del tracks[name]
        steady_sum = 0.0
        for number, (node, report) in enumerate(reporting, 1):
            if number % PART == 0:
                yield
            track = tracks.get(node.name)
            if track is None or track.report.incarnation != report.incarnation:
                track = tracks[node.name] = _Track(report, node.heard_at, {}, set(report.taken))
                _count_moves(track, report, sent)
            elif report.seq > track.report.seq and node.heard_at > track.heard_at:
                is_same = report.taken is track.report.taken and not track.open
                by_order = 0 if is_same else _count_moves(track, report, sent)
                _advance(track, report, node.heard_at, by_order)
            if track.steady_per_s > 0:
                steady_sum += track.steady_per_s
        self.steady_sum = steady_sum

    def per_s(self, node: NodeName) -> float:
        """The clients a second that come to `node` by themselves, over some seconds."""
        track = self._tracks.get(node)
        return max(0.0, track.per_s) if track else 0.0

    def steady_per_s(self, node: NodeName) -> float:
        """The same over a minute."""
        track = self._tracks.get(node)
        return max(0.0, track.steady_per_s) if track else 0.0


def _advance(track: _Track, report: Report, heard_at: float, by_order: int) -> None:
    elapsed = heard_at - track.heard_at
    rate = (max(0, report.accepted - track.report.accepted) - by_order) / elapsed
    track.report, track.heard_at = report, heard_at
    kept = math.exp(-elapsed / TAU_S)
    track.per_s = track.per_s * kept + rate * (1 - kept)
    kept = math.exp(-elapsed / STEADY_S)
    track.steady_per_s = track.steady_per_s * kept + rate * (1 - kept)


def _count_moves(track: _Track, report: Report, sent: Mapping[Issuer, Mapping[NodeName, int]]) -> int:
    """Return how many clients were moved here since the report of `track`, and note them there.

    A target may have tickets of a thousand donors. Only those are counted that have changed, or may yet.
    """
    taken, moved = report.taken, track.moved
    changed = _changed(taken, track.report.taken)
    if not changed and not track.open:
        return 0
    changed |= track.open
    track.open = set()
    by_order = 0
    for who in changed:
        count = taken.get(who, 0)
        if not count:  # a node forgets an issuer after a while
            moved.pop(who, None)
            continue
        known = sent[who].get(report.name, 0) if who in sent else 0
        by_order += max(0, min(count, known) - moved.get(who, 0))
        moved[who] = min(count, known)
        if known < count:
            track.open.add(who)
    return by_order


def _changed(taken: Mapping[Issuer, int], before: Mapping[Issuer, int]) -> set[Issuer]:
    """Return the issuers whose counts differ, or may differ."""
    if taken is before:
        return set()
    if isinstance(taken, TakenCounts):
        if taken.introduced is before:
            return set(taken.said)
        if isinstance(before, TakenCounts) and taken.introduced is before.introduced:
            may_differ = taken.said if taken.said >= before.said else taken.said | before.said
            return {who for who in may_differ if taken.get(who) != before.get(who)}
    return {who for who in taken.keys() | before.keys() if taken.get(who) != before.get(who)}
