import json
import tomllib

import pytest

from ringway.app.config import load_config
from ringway.cli.main import run

SECRET = "a secret that is not to be seen"


@pytest.fixture(autouse=True)
def _environ(monkeypatch):
    monkeypatch.setenv("RINGWAY_GATEWAY_PORT", "8123")
    monkeypatch.setenv("RINGWAY_ENGINE_SECRET", SECRET)
    monkeypatch.setenv("RINGWAY_ENGINE_URL", "nats://me:hunter2@host:4222")


def test_what_is_shown_is_a_configuration_file_of_the_same_settings(capsys):
    assert run(["config", "show"]) == 0
    shown = capsys.readouterr().out
    tables = tomllib.loads(shown)
    assert tables["gateway"]["port"] == 8123
    assert tables["node"]["path"] == load_config().config.node.path
    assert SECRET not in shown
    assert "hunter2" not in shown
    assert tables["engine"]["url"] == "nats://host:4222"


def test_origins_are_named(capsys):
    assert run(["config", "show", "--origin", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["gateway"]["port"] == {"value": 8123, "origin": "environment RINGWAY_GATEWAY_PORT"}
    assert said["gateway"]["host"]["origin"] == "default"
    assert run(["config", "show", "--origin"]) == 0
    assert "# environment RINGWAY_GATEWAY_PORT" in capsys.readouterr().out


def test_all_problems_are_lines_and_exit_code_2(capsys, monkeypatch):
    monkeypatch.setenv("RINGWAY_GATEWAY_PORT", "x")
    monkeypatch.setenv("RINGWAY_NODE_PORT", "y")
    assert run(["config", "show"]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 2
