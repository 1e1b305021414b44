"""How many clients a second come to each node by themselves, read from the nodes' counters.

    arrivals = connections accepted - tickets redeemed that other nodes issued

The second part are moves: a node that moves a client away issues its ticket. Both are counters of one report, so the
difference is exact however late the report is. Moves may use what the arrivals leave of a node's handshakes.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass

from ringway.core.load import NodeLoad
from ringway.protocol.report import Report
from ringway.types import Issuer, NodeName

TAU_S = 5.0
"""How far the estimate looks back: a flood is seen within seconds, a single burst passes."""


@dataclass(slots=True)
class _Track:
    report: Report
    heard_at: float
    per_s: float = 0.0


class Arrivals:
    """The rates of all nodes. Feed it the nodes about once a second; `NodeLoad.heard_at` is its clock."""

    def __init__(self) -> None:
        self._tracks: dict[NodeName, _Track] = {}

    def look(self, nodes: Iterable[NodeLoad]) -> None:
        """Take the nodes' newest reports."""
        reporting = {node.name: node for node in nodes if node.report is not None}
        movers = {Issuer(node.incarnation) for node in reporting.values()}
        self._tracks = {name: track for name, track in self._tracks.items() if name in reporting}
        for name, node in reporting.items():
            report = node.report
            assert report is not None
            track = self._tracks.get(name)
            if track is None or track.report.incarnation != report.incarnation:
                self._tracks[name] = _Track(report, node.heard_at)
            elif report.seq > track.report.seq and node.heard_at > track.heard_at:
                self._advance(track, report, node.heard_at, movers)

    def per_s(self, node: NodeName) -> float:
        """How many clients a second come to `node` by themselves."""
        track = self._tracks.get(node)
        return track.per_s if track else 0.0

    @staticmethod
    def _advance(track: _Track, report: Report, heard_at: float, movers: set[Issuer]) -> None:
        before = track.report
        moved = sum(max(0, report.taken.get(issuer, 0) - before.taken.get(issuer, 0)) for issuer in movers)
        elapsed = heard_at - track.heard_at
        rate = max(0, report.accepted - before.accepted - moved) / elapsed
        kept = math.exp(-elapsed / TAU_S)
        track.report, track.heard_at = report, heard_at
        track.per_s = track.per_s * kept + rate * (1 - kept)
