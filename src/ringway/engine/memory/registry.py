"""Messages between the members of the memory engine; see `ports.Registry`."""

import asyncio
from collections.abc import Collection

from ringway.engine.memory.connection import MemoryConnection
from ringway.ports import Asked, Heard
from ringway.types import NodeName, Role


class MemoryRegistry:
    """A member's registry. `registries` are those of all members; it adds itself."""

    def __init__(self, connection: MemoryConnection, registries: "list[MemoryRegistry]") -> None:
        self._connection = connection
        self._registries = registries
        self._heard: dict[Role, Heard] = {}
        self._asked: dict[Role, list[Asked]] = {}
        registries.append(self)

    async def announce(self, role: Role, member: NodeName, message: bytes) -> None:
        """Send `message` to all that watch `role`."""
        self._send(role, member, message)

    async def withdraw(self, role: Role, member: NodeName, message: bytes) -> None:
        """Send the last `message` of `member`."""
        self._send(role, member, message)

    async def answer(self, role: Role, asked: Asked) -> None:
        """Call `asked` for each question to the members of `role`."""
        self._asked.setdefault(role, []).append(asked)

    async def watch(self, roles: Collection[Role], heard: Heard) -> None:
        """Send every message of members of `roles` to `heard`, and ask all these members."""
        self._heard = dict.fromkeys(roles, heard)
        self._ask_all()

    def ask_member(self, role: Role, member: NodeName) -> None:
        """Ask one member for its introduction."""
        self._ask(role, member)

    def on_return(self) -> None:
        """Ask all members, and have the own members introduce themselves: the engine was away."""
        self._ask_all()
        loop = asyncio.get_running_loop()
        for role in self._asked:
            loop.call_soon(self._on_question, role, NodeName(""))

    def _ask_all(self) -> None:
        for role in self._heard:
            self._ask(role, NodeName(""))

    def _ask(self, role: Role, member: NodeName) -> None:
        if self._connection.away:
            return
        loop = asyncio.get_running_loop()
        for registry in self._registries:
            loop.call_soon(registry._on_question, role, member)

    def _send(self, role: Role, member: NodeName, message: bytes) -> None:
        if self._connection.away:
            return
        loop = asyncio.get_running_loop()
        for registry in self._registries:
            loop.call_soon(registry._on_message, role, member, message)

    def _on_question(self, role: Role, member: NodeName) -> None:
        for asked in self._asked.get(role, ()):
            asked(member)

    def _on_message(self, role: Role, member: NodeName, message: bytes) -> None:
        heard = self._heard.get(role)
        if heard is not None:
            heard(role, member, message)

    def close(self) -> None:
        """Send and receive nothing more. Idempotent."""
        self._asked.clear()
        self._heard.clear()
        if self in self._registries:
            self._registries.remove(self)
