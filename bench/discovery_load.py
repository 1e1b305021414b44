"""Load generator for HTTP keep-alive requests, on raw uvloop protocols; used if wrk is not installed.

discovery_load.py PORT CONNECTIONS SECONDS PATH
"""

import asyncio
import sys

import uvloop


class Caller(asyncio.Protocol):
    """Asks again as soon as an answer is whole."""

    def __init__(self, request: bytes) -> None:
        self._request = request
        self._seen = b""
        self.answers = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        transport.write(self._request)  # type: ignore[attr-defined]

    def data_received(self, data: bytes) -> None:
        data = self._seen + data if self._seen else data
        head = data.find(b"\r\n\r\n")
        at = data.find(b"Content-Length: ")
        if head < 0 or len(data) < head + 4 + int(data[at + 16 : data.index(b"\r", at)]):
            self._seen = data
            return
        if not data.startswith(b"HTTP/1.1 200"):
            sys.exit(f"the gateway answered {data[:60]!r}")
        self._seen = b""
        self.answers += 1
        self._transport.write(self._request)  # type: ignore[attr-defined]


async def main(port: int, connections: int, seconds: float, path: str) -> None:
    request = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode()
    loop = asyncio.get_running_loop()
    callers = [
        (await loop.create_connection(lambda: Caller(request), "127.0.0.1", port))[1] for _ in range(connections)
    ]
    before = sum(caller.answers for caller in callers)
    await asyncio.sleep(seconds)
    print((sum(caller.answers for caller in callers) - before) / seconds)


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]), sys.argv[4]))
