"""The members of a system, as a process hears them that is not (yet) one itself; and free names among them."""

import asyncio
import time
from collections.abc import Callable
from typing import Annotated

import msgspec
import structlog

from ringway.core.membership import Membership
from ringway.errors import ConfigError, EngineError, ProtocolError
from ringway.ports import Engine, Lease
from ringway.protocol.name import check_name
from ringway.protocol.report import Report, decode_report
from ringway.types import Incarnation, NodeName, Role

ANSWERS_S = 0.3
"""Members that are asked answer at once; this is for their way."""

SILENCE_S = 1.3
"""Where nobody has answered, somebody may still report by itself: each does so within 1.2 s."""

NAME_LEASE_S = 5.0
"""How long a name is kept for a member that was given it and has not reported yet."""

NAMES_MAX = 10_000

_log = structlog.get_logger()


class MemberConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What every member has."""

    name: Annotated[
        str,
        msgspec.Meta(
            description="Name of this node or gateway, unlike all others. Empty: the smallest free one of node-1, "
            "node-2 ... or gateway-1, gateway-2 ..."
        ),
    ] = ""


class Members:
    """Hears the registry. `live` holds the last report of every member; `changed` is set whenever one came."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._membership = Membership()
        self.changed = asyncio.Event()

    @property
    def live(self) -> dict[NodeName, Report]:
        """The last report of each member that is alive."""
        return self._membership.members

    def node(self, name: str) -> Report | None:
        """The report of the node `name`, where there is one."""
        report = self.live.get(NodeName(name))
        return report if report is not None and report.role is Role.NODE else None

    def tick(self, engine_up: bool) -> None:
        """Let silent members go; call it about four times a second while it matters."""
        now = self._clock()
        self._membership.engine_up(engine_up, now)
        self._membership.tick(now)

    def take(self, name: NodeName, raw: bytes | None) -> None:
        """Take what the registry says of the member `name`."""
        try:
            report = decode_report(raw) if raw is not None else None
        except ProtocolError as error:
            _log.warning("a report was not understood", member=name, error=str(error))
            return
        if report is None:
            self._membership.withdrawn(name)
        else:
            self._membership.heard(report, self._clock())
        self.changed.set()


async def hear_members(engine: Engine, silence_s: float = SILENCE_S) -> Members:
    """Ask who is there, and return when those who are have had time to answer. Goes on hearing afterwards.

    Where nobody has answered, it waits up to `silence_s` for the first who reports by itself.
    """
    members = Members()
    await engine.registry.watch(members.take)
    await asyncio.sleep(ANSWERS_S)
    if not members.live:
        try:
            async with asyncio.timeout(silence_s - ANSWERS_S):
                await members.changed.wait()
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
