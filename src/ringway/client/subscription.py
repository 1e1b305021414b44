"""Subscription of a program to a channel: publications as they arrive, until it leaves."""

import asyncio
import json
from collections import deque
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Any

import msgspec

from ringway.errors import ConnectionClosed
from ringway.protocol.close import NORMAL
from ringway.protocol.decoding import UNREADABLE, reader
from ringway.types import Channel

_decode = msgspec.json.Decoder().decode
_decode_halves = reader(json.loads, "the data of a publication")
"""A decoder that accepts halves of surrogate pairs, which JSON allows (RFC 8259 8.2) and browsers send."""


class Publication:
    """A message in a channel. `client` is the id of the connection that published it, if a client did.

    `offset` is its position in the channel's history, 0 if the channel keeps no history. `after_gap`: publications may
    be missing before it, since the server could not return all missed ones, or the reader was too slow
    (`Subscription.dropped`).
    """

    __slots__ = ("_raw", "after_gap", "channel", "client", "offset")

    def __init__(
        self, channel: Channel, raw: msgspec.Raw, client: str = "", offset: int = 0, *, after_gap: bool = False
    ) -> None:
        self.channel = channel
        self.client = client
        self.offset = offset
        self.after_gap = after_gap
        self._raw = raw

    def after_a_gap(self) -> "Publication":
        """Return the same with `after_gap` set."""
        return Publication(self.channel, self._raw, self.client, self.offset, after_gap=True)

    @property
    def data(self) -> Any:
        """The published data; decoded at each access, so that a program that only counts pays nothing.

        Raise `ProtocolError` if Python cannot hold it, such as lists in lists thousands deep.
        """
        try:
            return _decode(self._raw)
        except UNREADABLE:
            return _decode_halves(self.raw)

    @property
    def raw(self) -> bytes:
        """The JSON of `data`, unchanged."""
        return bytes(self._raw)

    def __repr__(self) -> str:
        return f"Publication(channel={self.channel!r}, data={self.data!r}, client={self.client!r})"


@dataclass(frozen=True, slots=True)
class Joined:
    """The connection `client` of `user` subscribed to `channel`."""

    channel: Channel
    client: str
    user: str


@dataclass(frozen=True, slots=True)
class Left:
    """The connection `client` of `user` left `channel`."""

    channel: Channel
    client: str
    user: str


OnPublication = Callable[[Publication], None]

OnPresence = Callable[[Joined | Left], None]


class Subscription:
    """Publications of one channel. Made by `Client.subscribe`.

    Iterate over it directly, and the subscription ends when the loop is left; or enter it with `async with`, which
    waits until the server has confirmed it and ends it at the end of the block, however many loops are in there.

    At most `queue_max` publications wait for the reader; beyond that the oldest is dropped and counted in
    `dropped`, so that a slow reader sees the present and other subscriptions are not held up.

    If the channel keeps history (`recoverable`), publications that are missed while the connection is away come first
    when it is back, in order and each once. If the server cannot return all of them, `gaps` counts that, and the next
    publication has `after_gap`.
    """

    def __init__(
        self,
        channel: Channel,
        queue_max: int,
        confirm_timeout_s: float,
        leave: Callable[["Subscription"], None],
        on_publication: OnPublication | None,
        on_presence: OnPresence | None = None,
    ) -> None:
        self.channel = channel
        self.dropped = 0
        self.gaps = 0
        self.recoverable = False  # until the server has said so
        self._gap = False
        self._queue: deque[Publication] = deque()
        self._queue_max = queue_max
        self._confirm_timeout_s = confirm_timeout_s
        self._leave = leave
        self._on_publication = on_publication
        self._on_presence = on_presence
        self._loop = asyncio.get_running_loop()
        self._confirmed = False
        self._ended = False
        self._error: Exception | None = None
        self._entered = False
        self._waiters: list[asyncio.Future[None]] = []

    @property
    def watches(self) -> bool:
        """True if it receives joins and leaves."""
        return self._on_presence is not None

    @property
    def confirmed(self) -> bool:
        """True if publications arrive now: the server confirmed it on the present connection."""
        return self._confirmed

    async def receive(self) -> Publication:
        """Return the next publication.

        Raise `CommandError` if the server refused or ended the subscription, `ConnectionClosed` if it was left
        or the client stopped. Safe to cancel. Readers that wait at the same time share the publications among them.
        """
        while not self._queue:
            self._check_end()
            await self._wait()
        return self._queue.popleft()

    async def wait_confirmed(self) -> None:
        """Return when the server has confirmed the subscription.

        Raise as `receive` does, and `TimeoutError` after `command_timeout_s`.
        """
        try:
            async with asyncio.timeout(self._confirm_timeout_s):
                while not self._confirmed:
                    self._check_end()
                    await self._wait()
        except TimeoutError:
            raise TimeoutError(f"{self.channel!r} was not confirmed within {self._confirm_timeout_s:g} s") from None

    def close(self) -> None:
        """Leave the channel; publications that are waiting can still be read. Idempotent."""
        if not self._ended:
            self.end(None)
            self._leave(self)

    async def __aenter__(self) -> "Subscription":
        self._entered = True
        try:
            await self.wait_confirmed()
        except BaseException:
            self.close()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    async def __aiter__(self) -> AsyncIterator[Publication]:
        try:
            while self._queue or self._error is not None or not self._ended:
                try:
                    publication = await self.receive()
                except ConnectionClosed:
                    if self._error is None:
                        return  # left while this loop was waiting
                    raise
                yield publication
        finally:
            if not self._entered:
                self.close()

    def _check_end(self) -> None:
        if self._ended:
            raise self._error or ConnectionClosed(NORMAL, f"the subscription to {self.channel!r} was left")

    async def _wait(self) -> None:
        waiter: asyncio.Future[None] = self._loop.create_future()
        self._waiters.append(waiter)
        try:
            await waiter
        finally:
            if waiter in self._waiters:
                self._waiters.remove(waiter)

    def _wake(self) -> None:
        waiters, self._waiters = self._waiters, []
        for waiter in waiters:
            if not waiter.done():
                waiter.set_result(None)

    # Calls of the client.

    def deliver(self, publication: Publication) -> None:
        """Deliver one publication."""
        if self._gap:
            publication, self._gap = publication.after_a_gap(), False
        if self._on_publication is not None:
            self._call("on_publication", self._on_publication, publication)
            return
        self._queue.append(publication)
        if len(self._queue) > self._queue_max:
            self._queue.popleft()
            self.dropped += 1
            self._queue[0] = self._queue[0].after_a_gap()
        if self._waiters:
            self._wake()

    def note(self, note: Joined | Left) -> None:
        """Deliver a join or a leave."""
        if self._on_presence is not None:
            self._call("on_presence", self._on_presence, note)

    def miss(self) -> None:
        """Record that publications may be missing from here on."""
        self.gaps += 1
        self._gap = True

    def _call(self, name: str, function: Callable[[Any], None], argument: object) -> None:
        try:
            function(argument)
        except Exception as error:  # a fault of the program; the connection and other subscriptions go on
            context = {"message": f"{name} of {self.channel!r} failed", "exception": error}
            self._loop.call_exception_handler(context)

    def confirm(self, confirmed: bool) -> None:
        """Record if publications arrive now."""
        self._confirmed = confirmed
        if confirmed:
            self._wake()

    def end(self, error: Exception | None) -> None:
        """Let the reader read the waiting publications, and then end: with `error`, if there is one."""
        if not self._ended:
            self._ended = True
            self._confirmed = False
            self._error = error
            self._wake()
