"""Names of members."""

import pytest

from ringway.errors import ConfigError
from ringway.protocol.name import check_name


@pytest.mark.parametrize("name", ["a", "7", "node-1", "eu.west_2-b", "A" * 63])
def test_legal_names_pass_unchanged(name: str) -> None:
    assert check_name(name) == name


@pytest.mark.parametrize(
    "name", ["", "-a", ".a", "_a", "a" * 64, "a b", "a/b", "a\n", "a*", "a>", "a?x", "ä", "a\0", "a%2E", "move n"]
)
def test_names_that_would_break_addresses_are_refused(name: str) -> None:
    with pytest.raises(ConfigError, match="give 1 to 63 letters"):
        check_name(name)


def test_the_refusal_shows_the_name() -> None:
    with pytest.raises(ConfigError, match="'my node'"):
        check_name("my node")
