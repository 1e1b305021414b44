"""Book of the backends that this gateway knows by sources of its own; it claims them in its reports.

Each name belongs to the source that offered it first. A backend that its source does not offer any more is drained, and
claimed until no gateway holds a connection there. A lost backend is not claimed any more.

A source may offer thousands at once, or none any more. So of all that sources say, at most `CHANGES_A_TURN` names are
handled in one turn of the event loop, each by what its source says of it by then.
"""

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

import msgspec

from ringway.gateway.backends.source_record import OfferedBackend, SourceRecord
from ringway.logger import get_logger
from ringway.portions import Portions
from ringway.protocol.backend_share import BackendClaim
from ringway.types import Incarnation, NodeName

_log = get_logger()

CHANGES_A_TURN = 64
"""The most names that are handled in one turn of the event loop: some 20 µs each, with the log line."""

EMPTY_S = 3.0
"""A backend that left its source is claimed until it was empty for this time: reports are a second old."""

SetState = Callable[[NodeName, bool, float], None]
"""Drains a backend within so many seconds, or lets it get newcomers again."""

HoldsAny = Callable[[NodeName], bool]
"""True if any gateway holds a connection at a backend, or a place for a connection."""


@dataclass(slots=True)
class _Entry:
    source: str
    claim: BackendClaim
    draining: bool = False
    within_s: float = 0.0
    leaving_since: float | None = None  # no source offers it any more; the time since which it is empty


class BackendBook:
    """The backends of one gateway. `set_state` drains and undrains; `clock` is monotonic, `wall` Unix time.

    It is a `sources.sink.BackendSink`. Without routes the backends are not `grouped`: no request would lead to their
    groups, so all of them are in the default group.
    """

    def __init__(
        self,
        set_state: SetState,
        holds_any: HoldsAny,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
        *,
        grouped: bool = True,
    ) -> None:
        self.sources: dict[str, SourceRecord] = {}
        """The sources that have offered something, or could not be read."""
        self.version = 0
        """Grows with every change of a claim."""
        self._set_state = set_state
        self._holds_any = holds_any
        self._clock = clock
        self._wall = wall
        self._grouped = grouped
        self._entries: dict[NodeName, _Entry] = {}
        self._quarrels: dict[NodeName, set[str]] = {}  # the sources whose offers of a name are ignored, and logged
        self._changes: Portions[tuple[str, NodeName]] = Portions(self._follow, CHANGES_A_TURN)
        self._empty: Portions[NodeName] = Portions(self._forget_empty, CHANGES_A_TURN)

    def close(self) -> None:
        """Follow the sources no more. Idempotent."""
        self._changes.drop()
        self._empty.drop()

    def claims(self) -> dict[NodeName, BackendClaim]:
        """Return the claims for the next report."""
        return {name: entry.claim for name, entry in self._entries.items()}

    def claim(self, name: NodeName) -> BackendClaim | None:
        """Return the claim of the backend `name`; None if this gateway does not claim it."""
        entry = self._entries.get(name)
        return entry.claim if entry is not None else None

    def drain_of(self, name: NodeName, incarnation: Incarnation) -> float | None:
        """Return the seconds in which the source of a backend drains it (0: no deadline); None if it does not drain
        it."""
        entry = self._entries.get(name)
        if entry is None or entry.claim.backend.incarnation != incarnation:
            return None
        if entry.leaving_since is not None:
            return 0.0
        return entry.within_s if entry.draining else None

    def update(
        self, source: str, offers: Mapping[NodeName, OfferedBackend], *, lost: Collection[NodeName] = ()
    ) -> None:
        """Replace what `source` offers (`sources.sink.BackendSink`)."""
        record = self._source(source)
        missing = [name for name in record.offers if name not in offers]
        record.offers = dict(offers)
        self._expect(source, record, [*offers, *missing, *lost], lost)

    def change(
        self,
        source: str,
        offers: Mapping[NodeName, OfferedBackend],
        *,
        gone: Collection[NodeName] = (),
        lost: Collection[NodeName] = (),
    ) -> None:
        """Change a part of what `source` offers (`sources.sink.BackendSink`)."""
        record = self._source(source)
        record.offers.update(offers)
        for name in (*gone, *lost):
            record.offers.pop(name, None)
        self._expect(source, record, [*offers, *gone, *lost], lost)

    def report_problem(self, source: str, problem: str) -> None:
        """Record that `source` cannot be read, and why; empty: it can be read again."""
        self._source(source).on_problem(problem, self._clock())

    @property
    def problems(self) -> dict[str, str]:
        """The sources that cannot be read, with their problems."""
        return {name: record.problem for name, record in self.sources.items() if record.problem}

    def stale_s(self, source: SourceRecord) -> float:
        """Return the age of the last good list of a source that cannot be read; 0 if it can be read."""
        return source.stale_s(self._clock())

    def tick(self) -> None:
        """Forget backends that no source offers and no gateway holds; call it a few times a second."""
        now = self._clock()
        empty: list[NodeName] = []
        for name, entry in self._entries.items():
            if entry.leaving_since is None:
                continue
            if self._holds_any(name):
                entry.leaving_since = now
            elif now >= entry.leaving_since + EMPTY_S:
                empty.append(name)
        self._empty.add(empty)

    def _source(self, name: str) -> SourceRecord:
        return self.sources.setdefault(name, SourceRecord())

    def _expect(
        self, source: str, record: SourceRecord, names: Collection[NodeName], lost: Collection[NodeName]
    ) -> None:
        """Have the `names` handled of which `source` has said something."""
        record.lost.difference_update(names)
        record.lost.update(name for name in lost if name not in record.offers)
        self._changes.add((source, name) for name in names)

    def _follow(self, changes: Sequence[tuple[str, NodeName]]) -> None:
        for source, name in changes:
            record, entry = self.sources[source], self._entries.get(name)
            offer = record.offers.get(name)
            if offer is not None:
                self._take(source, name, offer)
            elif entry is not None and entry.source == source:
                self._miss(name, entry, lost=name in record.lost)
            record.lost.discard(name)

    def _forget_empty(self, names: Sequence[NodeName]) -> None:
        for name in names:
            entry = self._entries.get(name)
            if entry is not None and entry.leaving_since is not None:
                self._forget(name)
                _log.info("a backend that its source does not offer any more is empty", backend=name)

    def _take(self, source: str, name: NodeName, offer: OfferedBackend) -> None:
        entry = self._entries.get(name)
        if entry is not None and entry.source != source and entry.leaving_since is None:
            ignored = self._quarrels.setdefault(name, set())
            if source not in ignored:
                ignored.add(source)
                _log.error("two sources offer one backend; rename one", backend=name, kept=entry.source, ignored=source)
            return
        utilisation, owner = dict(offer.utilisation or {}), "" if offer.lease_s else source
        backend = offer.backend if self._grouped else msgspec.structs.replace(offer.backend, group="")
        if entry is None or entry.source != source or entry.claim.backend != backend:
            drained = entry is not None and (entry.draining or entry.leaving_since is not None)
            claim = BackendClaim(
                backend=backend, since=self._wall(), utilisation=utilisation, lease_s=offer.lease_s, source=owner
            )
            entry = self._entries[name] = _Entry(source, claim, draining=drained)
            self.version += 1
            _log.info("a source offers a backend", source=source, backend=name, url=backend.url)
        elif (utilisation, offer.lease_s, owner) != (entry.claim.utilisation, entry.claim.lease_s, entry.claim.source):
            entry.claim = msgspec.structs.replace(
                entry.claim, utilisation=utilisation, lease_s=offer.lease_s, source=owner
            )
        entry.within_s = offer.within_s
        returned, entry.leaving_since = entry.leaving_since is not None, None
        if offer.draining != entry.draining or returned:
            entry.draining = offer.draining
            self._set_state(name, offer.draining, offer.within_s)

    def _miss(self, name: NodeName, entry: _Entry, *, lost: bool) -> None:
        if lost:
            self._forget(name)
            _log.warning("a backend is lost", source=entry.source, backend=name)
        elif entry.leaving_since is None:
            entry.leaving_since = self._clock()
            entry.claim = msgspec.structs.replace(entry.claim, lease_s=0.0, source="")  # its name is free
            _log.info("a source offers a backend no more; it drains", source=entry.source, backend=name)
            if not entry.draining:
                self._set_state(name, True, 0.0)

    def _forget(self, name: NodeName) -> None:
        del self._entries[name]
        self._quarrels.pop(name, None)
        self.version += 1
