"""A view that is fed by beats is that of whole reports: what is read in short changes nothing.

A beat leaves what it does not say in place, so a view compares objects, and skips what cannot have changed. Here each
report also comes as a copy of its own to a second view, which skips nothing, and both must agree after each of them.
"""

from random import Random

import msgspec
import pytest

from ringway.core.load import LoadView, NodeLoad
from ringway.core.report_reader import ReportReader
from ringway.core.report_writer import ReportWriter
from ringway.protocol.keyring import Keyring, Purpose
from ringway.protocol.report import Report, decode_introduction, encode_introduction
from ringway.protocol.seal import Sealer, Unsealer
from ringway.types import Issuer, NodeName, NodeState
from sample import GATEWAY, name, node_report

KEYRING = Keyring(b"secret")
NODES = 5
NOW = 1.8e9


class Member:
    """A node that reports whatever happens to it."""

    def __init__(self, number: int, rng: Random) -> None:
        self.report = node_report(f"n{number}", connections=10, connections_max=40)
        self._rng = rng
        sealer = Sealer(KEYRING, Purpose.REPORT, self.report.incarnation, lambda: NOW)
        self._writer = ReportWriter(self.report.name, sealer, rng)

    def happen(self, others: list["Member"]) -> None:
        """Change something, or nothing."""
        rng, report = self._rng, self.report
        other = rng.choice(others).report
        match rng.randrange(7):
            case 0:
                self._change(connections=rng.randrange(45))
            case 1:
                self._change(pending=rng.randrange(5), cpu=rng.random())
            case 2 if other.name != report.name:
                places = {**report.reserved, other.name: rng.randrange(1, 5)}
                moved = {**report.moved, other.name: report.moved.get(other.name, 0) + rng.randrange(3)}
                self._change(reserved=places, moved=moved)
            case 3:
                self._change(reserved={})
            case 4:
                issuer = rng.choice([Issuer(other.incarnation), GATEWAY])
                self._change(taken={**report.taken, issuer: report.taken.get(issuer, 0) + rng.randrange(1, 4)})
            case 5 if rng.random() < 0.3:
                self._change(state=rng.choice([NodeState.ACTIVE, NodeState.DRAINING]))
            case 6 if rng.random() < 0.3:
                self._change(weight=rng.choice([1.0, 2.0]))

    def _change(self, **fields: object) -> None:
        self.report = msgspec.structs.replace(self.report, **fields)

    def write(self, now: float) -> bytes:
        """Return its next message."""
        return self._writer.write(self.report, now)


def seen(view: LoadView) -> object:
    """Return what policies see."""
    nodes = [
        (node.name, node.load, node.own, node.others, node.full, node.barred, node.state, node.weight)
        for node in view.nodes.values()
    ]
    eligible, takers = [node.name for node in view.eligible], [node.name for node in view.takers()]
    return nodes, eligible, takers, view.total, view.weights


@pytest.mark.parametrize("seed", range(20))
def test_a_view_of_beats_is_the_view_of_whole_reports(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = Random(seed)
    members = [Member(number, rng) for number in range(NODES)]
    reader = ReportReader(Unsealer(KEYRING, Purpose.REPORT))
    by_beats, whole = LoadView(GATEWAY), LoadView(GATEWAY)
    for step in range(400):
        now = step * 0.1
        member = rng.choice(members)
        for _ in range(rng.randrange(3)):
            member.happen(members)
        report, _ = reader.read(member.report.name, member.write(now), NOW)
        assert isinstance(report, Report)
        copy = msgspec.structs.replace(decode_introduction(encode_introduction(report)), taken=dict(report.taken))
        assert copy == report
        node = NodeName(name(rng.randrange(NODES)))
        places, claims = rng.random() < 0.2, rng.random() < 0.2
        given = []
        for view, each in ((by_beats, report), (whole, copy)):
            view.wake(now)
            with monkeypatch.context() as patched:
                if view is whole:
                    patched.setattr(NodeLoad, "is_next", lambda node, report: False)
                view.reported(each, now)
            if places and node in view.nodes:
                view.place(view.nodes[node], now)
            claimed = view.claim(now) if claims else None
            given.append(claimed and (claimed[0].name, claimed[1]))
            if step % 10 == 0:
                view.tick(now)
        assert given[0] == given[1]
        assert seen(by_beats) == seen(whole)
