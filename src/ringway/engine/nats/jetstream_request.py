"""Requests to JetStream: its API in JSON, direct reads in batches, and messages that are stored one at a time.

All answers come to one wildcard subscription; the last token of their subject is the number of the request.
"""

import asyncio
import itertools
import json
from collections.abc import Mapping
from typing import Any

import msgspec

from ringway.engine.nats.connection import NatsConnection
from ringway.engine.nats.header import (
    END_OF_BATCH,
    LAST_SEQUENCE,
    NO_RESPONDERS,
    NOT_FOUND,
    PENDING,
    REMOVED,
    SEQUENCE,
    number,
    status,
)
from ringway.engine.nats.stream import ApiError, StreamInfo, read_info
from ringway.engine.nats.subscription import SubjectSubscription
from ringway.errors import EngineAway, EngineError, EngineUnsuitable, Unconfirmed

ANSWER_S = 3.0
"""The deadline of one step of JetStream."""

BATCH_MAX = 1000
"""Messages of one direct read; NATS reports the number of further messages."""

BATCH_BYTES_MAX = 1 << 20
"""Bytes of one direct read, plus at most one message: all messages wait here until the last has come."""

_AGAIN = (408, 429, 503)
"""Codes of refusals that pass: no leader, too much load, no quorum."""

_FULL = (10002, 10023, 10028, 10047)
"""Codes for no room: in the account, on the server, in its memory, on its disk."""

_STORE_FAILED = 10077
"""Code of a failed write to the stream; the description says why."""

_FULL_WORDS = ("maximum", "no space", "exceed", "quota")

_OFF = (10039, 10076)
"""Codes for JetStream that is off: for the account, for the server."""

_WANTS_BYTES = 10113
"""Code of an account that allows no stream without a bound in bytes."""

NOT_FOUND_CODE = 404

_WRONG_SEQUENCE = (10071, 10164)
"""Codes of a subject whose newest message is not the expected one."""

_DUPLICATE_UNDER_WAY = 10158
"""Code for a publication whose key belongs to a publication under way, which waits for replicas."""

_NO_PEERS = 10005
"""Code for too few servers for the replicas: in a cluster that starts, not yet enough."""


class StreamAway(EngineAway):
    """No server answers for the stream: it was removed, or its servers are away."""


class _Message(msgspec.Struct):
    seq: int
    data: bytes = b""  # in base64, which msgspec decodes


class _Answer(msgspec.Struct):
    message: _Message | None = None
    error: ApiError | None = None


class _Stored(msgspec.Struct):
    seq: int = 0
    error: ApiError | None = None


_read_message = msgspec.json.Decoder(_Answer).decode
_read_stored = msgspec.json.Decoder(_Stored).decode


class Mark(bytes):
    """In place of a payload: the message marks that publications were removed."""

    @property
    def removed(self) -> int:
        """The offset up to which they were removed."""
        return int(self)


class WrongRevision(Exception):
    """The newest message of the subject is not the expected one; the message was not stored."""


class _Pending:
    """A request under way, and the messages that answered it so far."""

    __slots__ = ("answers", "many", "settled")

    def __init__(self, many: bool) -> None:
        self.many = many
        self.answers: list[tuple[bytes, bytes]] = []
        self.settled: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def add_answer(self, header: bytes, payload: bytes) -> None:
        self.answers.append((header, payload))
        if (not self.many or status(header)) and not self.settled.done():
            self.settled.set_result(None)


class JetStreamRequest:
    """Sends requests to JetStream. Each has a deadline, and fails at once when the connection is lost."""

    def __init__(self, connection: NatsConnection, inbox: str) -> None:
        self._connection = connection
        self._inbox = inbox
        self._numbers = itertools.count(1)
        self._pending: dict[bytes, _Pending] = {}
        connection.subscribe(SubjectSubscription(f"{inbox}.*", self._on_answer))

    async def account_error(self) -> ApiError | None:
        """Return why JetStream does not serve this account, None if it does. Raise `EngineAway` without an answer."""
        header, payload = (await self._ask("$JS.API.INFO", b"", many=False))[0]
        if header.startswith(NO_RESPONDERS):
            return ApiError(503, _OFF[1], "nobody answers for JetStream")
        return read_info(payload).error

    async def api(self, request: str, body: Mapping[str, Any] | None = None) -> StreamInfo:
        """Ask the API about a stream, such as `STREAM.INFO.<name>`. The caller handles `error` of the answer.

        Raise `EngineAway` if JetStream does not answer, or cannot at the moment.
        """
        payload = await self._one(f"$JS.API.{request}", json.dumps(body).encode() if body else b"")
        info = read_info(payload)
        if info.error is not None and _passes(info.error):
            raise refusal(info.error)
        return info

    async def newest(self, stream: str, subject: str) -> int:
        """Return the sequence of the newest message on `subject`, 0 if there is none. Any server may answer."""
        body = json.dumps({"last_by_subj": subject}).encode()
        header, _ = (await self._ask(f"$JS.API.DIRECT.GET.{stream}", body, many=False))[0]
        return 0 if _is_end(header) else number(header, SEQUENCE)

    async def ask_leader(self, stream: str, message: Mapping[str, Any]) -> int:
        """Return the sequence of a `message` at the stream's leader, or 0. Other servers may lag behind the leader."""
        answer = _read_message(await self._one(f"$JS.API.STREAM.MSG.GET.{stream}", json.dumps(message).encode()))
        if answer.error is not None and answer.error.code != NOT_FOUND_CODE:
            raise refusal(answer.error)
        return answer.message.seq if answer.message else 0

    async def read_last(self, stream: str, subject: str) -> tuple[int, bytes] | None:
        """Return sequence and payload of the newest message on `subject` at the stream's leader, or None."""
        body = json.dumps({"last_by_subj": subject}).encode()
        answer = _read_message(await self._one(f"$JS.API.STREAM.MSG.GET.{stream}", body))
        if answer.error is not None and answer.error.code != NOT_FOUND_CODE:
            raise refusal(answer.error)
        message = answer.message
        return None if message is None else (message.seq, message.data)

    async def store(self, subject: str, payload: bytes, header: bytes) -> int:
        """Return the sequence of a message that a stream has stored, with a complete `header`.

        Raise `WrongRevision` if the newest message is not the one that the header expects, and `EngineError`.
        """
        answer = _read_stored(await self._one(subject, payload, header))
        if answer.error is None:
            return answer.seq
        if answer.error.err_code in _WRONG_SEQUENCE:
            raise WrongRevision
        raise refusal(answer.error)

    async def batch(
        self, stream: str, subject: str, start: int, count: int, bytes_max: int
    ) -> tuple[list[tuple[int, bytes]], int]:
        """Return up to `count` messages of `subject` from sequence `start` on, and the number of further messages.

        The payload of a mark of a removal is a `Mark`.

        They end with the message that exceeds `bytes_max`, by NATS's count.
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
            if REMOVED in header:
                payload = Mark(b"%d" % number(header, REMOVED))
            found.append((number(header, SEQUENCE), payload))
        return found, number(end, PENDING)

    async def _one(self, subject: str, body: bytes, header: bytes = b"") -> bytes:
        answered, payload = (await self._ask(subject, body, header, many=False))[0]
        if answered.startswith(NO_RESPONDERS):
            raise EngineAway("JetStream does not answer at the moment; retry")
        return payload

    async def _ask(self, subject: str, body: bytes, header: bytes = b"", *, many: bool) -> list[tuple[bytes, bytes]]:
        pending = _Pending(many)
        key = b"%d" % next(self._numbers)
        self._pending[key] = pending
        try:
            self._connection.send(subject, body, f"{self._inbox}.{key.decode()}", header)
            async with asyncio.timeout(ANSWER_S):
                await pending.settled
        except TimeoutError:
            raise EngineAway(f"JetStream did not answer within {ANSWER_S:g} s") from None
        finally:
            del self._pending[key]
        return pending.answers

    def _on_answer(self, subject: bytes, reply: bytes, header: bytes, payload: bytes) -> None:
        pending = self._pending.get(subject.rpartition(b".")[2])
        if pending is not None:
            pending.add_answer(header, payload)

    def fail_all(self) -> None:
        """Fail every request under way: the connection is gone."""
        for pending in self._pending.values():
            if not pending.settled.done():
                pending.settled.set_exception(EngineAway("NATS was lost before it answered; retry"))


def refusal(error: ApiError) -> EngineError:
    """Return JetStream's error as an engine error: away if it is temporary, unsuitable if an operator must act."""
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
    """True if JetStream has no room for the request."""
    words = error.description.lower()
    return error.err_code in _FULL or (error.err_code == _STORE_FAILED and any(word in words for word in _FULL_WORDS))


def _passes(error: ApiError) -> bool:
    return (error.code in _AGAIN or error.err_code == _NO_PEERS) and not is_full(error) and error.err_code not in _OFF


def _is_end(header: bytes) -> bool:
    """True if the answer says that there is no message, or no further message. Raise for any other refusal."""
    words = status(header)
    if not words or header.startswith((END_OF_BATCH, NOT_FOUND)):
        return bool(words)
    if header.startswith(NO_RESPONDERS):
        raise StreamAway("the stream of this history is not there at the moment; retry")
    raise EngineUnsuitable(f"JetStream refused to read: {words}")
