"""Publisher of the messages that `nats_clients.py` receives, as a process of its own: `nats_clients_feeder.py PORT`.

For each line "SUBJECT SIZE BURSTS" on standard input it publishes BURSTS times SIZE messages at once, with a pause
after each burst, so that a reader meets that many in one loop turn.
"""

import socket
import sys
import time

PAYLOAD = b"x" * 128
PAUSE_S = 0.001


def main() -> None:
    with socket.create_connection(("127.0.0.1", int(sys.argv[1]))) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        lines = connection.makefile("rb")
        lines.readline()
        connection.sendall(b'CONNECT {"verbose":false}\r\n')
        for line in sys.stdin:
            subject, size, bursts = line.split()
            burst = b"PUB %s %d\r\n%s\r\n" % (subject.encode(), len(PAYLOAD), PAYLOAD) * int(size) + b"PING\r\n"
            for _ in range(int(bursts)):
                connection.sendall(burst)
                while lines.readline() != b"PONG\r\n":
                    connection.sendall(b"PONG\r\n")  # the server asks, or describes itself
                time.sleep(PAUSE_S)


if __name__ == "__main__":
    main()
