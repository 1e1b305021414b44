"""Kinds of sessions over plain HTTP: how requests name theirs, how one begins, and what a client is told of its end.

socketio   `sid=` in the query; the first answer to a poll has it (Engine.IO protocol, "open" packet)
sockjs     the client's own, in the path: /PREFIX/SERVER/SESSION/TRANSPORT (sockjs-protocol 0.3.3)
signalr    `id=` in the query; the answer to POST .../negotiate has it (TransportProtocols.md of ASP.NET SignalR)
mcp        the header Mcp-Session-Id, which the first answer has (MCP 2025-06-18, Streamable HTTP)
"""

import re
from typing import NamedTuple

from ringway.core.placement.key_source import query_value
from ringway.errors import SessionUnknown
from ringway.protocol.head import RequestHead
from ringway.protocol.upgrade import Headers, value_of

COOKIE = "cookie"
KINDS = ("socketio", "sockjs", "signalr", "mcp")
STICKY = (COOKIE, *KINDS)
"""The values of a route's option `sticky`."""

ID_CHARS_MAX = 256
LEARN_BYTES_MAX = 4096
"""So much of an answer's body is searched for the id of a new session."""

IDLE_S = {"socketio": 60.0, "sockjs": 60.0, "signalr": 60.0, "mcp": 3600.0}
"""The time without a request after which a session is over. Clients that poll always have a request under way, which
servers answer after 25 s or so; those of MCP may be silent."""

_SOCKJS = re.compile(r"/[^/.]+/([^/.]+)/(xhr|xhr_streaming|eventsource|htmlfile|jsonp|xhr_send|jsonp_send|websocket)\Z")
_OPEN = re.compile(rb'0\{"sid":"([!#-\[\]-~]{1,256})"')
_NEGOTIATED = re.compile(rb'"connection(?:Token|Id)"\s*:\s*"([!#-\[\]-~]{1,256})"')

_GONE = {
    "socketio": (400, b'{"code":1,"message":"Session ID unknown"}'),
    "sockjs": (404, b""),
    "signalr": (404, b"No Connection with that ID"),
    "mcp": (404, b'{"jsonrpc":"2.0","error":{"code":-32600,"message":"Session not found"},"id":null}'),
}


class SessionUse(NamedTuple):
    """What a request does with a session. Without an `id` it has none yet."""

    id: str = ""
    begins: bool = False  # it may begin the session of this id
    ends: bool = False  # it ends the session
    learns: bool = False  # the answer may have the id of a new session


def read_use(kind: str, head: RequestHead) -> SessionUse:
    """Return what the request with `head` does with a session of `kind`."""
    if kind == "sockjs":
        found = _SOCKJS.search(head.path)
        if found is None:
            return SessionUse()
        return SessionUse(found[1], begins=not found[2].endswith("_send"))
    if kind == "mcp":
        given = value_of(head.headers, "mcp-session-id") or ""
        return SessionUse(given, ends=head.method == "DELETE", learns=not given)
    name = "sid" if kind == "socketio" else "id"
    given = query_value(head.query, name).decode("latin-1") if head.query else ""
    if kind == "signalr":
        negotiates = head.path.endswith("/negotiate")
        return SessionUse(given, ends=head.method == "DELETE", learns=negotiates and not given)
    return SessionUse(given, learns=not given)


def id_in_head(kind: str, headers: Headers) -> str:
    """Return the id of the session that an answer with `headers` begins; empty if it begins none there."""
    return (value_of(headers, "mcp-session-id") or "") if kind == "mcp" else ""


def ids_in_body(kind: str, begin: bytes) -> list[str]:
    """Return the ids of the session that an answer whose body begins with `begin` begins."""
    if kind == "socketio":
        return [found[1].decode()] if (found := _OPEN.search(begin)) is not None else []
    return [each.decode() for each in _NEGOTIATED.findall(begin)] if kind == "signalr" else []


def unknown_session(kind: str) -> SessionUnknown:
    """Return the refusal that clients of `kind` understand: they begin a new session."""
    status, body = _GONE[kind]
    return SessionUnknown(status, "the session is unknown: its server is gone, or it has ended", body)
