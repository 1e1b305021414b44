"""What a client may ask about a channel: its history, and who is subscribed (PROTOCOL.md P-4.14, P-4.15)."""

import asyncio
from typing import TYPE_CHECKING

import msgspec

from ringway.node.commands.errors import or_refusal
from ringway.ports import Page
from ringway.protocol.channel import check_channel
from ringway.protocol.codec import encode
from ringway.protocol.command import HistoryRequest, HistoryResult, PresenceRequest, Reply
from ringway.protocol.envelope import body_of, is_sound
from ringway.protocol.errorcode import NOT_AVAILABLE, UNRECOVERABLE_POSITION, command_error
from ringway.types import Channel

if TYPE_CHECKING:
    from ringway.node.connection.connection import Connection
    from ringway.node.shared import Shared


CLIENT_BYTES = 100
"""What a client costs in an answer about presence, also where it is only counted: about what its name takes."""


async def history(shared: "Shared", connection: "Connection", command_id: int, request: HistoryRequest) -> bytes:
    """Answer with what is kept, in a bounded number and size."""
    return await or_refusal(shared, command_id, _history(shared, connection, command_id, request))


async def presence(shared: "Shared", connection: "Connection", command_id: int, request: PresenceRequest) -> bytes:
    """Answer with who is subscribed."""
    return await or_refusal(shared, command_id, _presence(shared, connection, command_id, request))


async def presence_stats(
    shared: "Shared", connection: "Connection", command_id: int, request: PresenceRequest
) -> bytes:
    """Answer with how many are subscribed."""
    return await or_refusal(shared, command_id, _presence_stats(shared, connection, command_id, request))


async def _history(shared: "Shared", connection: "Connection", command_id: int, request: HistoryRequest) -> bytes:
    async with shared.streams.reader.answering:
        page = await _read(shared, request)
        connection.allowance.answer(shared.clock(), _read_bytes(shared, request, page))
        since = request.since
        if since is not None and since.epoch and since.epoch != page.epoch:
            raise command_error(UNRECOVERABLE_POSITION, f"the epoch is {page.epoch} now")
        return encode(Reply(id=command_id, history=_result(shared, page, reverse=request.reverse)))


async def _presence(shared: "Shared", connection: "Connection", command_id: int, request: PresenceRequest) -> bytes:
    found = await shared.presence.clients(_present(shared, request))
    connection.allowance.answer(shared.clock(), len(found.presence) * CLIENT_BYTES)
    return encode(Reply(id=command_id, presence=found))


async def _presence_stats(
    shared: "Shared", connection: "Connection", command_id: int, request: PresenceRequest
) -> bytes:
    found = await shared.presence.stats(_present(shared, request))
    connection.allowance.answer(shared.clock(), found.num_clients * CLIENT_BYTES)
    return encode(Reply(id=command_id, presence_stats=found))


async def _read(shared: "Shared", request: HistoryRequest) -> Page:
    channel = check_channel(request.channel, shared.config.channel_bytes_max)
    retention = shared.namespaces.of(channel).retention
    if retention is None:
        raise command_error(NOT_AVAILABLE, "the channel keeps no history")
    most = shared.config.recovery_publications_max
    limit = most if request.limit < 0 else min(request.limit, most)
    since = request.since.offset if request.since is not None else None if request.reverse else 0
    async with asyncio.timeout(shared.config.engine_deadline_s):
        if limit == 0:
            epoch, offset = await shared.streams.reader.position(channel, retention)
            return Page(epoch, offset, [], complete=False)
        bytes_max = shared.config.answer_bytes_max
        return await shared.streams.reader.read(
            channel, retention, since, limit, reverse=request.reverse, bytes_max=bytes_max
        )


def _read_bytes(shared: "Shared", request: HistoryRequest, page: Page) -> int:
    """What the engine may have had to read for `page`: to find the newest, all that the channel keeps (NATS has to)."""
    size = sum(len(payload) for _, payload in page.publications)
    retention = shared.namespaces.of(Channel(request.channel)).retention
    if not request.reverse or retention is None or not page.publications:
        return size
    return size * max(1, retention.size // len(page.publications))


def _result(shared: "Shared", page: Page, *, reverse: bool) -> HistoryResult:
    """The page as it travels: in the order that was asked for, as much as fits into the outbox."""
    publications = reversed(page.publications) if reverse else page.publications
    result = HistoryResult(epoch=page.epoch, offset=page.offset, publications=[])
    size = 0
    for offset, payload in publications:
        if not is_sound(payload):
            continue
        body = body_of(payload, offset)
        size += len(body)
        if size > shared.config.answer_bytes_max and result.publications:
            break
        result.publications.append(msgspec.Raw(body))
    return result


def _present(shared: "Shared", request: PresenceRequest) -> Channel:
    channel = check_channel(request.channel, shared.config.channel_bytes_max)
    if not shared.namespaces.of(channel).presence:
        raise command_error(NOT_AVAILABLE, "presence is off in this namespace")
    return channel
