"""Reports over Redis pub/sub; see `ports.Registry`.

    <prefix>:<cluster>:report:{all}      a report or a withdrawal, to everybody
    <prefix>:<cluster>:ask:{all}         a newcomer asks; the message names its channel, the next line
    <prefix>:<cluster>:tell:{<asker>}    a report, to that newcomer

A message is a byte, `+` or `-` for a withdrawal, the member's name, a line feed, and the report. Answers go to the
asker alone: when Redis returns, all members ask at once, and answers to everybody would be members cubed.
"""

import secrets
from contextlib import suppress

from ringway.engine.redis.connection import Wire
from ringway.engine.redis.names import Names
from ringway.errors import EngineError
from ringway.ports import Heard
from ringway.types import NodeName

HERE, GONE = b"+", b"-"


class RedisRegistry:
    """Tells and hears reports. Quiet while Redis is away; everything is told and asked again on return."""

    def __init__(self, wire: Wire, names: Names) -> None:
        self._wire = wire
        self._report = names.of("report", "all")
        self._question = names.of("ask", "all")
        self._tell = names.of("tell", secrets.token_hex(8))
        self._mine: dict[NodeName, bytes] = {}
        self._heard: Heard | None = None
        self._answers = False

    async def announce(self, member: NodeName, report: bytes) -> None:
        """Publish `report`, and remember it for those who ask. Returns when written, without a round trip."""
        self._mine[member] = report
        if not self._answers:
            self._answers = True
            self._wire.tap(self._question, self._asked)
        self._wire.say(self._report, _message(HERE, member, report))

    async def withdraw(self, member: NodeName) -> None:
        """Publish that `member` leaves, and return when Redis has passed that on."""
        if self._mine.pop(member, None) is not None:
            with suppress(EngineError):
                await self._wire.publish(self._report, _message(GONE, member, b""))

    async def watch(self, heard: Heard) -> None:
        """Hear reports from now on; return when the question to all members is out."""
        self._heard = heard
        self._wire.tap(self._report, self._told)
        self._wire.tap(self._tell, self._told)
        await self._wire.confirmed(self._report)
        await self._wire.confirmed(self._tell)
        with suppress(EngineError):
            await self._wire.publish(self._question, self._tell)

    def returned(self) -> None:
        """Redis is back: tell everybody, and ask who is there."""
        for member, report in self._mine.items():
            self._wire.say(self._report, _message(HERE, member, report))
        if self._heard is not None:
            self._wire.say(self._question, self._tell)

    def _asked(self, asker: bytes) -> None:
        for member, report in self._mine.items():
            self._wire.say(asker, _message(HERE, member, report))

    def _told(self, message: bytes) -> None:
        if self._heard is not None:
            name, _, report = message[1:].partition(b"\n")
            self._heard(NodeName(name.decode()), report if message[:1] == HERE else None)


def _message(what: bytes, member: NodeName, report: bytes) -> bytes:
    return b"%b%b\n%b" % (what, member.encode(), report)
