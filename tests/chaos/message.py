"""The messages of the Centrifuge client protocol that a client under test reads and writes (PROTOCOL.md P-4)."""

from typing import Any

import msgspec


class Body(msgspec.Struct):
    """The data of a publication: publisher, channel, and number; the filling gives it the wanted length."""

    p: int
    n: int
    c: str
    f: str = ""


class Pub(msgspec.Struct):
    data: Body | msgspec.UnsetType = msgspec.UNSET
    offset: int = 0


class Unsubscribe(msgspec.Struct):
    code: int = 0
    reason: str = ""


class Push(msgspec.Struct):
    channel: str = ""
    pub: Pub | None = None
    unsubscribe: Unsubscribe | None = None


class Fault(msgspec.Struct):
    code: int = 0
    message: str = ""
    temporary: bool = False


class Welcome(msgspec.Struct):
    client: str = ""
    ping: float = 0.0
    pong: bool = False
    node: str = ""


class Subscription(msgspec.Struct):
    recoverable: bool = False
    epoch: str = ""
    offset: int = 0
    publications: list[Pub] = []
    recovered: bool = False
    was_recovering: bool = False


class Reply(msgspec.Struct):
    id: int = 0
    error: Fault | None = None
    connect: Welcome | None = None
    subscribe: Subscription | None = None
    push: Push | None = None


read = msgspec.json.Decoder(Reply).decode_lines
"""All lines of a message."""

write = msgspec.json.Encoder().encode


def command(number: int, **request: Any) -> bytes:
    """One command as it is sent."""
    return write({"id": number, **request})
