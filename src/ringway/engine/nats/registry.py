"""Messages of members over core NATS (`ports.Registry`).

<prefix>.report.<role>.<member>   a message of a member, to all that watch the role
<prefix>.ask.<role>               a question to the members of the role; the payload names one of them, or is empty
"""

from collections.abc import Collection
from contextlib import suppress
from functools import lru_cache

from ringway.engine.address import name_of, token
from ringway.engine.nats.connection import NatsConnection
from ringway.engine.nats.subscription import SubjectSubscription
from ringway.errors import EngineAway
from ringway.ports import Asked, Heard
from ringway.types import NodeName, Role

NAME_BYTES_MAX = 63

SUBJECTS_MAX = 4096
"""Subjects whose members' names are kept."""


class NatsRegistry:
    """Publishes and receives messages of members. Quiet while NATS is away; on its return all members are asked."""

    def __init__(self, connection: NatsConnection, prefix: str) -> None:
        self._connection = connection
        self._prefix = prefix
        self._watched: tuple[Role, ...] = ()
        self._heard: Heard | None = None
        self._asked: dict[Role, list[Asked]] = {}

    async def announce(self, role: Role, member: NodeName, message: bytes) -> None:
        """Publish `message`. Return when it is written, without a round trip."""
        self._publish(f"{self._prefix}.report.{role}.{token(member)}", message)

    async def withdraw(self, role: Role, member: NodeName, message: bytes) -> None:
        """Publish the last `message` of `member`, and return when NATS has processed it."""
        self._publish(f"{self._prefix}.report.{role}.{token(member)}", message)
        await self._processed()

    async def answer(self, role: Role, asked: Asked) -> None:
        """Pass the questions to members of `role` to `asked`; return when NATS has processed the subscription."""
        if role not in self._asked:

            def on_question(subject: bytes, reply: bytes, header: bytes, payload: bytes) -> None:
                self._on_question(role, payload)

            self._connection.subscribe(SubjectSubscription(f"{self._prefix}.ask.{role}", on_question))
        self._asked.setdefault(role, []).append(asked)
        await self._processed()

    async def watch(self, roles: Collection[Role], heard: Heard) -> None:
        """Pass messages of members of `roles` to `heard`; return when NATS has processed the question to them."""
        self._heard = heard
        self._watched = tuple(roles)
        for role in self._watched:
            self._receive(role)
        self._ask_all()
        await self._processed()

    def ask_member(self, role: Role, member: NodeName) -> None:
        """Publish the question for one member's introduction."""
        self._publish(f"{self._prefix}.ask.{role}", member.encode())

    def on_return(self) -> None:
        """Ask all members, and have the own members introduce themselves: NATS is back."""
        self._ask_all()
        for role in self._asked:
            self._on_question(role, b"")

    def _ask_all(self) -> None:
        for role in self._watched:
            self._publish(f"{self._prefix}.ask.{role}", b"")

    def _receive(self, role: Role) -> None:
        def on_message(subject: bytes, reply: bytes, header: bytes, payload: bytes) -> None:
            if self._heard is not None:
                self._heard(role, _member_of(subject), payload)

        self._connection.subscribe(SubjectSubscription(f"{self._prefix}.report.{role}.*", on_message))

    def _publish(self, subject: str, payload: bytes) -> None:
        with suppress(EngineAway):  # by contract quiet: on NATS's return all members introduce themselves
            self._connection.send(subject, payload, "")

    async def _processed(self) -> None:
        with suppress(EngineAway):
            self._connection.require()
            await self._connection.outbox.processed()

    def _on_question(self, role: Role, payload: bytes) -> None:
        if len(payload) <= NAME_BYTES_MAX:
            member = NodeName(payload.decode("ascii", "replace"))
            for asked in self._asked[role]:
                asked(member)


@lru_cache(SUBJECTS_MAX)
def _member_of(subject: bytes) -> NodeName:
    return NodeName(name_of(subject.rpartition(b".")[2].decode(errors="replace")))
