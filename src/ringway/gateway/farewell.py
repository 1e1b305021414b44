"""Ends a plain connection so that its peer gets the last bytes: closing with unread input would reset it."""

import asyncio


class _Farewell(asyncio.Protocol):
    """Drops what still comes, until the peer ends its stream or the time is up."""

    __slots__ = ("_timer", "_transport")

    def __init__(self, transport: asyncio.Transport, linger_s: float) -> None:
        self._transport = transport
        self._timer = asyncio.get_running_loop().call_later(linger_s, transport.abort)

    def data_received(self, data: bytes) -> None:
        """Drop it."""

    def eof_received(self) -> bool:
        """Take the end of the peer's stream."""
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        """Take note that the connection is over."""
        self._timer.cancel()


def farewell(transport: asyncio.Transport, last: bytes, linger_s: float) -> None:
    """Write `last` and the end of the stream; the connection is over when the peer ends it, or after `linger_s`."""
    if transport.is_closing():
        return
    transport.set_protocol(_Farewell(transport, linger_s))
    transport.write(last)
    if transport.can_write_eof():
        transport.write_eof()
        transport.resume_reading()
    else:
        transport.close()
