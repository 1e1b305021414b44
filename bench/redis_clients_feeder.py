"""Publisher of the messages that `redis_clients.py` receives, as a process of its own: `redis_clients_feeder.py PORT`.

For each line "CHANNEL SIZE BURSTS" on standard input it publishes BURSTS times SIZE messages at once, with a pause
after each, so that a reader meets that many in one loop turn.
"""

import socket
import sys
import time

from redis_clients_plain import pack_by_hand

PAYLOAD = b"x" * 128
PAUSE_S = 0.001
REPLY_BYTES = len(b":1\r\n")


def main() -> None:
    with socket.create_connection(("127.0.0.1", int(sys.argv[1]))) as wire:
        wire.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for line in sys.stdin:
            channel, size, bursts = line.split()
            commands = pack_by_hand(channel.encode(), PAYLOAD) * int(size)
            for _ in range(int(bursts)):
                wire.sendall(commands)
                left = REPLY_BYTES * int(size)
                while left:
                    left -= len(wire.recv(left))
                time.sleep(PAUSE_S)


if __name__ == "__main__":
    main()
