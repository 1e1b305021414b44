"""Handler of connections: what becomes of what a client sends, and what a connection keeps of its client's request."""

from dataclasses import dataclass
from typing import Protocol, TypeVar

from ringway.core.address import EXEMPT
from ringway.node.connection.command_backlog import Goodbye

Client = TypeVar("Client", contravariant=True)


@dataclass(frozen=True, slots=True)
class Identity:
    """A client's request, as far as its connection keeps it."""

    address: str = EXEMPT  # as the client is counted (`core.address`)
    key: bytes = b""  # for affinity
    is_moved: bool = False  # another node sent it here
    is_pinned: bool = False  # it is not to be moved
    follows: str = ""  # how it is sent off to a node to which its session moves (`protocol.move`); empty: not at all


class ConnectionHandler(Protocol[Client]):
    """Handles the events of connections. All calls come from the event loop, and none may block."""

    def on_opened(self, connection: Client) -> None:
        """The handshake was answered."""
        ...

    def on_message(self, connection: Client, message: bytes) -> None:
        """A text message came. Raise `ProtocolError` to end the connection."""
        ...

    def on_frame(self, connection: Client) -> bool:
        """A control frame or a fragment came; return False to drop it."""
        ...

    def on_ignored(self, connection: Client, size: int) -> None:
        """A frame of `size` bytes came after the end, and was dropped."""
        ...

    def on_goodbye(self, connection: Client, goodbye: Goodbye) -> None:
        """The client has closed or broken the protocol: call `say_goodbye` when its commands are carried out."""
        ...

    def on_redirected(self, connection: Client) -> None:
        """The connection is reached by another `send` from now on."""
        ...

    def on_ended(self, connection: Client, *, silently: bool) -> None:
        """The connection is over: it leaves all channels. `silently`: its session goes on elsewhere."""
        ...
