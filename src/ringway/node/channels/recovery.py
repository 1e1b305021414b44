"""Recovery of missed publications of a channel: from the replay buffer, and from history, read once for all clients.

Theory. A client that recovers has a lease on the channel's buffer from then on. If the buffer does not reach back to
the client's offset, history is read since the lowest offset of all waiting clients, and put in front of the buffer. Now
the buffer reaches back far enough for all of them, and for the clients of the next seconds. A read under way may have
been answered before a newcomer's lease began; such a newcomer waits for the next read, together with later newcomers.
So a crowd of any size costs one or two reads.

If the lowest offset cannot be served because publications are gone, the higher offsets are served by the remaining
publications: in a row of publications without a gap, each publication proves that no later one is missing. If the
lowest offset cannot be served because too many publications were missed, the next read begins at the middle of the
offsets that are left: few clients are far behind, and must not prevent the recovery of the rest.

The answer is complete, or None. It has no more publications than the namespace stores, also if the buffer has more: so
what a client recovers depends neither on its node nor on the clients before it. A client without a position in the
channel (the offset 0 of no epoch) has received no publication, and so asks for the whole history. Expired publications
do not count as missing for it; publications that the size of the namespace has cut off do.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence

from ringway.core.replay_buffer import ReplayBuffer, ReplayEntry, entry_of
from ringway.core.stream import ChannelStream
from ringway.errors import EngineError
from ringway.node.channels.catchup import CatchUp
from ringway.node.channels.history import HistoryReader
from ringway.node.config.namespace import Namespaces
from ringway.node.config.node import NodeConfig
from ringway.ports import Page, Retention
from ringway.protocol.envelope import is_sound
from ringway.tasks import Tasks
from ringway.types import Channel

ROUNDS_MAX = 8
"""The most reads for which one client waits. The first serves nearly all clients; after the last the answer is None."""

Pay = Callable[[int], None]
"""Called with the bytes of history that were read for a client in vain."""


class _Round:
    """One read for all clients that wait when it begins."""

    __slots__ = ("again", "bytes", "kept", "offsets", "settled", "task")

    task: "asyncio.Task[EngineError | None]"

    def __init__(self) -> None:
        self.offsets: list[int] = []
        self.bytes = 0  # the bytes that were read
        self.kept: Page | None = None  # the whole history, if it was read, up to its first publication
        self.again = False  # the read before did not serve some of them
        self.settled = -1  # up to this offset, clients beyond the buffer cannot be served at all

    def since(self) -> int:
        """Return the offset to read from: the lowest; the middle if the earlier read left some clients unserved."""
        return sorted(self.offsets)[len(self.offsets) // 2] if self.again else min(self.offsets)


class Recovery:
    """Finds missed publications in the `streams` of a node."""

    def __init__(
        self,
        streams: Mapping[Channel, ChannelStream],
        catch_up: CatchUp,
        reader: HistoryReader,
        namespaces: Namespaces,
        config: NodeConfig,
    ) -> None:
        self._streams = streams
        self._catch_up = catch_up
        self._reader = reader
        self._namespaces = namespaces
        self._limit = config.recovery_publications_max
        self._bytes_max = config.answer_bytes_max
        self._tail_bytes_max = config.tail_bytes_max
        self._gathering: dict[Channel, _Round] = {}
        self._reading: dict[Channel, asyncio.Task[EngineError | None]] = {}
        self._tasks = Tasks()

    async def missed(
        self, channel: Channel, epoch: str, offset: int, buffer: ReplayBuffer, pay: Pay | None = None
    ) -> list[ReplayEntry] | None:
        """Return the publications after `offset` up to the last delivery, ascending; None: not provable.

        An empty `epoch` is the present epoch; with the offset 0 it requests the whole history. The caller has a lease
        on `buffer`. There is no delivery between the return and the next line of a caller that awaits this directly.
        Raise `EngineError` if the engine does not answer. `pay` is called with the bytes that were read in vain.
        """
        begun: list[_Round] = []
        found = await self._find(channel, epoch, offset, buffer, begun)
        if found is None and pay is not None:
            pay(sum(one.bytes for one in begun))
        return found

    async def _find(
        self, channel: Channel, epoch: str, offset: int, buffer: ReplayBuffer, begun: list[_Round]
    ) -> list[ReplayEntry] | None:
        """As `missed`; the reads that this call alone caused are added to `begun`."""
        stream = self._streams.get(channel)
        knows_no_place = not epoch and not offset
        epoch = epoch or (stream.epoch if stream is not None else "")
        if stream is None or stream.epoch != epoch:
            return None
        if offset > max(stream.position, stream.proven):  # the node that the client comes from was ahead of us
            await self._catch_up.read_channel(channel)
        for attempt in range(ROUNDS_MAX):
            if stream.buffer is not buffer or stream.epoch != epoch or offset > max(stream.position, stream.proven):
                return None
            found = buffer.since(offset)
            if found is not None:
                return self._within_bounds(channel, found)
            if channel not in self._gathering:
                begun.append(self._gather(channel))
            one = self._join(channel, offset, again=attempt > 0)
            error = await asyncio.shield(one.task)
            if error is not None:
                raise error
            if offset <= one.settled and buffer.since(offset) is None:
                return self._all_kept(channel, one.kept, buffer) if knows_no_place and one.kept is not None else None
        return None

    async def aclose(self) -> None:
        """Cancel the reads under way."""
        await self._tasks.aclose()

    def _all_kept(self, channel: Channel, page: Page, buffer: ReplayBuffer) -> list[ReplayEntry] | None:
        """Return the whole history: the first part of `page`, and the buffer, which begins with the rest of `page`."""
        first = [entry_of(*publication) for publication in page.publications[:1] if is_sound(publication[1])]
        if not first or first[0].offset > buffer.floor:
            found = buffer.since(buffer.floor)
        else:
            found = buffer.since(first[0].offset)
            found = None if found is None else first + found
        return None if found is None else self._within_bounds(channel, found)

    def _within_bounds(self, channel: Channel, found: list[ReplayEntry]) -> list[ReplayEntry] | None:
        if (
            len(found) > min(self._limit, self._retention(channel).size)
            or sum(len(entry.body) for entry in found) > self._bytes_max
        ):
            return None
        return found

    def _retention(self, channel: Channel) -> Retention:
        retention = self._namespaces.of(channel).retention
        assert retention is not None  # channels without history have no recovery
        return retention

    def _gather(self, channel: Channel) -> _Round:
        one = self._gathering[channel] = _Round()
        work = self._run(channel, one, self._reading.get(channel))
        one.task = self._tasks.spawn(work, name="read for recoveries")
        return one

    def _join(self, channel: Channel, offset: int, *, again: bool) -> _Round:
        one = self._gathering[channel]
        one.offsets.append(offset)
        one.again = one.again or again
        return one

    async def _run(
        self, channel: Channel, one: _Round, before: "asyncio.Task[EngineError | None] | None"
    ) -> EngineError | None:
        """Read, after the earlier read; an error is returned, since all waiting clients may have gone."""
        await (asyncio.wait([before]) if before is not None else asyncio.sleep(0))
        del self._gathering[channel]
        self._reading[channel] = one.task
        retention = self._retention(channel)
        try:
            since = one.since()
            page = await self._reader.read(channel, retention, since, self._limit, bytes_max=self._tail_bytes_max)
            one.bytes = sum(len(payload) for _, payload in page.publications)
            one.settled = self._put_in_front(channel, since, page)
            if not since and self._is_all(page) and len(page.publications) < retention.size:
                one.kept = page._replace(publications=page.publications[:1])
        except EngineError as error:
            return error
        finally:
            if self._reading.get(channel) is one.task:
                del self._reading[channel]
        return None

    def _put_in_front(self, channel: Channel, since: int, page: Page) -> int:
        """Put a page in front of the buffer; return the offset up to which no read can help any more."""
        if page.complete:
            return self._extend(channel, page, -1, since, page.publications)  # serves all but lower offsets
        if not page.publications or not self._is_all(page):
            return since  # too many publications, for lower offsets too; or no publication is left as a proof
        first = page.publications[0][0]  # it proves completeness after it, not before it
        return self._extend(channel, page, since, first, page.publications[1:])

    def _is_all(self, page: Page) -> bool:
        """True if no limit has cut off the end of `page`."""
        publications = page.publications
        return not publications or (publications[-1][0] >= page.offset and len(publications) < self._limit)

    def _extend(
        self, channel: Channel, page: Page, settled: int, since: int, publications: Sequence[tuple[int, bytes]]
    ) -> int:
        stream = self._streams.get(channel)
        if stream is None or stream.buffer is None or page.epoch != stream.epoch:
            return settled
        if page.offset < stream.buffer.floor:
            return -1  # the answering replica of the engine lacks the newest publications: read again
        stream.buffer.extend(since, publications)
        return max(settled, stream.buffer.floor - 1) if stream.buffer.floor > since else settled
