"""Registrations of backends: who holds which name, and until when.

A backend registers under a name and renews its lease. A name belongs to one server, and a server to one URL. So a
registration with the same URL comes from the holder: with the same incarnation it changes its settings, with another it
says that the server has restarted. An incarnation that was replaced does not come back while its successor has the
name, so that an old process which is slow to die cannot take the name from it. A registration with a different URL is a
second holder, and is refused while the lease lasts.

When a lease has ended, nobody has the name, and any process may register it: also an incarnation that was replaced
before. Nobody else is there then, and it may be the one that serves; if nothing answers at its URL, the checks of the
gateways fail, and no client is sent there. A later incarnation that comes back replaces it as a restart does, so that
the older one is refused again: the two do not take turns. A memory beyond the lease would be a promise that no gateway
could give for the others, or for itself after a restart.

A lease that expires is a death, because a server that cannot renew for that long cannot be asked any more. The fault of
the observer is not: if a tick comes late, this process was stopped, and all leases are longer by that time.

The time is an argument, monotonic and in seconds.
"""

import enum
import math
from collections.abc import Mapping, ValuesView
from dataclasses import dataclass, field, replace

from ringway.core.rival import Rival
from ringway.errors import ConfigError, RingwayError
from ringway.protocol.address import shown
from ringway.protocol.backend import Backend
from ringway.protocol.registration import INCARNATION_LENGTH_MAX, TTL_MAX_S, TTL_MIN_S
from ringway.types import NodeName

UTILISATION_MAX = 16
"""The most resources for which a server may say how much it uses."""

FORMER_MAX = 8
"""Replaced incarnations that are remembered for each name."""

_REPLACED = (
    "an incarnation that was replaced does not come back while a later one has the name",
    "if this is a new life of the server, register with a new incarnation; if not, end this process",
)
"""Rule and remedy for a process whose server has a later life."""

TICK_S = 0.25
"""The period of `tick`."""


class RefusalKind(enum.Enum):
    """The cause of a refusal."""

    UNKNOWN = "unknown"  # no server holds a lease of that name
    HELD = "held"  # a different server or a later incarnation holds the name
    TOO_SHORT = "too short"  # the connections of a backend cannot leave in the given time
    FULL = "full"  # there are as many registrations as may be


class RegistrationRefused(RingwayError):
    """A request was refused: what is wrong, the rule, and the remedy. `wait_s` is when it may succeed; 0: never."""

    def __init__(self, kind: RefusalKind, error: str, rule: str, remedy: str, wait_s: float = 0.0) -> None:
        self.kind = kind
        self.error = error
        self.rule = rule
        self.remedy = remedy
        self.wait_s = wait_s
        super().__init__(f"{error}; {rule}; {remedy}")


@dataclass(frozen=True, slots=True)
class Registration:
    """One registration. Its incarnation is the `life` of the backend; empty if the server gives none."""

    backend: Backend
    lease: str
    ttl_s: float
    until: float
    draining: bool = False
    drain_at: float = math.inf  # while it drains: the time at which the drain began
    empty_by: float = math.inf  # while it drains: the time by which its connections should have left
    connections: int | None = None  # the server's own measures
    utilisation: Mapping[str, float] = field(default_factory=dict)
    former: tuple[str, ...] = ()  # incarnations that were replaced, the newest last

    @property
    def name(self) -> NodeName:
        """The name of its backend."""
        return self.backend.name

    def drains_since(self, before: float) -> bool:
        """True if it drains, and began to later than `before`."""
        return self.draining and self.drain_at > before

    def within_s(self, now: float) -> float:
        """Return the time that its drain has left; 0 if there is no deadline, or no drain."""
        return max(0.001, self.empty_by - now) if self.draining and math.isfinite(self.empty_by) else 0.0


class Registrations:
    """All registrations of one gateway, at most `registrations_max`."""

    def __init__(self, registrations_max: int) -> None:
        self._registrations_max = registrations_max
        self._held: dict[NodeName, Registration] = {}
        self._ticked_at: float | None = None
        self._ticked_late = False

    def __len__(self) -> int:
        return len(self._held)

    def values(self) -> ValuesView[Registration]:
        """The registrations, as a live view."""
        return self._held.values()

    def get(self, name: str) -> Registration | None:
        """Return the registration of `name`; None if there is none."""
        return self._held.get(NodeName(name))

    def register(self, backend: Backend, ttl_s: float, lease: str, now: float) -> Registration:
        """Return the new or renewed registration of `backend`; `lease` names it if it is new.

        Raise `RegistrationRefused` if the name is held by a different server, or if there are too many registrations.
        """
        known = self._held.get(backend.name)
        until = now + ttl_s
        if known is None:
            if len(self._held) >= self._registrations_max:
                raise RegistrationRefused(
                    RefusalKind.FULL,
                    f"there are {len(self._held)} registrations",
                    f"registrations_max is {self._registrations_max}",
                    "raise registration.registrations_max at the gateway, or delete what is no longer needed",
                    wait_s=max(1.0, min(each.until for each in self._held.values()) - now),
                )
            return self._keep(Registration(backend, lease, ttl_s, until))
        if known.backend.url != backend.url:
            raise _held(known, now, "a name belongs to one server until its lease ends", "take another name, or wait")
        if known.backend.life == backend.life:
            return self._keep(replace(known, backend=backend, ttl_s=ttl_s, until=until))
        if backend.life in known.former:
            raise _replaced(known, backend.life, now)
        former = (*known.former, known.backend.life)[-FORMER_MAX:]
        return self._keep(Registration(backend, lease, ttl_s, until, former=former))

    def renew(
        self,
        name: str,
        now: float,
        *,
        incarnation: str = "",
        connections: int | None = None,
        utilisation: Mapping[str, float] | None = None,
    ) -> Registration:
        """Return the registration of `name` with a new time to live; raise `RegistrationRefused` if it has none.

        What the server does not say about itself stays as it was.
        """
        known = self._find(name, incarnation, now)
        return self._keep(
            replace(
                known,
                until=now + known.ttl_s,
                connections=known.connections if connections is None else connections,
                utilisation=known.utilisation if utilisation is None else utilisation,
            )
        )

    def check(self, name: str, now: float, *, incarnation: str = "") -> Registration:
        """Return the registration of `name`; raise `RegistrationRefused` if there is none, or not of `incarnation`."""
        return self._find(name, incarnation, now)

    def drain(self, name: str, within_s: float, now: float, *, incarnation: str = "") -> Registration:
        """Return the registration of `name`, which drains from now on; raise `RegistrationRefused` if there is none.

        A repeated drain replaces the deadline; `within_s` 0 is no deadline.
        """
        known = self._find(name, incarnation, now)
        empty_by = now + within_s if within_s else math.inf
        return self._keep(replace(known, draining=True, drain_at=now, empty_by=empty_by))

    def undrain(self, known: Registration) -> Registration:
        """Return the registration `known`, which drains no more: an operator has taken it back."""
        return self._keep(replace(known, draining=False, drain_at=math.inf, empty_by=math.inf))

    def remove(self, name: str, now: float, *, incarnation: str = "") -> Registration:
        """End the registration of `name`, and return it; raise `RegistrationRefused` if there is none."""
        known = self._find(name, incarnation, now)
        return self._held.pop(known.name)

    def end(self, name: NodeName) -> None:
        """End the registration of `name`, which has a holder at another gateway."""
        del self._held[name]

    def tick(self, now: float) -> list[Registration]:
        """Let time pass, and return the registrations whose lease has expired. Call it every `TICK_S`."""
        gap = now - self._ticked_at - TICK_S if self._ticked_at is not None else 0.0
        self._ticked_at = now
        late = gap > TICK_S
        # After a stop, renewals that wait in the sockets are read first. A clock that is always late judges as well.
        first_late, self._ticked_late = late and not self._ticked_late, late
        if late:
            self._held = {name: replace(each, until=each.until + gap) for name, each in self._held.items()}
        if first_late:
            return []
        expired = [each for each in self._held.values() if each.until <= now]
        for each in expired:
            del self._held[each.name]
        return expired

    def _keep(self, registration: Registration) -> Registration:
        self._held[registration.name] = registration
        return registration

    def _find(self, name: str, incarnation: str, now: float) -> Registration:
        known = self.get(name)
        if known is None:
            raise RegistrationRefused(
                RefusalKind.UNKNOWN,
                f"no backend {name[:63]!r} is registered here, or its lease has expired",
                "a lease lasts for ttl_s after each renewal, and ends when its gateway ends",
                f"register again: PUT /v1/backends/{name[:63]}",
            )
        if incarnation and incarnation != known.backend.life:
            raise _replaced(known, incarnation, now)
        return known


def held_elsewhere(backend: Backend, rival: Rival) -> RegistrationRefused:
    """Return the refusal of `backend`, whose name is held at another gateway."""
    holder, lease_s = rival.claim.backend, rival.claim.lease_s
    life = f" (incarnation {holder.life})" if holder.life else ""
    error = f"the name {backend.name!r} is held by {holder.url}{life}, which registered at {rival.gateway}"
    if rival.is_same_server(backend):
        return RegistrationRefused(
            RefusalKind.HELD, f"{error} and has replaced the incarnation {backend.life!r}", *_REPLACED, wait_s=lease_s
        )
    return RegistrationRefused(
        RefusalKind.HELD,
        error,
        f"a name belongs to one server of the cluster until its lease ends, {lease_s:g} s after it was renewed last",
        "take another name, or wait",
        wait_s=lease_s,
    )


def owned_by_source(name: str, owner: Rival) -> RegistrationRefused:
    """Return the refusal of a request for `name`, which `owner` offers by a source that is no registration."""
    at = f"the gateway {owner.gateway}" if owner.gateway else "this gateway"
    return RegistrationRefused(
        RefusalKind.HELD,
        f"the name {name[:63]!r} belongs to {shown(owner.claim.backend.url)}, which {at} has from its source "
        f"{owner.claim.source!r}",
        "a name belongs to one source: a backend that a source offers cannot be registered, renewed or drained here",
        "take another name, or take the backend out of that source; until then it gets clients without this",
    )


def owned_by_node(name: str, url: str) -> RegistrationRefused:
    """Return the refusal of a request for `name`, which the channel node at `url` has."""
    return RegistrationRefused(
        RefusalKind.HELD,
        f"the name {name[:63]!r} belongs to the channel node at {shown(url)}",
        "a name belongs to one member of the cluster: a channel node cannot be registered, renewed or drained here",
        "take another name",
    )


def check_ttl(ttl_s: float) -> float:
    """Return `ttl_s`; raise `ConfigError` if a lease may not last for so long, or so short."""
    if not TTL_MIN_S <= ttl_s <= TTL_MAX_S:
        raise ConfigError(f"ttl_s is {ttl_s:g}; it must be {TTL_MIN_S:g} to {TTL_MAX_S:g} seconds")
    return ttl_s


def check_incarnation(incarnation: str) -> str:
    """Return `incarnation`; raise `ConfigError` if it is too long, or not printable ASCII."""
    if len(incarnation) > INCARNATION_LENGTH_MAX or not (incarnation.isascii() and incarnation.isprintable()):
        raise ConfigError(
            f"incarnation is {incarnation[:INCARNATION_LENGTH_MAX]!r}; it must be at most {INCARNATION_LENGTH_MAX} "
            "printable ASCII characters, different in each life of the server: its start time, or a random text"
        )
    return incarnation


def check_utilisation(utilisation: Mapping[str, float] | None) -> Mapping[str, float] | None:
    """Return `utilisation`; raise `ConfigError` if it has too many resources, or a value that is no share."""
    if utilisation is None:
        return None
    if len(utilisation) > UTILISATION_MAX or any(len(name) > UTILISATION_MAX * 4 for name in utilisation):
        raise ConfigError(
            f"utilisation has {len(utilisation)} resources; it may have {UTILISATION_MAX}, with names of at most "
            f"{UTILISATION_MAX * 4} characters"
        )
    wrong = next((f"{name[:64]} {value!r}" for name, value in utilisation.items() if not 0 <= value < math.inf), "")
    if wrong:
        raise ConfigError(f"utilisation: {wrong} must be a number of at least 0; 1 is as much as is healthy")
    return utilisation


def _held(known: Registration, now: float, rule: str, remedy: str, before: str = "") -> RegistrationRefused:
    left_s = max(0.0, known.until - now)
    life = f" (incarnation {known.backend.life})" if known.backend.life else ""
    holder = f"{known.backend.url}{life}"
    return RegistrationRefused(
        RefusalKind.HELD,
        f"{before}the name {known.name!r} is held by {holder} for {left_s:.1f} s more, unless it renews",
        rule,
        remedy,
        wait_s=max(0.1, left_s),
    )


def _replaced(known: Registration, incarnation: str, now: float) -> RegistrationRefused:
    return _held(
        known,
        now,
        *_REPLACED,
        f"incarnation {incarnation[:INCARNATION_LENGTH_MAX]!r} does not hold the lease: ",
    )
