"""Opening of a bare WebSocket by `connect`, once or repeatedly."""

import asyncio
import ssl as tls
import sys
from collections.abc import AsyncIterator, Generator, Sequence
from random import Random, SystemRandom
from types import TracebackType
from typing import Any

from ringway.client.config import HELD_BYTES_MAX, MOVE_TIMEOUT_S, MOVES_BURST
from ringway.client.follow import Follow
from ringway.client.handshake import HeadersLike, request_headers
from ringway.client.opener import Terms, open_wire
from ringway.client.reconnect import Again, Reconnect, deciding, is_final
from ringway.client.route import Route, Way
from ringway.client.socket import Socket
from ringway.core.backoff import BASE_S, CAP_S
from ringway.errors import ConfigError, RingwayError
from ringway.protocol.address import shown
from ringway.protocol.move import Move

STABLE_S = 5.0
"""A connection that lived shorter counts as a failed attempt, so that pauses grow."""

RETRY_AFTER_MAX_S = 60.0
"""A server's Retry-After is obeyed up to this."""

_UNLIMITED_S = 365 * 86400.0


class connect:  # noqa: N801 - the name that users of `websockets` know
    """Open a WebSocket to `uri`, for any protocol.

    Three ways to use it: `async with connect(uri) as ws`, which closes at the end of the block;
    `ws = await connect(uri)`, which you close yourself; and `async for ws in connect(uri)`, which connects again when
    the body is done with a connection, pauses with full jitter, and follows a move without a pause.

    `ws(s)://` is connected to as it is; `http(s)://` names a gateway, which is asked for a node. Several URLs are tried
    in random order. `key` is the affinity key. `max_size` bounds a message in bytes, `max_queue` the messages
    that wait to be received; None lifts a bound. `moves_burst` moves are followed at once, one more each 5 s; beyond,
    after growing pauses, and in the end the socket is closed with 1012. Timeouts and `ping_interval` are in seconds;
    None switches them off.

    Raise `ConfigError` for arguments that cannot work; when connecting `OSError` (not reached; `TimeoutError` is
    one) and `UpgradeError` (refused, with the HTTP status; 503 if no node is free). Redirects are not followed.
    """

    def __init__(
        self,
        uri: str | Sequence[str],
        *,
        key: str | None = None,
        origin: str | None = None,
        subprotocols: Sequence[str] | None = None,
        additional_headers: HeadersLike | None = None,
        open_timeout: float | None = 10,
        ping_interval: float | None = 20,
        ping_timeout: float | None = 20,
        close_timeout: float | None = 10,
        max_size: int | None = 2**20,
        max_queue: int | None = 16,
        moves_burst: int = MOVES_BURST,
        ssl: tls.SSLContext | None = None,
        rng: Random | None = None,
    ) -> None:
        if moves_burst < 1:
            raise ConfigError(f"moves_burst is {moves_burst}; give 1 or more")
        if max_queue is not None and max_queue < 1:
            raise ConfigError(f"max_queue is {max_queue}; give 1 or more, or None for no bound")
        self._terms = Terms(
            message_bytes_max=sys.maxsize if max_size is None else max_size,
            close_timeout_s=_UNLIMITED_S if close_timeout is None else close_timeout,
            headers=request_headers(origin, subprotocols, additional_headers),
            subprotocols=tuple(subprotocols or ()),
            ssl=ssl,
        )
        self._route = Route(uri, via=None, key=key, path="", ssl=ssl)
        self._rng = rng or SystemRandom()
        self._moves_burst = moves_burst
        self._follow: Follow | None = None
        self._open_timeout_s = _UNLIMITED_S if open_timeout is None else open_timeout
        self._ping_interval_s = ping_interval
        self._ping_timeout_s = ping_timeout
        self._max_queue = max_queue
        self._socket: Socket | None = None

    def __await__(self) -> Generator[Any, None, Socket]:
        return self._open(None).__await__()

    async def __aenter__(self) -> Socket:
        if self._socket is not None:
            raise RuntimeError("this connect() is entered already; make one for each connection")
        self._socket = await self._open(None)
        return self._socket

    async def __aexit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        socket, self._socket = self._socket, None
        if socket is not None:
            await socket.__aexit__(kind, value, trace)

    async def __aiter__(self) -> AsyncIterator[Socket]:
        loop = asyncio.get_running_loop()
        reconnect = Reconnect(
            self._rng, base_s=BASE_S, cap_s=CAP_S, stable_s=STABLE_S, retry_after_max_s=RETRY_AFTER_MAX_S
        )
        step = Again(0.0)
        while True:
            await asyncio.sleep(step.delay_s)
            try:
                socket = await self._open(step.move)
            except (OSError, RingwayError) as error:
                if is_final(error):
                    raise
                step = reconnect.after_failure(error)
                continue
            try:
                yield socket
            finally:
                await socket.close()
            code, reason = socket.close_code or 1006, socket.close_reason or ""
            step = reconnect.after_close(code, reason, loop.time() - socket.opened_at, self._route.window_s)

    async def _open(self, move: Move | None) -> Socket:
        failures: list[Exception] = []
        limit_s = self._open_timeout_s
        try:
            async with asyncio.timeout(limit_s) as limit:
                for gateway in self._route.shuffled(self._rng):
                    try:
                        way = await self._route.resolve(gateway, move, limit_s)
                        limit.reschedule(
                            (limit.when() or 0.0) + way.wait_s
                        )  # the wait that the gateway asks for does not count
                        await asyncio.sleep(way.wait_s)
                        return await self._first(way)
                    except (OSError, RingwayError) as error:
                        failures.append(error)
        except TimeoutError:
            raise TimeoutError(f"{shown(gateway)} was not connected to within {limit_s:g} s") from None
        raise deciding(failures)

    def _follower(self) -> Follow:
        """The follower of moves for its sockets; made when it is first needed."""
        if self._follow is None:
            self._follow = Follow(
                self._route,
                self._terms,
                self._rng,
                timeout_s=MOVE_TIMEOUT_S,
                held_bytes_max=HELD_BYTES_MAX,
                moves_burst=self._moves_burst,
            )
        return self._follow

    async def _first(self, way: Way) -> Socket:
        """Connect to the first reachable URL of the way; after a refusal no other URL is tried."""
        failure: OSError = ConnectionError("the gateway named no node")
        follow = self._follower() if way.follows else None
        for url in way.urls:
            socket = Socket(
                max_queue=self._max_queue, ping_interval=self._ping_interval_s, ping_timeout=self._ping_timeout_s
            )
            timeout_s = self._open_timeout_s / len(way.urls)
            try:
                await open_wire(url, socket, self._terms, timeout_s=timeout_s, follow=follow)
            except OSError as error:
                failure = error
            else:
                return socket
        raise failure
