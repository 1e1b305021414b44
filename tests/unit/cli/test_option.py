from typing import Annotated

import pytest
import typer
from typer.testing import CliRunner

from ringway.app.config import all_fields
from ringway.cli.command import Option
from ringway.cli.full import typer_function
from ringway.cli.option import flag_of, takes_settings
from ringway.cli.quick import read_quickly

RUNNER = CliRunner()


def given(*arguments, sections=("node", "log", "engine", "admin"), own=("node",), only=()):
    """What a command with these settings receives as flags, whether read quickly or by typer."""
    seen = {}

    @takes_settings(*sections, own=own, only=only)
    def command(flags, extra: Annotated[str, Option(help="More.")] = "none"):
        seen.update({path: (item.value, item.origin) for path, item in flags.items()}, extra=extra)

    app = typer.Typer()
    app.command()(typer_function(command))
    result = RUNNER.invoke(app, list(arguments))
    assert result.exit_code == 0, result.output
    by_typer = dict(seen)
    seen.clear()
    chosen = read_quickly(arguments, command)
    assert chosen is not None
    chosen[0](**chosen[1])
    assert seen == by_typer
    return seen


def test_nothing_given_is_nothing_received():
    assert given() == {"extra": "none"}


def test_own_settings_have_bare_flags_and_others_their_section_before_them():
    own = ("--ping-interval-s", "30", "--extra", "e")
    seen = given(*own, "--log-level", "debug", "--engine", "nats://a", "--secret", "x")
    assert seen == {
        "node.ping_interval_s": ("30", "--ping-interval-s"),
        "log.level": ("debug", "--log-level"),
        "engine.url": ("nats://a", "--engine"),
        "engine.secret": ("x", "--secret"),
        "extra": "e",
    }


def test_switches_and_lists():
    seen = given("--no-admin-enabled", "--allowed-origins", "a", "--allowed-origins", "b")
    assert seen["admin.enabled"][0] is False
    assert seen["node.allowed_origins"][0] == ["a", "b"]


def test_single_settings_can_be_chosen_by_their_path():
    options = {"sections": ("up",), "own": ("up", "gateway"), "only": ("gateway.port", "admin.port")}
    seen = given("--port", "1", "--admin-port", "2", "--nodes", "3", **options)
    assert seen == {
        "gateway.port": ("1", "--port"),
        "admin.port": ("2", "--admin-port"),
        "up.nodes": ("3", "--nodes"),
        "extra": "none",
    }


@pytest.mark.parametrize("own", [("node",), ("gateway", "static"), ("up", "gateway")])
def test_no_two_settings_share_a_flag(own):
    sections = {*own, "engine", "member", "balance", "admin", "log"}
    flags = [flag_of(field, own) for field in all_fields().values() if field.section in sections]
    assert len(set(flags)) == len(flags)
