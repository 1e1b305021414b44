"""Control of a gateway by operators, over the bus and the admin port (PROTOCOL.md P-9.4).

A directive reaches all gateways in two ways: operators send it to each gateway that they can reach, and each gateway
that follows it repeats it in its reports. So a gateway that starts later, or was not reached, follows within one
report. Wrong input is answered with its problem.
"""

import time
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

import msgspec

from ringway.core.explain import explain, key_of_request, problems_of
from ringway.core.group import Group, why_no_group
from ringway.core.membership import MemberLeft, MembershipEvent
from ringway.core.placement.spec import parse_spec
from ringway.errors import ConfigError, EngineError, ProtocolError, UpgradeError
from ringway.gateway.cluster.directory import Directory
from ringway.gateway.cluster.node_control import NodeControl
from ringway.logger import get_logger
from ringway.ports import Engine, Serving
from ringway.protocol.control import (
    GATEWAYS,
    Decision,
    Decisions,
    DirectiveAnswer,
    Explain,
    Explanation,
    GatewayAnswer,
    GatewayRequest,
    GetDirective,
    GroupPolicy,
    ListDecisions,
    ListProblems,
    MovePause,
    NodeProblems,
    SetDirective,
    StrangerRow,
    decode_gateway_answer,
    decode_gateway_request,
    encode,
    gateway_address,
    newest,
)
from ringway.protocol.directive import BY_OPERATOR, Directive
from ringway.protocol.group import DEFAULT
from ringway.protocol.order import NodeRefusal
from ringway.types import NodeName, Role

if TYPE_CHECKING:
    from random import Random

COUNT_MAX = 1000
"""Decisions in one answer."""

GATHER_S = 1.0
"""The deadline of the other gateways' answers about their balancers' decisions."""

_log = get_logger()


RouteOf = Callable[[str, str], str]
"""Returns the group to which a host and a path lead; raises `UpgradeError` if there is no route."""


def _not_leading() -> None:
    return None


def _nothing_decided(count: int) -> tuple[Decision, ...]:
    return ()


class GatewayControl:
    """Answers operators for one gateway. `decisions` returns the newest decisions of its balancer.

    `route_of` returns the group to which its routes lead from a host and a path; without it, the group is the only
    existing group, or the default group. `why_unreached` returns why the members of a group get no clients here.
    `pauses` returns why its balancer orders no moves now; None if it does not lead.
    """

    def __init__(
        self,
        name: NodeName,
        directory: Directory,
        rng: "Random",
        engine: Engine,
        decisions: Callable[[int], Iterable[Decision]] = _nothing_decided,
        clock: Callable[[], float] = time.monotonic,
        route_of: RouteOf | None = None,
        why_unreached: Callable[[str], str] = lambda group: "",
        pauses: Callable[[], tuple[MovePause, ...] | None] = _not_leading,
    ) -> None:
        self.name = name
        self._directory = directory
        self._groups = directory.groups
        self._route_of = route_of
        self._pauses = pauses
        self._why_unreached = why_unreached
        self._rng = rng
        self._decisions = decisions
        self._clock = clock
        self._problem = ""  # the reason why the newest received directive cannot be followed
        self._refused = Directive()  # the directive that cannot be followed
        self._engine = engine
        self.nodes = NodeControl(directory.feed, engine.bus)
        self._servings: list[Serving] = []
        directory.listen(self._on_event, of_nodes=False)

    async def serve(self) -> None:
        """Answer on the bus from now on, until `stop`."""
        for address in (GATEWAYS, gateway_address(self.name)):
            self._servings.append(await self._engine.bus.serve(address, self._answer))

    async def stop(self) -> None:
        """Stop answering. Idempotent."""
        servings, self._servings = self._servings, []
        for serving in servings:
            await serving.close()

    def explain(self, key: str, group: str = "", host: str = "", path: str = "") -> Explanation:
        """Return the node for a client with `key` (empty: no key) at this moment, with the reasons.

        The client comes to `group`, or else to the group to which the routes lead from `host` and `path`. Without
        `key`, it has the key that the policy reads from these two. Raise `ConfigError` if there is no such
        group, or no such route.
        """
        names = tuple(each.name for each in self._groups)
        self._need_group(group)
        asked = self._groups[group or self._group_at(host, path)]
        key = key or key_of_request(asked.steering, host, path)
        said = explain(asked.view, asked.steering, key, self._rng, self._clock(), self.name)
        return msgspec.structs.replace(said, group=asked.name, groups=names)

    def problems(self) -> dict[NodeName, str]:
        """Return the problems of nodes in the view of this gateway, in sentences."""
        found = problems_of(self._groups.nodes.values())
        for name, dispute in self._directory.held.disputes.items():
            found[name] = f"{found[name]}; {dispute}" if name in found else str(dispute)
        for group in self._groups:
            if why := self._why_unreached(group.name):
                found |= {name: f"{found[name]}; {why}" if name in found else why for name in group.view.nodes}
        return found

    def strangers(self) -> tuple[StrangerRow, ...]:
        """Return the members that this gateway does not believe."""
        return self._directory.feed.strangers.rows()

    def pauses(self) -> tuple[MovePause, ...]:
        """Return by group why no moves are ordered now; if a different gateway leads, what operators have frozen."""
        told = self._pauses()
        if told is not None:
            return told
        decided = ((group.name, group.steering.decided.frozen) for group in self._groups)
        return tuple(
            MovePause(group=name, why=BY_OPERATOR + frozen, is_frozen=True) for name, frozen in decided if frozen
        )

    def followed(self) -> DirectiveAnswer:
        """Return the policy and the directive that this gateway follows."""
        steering = self._groups.main
        return DirectiveAnswer(
            gateway=self.name,
            policy=str(steering.spec),
            configured=str(steering.configured),
            directive=steering.directive,
            problem=self._problem,
            groups=tuple(_policy_of(group) for group in self._groups.known),
        )

    def followed_directive(self) -> Directive | None:
        """Return the directive to report to the members; None before the first directive of an operator."""
        directive = self._groups.directive
        return directive if directive.version else None

    def versions(self) -> dict[NodeName, int]:
        """Return the version that each gateway follows, by its last report; for this gateway, the present version."""
        members = self._directory.feed.live.values()
        told = {member.name: member.directive for member in members if member.role is Role.GATEWAY}
        versions = {name: directive.version if directive else 0 for name, directive in told.items()}
        return {**versions, self.name: self._groups.directive.version}

    def change_policy(self, policy: str, *, moving: bool, group: str = "") -> DirectiveAnswer:
        """Change to `policy` (empty: the own setting) at this and all other gateways, for `group` (empty: for all).

        Raise `ConfigError` for a wrong policy, and if there is no such group.
        """
        spec = str(parse_spec(policy)) if policy else ""
        self._need_group(group)
        return self._change(self._groups.directive.with_policy(spec, moving=moving, group=group))

    def freeze(self, why: str, group: str = "") -> DirectiveAnswer:
        """Freeze moves of `group` (empty: of all) for the reason `why`; an empty reason ends the freeze.

        Raise `ConfigError` if there is no such group.
        """
        self._need_group(group)
        return self._change(self._groups.directive.with_frozen(why, group))

    async def decisions(self, count: int) -> list[Decision]:
        """Return the `count` newest decisions of all gateways' balancers, the newest first."""
        count = min(count, COUNT_MAX)
        try:
            raw = await self._engine.bus.gather(
                GATEWAYS, encode(ListDecisions(count=count)), timeout_s=GATHER_S, expected=len(self.versions())
            )
        except EngineError:
            return list(self._own_decisions(count))  # the other gateways cannot be reached
        return newest((decision for each in raw for decision in _read_decisions(each)), count)

    def _own_decisions(self, count: int) -> tuple[Decision, ...]:
        decided = newest(self._decisions(count), count)
        return tuple(msgspec.structs.replace(decision, gateway=self.name) for decision in decided)

    async def _answer(self, raw: bytes) -> bytes:
        """Return the encoded answer to a request from the bus."""
        try:
            request = decode_gateway_request(raw)
        except ProtocolError as error:
            return encode(NodeRefusal(why=f"{self.name} does not understand the request: {error}"))
        try:
            return encode(self._reply(request))
        except ConfigError as error:
            return encode(NodeRefusal(why=str(error)))

    def _reply(self, request: GatewayRequest) -> GatewayAnswer:
        match request:
            case Explain():
                return self.explain(request.key, request.group, request.host, request.path)
            case SetDirective():
                return self._follow(request.directive)
            case ListDecisions():
                return Decisions(decisions=self._own_decisions(min(request.count, COUNT_MAX)))
            case ListProblems():
                return NodeProblems(
                    gateway=self.name, problems=self.problems(), strangers=self.strangers(), pauses=self.pauses()
                )
            case GetDirective():
                return self.followed()

    def _group_at(self, host: str, path: str) -> str:
        if self._route_of is not None:
            try:
                return self._route_of(host, path)
            except UpgradeError as error:
                raise ConfigError(str(error)) from None
        names = [group.name for group in self._groups]
        return names[0] if len(names) == 1 else DEFAULT

    def _need_group(self, group: str) -> None:
        """Raise `ConfigError` if the group `group` is not known here; empty: all groups."""
        known = [each.name for each in self._groups.known]
        if group and group not in known and not self._groups.directive.decides_for(group):
            raise ConfigError(why_no_group(group, known))

    def _change(self, directive: Directive) -> DirectiveAnswer:
        """Follow `directive` under a version above all received versions, also those that cannot be followed."""
        version = max(self.versions().values()) + 1
        if self._groups.follow(msgspec.structs.replace(directive, version=version)):
            self._changed()
        return self.followed()

    def _follow(self, directive: Directive) -> DirectiveAnswer:
        """Follow an operator's directive; the answer has the reason if that is not possible."""
        mine = self._groups.directive
        if directive == mine:
            return self.followed()
        try:
            newer = self._groups.follow(directive)
        except ConfigError as error:
            return msgspec.structs.replace(self.followed(), problem=str(error))
        if not newer:
            problem = f"version {directive.version} is not newer than {mine.version}, which it follows; ask again"
            return msgspec.structs.replace(self.followed(), problem=problem)
        self._changed()
        return self.followed()

    def _on_event(self, event: MembershipEvent) -> None:
        """Follow the directive in a gateway's report."""
        heard = event.report.directive
        if heard is None or isinstance(event, MemberLeft) or heard == self._refused:
            return
        try:
            if self._groups.follow(heard):
                self._changed()
        except ConfigError as error:
            self._refused = heard
            self._problem = f"it cannot follow version {heard.version}, which {event.report.name} follows: {error}"
            _log.error("a directive cannot be followed", directive=heard, heard_from=event.report.name, why=str(error))

    def _changed(self) -> None:
        """Log the change of the directive. The next report, which comes soon, carries it."""
        directive = self._groups.directive
        self._problem, self._refused = "", Directive()
        _log.info(
            "following a directive", version=directive.version, policy=str(self._groups.main.spec),
            moving=directive.moving, frozen=directive.frozen, groups=[str(each) for each in directive.groups],
        )  # fmt: skip


def _policy_of(group: Group) -> GroupPolicy:
    steering = group.steering
    return GroupPolicy(
        group=group.name,
        policy=str(steering.spec),
        configured=str(steering.configured),
        moving=steering.decided.moving,
        frozen=steering.decided.frozen,
    )


def _read_decisions(raw: bytes) -> tuple[Decision, ...]:
    """Return the decisions in the answer of a gateway; no decisions if its protocol version differs."""
    try:
        answer = decode_gateway_answer(raw)
    except ProtocolError as error:
        _log.warning("a gateway's decisions were not understood", error=str(error))
        return ()
    return answer.decisions if isinstance(answer, Decisions) else ()
