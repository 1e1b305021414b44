"""Clients under test: the connections of a conversation (`SubscriberProtocol`, `PublisherProtocol`).

| kind | reaches a node | on a move | comes back |
|---|---|---|---|
| `proxy` | through the gateway | its gateway's business | as the SDKs do |
| `sdk` | directly, by `GET /gateway` | sees 1012 | as the SDKs do: full jitter from 0.5 to 20 s |
| `follow` | directly, by `GET /gateway` | goes on with its session (PROTOCOL.md P-7) | as the SDKs do |
| `far` | as `follow` | the same, and receives everything 30 ms later | as the SDKs do |
| `twin` | as `follow` | the same, and opens it a second time with the same ticket | as the SDKs do |
| `socket` | by `ringway.connect` | follows under the hood | as `ringway.connect` does |
"""

import asyncio
import time
from collections.abc import Callable, Coroutine, Sequence
from random import Random
from typing import Any, Protocol
from urllib.parse import urlsplit

import ringway
from chaos.wire import Wire, open_wire
from ringway.client.discovery import discover
from ringway.client.reconnect import move_of
from ringway.client.url import discovery_url, with_query
from ringway.errors import ConnectionClosed, RingwayError
from ringway.protocol.move import Move

PATH = "/connection/websocket"
KINDS = ("proxy", "sdk", "follow", "far", "twin", "socket")
AWAY_S = 0.03
BACKOFF_MIN_S, BACKOFF_MAX_S = 0.5, 20.0
ATTEMPT_S = 10.0
CHECK_S = 0.5

Spawn = Callable[[Coroutine[Any, Any, None]], object]


class Conversation(Protocol):
    """The protocol that is spoken over any kind of connection."""

    heard_at: float
    patience_s: float

    def hello(self, at: float) -> bytes: ...
    def take(self, message: bytes, at: float) -> bytes: ...
    def tick(self) -> bytes: ...
    def lost(self, at: float, code: int, reason: str) -> None: ...


def sdk_pause_s(attempt: int, rng: Random) -> float:
    """The official SDKs' pause before the reconnect number `attempt`, counted from 0."""
    spread_s = min(BACKOFF_MAX_S, BACKOFF_MIN_S * 2 ** min(attempt, 31))
    return min(BACKOFF_MAX_S, BACKOFF_MIN_S + rng.uniform(0, spread_s))


def is_terminal(code: int) -> bool:
    """True if an SDK does not come back after this close code."""
    return 3500 <= code < 4000 or 4500 <= code < 5000


class Client:
    """A client of any kind but `socket`. `spawn` owns its attempts to connect."""

    def __init__(
        self,
        conversation: Conversation,
        gateways: Sequence[str],
        rng: Random,
        spawn: Spawn,
        *,
        kind: str,
        small: bool = False,
    ) -> None:
        self.conversation = conversation
        self.terminal = False
        self.attempts = 0
        self.follows = 0
        self.failures: list[str] = []
        self._gateways = gateways
        self._rng = rng
        self._spawn = spawn
        self._direct = kind != "proxy"
        self._follows = kind in ("follow", "far", "twin")
        self._away_s = AWAY_S if kind == "far" else 0.0
        self._twin = kind == "twin"
        self._small = small
        self._wire: Wire | None = None
        self._dropped: Wire | None = None
        self._move: tuple[Move, int, str] | None = None  # the move that is followed, and its close
        self._held: list[bytes] = []  # sent by the conversation meanwhile
        self._attempt = 0
        self._stopped = False

    @property
    def reaches(self) -> bool:
        """Whether it has a WebSocket."""
        return self._wire is not None

    def start(self) -> None:
        """Connect, and reconnect after each loss."""
        self._spawn(self._connect())

    def stop(self) -> None:
        """Say goodbye."""
        self._stopped = True
        if self._wire is not None:
            self._wire.finish()

    def drop(self) -> bool:
        """Lose the connection, as when a cable is pulled. False without a connection: on the way to one, or moving."""
        if self._wire is None:
            return False
        self._dropped = self._wire
        self._wire.cut()
        return True

    @property
    def noticed_drop(self) -> bool:
        """True unless the connection that `drop` cut is still the one in use."""
        return self._wire is None or self._wire is not self._dropped

    def pause(self) -> None:
        """Read no more."""
        if self._wire is not None:
            self._wire.pause()

    def resume(self) -> None:
        """Resume reading."""
        if self._wire is not None:
            self._wire.resume()

    def send(self, message: bytes) -> None:
        """Send a message, where connected."""
        if not message:
            return
        if self._move is not None:
            self._held.append(message)
        elif self._wire is not None:
            self._wire.send(message)

    def check(self, now: float) -> None:
        """Give up a silent server, as the SDKs do; repeat refused requests. Call it every half second or so."""
        conversation = self.conversation
        if now - conversation.heard_at > conversation.patience_s:
            self.drop()
        else:
            self.send(conversation.tick())

    async def _connect(self) -> None:
        gateway = self._gateways[self.attempts % len(self._gateways)]
        self.attempts += 1
        try:
            if self._direct:
                place = await discover(discovery_url(gateway), ATTEMPT_S)
                await self._open(*(with_query(url, moves="1") if self._follows else url for url in place.urls()))
            else:
                await self._open(gateway + PATH)
        except (OSError, RingwayError) as error:
            self._failed(repr(error))

    async def _follow(self, move: Move) -> None:
        gateway = self._gateways[self.attempts % len(self._gateways)]
        try:
            question = discovery_url(gateway, node=move.node, ticket=move.ticket)
            place = await discover(question, ATTEMPT_S)
            if place.node != move.node:
                raise ConnectionError(f"the gateway leads to {place.node}")
            url = with_query(place.url, resume="1", moves="1")
            if self._twin:
                self._spawn(self._double(url))
            await self._open(url)
        except (OSError, RingwayError) as error:
            self._strand(repr(error))

    async def _double(self, url: str) -> None:
        """Try to open the session a second time; messages of that connection count as received."""
        parts = urlsplit(url)
        try:
            await asyncio.sleep(0.001)  # behind the connection that may have it
            shadow = Shadow(self.conversation)
            target = f"{parts.path}?{parts.query}"
            await open_wire(shadow, parts.hostname or "", parts.port or 80, target, ATTEMPT_S)
        except OSError:
            return  # refused, as expected

    async def _open(self, *urls: str) -> None:
        """Connect to the first of `urls` that can be reached; raise the last URL's `OSError`."""
        failure: OSError | None = None
        for url in urls:
            parts = urlsplit(url)
            host, port, target = parts.hostname or "", parts.port or 80, f"{parts.path}?{parts.query}"
            try:
                wire = await open_wire(self, host, port, target, ATTEMPT_S, small=self._small, away_s=self._away_s)
            except OSError as error:
                failure = error
                continue
            if self._stopped:
                wire.cut()
            return
        raise failure or ConnectionError("the gateway named no node")

    def _strand(self, why: str) -> None:
        """Report the move's close to the application: the move could not be followed."""
        if self._move is None:
            return
        _, code, reason = self._move
        self._move = None
        self._held.clear()
        self.conversation.lost(time.monotonic(), code, reason)
        self._failed(why)

    def _failed(self, why: str) -> None:
        if len(self.failures) < 20:
            self.failures.append(why)
        self._come_back()

    def _come_back(self) -> None:
        if self._stopped or self.terminal:
            return
        pause_s = sdk_pause_s(self._attempt, self._rng)
        self._attempt += 1
        asyncio.get_running_loop().call_later(pause_s, self.start)

    # The wire's callbacks.

    def opened(self, wire: Wire) -> None:
        """Begin the conversation after the handshake, or continue the session."""
        self._wire = wire
        if self._move is None:
            wire.send(self.conversation.hello(time.monotonic()))
            return
        self.follows += 1
        self._move = None
        held, self._held = self._held, []
        for message in held:
            wire.send(message)

    def received(self, message: bytes) -> None:
        """Receive a message, and answer."""
        self._attempt = 0
        answer = self.conversation.take(message, time.monotonic())
        if answer and self._wire is not None:
            self._wire.send(answer)

    def ended(self, code: int, reason: str, status: int) -> None:
        """The connection is over, or was refused with an HTTP `status`."""
        self._wire = None
        if self._move is not None:
            self._strand(f"{status}: {reason[:200]}")
            return
        if status:
            self._failed(f"{status}: {reason[:200]}")
            return
        move = move_of(code, reason) if self._follows else None
        if move is not None:
            self._move = move, code, reason
            self._spawn(self._follow(move))
            return
        self.conversation.lost(time.monotonic(), code, reason)
        self.terminal = is_terminal(code)
        self._come_back()


class Shadow:
    """A connection that its client should never get: it only receives."""

    def __init__(self, conversation: Conversation) -> None:
        self._conversation = conversation

    def opened(self, wire: Wire) -> None:
        """Do nothing: an accepted handshake alone does no harm."""

    def received(self, message: bytes) -> None:
        """Pass the message to the application as well."""
        self._conversation.take(message, time.monotonic())

    def ended(self, code: int, reason: str, status: int) -> None:
        """End the connection: it was refused, or is over."""


class SocketClient:
    """A client of the kind `socket`."""

    follows = 0  # it moves, unseen by its user

    def __init__(self, conversation: Conversation, gateways: Sequence[str], rng: Random, spawn: Spawn) -> None:
        self.conversation = conversation
        self.terminal = False
        self.attempts = 0
        self.failures: list[str] = []
        self._urls = list(gateways)
        self._rng = rng
        self._spawn = spawn
        self._socket: Any = None
        self._dropped: Any = None
        self._stopped = False

    @property
    def reaches(self) -> bool:
        """Whether it has a WebSocket."""
        return self._socket is not None

    def start(self) -> None:
        """Connect, and reconnect after each loss."""
        self._spawn(self._run())

    def stop(self) -> None:
        """Say goodbye."""
        self._stopped = True
        if self._socket is not None:
            self._spawn(self._socket.close())

    def drop(self) -> bool:
        """Lose the connection, also in the middle of a move. False without a connection."""
        if self._socket is None or self._socket._wire is None:
            return False
        self._dropped = self._socket
        self._socket._wire.cut()
        return True

    @property
    def noticed_drop(self) -> bool:
        """True unless the connection that `drop` cut is still the one in use."""
        return self._socket is None or self._socket is not self._dropped

    def send(self, message: bytes) -> None:
        """Send a message, where connected."""
        if message and self._socket is not None:
            self._spawn(self._send(self._socket, message))

    def check(self, now: float) -> None:
        """Repeat requests that were refused temporarily; the socket itself notices silence."""
        self.send(self.conversation.tick())

    async def _send(self, socket: Any, message: bytes) -> None:
        try:
            await socket.send(message.decode())
        except ConnectionClosed:
            return  # the reader reports the loss to the conversation

    async def _run(self) -> None:
        async for socket in ringway.connect(self._urls, rng=self._rng, max_queue=None, max_size=None):
            self.attempts += 1
            self._socket = socket
            try:
                await socket.send(self.conversation.hello(time.monotonic()).decode())
                while True:
                    message = await socket.recv()
                    answer = self.conversation.take(message.encode(), time.monotonic())
                    if answer:
                        await socket.send(answer.decode())
            except ConnectionClosed as closed:
                self._socket = None
                self.conversation.lost(time.monotonic(), closed.code, closed.reason)
                self.terminal = is_terminal(closed.code)
            if self._stopped or self.terminal:
                return


def make_client(
    kind: str, conversation: Conversation, gateways: Sequence[str], rng: Random, spawn: Spawn, *, small: bool = False
) -> Client | SocketClient:
    """A client of `kind`, one of `KINDS`; `small` as for `open_wire`, which is not for sockets."""
    if kind == "socket":
        return SocketClient(conversation, gateways, rng, spawn)
    return Client(conversation, gateways, rng, spawn, kind=kind, small=small)


async def check_clients(clients: Sequence[Client | SocketClient]) -> None:
    """Check all `clients` periodically, as long as the process runs."""
    while True:
        await asyncio.sleep(CHECK_S)
        now = time.monotonic()
        for client in clients:
            client.check(now)
