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
from ringway.engine.outcomes import BatchOutcomes
from ringway.errors import EngineAway, EngineError, EngineUnsuitable, Unconfirmed
from ringway.ports import Position

STORED_S = 5.0
"""The time for NATS to store a publication, before it counts as unconfirmed."""

CHECK_S = 0.5
"""The pause between checks for overdue publications."""

PENDING_MAX = 16_384
"""The most publications under way; more than NATS itself queues for one stream (10,000)."""


class AppendListener(Protocol):
    """Receives the outcomes of its publications, in the order of NATS's answers."""

    @property
    def epoch(self) -> str:
        """The generation of the stream, which belongs to the offsets that are stored now."""
        ...

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
    """A publication: the message, and the place `at` in the `outcomes` of its batch."""

    __slots__ = ("at", "header", "outcomes", "overdue_at", "payload", "stream", "subject")

    def __init__(
        self,
        subject: str,
        header: bytes,
        payload: bytes,
        stream: AppendListener,
        outcomes: BatchOutcomes[Position],
        at: int,
    ) -> None:
        self.subject = subject
        self.header = header
        self.payload = payload
        self.stream = stream
        self.outcomes = outcomes
        self.at = at
        self.overdue_at = 0.0

    @property
    def wanted(self) -> bool:
        """False if the publisher has gone: its call was cancelled."""
        return not self.outcomes.settled.done()

    def settle(self, outcome: Position | EngineError) -> None:
        """Give the publisher the position, or the error."""
        self.outcomes.settle(self.at, outcome)


class Appends:
    """Sends appends, and settles them by NATS's answers."""

    def __init__(self, connection: NatsConnection, inbox: str) -> None:
        self._connection = connection
        self._inbox = f"{inbox}."
        self._number_at = len(self._inbox)
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
        """Send `append` at the end of this loop turn; it is settled in `STORED_S` at the latest."""
        if len(self._pending) >= PENDING_MAX:
            append.settle(EngineAway(f"NATS does not keep up: {PENDING_MAX} publications are on their way already"))
            return
        number = b"%d" % next(self._numbers)
        try:
            self._connection.send(append.subject, append.payload, self._inbox + number.decode(), append.header)
        except EngineAway as error:
            append.settle(error)
            return
        append.overdue_at = self._loop.time() + STORED_S
        self._pending[number] = append
        if self._overdue_check is None:
            self._overdue_check = self._loop.call_later(CHECK_S, self._check_overdue)

    def _on_answer(self, subject: bytes, reply: bytes, header: bytes, payload: bytes) -> None:
        append = self._pending.pop(subject[self._number_at :], None)
        if append is None:
            return
        if header.startswith(NO_RESPONDERS):
            append.stream.on_missing()
            append.settle(
                EngineAway("the stream of this history is not there at the moment; nothing was stored, retry")
            )
            return
        answer = _read_answer(payload)
        if answer.error is not None:
            append.settle(refusal(answer.error))
            return
        if not answer.duplicate:
            append.stream.on_stored(answer.seq)
        append.settle(Position(append.stream.epoch, answer.seq))

    def _check_overdue(self) -> None:
        now = self._loop.time()
        self._overdue_check = None
        for number, append in list(self._pending.items()):
            if append.overdue_at > now:
                self._overdue_check = self._loop.call_later(CHECK_S, self._check_overdue)
                return
            del self._pending[number]
            append.settle(
                Overdue(
                    f"NATS did not say within {STORED_S:g} s that it stored the publication; if that lasts, its disk "
                    "is full or fails: see its log, make room, and restart it"
                )
            )

    def fail_all(self) -> None:
        """Fail all publications under way as unconfirmed: the connection is gone."""
        pending, self._pending = self._pending, {}
        for append in pending.values():
            append.settle(Unconfirmed("the connection to NATS was lost before it said that the publication is stored"))

    async def close(self, within_s: float) -> None:
        """Wait for the answers to publications under way; give up after `within_s`."""
        if self._pending and self._connection.up:
            await asyncio.wait({append.outcomes.settled for append in self._pending.values()}, timeout=within_s)
        self.fail_all()
        if self._overdue_check is not None:
            self._overdue_check.cancel()
