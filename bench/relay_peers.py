"""The two ends of the relay benchmark, on raw uvloop protocols: a load generator, and a backend that answers at once.

Run as a process of its own:

    relay_peers.py backend PORT             answer handshakes; then each 70-byte frame with a 66-byte one
    relay_peers.py load PORT CONNECTIONS    open connections; then obey lines on standard input:
        run SECONDS   round trips on every connection for that long; prints their number
        idle          keep the connections and do nothing; prints "idle"
        end           close and exit

Both are so cheap beside a proxy, and pinned to another core, that neither is what is measured.
"""

import asyncio
import base64
import hashlib
import sys
import time

import uvloop

PAYLOAD = 64
REQUEST = bytes((0x82, 0x80 | PAYLOAD, 0, 0, 0, 0)) + b"r" * PAYLOAD
RESPONSE = bytes((0x82, PAYLOAD)) + b"r" * PAYLOAD
_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_KEY = base64.b64encode(b"0123456789abcdef")


class Backend(asyncio.Protocol):
    __slots__ = ("_head", "_left", "_transport")

    def connection_made(self, transport):
        self._transport = transport
        self._head = b""
        self._left = len(REQUEST)

    def data_received(self, data):
        if self._head is not None:
            self._shake(data)
            return
        left = self._left - len(data)
        if left > 0:
            self._left = left
            return
        count, over = divmod(-left, len(REQUEST))
        self._left = len(REQUEST) - over
        self._transport.write(RESPONSE * (count + 1))

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

    __slots__ = ("_load", "_open", "_seen", "transport", "trips")

    def __init__(self, load):
        self._load = load
        self._open = False
        self._seen = 0
        self.trips = 0

    def connection_made(self, transport):
        self.transport = transport
        transport.write(
            b"GET /bench HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: " + _KEY + b"\r\n\r\n"
        )

    def data_received(self, data):
        if not self._open:
            if not data.startswith(b"HTTP/1.1 101"):
                sys.exit(f"the proxy answered {data[:60]!r}")
            self._open = True
            self._load.opened()
            return
        self._seen += len(data)
        if self._seen >= len(RESPONSE):
            self._seen -= len(RESPONSE)
            self.trips += 1
            if self._load.running:
                self.transport.write(REQUEST)

    def connection_lost(self, exc):
        if not self._load.ending:
            sys.exit(f"a connection was lost: {exc}")


class Load:
    def __init__(self, port, count):
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
                    *(loop.create_connection(lambda: Caller(self), "127.0.0.1", self._port) for _ in range(batch))
                )
            self._callers += [protocol for _, protocol in made]
        await asyncio.wait_for(self._ready.wait(), 30)

    async def run(self, seconds):
        for caller in self._callers:
            caller.trips = 0
        self.running = True
        begun = time.perf_counter()
        for caller in self._callers:
            caller.transport.write(REQUEST)
        await asyncio.sleep(seconds)
        self.running = False
        took = time.perf_counter() - begun
        await asyncio.sleep(0.1)  # the last answers
        return sum(caller.trips for caller in self._callers), took


async def _load(port, count):
    load = Load(port, count)
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


async def _backend(port):
    server = await asyncio.get_running_loop().create_server(Backend, "127.0.0.1", port, backlog=4096)
    print("listening", flush=True)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    role, *numbers = sys.argv[1:]
    uvloop.run({"backend": _backend, "load": _load}[role](*map(int, numbers)))
