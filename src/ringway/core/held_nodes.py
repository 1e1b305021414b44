"""Backends as nodes: one report for each backend, added up from the shares that gateways report.

Theory of operation
- A backend exists while a living gateway claims it. If gateways describe it differently, the newest claim counts.
- A claim outlives its gateway. That of a server which registered there counts for one lease more: for so long it need
  not be heard, and it registers elsewhere meanwhile; also if the gateway has restarted, and knows nothing of it. Other
  claims count for `ORPHANED_S` more, and no longer than until the gateway is back and says itself what it claims.
- Gateways also seem to be gone if the engine hangs, some seconds before it is known to be away. So no claim of such a
  gateway ends within `DOUBT_S`, or while the engine is away; when that is back, the time of each begins anew.
- What a gateway that is gone held is gone with it.
- Its connections are those that all gateways hold there; so are its counters and places. The state is that of the
  highest version; of two with one version, that which drains.
- It has counted its keys by a version of owners when all its holders have.
- A share of an earlier incarnation does not count.

The reports have the form of a node's, so plans, placement and displays need no knowledge of backends.

A gateway's report may name thousands of backends. So it only says which of them it concerns, and `read_changes` adds
them up, a few at a time.
"""

from collections.abc import Callable, Collection, Iterable, Mapping
from typing import NamedTuple, TypeVar

from ringway.protocol.backend import Backend
from ringway.protocol.backend_share import BackendClaim, BackendShare
from ringway.protocol.group import DEFAULT
from ringway.protocol.report import Report
from ringway.types import Incarnation, NodeName, NodeState, Role

K = TypeVar("K", bound=str)

ORPHANED_S = 10.0
"""The time for a gateway to restart, and to claim again what its own sources list."""

DOUBT_S = 6.0
"""The longest time from when a gateway is taken for gone, because the engine hangs, until the engine is known to be
away. NATS counts as away when two PINGs are unanswered (`engine.nats.server_socket`)."""


class HeldChange(NamedTuple):
    """What gateways' reports change for some backends: their reports, and those of them that no gateway claims now."""

    reports: list[Report]
    gone: list[NodeName]


class _Orphan(NamedTuple):
    """A claim of a gateway that is gone, and the time until which it counts."""

    claim: BackendClaim
    gateway: Incarnation
    until: float

    @classmethod
    def begin(cls, claim: BackendClaim, gateway: Incarnation, now: float) -> "_Orphan":
        return cls(claim, gateway, now + max(claim.lease_s or ORPHANED_S, DOUBT_S))


class GroupDispute(NamedTuple):
    """A backend that two gateways put in different groups. That of `gateway`, the newest description, counts."""

    gateway: NodeName
    group: str
    other_gateway: NodeName
    other_group: str

    def __str__(self) -> str:
        return (
            f"{self.gateway} puts it in the group {self.group}, which counts, and {self.other_gateway} in "
            f"{self.other_group}; give both gateways the same backends and the same routes"
        )


class HeldNodes:
    """The backends of all gateways, as one process hears them."""

    __slots__ = ("_away", "_backends", "_gateways", "_orphans", "_seq", "disputes")

    def __init__(self) -> None:
        self.disputes: dict[NodeName, GroupDispute] = {}
        """The backends that living gateways put in different groups. Read only."""
        self._gateways: dict[NodeName, Report] = {}  # the last report of each that claims or holds any
        self._orphans: dict[NodeName, dict[NodeName, _Orphan]] = {}  # by backend and gateway
        self._backends: dict[NodeName, BackendClaim] = {}  # the newest claim of each
        self._away = False  # the engine, as of the last tick
        self._seq = 0

    def backend(self, name: NodeName) -> Backend | None:
        """Return the backend `name` as it is claimed now; None if it is not claimed."""
        claim = self._backends.get(name)
        return claim.backend if claim is not None else None

    def claims_of_others(self, name: NodeName, gateway: NodeName) -> dict[NodeName, BackendClaim]:
        """Return the claims of the backend `name` by all gateways but `gateway`, also by those that are gone."""
        orphans = {of: orphan.claim for of, orphan in self._orphans.get(name, {}).items()}
        living = {of: report.backends[name] for of, report in self._gateways.items() if name in report.backends}
        return {of: claim for of, claim in {**orphans, **living}.items() if of != gateway}

    def shares(self, name: NodeName) -> dict[NodeName, BackendShare]:
        """Return the share of each gateway in the backend `name`."""
        backend = self.backend(name)
        if backend is None:
            return {}
        incarnation = backend.incarnation
        shares = ((gateway, report.held.get(name)) for gateway, report in self._gateways.items())
        return {gateway: share for gateway, share in shares if share is not None and share.incarnation == incarnation}

    def on_report(self, gateway: Report) -> Collection[NodeName]:
        """Read the report of a gateway; return the backends for which `read_changes` must follow."""
        before = self._gateways.get(gateway.name)
        claimed_again = self._end_orphans(gateway)
        if before is None and not claimed_again and not gateway.backends and not gateway.held:
            return ()
        self._gateways[gateway.name] = gateway
        named = {**(before.backends if before is not None else {}), **gateway.backends, **gateway.held}
        return {**named, **dict.fromkeys(claimed_again)}.keys()

    def on_left(self, gateway: NodeName, now: float) -> Collection[NodeName]:
        """Drop what a gateway held that is gone: its connections have ended with it. `now` is monotonic.

        Return the backends for which `read_changes` must follow.
        """
        report = self._gateways.pop(gateway, None)
        if report is None:
            return ()
        for name, claim in report.backends.items():
            self._orphans.setdefault(name, {})[gateway] = _Orphan.begin(claim, report.incarnation, now)
        return {**report.backends, **report.held}.keys()

    def tick(self, now: float, *, engine_up: bool = True) -> Collection[NodeName]:
        """Drop the claims of gateways that have been gone for so long that they do not count any more.

        Return the backends for which `read_changes` must follow.
        """
        was_away, self._away = self._away, not engine_up
        if self._away:
            return ()
        if was_away:
            for by_gateway in self._orphans.values():
                for of, (claim, gateway, _) in by_gateway.items():
                    by_gateway[of] = _Orphan.begin(claim, gateway, now)
        return self._drop_orphans(lambda _, __, orphan: orphan.until <= now)

    def read_changes(self, names: Iterable[NodeName]) -> HeldChange:
        """Return the reports of the backends `names` by what gateways say now, and those that are gone."""
        reports, gone = [], []
        for name in names:
            claim = self._newest_claim(name)
            self._note_dispute(name, claim)
            if claim is not None:
                self._backends[name] = claim
                reports.append(self._report(claim))
            elif self._backends.pop(name, None) is not None:
                gone.append(name)
        self._seq += 2 * len(gone)  # a member that comes back is later than a report that was under way
        return HeldChange(reports, gone)

    def _end_orphans(self, gateway: Report) -> list[NodeName]:
        """Drop the claims that a gateway, which is back, made before it was gone; return their backends.

        Those of servers that registered in an earlier life stay: it does not know of them.
        """

        def is_over(name: NodeName, of: NodeName, orphan: _Orphan) -> bool:
            is_known = not orphan.claim.lease_s or orphan.gateway == gateway.incarnation or name in gateway.backends
            return of == gateway.name and is_known

        return self._drop_orphans(is_over)

    def _drop_orphans(self, is_over: Callable[[NodeName, NodeName, _Orphan], bool]) -> list[NodeName]:
        """Drop the claims for which `is_over(backend, gateway, orphan)` holds, and return their backends."""
        found = [
            (name, gateway) for name, by_gateway in self._orphans.items()
            for gateway, orphan in by_gateway.items() if is_over(name, gateway, orphan)
        ]  # fmt: skip
        for name, gateway in found:
            del self._orphans[name][gateway]
            if not self._orphans[name]:
                del self._orphans[name]
        return [name for name, _ in found]

    def _newest_claim(self, name: NodeName) -> BackendClaim | None:
        claims = [report.backends[name] for report in self._gateways.values() if name in report.backends]
        claims += [orphan.claim for orphan in self._orphans.get(name, {}).values()]
        return max(claims, key=lambda claim: claim.rank, default=None)

    def _note_dispute(self, name: NodeName, newest: BackendClaim | None) -> None:
        """Record if a living gateway describes the backend `name` in a different group than the `newest` claim."""
        self.disputes.pop(name, None)
        reports = [report for report in self._gateways.values() if name in report.backends]
        if newest is None or all(report.backends[name].backend.group == newest.backend.group for report in reports):
            return
        groups = {report.name: report.backends[name].backend.group or DEFAULT for report in reports}
        group = newest.backend.group or DEFAULT
        agreeing = [gateway for gateway, each in groups.items() if each == group]
        others = [gateway for gateway, each in groups.items() if each != group]
        if agreeing and others:
            self.disputes[name] = GroupDispute(min(agreeing), group, min(others), groups[min(others)])

    def _report(self, claim: BackendClaim) -> Report:
        backend = claim.backend
        by_gateway = self.shares(backend.name)
        shares = list(by_gateway.values())
        state = newest_state(shares)
        counted = {share.counted for share in shares}
        holders = sorted(by_gateway)
        self._seq += 1
        return Report(
            name=backend.name,
            incarnation=backend.incarnation,
            role=Role.NODE,
            seq=self._seq,
            url=backend.url,
            is_backend=True,
            holders=tuple(holders),
            group=backend.group,
            weight=backend.weight,
            zone=backend.zone,
            utilisation=claim.utilisation,
            state=state.state if state is not None else NodeState.ACTIVE,
            drain_left_s=state.drain_left_s if state is not None else 0.0,
            drain_avoid=state.drain_avoid if state is not None else (),
            connections=sum(share.connections for share in shares),
            leaving=sum(share.leaving for share in shares),
            cooling=sum(share.cooling for share in shares),
            cool_down_s=max((self._gateways[gateway].cool_down_s for gateway in holders), default=0.0),
            accepted=sum(share.accepted for share in shares),
            taken=_sums(share.taken for share in shares),
            moved=_sums(share.moved for share in shares),
            reserved=_sums(share.reserved for share in shares),
            missed=sum(share.missed for share in shares),
            counted=counted.pop() if len(counted) == 1 else "",
            misplaced=_sums(share.misplaced for share in shares),
            handed_over=sum(share.handed_over for share in shares),
            reconnected=sum(share.reconnected for share in shares),
            lost=sum(share.lost for share in shares),
        )


def newest_state(shares: Iterable[BackendShare]) -> BackendShare | None:
    """Return the share whose state counts; None without shares."""
    return max(shares, key=_age_of_state, default=None)


def split_moves(count: int, counts: Mapping[NodeName, int]) -> dict[NodeName, int]:
    """Split `count` moves over gateways in proportion to `counts`, the connections that each can move; no gateway gets
    more.

    The parts add up to `count`, or to all that there is. A rest goes to those with the largest fractions.
    """
    total = sum(counts.values())
    count = min(count, total)
    if not count:
        return {}
    exact = {gateway: count * each / total for gateway, each in counts.items()}
    parts = {gateway: int(share) for gateway, share in exact.items()}
    by_fraction = sorted(exact, key=lambda gateway: (parts[gateway] - exact[gateway], gateway))
    for gateway in by_fraction[: count - sum(parts.values())]:
        parts[gateway] += 1
    return {gateway: part for gateway, part in parts.items() if part}


def _age_of_state(share: BackendShare) -> tuple[int, bool, float]:
    return share.version, share.state is NodeState.DRAINING, -share.drain_left_s


def _sums(counts: Iterable[Mapping[K, int]]) -> dict[K, int]:
    sums: dict[K, int] = {}
    for each in counts:
        for name, count in each.items():
            sums[name] = sums.get(name, 0) + count
    return sums
