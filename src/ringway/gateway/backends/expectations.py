"""Expectations of a gateway: all gateways learn which clients will come back for a move, before the clients do.

Messages are collected for a moment: a move of many clients is a few messages. A gateway that does not answer in time
learns of the clients too late, and places them like newcomers.
"""

import asyncio
import itertools
import time
from collections.abc import Callable, Iterable, Sequence
from hashlib import blake2b

from ringway.core.expected import ExpectedClients
from ringway.errors import EngineError, ProtocolError
from ringway.logger import get_logger
from ringway.ports import Bus, Serving
from ringway.protocol.expected import (
    CLIENTS_MAX,
    EXPECTED,
    Came,
    Expect,
    ExpectedClient,
    Noted,
    decode_expect,
    encode_expect,
)
from ringway.tasks import Tasks
from ringway.types import Incarnation, NodeName

COLLECT_S = 0.02
ANSWER_S = 0.4

_NOTED = encode_expect(Noted())

_log = get_logger()


class Expectations:
    """The expected clients of all gateways, as this gateway sends and receives them. `clock` is monotonic.

    `secret` keys the marks, and `gateways` returns the number of gateways. `on_came` is called with each client of this
    gateway that has come, here or elsewhere. `on_shown` is called with the ids of clients that came elsewhere and are
    in a report now, or that stay where they are.
    """

    def __init__(
        self,
        name: NodeName,
        incarnation: Incarnation,
        bus: Bus,
        secret: bytes,
        gateways: Callable[[], int],
        on_came: Callable[[ExpectedClient], None],
        on_shown: Callable[[Iterable[str]], None] = lambda ids: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._name = name
        self._bus = bus
        self._secret = secret
        self._gateways = gateways
        self._on_came = on_came
        self._on_shown = on_shown
        self._clock = clock
        self._clients = ExpectedClients()
        self._ids = (f"{incarnation}-{number}" for number in itertools.count(1))
        self._own: dict[str, ExpectedClient] = {}
        self._untold: list[ExpectedClient] = []
        self._told: asyncio.Future[None] | None = None
        self._came: list[str] = []
        self._tasks = Tasks()
        self._serving: Serving | None = None

    def __len__(self) -> int:
        """Return the number of expected clients that this gateway knows."""
        return len(self._clients)

    async def start(self) -> None:
        """Receive the messages of other gateways from now on."""
        self._serving = await self._bus.serve(EXPECTED, self._handle)

    async def stop(self) -> None:
        """Stop receiving messages."""
        if self._serving is not None:
            await self._serving.close()
        await self._tasks.aclose()

    def tick(self) -> None:
        """Let time pass; call it a few times a second."""
        now = self._clock()
        self._clients.expire(now)
        if not len(self._clients):
            self._own.clear()

    def mark(self, key: bytes | None, address: str, group: str) -> str:
        """Return the mark in a group of a client with the affinity key `key` or, without one, of `address`."""
        text = group.encode() + (b"\0key\0" + key if key else b"\0address\0" + address.encode())
        return blake2b(text, key=self._secret[:64], digest_size=9).hexdigest()

    async def expect(
        self, key: bytes | None, address: str, group: str, donor: NodeName, target: NodeName, ttl_s: float
    ) -> str:
        """Promise a client of `group` a place at `target`.

        Return its id when all gateways know, or did not answer in time. If it is cancelled, the promise is withdrawn.
        """
        client = ExpectedClient(
            id=next(self._ids), mark=self.mark(key, address, group), gateway=self._name, donor=donor,
            target=target, ttl_s=ttl_s,
        )  # fmt: skip
        self._clients.add([client], self._clock())
        self._own[client.id] = client
        if self._gateways() > 1:
            self._untold.append(client)
            if self._told is None:
                self._told = asyncio.get_running_loop().create_future()
                self._tasks.spawn(self._tell(self._told), name="expected clients")
            try:
                await asyncio.shield(self._told)
            except asyncio.CancelledError:
                self.give_up(client.id)
                raise
        return client.id

    def take_promise(self, key: bytes | None, address: str, group: str) -> ExpectedClient | None:
        """Return the promise for a client that has come to `group`; all gateways forget it. None without a promise."""
        if not len(self._clients):
            return None
        marks = [self.mark(key, address, group)] if key else []
        marks.append(self.mark(None, address, group))
        client = self._clients.take_promise(marks, self._clock())
        if client is not None:
            self._end([client.id])
        return client

    def give_up(self, each: str) -> None:
        """Stop expecting the client with this id: it stays, and needs no place."""
        if self._clients.drop([each]):
            self._end([each])
            self._on_shown([each])

    def tell_shown(self, ids: Sequence[str]) -> None:
        """Tell the other gateways that these clients, which came here, are in a report of this gateway."""
        if self._gateways() > 1:
            self._tasks.spawn(self._send_came(ids, shown=True), name="expected clients that are reported")

    def _end(self, ids: list[str]) -> None:
        for each in ids:
            if (own := self._own.pop(each, None)) is not None:
                self._on_came(own)
        if self._gateways() > 1:
            if not self._came:
                self._tasks.spawn(self._tell_came(), name="expected clients that came")
            self._came += ids

    async def _tell(self, told: asyncio.Future[None]) -> None:
        await asyncio.sleep(COLLECT_S)
        clients = [client for client in self._untold if client.id in self._own]  # the rest was given up
        self._untold, self._told = [], None
        try:
            for start in range(0, len(clients), CLIENTS_MAX):
                await self._send(Expect(clients=tuple(clients[start : start + CLIENTS_MAX])))
        finally:
            if not told.done():
                told.set_result(None)

    async def _tell_came(self) -> None:
        await asyncio.sleep(COLLECT_S)
        ids, self._came = self._came, []
        await self._send_came(ids)

    async def _send_came(self, ids: Sequence[str], *, shown: bool = False) -> None:
        for start in range(0, len(ids), CLIENTS_MAX):
            await self._send(Came(ids=tuple(ids[start : start + CLIENTS_MAX]), shown=shown))

    async def _send(self, message: Expect | Came) -> None:
        expected = self._gateways()
        try:
            raw = await self._bus.gather(EXPECTED, encode_expect(message), timeout_s=ANSWER_S, expected=expected)
        except EngineError as error:
            _log.warning("other gateways were not told of expected clients", error=str(error))
            return
        if len(raw) < expected:
            _log.info("not all gateways know the expected clients", gateways=expected, answered=len(raw))

    async def _handle(self, raw: bytes) -> bytes | None:
        try:
            message = decode_expect(raw)
        except ProtocolError as error:
            _log.warning("a message about expected clients was not understood", error=str(error))
            return None
        if isinstance(message, Expect):
            self._clients.add(
                (client for client in message.clients[:CLIENTS_MAX] if client.gateway != self._name), self._clock()
            )
        else:
            self._clients.drop(message.ids)
            for each in message.ids:
                if (own := self._own.pop(each, None)) is not None:
                    self._on_came(own)
            if message.shown:
                self._on_shown(message.ids)
        return _NOTED
