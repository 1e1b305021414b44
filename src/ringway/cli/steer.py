"""Steering by commands: they query the gateways, and make all of them follow a decision."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

from ringway.cli.cluster import Access, joined
from ringway.cli.option import SystemChoice
from ringway.core.group import why_no_group
from ringway.errors import ConfigError, NoAnswer, ProtocolError, RingwayError
from ringway.member.feed import Feed
from ringway.member.leader_call import ANSWER_S
from ringway.protocol.control import (
    GATEWAYS,
    DirectiveAnswer,
    GatewayAnswer,
    GatewayRequest,
    GetDirective,
    SetDirective,
    decode_gateway_answer,
    encode,
    gateway_address,
)
from ringway.protocol.directive import Directive
from ringway.protocol.order import NodeRefusal
from ringway.types import NodeName, Role

FOLLOW_S = 8.0
"""The time in which every gateway follows: a decision reaches it in two ways, of which the slower takes a second or
two."""

LOOK_S = 0.1

NEXT_S = 1.0
"""After this time the next gateway is asked: a gateway that was stopped, or has a wrong clock, does not answer."""


@dataclass(frozen=True, slots=True)
class Gateways:
    """The gateways of a running system, and queries to them."""

    engine: Access
    members: Feed

    @property
    def names(self) -> list[NodeName]:
        """The names of the live gateways."""
        self.members.tick(engine_up=self.engine.up)
        return sorted(name for name, report in self.members.live.items() if report.role is Role.GATEWAY)

    async def ask(self, name: NodeName, request: GatewayRequest, within_s: float = ANSWER_S) -> GatewayAnswer:
        """Return the answer of one gateway; raise `RingwayError` if it does not understand the request."""
        raw = await self.engine.bus.call(gateway_address(name), encode(request), timeout_s=within_s)
        answer = decode_gateway_answer(raw)
        if isinstance(answer, NodeRefusal):
            raise RingwayError(answer.why)
        return answer

    async def ask_any(self, request: GatewayRequest) -> GatewayAnswer:
        """Return the answer of the first gateway, by name, that answers within `NEXT_S`; the last has `ANSWER_S`."""
        *others, last = self.names
        for name in others:
            with suppress(NoAnswer):
                return await self.ask(name, request, NEXT_S)
        return await self.ask(last, request)

    async def ask_all(self, request: GatewayRequest, within_s: float = ANSWER_S) -> list[GatewayAnswer]:
        """Return the answers of all gateways that answer in time."""
        expected = len(self.names)
        raw = await self.engine.bus.gather(GATEWAYS, encode(request), timeout_s=within_s, expected=expected)
        return [decode_gateway_answer(each) for each in raw]

    async def followed(self) -> list[DirectiveAnswer]:
        """Return the policy and directive that each gateway follows, in the order of their names."""
        answers = await self.ask_all(GetDirective())
        found = (answer for answer in answers if isinstance(answer, DirectiveAnswer))
        return sorted(found, key=lambda answer: answer.gateway)

    async def need_group(self, group: str) -> None:
        """Raise `ConfigError` if no gateway knows `group` (empty: all groups)."""
        if group:
            answers = await self.followed()
            _need_group(group, answers, newest_of(answers))

    async def decide(self, change: Callable[[Directive], Directive], group: str = "") -> list[DirectiveAnswer]:
        """Apply `change` to the newest directive, and return when all gateways follow the result.

        Raise `ConfigError` if no gateway knows `group` (empty: the change is for all groups). Raise `RingwayError` if a
        gateway does not follow within `FOLLOW_S`, or another operator decides differently meanwhile.
        """
        answers = await self.followed()
        newest = newest_of(answers)
        _need_group(group, answers, newest)
        decided = change(newest)
        told = [
            each for each in await self.ask_all(SetDirective(directive=decided)) if isinstance(each, DirectiveAnswer)
        ]
        refusing = [answer.gateway for answer in told if decided.newer_than(answer.directive)]
        if refusing:
            raise RingwayError(_not_followed(refusing, told))
        deadline = time.monotonic() + FOLLOW_S
        while True:
            answers = await self.followed()
            if any(answer.directive.newer_than(decided) for answer in answers):
                raise RingwayError(
                    "another operator has decided at the same moment; look at `ringway policy`, and decide again"
                )
            left = set(self.names) - {answer.gateway for answer in answers if answer.directive == decided}
            if not left:
                return answers
            if time.monotonic() > deadline:
                raise RingwayError(f"after {FOLLOW_S:g} s " + _not_followed(sorted(left), answers))
            await asyncio.sleep(LOOK_S)


@asynccontextmanager
async def gateways(system: SystemChoice) -> AsyncIterator[Gateways]:
    """Find the gateways of a running system; raise `ConfigError` if no gateway runs."""
    async with joined(system) as (engine, members):
        found = Gateways(engine, members)
        if not found.names:
            raise ConfigError("no gateway is running; start one with `ringway gateway`")
        try:
            yield found
        except ProtocolError as error:
            raise RingwayError(f"{error}; it is of another version") from None


def _need_group(group: str, answers: Sequence[DirectiveAnswer], newest: Directive) -> None:
    known = {each.group for answer in answers for each in answer.groups}
    if group and group not in known and not newest.decides_for(group):
        raise ConfigError(why_no_group(group, sorted(known)))


def newest_of(answers: Sequence[DirectiveAnswer]) -> Directive:
    """Return the newest directive of `answers`."""
    newest = Directive()
    for answer in answers:
        if answer.directive.newer_than(newest):
            newest = answer.directive
    return newest


def _not_followed(left: list[NodeName], answers: Sequence[DirectiveAnswer]) -> str:
    problems = {answer.gateway: answer.problem for answer in answers}
    each = "; ".join(f"{name}: {problems.get(name) or 'no answer'}" for name in left)
    return f"not all gateways follow: {each}"
