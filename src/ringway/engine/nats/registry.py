"""Reports over core NATS (`ports.Registry`).

    <prefix>.report.<member>          a report, to everybody
    <prefix>.leave.<member>           a withdrawal, to everybody
    <prefix>.ask                      a newcomer asks; the next line is its reply subject
    <prefix>.tell.<asker>.<member>    a report, to that newcomer

Answers go to the asker alone: when NATS returns, all members ask at once, and answers to everybody would number
members cubed.
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
    """Publishes and receives reports. Quiet while NATS is away; on its return all is published and asked anew."""

    def __init__(self, connection: NatsConnection, prefix: str) -> None:
        self._connection = connection
        self._prefix = prefix
        self._tell = f"{prefix}.tell.{secrets.token_hex(8)}"
        self._mine: dict[NodeName, bytes] = {}
        self._heard: Heard | None = None
        self._answers = False

    async def announce(self, member: NodeName, report: bytes) -> None:
        """Publish `report`, and keep it for newcomers that ask. Return when it is written, without a round trip."""
        self._mine[member] = report
        if not self._answers:
            self._answers = True
            self._connection.subscribe(SubjectSubscription(f"{self._prefix}.ask", self._on_query))
        self._publish(f"{self._prefix}.report.{token(member)}", report)

    async def withdraw(self, member: NodeName) -> None:
        """Publish that `member` leaves, and return when NATS has processed that."""
        if self._mine.pop(member, None) is not None:
            self._publish(f"{self._prefix}.leave.{token(member)}", b"")
            await self._processed()

    async def watch(self, heard: Heard) -> None:
        """Pass reports to `heard` from now on; return when NATS has processed the query to all members."""
        self._heard = heard
        self._connection.subscribe(SubjectSubscription(f"{self._prefix}.report.*", self._on_report))
        self._connection.subscribe(SubjectSubscription(f"{self._tell}.*", self._on_report))
        self._connection.subscribe(SubjectSubscription(f"{self._prefix}.leave.*", self._on_leave))
        self._ask()
        await self._processed()

    def on_return(self) -> None:
        """Publish the own reports again, and ask for all others: NATS is back."""
        for member, report in self._mine.items():
            self._publish(f"{self._prefix}.report.{token(member)}", report)
        if self._heard is not None:
            self._ask()

    def _ask(self) -> None:
        self._publish(f"{self._prefix}.ask", b"", self._tell)

    def _publish(self, subject: str, payload: bytes, reply: str = "") -> None:
        with suppress(EngineAway):  # by contract quiet: `on_return` publishes it again
            self._connection.send(subject, payload, reply)

    async def _processed(self) -> None:
        with suppress(EngineAway):
            self._connection.require()
            await self._connection.outbox.processed()

    def _on_query(self, subject: bytes, reply: bytes, header: bytes, payload: bytes) -> None:
        asker = reply.decode()
        for member, report in self._mine.items():
            self._publish(f"{asker}.{token(member)}", report)

    def _on_report(self, subject: bytes, reply: bytes, header: bytes, payload: bytes) -> None:
        if self._heard is not None:
            self._heard(_member(subject), payload)

    def _on_leave(self, subject: bytes, reply: bytes, header: bytes, payload: bytes) -> None:
        if self._heard is not None:
            self._heard(_member(subject), None)


def _member(subject: bytes) -> NodeName:
    return NodeName(name_of(subject.rpartition(b".")[2].decode()))
