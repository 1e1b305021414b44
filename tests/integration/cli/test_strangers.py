"""Strangers among the members: operators are shown them, and a stranger does not call itself ready."""

import asyncio
import json
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from integration.cli.kit import end, run, start
from integration.cli.test_system import ask
from ringway.app.engine import open_engine, read_secrets
from ringway.app.state import Running, find_running
from ringway.protocol.keyring import Keyring, Purpose
from ringway.protocol.report import INTRODUCTION, Report, encode_introduction
from ringway.protocol.seal import Sealer
from ringway.types import Incarnation, NodeName, Role
from support.members import Speaker
from support.system import NODE_PORTS, System, free_port, running_system, wait_for

STEERS = "\x1b]0;X\x07"
OTHER_SECRET = "a secret that is not the cluster's, 32 bytes and more"
FORGED, OLD, LATER, LATE = f"forged{STEERS}", "old", "later", "late"


@pytest.fixture(scope="module")
def system() -> Iterator[System]:
    with running_system(nodes=1, environ={"RINGWAY_NODE_PORT": str(free_port(NODE_PORTS))}) as running:
        yield running


@contextmanager
def strangers(found: Running) -> Iterator[None]:
    """Four members whose messages are not believed, for as long as the block runs."""
    over = threading.Event()
    told = threading.Thread(target=lambda: asyncio.run(report(found, over)))
    told.start()
    try:
        yield
    finally:
        over.set()
        told.join()


def said_by(name: str, number: int) -> Report:
    return Report(
        name=NodeName(name), incarnation=Incarnation(f"{number:08x}"), role=Role.NODE, seq=0, url="ws://localhost:1"
    )


def sealed(found: Running, report: Report, *, version: int = 2, ago_s: float = 0.0) -> bytes:
    """Seal `report` with the cluster's secret, as of another wire version or another clock."""
    import ringway.protocol.seal as seal

    sealer = Sealer(
        Keyring(read_secrets(found.engine)[0]), Purpose.REPORT, report.incarnation, lambda: time.time() - ago_s
    )
    before, seal.WIRE_VERSION = seal.WIRE_VERSION, version  # type: ignore[misc]  # a member of that version
    try:
        return sealer.seal(INTRODUCTION, report.name.encode(), encode_introduction(report))
    finally:
        seal.WIRE_VERSION = before  # type: ignore[misc]


async def report(found: Running, over: threading.Event) -> None:
    config = found.engine
    async with open_engine(config, "strangers") as engine:
        speaker = Speaker(engine, Keyring(OTHER_SECRET.encode()))
        registry = engine.registry
        while not over.is_set():
            await speaker.announce(said_by(FORGED, 1))
            await registry.announce(Role.NODE, NodeName(OLD), b'{"name":"old","role":"node","seq":1}')
            await registry.announce(Role.NODE, NodeName(LATER), sealed(found, said_by(LATER, 2), version=9))
            await registry.announce(Role.NODE, NodeName(LATE), sealed(found, said_by(LATE, 3), ago_s=1000))
            await asyncio.sleep(0.3)


def test_operators_are_shown_who_is_not_believed_and_why(system: System) -> None:
    found = wait_for(lambda: find_running(system.state), "up.json")
    with strangers(found):
        wait_for(lambda: len(json.loads(ask(f"{system.admin_url}/v1/members")[1])["strangers"]) == 4, "the strangers")
    # The gateway tells them for a while after their last message, so the command need not hear them itself.
    told = {each["name"]: each for each in json.loads(ask(f"{system.admin_url}/v1/members")[1])["strangers"]}
    assert {name: each["fault"] for name, each in told.items()} == {
        FORGED: "forged",
        OLD: "unsealed",
        LATER: "version",
        LATE: "stale",
    }
    assert "same secret" in told[FORGED]["problem"]
    assert "wire version 1" in told[OLD]["problem"]
    assert "speaks wire version 9, this cluster reads 2 to 2; upgrade" in told[LATER]["problem"]
    assert "set the clocks" in told[LATE]["problem"]
    shown = run(system.state, "nodes").stdout
    assert "forged\\x1b]0;X\\x07" in shown
    assert not {"\x1b", "\x07"} & set(shown)
    for words in ("another secret", "not sealed", "another version", "another clock", "node-1", "gateway-1"):
        assert words in shown
    assert {node["name"] for node in json.loads(run(system.state, "nodes", "--json").stdout)} == {"node-1"}
    metrics = ask(f"{system.admin_url}/metrics")[1]
    assert "ringway_gateway_strangers 4.0" in metrics
    assert 'ringway_messages_refused_total{fault="forged",purpose="report"} 0.0' not in metrics
    with strangers(found):
        wait_for(lambda: "another clock" in run(system.state, "top", "--once").stdout, "the strangers in top")
    assert ask(f"{system.admin_url}/readyz")[0] == 200, "strangers make nobody else unready"


@contextmanager
def member(
    found: Running, directory: Path, role: str, *more: str, cluster: str = "", secret: bytes = OTHER_SECRET.encode()
) -> Iterator[tuple["subprocess.Popen[str]", int]]:
    """A member with another secret than the cluster's, unless it is given; and its admin port."""
    admin = free_port()
    process = start(
        directory,
        *(role, *joining(found, directory, cluster, secret), "--port", str(free_port()), "--admin-port", str(admin)),
        *("--log-format", "json", *more),
    )
    try:
        yield process, admin
    finally:
        end(process)


def joining(
    found: Running, directory: Path, cluster: str = "", secret: bytes = OTHER_SECRET.encode()
) -> tuple[str, ...]:
    """The flags that lead to the engine, with this secret."""
    file = directory / "secret"
    if not file.exists():
        file.touch(0o600)
        file.write_bytes(secret)
    return ("--engine", found.engine_url, "--cluster", cluster or found.cluster, "--secret-file", str(file))


@pytest.mark.parametrize("role", ["node", "gateway"])
def test_a_member_with_another_secret_does_not_call_itself_ready(system: System, tmp_path: Path, role: str) -> None:
    found = wait_for(lambda: find_running(system.state), "up.json")
    with member(found, tmp_path, role) as (process, admin):
        wait_for(lambda: answered(admin, "another secret"), "a member that says why it is not ready")
        assert ask(f"http://127.0.0.1:{admin}/readyz")[0] == 503
        assert ask(f"http://127.0.0.1:{admin}/healthz")[0] == 200
        assert "another secret" in run(system.state, "nodes").stdout
        wait_for(lambda: answered(admin, "another secret"), "the same a second later")
        _, out, err = end(process)
    assert (out + err).count("this member is not ready") == 1


COMMANDS = {
    "nodes": ("nodes",),
    "nodes as JSON": ("nodes", "--json"),
    "top": ("top", "--once"),
    "drain": ("drain", "node-1"),
    "rebalance": ("rebalance", "--dry-run"),
    "moves": ("moves",),
    "policy": ("policy",),
    "roll": ("roll", "--dry-run", "--command", "true"),
}


@pytest.mark.parametrize("words", COMMANDS.values(), ids=COMMANDS)
def test_a_command_with_another_secret_fails_and_names_the_secret(
    system: System, tmp_path: Path, words: tuple[str, ...]
) -> None:
    found = wait_for(lambda: find_running(system.state), "up.json")
    done = run(tmp_path, *words, *joining(found, tmp_path))
    assert done.returncode == 2, done.stdout
    assert "it hears 2 members of this cluster with another secret; give it the secret of the cluster" in done.stderr
    assert ("node-1" in done.stdout) == (words == ("nodes",)), "only the list shows who is not believed"


def test_the_live_view_shows_what_gateways_find_wrong_with_a_node(system: System, tmp_path: Path) -> None:
    found = wait_for(lambda: find_running(system.state), "up.json")
    wrong = f"ws://127.0.0.1:{free_port()}/connection/websocket"
    with member(found, tmp_path, "node", "--name", "astray", "--url", wrong, secret=read_secrets(found.engine)[0]):
        wait_for(lambda: "astray gets no clients" in run(system.state, "nodes").stdout, "the problem in nodes")
        shown = run(system.state, "top", "--once").stdout
        row = json.loads(run(system.state, "top", "--json").stdout)[0]
    assert "astray gets no clients: its URL " + wrong + " cannot be reached" in " ".join(shown.split())
    assert row["name"] == "astray"
    assert "cannot be reached" in row["problems"]["gateway-1"]


def answered(port: int, words: str) -> bool:
    try:
        return words in ask(f"http://127.0.0.1:{port}/readyz")[1]
    except OSError:
        return False


def test_a_single_node_is_ready(system: System, tmp_path: Path) -> None:
    found = wait_for(lambda: find_running(system.state), "up.json")
    with member(found, tmp_path, "node", cluster="another") as (_, admin):
        wait_for(lambda: answered(admin, '"ready":true'), "a node that is ready")
