"""Questions of backends about a channel: its history, and its subscribers on all nodes."""

import asyncio

import msgspec

from ringway.node.commands.context import CommandContext
from ringway.node.server_api.channel_check import check_named
from ringway.ports import Page, Retention
from ringway.protocol.command import HistoryRequest, PresenceRequest, PresenceResult, PresenceStatsResult
from ringway.protocol.envelope import body_of, is_sound
from ringway.protocol.errorcode import NOT_AVAILABLE, UNRECOVERABLE_POSITION, command_error
from ringway.protocol.server_api import ApiHistoryResult
from ringway.types import Channel


class ChannelQueries:
    """Answers questions about channels. All methods raise `CommandError`, `EngineError` or `TimeoutError`."""

    def __init__(self, context: CommandContext) -> None:
        self._context = context

    async def presence(self, request: PresenceRequest) -> PresenceResult:
        """Return the subscribed clients."""
        return await self._context.channels.presence.clients(self._channel_with_presence(request))

    async def presence_stats(self, request: PresenceRequest) -> PresenceStatsResult:
        """Return the number of subscribed clients."""
        return await self._context.channels.presence.stats(self._channel_with_presence(request))

    async def history(self, request: HistoryRequest) -> ApiHistoryResult:
        """Return publications, in a bounded number and size; for a limit of 0 only the position."""
        channel = self._check(request.channel)
        retention = self._context.channels.namespaces.of(channel).retention
        if retention is None:
            raise command_error(NOT_AVAILABLE, "the channel keeps no history")
        async with self._context.channels.streams.reader.answering:
            page = await self._read(channel, retention, request)
            since = request.since
            if since is not None and since.epoch and since.epoch != page.epoch:
                raise command_error(UNRECOVERABLE_POSITION, f"the epoch is {page.epoch} now")
            found = reversed(page.publications) if request.reverse else page.publications
            publications = [msgspec.Raw(body_of(payload, offset)) for offset, payload in found if is_sound(payload)]
            return ApiHistoryResult(publications, page.offset, page.epoch)

    async def _read(self, channel: Channel, retention: Retention, request: HistoryRequest) -> Page:
        config, reader = self._context.config, self._context.channels.streams.reader
        most = config.recovery_publications_max
        limit = most if request.limit < 0 else min(request.limit, most)
        since = request.since.offset if request.since is not None else None if request.reverse else 0
        async with asyncio.timeout(config.engine_deadline_s):
            if limit == 0:
                epoch, offset = await reader.position(channel, retention)
                return Page(epoch, offset, [], complete=False)
            return await reader.read(
                channel, retention, since, limit, reverse=request.reverse, bytes_max=config.answer_bytes_max
            )

    def _channel_with_presence(self, request: PresenceRequest) -> Channel:
        channel = self._check(request.channel)
        if not self._context.channels.namespaces.of(channel).presence:
            raise command_error(NOT_AVAILABLE, "presence is off in this namespace")
        return channel

    def _check(self, name: str) -> Channel:
        return check_named(self._context, name)
