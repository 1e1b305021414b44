"""Link of a channel client to a node: commands out, replies and pushes in, pings answered.

Theory of operation. `ChannelLink.open` returns when the connect command is answered. Replies find their command by its
id. Every message is a sign of life; if no message comes for the server's ping interval and a tolerance, the link is
cut, so that a dead server costs no more than that.
"""

import asyncio
from collections.abc import Callable, Iterable
from typing import Any

import msgspec

from ringway.client.config import ClientConfig
from ringway.client.opener import Terms, open_wire
from ringway.client.wire import MoveFollower, Wire
from ringway.errors import CommandError, ConnectionClosed, Overloaded, ProtocolError
from ringway.protocol.address import shown
from ringway.protocol.close import ABNORMAL, BAD_REQUEST, NORMAL, UNSUPPORTED_DATA
from ringway.protocol.codec import PING, decode_replies, encode
from ringway.protocol.command import Command, ConnectRequest, ConnectResult, Push, Reply
from ringway.protocol.frame import TEXT
from ringway.types import NodeName
from ringway.version import VERSION

FRAME_BYTES_MAX = 32 * 1024
"""Commands sent together share a frame up to this size, half of a node's default bound."""

NAME = "ringway-python"
"""The name by which the client introduces itself."""


class ChannelLink:
    """The link of a client to its node.

    Callbacks are called in the event loop: `on_closed` once, and not before `open`; `on_moved` with the former and the
    new node, when the link goes on at a new node.
    """

    def __init__(
        self,
        config: ClientConfig,
        on_push: Callable[[Push], None],
        on_closed: Callable[["ChannelLink"], None],
        on_moved: Callable[[NodeName, NodeName], None],
    ) -> None:
        self.node = NodeName("")
        self.client = ""
        self.expires_in_s: float | None = None  # from the connect reply on
        self.close_code = ABNORMAL
        self.close_reason = ""
        self.opened_at = 0.0  # the time of the connect reply, or of the last move
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._config = config
        self._on_push = on_push
        self._on_closed = on_closed
        self._on_moved = on_moved
        self._loop = asyncio.get_running_loop()
        self._wire: Wire | None = None
        self._ids = 0
        self._pending: dict[int, asyncio.Future[Reply]] = {}
        self._pong = False
        self._heard = 0.0
        self._patience_s = 0.0
        self._watch: asyncio.TimerHandle | None = None

    @property
    def is_open(self) -> bool:
        """True if commands may be sent."""
        return self._wire is not None and self._wire.is_open

    @property
    def failure(self) -> BaseException | None:
        """The failure on this side that ended the link; None if the server ended it."""
        return self._wire.failure if self._wire is not None else None

    async def open(
        self, url: str, terms: Terms, timeout_s: float, follow: MoveFollower | None, token: str = ""
    ) -> None:
        """Connect to the node at `url` and introduce the client; each within `timeout_s`. With `follow` obey moves.

        Raise what `open_wire` raises, `CommandError` if the node refuses the client, and `ConnectionClosed`.
        """
        wire = await open_wire(url, self, terms, timeout_s=timeout_s, follow=follow)
        try:
            async with asyncio.timeout(timeout_s):
                reply = await self.call(connect=ConnectRequest(token=token, name=NAME, version=VERSION))
            self._welcome(result_of(reply).connect)
        except TimeoutError:
            wire.cut()
            raise TimeoutError(f"{shown(url)} did not answer connect within {timeout_s:g} s") from None
        except BaseException:
            wire.cut()
            raise

    def _welcome(self, result: ConnectResult | None) -> None:
        if result is None:
            raise CommandError(BAD_REQUEST, "the node's answer to connect holds no result")
        self.node = NodeName(result.node)
        self.client = result.client
        self.expires_in_s = result.ttl if result.expires else None
        self.opened_at = self._heard = self._loop.time()
        self._pong = result.pong
        if result.ping:
            self._patience_s = result.ping + self._config.ping_tolerance_s
            self._watch = self._loop.call_later(self._patience_s, self._check_silence)

    def call(self, **request: Any) -> "asyncio.Future[Reply]":
        """Send one command and return the future of its reply; `ConnectionClosed` if the link ends before.

        The keyword names the command, its value is the request. Raise `Overloaded` if too many are unanswered.
        """
        return self.call_all([request])[0]

    def call_all(self, requests: Iterable[dict[str, Any]]) -> "list[asyncio.Future[Reply]]":
        """Send several commands, in as few frames as possible; return the futures of their replies, in order."""
        if not self.is_open:
            raise ConnectionClosed(self.close_code, self.close_reason)
        futures: list[asyncio.Future[Reply]] = []
        lines: list[bytes] = []
        size = 0
        for request in requests:
            self._ids += 1
            line = encode(Command(id=self._ids, **request))
            if lines and size + len(line) > FRAME_BYTES_MAX:
                self._send(b"\n".join(lines))
                lines, size = [], 0
            lines.append(line)
            size += len(line) + 1
            future: asyncio.Future[Reply] = self._loop.create_future()
            self._pending[self._ids] = future
            futures.append(future)
        if lines:
            self._send(b"\n".join(lines))
        return futures

    async def ask(self, **request: Any) -> Reply:
        """Send one command of a program and return its reply; wait while too many bytes are unsent."""
        if len(self._pending) >= self._config.pending_max:
            raise Overloaded("pending_max", self._config.pending_max)
        ident = self._ids + 1
        future = self.call(**request)
        try:
            if self._wire is not None:
                await self._wire.drain()
            return await future
        finally:
            self._pending.pop(ident, None)

    def tell(self, **request: Any) -> None:
        """Send one command whose reply does not matter; do nothing if the link is over."""
        if self.is_open:
            self._ids += 1
            self._send(encode(Command(id=self._ids, **request)))

    def _send(self, frame: bytes) -> None:
        if self._wire is None:
            raise ConnectionClosed(ABNORMAL, "not connected")
        self._wire.send(TEXT, frame)

    def finish(self) -> None:
        """Say goodbye; `ended` follows within the close timeout."""
        if self._wire is not None:
            self._wire.finish(NORMAL)

    async def wait_gone(self) -> None:
        """Return when the TCP connection is over."""
        if self._wire is not None:
            await self._wire.wait_gone()

    def cut(self) -> None:
        """End the link at once: the server breaks the protocol, or does not answer."""
        if self._wire is not None:
            self._wire.cut()

    def _check_silence(self) -> None:
        left_s = self._heard + self._patience_s - self._loop.time()
        if left_s <= 0:
            self.close_reason = f"the server was silent for {self._patience_s:g} s"
            self.cut()
        else:
            self._watch = self._loop.call_later(left_s, self._check_silence)

    # Calls of the wire.

    def opened(self, wire: Wire) -> None:
        """Store the wire."""
        self._wire = wire

    def received(self, opcode: int, payload: bytes) -> None:
        """Process a frame of replies and pushes."""
        self._heard = self._loop.time()
        if payload == PING:
            self._answer_ping()
            return
        if opcode != TEXT:
            raise ProtocolError(UNSUPPORTED_DATA, "a binary message, where the protocol is text")
        for reply in decode_replies(payload):
            if reply.push is not None:
                self._on_push(reply.push)
            elif reply.id:
                future = self._pending.pop(reply.id, None)
                if future is not None and not future.done():
                    future.set_result(reply)
            else:
                self._answer_ping()

    def _answer_ping(self) -> None:
        if self._pong and self._wire is not None and self._wire.is_open:
            self._wire.send_newest(TEXT, PING)

    def ponged(self, payload: bytes) -> None:
        """Process a pong, which is a sign of life."""
        self._heard = self._loop.time()

    def moved(self, node: NodeName) -> None:
        """Go on at `node`: the session is there, unanswered commands will be answered, and the silence begins anew."""
        before, self.node = self.node, node
        self._heard = self.opened_at = self._loop.time()
        self._on_moved(before, node)

    def closed(self, code: int, reason: str) -> None:
        """Fail the unanswered commands, and inform the owner."""
        self.close_code = code
        self.close_reason = reason or self.close_reason
        if self._watch is not None:
            self._watch.cancel()
        pending, self._pending = self._pending, {}
        for future in pending.values():
            if not future.done():
                future.set_exception(ConnectionClosed(code, self.close_reason))
                future.exception()  # no warning of the event loop for a command without a waiting caller
        if not self.ended.done():
            self.ended.set_result(None)
        self._on_closed(self)


def result_of(reply: Reply) -> Reply:
    """Return `reply`, or raise the `CommandError` that it carries."""
    if reply.error is not None:
        raise CommandError(reply.error.code, reply.error.message, temporary=reply.error.temporary)
    return reply


def raw(data: object) -> msgspec.Raw:
    """Return the JSON of `data`; raise `TypeError` if it has no JSON form."""
    return msgspec.Raw(encode(data))
