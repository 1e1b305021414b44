"""Output of commands: no text of strangers controls the terminal, and no output ends them with a traceback."""

import asyncio
import json
import os
import subprocess
import threading

import pytest

from integration.cli.kit import RINGWAY, environ_of, run, start
from ringway.app.engine import open_engine, read_keyring
from ringway.app.state import find_running
from ringway.protocol.report import Report
from ringway.types import Incarnation, NodeName, Role
from support.members import Speaker
from support.system import NODE_PORTS, free_port, running_system, wait_for

STEERS = "\x1b]0;X\x07"
STRANGERS = {f"evil{STEERS}[red]\u202e": "ws://h\x9b31m[bold]/", "node-v6": "ws://[fd77::3]:9101/connection/websocket"}

SHOWN = {
    "nodes": ("nodes",),
    "top": ("top", "--once"),
    "explain": ("explain", "--key", STEERS),
    "drain": ("drain", f"nobody{STEERS}"),
    "gateway": ("explain", "--gateway", STEERS),
}


@pytest.fixture(scope="module")
def system():
    """One node, and two members of which one has a name and a URL that would steer a terminal."""
    with running_system(nodes=1, environ={"RINGWAY_NODE_PORT": str(free_port(NODE_PORTS))}) as running:
        found = wait_for(lambda: find_running(running.state), "up.json")
        over = threading.Event()
        told = threading.Thread(target=lambda: asyncio.run(report(found, over)))
        told.start()
        wait_for(lambda: len(running.nodes()) == 3, "the strangers to be heard")
        yield running
        over.set()
        told.join()


async def report(found, over) -> None:
    async with open_engine(found.engine, "strangers") as engine:
        speaker = Speaker(engine, read_keyring(found.engine))
        while not over.is_set():
            for number, (name, url) in enumerate(STRANGERS.items(), 1):
                said = Report(
                    name=NodeName(name),
                    incarnation=Incarnation(f"{number:08x}"),
                    role=Role.NODE,
                    seq=0,
                    url=url,
                    weight=0,
                )
                await speaker.announce(said)
            await asyncio.sleep(0.5)


def raw_characters(text: str) -> set[str]:
    return {
        char for char in text if char != "\n" and (char < " " or "\x7f" <= char <= "\x9f" or char in "\u202e\u2066")
    }


@pytest.mark.parametrize("words", SHOWN.values(), ids=SHOWN)
def test_nothing_of_strangers_steers_the_terminal(system, words):
    done = run(system.state, *words)
    assert raw_characters(done.stdout + done.stderr) == set()
    assert "Traceback" not in done.stderr
    if words[0] == "nodes":
        assert "evil\\x1b]0;X\\x07[red]\\u202e" in done.stdout
        assert "ws://h\\x9b31m[bold]/" in done.stdout
        assert "ws://[fd77::3]:9101/connection/websocket" in done.stdout
        return
    assert "\\x1b]0;X\\x07" in done.stdout + done.stderr


def test_json_keeps_what_was_said(system):
    done = run(system.state, "nodes", "--json")
    assert raw_characters(done.stdout) == set()
    assert {node["name"]: node["url"] for node in json.loads(done.stdout)} | STRANGERS == {
        node["name"]: node["url"] for node in json.loads(done.stdout)
    }


def test_an_encoding_without_arrows_and_bars_is_enough(system):
    for words in (("top", "--once"), ("explain",)):
        done = run(system.state, *words, PYTHONIOENCODING="ascii")
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout.isascii()
        assert "node-1" in done.stdout


def test_sub_shows_what_is_published_without_effect(system):
    plain, as_json = (
        start(system.state, "sub", "room", "-n", "3"),
        start(system.state, "sub", "room", "-n", "3", "--json"),
    )
    for sub in (plain, as_json):
        next(line for line in sub.stderr if "subscribed" in line)
    published = [STEERS, {"a": "\x9b\x7f\u202e"}, "two\nlines [bold]"]
    for data in published:
        assert run(system.state, "pub", "room", json.dumps(data)).returncode == 0
    out, _ = plain.communicate(timeout=30)
    assert out.splitlines() == ["\\x1b]0;X\\x07", '{"a":"\\u009b\\u007f\\u202e"}', "two\\nlines [bold]"]
    out, _ = as_json.communicate(timeout=30)
    assert raw_characters(out) == set()
    assert [json.loads(line)["data"] for line in out.splitlines()] == published


def test_a_reader_that_has_enough_ends_sub_without_a_word(system):
    reading, writing = os.pipe()
    command = [*RINGWAY, "sub", "room"]
    sub = subprocess.Popen(command, env=environ_of(system.state), stdout=writing, stderr=subprocess.PIPE, text=True)
    os.close(writing)
    with sub.stderr:
        next(line for line in sub.stderr if "subscribed" in line)
        os.close(reading)
        assert run(system.state, "pub", "room", "x").returncode == 0
        assert sub.wait(30) == 141
        assert sub.stderr.read() == ""


@pytest.mark.parametrize("words", [("nodes",), ("nodes", "--json"), ("config", "show"), ("--help",)], ids=" ".join)
def test_an_output_that_takes_nothing_is_told_in_one_line(system, words):
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [*RINGWAY, *words], env=environ_of(system.state), stdout=full, stderr=subprocess.PIPE, text=True, timeout=60
        )
    assert done.returncode == 1
    [line] = done.stderr.splitlines()
    assert line.startswith("ringway: the output cannot be written (No space left on device)")


def test_a_secret_file_is_used_where_a_system_runs(system):
    done = run(system.state, "node", "--secret-file", "/nonexistent")
    assert done.returncode == 2
    assert "the secret file /nonexistent cannot be read" in done.stderr
