"""Publications of backends: one, many by one call, or many in a batch of commands.

They are begun in slices, each in a turn of the event loop of its own, so that a turn stays short, and in the order in
which they were given. A slice is one call of the engine for each namespace; all that is begun in a turn, by any call,
shares one round trip.
"""

import asyncio
from collections.abc import Sequence

import msgspec

from ringway.errors import CommandError, EngineError
from ringway.node.commands.context import CommandContext
from ringway.node.commands.publication import check_key, publication_failed
from ringway.node.server_api.channel_check import find_named
from ringway.ports import HistoryEntry, Retention
from ringway.protocol.codec import encode
from ringway.protocol.command import Raw, RawPublication
from ringway.protocol.errorcode import BAD_REQUEST, LIMIT_EXCEEDED, NOT_AVAILABLE, command_error
from ringway.protocol.json_base64 import read_json_base64
from ringway.protocol.server_api import (
    ApiBroadcastRequest,
    ApiBroadcastResult,
    ApiPublishReply,
    ApiPublishRequest,
    ApiPublishResult,
    CallError,
    PublicationContent,
)

TURN_PUBLICATIONS = 250
"""Publications that are begun in one turn of the event loop: some 1 ms."""

TURN_BYTES = 1 << 20
"""Bytes that are begun in one turn: some 1 ms of sealing."""

PublicationOutcome = ApiPublishResult | CommandError

_SENT = ApiPublishResult()
_SENT_REPLY = ApiPublishReply(result=_SENT)
"""The outcome of every publication that is not stored."""


Wanted = tuple[str, bytes, PublicationContent]
"""A publication as a backend asks for it: the name of its channel, its encoded body, and how it is published."""


class _Group:
    """Publications of a slice that are kept in the same way, and their places in the slice."""

    __slots__ = ("places", "publications", "retention")

    def __init__(self, retention: Retention | None) -> None:
        self.retention = retention
        self.publications: list[HistoryEntry] = []
        self.places: list[int] = []


class Publishing:
    """Publishes for backends."""

    def __init__(self, context: CommandContext, channels_max: int) -> None:
        self._context = context
        self._channels_max = channels_max

    async def publish(self, request: ApiPublishRequest) -> ApiPublishResult:
        """Publish; return when the engine has accepted the publication. Raise `CommandError`."""
        (outcome,) = await self.publish_each([request])
        if isinstance(outcome, CommandError):
            raise outcome
        return outcome

    async def publish_each(self, requests: Sequence[ApiPublishRequest]) -> list[PublicationOutcome]:
        """Publish in the given order; return the outcome of each request."""
        outcomes: list[PublicationOutcome] = [_SENT] * len(requests)
        wanted: list[Wanted] = []
        places: list[int] = []
        for at, request in enumerate(requests):
            try:
                wanted.append((request.channel, _body_of(request, self._bytes_max), request))
                places.append(at)
            except CommandError as error:
                outcomes[at] = error
        for at, outcome in zip(places, await self._publish_all(wanted), strict=True):
            outcomes[at] = outcome
        return outcomes

    async def broadcast(self, request: ApiBroadcastRequest) -> ApiBroadcastResult:
        """Publish to each channel; return the outcome of each. Raise `CommandError` if none was begun."""
        channels = request.channels
        if not channels:
            raise command_error(BAD_REQUEST, "channels is empty or missing; name at least one channel")
        if len(channels) > self._channels_max:
            raise command_error(
                LIMIT_EXCEEDED,
                f"{len(channels)} channels; at most {self._channels_max} are allowed (http_api.channels_max): split it",
            )
        body = _body_of(request, self._bytes_max)
        outcomes = await self._publish_all([(name, body, request) for name in channels])
        return ApiBroadcastResult([_SENT_REPLY if outcome is _SENT else _reply(outcome) for outcome in outcomes])

    async def _publish_all(self, wanted: Sequence[Wanted]) -> list[PublicationOutcome]:
        """Publish in the given order, a slice in each turn of the event loop; return the outcomes."""
        longest = max((len(body) for _, body, _ in wanted), default=0)
        size = max(1, min(TURN_PUBLICATIONS, TURN_BYTES // max(1, longest)))
        if len(wanted) <= size:
            return await self._publish_slice(wanted)
        begun: list[asyncio.Future[tuple[list[PublicationOutcome]]]] = []
        try:
            for start in range(0, len(wanted), size):
                begun.append(asyncio.gather(self._publish_slice(wanted[start : start + size])))
                await asyncio.sleep(0)
            return [outcome for each in begun for part in await each for outcome in part]
        finally:
            for each in begun:
                each.cancel()

    async def _publish_slice(self, wanted: Sequence[Wanted]) -> list[PublicationOutcome]:
        outcomes: list[PublicationOutcome] = [_SENT] * len(wanted)
        groups: dict[str, _Group] = {}
        for at, (name, body, content) in enumerate(wanted):
            try:
                channel, space = find_named(self._context, name)
                retention = None if content.skip_history else space.retention
                if content.idempotency_key:
                    check_key(content.idempotency_key, kept=retention is not None)
            except CommandError as error:
                outcomes[at] = error
                continue
            kept_in = retention.namespace if retention is not None else ""
            group = groups.get(kept_in)
            if group is None:
                group = groups[kept_in] = _Group(retention)
            group.publications.append((channel, body, content.idempotency_key))
            group.places.append(at)
        calls = [self._publish_group(group, wanted, outcomes) for group in groups.values()]
        if len(calls) == 1:
            await calls[0]
        else:
            await asyncio.gather(*calls)
        return outcomes

    async def _publish_group(self, group: _Group, wanted: Sequence[Wanted], outcomes: list[PublicationOutcome]) -> None:
        """Publish by one call of the engine, and set the outcomes."""
        context = self._context
        found = await context.channels.publish_many(
            group.publications, group.retention, context.config.engine_deadline_s
        )
        failed = 0
        for at, outcome in zip(group.places, found, strict=True):
            if outcome is None:
                continue
            if isinstance(outcome, EngineError):
                failed += 1
                outcomes[at] = publication_failed(outcome, wanted[at][2].idempotency_key)
            else:
                outcomes[at] = ApiPublishResult(outcome.offset, outcome.epoch)
        context.stats.published += len(found) - failed

    @property
    def _bytes_max(self) -> int:
        return self._context.config.outbox_bytes_max


def _reply(outcome: PublicationOutcome) -> ApiPublishReply:
    if isinstance(outcome, CommandError):
        return ApiPublishReply(error=error_of(outcome))
    return ApiPublishReply(result=outcome)


def error_of(error: CommandError) -> CallError:
    """Return the refusal as the API shows it."""
    return CallError(error.code, error.args[0].partition(": ")[2])


def _body_of(request: PublicationContent, bytes_max: int) -> bytes:
    """Return the publication, encoded; raise `CommandError` if its data cannot be sent to clients."""
    if request.version or request.version_epoch:
        raise command_error(NOT_AVAILABLE, "versions of publications are not served; publish without `version`")
    data = _decode_base64(request.b64data) if request.b64data else bytes(request.data)
    if not data:
        raise command_error(BAD_REQUEST, "data is missing; it may be any JSON")
    if len(data) > bytes_max:
        raise command_error(
            LIMIT_EXCEEDED,
            f"data has {len(data)} bytes; a client may have {bytes_max} waiting (node.outbox_bytes_max): publish less, "
            "or publish where to find it",
        )
    return encode(RawPublication(data=Raw(_on_one_line(data)), tags=request.tags or None))


def _decode_base64(text: str) -> bytes:
    """Return the JSON in `text`. Clients of this node speak JSON, so that other bytes could not be sent to them."""
    try:
        return read_json_base64(text)
    except ValueError as error:
        raise command_error(BAD_REQUEST, f"b64data {error}") from None


def _on_one_line(data: bytes) -> bytes:
    """Return the JSON `data` without line breaks between its parts: clients get one object a line.

    Raise `CommandError` if it is not UTF-8, which the frames of clients must be.
    """
    try:
        data.decode()
        if b"\n" in data or b"\r" in data:
            data = msgspec.json.format(data, indent=-1)
    except (ValueError, RecursionError):
        raise command_error(BAD_REQUEST, "data is not JSON in UTF-8; encode it so") from None
    if b"\n" in data:
        raise command_error(BAD_REQUEST, "a text in data has a line break that is not escaped; write it as \\n")
    return data
