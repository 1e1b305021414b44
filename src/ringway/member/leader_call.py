"""Calls to the leading balancer: plan and balance, drain a node by a deadline, list the owners of keys (PROTOCOL.md
P-9).

A gateway that led and was stopped (SIGSTOP, a suspended machine) has not released its address. A call to a single
server might reach it, and wait in vain. So each call goes to all servers, and the first answer counts: a gateway that
does not lead any more does not answer.
"""

import asyncio
from collections.abc import Callable
from typing import TypeVar

from ringway.errors import NoAnswer, ProtocolError
from ringway.ports import Calls
from ringway.protocol.order import (
    BALANCER,
    BalancerRequest,
    DrainAnswer,
    DrainRequest,
    PlanAnswer,
    Rebalance,
    decode_drain_answer,
    decode_owners_answer,
    decode_plan_answer,
    encode,
)
from ringway.protocol.owners import OwnersAnswer, OwnersRequest

T = TypeVar("T")

ANSWER_S = 5.0
"""The time for the leader to answer an operator, or a backend that asks to be drained."""

ASKS = 2
"""The number of attempts of a person's command: a stopped leader has a successor within `ANSWER_S`."""


async def call_plan(
    bus: Calls, *, dry_run: bool, group: str = "", timeout_s: float = ANSWER_S, asks: int = 1
) -> PlanAnswer:
    """Return the leader's plan for `group` (empty: for all groups), which it carries out unless `dry_run`.

    A leader that does not answer in time is asked `asks` times: the successor of a stopped leader answers then.
    Raise `NoAnswer` if no balancer leads, or its answer is not understood; `EngineAway` if the engine is away.
    """
    request = Rebalance(dry_run=dry_run, group=group)
    for _ in range(asks - 1):
        try:
            return await _call(bus, request, decode_plan_answer, timeout_s)
        except NoAnswer as error:
            if not error.timed_out:
                raise
    return await _call(bus, request, decode_plan_answer, timeout_s)


async def call_drain(bus: Calls, request: DrainRequest, timeout_s: float = ANSWER_S) -> DrainAnswer:
    """Return the leader's answer; its `why` is not empty if it refuses. Raise as `call_plan` does."""
    return await _call(bus, request, decode_drain_answer, timeout_s)


async def call_owners(bus: Calls, request: OwnersRequest, timeout_s: float) -> OwnersAnswer:
    """Return the owners of keys that the leader names. Raise as `call_plan` does."""
    return await _call(bus, request, decode_owners_answer, timeout_s)


async def _call(bus: Calls, request: BalancerRequest, decode: Callable[[bytes], T], timeout_s: float) -> T:
    loop = asyncio.get_running_loop()
    deadline = loop.time() + timeout_s
    answers = await bus.gather(BALANCER, encode(request), timeout_s=timeout_s, expected=1)
    if not answers:
        timed_out = loop.time() >= deadline
        stopped = f"; the one that led has not answered within {timeout_s:g} s, and is replaced if it is stopped"
        raise NoAnswer(
            "no balancer answers: it runs in the gateways, and one leads a few seconds after its start"
            + (stopped if timed_out else ""),
            timed_out=timed_out,
        )
    try:
        return decode(answers[0])
    except ProtocolError as error:
        raise NoAnswer(f"the balancer's answer is not understood; give all gateways one release: {error}") from None
