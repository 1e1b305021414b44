"""`ringway config show` and `check`: the effective settings with their sources, routes, and every problem."""

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


ROUTES = """
[[route]]
path = "/chat"
host = "*.Chat.test."
group = "chat"
policy = { name = "ring", key = "path" }
restart_codes = [1001, 1011]

[[route]]
path = "/"
"""

SHORT = ("path=/chat host=*.Chat.test. group=chat policy=ring:key=path restart-codes=1001+1011", "path=/")


@pytest.fixture
def file(tmp_path):
    """A configuration file with two routes."""
    path = tmp_path / "ringway.toml"
    path.write_text(ROUTES)
    return path


def test_routes_are_read_from_tables_and_from_the_environment(file):
    assert load_config(file=str(file), environ={}).config.gateway.routes == SHORT
    loaded = load_config(environ={"RINGWAY_GATEWAY_ROUTES": ";".join(SHORT)})
    assert loaded.config.gateway.routes == SHORT
    assert loaded.origin("gateway.routes") == "environment RINGWAY_GATEWAY_ROUTES"
    later = load_config(file=str(file), environ={"RINGWAY_GATEWAY_ROUTES": "path=/live"})
    assert later.config.gateway.routes == ("path=/live",), "the environment is the later source"


def test_good_routes_are_told_with_their_groups(capsys, file):
    assert run(["config", "check", "--config", str(file)]) == 0
    said = capsys.readouterr().out.splitlines()
    assert said[1:] == ["*.chat.test/chat leads to the group chat", "*/ leads to the group default"]


@pytest.mark.parametrize(
    ("routes", "said"),
    [
        ("path=//chat", "no // (an empty segment)"),
        ("host=a.b group=x;host=A.B. group=y", "two routes are for host a.b and path /"),
        ("policy=fastest", "fastest"),
        ("check=/a#b", "the check '/a#b'"),
    ],
    ids=["path", "twice", "policy", "check"],
)
def test_wrong_routes_are_refused_with_exit_code_2(capsys, monkeypatch, routes, said):
    monkeypatch.setenv("RINGWAY_GATEWAY_ROUTES", routes)
    assert run(["config", "check"]) == 2
    assert said in capsys.readouterr().err


def test_a_route_to_a_group_that_no_backend_names_is_refused(capsys, monkeypatch):
    monkeypatch.delenv("RINGWAY_ENGINE_URL")
    monkeypatch.setenv("RINGWAY_STATIC_BACKENDS", "ws://127.0.0.1:1,group=feed")
    monkeypatch.setenv("RINGWAY_GATEWAY_ROUTES", "path=/chat group=chat")
    assert run(["config", "check"]) == 2
    assert "leads to the group 'chat', and the backends are in feed" in capsys.readouterr().err


def test_check_refuses_the_backends_that_the_start_refuses(capsys, monkeypatch, tmp_path):
    file = tmp_path / "gateway.toml"
    file.write_text('[static]\nbackends = ["http://127.0.0.1:9182,group=chat", "ws://127.0.0.1:9183,grp=feed"]\n')
    for name in ("RINGWAY_ENGINE_URL", "RINGWAY_ENGINE_SECRET"):
        monkeypatch.delenv(name)
    assert run(["config", "check", "--config", str(file)]) == 2
    checked = capsys.readouterr().err.splitlines()
    assert run(["gateway", "--config", str(file)]) == 2
    assert capsys.readouterr().err.splitlines() == checked
    assert len(checked) == 2
    assert all(f"static.backends ({file})" in line for line in checked)
    assert "'http://127.0.0.1:9182'" in checked[0]
    assert "grp=feed" in checked[1]


@pytest.mark.parametrize("command", ["up", "gateway"])
def test_routes_are_flags_of_up_as_of_a_gateway(capsys, command):
    assert run([command, "--route", "path=/chat group=chat", "--route", "path=//x"]) == 2
    [line] = capsys.readouterr().err.splitlines()
    assert "[gateway] (--route): the path '//x'" in line


def test_check_refuses_an_engine_without_a_secret_as_the_start_does(capsys, monkeypatch, tmp_path):
    monkeypatch.delenv("RINGWAY_ENGINE_SECRET")
    monkeypatch.setenv("RINGWAY_STATE_DIR", str(tmp_path))
    assert run(["config", "check"]) == 2
    [line] = capsys.readouterr().err.splitlines()
    assert "engine.url (environment RINGWAY_ENGINE_URL): there is no secret" in line
    assert run(["node"]) == 2
    assert "there is no secret" in capsys.readouterr().err
