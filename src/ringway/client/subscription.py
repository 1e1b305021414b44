"""What a program holds of a channel: publications as they come, until it leaves."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable
from types import TracebackType
from typing import Any

import msgspec

from ringway.errors import ConnectionClosed
from ringway.protocol.close import NORMAL
from ringway.types import Channel

_decode = msgspec.json.Decoder().decode


class Publication:
    """A message in a channel. `client` is the id of the connection that published it, where a client did."""

    __slots__ = ("_raw", "channel", "client")

    def __init__(self, channel: Channel, raw: msgspec.Raw, client: str = "") -> None:
        self.channel = channel
        self.client = client
        self._raw = raw

    @property
    def data(self) -> Any:
        """What was published; decoded anew at each access, so that who only counts pays nothing."""
        return _decode(self._raw)

    @property
    def raw(self) -> bytes:
        """The JSON of `data`, as it came."""
        return bytes(self._raw)

    def __repr__(self) -> str:
        return f"Publication(channel={self.channel!r}, data={self.data!r}, client={self.client!r})"


OnPublication = Callable[[Publication], None]


class Subscription:
    """Publications of one channel. Made by `Client.subscribe`.

    Iterate over it directly, and the subscription ends when the loop is left; or enter it with `async with`, which
    waits until the server has confirmed it and ends it at the end of the block, however many loops are in there.

    At most `queue_max` publications wait for the reader; beyond that the oldest is dropped and counted in
    `dropped`, so that a slow reader sees the present and other subscriptions are not held up.
    """

    def __init__(
        self,
        channel: Channel,
        queue_max: int,
        confirm_timeout_s: float,
        leave: Callable[["Subscription"], None],
        on_publication: OnPublication | None,
    ) -> None:
        self.channel = channel
        self.dropped = 0
        self._queue: deque[Publication] = deque()
        self._queue_max = queue_max
        self._confirm_timeout_s = confirm_timeout_s
        self._leave = leave
        self._on_publication = on_publication
        self._loop = asyncio.get_running_loop()
        self._confirmed = False
        self._ended = False
        self._error: Exception | None = None
        self._entered = False
        self._waiters: list[asyncio.Future[None]] = []

    @property
    def confirmed(self) -> bool:
        """Whether publications arrive now: the server confirmed it on the present connection."""
        return self._confirmed

    async def receive(self) -> Publication:
        """Return the next publication.

        Raise `CommandError` where the server refused or ended the subscription, `ConnectionClosed` where it was left
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

    # What the client calls.

    def deliver(self, publication: Publication) -> None:
        """Hand over one publication."""
        if self._on_publication is not None:
            try:
                self._on_publication(publication)
            except Exception as error:  # the program's own; the connection and other subscriptions go on
                context = {"message": f"on_publication of {self.channel!r} failed", "exception": error}
                self._loop.call_exception_handler(context)
            return
        if len(self._queue) >= self._queue_max:
            self._queue.popleft()
            self.dropped += 1
        self._queue.append(publication)
        if self._waiters:
            self._wake()

    def confirm(self, confirmed: bool) -> None:
        """Note whether publications arrive now."""
        self._confirmed = confirmed
        if confirmed:
            self._wake()

    def end(self, error: Exception | None) -> None:
        """Let the reader read what waits, and then end: with `error`, where there is one."""
        if not self._ended:
            self._ended = True
            self._confirmed = False
            self._error = error
            self._wake()
