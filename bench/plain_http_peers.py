"""Ends of the benchmark of plain HTTP, on raw uvloop protocols: a load generator, and a backend that answers at once.

plain_http_peers.py backend PORT PAYLOAD            answer each POST of PAYLOAD bytes with as many
plain_http_peers.py load PORT CONNECTIONS PAYLOAD   keep connections; `run SECONDS` prints requests and seconds
"""

import asyncio
import sys
import time

import uvloop

HEADERS = (
    b"User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36\r\nAccept: */*\r\nAccept-Encoding: gzip, br\r\n"
    b"Accept-Language: en-US,en;q=0.9\r\nOrigin: http://localhost\r\nContent-Type: application/json\r\n"
)


class Backend(asyncio.Protocol):
    """One connection of the proxy, on which requests of any framing come."""

    def __init__(self, payload):
        self._payload = payload
        self._answer = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % payload
        self._answer += b"r" * payload
        self._data = b""

    def connection_made(self, transport):
        self._transport = transport

    def data_received(self, data):
        self._data += data
        while (end := self._data.find(b"\r\n\r\n")) >= 0 and len(self._data) >= end + 4 + self._payload:
            self._data = self._data[end + 4 + self._payload :]
            self._transport.write(self._answer)


class Caller(asyncio.Protocol):
    """One connection of the load generator: the next request goes out when the answer is whole."""

    def __init__(self, payload, done):
        self._request = b"POST /bench HTTP/1.1\r\nHost: localhost\r\n" + HEADERS
        self._request += b"Content-Length: %d\r\n\r\n" % payload + b"q" * payload
        self._payload = payload
        self._done = done
        self._left = -1
        self.trips = 0
        self.running = False

    def connection_made(self, transport):
        self.transport = transport

    def begin(self):
        self.running = True
        self.transport.write(self._request)

    def data_received(self, data):
        if self._left < 0:
            end = data.index(b"\r\n\r\n")
            assert data.startswith(b"HTTP/1.1 200"), data[:200]
            self._left = self._payload - (len(data) - end - 4)
        else:
            self._left -= len(data)
        if self._left == 0:
            self._left = -1
            self.trips += 1
            if self.running:
                self.transport.write(self._request)
            else:
                self._done()


async def load(port, connections, payload):
    loop = asyncio.get_running_loop()
    pending = 0
    quiet = asyncio.Event()

    def done():
        nonlocal pending
        pending -= 1
        if not pending:
            quiet.set()

    callers = []
    for _ in range(connections):
        _, caller = await loop.create_connection(lambda: Caller(payload, done), "127.0.0.1", port)
        callers.append(caller)
    print("ready", flush=True)
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        seconds = float(line.split()[1])
        before, begun = sum(caller.trips for caller in callers), time.perf_counter()
        pending = len(callers)
        quiet.clear()
        for caller in callers:
            caller.begin()
        await asyncio.sleep(seconds)
        for caller in callers:
            caller.running = False
        await quiet.wait()
        print(sum(caller.trips for caller in callers) - before, time.perf_counter() - begun, flush=True)


async def backend(port, payload):
    server = await asyncio.get_running_loop().create_server(lambda: Backend(payload), "127.0.0.1", port)
    print("ready", flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    role, *numbers = sys.argv[1:]
    uvloop.run({"backend": backend, "load": load}[role](*map(int, numbers)))
