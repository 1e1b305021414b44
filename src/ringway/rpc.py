"""Calls of clients (RPC): what a call says, and the port for whatever answers it.

A client sends a method and data, and gets data or an error. Methods have namespaces, as channels have:
`chat:rename` belongs to the namespace `chat`, `rename` to none. Each namespace has one handler.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import msgspec

from ringway.protocol.channel import NAME_BYTES_MAX
from ringway.server_methods import ServerMethods

METHOD_BYTES_MAX = NAME_BYTES_MAX
"""The longest name of a method, in UTF-8."""

NAMESPACE_BOUNDARY = ":"
"""The character behind the namespace of a method."""

WITHOUT_NAMESPACE = ""
"""The namespace of methods without any."""


@dataclass(frozen=True, slots=True)
class RpcCall:
    """One call of a client. The raw parts are JSON on one line, or empty; `local` is the server API of its node.

    `headers` are those of the client's handshake that hooks are passed, names in lower case.
    """

    method: str
    user: str  # empty: anonymous
    client: str  # the id of the client's connection
    raw_data: bytes = b""
    raw_info: bytes = b""
    raw_meta: bytes = b""
    local: ServerMethods | None = None
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def data(self) -> Any:
        """The data that the client has sent, decoded; None if it has sent none."""
        return _decoded(self.raw_data)

    @property
    def info(self) -> Any:
        """What other clients are told of the client, decoded; None if there is nothing."""
        return _decoded(self.raw_info)

    @property
    def meta(self) -> Any:
        """What the client's token says to servers alone, decoded; None if there is nothing."""
        return _decoded(self.raw_meta)

    @property
    def server(self) -> ServerMethods:
        """The server API, called in this process: publish, cut users off, and so on.

        Raise `RuntimeError` if the call was not made at a node.
        """
        if self.local is None:
            raise RuntimeError("this call was not made at a node, so there is no server behind it")
        return self.local


class RpcHandler(Protocol):
    """Answers the calls of a namespace: many at one time, in the event loop."""

    async def answer_call(self, call: RpcCall) -> bytes:
        """Return the result: JSON on one line, or b'' for none.

        Raise `RpcError` to refuse the call, `RpcDisconnect` to close the client. Any other exception is logged, and the
        client gets error 100. Cancelled at the deadline of calls (`rpc.timeout_s`), and when the node stops.
        """
        ...


def namespace_of_method(method: str) -> str:
    """Return the namespace of `method`; `WITHOUT_NAMESPACE` if its name has none."""
    name, boundary, _ = method.partition(NAMESPACE_BOUNDARY)
    return name if boundary else WITHOUT_NAMESPACE


def _decoded(raw: bytes) -> Any:
    return msgspec.json.decode(raw) if raw else None
