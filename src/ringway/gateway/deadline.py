"""Deadlines for the end of connections, which are against peers that do nothing.

A peer that still takes what it was sent, however slowly, is given as much time again: to cut it off would lose what was
sent before the end. Where nothing was taken since the deadline passed last, the time is up.
"""

import array
import asyncio
import fcntl
import sys
import termios
from collections.abc import Callable


class Deadline:
    """Calls `expire` once, `delay_s` from now or later; `cancel` ends it. `transports` are those whose peers count."""

    __slots__ = ("_delay_s", "_expire", "_timer", "_transports", "_unsent")

    def __init__(self, delay_s: float, transports: tuple[asyncio.Transport, ...], expire: Callable[[], None]) -> None:
        self._delay_s = delay_s
        self._transports = transports
        self._expire = expire
        self._unsent: int | None = None  # bytes under way when it passed last
        self._timer = asyncio.get_running_loop().call_later(delay_s, self._passed)

    def cancel(self) -> None:
        """Forget it. Idempotent."""
        self._timer.cancel()

    def _passed(self) -> None:
        unsent = sum(map(unsent_bytes, self._transports))
        if unsent and (self._unsent is None or unsent < self._unsent):
            self._unsent = unsent
            self._timer = asyncio.get_running_loop().call_later(self._delay_s, self._passed)
        else:
            self._expire()


def unsent_bytes(transport: asyncio.Transport) -> int:
    """Return how many bytes were written to `transport` and are not known to have arrived.

    These are in the transport's buffer, and in the kernel's until they are acknowledged. The latter are known on Linux
    alone (SIOCOUTQ, tcp(7)), while the transport is open; elsewhere only its own buffer counts.
    """
    waiting = transport.get_write_buffer_size()
    sock = transport.get_extra_info("socket")
    if sock is None or transport.is_closing() or not sys.platform.startswith("linux"):
        return waiting
    size = array.array("i", [0])
    try:
        fcntl.ioctl(sock.fileno(), termios.TIOCOUTQ, size)
    except OSError:
        return waiting
    return waiting + size[0]
