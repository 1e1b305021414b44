"""Signals: what ends a process, what does not, and how commands end."""

import os
import pty
import signal
import socket
import subprocess
import sys
from contextlib import suppress

import pytest

from integration.cli.kit import RINGWAY, end, environ_of, start
from ringway.app.state import find_running
from support.system import NODE_PORTS, free_port, running_system, wait_for

GATEWAY = ("gateway", "--backend", "ws://127.0.0.1:1", "--port", "0")


def line_of(process, word: str) -> str:
    """The next line of its log that holds `word`."""
    return next(line for line in process.stderr if word in line)


def test_sighup_changes_nothing_and_is_told(tmp_path):
    gateway = start(tmp_path, *GATEWAY)
    line_of(gateway, "gateway listens")
    gateway.send_signal(signal.SIGHUP)
    assert "settings are read at the start" in line_of(gateway, "SIGHUP")
    assert end(gateway, signal.SIGTERM)[0] == 0


def test_a_sighup_that_comes_while_it_starts_is_told_then(tmp_path):
    hung_up = (
        "import os, signal, sys; signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGHUP]);"
        "os.kill(os.getpid(), signal.SIGHUP); os.execv(sys.argv[1], sys.argv[1:])"
    )
    command = [sys.executable, "-c", hung_up, *RINGWAY, *GATEWAY]
    gateway = subprocess.Popen(
        command, env=environ_of(tmp_path), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert "settings are read at the start" in line_of(gateway, "SIGHUP")
    assert end(gateway, signal.SIGTERM)[0] == 0


def test_nohup_is_respected(tmp_path):
    ignoring = "import os, signal, sys; signal.signal(1, signal.SIG_IGN); os.execv(sys.argv[1], sys.argv[1:])"
    command = [sys.executable, "-c", ignoring, *RINGWAY, *GATEWAY]
    gateway = subprocess.Popen(command, env=environ_of(tmp_path), stderr=subprocess.PIPE, text=True)
    line_of(gateway, "gateway listens")
    gateway.send_signal(signal.SIGHUP)
    gateway.send_signal(signal.SIGTERM)
    _, err = gateway.communicate(timeout=30)
    assert gateway.returncode == 0
    assert "SIGHUP" not in err


@pytest.fixture(scope="module")
def system():
    with running_system(nodes=1, environ={"RINGWAY_NODE_PORT": str(free_port(NODE_PORTS))}) as running:
        wait_for(lambda: find_running(running.state), "up.json")
        yield running


def test_a_whole_system_outlives_its_terminal(system):
    life = system.nodes()["node-1"]["incarnation"]
    for name in ("gateway-1", "node-1"):
        system.kill(name, signal.SIGHUP)
    system.up.send_signal(signal.SIGHUP)
    wait_for(lambda: "SIGHUP" in (system.state / "up.log").read_text(), "up to have heard it")
    for name in ("gateway-1", "node-1"):
        log = system.state / "logs" / f"{name}.log"
        wait_for(lambda log=log: "SIGHUP" in log.read_text(), "the child to have heard it")
    assert system.nodes()["node-1"]["incarnation"] == life
    assert system.up.poll() is None


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["SIGINT", "SIGTERM"])
def test_commands_end_with_the_code_of_the_signal_and_no_words(system, number):
    sub = start(system.state, "sub", "room")
    line_of(sub, "subscribed")
    assert end(sub, number) == (128 + number, "", "")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["SIGINT", "SIGTERM"])
def test_top_gives_the_terminal_back(system, number):
    ours, theirs = pty.openpty()
    environ = environ_of(system.state, TERM="xterm-256color")
    top = subprocess.Popen([*RINGWAY, "top"], env=environ, stdin=theirs, stdout=theirs, stderr=theirs)
    os.close(theirs)
    shown = b""
    while b"node-1" not in shown:
        shown += os.read(ours, 65536)
    assert b"\x1b[?1049h" in shown, "it uses the other screen"
    top.send_signal(number)
    while b"\x1b[?1049l" not in shown or b"\x1b[?25h" not in shown:
        shown += os.read(ours, 65536)
    assert top.wait(30) == 128 + number
    os.close(ours)


def test_a_process_that_is_still_starting_ends_in_order(tmp_path):
    silent = ("node", "--engine", "nats://192.0.2.1:4222", "--secret", "s" * 32, "--engine-wait-s", "60")
    node = start(tmp_path, *silent, "--log-level", "debug")
    wait_for(lambda: _catches(node.pid, signal.SIGTERM), "the node to be starting")
    code, _, err = end(node, signal.SIGTERM)
    assert code == 128 + signal.SIGTERM
    assert "Traceback" not in err


def _catches(pid: int, number: int) -> bool:
    with open(f"/proc/{pid}/status") as status:
        caught = next(line for line in status if line.startswith("SigCgt:"))
    return bool(int(caught.split()[1], 16) >> (number - 1) & 1)


def test_a_port_that_somebody_else_takes_meanwhile_is_left_to_them(system):
    with socket.socket() as other:
        port = int(system.nodes()["node-1"]["url"].rpartition(":")[2].partition("/")[0])
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)

        def taken() -> bool:
            with suppress(LookupError):  # it is about to be started again
                system.kill("node-1")
            for _ in range(1000):
                with suppress(OSError):
                    other.bind(("127.0.0.1", port))
                    other.listen()
                    return True
            return False

        wait_for(taken, "the port")
        elsewhere = {"url": f":{port}/"}
        wait_for(lambda: f":{port}/" not in system.nodes().get("node-1", elsewhere)["url"], "another port", 60)
        assert "takes another port" in (system.state / "up.out").read_text()
