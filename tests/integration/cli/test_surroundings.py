"""Commands in surroundings that lack something: one clear line, the right exit code, and never a traceback."""

import subprocess

import pytest

from integration.cli.kit import RINGWAY, environ_of, run
from support.system import free_port


def test_a_host_that_cannot_be_one_is_one_line_and_exit_code_2(tmp_path):
    gateway = ("gateway", "--backend", "ws://127.0.0.1:1", "--port", "0")
    refused = {
        (*gateway, "--host"): "cannot listen on",
        (*gateway, "--admin-host"): "cannot be opened",
        ("up", "--host"): "the gateway port",
    }
    for words, why in refused.items():
        done = run(tmp_path, *words, "a" * 70)
        assert done.returncode == 2, done.stderr
        [line] = [line for line in done.stderr.splitlines() if not line.startswith("{")]
        assert line.startswith("ringway: ")
        assert why in line


@pytest.mark.parametrize("closed", [">&-", "<&- >&- 2>&-"], ids=["out", "all"])
def test_closed_streams_do_no_harm(tmp_path, closed):
    command = f"{' '.join(RINGWAY)} nodes {closed}"
    done = subprocess.run(["sh", "-c", command], env=environ_of(tmp_path), capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("words", ["version", "--help", "nodes --help"], ids=["text", "help", "help of a command"])
def test_closed_standard_output_is_told_whatever_would_write_there(tmp_path, words):
    command = f"{' '.join(RINGWAY)} {words} >&-"
    done = subprocess.run(["sh", "-c", command], env=environ_of(tmp_path), capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        "ringway: the output cannot be written (it is closed); give standard output a place that takes it"
    ]


LEFT = {
    "the log a directory": ("up.log/", "cannot be used"),
    "the data of NATS a file": ("nats", "cannot be written"),
}


@pytest.mark.parametrize(("left", "why"), LEFT.values(), ids=LEFT)
def test_a_state_directory_that_cannot_be_used_is_told(tmp_path, left, why):
    (tmp_path / left).mkdir() if left.endswith("/") else (tmp_path / left).touch()
    done = run(tmp_path, "up", "--nodes", "0", "--port", str(free_port()), "--admin-port", "0")
    assert done.returncode == 2
    [line] = done.stderr.splitlines()
    assert why in line


def test_up_on_a_full_disk_is_told(tmp_path):
    """The limit on the size of files stands for the disk: the first write of the embedded server's settings fails."""
    words = [*RINGWAY, "up", "--nodes", "0", "--port", str(free_port()), "--admin-port", "0"]
    command = ["prlimit", "--fsize=100", *words]
    done = subprocess.run(command, env=environ_of(tmp_path), capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    [line] = done.stderr.splitlines()
    assert "File too large" in line


def test_service_links_of_kubernetes_are_ignored_and_told(tmp_path):
    port = str(free_port())
    words = ("gateway", "--backend", "ws://127.0.0.1:1", "--host", "203.0.113.1", "--port", port)
    done = run(tmp_path, *words, RINGWAY_ADMIN_PORT="tcp://10.96.1.2:8001", RINGWAY_GATEWAY_SERVICE_HOST="10.96.1.2")
    assert done.returncode == 2
    first, last = done.stderr.splitlines()
    assert "variables that Kubernetes makes" in first
    assert "203.0.113.1" in last, "it came as far as listening"
