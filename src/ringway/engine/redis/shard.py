"""A server that takes writes: a single Redis, the master behind Sentinel, or one of the masters of a cluster.

Two connections lead there: one asks, one listens. Both stand, or the shard is lost.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import structlog

from ringway.engine.redis import script
from ringway.engine.redis.command_connection import Link, ignore, pack
from ringway.engine.redis.connector import Reach
from ringway.engine.redis.pubsub_connection import Listener, Receive
from ringway.engine.redis.server_info import Facts, check, read_facts
from ringway.engine.redis.url import Address, Kind, show
from ringway.errors import EngineAway, EngineUnsuitable

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Told:
    """Who is told what becomes of a shard, and gets its messages."""

    lost: Callable[[], None]
    doubt: Callable[[], None]
    """What it says no longer fits what is known: look again which servers there are, and what they have."""
    receive: Receive


class Shard:
    """A server that takes writes; `open` connects."""

    def __init__(self, address: Address, kind: Kind, told: Told) -> None:
        self.address = address
        self.line = b""
        """Names its data: as long as it is the same, nothing acknowledged was lost."""
        self.facts: Facts
        self._kind = kind
        self._told = told
        self._line_key = b""
        self._ended = False
        self.commands = Link(self._lost, told.doubt)
        self.listener = Listener(self._lost, told.doubt, told.receive, sharded=kind is Kind.CLUSTER)

    @property
    def up(self) -> bool:
        """Whether both connections stand."""
        return self.commands.up and self.listener.up

    async def open(self, reach: Reach) -> None:
        """Connect, see whether the server will do, and load the scripts.

        Raise `EngineAway` where it cannot be reached or takes no writes now, `EngineUnsuitable` where it never will do.
        """
        try:
            await reach(self.address, self.commands)
            await reach(self.address, self.listener)
            self.facts = read_facts(await self.commands.ask(pack("INFO")), await self._appendfsync())
            check(self.facts, self._kind, show(self.address))
            await asyncio.gather(*(self.commands.ask(script.load) for script in script.ALL))
            self._check_role(await self.commands.ask(pack("ROLE")))
        except BaseException:
            self.end()
            raise

    async def _appendfsync(self) -> bytes:
        with suppress(EngineUnsuitable):  # not everybody may ask that
            answer = await self.commands.ask(pack("CONFIG", "GET", "appendfsync"))
            return bytes(answer[1]) if answer else b""
        return b""

    def _check_role(self, role: Any) -> None:
        if role[0] != b"master":
            raise EngineAway(
                f"Redis at {show(self.address)} is a replica and takes no writes; "
                "give its master, or the sentinels that know it"
            )

    async def identify(self, line_key: bytes) -> None:
        """Learn which line of data this is; `line_key` must be of a slot of this shard."""
        self._line_key = line_key
        self.line = await self.commands.ask(self._ask_line())

    def _ask_line(self) -> bytes:
        return script.line((self._line_key,), self.facts.run, int(self.facts.keeps))

    def tick(self) -> None:
        """Ask whether the server lives, takes writes, and has the data that it had."""
        self.listener.tick(pack("PING"), ignore)
        self.commands.tick(pack("ROLE"), self._has_role)
        if self.commands.up and self._line_key:
            self.commands.ping(self._ask_line(), self._has_line)

    def _has_role(self, answer: Any) -> None:
        if isinstance(answer, list) and answer[0] != b"master":
            _log.warning("a redis server takes no writes any more", server=show(self.address))
            self.abort()

    def _has_line(self, answer: Any) -> None:
        if isinstance(answer, bytes) and answer != self.line:
            self.line = answer
            self._told.doubt()

    def _lost(self) -> None:
        self.abort()
        if not self._ended:
            self._told.lost()

    def abort(self) -> None:
        """Give both connections up."""
        self.commands.abort()
        self.listener.abort()

    def end(self) -> None:
        """Give both connections up, and tell nobody."""
        self._ended = True
        self.abort()

    async def close(self, within_s: float) -> None:
        """Wait for the answers that are due, then end both connections, and tell nobody."""
        self._ended = True
        await asyncio.gather(self.commands.close(within_s), self.listener.close(within_s))
