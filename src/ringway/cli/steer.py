"""Steering by commands: they ask the gateways, and have all of them follow a decision."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from ringway.app.config import Layer
from ringway.cli.cluster import ANSWER_S, joined
from ringway.errors import ConfigError, ProtocolError, RingwayError
from ringway.member.feed import Feed
from ringway.ports import Engine
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
"""Every gateway follows within this: it hears of a decision in two ways, the slower of which takes a second or two."""

LOOK_S = 0.1


@dataclass(frozen=True, slots=True)
class Gateways:
    """The gateways of a running system, and how to ask them."""

    engine: Engine
    members: Feed

    @property
    def names(self) -> list[NodeName]:
        """Those that are alive."""
        self.members.tick(engine_up=self.engine.up)
        return sorted(name for name, report in self.members.live.items() if report.role is Role.GATEWAY)

    async def ask(self, name: NodeName, request: GatewayRequest) -> GatewayAnswer:
        """Return the answer of one gateway; raise `RingwayError` where it does not understand."""
        raw = await self.engine.bus.call(gateway_address(name), encode(request), timeout_s=ANSWER_S)
        answer = decode_gateway_answer(raw)
        if isinstance(answer, NodeRefusal):
            raise RingwayError(answer.why)
        return answer

    async def ask_all(self, request: GatewayRequest) -> list[GatewayAnswer]:
        """Return the answers of all gateways that answer in time."""
        expected = len(self.names)
        raw = await self.engine.bus.gather(GATEWAYS, encode(request), timeout_s=ANSWER_S, expected=expected)
        return [decode_gateway_answer(each) for each in raw]

    async def followed(self) -> list[DirectiveAnswer]:
        """Return what each gateway follows, in the order of their names."""
        answers = await self.ask_all(GetDirective())
        found = (answer for answer in answers if isinstance(answer, DirectiveAnswer))
        return sorted(found, key=lambda answer: answer.gateway)

    async def decide(self, change: Callable[[Directive], Directive]) -> list[DirectiveAnswer]:
        """Have all gateways follow what `change` makes of the newest directive; return when they do.

        Raise `RingwayError` where one does not within `FOLLOW_S`, or another operator decides otherwise meanwhile.
        """
        decided = change(newest_of(await self.followed()))
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
async def gateways(flags: Layer, config_file: str | None, state: str | None) -> AsyncIterator[Gateways]:
    """Find the gateways of the running system; raise `ConfigError` where none is running."""
    async with joined(flags, config_file, state) as (engine, members):
        found = Gateways(engine, members)
        if not found.names:
            raise ConfigError("no gateway is running, so nobody can be asked; start one with `ringway gateway`")
        try:
            yield found
        except ProtocolError as error:
            raise RingwayError(f"{error}; it is of another version") from None


def newest_of(answers: Sequence[DirectiveAnswer]) -> Directive:
    """Return the newest directive that one of them follows."""
    newest = Directive()
    for answer in answers:
        if answer.directive.newer_than(newest):
            newest = answer.directive
    return newest


def _not_followed(left: list[NodeName], answers: Sequence[DirectiveAnswer]) -> str:
    problems = {answer.gateway: answer.problem for answer in answers}
    each = "; ".join(f"{name}: {problems.get(name) or 'no answer'}" for name in left)
    return f"not all gateways follow: {each}"
