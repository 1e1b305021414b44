"""Connections to nodes that their tunnels have left: each is ended by its node, or by us when that takes too long.

They still may have bytes to write: what a client sent before it was moved on is the old node's to process.
"""

import asyncio

from ringway.gateway.deadline import Deadline


class Partings:
    """See the module. Owns the connections from `part` on."""

    def __init__(self, deadline_s: float) -> None:
        self._deadline_s = deadline_s
        self._parted: set[asyncio.Transport] = set()

    def __len__(self) -> int:
        return len(self._parted)

    def part(self, transport: asyncio.Transport, last: bytes) -> None:
        """Write `last`, and wait for the peer's end as long as the deadline allows, or it takes what it was sent."""
        if transport.is_closing():
            return
        transport.set_protocol(_Parted(transport, self._parted, self._deadline_s))
        if last:
            transport.write(last)
        if not transport.is_closing():
            transport.resume_reading()

    def abort(self) -> None:
        """End all of them at once."""
        for transport in list(self._parted):
            transport.abort()


class _Parted(asyncio.Protocol):
    """Drops what still comes."""

    __slots__ = ("_parted", "_timer", "_transport")

    def __init__(self, transport: asyncio.Transport, parted: set[asyncio.Transport], deadline_s: float) -> None:
        self._transport = transport
        self._parted = parted
        self._timer = Deadline(deadline_s, (transport,), transport.abort)
        parted.add(transport)

    def data_received(self, data: bytes) -> None:
        """Drop it."""

    def eof_received(self) -> bool:
        """Close the transport, after what is left to be written."""
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        """Take note that the connection is over."""
        self._timer.cancel()
        self._parted.discard(self._transport)
