"""Successor of a connection: receives the client's messages after the client was sent off to its next node."""

from typing import Protocol


class Successor(Protocol):
    """Set while a connection is on its way to its next node (`Connection.begin_move`)."""

    @property
    def is_keeping(self) -> bool:
        """True if messages that come now are stored; False if they are ignored."""
        ...

    def keep_message(self, message: bytes) -> bool:
        """Store a message that came after the connection was sent off; False if that exceeds the bound."""
        ...

    def keep_reply(self, message: bytes) -> None:
        """Store a reply that cannot be sent any more."""
        ...

    def on_close(self, code: int, reason: str) -> None:
        """The client has sent its close frame, or has broken the protocol, after it was sent off."""
        ...

    def on_lost(self) -> None:
        """The client's socket is closed."""
        ...
