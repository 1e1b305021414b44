"""Handler of connections: the port for clients' messages, and the part of a client's request that is stored."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Protocol, TypeVar

from ringway.core.address import EXEMPT
from ringway.node.connection.command_queue import Goodbye

Client = TypeVar("Client", contravariant=True)


NO_HEADERS: Mapping[str, str] = MappingProxyType({})
"""The headers of clients none of whose headers hooks are passed."""


@dataclass(frozen=True, slots=True)
class Identity:
    """The part of a client's request that its connection stores."""

    address: str = EXEMPT  # the address for which the client counts (`core.address`)
    key: bytes = b""  # the affinity key
    is_moved: bool = False  # True if a node has moved it here
    is_pinned: bool = False  # True if it must not be moved
    headers: Mapping[str, str] = field(default_factory=lambda: NO_HEADERS)  # those that hooks are passed
    follows: str = ""  # the form in which it receives moves with its session (`protocol.move`); empty: no session moves


class ConnectionHandler(Protocol[Client]):
    """Handles the events of connections. All calls come from the event loop, and must not block."""

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
        """The connection has a new `send` from now on."""
        ...

    def on_ended(self, connection: Client, *, silently: bool) -> None:
        """The connection is over: it leaves all channels. `silently`: its session goes on at a different node."""
        ...
