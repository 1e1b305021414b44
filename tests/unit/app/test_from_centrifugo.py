"""The page for people who come from Centrifugo: its settings exist, and none of theirs is missing."""

import re
from fnmatch import fnmatch
from pathlib import Path

import pytest

from ringway.app.config import all_fields
from ringway.cli.main import COMMANDS
from ringway.hooks.options import HookOptions
from ringway.node.config.channel_options import ChannelOptions

PAGE = Path(__file__).parents[3] / "docs/howto/from-centrifugo.md"
THEIRS = Path(__file__).with_name("centrifugo_settings.txt")
ROW = re.compile(r"^\| (.*?) \| (.*?) \| (.*?) ?\|$", re.MULTILINE)
NAME = re.compile(r"`([a-z0-9_.*]+)`")


def rows(title: str) -> list[tuple[str, str]]:
    """The first two cells of each row of the tables below `title`: a heading, or the line before a table."""
    page = PAGE.read_text()
    begin = page.index(title) + len(title)
    end = min(found for found in (page.find("\n## ", begin), page.find("\nOptions of ", begin), len(page)) if found > 0)
    return [(found[1], found[2]) for found in ROW.finditer(page, begin, end) if not found[1].startswith("Centrifugo")]


def ours(title: str) -> list[str]:
    """The names of this project in the table below `title`."""
    return [name for _, cell in rows(title) for name in NAME.findall(cell)]


@pytest.mark.parametrize(
    ("title", "known"),
    [
        ("## Tokens", set(all_fields())),
        ("## Clients", set(all_fields())),
        ("## Channels", set(all_fields())),
        ("Options of a namespace:", set(ChannelOptions.__struct_fields__)),
        ("## Hooks (event proxy) and calls (RPC)", set(all_fields())),
        ("Options of a hook:", set(HookOptions.__struct_fields__)),
        ("## Server API and consumers", set(all_fields())),
        ("## Engine and processes", set(all_fields())),
    ],
    ids=["tokens", "clients", "channels", "namespace", "hooks", "hook", "api", "engine"],
)
def test_each_setting_that_the_page_names_exists(title: str, known: set[str]) -> None:
    names = ours(title)
    assert names
    assert [name for name in names if name not in known] == []


def test_each_setting_of_centrifugo_is_on_the_page() -> None:
    page = {name for found in ROW.finditer(PAGE.read_text()) for name in NAME.findall(found[1])}
    missing = [name for name in THEIRS.read_text().split() if not any(fnmatch(name, pattern) for pattern in page)]
    assert missing == []


def test_each_option_of_a_namespace_is_on_the_page() -> None:
    page = set(ours("Options of a namespace:"))
    assert [name for name in ChannelOptions.__struct_fields__ if name not in page] == []


def test_each_command_that_the_page_names_exists() -> None:
    page = PAGE.read_text()
    named = re.findall(r"`ringway ([a-z]+)(?: ([a-z]+))?", page[page.index("## Commands") :])
    assert named
    for command, subcommand in named:
        assert command in COMMANDS
        reference = (PAGE.parents[1] / "reference/cli.md").read_text()
        assert f"ringway {command} {subcommand}".strip() in reference
