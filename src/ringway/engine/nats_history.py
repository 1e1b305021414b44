"""Publications that NATS keeps; see `ports.History`. Not served yet: every call says so."""

from ringway.errors import EngineUnsuitable
from ringway.ports import Page, Position, Retention
from ringway.types import Channel

_NOT_YET = "history over NATS is not served by this version; use memory:// or channels without history"


class NatsHistory:
    """Refuses all that is asked of it."""

    async def keep(self, retention: Retention) -> None:
        """Refuse."""
        raise EngineUnsuitable(_NOT_YET)

    async def append(self, channel: Channel, payload: bytes, retention: Retention, key: str = "") -> Position:
        """Refuse."""
        raise EngineUnsuitable(_NOT_YET)

    async def position(self, channel: Channel, retention: Retention) -> Position:
        """Refuse."""
        raise EngineUnsuitable(_NOT_YET)

    async def read(
        self, channel: Channel, retention: Retention, since: int | None, limit: int, reverse: bool = False
    ) -> Page:
        """Refuse."""
        raise EngineUnsuitable(_NOT_YET)
