"""Source of backends that register themselves: leases in, offers out."""

import asyncio
import math
import secrets
import time
from collections.abc import Awaitable, Callable, Collection, Mapping
from typing import Any, TypeVar

import msgspec

from ringway.core.backend_reader import read_backend_fields
from ringway.core.registration import (
    TICK_S,
    RefusalKind,
    Registration,
    RegistrationRefused,
    Registrations,
    check_incarnation,
    check_ttl,
    check_utilisation,
    held_elsewhere,
    owned_by_node,
    owned_by_source,
)
from ringway.core.rival import Rival, Rivals
from ringway.errors import ConfigError, EngineError
from ringway.logger import get_logger
from ringway.protocol.backend import Backend
from ringway.protocol.order import DrainAnswer
from ringway.protocol.registration import BackendState, DrainOrder, Renewal
from ringway.sources.registration.config import RegistrationConfig
from ringway.sources.registration.stats import RegistrationStats
from ringway.sources.sink import BackendSink, Offer
from ringway.types import NodeName, NodeState

SOURCE = "registration"

LEASE_FIELDS = ("ttl_s", "incarnation")

TOLD_S = 3.0
"""After this time all gateways have heard of a drain; if a backend takes newcomers then, an operator wants it so."""

REVIEWED_A_TICK = 250
"""Registrations that are compared in one tick with what other gateways claim: some 10 µs each."""

Judge = Callable[[NodeName, float, bool], Awaitable[DrainAnswer]]
"""Asks the leader to drain a backend within so many seconds, or by force; may raise `EngineError`."""

FindBackendState = Callable[[NodeName], BackendState | None]
"""Returns the state of a backend in the cluster; None if the cluster does not know it yet."""

FindNode = Callable[[NodeName], str]
"""Returns the URL of a channel node; empty if there is none of that name."""

Warn = Callable[[Backend], str]
"""Returns why a backend that registers gets no clients from this gateway; empty if it gets some."""

T = TypeVar("T")

_log = get_logger()


class RegistrationSource:
    """The registrations of one gateway. `run` lets their leases expire; `clock` is monotonic.

    `rivals` knows of registrations at other gateways; without it, there are none.
    """

    def __init__(
        self,
        config: RegistrationConfig,
        sink: BackendSink,
        *,
        judge: Judge | None = None,
        find_state: FindBackendState = lambda name: None,
        find_node: FindNode = lambda name: "",
        rivals: Rivals | None = None,
        warn: Warn = lambda backend: "",
        clock: Callable[[], float] = time.monotonic,
        stats: RegistrationStats | None = None,
    ) -> None:
        self.stats = stats or RegistrationStats()
        self._config = config
        self._sink = sink
        self._judge = judge
        self._find_state = find_state
        self._find_node = find_node
        self._warn = warn
        self._rivals = rivals or Rivals(lambda name: None, lambda name: {})
        self._clock = clock
        self._registrations = Registrations(config.registrations_max)
        self._to_review: list[NodeName] = []

    async def run(self) -> None:
        """Let leases expire, until cancelled."""
        while True:
            await asyncio.sleep(TICK_S)
            self.tick()

    def tick(self) -> None:
        """Withdraw registrations that have expired, or have lost their names; call it every `TICK_S`."""
        expired = self._registrations.tick(self._clock())
        for each in expired:
            _log.warning("a backend did not renew its lease; it is lost", backend=each.name, ttl_s=each.ttl_s)
        self.stats.expired += len(expired)
        superseded = self._end_superseded()
        if expired or superseded:
            self._end(lost=[*(each.name for each in expired), *superseded])

    def register(self, name: str, fields: Mapping[str, Any]) -> tuple[Registration, bool]:
        """Return the registration that `fields` ask for, and whether it is new.

        Raise `ConfigError` with every problem of the fields, or `RegistrationRefused`.
        """
        if not isinstance(fields, Mapping):
            raise ConfigError("the body is no object; send a JSON object with a url")
        backend, ttl_s = _read_registration(name, fields, self._config.ttl_s)
        self._refuse_owned(name)
        before = self._registrations.get(name)
        rival = self._rivals.forbid(backend) if before is None else None
        if rival is not None:
            raise held_elsewhere(backend, rival)
        registration = self._registrations.register(backend, ttl_s, secrets.token_hex(8), self._clock())
        is_new = before is None or before.lease != registration.lease
        self.stats.registered["again" if not is_new else "new" if before is None else "restarted"] += 1
        if is_new:
            what = "a backend has registered" if before is None else "a backend has restarted"
            _log.info(what, backend=name, url=backend.url, ttl_s=ttl_s)
        self._publish(registration)
        return registration, is_new

    def renew(self, name: str, renewal: Renewal) -> Registration:
        """Return the renewed registration; raise `ConfigError`, or `RegistrationRefused`."""
        utilisation = check_utilisation(renewal.utilisation)
        self._refuse_owned(name)
        before = self._registrations.get(name)
        renewed = self._registrations.renew(
            name,
            self._clock(),
            incarnation=renewal.incarnation,
            connections=renewal.connections,
            utilisation=utilisation,
        )
        self.stats.renewed += 1
        if renewed.draining and self.state_of(renewed).state is NodeState.ACTIVE:
            renewed = self._registrations.undrain(renewed)
            self._publish(renewed)
        elif before and (before.connections, before.utilisation) != (renewed.connections, renewed.utilisation):
            self._publish(renewed)
        return renewed

    async def drain(self, name: str, order: DrainOrder) -> Registration:
        """Return the registration, which drains from now on.

        Raise `RegistrationRefused` if it is unknown, or if the leader says that the time is too short.
        """
        self._refuse_owned(name)
        known = self._registrations.check(name, self._clock(), incarnation=order.incarnation)
        if self._judge is not None:
            await self._ask_leader(self._judge, known.name, order)
            self._refuse_owned(name)
        drained = self._registrations.drain(name, order.within_s, self._clock(), incarnation=order.incarnation)
        self.stats.drains += 1
        _log.info("a backend asked to be drained", backend=name, within_s=order.within_s)
        self._publish(drained)
        return drained

    def remove(self, name: str, incarnation: str, *, gone: bool) -> None:
        """End a registration. `gone`: the server runs no more, and its connections are lost; otherwise it is drained.

        Raise `RegistrationRefused` if the name is unknown, or held by a different incarnation.
        """
        removed = self._registrations.remove(name, self._clock(), incarnation=incarnation)
        self.stats.left += 1
        _log.info("a backend has left", backend=name, gone=gone)
        if gone:
            self._end(lost=[removed.name])
        else:
            self._end(gone=[removed.name])

    def find(self, name: str) -> Registration:
        """Return the registration of `name`; raise `RegistrationRefused`."""
        return self._registrations.check(name, self._clock())

    def rows(self) -> list[Registration]:
        """Return all registrations, by their names."""
        return sorted(self._registrations.values(), key=lambda each: each.name)

    def state_of(self, registration: Registration) -> BackendState:
        """Return the state of a backend in the cluster; by its registration alone if the cluster does not know it."""
        known, now = self._find_state(registration.name), self._clock()
        is_told = known is not None and known.state is NodeState.DRAINING
        if known is not None and (is_told or not registration.drains_since(now - TOLD_S)):
            return known
        state = NodeState.DRAINING if registration.draining else NodeState.ACTIVE
        left = known.left if known else None
        return BackendState(state=state, within_s=round(registration.within_s(now), 1), left=left)

    def warning_of(self, registration: Registration) -> str:
        """Return why its backend gets no clients from this gateway; empty if it gets some."""
        return self._warn(registration.backend)

    def expires_in_s(self, registration: Registration) -> float:
        """Return the time until the lease ends."""
        return max(0.0, registration.until - self._clock())

    async def _ask_leader(self, judge: Judge, name: NodeName, order: DrainOrder) -> None:
        try:
            judged = await judge(name, order.within_s, order.force)
        except EngineError as error:
            _log.warning("no leader judged a drain; it begins all the same", backend=name, why=str(error))
            return
        if judged.why:
            needs_s = math.ceil(judged.needs_s)
            raise RegistrationRefused(
                RefusalKind.TOO_SHORT,
                f"{name!r} cannot be drained" + (f" within {order.within_s:g} s" if order.within_s else " now"),
                judged.why,
                f"give it {needs_s} s, or send force: true" if needs_s else "try again later, or send force: true",
                wait_s=needs_s,
            )

    def _refuse_owned(self, name: str) -> None:
        """Raise `RegistrationRefused` if a channel node has `name`, or a source that is no registration offers it."""
        if url := self._find_node(NodeName(name)):
            raise owned_by_node(name, url)
        owner = self._rivals.find_owner(NodeName(name))
        if owner is not None:
            raise owned_by_source(name, owner)

    def _end_superseded(self) -> list[NodeName]:
        """End the registrations whose names another server, or another life, has by a newer registration elsewhere,
        or that another gateway has from a source of its own."""
        ended = []
        for each in self._reviewed():
            owner = self._rivals.find_owner(each.name)
            if owner is not None:
                self._registrations.end(each.name)
                ended.append(each.name)
                _log.error("a registration ends", backend=each.name, why=str(owned_by_source(each.name, owner)))
                continue
            rival = self._rivals.supersede(each.backend)
            if rival is not None:
                self._registrations.end(each.name)
                ended.append(each.name)
                self._tell_ended(each.backend, rival)
        return ended

    def _reviewed(self) -> list[Registration]:
        """Return the registrations whose turn it is: all in a tick, or of thousands some in each."""
        self._to_review = self._to_review or [each.name for each in self.rows()]
        names, self._to_review = self._to_review[:REVIEWED_A_TICK], self._to_review[REVIEWED_A_TICK:]
        return [each for name in names if (each := self._registrations.get(name)) is not None]

    @staticmethod
    def _tell_ended(backend: Backend, rival: Rival) -> None:
        kept, at = rival.claim.backend, rival.gateway
        if rival.is_same_server(backend):
            _log.info(
                "a backend has restarted, and registered at another gateway",
                backend=backend.name, url=kept.url, at=at, incarnation=kept.life, ended=backend.life,
            )  # fmt: skip
            return
        _log.error(
            "two servers have registered under one name at two gateways; the newer registration counts, rename one",
            backend=backend.name, kept=kept.url, at=at, ended=backend.url,
        )  # fmt: skip

    def _publish(self, registration: Registration) -> None:
        """Offer the backend of `registration` as it is now."""
        self.stats.leases = len(self._registrations)
        offer = Offer(
            registration.backend,
            draining=registration.draining,
            within_s=registration.within_s(self._clock()),
            connections=registration.connections,
            utilisation=registration.utilisation or None,
            lease_s=registration.ttl_s,
        )
        self._sink.change(SOURCE, {registration.name: offer})

    def _end(self, *, gone: Collection[NodeName] = (), lost: Collection[NodeName] = ()) -> None:
        """Offer backends no more that drain (`gone`), or are `lost`."""
        self.stats.leases = len(self._registrations)
        self._sink.change(SOURCE, {}, gone=gone, lost=lost)


def _read_registration(name: str, fields: Mapping[str, Any], usual_s: float) -> tuple[Backend, float]:
    """Return the backend and its lease in seconds; raise `ConfigError` with every problem."""
    problems: list[str] = []

    def read(reading: Callable[[], T]) -> T | None:
        try:
            return reading()
        except ConfigError as error:
            problems.extend(error.problems)
            return None

    if fields.get("name") not in (None, name):
        problems.append(f"name is {fields['name']!r:.80}, and the path says {name!r:.80}; leave it out of the body")
    ttl_s = read(lambda: _read_ttl(fields.get("ttl_s"), usual_s))
    life = read(lambda: _read_incarnation(fields.get("incarnation")))
    backend = read(lambda: read_backend_fields({**fields, "name": name}, f"backend {name!r}", also=LEASE_FIELDS))
    if problems or backend is None or ttl_s is None:
        raise ConfigError(*problems)
    return msgspec.structs.replace(backend, life=life or ""), ttl_s


def _read_ttl(ttl_s: Any, usual_s: float) -> float:
    if ttl_s is None:
        return check_ttl(usual_s)
    if isinstance(ttl_s, bool) or not isinstance(ttl_s, int | float):
        raise ConfigError(f"ttl_s is {ttl_s!r:.80}; it must be a number of seconds")
    return check_ttl(float(ttl_s))


def _read_incarnation(life: Any) -> str:
    if not isinstance(life, str | None):
        raise ConfigError(f"incarnation is {life!r:.80}; it must be a text")
    return check_incarnation(life or "")
