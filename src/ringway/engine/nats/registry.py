"""Reports over core NATS; see `ports.Registry`.

    <prefix>.report.<member>          a report, to everybody
    <prefix>.leave.<member>           a withdrawal, to everybody
    <prefix>.ask                      a newcomer asks; the next line is its reply subject
    <prefix>.tell.<asker>.<member>    a report, to that newcomer

Answers go to the asker alone: when NATS returns, all members ask at once, and answers to everybody would
be members cubed.
"""

import secrets
from contextlib import suppress

from ringway.engine.address import name_of, token
from ringway.engine.nats.connection import NatsConnection
from ringway.engine.nats.subscription import SubjectSubscription
from ringway.errors import EngineAway
from ringway.ports import Heard
from ringway.types import NodeName


class NatsRegistry:
    """Tells and hears reports. Quiet while NATS is away; everything is told and asked again on return."""

    def __init__(self, connection: NatsConnection, prefix: str) -> None:
        self._connection = connection
        self._prefix = prefix
        self._tell = f"{prefix}.tell.{secrets.token_hex(8)}"
        self._mine: dict[NodeName, bytes] = {}
        self._heard: Heard | None = None
        self._answers = False

    async def announce(self, member: NodeName, report: bytes) -> None:
        """Publish `report`, and remember it for those who ask. Returns when written, without a round trip."""
        self._mine[member] = report
        if not self._answers:
            self._answers = True
            self._connection.subscribe(SubjectSubscription(f"{self._prefix}.ask", self._asked))
        self._say(f"{self._prefix}.report.{token(member)}", report)

    async def withdraw(self, member: NodeName) -> None:
        """Publish that `member` leaves, and return when NATS has passed that on."""
        if self._mine.pop(member, None) is not None:
            self._say(f"{self._prefix}.leave.{token(member)}", b"")
            await self._taken()

    async def watch(self, heard: Heard) -> None:
        """Hear reports from now on; return when the question to all members is out."""
        self._heard = heard
        self._connection.subscribe(SubjectSubscription(f"{self._prefix}.report.*", self._told))
        self._connection.subscribe(SubjectSubscription(f"{self._tell}.*", self._told))
        self._connection.subscribe(SubjectSubscription(f"{self._prefix}.leave.*", self._left))
        self._ask()
        await self._taken()

    def on_return(self) -> None:
        """NATS is back: tell everybody, and ask who is there."""
        for member, report in self._mine.items():
            self._say(f"{self._prefix}.report.{token(member)}", report)
        if self._heard is not None:
            self._ask()

    def _ask(self) -> None:
        self._say(f"{self._prefix}.ask", b"", self._tell)

    def _say(self, subject: str, payload: bytes, reply: str = "") -> None:
        with suppress(EngineAway):  # by contract quiet: `on_return` says it again
            self._connection.send(subject, payload, reply)

    async def _taken(self) -> None:
        with suppress(EngineAway):
            self._connection.require()
            await self._connection.outbox.processed()

    def _asked(self, subject: bytes, reply: bytes, header: bytes, payload: bytes) -> None:
        asker = reply.decode()
        for member, report in self._mine.items():
            self._say(f"{asker}.{token(member)}", report)

    def _told(self, subject: bytes, reply: bytes, header: bytes, payload: bytes) -> None:
        if self._heard is not None:
            self._heard(_member(subject), payload)

    def _left(self, subject: bytes, reply: bytes, header: bytes, payload: bytes) -> None:
        if self._heard is not None:
            self._heard(_member(subject), None)


def _member(subject: bytes) -> NodeName:
    return NodeName(name_of(subject.rpartition(b".")[2].decode()))
