"""Ends of systems: in order, by force, and not at all."""

import json
import os
import signal
import socket

from integration.cli.kit import end, processes_of, run, start
from ringway.app.state import find_running
from support.system import free_port, running_system, wait_for


def nobody_left(state) -> bool:
    return not processes_of(state)


def test_ctrl_c_ends_everything_and_leaves_nothing_behind():
    with running_system(nodes=1) as system:
        assert len(processes_of(system.state)) >= 3
        wait_for(lambda: find_running(system.state), "up.json")
        system.up.send_signal(signal.SIGINT)
        assert system.up.wait(30) == 0
        wait_for(lambda: nobody_left(system.state), "all processes to be gone", 5)
        assert not (system.state / "up.json").exists()
        assert "Traceback" not in (system.state / "up.out").read_text()
        for log in ("gateway-1", "node-1"):
            last = json.loads((system.state / "logs" / f"{log}.log").read_text().splitlines()[-1])
            assert (last["event"], last["exit_code"]) == ("stopped", 0)


def test_a_killed_up_takes_its_children_with_it_and_can_be_started_again():
    with running_system(nodes=1) as system:
        system.up.send_signal(signal.SIGKILL)
        system.up.wait()
        wait_for(lambda: nobody_left(system.state), "all processes to be gone", 15)
        assert run(system.state, "nodes").returncode == 2, "what a killed one left is not taken for a system"
        again = start(system.state, "up", "--nodes", "0", "--port", str(free_port()), "--admin-port", "0")
        wait_for(lambda: find_running(system.state) is not None, "the second start", 60)
        code, out, err = end(again)
        assert (code, err) == (0, "")
        assert "Ringway is up" in out
        wait_for(lambda: nobody_left(system.state), "all processes to be gone", 5)


def test_a_second_signal_ends_at_once():
    with running_system(nodes=1) as system:
        wait_for(lambda: find_running(system.state), "up.json")
        os.kill(system.pid_of("gateway-1"), signal.SIGSTOP)  # it will not stop in order
        system.up.send_signal(signal.SIGINT)
        wait_for(lambda: not (system.state / "up.json").exists(), "the stop to begin")
        system.up.send_signal(signal.SIGINT)
        assert system.up.wait(5) == 128 + signal.SIGINT
        for pid in processes_of(system.state):
            os.kill(pid, signal.SIGCONT)
        wait_for(lambda: nobody_left(system.state), "all processes to be gone", 15)


def test_a_child_that_dies_is_started_again_and_told():
    with running_system(nodes=1) as system:
        before = system.nodes()["node-1"]["incarnation"]
        system.kill("node-1")
        wait_for(lambda: system.nodes().get("node-1", {}).get("incarnation", before) != before, "the node's return")
        assert "node-1 ended (killed by SIGKILL); starting it again" in (system.state / "up.out").read_text()


def test_ports_in_use_are_said_in_one_line_and_nothing_is_left(tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        free = str(free_port())
        for arguments in (
            ("up", "--port", port),
            ("up", "--port", free, "--admin-port", port),
            ("up", "--port", free, "--nats-port", port),
            ("gateway", "--backend", "ws://127.0.0.1:1", "--port", port),
            ("gateway", "--backend", "ws://127.0.0.1:1", "--port", free, "--admin-port", port),
        ):
            done = run(tmp_path, *arguments)
            assert done.returncode == 2, arguments
            [line] = [line for line in done.stderr.splitlines() if not line.startswith("{")]
            assert port in line, arguments
            assert line.startswith("ringway: "), arguments
    assert processes_of(tmp_path) == {}
    assert not (tmp_path / "up.json").exists()


def test_what_a_child_says_at_its_start_reaches_the_terminal(tmp_path):
    done = run(tmp_path, "up", "--port", str(free_port()), RINGWAY_NODE_HOST="203.0.113.1")
    assert done.returncode == 2
    [line] = done.stderr.splitlines()
    assert "203.0.113.1" in line
    assert processes_of(tmp_path) == {}
