"""Ends of the relay benchmark, on raw uvloop protocols: a load generator, and a backend that answers at once.

Run as a process of its own:

    relay_peers.py backend PORT [PAYLOAD]            answer handshakes; then each message of PAYLOAD bytes with one
    relay_peers.py load PORT CONNECTIONS [PAYLOAD]   open connections; then obey lines on standard input:
        run SECONDS   round trips on every connection for that long; prints their number
        idle          keep the connections and do nothing; prints "idle"
        end           close and exit
    relay_peers.py tls_load PORT CONNECTIONS [PAYLOAD]   as load, over TLS; no certificate is verified
    relay_peers.py handshakes PORT CONNECTIONS [PAYLOAD]   so many workers that connect by TLS and close again
    relay_peers.py commands PORT CONNECTIONS [PAYLOAD]   the same against a channel node: each connection publishes to a
                                                     channel without subscribers, and waits for the node's reply

Both are so cheap beside a proxy, and pinned to a different core, that they do not affect the measurement.
"""

import asyncio
import base64
import hashlib
import ssl
import sys
import time

import uvloop

PAYLOAD = 64
CONNECT = b'{"id":1,"connect":{}}'
PING = b"{}"
_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_KEY = base64.b64encode(b"0123456789abcdef")


def frame(payload, *, masked=False, opcode=2):
    """A whole message, with a mask of zeros if it is `masked`."""
    bit, size = 0x80 if masked else 0, len(payload)
    length = bytes((bit | size,)) if size < 126 else bytes((bit | 126,)) + size.to_bytes(2, "big")
    return bytes((0x80 | opcode,)) + length + (bytes(4) if masked else b"") + payload


class Backend(asyncio.Protocol):
    __slots__ = ("_asked", "_head", "_left", "_response", "_transport")

    def __init__(self, payload):
        self._asked = len(frame(b"r" * payload, masked=True))
        self._response = frame(b"r" * payload)

    def connection_made(self, transport):
        self._transport = transport
        self._head = b""
        self._left = self._asked

    def data_received(self, data):
        if self._head is not None:
            self._shake(data)
            return
        left = self._left - len(data)
        if left > 0:
            self._left = left
            return
        count, over = divmod(-left, self._asked)
        self._left = self._asked - over
        self._transport.write(self._response * (count + 1))

    def _shake(self, data):
        self._head += data
        if b"\r\n\r\n" not in self._head:
            return
        lines = self._head.split(b"\r\n")
        key = next(line.split(b":")[1].strip() for line in lines if line.lower().startswith(b"sec-websocket-key"))
        accept = base64.b64encode(hashlib.sha1(key + _GUID).digest())
        self._head = None
        self._transport.write(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n"
        )


class Caller(asyncio.Protocol):
    """One connection of the load generator: the next request goes out when the answer is whole."""

    path = b"/bench"

    def __init__(self, load):
        self._load = load
        self._open = False
        self._seen = 0
        self.trips = 0

    def connection_made(self, transport):
        self.transport = transport
        transport.write(
            b"GET " + self.path + b" HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: " + _KEY + b"\r\n\r\n"
        )

    @staticmethod
    def request(payload):
        """The request that goes out again and again."""
        return frame(payload, masked=True)

    def data_received(self, data):
        if not self._open:
            self._check(data)
            self._load.opened()
            return
        self._seen += len(data)
        if self._seen >= self._load.response_bytes:
            self._seen -= self._load.response_bytes
            self._answered()

    def _check(self, data):
        if not data.startswith(b"HTTP/1.1 101"):
            sys.exit(f"the proxy answered {data[:60]!r}")
        self._open = True

    def _answered(self):
        self.trips += 1
        if self._load.running:
            self.transport.write(self._load.request)

    def connection_lost(self, exc):
        if not self._load.ending:
            sys.exit(f"a connection was lost: {exc}")


class Commander(Caller):
    """One connection to a channel node. Its answers are not counted by bytes: pings may come with them."""

    path = b"/connection/websocket"

    @staticmethod
    def request(payload):
        return frame(b'{"id":2,"publish":{"channel":"bench","data":"%b"}}' % payload, masked=True, opcode=1)

    def data_received(self, data):
        if not self._open:
            self._check(data)
            self.transport.write(frame(CONNECT, masked=True, opcode=1))
            return
        if b'"connect"' in data:
            self._load.opened()
        elif b'"publish"' in data:
            self._answered()
        elif b'"error"' in data:
            sys.exit(f"the node answered {data[:200]!r}")
        if b"\x02" + PING in data or PING + b"\n" in data or data.endswith(b"\n" + PING):
            self.transport.write(frame(PING, masked=True, opcode=1))


class Load:
    def __init__(self, port, count, payload, caller, tls=None):
        self._tls = tls
        self._caller = caller
        self.request = caller.request(b"r" * payload)
        self.response_bytes = len(frame(b"r" * payload))
        self._port = port
        self._count = count
        self._waiting = count
        self._ready = asyncio.Event()
        self._callers = []
        self.running = False
        self.ending = False

    def opened(self):
        self._waiting -= 1
        if not self._waiting:
            self._ready.set()

    async def open(self):
        loop = asyncio.get_running_loop()
        for start in range(0, self._count, 100):
            batch = min(100, self._count - start)
            async with asyncio.timeout(30):
                made = await asyncio.gather(
                    *(
                        loop.create_connection(lambda: self._caller(self), "127.0.0.1", self._port, ssl=self._tls)
                        for _ in range(batch)
                    )
                )
            self._callers += [protocol for _, protocol in made]
        await asyncio.wait_for(self._ready.wait(), 30)

    async def run(self, seconds):
        for caller in self._callers:
            caller.trips = 0
        self.running = True
        begun = time.perf_counter()
        for caller in self._callers:
            caller.transport.write(self.request)
        await asyncio.sleep(seconds)
        self.running = False
        took = time.perf_counter() - begun
        await asyncio.sleep(0.1)  # the last answers
        return sum(caller.trips for caller in self._callers), took


async def _commands(port, count, payload=PAYLOAD):
    await _load(port, count, payload, Commander)


def _unverified():
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


async def _tls_load(port, count, payload=PAYLOAD):
    await _load(port, count, payload, Caller, _unverified())


class Handshakes:
    """Workers that connect by TLS, again and again."""

    ending = False

    def __init__(self, port, count):
        self._port = port
        self._count = count
        self._context = _unverified()

    async def open(self):
        await self._connect()

    async def _connect(self):
        loop = asyncio.get_running_loop()
        transport, _ = await loop.create_connection(asyncio.Protocol, "127.0.0.1", self._port, ssl=self._context)
        transport.abort()

    async def run(self, seconds):
        done, begun = 0, time.perf_counter()

        async def work():
            nonlocal done
            while time.perf_counter() < begun + seconds:
                await self._connect()
                done += 1

        await asyncio.gather(*(work() for _ in range(self._count)))
        return done, time.perf_counter() - begun


async def _handshakes(port, count, _=PAYLOAD):
    await _obey(Handshakes(port, count))


async def _load(port, count, payload=PAYLOAD, caller=Caller, tls=None):
    await _obey(Load(port, count, payload, caller, tls))


async def _obey(load):
    await load.open()
    loop = asyncio.get_running_loop()
    print("open", flush=True)
    while True:
        line = (await loop.run_in_executor(None, sys.stdin.readline)).split()
        if not line or line[0] == "end":
            load.ending = True
            return
        if line[0] == "run":
            trips, took = await load.run(float(line[1]))
            print(trips, took, flush=True)


async def _backend(port, payload=PAYLOAD):
    server = await asyncio.get_running_loop().create_server(lambda: Backend(payload), "127.0.0.1", port, backlog=4096)
    print("listening", flush=True)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    role, *numbers = sys.argv[1:]
    roles = {
        "backend": _backend, "load": _load, "tls_load": _tls_load, "handshakes": _handshakes, "commands": _commands,
    }  # fmt: skip
    uvloop.run(roles[role](*map(int, numbers)))
