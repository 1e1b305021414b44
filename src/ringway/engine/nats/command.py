"""Commands to a NATS server, as bytes. Pure.

Subjects, queue groups and headers come from Ringway and are checked there (`engine.address`): they contain no blanks
and no line ends.
"""

import json
from collections.abc import Mapping
from typing import Any

PING = b"PING\r\n"
PONG = b"PONG\r\n"


def connect(options: Mapping[str, Any]) -> bytes:
    """Return CONNECT: the client's identity and its options."""
    return b"CONNECT %b\r\n" % json.dumps(options).encode()


def publish(subject: str, payload: bytes, reply: str = "", header: bytes = b"") -> bytes:
    """Return PUB, or HPUB if there is a `header`, which is complete: from `NATS/1.0` to its empty line."""
    size = len(payload)
    if header:
        before = len(header)
        return b"HPUB %b %b %d %d\r\n%b%b\r\n" % (
            subject.encode(),
            reply.encode(),
            before,
            before + size,
            header,
            payload,
        )
    return b"PUB %b %b %d\r\n%b\r\n" % (subject.encode(), reply.encode(), size, payload)


def publish_bare(subject: bytes, payload: bytes) -> bytes:
    """Return PUB without a reply subject and a header: one of many."""
    return b"PUB %b %d\r\n%b\r\n" % (subject, len(payload), payload)


def subscribe(subject: str, queue: str, sid: int) -> bytes:
    """Return SUB. `sid` is the number that the server puts into each message."""
    return b"SUB %b %b %d\r\n" % (subject.encode(), queue.encode(), sid)


def unsubscribe(sid: int) -> bytes:
    """Return UNSUB: the subscription ends at once."""
    return b"UNSUB %d\r\n" % sid
