"""A sink of backends that remembers what it was told."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from ringway.sources.sink import Offer
from ringway.types import NodeName


@dataclass
class RecordingSink:
    """The offers of now by source, and everything else that sources told."""

    offers: dict[str, Mapping[NodeName, Offer]] = field(default_factory=dict)
    lost: list[NodeName] = field(default_factory=list)
    problems: dict[str, str] = field(default_factory=dict)
    told: list[str] = field(default_factory=list)
    """All problems in their order; an empty one is the end of a problem."""
    updates: int = 0

    def update(self, source: str, offers: Mapping[NodeName, Offer], *, lost: Collection[NodeName] = ()) -> None:
        self.offers[source] = dict(offers)
        self.lost += lost
        self.updates += 1

    def change(
        self,
        source: str,
        offers: Mapping[NodeName, Offer],
        *,
        gone: Collection[NodeName] = (),
        lost: Collection[NodeName] = (),
    ) -> None:
        left = {*gone, *lost}
        kept = {name: offer for name, offer in self.offers.get(source, {}).items() if name not in left}
        self.update(source, {**kept, **offers}, lost=lost)

    def report_problem(self, source: str, problem: str) -> None:
        self.problems[source] = problem
        self.told.append(problem)

    @property
    def states(self) -> dict[str, str]:
        """`up` or `draining` by the name of a backend, of all sources."""
        offers = [offer for each in self.offers.values() for offer in each.values()]
        return {offer.backend.name: "draining" if offer.draining else "up" for offer in offers}

    def offer(self, name: str) -> Offer:
        return next(offer for each in self.offers.values() for found, offer in each.items() if found == name)
