"""Reads of one channel from its stream, with the proof of their completeness.

Each read ends with the stream's state. Its epoch must be that of the beginning; its first sequence proves which
publications cannot have expired (`stream.is_complete`).

In a cluster any server with a replica may answer a direct read. It may lag behind the leader, and expire publications
a moment earlier. So the leader is asked too: for the newest publication, and for the first one after `since`.
"""

import asyncio

from ringway.engine.nats.jetstream_request import JetStreamRequest, Mark
from ringway.engine.nats.stream import is_complete
from ringway.engine.nats.stream_owner import StreamOwner
from ringway.engine.page import Publications, Window, within
from ringway.ports import Page, Position

ALL = 1 << 62

LAG_S = 0.02
"""The pause before the next read if a server lags behind the leader."""


def without_removed(found: Publications) -> tuple[int, Publications]:
    """Return the offset up to which publications were removed, 0 if none were, and what is left of `found`.

    Between a mark and its purge, removed publications may still be found.
    """
    removed = max((payload.removed for _, payload in found if isinstance(payload, Mark)), default=0)
    if not removed:
        return 0, found
    return removed, [each for each in found if each[0] > removed and not isinstance(each[1], Mark)]


class Reader:
    """Reads the channel of `subject`. The caller sets a deadline for each call."""

    def __init__(self, jetstream: JetStreamRequest, owner: StreamOwner, subject: str) -> None:
        self._jetstream = jetstream
        self._owner = owner
        self._subject = subject

    async def position(self) -> Position:
        """Return the position of the newest publication; if there is none, that of the stream's newest."""
        while True:
            epoch = self._owner.epoch
            offset = await self._newest()
            if not offset:
                last = (await self._owner.read_info()).state.last_seq
                offset = await self._newest() or last
            if (await self._owner.read_info()).epoch == epoch:
                return Position(epoch, offset)

    async def read_back(self, before: int | None, limit: int, bytes_max: int) -> Page:
        """Return the last publications, before the offset `before` if given, up to `limit` and `bytes_max`."""
        while True:
            epoch = self._owner.epoch
            window = Window(limit, bytes_max)
            offset = await self._walk(window, before)
            if (await self._owner.read_info()).epoch == epoch:
                return Page(epoch, offset, window.publications(), False)

    async def read_on(self, since: int, limit: int, bytes_max: int) -> Page:
        """Return the first publications after the offset `since`, up to `limit` and `bytes_max`.

        The page is `complete` if it is proven that no other publication came after `since`.
        """
        while True:
            epoch = self._owner.epoch
            # If `since` itself is still stored, it is a strong proof.
            found, more, offset = await self._fetch(since, limit + 1, bytes_max)
            newer = [publication for publication in found if publication[0] > since]
            removed, kept = without_removed(newer)
            chosen = within(kept, limit, bytes_max)
            cut = more or len(chosen) < len(kept)
            if cut:
                offset = await self._newest()
            led = cut or self._owner.replicas == 1 or await self._leader_agrees(since, newer, offset)
            info = await self._owner.read_info()
            if info.epoch == epoch:
                complete = (
                    not cut and led and removed <= since and is_complete(since, [place for place, _ in found], info)
                )
                return Page(epoch, offset, chosen, complete)

    async def _fetch(self, start: int, count: int, bytes_max: int) -> tuple[Publications, bool, int]:
        """Return up to `count` publications from `start` on, True if there are more, and the offset at their end.

        They end with the publication after `start` that exceeds `bytes_max`. If no publication is found, the offset is
        the stream's newest before a second read that found no publication either.
        """
        found, more = await self._batches(start, count, bytes_max)
        last = 0
        if not found:
            last = (await self._owner.read_info()).state.last_seq
            found, more = await self._batches(start, count, bytes_max)
        return found, more, found[-1][0] if found else last

    async def _batches(self, start: int, count: int, bytes_max: int) -> tuple[Publications, bool]:
        newest = await self._newest() if self._owner.replicas > 1 else 0
        while True:
            found: Publications = []
            left, room = 1, bytes_max
            while left and len(found) < count and room > 0:
                behind = found[-1][0] + 1 if found else start
                some, left = await self._batch(behind, count - len(found), room)
                found += some
                room -= sum(len(payload) for offset, payload in some if offset > start)
            reached = found[-1][0] if found else max(start - 1, 0)
            if left or reached >= newest:
                return found, left > 0
            await asyncio.sleep(LAG_S)

    async def _walk(self, window: Window, before: int | None) -> int:
        """Add all publications to `window`, or those before the offset `before`; return the offset at their end.

        It reads in batches: a channel may store more than the caller needs. Without publications, as in `_fetch`.
        """
        reached = await self._add_all(window, before)
        if reached:
            return reached
        last = (await self._owner.read_info()).state.last_seq
        return await self._add_all(window, before) or last

    async def _add_all(self, window: Window, before: int | None) -> int:
        newest = await self._newest() if self._owner.replicas > 1 else 0
        reached = 0
        while True:
            some, left = await self._batch(reached + 1, ALL, ALL)
            window.add_publications(without_removed(some)[1], before)
            reached = some[-1][0] if some else reached
            if not left:
                if reached >= newest:
                    return reached
                await asyncio.sleep(LAG_S)

    async def _batch(self, start: int, count: int, bytes_max: int) -> tuple[Publications, int]:
        return await self._jetstream.batch(self._owner.name, self._subject, start, count, bytes_max)

    async def _newest(self) -> int:
        if self._owner.replicas > 1:
            return await self._jetstream.ask_leader(self._owner.name, {"last_by_subj": self._subject})
        return await self._jetstream.newest(self._owner.name, self._subject)

    async def _leader_agrees(self, since: int, found: Publications, offset: int) -> bool:
        """True if the leader's first publication after `since` is the one that was read, or a later one."""
        message = {"seq": since + 1, "next_by_subj": self._subject}
        first = await self._jetstream.ask_leader(self._owner.name, message)
        return first == found[0][0] if found else not since < first <= offset
