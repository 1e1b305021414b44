import sys

import pytest

from ringway.cli.main import COMMANDS, build, run
from ringway.errors import ConfigError, EngineAway, RingwayError


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_and_says_more_than_its_name(command, capsys):
    assert run([command, "--help"]) == 0
    assert len(capsys.readouterr().out.split()) > 20


def test_an_unknown_command_or_option_is_exit_code_2(capsys):
    assert run(["bogus"]) == 2
    assert "bogus" in capsys.readouterr().err
    assert run(["nodes", "--bogus"]) == 2


def test_only_the_named_command_is_built():
    assert [command.callback.__name__ for command in build(["version"]).registered_commands] == ["version"]
    assert len(build([]).registered_commands) == len(COMMANDS) - 3  # `config`, `policy` and `token` are groups


@pytest.mark.parametrize(
    ("error", "code", "lines"),
    [
        (ConfigError("first", "second"), 2, ["ringway: first", "ringway: second"]),
        (EngineAway("away"), 2, ["ringway: away"]),
        (RingwayError("failed"), 1, ["ringway: failed"]),
        (KeyboardInterrupt(), 130, []),
    ],
)
def test_errors_become_lines_and_an_exit_code(monkeypatch, capsys, error, code, lines):
    def fail(*_):
        raise error

    monkeypatch.setattr(sys.modules[run.__module__], "carry_out", fail)  # the package's `main` is the function
    assert run(["nodes"]) == code
    assert capsys.readouterr().err.splitlines() == lines


def test_version_is_printed_and_readable_for_programs(capsys):
    assert run(["version"]) == 0
    assert capsys.readouterr().out.startswith("ringway ")
    assert run(["version", "--json"]) == 0
    assert '"ringway"' in capsys.readouterr().out
