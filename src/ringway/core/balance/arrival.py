"""Arrivals: how many clients a second come to each node by themselves, from the nodes' counters.

    arrivals = connections accepted - tickets redeemed that other nodes issued, as many as they sent clients

The second part are moves: a node that moves a client away issues its ticket. Moves may use the handshakes of a node
that arrivals do not need.

More tickets are redeemed than clients were sent if newcomers claim places (`core.load.claim`) of clients that come as
well, with tickets of their own. These newcomers are arrivals: if they were not counted, a new node got twice its
budget. Donors' counters come in reports of their own, so a difference may be early or late; only the average is cut off
at zero.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass

from ringway.core.load import NodeLoad
from ringway.protocol.report import Report
from ringway.types import Issuer, NodeName

TAU_S = 5.0
"""Time constant of the estimate: a flood is seen within seconds, a single burst passes."""

STEADY_S = 60.0
"""Time constant of the steady estimate: a flood that is over in seconds hardly counts."""


@dataclass(slots=True)
class _Track:
    report: Report
    heard_at: float
    moved: dict[Issuer, int]  # here, by whom
    per_s: float = 0.0


class Arrivals:
    """The rates of all nodes. Feed it the nodes about once a second; `NodeLoad.heard_at` is its clock."""

    def __init__(self, tau_s: float = TAU_S) -> None:
        self._tau_s = tau_s
        self._tracks: dict[NodeName, _Track] = {}

    def observe(self, nodes: Iterable[NodeLoad]) -> None:
        """Take the nodes' newest reports."""
        reporting = {node.name: node for node in nodes if node.report is not None}
        sent = {Issuer(node.incarnation): node.report.moved for node in reporting.values() if node.report}
        self._tracks = {name: track for name, track in self._tracks.items() if name in reporting}
        for name, node in reporting.items():
            report = node.report
            assert report is not None
            moved = {who: min(count, sent[who].get(name, 0)) for who, count in report.taken.items() if who in sent}
            track = self._tracks.get(name)
            if track is None or track.report.incarnation != report.incarnation:
                self._tracks[name] = _Track(report, node.heard_at, moved)
            elif report.seq > track.report.seq and node.heard_at > track.heard_at:
                self._advance(track, report, node.heard_at, moved)

    def per_s(self, node: NodeName) -> float:
        """How many clients a second come to `node` by themselves."""
        track = self._tracks.get(node)
        return max(0.0, track.per_s) if track else 0.0

    def _advance(self, track: _Track, report: Report, heard_at: float, moved: dict[Issuer, int]) -> None:
        by_order = sum(max(0, count - track.moved.get(who, 0)) for who, count in moved.items())
        elapsed = heard_at - track.heard_at
        rate = (max(0, report.accepted - track.report.accepted) - by_order) / elapsed
        kept = math.exp(-elapsed / self._tau_s)
        track.report, track.heard_at, track.moved = report, heard_at, moved
        track.per_s = track.per_s * kept + rate * (1 - kept)
