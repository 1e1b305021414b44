"""The instances of one application over time, and the offers that follow from them. Pure: the time is an argument.

A registry is a hint, and not the truth. A registry that lost its peers keeps dead instances (its "self-preservation"),
and a registry that has restarted knows no instance for a while. So an instance that is missing is not dead: it keeps
its state for `missing_s`, is drained after that, and is never cut. If all instances are missing, they stay.
"""

from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass

from ringway.protocol.backend import Backend
from ringway.sources.eureka.application import EurekaApplication
from ringway.sources.eureka.instance import EurekaInstance, backend_of
from ringway.sources.sink import Offer
from ringway.types import NodeName


@dataclass(slots=True)
class _Seen:
    """An offer, and the time of the first answer in which it was missing."""

    offer: Offer
    missing_since: float | None = None


class SeenInstances:
    """The offers of `application`, which follow from the registry's answers."""

    def __init__(self, application: EurekaApplication, missing_s: float) -> None:
        self._application = application
        self._missing_s = missing_s
        self._seen: dict[NodeName, _Seen] = {}

    def update(self, instances: Iterable[EurekaInstance], now: float) -> tuple[Mapping[NodeName, Offer], list[str]]:
        """Process an answer of the registry at `now` (seconds); return the offers, and every problem."""
        problems: list[str] = []
        named: dict[NodeName, str] = {}
        unsure: set[NodeName] = set()
        for instance in instances:
            backend, wrong = backend_of(instance, self._application)
            problems += wrong
            if backend is None:
                continue
            if backend.name in named:
                problems.append(f"the instances {named[backend.name]} and {instance.id} have one name: {backend.name}")
                continue
            named[backend.name] = instance.id
            offer = self._offer(instance.status, backend, self._seen.get(backend.name))
            if offer is not None:
                self._seen[backend.name] = _Seen(offer)
            elif instance.status == "DOWN":
                self._seen.pop(backend.name, None)
            else:
                unsure.add(backend.name)
        if named:
            self._drop_missing(named.keys() - unsure, now)
        else:
            kept = f"; the {len(self._seen)} that were known stay" if self._seen else ""
            app, url = self._application.app, self._application.url
            problems.append(
                f"the registry knows no instance of {app} that can be used; check app={app} and {url}{kept}"
            )
        return {name: seen.offer for name, seen in self._seen.items()}, problems

    def _offer(self, status: str, backend: Backend, seen: _Seen | None) -> Offer | None:
        """Return the offer of an instance; None if its status allows no offer."""
        if status == "UP":
            return Offer(backend)
        if status == "OUT_OF_SERVICE":
            return Offer(backend, draining=True, within_s=self._application.drain_within_s)
        if status == "STARTING" and seen is not None:
            return Offer(backend, draining=True)
        return None

    def _drop_missing(self, named: Set[NodeName], now: float) -> None:
        """Forget instances that have been missing in the answers for too long."""
        for name, seen in list(self._seen.items()):
            if name in named:
                continue
            if seen.missing_since is None:
                seen.missing_since = now
            if now - seen.missing_since >= self._missing_s:
                del self._seen[name]
