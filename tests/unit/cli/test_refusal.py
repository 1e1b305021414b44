"""Refusals of commands are one line on stderr and an exit code, for any input."""

import pytest

from ringway.cli.main import run

DEEP = "[" * 100_000
HALF = "\udcff"
"""A byte of the command line that is no UTF-8, as Python holds it (PEP 383)."""

REFUSED = {
    "data that is no text": (("pub", "room", f'"{HALF}"'), "is not UTF-8; write it in that encoding"),
    "channel that is no text": (("pub", HALF, "x"), "is not UTF-8"),
    "option that is no text": (("explain", "--key", HALF), "is not UTF-8"),
    "command that is no text": ((HALF,), "is not UTF-8"),
    "deep data": (("pub", "room", DEEP, "--url", "ws://127.0.0.1:1"), "nested too deep"),
    "negative seed": (("simulate", "--seed", "-5"), "seed: Expected `int` >= 0"),
    "pace of nothing": (("simulate", "--moves-per-s", "nan"), "give a number above 0"),
    "two systems": (("nodes", "--engine", "nats://127.0.0.1:1", "--state", "x"), "name a system each"),
    "two gateways": (("pub", "a", "b", "--url", "ws://h", "--state", "x"), "name a gateway each"),
    "a state of nothing": (("simulate", "--state", "x"), "with what --from-cluster begins"),
    "two beginnings": (("simulate", "quiet", "--from-cluster"), "give one of them"),
    "moves of keys": (("simulate", "placement", "--moves-per-s", "5"), "placement moves nobody"),
    "no settings": (("gateway", "--config", "/"), "cannot be read"),
    "no scenario": (("simulate", "none.toml"), "cannot be read"),
    "no home": (("nodes", "--state", "~nobody-of-that-name"), "give one with --state"),
}


@pytest.fixture(autouse=True)
def _alone(tmp_path, monkeypatch):
    monkeypatch.setenv("RINGWAY_STATE_DIR", str(tmp_path))


def only_line(capsys) -> str:
    said = capsys.readouterr()
    assert said.out == ""
    [line] = said.err.splitlines()
    assert line.startswith("ringway: ")
    return line


@pytest.mark.parametrize(("words", "why"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_is_one_line_and_exit_code_2(capsys, words, why):
    assert run(words) == 2
    assert why in only_line(capsys)


@pytest.mark.parametrize("words", [("gateway", "--config"), ("simulate",)], ids=["gateway", "simulate"])
@pytest.mark.parametrize(
    ("text", "why"), [(f"a={DEEP}".encode(), "nested too deep"), (b"\xff", "utf-8")], ids=["deep", "no UTF-8"]
)
def test_files_that_are_no_settings_are_told(tmp_path, capsys, words, text, why):
    file = tmp_path / "settings.toml"
    file.write_bytes(text)
    assert run((*words, str(file))) == 2
    assert why in only_line(capsys)


def test_backends_are_nothing_for_a_node(monkeypatch, capsys):
    monkeypatch.setenv("RINGWAY_STATIC_BACKENDS", "ws://h")
    assert run(("node",)) == 2
    assert "static.backends (environment RINGWAY_STATIC_BACKENDS) is for gateways" in only_line(capsys)


def test_a_fault_of_our_own_is_one_line_too(monkeypatch, capsys):
    def fail(**_: object) -> None:
        raise KeyError("x")

    monkeypatch.setattr("ringway.cli.pub.gateway_urls", fail)
    monkeypatch.setattr("ringway.cli.pub.read_data", fail)
    assert run(("pub", "room", "x", "--url", "ws://127.0.0.1:1")) == 1
    assert "a fault of ringway itself: " in only_line(capsys)
