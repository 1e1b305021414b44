"""The quick reader reads flags as typer does, and leaves unusual flags to typer."""

import itertools
from typing import Annotated

import pytest
import typer
from typer.testing import CliRunner

from ringway.cli.command import Argument, CommandGroup, Option
from ringway.cli.full import typer_function
from ringway.cli.quick import read_quickly

RUNNER = CliRunner()
SEEN: list[dict[str, object]] = []


def several(
    first: Annotated[str, Argument(metavar="FIRST", help="One.")],
    more: Annotated[list[str], Argument(metavar="MORE...", help="All others.")],
    switch: Annotated[bool, Option("--switch/--no-switch", help="On or off.")] = True,
    flag: Annotated[bool, Option("--flag", help="On.")] = False,
    count: Annotated[int, Option("--count", "-n", min=1, max=20, help="How many.")] = 5,
    rate: Annotated[float | None, Option("--rate", help="How much.")] = None,
    name: Annotated[str | None, Option(help="Its name.")] = None,
    each: Annotated[list[str] | None, Option("--each", help="Once for each.")] = None,
) -> None:
    """Receive all kinds of parameters."""
    SEEN.append(locals())


APP = typer.Typer()
APP.command()(typer_function(several))


def by_typer(words: tuple[str, ...]) -> dict[str, object] | None:
    SEEN.clear()
    return SEEN[0] if RUNNER.invoke(APP, list(words)).exit_code == 0 and SEEN else None


WORDS = (
    "a", "-n", "3", "--count", "21", "--count=7", "--rate", "1.5", "--rate=2", "--flag", "--flag=1", "--switch",
    "--no-switch", "--name", "--name=z", "--name=", "--each", "", "0", "x=y", "--", "-", "--bogus", "-n4", "nan", "1_0",
    " 3", "-5", "--coun", "-f", "\u0663",
)  # fmt: skip


def test_whatever_is_read_quickly_is_read_so_by_typer() -> None:
    read = 0
    lines = [(*some, "a", "b") for size in (0, 1, 2) for some in itertools.product(WORDS, repeat=size)]
    lines += [("a", *some, "b") for some in itertools.product(WORDS[:16], repeat=2)]
    for words in lines:
        chosen = read_quickly(words, several)
        if chosen is not None:
            read += 1
            assert by_typer(words) == chosen[1], words
    assert read > 200


@pytest.mark.parametrize(
    "words",
    [
        ("a", "b", "-n", "3", "--rate", "2", "--no-switch", "--each", "x", "--each=y", "--name", "n"),
        ("--flag", "a", "--switch", "--no-switch", "b", "c", "--count", "1", "--count", "2"),
    ],
)
def test_what_people_write_is_read_quickly(words: tuple[str, ...]) -> None:
    chosen = read_quickly(words, several)
    assert chosen is not None
    assert chosen[1] == by_typer(words)


@pytest.mark.parametrize(
    "words",
    [
        (),
        ("a",),
        ("a", "b", "--help"),
        ("a", "b", "-h"),
        ("a", "b", "--bogus"),
        ("a", "b", "-n", "99"),
        ("a", "b", "-n"),
    ],
)
def test_what_is_wrong_or_asks_for_help_is_left_to_typer(words: tuple[str, ...]) -> None:
    assert read_quickly(words, several) is None


def test_a_group_has_commands_and_may_have_a_default() -> None:
    def alone(flag: Annotated[bool, Option("--flag", help="On.")] = False) -> None:
        """Do one thing."""

    group = CommandGroup({"several": several}, default=alone)
    assert read_quickly((), group) == (alone, {"flag": False})
    assert read_quickly(("--flag",), group) == (alone, {"flag": True})
    assert read_quickly(("several", "a", "b"), group) == read_quickly(("a", "b"), several)
    assert read_quickly(("--flag", "several", "a", "b"), group) is None
    assert read_quickly(("bogus",), group) is None
    assert read_quickly((), CommandGroup({"several": several})) is None
