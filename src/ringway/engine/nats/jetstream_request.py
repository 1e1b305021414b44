"""Questions to JetStream over the wire's own subscriptions: the API in JSON, and direct reads in batches.

nats-py has both, but one message a request, with a queue and general mail headers for each.
"""

import asyncio
import itertools
import json
from collections.abc import Mapping
from typing import Any

import msgspec

from ringway.engine.nats.connection import SubjectTap, Wire
from ringway.engine.nats.header import (
    END_OF_BATCH,
    LAST_SEQUENCE,
    NO_RESPONDERS,
    NOT_FOUND,
    PENDING,
    SEQUENCE,
    number,
    status,
)
from ringway.engine.nats.stream import ApiError, Info, read_info
from ringway.errors import EngineAway, EngineError, EngineUnsuitable, Unconfirmed

ANSWER_S = 3.0
"""How long JetStream may take for one step."""

BATCH_MAX = 1000
"""Messages of one direct read; NATS says how many are left."""

BATCH_BYTES_MAX = 1 << 20
"""Bytes of one direct read, or one message more: all of them wait here until the last has come."""

_AGAIN = (408, 429, 503)
"""Classes of refusals that pass: no leader, too much to do, no quorum."""

_FULL = (10002, 10023, 10028, 10047)
"""No room: in the account, on the server, in its memory, on its disk."""

_STORE_FAILED = 10077
"""The stream could not write it; its words say why."""

_FULL_WORDS = ("maximum", "no space", "exceed", "quota")

_OFF = (10039, 10076)
"""JetStream is off: for the account, for the server."""

_WANTS_BYTES = 10113
"""The account lets no stream be without a bound in bytes."""

NOT_FOUND_CODE = 404

_DUPLICATE_UNDER_WAY = 10158
"""A publication with the same key waits for replicas."""

_NO_PEERS = 10005
"""Too few servers for the replicas: in a cluster that starts, not yet enough."""


class StreamAway(EngineAway):
    """No server answers for the stream: it was removed, or its servers are away."""


class _Message(msgspec.Struct):
    seq: int


class _Answer(msgspec.Struct):
    message: _Message | None = None
    error: ApiError | None = None


_read_message = msgspec.json.Decoder(_Answer).decode


class _Question:
    """One request under way."""

    __slots__ = ("answers", "many", "settled")

    def __init__(self, many: bool) -> None:
        self.many = many
        self.answers: list[tuple[bytes, bytes]] = []
        self.settled: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def take(self, header: bytes, payload: bytes) -> None:
        self.answers.append((header, payload))
        if (not self.many or status(header)) and not self.settled.done():
            self.settled.set_result(None)


class Inquiry:
    """Asks JetStream. Every question has a deadline, and ends at once when the connection is lost."""

    def __init__(self, wire: Wire, inbox: str) -> None:
        self._wire = wire
        self._inbox = inbox
        self._numbers = itertools.count(1)
        self._questions: dict[bytes, _Question] = {}
        wire.tap(SubjectTap(f"{inbox}.*", self._answered))

    async def api(self, request: str, body: Mapping[str, Any] | None = None) -> Info:
        """Ask the API about a stream, such as `STREAM.INFO.<name>`; `error` of the answer is for the caller.

        Raise `EngineAway` where JetStream does not answer, or cannot at the moment.
        """
        payload = await self._one(f"$JS.API.{request}", json.dumps(body).encode() if body else b"")
        info = read_info(payload)
        if info.error is not None and _passes(info.error):
            raise refusal(info.error)
        return info

    async def newest(self, stream: str, subject: str) -> int:
        """Return the sequence of the newest message on `subject`, 0 where none is kept. Any server may answer."""
        body = json.dumps({"last_by_subj": subject}).encode()
        header, _ = (await self._ask(f"$JS.API.DIRECT.GET.{stream}", body, many=False))[0]
        return 0 if _is_end(header) else number(header, SEQUENCE)

    async def ask_leader(self, stream: str, message: Mapping[str, Any]) -> int:
        """Return the sequence of a `message` at the stream's leader, behind which other servers may lag; 0: none."""
        answer = _read_message(await self._one(f"$JS.API.STREAM.MSG.GET.{stream}", json.dumps(message).encode()))
        if answer.error is not None and answer.error.code != NOT_FOUND_CODE:
            raise refusal(answer.error)
        return answer.message.seq if answer.message else 0

    async def batch(
        self, stream: str, subject: str, start: int, count: int, bytes_max: int
    ) -> tuple[list[tuple[int, bytes]], int]:
        """Return up to `count` messages of `subject` from sequence `start` on, and how many more there are.

        They end behind the message that takes them over `bytes_max`, by NATS's count.
        """
        wanted = {
            "seq": max(start, 1),
            "next_by_subj": subject,
            "batch": min(count, BATCH_MAX),
            "max_bytes": min(bytes_max, BATCH_BYTES_MAX),
        }
        *messages, (end, _) = await self._ask(f"$JS.API.DIRECT.GET.{stream}", json.dumps(wanted).encode(), many=True)
        _is_end(end)
        found: list[tuple[int, bytes]] = []
        for header, payload in messages:
            if found and number(header, LAST_SEQUENCE) != found[-1][0]:
                raise EngineAway("NATS left a message out of an answer; retry")
            found.append((number(header, SEQUENCE), payload))
        return found, number(end, PENDING)

    async def _one(self, subject: str, body: bytes) -> bytes:
        header, payload = (await self._ask(subject, body, many=False))[0]
        if header.startswith(NO_RESPONDERS):
            raise EngineAway("JetStream does not answer at the moment; retry")
        return payload

    async def _ask(self, subject: str, body: bytes, *, many: bool) -> list[tuple[bytes, bytes]]:
        question = _Question(many)
        key = b"%d" % next(self._numbers)
        self._questions[key] = question
        try:
            self._wire.send(subject, body, f"{self._inbox}.{key.decode()}")
            async with asyncio.timeout(ANSWER_S):
                await question.settled
        except TimeoutError:
            raise EngineAway(f"JetStream did not answer within {ANSWER_S:g} s") from None
        finally:
            del self._questions[key]
        return question.answers

    def _answered(self, subject: bytes, reply: bytes, header: bytes, payload: bytes) -> None:
        question = self._questions.get(subject.rpartition(b".")[2])
        if question is not None:
            question.take(header, payload)

    def lost(self) -> None:
        """The connection is gone: nobody gets an answer any more."""
        for question in self._questions.values():
            if not question.settled.done():
                question.settled.set_exception(EngineAway("NATS was lost before it answered; retry"))


def refusal(error: ApiError) -> EngineError:
    """Return JetStream's error as one of ours: away where it passes, unsuitable where an operator must act."""
    if error.err_code == _DUPLICATE_UNDER_WAY:
        return Unconfirmed("NATS does not know yet whether the publication with this key is stored; try again")
    if is_full(error):
        return EngineUnsuitable(
            f"NATS has no room left for what it stores ({error.description}); make room on its disk, raise "
            "max_file_store or max_memory_store there or the limits of the account, or keep less (history_size, "
            "history_ttl_s, engine.history_bytes_max)"
        )
    if error.err_code in _OFF:
        return EngineUnsuitable(
            f"JetStream is off ({error.description}); enable it for the account. A server whose disk failed or was "
            "full turns it off: make room, and restart the server"
        )
    if error.err_code == _WANTS_BYTES:
        return EngineUnsuitable(f"JetStream refused: {error.description}; set engine.history_bytes_max")
    if _passes(error):
        return EngineAway(f"JetStream cannot do it at the moment ({error.description}); retry")
    return EngineUnsuitable(f"JetStream refused: {error.description} (error {error.err_code})")


def is_full(error: ApiError) -> bool:
    """Whether JetStream lacks the room for what was asked."""
    words = error.description.lower()
    return error.err_code in _FULL or (error.err_code == _STORE_FAILED and any(word in words for word in _FULL_WORDS))


def _passes(error: ApiError) -> bool:
    return (error.code in _AGAIN or error.err_code == _NO_PEERS) and not is_full(error) and error.err_code not in _OFF


def _is_end(header: bytes) -> bool:
    """Whether the answer is no message, but says that there is none, or no more; raise where it says more than that."""
    words = status(header)
    if not words or header.startswith((END_OF_BATCH, NOT_FOUND)):
        return bool(words)
    if header.startswith(NO_RESPONDERS):
        raise StreamAway("the stream of this history is not there at the moment; retry")
    raise EngineUnsuitable(f"JetStream refused to read: {words}")
