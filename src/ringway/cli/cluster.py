"""The running system, as commands reach it: its engine and its members."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import msgspec

from ringway.app.config import Layer, load_joined
from ringway.app.engine import open_engine
from ringway.app.log import open_log
from ringway.app.member import hear_members
from ringway.core.membership import TICK_S
from ringway.errors import ConfigError, NoAnswer, RingwayError
from ringway.member.feed import Feed
from ringway.ports import Engine
from ringway.protocol.order import (
    BALANCER,
    DrainAnswer,
    DrainRequest,
    NodeConsent,
    NodeRequest,
    decode_drain_answer,
    decode_node_answer,
    encode,
    node_address,
)
from ringway.protocol.report import Report
from ringway.types import NodeName

ANSWER_S = 5.0


@asynccontextmanager
async def joined(flags: Layer, config_file: str | None, state: str | None) -> AsyncIterator[tuple[Engine, Feed]]:
    """Connect to the engine of the running system, and hear its members."""
    config = load_joined(flags=flags, file=config_file, state=state).config
    # A command shows what it finds itself; of the engine's events only errors are worth a line between.
    log = msgspec.structs.replace(config.log, level="error")
    if not config.engine.url:
        raise ConfigError(
            "static backends have no engine to ask; ask the gateway's admin port: /v1/nodes, /v1/explain, /v1/policy"
        )
    # Somebody waits at the terminal: an engine that is not there is said at once.
    with open_log(log):
        async with open_engine(msgspec.structs.replace(config.engine, wait_s=0), "command line") as engine:
            yield engine, await hear_members(engine)


def need_node(members: Feed, name: str) -> Report:
    """Return the report of the node `name`; raise `ConfigError` that says which there are."""
    report = members.node(name)
    if report is None:
        known = ", ".join(name for name in sorted(members.live) if members.node(name))
        raise ConfigError(f"there is no node {name!r}; " + (f"there are {known}" if known else "no node is running"))
    return report


async def ask_node(engine: Engine, name: NodeName, request: NodeRequest) -> NodeConsent:
    """Return the consent of the node `name`; raise `RingwayError` where it refuses or does not answer."""
    try:
        answer = decode_node_answer(await engine.bus.call(node_address(name), encode(request), timeout_s=ANSWER_S))
    except NoAnswer as error:
        raise RingwayError(f"{name} did not answer: {error}") from None
    if not isinstance(answer, NodeConsent):
        raise RingwayError(f"{name} refused: {answer.why}")
    return answer


async def ask_leader(engine: Engine, request: DrainRequest, patience_s: float = 0.0) -> DrainAnswer:
    """Return what the leading balancer says of a drain that it has begun. Raise `RingwayError` where it refuses.

    Where none leads, another one does in a few seconds: it is asked again for `patience_s`.
    """
    deadline = time.monotonic() + patience_s
    while True:
        try:
            answer = decode_drain_answer(await engine.bus.call(BALANCER, encode(request), timeout_s=ANSWER_S))
            break
        except NoAnswer:
            if time.monotonic() >= deadline:
                raise RingwayError(
                    "no balancer answers: it runs in the gateways, and a new one leads a few seconds after its start; "
                    "`ringway drain` without --within asks the node itself"
                ) from None
        await asyncio.sleep(TICK_S)
    if answer.why:
        raise RingwayError(f"{answer.why}, or use --force" if request.within_s and not request.force else answer.why)
    return answer
