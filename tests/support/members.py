"""Members of a cluster in tests: what they say is sealed with the test's secret, and what is heard is opened."""

from random import Random
from time import time

from ringway.core.report_reader import ReportReader
from ringway.core.report_writer import ANSWER_S, ReportWriter
from ringway.member.feed import Feed
from ringway.ports import Engine
from ringway.protocol.keyring import Keyring, Purpose
from ringway.protocol.report import Report
from ringway.protocol.seal import Sealer, Unsealer
from ringway.types import Incarnation, NodeName


def report_reader(keyring: Keyring) -> ReportReader:
    """Return a reader of reports of members with the secrets in `keyring`."""
    return ReportReader(Unsealer(keyring, Purpose.REPORT))


def report_writer(keyring: Keyring, name: NodeName, incarnation: Incarnation) -> ReportWriter:
    """Return the writer of one member's reports."""
    return ReportWriter(name, Sealer(keyring, Purpose.REPORT, incarnation, time), Random(1))


class Speaker:
    """Says over `engine` what members report, as the test wants it: each report is an introduction."""

    def __init__(self, engine: Engine, keyring: Keyring) -> None:
        self._engine = engine
        self._keyring = keyring
        self._writers: dict[Incarnation, ReportWriter] = {}
        self._now = 0.0

    async def announce(self, report: Report) -> None:
        """Send `report`; its number becomes that of the message."""
        writer = self._writer(report)
        self._now += ANSWER_S
        writer.on_asked(self._now)
        await self._engine.registry.announce(report.role, report.name, writer.write(report, self._now))

    async def withdraw(self, report: Report) -> None:
        """Send that the member of `report` leaves."""
        await self._engine.registry.withdraw(report.role, report.name, self._writer(report).write_leave())

    def _writer(self, report: Report) -> ReportWriter:
        if report.incarnation not in self._writers:
            self._writers[report.incarnation] = report_writer(self._keyring, report.name, report.incarnation)
        return self._writers[report.incarnation]


async def hear_reports(engine: Engine, keyring: Keyring) -> list[Report]:
    """Return a list that grows with each report that is sent from now on."""
    heard: list[Report] = []
    feed = Feed(report_reader(keyring), listeners=[lambda event: heard.append(event.report)])
    await feed.follow(engine.registry)
    return heard
