"""A log that cannot be written never stops or ends traffic: a full disk, a reader that is gone, a pipe nobody reads."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import urllib.request
from contextlib import contextmanager, suppress

import pytest

from integration.cli.kit import RINGWAY, environ_of
from support.system import free_port, wait_for

REFUSED = b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
REFUSED += b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"


@contextmanager
def gateway(state, stderr, *flags):
    """A gateway over one backend that hangs up on everybody; gives its process, its port and its admin port."""
    backend = socket.create_server(("127.0.0.1", 0), backlog=1024)
    threading.Thread(target=hang_up, args=(backend,), daemon=True).start()
    port, admin = free_port(), free_port()
    command = [*RINGWAY, "gateway", "--port", str(port), "--admin-port", str(admin), *flags]
    command += ["--backend", f"ws://127.0.0.1:{backend.getsockname()[1]}"]
    process = subprocess.Popen(command, env=environ_of(state), stdout=subprocess.DEVNULL, stderr=stderr)
    try:
        wait_for(lambda: metric(admin, "log_lines_total") is not None, "the gateway")
        yield process, port, admin
    finally:
        process.kill()
        process.wait()
        backend.close()


def hang_up(backend):
    with suppress(OSError):
        while True:
            backend.accept()[0].close()


def metric(admin, name):
    with suppress(OSError), urllib.request.urlopen(f"http://127.0.0.1:{admin}/metrics", timeout=5) as answer:
        for line in answer.read().decode().splitlines():
            if line.startswith(f"ringway_{name} "):
                return float(line.split()[1])
    return None


def answers(port) -> bool:
    with socket.create_connection(("127.0.0.1", port), timeout=10) as client:
        client.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
        return client.recv(100).startswith(b"HTTP/1.1 200")


def full_disk():
    return os.open("/dev/full", os.O_WRONLY)


def reader_gone():
    reading, writing = os.pipe()
    os.close(reading)
    return writing


@pytest.fixture
def nobody_reads():
    """A pipe that is full already, whose reader is there and does not read."""
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    with suppress(BlockingIOError):
        while True:
            os.write(writing, b"." * 4096)
    os.set_blocking(writing, True)
    yield reading, writing
    os.close(reading)
    os.close(writing)


@pytest.mark.parametrize("make", [full_disk, reader_gone], ids=["full disk", "reader gone"])
def test_traffic_goes_on_and_lost_lines_are_counted(tmp_path, make):
    stderr = make()
    with gateway(tmp_path, stderr) as (process, port, admin):
        wait_for(lambda: (metric(admin, "log_dropped_total") or 0) >= 1, "a line to be lost")
        assert answers(port)
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
    os.close(stderr)


def test_a_pipe_that_nobody_reads_stops_neither_traffic_nor_the_end(tmp_path, nobody_reads):
    _reading, writing = nobody_reads
    flags = ("--log-level", "debug", "--log-queue-bytes-max", "65536", "--log-repeats-per-s-max", "1000000")
    with gateway(tmp_path, writing, *flags) as (process, port, admin):

        def overflowed() -> bool:
            for _ in range(200):
                with socket.create_connection(("127.0.0.1", port), timeout=10) as client:
                    client.sendall(REFUSED)
                    assert client.recv(100).startswith(b"HTTP/1.1 50")
            return (metric(admin, "log_dropped_total") or 0) > 0

        wait_for(overflowed, "lines to find no room", 60)
        assert answers(port)
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0


def test_what_was_lost_is_told_when_somebody_reads_again(tmp_path, nobody_reads):
    reading, writing = nobody_reads
    flags = ("--log-queue-bytes-max", "65536", "--log-repeats-per-s-max", "1000000")
    with gateway(tmp_path, writing, *flags) as (_process, port, admin):
        wait_for(lambda: flood(port) and (metric(admin, "log_dropped_total") or 0) > 0, "lines to find no room", 60)
        os.set_blocking(reading, False)
        heard = bytearray()

        def told() -> list[dict]:
            with suppress(BlockingIOError):
                heard.extend(os.read(reading, 1 << 20))
            lines = bytes(heard).lstrip(b".").decode().split("\n")[:-1]
            return [event for event in map(json.loads, lines) if event["event"] == "lines of the log were dropped"]

        (event, *_) = wait_for(told, "the line that tells of it")
        assert event["lines"] >= 1


def flood(port) -> bool:
    for _ in range(200):
        with socket.create_connection(("127.0.0.1", port), timeout=10) as client:
            client.sendall(REFUSED)
            client.recv(100)
    return True


def test_refusals_are_summed_up_each_second(tmp_path):
    log = tmp_path / "gateway.log"
    with log.open("wb") as stderr, gateway(tmp_path, stderr) as (process, port, _admin):
        for _ in range(5):
            flood(port)
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
    events = [json.loads(line) for line in log.read_text().splitlines()]
    refusals = [event for event in events if "did not open" in event["event"]]
    assert refusals
    assert len(refusals) < 200
    told = sum(event.get("repeated", 1) for event in refusals)
    assert told == 1000


LAST_RESORTS = """
import asyncio, logging, threading, warnings
from ringway.app.log import open_log
from ringway.app.log_config import LogConfig

class Broken:
    def __del__(self):
        raise ValueError("in a finaliser")

async def main():
    asyncio.get_running_loop().call_soon(lambda: 1 / 0)
    await asyncio.sleep(0)

with open_log(LogConfig(format="json")):
    warnings.warn("a warning")
    thread = threading.Thread(target=lambda: {}["in a thread"])
    thread.start()
    thread.join()
    Broken()
    asyncio.run(main())
    logging.getLogger("library").error("%d", "no number")
    logging.getLogger("library").error("a text with half a pair \\ud83d")
"""


def test_what_python_would_print_goes_the_same_way(tmp_path):
    done = subprocess.run([sys.executable, "-c", LAST_RESORTS], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0
    lines = done.stderr.splitlines()
    for word in ("a warning", "in a thread", "in a finaliser", "ZeroDivisionError", "no number", "half a pair \\ud83d"):
        [line] = [line for line in lines if word in line]
        assert json.loads(line)["level"] in ("warning", "error")


def test_a_terminal_that_is_stopped_stops_neither_the_start_nor_the_end_of_up(tmp_path, nobody_reads):
    _, writing = nobody_reads
    words = ("up", "--nodes", "0", "--port", str(free_port()), "--admin-port", "0")
    up = subprocess.Popen([*RINGWAY, *words], env=environ_of(tmp_path), stdout=writing, stderr=writing)
    try:
        wait_for((tmp_path / "up.json").exists, "up to be ready", 60)
        up.send_signal(signal.SIGTERM)
        assert up.wait(30) == 0
    finally:
        up.kill()
        up.wait()
