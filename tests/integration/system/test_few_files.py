"""Processes that may have few open files: silent sockets use no descriptors that newcomers need."""

import socket
import time
from collections.abc import Iterator
from contextlib import closing, suppress

import pytest

from support.system import System, free_port, running_system, wait_for

LIMITED = ("prlimit", "--nofile=300:300")
SILENT = 400
START_S = 120.0
GREEDY, OTHER = "127.0.0.2", "127.0.0.3"
HEALTH = b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n"
UPGRADE = (
    b"GET %b HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)


@pytest.fixture(scope="module")
def system() -> Iterator[System]:
    with running_system(nodes=0) as running:
        yield running


def dial(port: int, source: str) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), timeout=10, source_address=(source, 0))


def status_of(port: int, request: bytes, source: str = OTHER) -> int:
    """Send a request and return the status of its answer; 0 where there was none."""
    with closing(dial(port, source)) as sock, suppress(ConnectionError):
        sock.sendall(request)
        head = sock.recv(4096)
        return int(head.split()[1]) if head else 0
    return 0


def port_of(url: str) -> int:
    return int(url.partition("//")[2].partition("/")[0].rpartition(":")[2])


def hold_silent(port: int) -> list[socket.socket]:
    return [dial(port, GREEDY) for _ in range(SILENT)]


def test_a_gateway_answers_newcomers_and_its_admin_port_as_well(system: System) -> None:
    port, admin = free_port(), free_port()
    process = system.start(
        "gateway", "--port", str(port), "--admin-port", str(admin), "--backend", "ws://127.0.0.1:9", within=LIMITED
    )
    wait_for(lambda: status_of(port, HEALTH) == 200, "the gateway", START_S)
    silent = [*hold_silent(port), *hold_silent(admin)]
    answers = [status_of(port, HEALTH) for _ in range(20)] + [status_of(admin, HEALTH) for _ in range(20)]
    assert answers == [200] * 40
    for sock in silent:
        sock.close()
    refused = [dial(port, GREEDY) for _ in range(SILENT)]  # each is told why, and stays as long as it may
    for sock in refused:
        with suppress(OSError):
            sock.sendall(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\n\r\n")
    assert status_of(port, HEALTH) == 200
    for sock in refused:
        sock.close()
    assert process.poll() is None
    log = (system.state / "gateway-beside-0.log").read_text()
    assert "this process may have few open files" in log
    assert "Traceback" not in log


def test_a_node_lets_newcomers_in_and_refuses_with_an_answer(system: System) -> None:
    process = system.start("node", "--name", "few", within=LIMITED)
    wait_for(lambda: "few" in system.nodes(), "the node", START_S)
    node = system.nodes()["few"]
    port, admin = port_of(node["url"]), port_of(node["admin_url"])
    path = b"/connection/websocket"
    silent = [*hold_silent(port), *hold_silent(admin)]
    held = [dial(port, OTHER) for _ in range(10)]
    for sock in held:
        sock.sendall(UPGRADE % path)
        assert b" 101 " in sock.recv(4096)
    assert status_of(admin, HEALTH) == 200
    for sock in silent:
        sock.close()
    # Full, it still answers.
    statuses: list[int] = []
    until = time.monotonic() + 60
    while 503 not in statuses and time.monotonic() < until:
        held.append(dial(port, f"127.0.3.{len(held) % 200 + 1}"))
        held[-1].sendall(UPGRADE % path)
        statuses.append(int((held[-1].recv(4096) or b"- 0").split()[1]))
    assert set(statuses) == {101, 503}
    assert statuses.count(101) > 100
    for sock in held:
        sock.close()
    assert process.poll() is None
