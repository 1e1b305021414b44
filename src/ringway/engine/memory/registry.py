"""Reports between the members of the memory engine; see `ports.Registry`."""

import asyncio

from ringway.engine.memory.connection import MemoryConnection
from ringway.ports import Heard
from ringway.types import NodeName


class MemoryRegistry:
    """A member's registry. `registries` are those of all members; it adds itself."""

    def __init__(self, connection: MemoryConnection, registries: "list[MemoryRegistry]") -> None:
        self._connection = connection
        self._registries = registries
        self._heard: Heard | None = None
        self._reports: dict[NodeName, bytes] = {}
        registries.append(self)

    async def announce(self, member: NodeName, report: bytes) -> None:
        """Send `report` to every watching member, and store it for newcomers."""
        self._reports[member] = report
        self._send(member, report)

    async def withdraw(self, member: NodeName) -> None:
        """Tell every watching member that `member` leaves, if it was announced."""
        if self._reports.pop(member, None) is not None:
            self._send(member, None)

    async def watch(self, heard: Heard) -> None:
        """Send every report to `heard`, beginning with the last report of each member."""
        self._heard = heard
        if self._connection.away:
            return
        loop = asyncio.get_running_loop()
        for registry in self._registries:
            for member, report in registry._reports.items():
                loop.call_soon(self._on_report, member, report)

    def announce_again(self) -> None:
        """Send the last reports once more, because the engine was away."""
        for member, report in self._reports.items():
            self._send(member, report)

    def _send(self, member: NodeName, report: bytes | None) -> None:
        if self._connection.away:
            return
        loop = asyncio.get_running_loop()
        for registry in self._registries:
            if registry._heard is not None:
                loop.call_soon(registry._on_report, member, report)

    def _on_report(self, member: NodeName, report: bytes | None) -> None:
        if self._heard is not None:
            self._heard(member, report)

    def close(self) -> None:
        """Send and receive nothing more, without a withdrawal. Idempotent."""
        self._reports.clear()
        self._heard = None
        if self in self._registries:
            self._registries.remove(self)
