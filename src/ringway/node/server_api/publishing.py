"""Publications of backends: into one channel, or into many by one call.

The channels of a broadcast are begun in slices, each in a turn of the event loop of its own, so that a turn stays
short. All publications of a turn share one round trip to the engine. They are begun in the order of the channels.
"""

import asyncio
from base64 import b64decode
from binascii import Error as Base64Error
from contextlib import suppress

import msgspec

from ringway.errors import CommandError, EngineError
from ringway.node.commands.context import CommandContext
from ringway.node.commands.publication import check_key, publication_failed
from ringway.node.server_api.channel_check import check_named
from ringway.protocol.codec import encode
from ringway.protocol.command import Raw, RawPublication
from ringway.protocol.errorcode import BAD_REQUEST, LIMIT_EXCEEDED, NOT_AVAILABLE, command_error
from ringway.protocol.server_api import (
    ApiBroadcastRequest,
    ApiBroadcastResult,
    ApiPublishReply,
    ApiPublishRequest,
    ApiPublishResult,
    CallError,
    PublicationContent,
)

TURN_CHANNELS = 128
"""Publications that are begun in one turn of the event loop: some 2 ms."""


class Publishing:
    """Publishes for backends."""

    def __init__(self, context: CommandContext, channels_max: int) -> None:
        self._context = context
        self._channels_max = channels_max

    async def publish(self, request: ApiPublishRequest) -> ApiPublishResult:
        """Publish; return when the engine has accepted the publication. Raise `CommandError`."""
        body = _body_of(request, self._bytes_max)
        try:
            async with asyncio.timeout(self._context.config.engine_deadline_s):
                return await self._publish(request.channel, body, request)
        except TimeoutError as error:
            raise publication_failed(error, request.idempotency_key) from None

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
        replies: list[ApiPublishReply | None] = [None] * len(channels)
        with suppress(TimeoutError):
            await self._publish_all(channels, body, request, replies)
        late = ApiPublishReply(error=error_of(publication_failed(TimeoutError(), request.idempotency_key)))
        return ApiBroadcastResult([reply or late for reply in replies])

    async def _publish_all(
        self, channels: list[str], body: bytes, request: PublicationContent, replies: list[ApiPublishReply | None]
    ) -> None:
        """Set the reply of each channel in `replies`; raise `TimeoutError` if some have none at the deadline."""
        begun: list[asyncio.Future[list[None]]] = []
        try:
            async with asyncio.timeout(self._context.config.engine_deadline_s):
                for start in range(0, len(channels), TURN_CHANNELS):
                    places = range(start, min(start + TURN_CHANNELS, len(channels)))
                    begun.append(
                        asyncio.gather(*(self._publish_at(at, channels[at], body, request, replies) for at in places))
                    )
                    await asyncio.sleep(0)
                await asyncio.gather(*begun)
        finally:
            for each in begun:
                each.cancel()

    @property
    def _bytes_max(self) -> int:
        return self._context.config.outbox_bytes_max

    async def _publish_at(
        self, at: int, channel: str, body: bytes, request: PublicationContent, replies: list[ApiPublishReply | None]
    ) -> None:
        try:
            replies[at] = ApiPublishReply(result=await self._publish(channel, body, request))
        except CommandError as error:
            replies[at] = ApiPublishReply(error=error_of(error))

    async def _publish(self, name: str, body: bytes, request: PublicationContent) -> ApiPublishResult:
        context, key = self._context, request.idempotency_key
        channel = check_named(context, name)
        kept = context.channels.namespaces.of(channel).retention is not None and not request.skip_history
        if key:
            check_key(key, kept=kept)
        try:
            position = await context.channels.publish(channel, body, key, is_kept=kept)
        except EngineError as error:
            raise publication_failed(error, key) from None
        context.stats.published += 1
        return ApiPublishResult() if position is None else ApiPublishResult(position.offset, position.epoch)


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
        data = b64decode(text, validate=True)
    except (Base64Error, ValueError):
        raise command_error(BAD_REQUEST, "b64data is not base64; encode it with its padding") from None
    try:
        msgspec.json.decode(data)
    except (ValueError, RecursionError):
        raise command_error(
            BAD_REQUEST, "b64data is not JSON inside; clients speak JSON here, so publish JSON, or a text in base64"
        ) from None
    return data


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
