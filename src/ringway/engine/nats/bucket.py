"""Key-value bucket of JetStream, with the functions for leases: a stream with one message for each key.

The stream and its subjects are those of NATS's own key-value stores (ADR-8 of nats-architecture-and-design), so that
`nats kv` shows them. A deleted key counts as one with an empty value.
"""

from collections.abc import Callable, Mapping
from typing import Any, Literal, Protocol

from ringway.engine.nats.header import expected_last
from ringway.engine.nats.jetstream_request import StreamAway, refusal
from ringway.engine.nats.stream import STREAM_EXISTS, STREAM_NOT_FOUND, StreamInfo
from ringway.errors import EngineUnsuitable

REPLICAS = 3
"""Copies of the bucket in a cluster of NATS servers; a single server has one copy."""

BUCKET_BYTES = 4 << 20
"""Room for the leases of 10,000 names. Accounts may allow no stream without a bound."""

DUPLICATE_WINDOW_NS = 120_000_000_000

Storage = Literal["memory", "file"]


class JetStream(Protocol):
    """The requests of a bucket to JetStream (`JetStreamRequest`)."""

    async def api(self, request: str, body: Mapping[str, Any] | None = None) -> StreamInfo:
        """Ask the API about a stream."""
        ...

    async def read_last(self, stream: str, subject: str) -> tuple[int, bytes] | None:
        """Return sequence and payload of the newest message on `subject`, or None."""
        ...

    async def store(self, subject: str, payload: bytes, header: bytes) -> int:
        """Store a message; raise `WrongRevision` if the newest message is not the one that the header expects."""
        ...


class KeyValueBucket:
    """The bucket called `name`, in `storage`; in the other storage if the account has no room there."""

    def __init__(self, jetstream: JetStream, name: str, clustered: Callable[[], bool], storage: Storage) -> None:
        self._jetstream = jetstream
        self.name = name
        self._stream = f"KV_{name}"
        self._clustered = clustered
        self._storage: Storage = storage

    async def make(self) -> None:
        """Make the bucket if it is missing. Settings of an existing bucket do not change. Raise `EngineError`."""
        other: Storage = "file" if self._storage == "memory" else "memory"
        try:
            await self._create(self._storage)
        except EngineUnsuitable:
            await self._create(other)  # an account may have no room in one storage

    async def _create(self, storage: Storage) -> None:
        info = await self._jetstream.api(f"STREAM.CREATE.{self._stream}", self._config(storage))
        if info.error is not None and info.error.err_code == STREAM_EXISTS:
            info = await self._jetstream.api(f"STREAM.INFO.{self._stream}")  # it exists with other settings
        if info.error is not None:
            raise refusal(info.error)

    def _config(self, storage: Storage) -> dict[str, Any]:
        return {
            "name": self._stream,
            "description": "Ringway: who leads",
            "subjects": [f"$KV.{self.name}.>"],
            "storage": storage,
            "retention": "limits",
            "discard": "new",
            "max_msgs_per_subject": 1,
            "max_msgs": -1,
            "max_msg_size": -1,
            "max_bytes": BUCKET_BYTES,
            "max_consumers": -1,
            "max_age": 0,
            "duplicate_window": DUPLICATE_WINDOW_NS,
            "num_replicas": REPLICAS if self._clustered() else 1,
            "allow_rollup_hdrs": True,
            "allow_msg_ttl": True,
            "deny_delete": True,
        }

    async def read_info(self) -> StreamInfo:
        """Return NATS's information about the bucket's stream. Raise `EngineError`, also if it is missing."""
        info = await self._jetstream.api(f"STREAM.INFO.{self._stream}")
        if info.error is not None and info.error.err_code == STREAM_NOT_FOUND:
            raise StreamAway("the bucket of the leases was removed; retry")
        if info.error is not None:
            raise refusal(info.error)
        return info

    async def read_key(self, key: str) -> tuple[int, bytes] | None:
        """Return revision and value of `key` at the leader of the bucket; None if it never had a value."""
        return await self._jetstream.read_last(self._stream, self._subject(key))

    async def write_key(self, key: str, value: bytes, last: int) -> int:
        """Write `value` if `last` is the revision of `key` (0: no value yet). Return its new revision.

        Raise `WrongRevision` for a different revision, and `EngineError`.
        """
        return await self._jetstream.store(self._subject(key), value, expected_last(last))

    def _subject(self, key: str) -> str:
        return f"$KV.{self.name}.{key}"
