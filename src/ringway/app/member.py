"""The members of a system, heard by a process that is not a member (yet); and free names among them."""

import asyncio
from typing import Annotated

import msgspec

from ringway.core.held_nodes import HeldNodes
from ringway.core.report_reader import ReportReader
from ringway.errors import ConfigError, EngineError
from ringway.logger import get_logger
from ringway.member.feed import Feed
from ringway.ports import Engine, Lease
from ringway.protocol.keyring import Keyring, Purpose
from ringway.protocol.name import check_name
from ringway.protocol.seal import Unsealer
from ringway.types import Incarnation, NodeName, Role

ANSWERS_S = 0.4
"""Members answer a question within 0.2 s; this includes the way."""

SILENCE_S = 1.3
"""If no member has answered, a member may still report by itself: each reports within 1.2 s."""

NAME_LEASE_S = 5.0
"""A name is reserved for this long for a member that has not reported yet."""

NAMES_MAX = 10_000

_log = get_logger()


class MemberConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Settings that every member has."""

    name: Annotated[
        str,
        msgspec.Meta(
            description="Name of this node or gateway, unique in the system. Empty: the smallest free name of node-1, "
            "node-2 ... or gateway-1, gateway-2 ..."
        ),
    ] = ""


def make_feed(keyring: Keyring) -> Feed:
    """Return a feed of the members that the cluster's secret proves."""
    return Feed(ReportReader(Unsealer(keyring, Purpose.REPORT)), held=HeldNodes())


async def hear_members(engine: Engine, keyring: Keyring, silence_s: float = SILENCE_S) -> Feed:
    """Ask for the members, and return when they have answered. The feed goes on hearing afterwards.

    It waits for `ANSWERS_S` and, while fewer nodes were heard than a gateway counts, for up to `silence_s`.
    """
    members = make_feed(keyring)
    await members.follow(engine.registry)
    loop = asyncio.get_running_loop()
    begun_at = loop.time()
    while loop.time() < begun_at + silence_s:
        await asyncio.sleep(ANSWERS_S / 4)
        if loop.time() >= begun_at + ANSWERS_S and _are_complete(members):
            break
    return members


def _are_complete(members: Feed) -> bool:
    """True if as many nodes were heard as the gateways that were heard count."""
    gateways = [report for report in members.live.values() if report.role is Role.GATEWAY]
    return bool(gateways) and members.count_nodes() >= max(gateway.nodes for gateway in gateways)


async def take_name(
    engine: Engine, keyring: Keyring, lease: Lease, wanted: str, role: Role, incarnation: Incarnation
) -> NodeName:
    """Return a name that no live member has: `wanted`, or the smallest free one of the role.

    A lease prevents two members that start at the same moment from taking the same name; release it with `free_name`
    when the member is heard. Raise `ConfigError` if `wanted` is not a name, or in use. This uses up the watch of
    `engine`: pass a separate connection.
    """
    if wanted:
        check_name(wanted)
    members = await hear_members(engine, keyring, ANSWERS_S)
    if wanted in members.live:
        role = members.live[NodeName(wanted)].role
        raise ConfigError(f"the name {wanted!r} is in use by a live {role}; give another")
    if wanted:
        return NodeName(wanted)
    for number in range(1, NAMES_MAX):
        name = NodeName(f"{role}-{number}")
        if name in members.live or name in members.strangers:
            continue
        if await lease.acquire(_lease_of(name), incarnation, NAME_LEASE_S) is not None:
            return name
    raise ConfigError(f"all names from {role}-1 to {role}-{NAMES_MAX - 1} are in use; give one with --name")


async def free_name(lease: Lease, name: NodeName, incarnation: Incarnation) -> None:
    """Release the lease of `take_name`: reports hold the name from now on. Idempotent; silent without an engine."""
    try:
        await lease.release(_lease_of(name), incarnation)
    except EngineError as error:
        _log.debug("the lease of a name was not released; it ends by itself", error=str(error))


def _lease_of(name: NodeName) -> str:
    return f"name-{name}"
