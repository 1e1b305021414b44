"""Keepalive of one socket: pings and pongs, latency, and the end of a peer that does not answer. Timers, no task."""

import asyncio
import os
import time
from collections.abc import Callable

from ringway.errors import ConnectionClosed, Overloaded

PINGS_MAX = 1024
"""Pings that may be unanswered at a time; beyond, `Overloaded`."""


class ClientKeepalive:
    """Sends a ping every `interval_s` and calls `give_up` if its pong is missing after `timeout_s`.

    None disables the interval or the timeout. While `hold` is on, the socket is not read, so that a missing pong is no
    sign. A peer that sends messages is alive, though its pong may be behind many of them: set `heard` for each message.
    """

    def __init__(
        self,
        interval_s: float | None,
        timeout_s: float | None,
        send: Callable[[bytes], None],
        give_up: Callable[[], None],
    ) -> None:
        self._interval_s = interval_s
        self._timeout_s = timeout_s
        self.heard = False
        self._send = send
        self._give_up = give_up
        self._loop = asyncio.get_running_loop()
        self._pings: dict[bytes, tuple[asyncio.Future[float], float]] = {}
        self._next: asyncio.TimerHandle | None = None
        self._deadline: asyncio.TimerHandle | None = None
        self._held = False

    def start(self) -> None:
        """Begin; the first ping leaves after an interval."""
        if self._interval_s is not None:
            self._next = self._loop.call_later(self._interval_s, self._keep)

    def stop(self, error: ConnectionClosed) -> None:
        """End: stop the pings, and fail all waits for a pong with `error`."""
        for timer in (self._next, self._deadline):
            if timer is not None:
                timer.cancel()
        pings, self._pings = self._pings, {}
        for future, _ in pings.values():
            if not future.done():
                future.set_exception(error)
                future.exception()  # no warning if no caller waits for the pong

    def ping(self, payload: bytes) -> "asyncio.Future[float]":
        """Send a ping; the future is done with the latency in seconds when the pong has come."""
        if payload in self._pings:
            raise RuntimeError("a ping with this payload is unanswered; give another payload")
        if len(self._pings) >= PINGS_MAX:
            raise Overloaded("unanswered pings", PINGS_MAX)
        future: asyncio.Future[float] = self._loop.create_future()
        self._pings[payload] = (future, time.perf_counter())
        self._send(payload)
        return future

    def pong(self, payload: bytes) -> None:
        """Process a pong: it answers its ping and all earlier pings (RFC 6455, 5.5.3)."""
        if payload not in self._pings:
            return  # unsolicited: allowed, and no answer is due
        now = time.perf_counter()
        for ping in list(self._pings):
            future, sent = self._pings.pop(ping)
            if not future.done():
                future.set_result(now - sent)
            if ping == payload:
                return

    def repeat(self) -> None:
        """Send the unanswered pings again, in their order: their node does not answer any more."""
        for payload in self._pings:
            self._send(payload)
        if self._deadline is not None:
            self._deadline.cancel()
            self._await_pong()

    def hold(self, held: bool) -> None:
        """Stop the clock of the deadline while the socket is not read; after that it starts from the beginning."""
        self._held = held
        if not held and self._deadline is not None:
            self._deadline.cancel()
            self._await_pong()

    def _keep(self) -> None:
        if self._interval_s is None:
            return
        self._next = self._loop.call_later(self._interval_s, self._keep)
        if self._deadline is None and len(self._pings) < PINGS_MAX:
            future = self.ping(os.urandom(4) + b"keep")
            if self._timeout_s is not None:
                future.add_done_callback(self._answered)
                self._await_pong()

    def _await_pong(self) -> None:
        if self._timeout_s is not None:
            self.heard = False
            self._deadline = self._loop.call_later(self._timeout_s, self._missed)

    def _answered(self, _: "asyncio.Future[float]") -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _missed(self) -> None:
        if self._held or self.heard:
            self._await_pong()
        else:
            self._give_up()
