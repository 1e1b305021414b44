"""Control of a gateway by operators, over the bus and the admin port (PROTOCOL.md P-9.4).

A directive reaches all gateways in two ways: operators send it to each gateway that they can reach, and each gateway
that follows it repeats it in its reports. So a gateway that starts later, or was not reached, follows within one
report. Wrong input is answered with what is wrong about it.
"""

import time
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

import msgspec

from ringway.core.explain import explain
from ringway.core.membership import MemberLeft, MembershipEvent
from ringway.core.placement.spec import parse_spec
from ringway.core.steering import Steering
from ringway.errors import ConfigError, EngineError, ProtocolError
from ringway.gateway.cluster.directory import Directory
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
    ListDecisions,
    SetDirective,
    decode_gateway_answer,
    decode_gateway_request,
    encode,
    gateway_address,
    newest,
)
from ringway.protocol.directive import Directive
from ringway.protocol.order import NodeRefusal
from ringway.types import NodeName, Role

if TYPE_CHECKING:
    from random import Random

COUNT_MAX = 1000
"""Decisions in one answer."""

GATHER_S = 1.0
"""How long the other gateways have to answer what their balancers have decided."""

_log = get_logger()


def _nothing_decided(count: int) -> tuple[Decision, ...]:
    return ()


class GatewayControl:
    """Answers operators for one gateway. `decisions` returns the newest decisions of its balancer."""

    def __init__(
        self,
        name: NodeName,
        directory: Directory,
        steering: Steering,
        rng: "Random",
        decisions: Callable[[int], Iterable[Decision]] = _nothing_decided,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.name = name
        self._directory = directory
        self._steering = steering
        self._rng = rng
        self._decisions = decisions
        self._clock = clock
        self._problem = ""  # why the newest directive that was heard cannot be followed
        self._refused = Directive()  # the directive that cannot be followed
        self._engine: Engine | None = None
        self._servings: list[Serving] = []
        directory.listen(self._on_event)

    async def serve(self, engine: Engine) -> None:
        """Answer on the bus from now on, until `stop`."""
        self._engine = engine
        for address in (GATEWAYS, gateway_address(self.name)):
            self._servings.append(await engine.bus.serve(address, self._answer))

    async def stop(self) -> None:
        """Answer no more. Idempotent."""
        servings, self._servings = self._servings, []
        for serving in servings:
            await serving.close()

    def explain(self, key: str) -> Explanation:
        """Return where a client with `key` (empty: without a key) would be sent now, and why."""
        return explain(self._directory.view, self._steering, key, self._rng, self._clock(), self.name)

    def followed(self) -> DirectiveAnswer:
        """Return the policy and the directive that this gateway follows."""
        steering = self._steering
        return DirectiveAnswer(
            gateway=self.name,
            policy=str(steering.spec),
            configured=str(steering.configured),
            directive=steering.directive,
            problem=self._problem,
        )

    def followed_directive(self) -> Directive | None:
        """Return the directive to report to the members; None if no operator has decided anything yet."""
        directive = self._steering.directive
        return directive if directive.version else None

    def versions(self) -> dict[NodeName, int]:
        """Return the version that each gateway follows, by its last report; this gateway's own is of now."""
        members = self._directory.feed.live.values()
        told = {member.name: member.directive for member in members if member.role is Role.GATEWAY}
        versions = {name: directive.version if directive else 0 for name, directive in told.items()}
        return {**versions, self.name: self._steering.directive.version}

    def change_policy(self, policy: str, *, moving: bool) -> DirectiveAnswer:
        """Follow another policy (empty: the own setting), and have the other gateways follow. Raise `ConfigError`."""
        spec = str(parse_spec(policy)) if policy else ""
        return self._change(self._steering.directive.with_policy(spec, moving=moving))

    def freeze(self, why: str) -> DirectiveAnswer:
        """Have no more moves made in the whole cluster, for the reason `why`; if that is empty they go on.

        Raise `ConfigError` over static backends, where nothing moves connections anyway.
        """
        if self._engine is None:
            raise ConfigError("a gateway over static backends moves no connections, so there is nothing to freeze")
        return self._change(self._steering.directive.with_frozen(why))

    async def decisions(self, count: int) -> list[Decision]:
        """Return the `count` newest decisions of all gateways' balancers, the newest first.

        Raise `ConfigError` over static backends, which have no balancers.
        """
        if self._engine is None:
            raise ConfigError("a gateway over static backends has no balancer, so there are no decisions")
        count = min(count, COUNT_MAX)
        try:
            raw = await self._engine.bus.gather(
                GATEWAYS, encode(ListDecisions(count=count)), timeout_s=GATHER_S, expected=len(self.versions())
            )
        except EngineError:
            return list(self._own_decisions(count))  # the other gateways cannot be asked
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
        return encode(self._reply(request))

    def _reply(self, request: GatewayRequest) -> GatewayAnswer:
        match request:
            case Explain():
                return self.explain(request.key)
            case SetDirective():
                return self._follow(request.directive)
            case ListDecisions():
                return Decisions(decisions=self._own_decisions(min(request.count, COUNT_MAX)))
            case GetDirective():
                return self.followed()

    def _change(self, directive: Directive) -> DirectiveAnswer:
        """Follow `directive` under a version newer than all that were heard, those that cannot be followed included."""
        version = max(self.versions().values()) + 1
        if self._steering.follow(msgspec.structs.replace(directive, version=version)):
            self._changed()
        return self.followed()

    def _follow(self, directive: Directive) -> DirectiveAnswer:
        """Follow what an operator has sent; if that is not possible, the answer says why."""
        mine = self._steering.directive
        if directive == mine:
            return self.followed()
        try:
            newer = self._steering.follow(directive)
        except ConfigError as error:
            return msgspec.structs.replace(self.followed(), problem=str(error))
        if not newer:
            problem = f"version {directive.version} is not newer than {mine.version}, which it follows; ask again"
            return msgspec.structs.replace(self.followed(), problem=problem)
        self._changed()
        return self.followed()

    def _on_event(self, event: MembershipEvent) -> None:
        """Follow the directive that another gateway reports."""
        heard = event.report.directive
        if heard is None or isinstance(event, MemberLeft) or heard == self._refused:
            return
        try:
            if self._steering.follow(heard):
                self._changed()
        except ConfigError as error:
            self._refused = heard
            self._problem = f"it cannot follow version {heard.version}, which {event.report.name} follows: {error}"
            _log.error("a directive cannot be followed", directive=heard, heard_from=event.report.name, why=str(error))

    def _changed(self) -> None:
        """Log that another directive is followed. The next report carries it, soon."""
        directive = self._steering.directive
        self._problem, self._refused = "", Directive()
        _log.info(
            "following a directive", version=directive.version, policy=str(self._steering.spec),
            moving=directive.moving, frozen=directive.frozen,
        )  # fmt: skip


def _read_decisions(raw: bytes) -> tuple[Decision, ...]:
    """Return the decisions in the answer of a gateway; none if it speaks another version of the protocol."""
    try:
        answer = decode_gateway_answer(raw)
    except ProtocolError as error:
        _log.warning("a gateway's decisions were not understood", error=str(error))
        return ()
    return answer.decisions if isinstance(answer, Decisions) else ()
