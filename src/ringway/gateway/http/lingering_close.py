"""Ends plain connections so that their peers get the last bytes: closing with unread input would reset them."""

import asyncio

from ringway.net.half_close import end_stream


class Farewells:
    """Connections that were told their last, each until its peer ends it, or for `linger_s`. Bounded by its owner."""

    __slots__ = ("_linger_s", "_open")

    def __init__(self, linger_s: float) -> None:
        self._linger_s = linger_s
        self._open: dict[_Farewell, None] = {}

    def __len__(self) -> int:
        return len(self._open)

    def say(self, transport: asyncio.Transport, last: bytes) -> None:
        """Write `last` and the end of the stream, and take the connection over."""
        if transport.is_closing():
            return
        farewell = _Farewell(transport, self._open, self._linger_s)
        transport.set_protocol(farewell)
        transport.write(last)
        if end_stream(transport):
            if not transport.is_closing():
                transport.resume_reading()
        else:
            transport.close()

    def cut_oldest(self) -> bool:
        """Cut the one that was told its last first, for want of room; return whether there was one."""
        oldest = next(iter(self._open), None)
        if oldest is None:
            return False
        oldest.cut()
        return True

    def close(self) -> None:
        """Cut all of them."""
        while self.cut_oldest():
            pass


class _Farewell(asyncio.Protocol):
    """Drops what still comes, until the peer ends its stream or the time is up."""

    __slots__ = ("_all", "_timer", "_transport")

    def __init__(self, transport: asyncio.Transport, all_: "dict[_Farewell, None]", linger_s: float) -> None:
        self._transport = transport
        self._all = all_
        self._timer = asyncio.get_running_loop().call_later(linger_s, self.cut)
        all_[self] = None

    def data_received(self, data: bytes) -> None:
        """Drop it."""

    def eof_received(self) -> bool:
        """Take the end of the peer's stream."""
        return False

    def cut(self) -> None:
        """End it now."""
        self._all.pop(self, None)
        self._transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """Take note that the connection is over."""
        self._timer.cancel()
        self._all.pop(self, None)
