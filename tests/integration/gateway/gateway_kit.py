"""Kit of the gateway's tests: a gateway over static backends, raw peers, and frames by hand."""

import asyncio
import base64
import json
import os
import random
import socket
import ssl
import struct
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from ringway.auth.verifier import TokenVerifier
from ringway.core.backend_spec import read_backends
from ringway.core.group import Groups
from ringway.core.revocations import Revocations
from ringway.core.steering import Steering
from ringway.gateway.cluster.directory import Directory
from ringway.gateway.config.gateway import GatewayConfig
from ringway.gateway.server import Gateway
from ringway.protocol.keyring import Keyring
from ringway.protocol.ticket import TicketSigner
from ringway.protocol.upgrade import accept_for
from ringway.types import Issuer, NodeName
from support.held_backends import HeldBackends
from support.system import free_port

PATIENCE_S = 30.0

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class Rig:
    """A gateway over backends, which are up whatever happens: nobody checks them."""

    def __init__(
        self,
        config: GatewayConfig,
        specs: tuple[str, ...],
        rng: random.Random,
        verifier: TokenVerifier | None = None,
    ) -> None:
        self.revocations = Revocations()
        self.backends = read_backends(specs)
        issuer = Issuer("0badcafe")
        self.directory = Directory(issuer, groups=Groups(issuer, lambda name: Steering(config.policy, b"")))
        self._dialled: list[Raw] = []
        self.held = HeldBackends(config, self.directory, rng)
        self.gateway = Gateway(
            config, self.directory, TicketSigner(Keyring(b"secret of the rig")), rng,
            take_promise=self.held.expectations.take_promise, verifier=verifier,
            revocations=self.revocations,
        )  # fmt: skip
        self.held.attach(self.gateway)

    async def start(self) -> None:
        self.held.offer(self.backends)
        self.held.start()
        await self.gateway.start()

    async def stop(self) -> None:
        await self.gateway.stop()
        await self.held.stop()
        await self.hang_up()

    async def hang_up(self) -> None:
        """Close all raw connections that were opened."""
        for raw in self._dialled:
            await raw.close()
        self._dialled.clear()

    @property
    def stats(self):
        return self.gateway.stats

    def tell(self, name: str, *, out: bool) -> None:
        """Say of a backend that it is up, or out, as its checks would."""
        if out:
            self.directory.groups.doubt(NodeName(name), "is out")
            self.gateway.relays.on_down(NodeName(name))
        else:
            self.directory.groups.believe([NodeName(name)])

    def url(self, path: str = "/", scheme: str = "ws") -> str:
        return f"{scheme}://127.0.0.1:{self.gateway.port}{path}"

    async def dial(self, source: str = "127.0.0.1", tls: ssl.SSLContext | None = None, name: str = "") -> "Raw":
        """Open a raw connection from the address `source`, which `stop` closes; with `tls`, to the server `name`."""
        raw = Raw(
            *await asyncio.open_connection(
                "127.0.0.1",
                self.gateway.port,
                local_addr=(source, 0),
                ssl=tls,
                server_hostname=(name or "localhost") if tls else None,
            )
        )
        self._dialled.append(raw)
        return raw

    async def idle(self) -> None:
        """Wait until nothing is carried any more."""
        await eventually(lambda: self.stats.relays_open == 0 and self.stats.handshakes_pending == 0)


class Raw:
    """A peer that writes and reads bytes."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def head(self) -> tuple[int, dict[str, str]]:
        """Read one response head."""
        raw = await asyncio.wait_for(self.reader.readuntil(b"\r\n\r\n"), PATIENCE_S)
        lines = raw.decode("latin-1").split("\r\n")
        headers = dict(line.split(": ", 1) for line in lines[1:] if line)
        return int(lines[0].split()[1]), {name.lower(): value for name, value in headers.items()}

    async def response(self) -> tuple[int, dict[str, str], object]:
        """Read one response with its JSON body."""
        status, headers = await self.head()
        body = await asyncio.wait_for(self.reader.readexactly(int(headers["content-length"])), PATIENCE_S)
        return status, headers, json.loads(body) if body else None

    async def rest(self) -> bytes:
        """Read until the peer ends; a reset counts as an end."""
        got = bytearray()
        with suppress(ConnectionError):
            async with asyncio.timeout(PATIENCE_S):
                while piece := await self.reader.read(65536):
                    got += piece
        return bytes(got)

    async def frame(self, patience_s: float = PATIENCE_S) -> tuple[int, bytes]:
        """Read one unmasked or masked frame; return first byte and payload."""
        async with asyncio.timeout(patience_s):
            first, second = await self.reader.readexactly(2)
            length = second & 0x7F
            if length >= 126:
                length = int.from_bytes(await self.reader.readexactly(2 if length == 126 else 8), "big")
            mask = await self.reader.readexactly(4) if second & 0x80 else b"\0\0\0\0"
            payload = await self.reader.readexactly(length)
        if mask == b"\0\0\0\0":
            return first, payload
        return first, bytes(byte ^ mask[i & 3] for i, byte in enumerate(payload))

    def reset(self) -> None:
        """Break the connection off with a RST."""
        sock = self.writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()

    async def close(self) -> None:
        self.writer.close()
        with suppress(ConnectionError):
            await self.writer.wait_closed()


def handshake(path: str = "/", key: str | None = None, **headers: str | None) -> bytes:
    """Return a client's handshake. Headers replace (`Upgrade=...`) or, when None, remove the usual ones."""
    key = key or base64.b64encode(os.urandom(16)).decode()
    usual: dict[str, str | None] = {
        "Host": "localhost",
        "Upgrade": "websocket",
        "Connection": "Upgrade",
        "Sec_WebSocket_Version": "13",
        "Sec_WebSocket_Key": key,
    }
    lines = [f"{name.replace('_', '-')}: {value}" for name, value in {**usual, **headers}.items() if value is not None]
    return ("\r\n".join([f"GET {path} HTTP/1.1", *lines]) + "\r\n\r\n").encode("latin-1")


def masked(first: int, payload: bytes, mask: bytes = b"\x01\x02\x03\x04") -> bytes:
    """Return one frame as clients send it."""
    size = len(payload)
    if size < 126:
        head = bytes((first, 0x80 | size))
    elif size < 65536:
        head = bytes((first, 0xFE)) + size.to_bytes(2, "big")
    else:
        head = bytes((first, 0xFF)) + size.to_bytes(8, "big")
    return head + mask + bytes(byte ^ mask[i & 3] for i, byte in enumerate(payload))


def answer_101(head: bytes, *extra: str) -> bytes:
    """Return a right answer to the handshake `head`."""
    key = next(
        line[19:].strip()
        for line in head.decode("latin-1").split("\r\n")
        if line.lower().startswith("sec-websocket-key:")
    )
    lines = [
        "HTTP/1.1 101 Switching Protocols", "Upgrade: websocket", "Connection: Upgrade",
        f"Sec-WebSocket-Accept: {accept_for(key)}", *extra,
    ]  # fmt: skip
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


@asynccontextmanager
async def raw_backend(serve: Serve) -> AsyncIterator[str]:
    """Serve raw connections with `serve`; yields the URL."""
    tasks: set[asyncio.Task[None]] = set()

    async def run(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        try:
            await serve(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            writer.close()
            with suppress(ConnectionError, asyncio.CancelledError):
                await writer.wait_closed()
            tasks.discard(task)

    server = await asyncio.start_server(run, "127.0.0.1", 0, limit=1 << 20)
    try:
        yield f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        for task in list(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def read_head(reader: asyncio.StreamReader) -> bytes:
    return await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), PATIENCE_S)


async def eventually(condition: Callable[[], object], patience_s: float = PATIENCE_S) -> None:
    """Wait until `condition` holds; fail at the deadline."""
    until = time.monotonic() + patience_s
    while not condition():
        assert time.monotonic() < until, f"still not so after {patience_s} s: {condition}"
        await asyncio.sleep(0.005)


async def settled(value: Callable[[], object], quiet_s: float = 0.3) -> None:
    """Wait until `value` is something and has not changed for `quiet_s`; fail if it never rests."""
    seen: object = None
    since = time.monotonic()
    async with asyncio.timeout(3 * PATIENCE_S):
        while not seen or time.monotonic() - since < quiet_s:
            if value() != seen:
                seen = value()
                since = time.monotonic()
            await asyncio.sleep(0.01)


def resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


def unused_port() -> int:
    """Return a port that nobody listens on, and that no outgoing connection is given."""
    return free_port()
