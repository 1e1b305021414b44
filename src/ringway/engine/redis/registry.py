"""Messages of members over Redis pub/sub; see `ports.Registry`.

    <prefix>:<cluster>:report:{<role>}   messages of members, to all that watch the role
    <prefix>:<cluster>:ask:{<role>}      questions to the members of the role; the message names one, or is empty

A message is the member's name, a line feed, and what the member sent.
"""

from collections.abc import Collection
from contextlib import suppress
from functools import partial

from ringway.engine.redis.connection import RedisConnections
from ringway.engine.redis.names import Names
from ringway.errors import EngineError
from ringway.ports import Asked, Heard
from ringway.types import NodeName, Role

NAME_BYTES_MAX = 63


class RedisRegistry:
    """Sends and receives messages of members. Quiet while Redis is away; on its return all members are asked."""

    def __init__(self, connections: RedisConnections, names: Names) -> None:
        self._connections = connections
        self._names = names
        self._watched: tuple[Role, ...] = ()
        self._heard: Heard | None = None
        self._asked: dict[Role, list[Asked]] = {}

    async def announce(self, role: Role, member: NodeName, message: bytes) -> None:
        """Publish `message`. Returns when it is written, without a round trip."""
        self._connections.publish_unconfirmed(self._names.of("report", role), _framed(member, message))

    async def withdraw(self, role: Role, member: NodeName, message: bytes) -> None:
        """Publish the last `message` of `member`, and return when Redis has sent it on."""
        with suppress(EngineError):
            await self._connections.publish(self._names.of("report", role), _framed(member, message))

    async def answer(self, role: Role, asked: Asked) -> None:
        """Pass the questions to members of `role` to `asked`; return when Redis has confirmed the subscription."""
        name = self._names.of("ask", role)
        if role not in self._asked:
            self._connections.start_subscribe(name, partial(self._on_question, role))
        self._asked.setdefault(role, []).append(asked)
        await self._connections.wait_confirmed(name)

    async def watch(self, roles: Collection[Role], heard: Heard) -> None:
        """Receive messages of members of `roles` from now on; return when the question to them is sent."""
        self._heard = heard
        self._watched = tuple(roles)
        for role in self._watched:
            self._connections.start_subscribe(self._names.of("report", role), partial(self._on_message, role))
        for role in self._watched:
            await self._connections.wait_confirmed(self._names.of("report", role))
        for role in self._watched:
            with suppress(EngineError):
                await self._connections.publish(self._names.of("ask", role), b"")

    def ask_member(self, role: Role, member: NodeName) -> None:
        """Publish the question for one member's introduction."""
        self._connections.publish_unconfirmed(self._names.of("ask", role), member.encode())

    def on_return(self) -> None:
        """Ask all members, and have the own members introduce themselves: Redis is back."""
        for role in self._watched:
            self._connections.publish_unconfirmed(self._names.of("ask", role), b"")
        for role in self._asked:
            self._on_question(role, b"")

    def _on_question(self, role: Role, message: bytes) -> None:
        if len(message) <= NAME_BYTES_MAX:
            member = NodeName(message.decode("ascii", "replace"))
            for asked in self._asked[role]:
                asked(member)

    def _on_message(self, role: Role, message: bytes) -> None:
        if self._heard is not None:
            name, _, content = message.partition(b"\n")
            self._heard(role, NodeName(name.decode(errors="replace")), content)


def _framed(member: NodeName, message: bytes) -> bytes:
    return b"%b\n%b" % (member.encode(), message)
