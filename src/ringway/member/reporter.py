"""Reports of a member about itself: at intervals, and early if a change matters to decisions (PROTOCOL.md P-8)."""

import asyncio
from collections.abc import Callable
from random import Random
from typing import Generic, Protocol

import msgspec

from ringway.core.report_writer import ReportWriter
from ringway.core.reporting import EARLY_S, next_pause_s, node_has_news
from ringway.errors import EngineError
from ringway.logger import get_logger
from ringway.member.drain import Drain
from ringway.member.holder import C, Holder
from ringway.member.process import ProcessStats, memory_bytes, open_files
from ringway.member.redeemed_tickets import RedeemedTickets
from ringway.member.sent_moves import SentMoves
from ringway.member.utilisation import Utilisation
from ringway.ports import Engine
from ringway.protocol.report import Report
from ringway.types import NodeName

_ANNOUNCE_S = 2.0


class KeyReport(Protocol):
    """The part of a report about keys (`member.key_counts`)."""

    @property
    def counted(self) -> str:
        """The version of owners by which the member has counted."""
        ...

    def misplaced(self) -> dict[NodeName, int]:
        """Return how many clients have keys of each other node."""
        ...


class _NoKeys:
    counted = ""

    def misplaced(self) -> dict[NodeName, int]:
        return {}


NO_KEYS = _NoKeys()

_log = get_logger()


class Reporter(Generic[C]):
    """Builds the reports, and announces them at the registry. `clock` is monotonic.

    `introduction` is a report with the facts that do not change in the lifetime of the member: its name, incarnation,
    role, version, weight and zone.
    """

    def __init__(
        self,
        introduction: Report,
        engine: Engine,
        holder: Holder[C],
        drain: Drain,
        tickets: RedeemedTickets,
        sent: SentMoves,
        process: ProcessStats,
        utilisation: Utilisation,
        *,
        writer: ReportWriter,
        keys: KeyReport = NO_KEYS,
        interval_s: float,
        clock: Callable[[], float],
        rng: Random,
    ) -> None:
        self._introduction = introduction
        self._engine = engine
        self._holder = holder
        self._drain = drain
        self._tickets = tickets
        self._sent = sent
        self._process = process
        self._utilisation = utilisation
        self._keys = keys
        self._interval_s = interval_s
        self._clock = clock
        self._rng = rng
        self._writer = writer
        self._news = asyncio.Event()

    @property
    def seq(self) -> int:
        """The number of the last report; 0 before the first."""
        return self._writer.last.seq if self._writer.last is not None else 0

    @property
    def url(self) -> str:
        """The URL at which members reach this member."""
        return self._introduction.url

    def set_urls(self, *, url: str | None = None, public_url: str | None = None, admin_url: str | None = None) -> None:
        """Report these URLs from the next report on; None leaves a URL unchanged."""
        given = {"url": url, "public_url": public_url, "admin_url": admin_url}
        changes = {name: value for name, value in given.items() if value is not None}
        self._introduction = msgspec.structs.replace(self._introduction, **changes)

    def build(self) -> Report:
        """Return a report of this moment; the writer brings its measures to whole steps."""
        now = self._clock()
        drain, process, sent = self._drain, self._process, self._sent
        counts, measures = self._holder.counts(), self._holder.measures(now, drain.cool_down_s)
        return msgspec.structs.replace(
            self._introduction,
            engine_up=self._engine.up,
            secrets=self._writer.secrets,
            state=drain.state,
            connections=counts.connected,
            pending=counts.pending,
            connections_max=measures.connections_max,
            cooling=measures.cooling,
            drain_left_s=drain.left_s(now),
            drain_avoid=drain.avoid,
            accept_per_s=process.accept_per_s,
            handshake_p99_s=measures.handshake_p99_s,
            utilisation=dict(self._utilisation.shares),
            cpu=process.cpu,
            memory_bytes=memory_bytes(),
            loop_lag_s=process.loop_lag_s,
            publications=measures.messages_in,
            deliveries=measures.messages_out,
            accepted=measures.accepted,
            taken=dict(self._tickets.taken),
            reserved=sent.ledger.held(),
            moved=dict(sent.moved),
            missed=sent.missed,
            counted=self._keys.counted,
            misplaced=self._keys.misplaced(),
            **measures.outcomes._asdict(),
        )

    def poll(self) -> None:
        """Report early if there is news; call it a few times a second."""
        last = self._writer.last
        if last is not None and node_has_news(
            last,
            connections=self._holder.counts().connected,
            state=self._drain.state,
            drains_by_deadline=bool(self._drain.left_s(self._clock())),
            avoid=self._drain.avoid,
            moved=self._sent.moved,
            engine_up=self._engine.up,
            counted=self._keys.counted,
        ):
            self._news.set()

    def on_asked(self, name: NodeName) -> None:
        """Introduce the member soon, if the question is for it or for all (`ports.Asked`)."""
        if name in ("", self._introduction.name):
            self._writer.on_asked(self._clock())
            if self._writer.is_asked:
                self._news.set()

    async def announce(self) -> None:
        """Send one report. A failure of the engine is ignored: the next report follows."""
        registry, member = self._engine.registry, self._introduction
        report = self.build()
        message = self._writer.write(report, self._clock())
        try:
            async with asyncio.timeout(_ANNOUNCE_S):
                await registry.announce(member.role, member.name, message)
        except (EngineError, TimeoutError) as error:
            _log.warning("a report was not sent", error=str(error))
        else:
            self._tickets.on_reported(report.taken)

    async def withdraw(self) -> None:
        """Send the message that the member leaves. Raise `EngineError`."""
        member = self._introduction
        await self._engine.registry.withdraw(member.role, member.name, self._writer.write_leave())

    async def run(self) -> None:
        """Report until cancelled."""
        await self._engine.registry.answer(self._introduction.role, self.on_asked)
        while True:
            self._news.clear()
            self._sample()
            await self.announce()
            pause_s = next_pause_s(self._interval_s, self._rng)
            await asyncio.sleep(EARLY_S)
            try:
                async with asyncio.timeout(max(0.0, pause_s - EARLY_S)):
                    await self._news.wait()
            except TimeoutError:
                pass

    def _sample(self) -> None:
        now, process = self._clock(), self._process
        counts, measures = self._holder.counts(), self._holder.measures(now, self._drain.cool_down_s)
        process.sample(measures.accepted, measures.sockets)
        self._utilisation.sample(
            now,
            cpu=process.cpu,
            loop_lag_s=process.loop_lag_s,
            memory_bytes=memory_bytes(),
            files=open_files() or counts.open,
            sent_bytes=measures.sent_bytes,
        )
