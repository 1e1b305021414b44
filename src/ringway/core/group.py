"""Groups of members: connections are placed and moved among the members of one group, and never into another.

Theory of operation
- A backend names its group; without a name it is in `DEFAULT`. All channel nodes are in `CHANNELS`.
- Each group has a view (load, shares, places, turns) and a steering (policy, keys) of its own, so that one group has no
  effect on another. Reports of gateways concern all groups: each view reads the places at its own nodes.
- A directive of operators reaches all groups; it may decide for some of them alone.
- A backend that changes its group gets a new incarnation (`protocol.backend`): it leaves the old group and joins the
  new group.
"""

from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import suppress

from ringway.core.load import LoadView, NodeLoad
from ringway.core.placement.policy import why_none
from ringway.core.placement.spec import DEFAULT_POLICY
from ringway.core.steering import Steering
from ringway.errors import ConfigError
from ringway.protocol.directive import Directive
from ringway.protocol.group import CHANNELS, DEFAULT
from ringway.protocol.report import Report, group_of
from ringway.types import Issuer, NodeName, Role

EMPTY_S = 60.0
"""A group without members is forgotten after this time, unless a route names it."""

Steer = Callable[[str], Steering]
"""Makes the steering of a group."""


def steer_by_default(name: str) -> Steering:
    """Return a steering with the default policy."""
    return Steering(DEFAULT_POLICY, b"", group=name)


def why_no_group(name: str, known: Iterable[str]) -> str:
    """Return that there is no group `name`, with the groups that are `known`, and with the remedy."""
    names = list(known)
    others = f"there {'is only' if len(names) == 1 else 'are'} {', '.join(names)}" if names else "no group exists yet"
    return f"there is no group {name!r}; {others}. A group exists when a backend names it, or a route leads to it"


def why_none_of(groups: "Groups") -> str:
    """Return why no node of any group is eligible, each reason with its remedy; empty if a node is eligible."""
    reasons = {group.name: why_none(group.view) for group in groups}
    if not reasons:
        return why_none(groups[DEFAULT].view)
    if not all(reasons.values()):
        return ""
    if len(reasons) == 1:
        return next(iter(reasons.values()))
    return "; ".join(f"group {name}: {reason}" for name, reason in reasons.items())


class Group:
    """One group: its members in `view`, and the policy by which they are chosen."""

    __slots__ = ("empty_since", "name", "steering", "view")

    def __init__(self, name: str, view: LoadView, steering: Steering) -> None:
        self.name = name
        self.view = view
        self.steering = steering
        self.empty_since: float | None = None  # monotonic; None: it has members, or has not been looked at


class Groups:
    """The groups of the cluster, as one gateway sees them. `now` is monotonic.

    `steer` makes the steering of each group; `kept` are the groups that routes name, never forgotten.
    `nodes` has the members of all groups, by their names.
    """

    def __init__(self, issuer: Issuer, steer: Steer = steer_by_default, kept: Collection[str] = ()) -> None:
        self.issuer = issuer
        self.nodes: dict[NodeName, NodeLoad] = {}
        self.version = 0
        """Grows when a group is made or forgotten, or gets its first member."""
        self.on_forgotten: list[Callable[[str], object]] = []
        """Called with the name of each group that is forgotten."""
        self._steer = steer
        self._routed = frozenset(kept)
        self._kept = {DEFAULT, CHANNELS, *kept}
        self._groups: dict[str, Group] = {}
        self._at: dict[NodeName, Group] = {}
        self._seen: set[str] = set()
        self._gateways: dict[NodeName, Report] = {}
        self._knocks = False
        self.main = self._make(DEFAULT).steering
        """The steering of the default group, which has the settings and the directive of the gateway."""
        for name in sorted(set(kept) - {DEFAULT}):
            self._make(name)

    def __getitem__(self, name: str) -> Group:
        """Return the group `name`; make it if it does not exist."""
        group = self._groups.get(name)
        return group if group is not None else self._make(name)

    def __iter__(self) -> Iterator[Group]:
        """The groups that have members, or had some a while ago, in the order of their names."""
        return iter([self._groups[name] for name in sorted(self._seen)])

    def __contains__(self, name: str) -> bool:
        """True if the group `name` has members, or had some a while ago."""
        return name in self._seen

    def is_routed(self, name: str) -> bool:
        """True if a route names the group `name`, which may have no members."""
        return name in self._routed

    @property
    def known(self) -> list[Group]:
        """The groups that have members, had some a while ago, or are named by a route, in the order of their names."""
        return [self[name] for name in sorted(self._seen | self._routed)]

    def at(self, name: NodeName) -> Group | None:
        """Return the group of the node `name`; None if there is no such node."""
        return self._at.get(name)

    # The members.

    def reported(self, report: Report, now: float) -> None:
        """Read the report of a node or of a gateway."""
        if report.role is not Role.NODE:
            self._gateways[report.name] = report
            for each in self._groups.values():
                each.view.reported(report, now)
            return
        group = self._at.get(report.name)
        if group is None or group.name != group_of(report):
            group = self._join(report, group)
        view = group.view
        view.reported(report, now)
        node = view.nodes[report.name]
        if self.nodes.get(report.name) is not node:
            self.nodes[report.name] = node

    def forgotten(self, report: Report) -> None:
        """Drop a member that has left."""
        if report.role is not Role.NODE:
            self._gateways.pop(report.name, None)
            for each in self._groups.values():
                each.view.forgotten(report)
            return
        group = self._at.pop(report.name, None)
        self.nodes.pop(report.name, None)
        if group is not None:
            group.view.forgotten(report)

    def tick(self, now: float) -> None:
        """Let time pass; call it a few times a second."""
        for group in list(self._groups.values()):
            group.view.tick(now)
            if group.view.nodes or group.name in self._kept:
                group.empty_since = None
            elif group.empty_since is None:
                group.empty_since = now
            elif now >= group.empty_since + EMPTY_S:
                del self._groups[group.name]
                self._seen.discard(group.name)
                self.version += 1
                for listener in self.on_forgotten:
                    listener(group.name)

    # What is noted about single nodes.

    @property
    def knocks(self) -> bool:
        """True if nodes are in doubt until they have answered a knock."""
        return self._knocks

    @knocks.setter
    def knocks(self, knocks: bool) -> None:
        self._knocks = knocks
        for group in self._groups.values():
            group.view.knocks = knocks

    def doubt(self, name: NodeName, why: str) -> None:
        """Note why the node `name` has not answered a knock (`LoadView.doubt`)."""
        self._at[name].view.doubt(name, why)

    def believe(self, names: Iterable[NodeName]) -> None:
        """Note that these nodes have answered a knock (`LoadView.believe`)."""
        by_group: dict[Group, list[NodeName]] = {}
        for name in names:
            by_group.setdefault(self._at[name], []).append(name)
        for group, its in by_group.items():
            group.view.believe(its)

    def eject(self, name: NodeName, why: str) -> None:
        """Take the node `name` out, because handshakes fail there; an empty `why` takes it back (`LoadView.eject`)."""
        self._at[name].view.eject(name, why)

    def set_skew(self, name: NodeName, skew_s: float) -> None:
        """Note by how much the clock of the node `name` is ahead."""
        self._at[name].view.set_skew(name, skew_s)

    # Sums over all groups.

    @property
    def gateways(self) -> int:
        """The number of gateways that place clients, with this gateway."""
        return max(1, len(self._gateways))

    @property
    def eligible(self) -> list[NodeLoad]:
        """The eligible nodes of all groups, in the order of their names."""
        return self._united([group.view.eligible for group in self._groups.values()])

    def takers(self) -> list[NodeLoad]:
        """Return the nodes of all groups that take newcomers, in the order of their names."""
        return self._united([group.view.takers() for group in self._groups.values()])

    def held(self) -> dict[NodeName, int]:
        """Return the places that this gateway holds, by node."""
        held: dict[NodeName, int] = {}
        for group in self._groups.values():
            held |= group.view.ledger.held()
        return held

    # Directives.

    def follow(self, directive: Directive) -> bool:
        """Follow `directive` in all groups if it is newer than the present one; return True if it is.

        Raise `ConfigError`, changing nothing, if a group's policy cannot be made here.
        """
        if not directive.newer_than(self.main.directive):
            return False
        for group in self._groups.values():
            group.steering.check(directive)
        for group in self._groups.values():
            group.steering.follow(directive)
        return True

    @property
    def directive(self) -> Directive:
        """The directive that all groups follow."""
        return self.main.directive

    def _join(self, report: Report, before: Group | None) -> Group:
        """Record the group of a node; the group that it had `before` forgets the node."""
        if before is not None:
            before.view.forgotten(report)
        group = self._at[report.name] = self[group_of(report)]
        if group.name not in self._seen:
            self._seen.add(group.name)
            self.version += 1
        return group

    def _make(self, name: str) -> Group:
        view, steering = LoadView(self.issuer), self._steer(name)
        view.knocks = self._knocks
        view.group = name if name != CHANNELS and (name in self._routed or name != DEFAULT) else ""
        for report in self._gateways.values():
            view.reported(report, view.now)
        if self._groups:
            with suppress(ConfigError):  # its own policy stays in force
                steering.follow(self.main.directive)
        group = self._groups[name] = Group(name, view, steering)
        self.version += 1
        return group

    @staticmethod
    def _united(parts: list[list[NodeLoad]]) -> list[NodeLoad]:
        filled = [part for part in parts if part]
        if len(filled) == 1:
            return filled[0]
        return sorted((node for part in filled for node in part), key=lambda node: node.name)
