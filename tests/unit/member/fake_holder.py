"""A holder whose connections exist in name only."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from ringway.member.holder import CloseCause, HolderCounts, HolderMeasures
from ringway.types import NodeName


@dataclass(eq=False)
class FakeConnection:
    key: bytes = b""
    is_connected: bool = True
    moved_at: float | None = None
    heard_at: float = 0.0
    setup_cost: int = 0
    closed_for: CloseCause | None = None
    sent_to: NodeName | None = None

    @property
    def is_usable(self) -> bool:
        return self.closed_for is None and self.sent_to is None

    @property
    def may_leave(self) -> bool:
        return self.is_connected and self.is_usable


@dataclass
class FakeHolder:
    """The connections that are closed stay in `connections`, until `let_go`."""

    connections: list[FakeConnection] = field(default_factory=lambda: [FakeConnection() for _ in range(10)])
    measured: HolderMeasures = field(default_factory=HolderMeasures)
    pending: int = 0
    cut_after_s: float | None = None

    def left(self) -> int:
        return len(self.usable_connections())

    def causes(self) -> Sequence[CloseCause | None]:
        return [connection.closed_for for connection in self.connections]

    def let_go(self) -> None:
        self.connections = self.usable_connections()

    def counts(self) -> HolderCounts:
        return HolderCounts(self.left(), self.pending, len(self.connections) + self.pending)

    def measures(self, now: float, cool_down_s: float) -> HolderMeasures:
        return self.measured

    def usable_connections(self) -> list[FakeConnection]:
        return [connection for connection in self.connections if connection.is_usable]

    async def send_off(self, connection: FakeConnection, target: NodeName, clock_s: float = 0.0) -> None:
        connection.sent_to = target

    def close_connection(self, connection: FakeConnection, cause: CloseCause) -> None:
        connection.closed_for = connection.closed_for or cause

    async def cut_rest(self, within_s: float) -> None:
        self.cut_after_s = within_s
        self.connections.clear()
