"""Choice of what a client sees when its WebSocket at a backend is moved: nothing, or a close.

A WebSocket can be opened anew at a different backend, unseen by its client, only if the new server needs no more than
the handshake. `auto` decides that for each WebSocket, by what the two sides show:

- A client that offers a subprotocol speaks a protocol with a state: it has logged in, subscribed, or has requests under
  way. It would wait for ever for a server that knows nothing of it. So its WebSocket is closed, and its own library
  reconnects.
- Some protocols have no subprotocol, but paths or parameters of their own, or a first message that begins a session
  (`STATEFUL`).
- Every other WebSocket is opened anew.

A wrong guess for `close` costs one reconnect. A wrong guess for `reopen` leaves a client silent, so signs are read
generously. A state that begins later than with the first message is not seen: such a backend needs `on-move=close`.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass

from ringway.protocol.backend import OnMove

PARAMETERS_MAX = 64
"""The parameters of a query that are read."""

FIRST_BYTES = 512
"""The bytes of a first message that are read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StatefulProtocol:
    """A protocol that holds a state in both ends, and its signs. Every sign is enough.

    `segments` may be anywhere in the path, `last` are its last segment; both in lower case. `parameters` are groups:
    the query has all parameters of one group. `first` is the beginning of a client's first message, `binary` judges a
    binary one.
    """

    name: str
    segments: frozenset[str] = frozenset()
    last: frozenset[str] = frozenset()
    parameters: tuple[frozenset[str], ...] = ()
    first: re.Pattern[bytes] | None = None
    binary: Callable[[bytes], bool] | None = None

    def is_asked(self, segments: list[str], parameters: set[str]) -> bool:
        """Return True if a handshake with these segments of its path, and these parameters, has a sign of it."""
        return (
            not self.segments.isdisjoint(segments)
            or (bool(segments) and segments[-1] in self.last)
            or any(group <= parameters for group in self.parameters)
        )

    def is_spoken(self, message: bytes, *, binary: bool) -> bool:
        """Return True if `message`, the beginning of a client's first message, has a sign of it."""
        if binary and self.binary is not None and self.binary(message):
            return True
        return self.first is not None and self.first.match(message) is not None


def _one_of(*names: str) -> frozenset[str]:
    return frozenset(names)


def _begins(pattern: bytes) -> re.Pattern[bytes]:
    return re.compile(pattern, re.DOTALL | re.IGNORECASE)


def _is_yjs(message: bytes) -> bool:
    """Return True for the first messages of y-websocket (sync step 1, y-protocols) and of Hocuspocus.

    Hocuspocus writes the name of the document before: its length, its characters, then a message type of 0 to 3.
    """
    if len(message) > 2 and message[0] == message[1] == 0 and message[2] == len(message) - 3:
        return True
    after = 1 + message[0] if message else 0
    if not 1 < after < min(len(message), 129) or message[after] > 3:
        return False
    try:
        return message[1:after].decode().isprintable()
    except UnicodeDecodeError:
        return False


STATEFUL = (
    StatefulProtocol(
        name="Socket.IO",
        segments=_one_of("socket.io", "engine.io"),
        parameters=(_one_of("EIO", "transport"),),
        first=_begins(rb"40([{/,]|$)|2probe$"),
    ),
    StatefulProtocol(name="SockJS", segments=_one_of("sockjs", "sockjs-node"), last=_one_of("websocket")),
    StatefulProtocol(
        name="Phoenix",
        last=_one_of("websocket"),
        parameters=(_one_of("vsn"),),
        first=_begins(rb'[\[{].*"phx_join"'),
    ),
    StatefulProtocol(
        name="Centrifugo", last=_one_of("websocket", "uni_websocket"), first=_begins(rb'\{.*"connect"\s*:')
    ),
    StatefulProtocol(name="Action Cable", last=_one_of("cable"), first=_begins(rb'\{\s*"command":')),
    StatefulProtocol(
        name="SignalR",
        segments=_one_of("signalr", "_blazor"),
        parameters=(_one_of("connectionToken"), _one_of("id=<token>")),
        first=_begins(rb'\{"protocol":\s*"[^"]*",\s*"version":'),
    ),
    StatefulProtocol(
        name="tRPC",
        segments=_one_of("trpc"),
        parameters=(_one_of("connectionParams"),),
        first=_begins(rb'[\[{].*"method":\s*"(query|mutation|subscription|connectionParams)"'),
    ),
    StatefulProtocol(
        name="GraphQL",
        segments=_one_of("graphql", "subscriptions"),
        first=_begins(rb'\{.*"type":\s*"connection_init"'),
    ),
    StatefulProtocol(
        name="Yjs",
        segments=_one_of("yjs", "y-websocket", "hocuspocus", "collaboration", "collab"),
        binary=_is_yjs,
    ),
    StatefulProtocol(name="MQTT", segments=_one_of("mqtt"), first=_begins(rb"\x10.{1,4}\x00.MQ")),
    StatefulProtocol(name="STOMP", segments=_one_of("stomp"), first=_begins(rb"(CONNECT|STOMP)\r?\n")),
    StatefulProtocol(name="NATS", first=_begins(rb"CONNECT \{")),
    StatefulProtocol(name="Meteor", first=_begins(rb'\{"msg":\s*"connect"')),
    StatefulProtocol(
        name="Pusher", parameters=(_one_of("protocol", "client"),), first=_begins(rb'\{"event":\s*"pusher:')
    ),
    StatefulProtocol(name="Colyseus", parameters=(_one_of("sessionId"), _one_of("reconnectionToken"))),
    StatefulProtocol(name="LiveKit", last=_one_of("rtc")),
    StatefulProtocol(name="Jupyter", segments=_one_of("kernels", "terminals")),
    StatefulProtocol(name="Streamlit", segments=_one_of("_stcore")),
    StatefulProtocol(name="JSON-RPC", first=_begins(rb'[\[{].*"jsonrpc":\s*"2')),
    StatefulProtocol(
        name="sessions",
        parameters=(_one_of("sid"), _one_of("session_id")),
        first=_begins(
            rb'[\[{].*"([a-z]+[._:-])*(subscribe|login|logon|auth|authenticate|authorize|join|hello|identify|register'
            rb'|handshake|resume|init|connect)"'
        ),
    ),
)
"""The protocols with a state that can be known. `sessions` are those of applications: named in the query as begun
earlier at one server, or begun by a first message in JSON that subscribes, logs in or joins."""

_SEGMENTS = frozenset().union(*(protocol.segments | protocol.last for protocol in STATEFUL))
_PARAMETERS = frozenset().union(*(group for protocol in STATEFUL for group in protocol.parameters))

_TOKEN = re.compile(r"[A-Za-z0-9_-]{22,}")
"""The form of a SignalR connection token: 16 bytes in base64, which only the server that issued it knows."""


def asked_protocol(path: str, query: str) -> StatefulProtocol | None:
    """Return the protocol with a state that `path` or `query` of a handshake shows; None if they show no such
    protocol."""
    segments = [segment for segment in path.lower().split("/") if segment]
    parameters = set()
    for parameter in query.split("&", PARAMETERS_MAX)[:PARAMETERS_MAX]:
        name, _, value = parameter.partition("=")
        parameters.add(name)
        if name == "id" and _TOKEN.fullmatch(value):
            parameters.add("id=<token>")
    if _SEGMENTS.isdisjoint(segments) and _PARAMETERS.isdisjoint(parameters):
        return None
    return next((protocol for protocol in STATEFUL if protocol.is_asked(segments, parameters)), None)


def spoken_protocol(message: bytes, *, binary: bool) -> StatefulProtocol | None:
    """Return the protocol with a state that `message`, a client's first, shows; None if it shows no such protocol."""
    read = message[:FIRST_BYTES]
    return next((protocol for protocol in STATEFUL if protocol.is_spoken(read, binary=binary)), None)


def resolve_on_move(on_move: OnMove, path: str, query: str, *, subprotocols: bool) -> OnMove:
    """Return `on_move` with `AUTO` decided by the handshake of one WebSocket; `subprotocols`: its client offers any."""
    if on_move is not OnMove.AUTO:
        return on_move
    return OnMove.CLOSE if subprotocols or asked_protocol(path, query) is not None else OnMove.REOPEN
