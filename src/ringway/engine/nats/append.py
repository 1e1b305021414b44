"""Publications on their way into streams, and NATS's confirmations that they are stored.

Each publication has a reply subject of this process. NATS answers there, with the sequence number, once all servers
with the stream have the message. Many may be under way: they leave with all other commands in one write per loop turn
(`outbox`), and NATS answers in their order.

Overflow rule: at most `PENDING_MAX` are under way; further ones are refused with `EngineAway`.
"""

import asyncio
import itertools
from typing import Protocol

import msgspec

from ringway.engine.nats.connection import NatsConnection
from ringway.engine.nats.header import NO_RESPONDERS
from ringway.engine.nats.jetstream_request import refusal
from ringway.engine.nats.stream import ApiError
from ringway.engine.nats.subscription import SubjectSubscription
from ringway.errors import EngineAway, EngineError, EngineUnsuitable, Unconfirmed

STORED_S = 5.0
"""The time for NATS to store a publication, before it counts as unconfirmed."""

CHECK_S = 0.5
"""The pause between checks for overdue publications."""

PENDING_MAX = 16_384
"""The most publications under way; more than NATS itself queues for one stream (10,000)."""


class AppendListener(Protocol):
    """Receives the outcomes of its publications, in the order of NATS's answers."""

    def on_stored(self, offset: int) -> None:
        """A publication was stored."""
        ...

    def on_missing(self) -> None:
        """A publication was not stored, because the stream does not exist."""
        ...


class _Answer(msgspec.Struct):
    seq: int = 0
    duplicate: bool = False
    error: ApiError | None = None


_read_answer = msgspec.json.Decoder(_Answer).decode


class Overdue(Unconfirmed):
    """NATS answers, but not about a publication: its disk may be full, or fail."""


class Append:
    """A publication: the message, and a future for its sequence number or an `EngineError`."""

    __slots__ = ("future", "header", "overdue_at", "payload", "stream", "subject")

    def __init__(self, subject: str, header: bytes, payload: bytes, stream: AppendListener) -> None:
        self.subject = subject
        self.header = header
        self.payload = payload
        self.future: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self.stream = stream
        self.overdue_at = 0.0

    def fail(self, error: EngineError) -> None:
        """Let the publisher's call raise `error`."""
        if not self.future.done():
            self.future.set_exception(error)


class Appends:
    """Sends appends, and settles their futures by NATS's answers."""

    def __init__(self, connection: NatsConnection, inbox: str) -> None:
        self._connection = connection
        self._inbox = f"{inbox}."
        self._loop = asyncio.get_running_loop()
        self._numbers = itertools.count(1)
        self._pending: dict[bytes, Append] = {}
        self._overdue_check: asyncio.TimerHandle | None = None
        connection.subscribe(SubjectSubscription(f"{inbox}.*", self._on_answer))

    def check(self, header: bytes, payload: bytes) -> None:
        """Raise if an append cannot be sent now: `EngineAway`, or `EngineUnsuitable` if it is too large."""
        self._connection.require()
        size = len(header) + len(payload)
        if size > self._connection.payload_bytes_max:
            raise EngineUnsuitable(
                f"a publication of {size} bytes; this NATS takes {self._connection.payload_bytes_max} at most: "
                "raise its max_payload, or publish less"
            )

    def send(self, append: Append) -> None:
        """Send `append` at the end of this loop turn; its future is settled in `STORED_S` at the latest."""
        if len(self._pending) >= PENDING_MAX:
            append.fail(EngineAway(f"NATS does not keep up: {PENDING_MAX} publications are on their way already"))
            return
        number = b"%d" % next(self._numbers)
        try:
            self._connection.send(append.subject, append.payload, self._inbox + number.decode(), append.header)
        except EngineAway as error:
            append.fail(error)
            return
        append.overdue_at = self._loop.time() + STORED_S
        self._pending[number] = append
        if self._overdue_check is None:
            self._overdue_check = self._loop.call_later(CHECK_S, self._check_overdue)

    def _on_answer(self, subject: bytes, reply: bytes, header: bytes, payload: bytes) -> None:
        append = self._pending.pop(subject[subject.rindex(b".") + 1 :], None)
        if append is None:
            return
        if header.startswith(NO_RESPONDERS):
            append.stream.on_missing()
            append.fail(EngineAway("the stream of this history is not there at the moment; nothing was stored, retry"))
            return
        answer = _read_answer(payload)
        if answer.error is not None:
            append.fail(refusal(answer.error))
            return
        if not answer.duplicate:
            append.stream.on_stored(answer.seq)
        if not append.future.done():
            append.future.set_result(answer.seq)

    def _check_overdue(self) -> None:
        now = self._loop.time()
        self._overdue_check = None
        for number, append in list(self._pending.items()):
            if append.overdue_at > now:
                self._overdue_check = self._loop.call_later(CHECK_S, self._check_overdue)
                return
            del self._pending[number]
            append.fail(
                Overdue(
                    f"NATS did not say within {STORED_S:g} s that it stored the publication; if that lasts, its disk "
                    "is full or fails: see its log, make room, and restart it"
                )
            )

    def fail_all(self) -> None:
        """Fail all publications under way as unconfirmed: the connection is gone."""
        pending, self._pending = self._pending, {}
        for append in pending.values():
            append.fail(Unconfirmed("the connection to NATS was lost before it said that the publication is stored"))

    async def close(self, within_s: float) -> None:
        """Wait for the answers to publications under way; give up after `within_s`."""
        if self._pending and self._connection.up:
            await asyncio.wait([append.future for append in self._pending.values()], timeout=within_s)
        self.fail_all()
        if self._overdue_check is not None:
            self._overdue_check.cancel()
