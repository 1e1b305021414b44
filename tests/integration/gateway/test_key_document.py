"""Keys in docs/howto/key-affinity.md: its request gives the keys of its table."""

import re
import tomllib
from pathlib import Path

import pytest

from ringway.core.placement.catalog import make_policy
from ringway.core.placement.key import parse_key
from ringway.core.placement.key_source import KeySource
from ringway.core.placement.spec import parse_spec, spec_of_table
from ringway.protocol.head import HeadReader

PAGE = (Path(__file__).parents[3] / "docs" / "howto" / "key-affinity.md").read_text()

ROWS = [
    [cell.strip().strip("`").replace("\\|", "|") for cell in re.split(r"(?<!\\)\|", line)[1:3]]
    for line in PAGE.splitlines()
    if re.match(r"\| `[^=]", line)
]


def block(language: str) -> str:
    [found] = re.findall(rf"^```{language}\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    return found


@pytest.mark.parametrize(("text", "key"), ROWS, ids=[text for text, _ in ROWS])
def test_the_table_is_true(text: str, key: str) -> None:
    [head] = HeadReader().feed(block("http").replace("\n", "\r\n").encode() + b"\r\n")
    host = dict(head.headers)["host"]
    asked = KeySource("10.1.2.3", 40312, host, head.path, head.query, head.headers)
    assert parse_key(text).read(asked) == (key.encode() or None)


def test_the_table_has_all_rows() -> None:
    assert len(ROWS) == 13


def test_the_policies_can_be_made() -> None:
    named = re.findall(r"'(rendezvous:[^']+)'", PAGE)
    assert len(named) == 2
    for text in named:
        make_policy(parse_spec(text), b"secret")
    table = tomllib.loads(block("toml"))["gateway"]["policy"]
    assert make_policy(spec_of_table(table), b"secret").table == "rendezvous"
