"""The members of a system, as a process hears them that is not (yet) one itself; and free names among them."""

import asyncio
from typing import Annotated

import msgspec

from ringway.errors import ConfigError, EngineError
from ringway.logger import get_logger
from ringway.member.feed import Feed
from ringway.ports import Engine, Lease
from ringway.protocol.name import check_name
from ringway.types import Incarnation, NodeName, Role

ANSWERS_S = 0.3
"""Members that are asked answer at once; this is for their way."""

SILENCE_S = 1.3
"""Where nobody has answered, somebody may still report by itself: each does so within 1.2 s."""

NAME_LEASE_S = 5.0
"""How long a name is kept for a member that was given it and has not reported yet."""

NAMES_MAX = 10_000

_log = get_logger()


class MemberConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What every member has."""

    name: Annotated[
        str,
        msgspec.Meta(
            description="Name of this node or gateway, unlike all others. Empty: the smallest free one of node-1, "
            "node-2 ... or gateway-1, gateway-2 ..."
        ),
    ] = ""


async def hear_members(engine: Engine, silence_s: float = SILENCE_S) -> Feed:
    """Ask who is there, and return when those who are have had time to answer. Goes on hearing afterwards.

    Where nobody has answered, it waits up to `silence_s` for the first who reports by itself.
    """
    answered = asyncio.Event()
    members = Feed(listeners=[lambda event: answered.set()])
    await engine.registry.watch(members.on_report)
    await asyncio.sleep(ANSWERS_S)
    if not members.live:
        try:
            async with asyncio.timeout(silence_s - ANSWERS_S):
                await answered.wait()
            await asyncio.sleep(ANSWERS_S)
        except TimeoutError:
            pass  # nobody is there
    return members


async def take_name(engine: Engine, lease: Lease, wanted: str, role: Role, incarnation: Incarnation) -> NodeName:
    """Return a name that no live member has: `wanted`, or the smallest free one of the role.

    A lease keeps two that start at the same moment from taking the same name; give it back with `free_name` when the
    member is heard. Raise `ConfigError` where `wanted` is not a name, or in use. Uses up the watch of `engine`: give
    a connection of its own.
    """
    if wanted:
        check_name(wanted)
    members = await hear_members(engine, ANSWERS_S)
    if wanted in members.live:
        role = members.live[NodeName(wanted)].role
        raise ConfigError(f"the name {wanted!r} is in use by a live {role}; give another")
    if wanted:
        return NodeName(wanted)
    for number in range(1, NAMES_MAX):
        name = NodeName(f"{role}-{number}")
        if name in members.live:
            continue
        if await lease.acquire(_lease_of(name), incarnation, NAME_LEASE_S) is not None:
            return name
    raise ConfigError(f"all names from {role}-1 to {role}-{NAMES_MAX - 1} are in use; give one with --name")


async def free_name(lease: Lease, name: NodeName, incarnation: Incarnation) -> None:
    """Give the lease of `take_name` back: reports keep the name from now on. Idempotent; quiet without an engine."""
    try:
        await lease.release(_lease_of(name), incarnation)
    except EngineError as error:
        _log.debug("the lease of a name was not released; it ends by itself", error=str(error))


def _lease_of(name: NodeName) -> str:
    return f"name-{name}"
