"""Subscribers that read and discard, many in a process of their own: `fanout_client.py PORT COUNT PREFIX [CHANNELS]`.

Each opens a WebSocket. With a PREFIX it sends the connect command and subscribes to the channel PREFIX, or with
CHANNELS "own" to a channel of its own; "-" sends nothing. Prints a line when all have joined, and the number of bytes
read since at each line on standard input. Pings of the server are answered.
"""

import os
import re
import select
import socket
import sys

PATH = "/connection/websocket"
PING = b"\x81\x02{}"
PONG = b"\x81\x82\x00\x00\x00\x00{}"


def text(payload: bytes) -> bytes:
    """A client's frame with a mask of zeros."""
    return bytes((0x81, 0x80 | len(payload))) + bytes(4) + payload if len(payload) < 126 else _long(payload)


def _long(payload: bytes) -> bytes:
    return bytes((0x81, 0x80 | 126)) + len(payload).to_bytes(2, "big") + bytes(4) + payload


def open_one(port: int, channel: str | None) -> socket.socket:
    """Open a WebSocket; return when it is subscribed."""
    sock = socket.create_connection(("127.0.0.1", port))
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.sendall(
        f"GET {PATH} HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
    )
    wait_for(sock, rb"\r\n\r\n")
    if channel is not None:
        commands = b'{"id":1,"connect":{}}\n{"id":2,"subscribe":{"channel":"%s"}}' % channel.encode()
        sock.sendall(text(commands))
        # The first ping may come before the last reply, or right behind it.
        if PING in wait_for(sock, rb'\{"id":2,"subscribe":\{.*\}\}(?:\x81\x02\{\})?'):
            sock.sendall(PONG)
    sock.setblocking(False)
    return sock


def wait_for(sock: socket.socket, end: bytes) -> bytes:
    """Read until the data ends with the pattern `end`; return it."""
    data = b""
    while not re.search(end + rb"\Z", data):
        part = sock.recv(65536)
        if not part:
            raise ConnectionError(f"the server closed: {data!r}")
        data += part
    return data


def main() -> None:
    port, count, prefix = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
    own = len(sys.argv) > 4 and sys.argv[4] == "own"
    names = [None if prefix == "-" else f"{prefix}-{os.getpid()}-{n}" if own else prefix for n in range(count)]
    sockets = {sock.fileno(): sock for sock in (open_one(port, name) for name in names)}
    print("joined", flush=True)
    poll = select.epoll()
    poll.register(0, select.EPOLLIN)
    for descriptor in sockets:
        poll.register(descriptor, select.EPOLLIN)
    read = 0
    while True:
        for descriptor, _ in poll.poll():
            if descriptor == 0:
                if not os.read(0, 4096):
                    return
                print(read, flush=True)
                continue
            try:
                data = sockets[descriptor].recv(262144)
            except OSError:
                data = b""
            if data == PING:
                sockets[descriptor].send(PONG)
            elif data:
                read += len(data)
            else:
                poll.unregister(descriptor)


if __name__ == "__main__":
    if hasattr(os, "sched_setaffinity") and (os.cpu_count() or 1) > 1:
        os.sched_setaffinity(0, {1})
    main()
