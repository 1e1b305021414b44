"""Names of members."""

import pytest

from ringway.errors import ConfigError
from ringway.protocol.name import check_name, legal_name


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


@pytest.mark.parametrize(
    ("text", "name"),
    [("chat-7d4f-x2x", "chat-7d4f-x2x"), ("10.0.0.1:chat:80", "10.0.0.1-chat-80"), ("-ä", "backend"), ("_a b", "a-b")],
)
def test_any_text_has_a_legal_name_that_resembles_it(text: str, name: str) -> None:
    assert legal_name(text) == check_name(name)


def test_long_texts_that_differ_at_their_end_have_names_that_differ() -> None:
    names = {check_name(legal_name("a" * 70 + end)) for end in "xyz"}
    assert len(names) == 3
