"""Placers of a gateway, one for each group: clients of one group are never placed in a different group.

They share the gateway's signer of tickets, and its bounds for each address.
"""

from collections.abc import Callable

from ringway.core.group import Group, Groups
from ringway.core.load import NodeLoad
from ringway.gateway.placement.placer import Place, Placer
from ringway.tasks import work_in_slices

MakePlacer = Callable[[Group], Placer]


class Placers:
    """The placers of one gateway. `make` makes the placer of a group at the first request; it goes with its group."""

    def __init__(self, groups: Groups, make: MakePlacer, clock: Callable[[], float]) -> None:
        self.groups = groups
        self.clock = clock
        self._make = make
        self._placers: dict[str, Placer] = {}
        groups.on_forgotten.append(lambda name: self._placers.pop(name, None))

    def __getitem__(self, name: str) -> Placer:
        """Return the placer of the group `name`."""
        placer = self._placers.get(name)
        if placer is None:
            placer = self._placers[name] = self._make(self.groups[name])
        return placer

    def at(self, node: NodeLoad) -> Placer | None:
        """Return the placer of the group that `node` is in; None if it has left."""
        group = self.groups.at(node.name)
        return self[group.name] if group is not None else None

    def moved(self, left: NodeLoad, name: str, ticket: str) -> NodeLoad | None:
        """Return the node `name` of a client that `left` sent there, if `ticket` is valid and both are in one group."""
        placer = self.at(left)
        return placer.moved(name, ticket) if placer is not None else None

    def give_up(self, place: Place) -> None:
        """Drop the place: its client could not be sent there."""
        placer = self.at(place.node)
        if placer is not None:
            placer.give_up(place)

    async def prepare(self) -> None:
        """Update the tables of key owners, in slices between other work."""
        for group in self.groups:
            await work_in_slices(lambda group=group: group.steering.prepare(group.view))  # type: ignore[misc]
