"""Blocking gateway: a thread for each direction of each connection. The relay benchmark shows its cost as a warning.

    threaded_relay.py PORT BACKEND_PORT

It passes the handshake on as it is and checks nothing, so it does less than every other proxy.
"""

import contextlib
import socket
import sys
import threading


def copy(source: socket.socket, target: socket.socket) -> None:
    """Copy one direction until its end."""
    with contextlib.suppress(OSError):
        while piece := source.recv(65536):
            target.sendall(piece)
    with contextlib.suppress(OSError):
        target.shutdown(socket.SHUT_WR)


def serve(client: socket.socket, backend_port: int) -> None:
    """Relay one connection: the first direction here, the second direction in a thread of its own."""
    with client, socket.create_connection(("127.0.0.1", backend_port)) as backend:
        for sock in (client, backend):
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        back = threading.Thread(target=copy, args=(backend, client), daemon=True)
        back.start()
        copy(client, backend)
        back.join()


def main(port: int, backend_port: int) -> None:
    threading.stack_size(256 * 1024)
    with socket.create_server(("127.0.0.1", port), backlog=4096) as listener:
        while True:
            client, _ = listener.accept()
            threading.Thread(target=serve, args=(client, backend_port), daemon=True).start()


if __name__ == "__main__":
    main(*map(int, sys.argv[1:3]))
