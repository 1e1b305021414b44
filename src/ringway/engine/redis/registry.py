"""Reports over Redis pub/sub; see `ports.Registry`.

    <prefix>:<cluster>:report:{all}      a report or a withdrawal, to all members
    <prefix>:<cluster>:ask:{all}         the question of a newcomer; the message is the name of its answer channel
    <prefix>:<cluster>:tell:{<asker>}    a report, to that newcomer

A message is a byte, `+` for a report or `-` for a withdrawal, the member's name, a line feed, and the report. Answers
go to the asker alone: when Redis returns, all members ask at the same time, and answers to all members would be as many
as members cubed.
"""

import secrets
from contextlib import suppress

from ringway.engine.redis.connection import RedisConnections
from ringway.engine.redis.names import Names
from ringway.errors import EngineError
from ringway.ports import Heard
from ringway.types import NodeName

HERE, GONE = b"+", b"-"


class RedisRegistry:
    """Sends and receives reports. Quiet while Redis is away; on its return everything is sent and asked again."""

    def __init__(self, connections: RedisConnections, names: Names) -> None:
        self._connections = connections
        self._report_channel = names.of("report", "all")
        self._question_channel = names.of("ask", "all")
        self._answer_channel = names.of("tell", secrets.token_hex(8))
        self._reports: dict[NodeName, bytes] = {}
        self._heard: Heard | None = None
        self._answers = False

    async def announce(self, member: NodeName, report: bytes) -> None:
        """Publish `report`, and store it for newcomers. Returns when it is written, without a round trip."""
        self._reports[member] = report
        if not self._answers:
            self._answers = True
            self._connections.start_subscribe(self._question_channel, self._on_question)
        self._connections.publish_unconfirmed(self._report_channel, _message(HERE, member, report))

    async def withdraw(self, member: NodeName) -> None:
        """Publish that `member` leaves, and return when Redis has sent that on."""
        if self._reports.pop(member, None) is not None:
            with suppress(EngineError):
                await self._connections.publish(self._report_channel, _message(GONE, member, b""))

    async def watch(self, heard: Heard) -> None:
        """Receive reports from now on; return when the question to all members is sent."""
        self._heard = heard
        self._connections.start_subscribe(self._report_channel, self._on_report)
        self._connections.start_subscribe(self._answer_channel, self._on_report)
        await self._connections.wait_confirmed(self._report_channel)
        await self._connections.wait_confirmed(self._answer_channel)
        with suppress(EngineError):
            await self._connections.publish(self._question_channel, self._answer_channel)

    def on_return(self) -> None:
        """Send all reports again, and ask the other members for theirs: Redis is back."""
        for member, report in self._reports.items():
            self._connections.publish_unconfirmed(self._report_channel, _message(HERE, member, report))
        if self._heard is not None:
            self._connections.publish_unconfirmed(self._question_channel, self._answer_channel)

    def _on_question(self, answer_channel: bytes) -> None:
        for member, report in self._reports.items():
            self._connections.publish_unconfirmed(answer_channel, _message(HERE, member, report))

    def _on_report(self, message: bytes) -> None:
        if self._heard is not None:
            name, _, report = message[1:].partition(b"\n")
            self._heard(NodeName(name.decode()), report if message[:1] == HERE else None)


def _message(kind: bytes, member: NodeName, report: bytes) -> bytes:
    return b"%b%b\n%b" % (kind, member.encode(), report)
