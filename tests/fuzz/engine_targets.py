"""Parsers of engines' data: engines are trusted more than strangers, but a different program may answer."""

from collections.abc import Callable
from typing import Any

from ringway.engine.nats.failure import ConnectionEnded
from ringway.engine.nats.info import NatsInfo
from ringway.engine.nats.parser import NatsParser
from ringway.engine.nats.subscription import SubjectSubscription

LINE_BYTES_MAX = 256
MESSAGE_BYTES_MAX = 512


class _Record:
    """Writes down all that a stream says."""

    def __init__(self) -> None:
        self.events: list[tuple[Any, ...]] = []

    def receive(self, subject: bytes, reply: bytes, header: bytes, payload: bytes) -> None:
        assert len(header) + len(payload) <= MESSAGE_BYTES_MAX
        assert not set(subject + reply) & set(b" \r\n")
        self.events.append((subject, reply, header, payload))

    def on_info(self, info: NatsInfo) -> None:
        self.events.append((info,))

    def on_ping(self) -> None:
        self.events.append(("ping",))

    def on_pong(self) -> None:
        self.events.append(("pong",))

    def on_error(self, text: str) -> None:
        text.encode()
        self.events.append(("error", text))

    def on_unwanted(self, sid: int) -> None:
        self.events.append(("unwanted", sid))


def nats(data: bytes) -> None:
    """A byte stream of a NATS server: the same events and the same end, however it is cut into reads."""
    if len(data) < 2:
        return
    first, second, stream = data[0], data[1], data[2:]
    one, other = sorted((first % (len(stream) + 1), second % (len(stream) + 1)))
    whole = _events([stream])
    assert _events([stream[:one], stream[one:other], stream[other:]]) == whole
    assert _events([bytes((byte,)) for byte in stream]) == whole


def _events(pieces: list[bytes]) -> list[tuple[Any, ...]]:
    record = _Record()
    subscriptions = {1: SubjectSubscription("a", record.receive)}
    parser = NatsParser(subscriptions, record, LINE_BYTES_MAX, MESSAGE_BYTES_MAX)
    try:
        for piece in pieces:
            if piece:
                parser.feed(piece)
    except ConnectionEnded:
        record.events.append(("end",))
    return record.events


TARGETS: dict[str, Callable[[bytes], None]] = {"nats": nats}
