"""The node's report: each second, and early when something changed that others decide by (PROTOCOL.md P-8)."""

import asyncio
from typing import TYPE_CHECKING

import structlog

from ringway.errors import EngineError
from ringway.member.limits import read_limits
from ringway.member.process import Vitals, memory_bytes, open_files
from ringway.member.utilisation import Utilisation
from ringway.protocol.report import Report, encode_report
from ringway.types import Incarnation, Role

if TYPE_CHECKING:
    from ringway.member.drain import Drain
    from ringway.member.redeemed_tickets import RedeemedTickets
    from ringway.member.sent_moves import SentMoves
    from ringway.node.shared import Shared

EARLY_S = 0.2
"""The shortest pause between two reports."""

_ANNOUNCE_S = 2.0
_CHANGED_SHARE = 0.01
_CHANGED_MIN = 5
_JITTER = 0.2

_log = structlog.get_logger()


class Reporter:
    """Tells the registry how this node is."""

    def __init__(
        self,
        shared: "Shared",
        tickets: "RedeemedTickets",
        sent: "SentMoves",
        drain: "Drain",
        vitals: Vitals,
        incarnation: Incarnation,
    ) -> None:
        self._shared = shared
        self._tickets = tickets
        self._sent = sent
        self._drain = drain
        self._vitals = vitals
        self._utilisation = Utilisation(read_limits(shared.config.egress_bytes_per_s_max), shared.clock())
        shared.stats.utilisation = self._utilisation.shares
        self._incarnation = incarnation
        self.seq = 0
        """The number of the last report."""
        self._last: Report | None = None
        self._changed = asyncio.Event()
        self.url = ""
        self.public_url = ""
        self.admin_url = ""

    def build(self) -> Report:
        """Return a report of this moment."""
        shared, sent = self._shared, self._sent
        stats, now = shared.stats, shared.clock()
        stats.connections = shared.roster.connected
        stats.pending = shared.gate.opening + shared.roster.waiting
        stats.handshake_p99_s = round(shared.gate.latency.p99(now), 6)
        stats.missed = sent.missed
        return Report(
            name=shared.name,
            incarnation=self._incarnation,
            role=Role.NODE,
            seq=self.seq,
            url=self.url,
            public_url=self.public_url,
            version=shared.version,
            admin_url=self.admin_url,
            engine_up=shared.engine.up,
            weight=shared.config.weight,
            zone=shared.config.zone,
            state=shared.state,
            connections=stats.connections,
            pending=stats.pending,
            connections_max=shared.connections_max,
            cooling=shared.roster.cooling(now, shared.cool_down_s),
            drain_left_s=round(self._drain.left_s(now), 3),
            drain_avoid=self._drain.avoid,
            accept_per_s=round(self._vitals.accept_per_s, 1),
            handshake_p99_s=stats.handshake_p99_s,
            utilisation={name: round(share, 4) for name, share in stats.utilisation.items()},
            cpu=round(self._vitals.cpu, 4),
            memory_bytes=memory_bytes(),
            loop_lag_s=round(self._vitals.loop_lag_s, 6),
            publications=stats.publications,
            deliveries=stats.deliveries,
            accepted=stats.accepted,
            taken=dict(self._tickets.taken),
            reserved=sent.ledger.held(),
            moved=dict(sent.moved),
            missed=stats.missed,
        )

    def _sample(self) -> None:
        shared, vitals = self._shared, self._vitals
        vitals.sample(shared.stats.accepted, shared.gate.opened)
        self._utilisation.sample(
            shared.clock(),
            cpu=vitals.cpu,
            loop_lag_s=vitals.loop_lag_s,
            memory_bytes=memory_bytes(),
            files=open_files() or len(shared.roster) + shared.gate.opening,
            sent_bytes=shared.stats.sent_bytes,
        )

    def poll(self) -> None:
        """Report early where enough has changed; call it a few times a second."""
        last = self._last
        if last is None:
            return
        connections = self._shared.roster.connected
        difference = abs(connections - last.connections)
        if (
            difference >= max(_CHANGED_MIN, _CHANGED_SHARE * last.connections)
            or self._shared.state is not last.state
            or bool(self._drain.left_s(self._shared.clock())) is not bool(last.drain_left_s)
            or self._drain.avoid != last.drain_avoid
            or self._shared.engine.up is not last.engine_up
            or self._sent.moved != last.moved
        ):
            self._changed.set()

    async def announce(self) -> None:
        """Send one report. Quiet while the engine is away: the next one follows."""
        self.seq += 1
        self._last = self.build()
        try:
            async with asyncio.timeout(_ANNOUNCE_S):
                await self._shared.engine.registry.announce(self._shared.name, encode_report(self._last))
        except (EngineError, TimeoutError) as error:
            _log.warning("a report was not sent", error=str(error))

    async def run(self) -> None:
        """Report until cancelled."""
        rng, interval_s = self._shared.rng, self._shared.config.report_interval_s
        while True:
            self._changed.clear()
            self._sample()
            await self.announce()
            pause_s = interval_s * rng.uniform(1 - _JITTER, 1 + _JITTER)
            await asyncio.sleep(EARLY_S)
            try:
                async with asyncio.timeout(max(0.0, pause_s - EARLY_S)):
                    await self._changed.wait()
            except TimeoutError:
                pass
