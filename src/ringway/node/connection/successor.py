"""Successor of a connection: receives what its client sends after it was sent off to another node."""

from typing import Protocol


class Successor(Protocol):
    """Set while a connection is on its way to another node (`Connection.begin_move`)."""

    @property
    def is_keeping(self) -> bool:
        """Whether messages that come now are kept; else they are ignored."""
        ...

    def keep_message(self, message: bytes) -> bool:
        """Keep a message that came after the connection was sent off; False if that is too much."""
        ...

    def keep_reply(self, message: bytes) -> None:
        """Keep a reply that can be sent no more."""
        ...

    def on_close(self, code: int, reason: str) -> None:
        """The client has sent its close frame, or has broken the protocol, after it was sent off."""
        ...

    def on_lost(self) -> None:
        """The client's socket is closed."""
        ...
