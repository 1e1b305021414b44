import re

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from nats.aio.client import _validate_subject

from ringway.engine.address import is_label, name_of, token, tokens
from ringway.protocol.channel import check_channel
from ringway.testing.contract.broker import HOSTILE_NAMES

ILLEGAL = "".join(map(chr, [*range(32), *range(127, 160)]))
text = st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters=ILLEGAL), min_size=1, max_size=255)
# Text of the characters that matter finds collisions where text of any characters would not.
tricky = st.text(".*>%2EAa _/:$\u00fc", min_size=1, max_size=12)
names = (text | tricky | st.sampled_from(HOSTILE_NAMES)).filter(lambda name: len(name.encode()) <= 255)

TOKEN = re.compile(r"(?:[A-Za-z0-9_~!#$&'()+,/:;=@^-]|%[0-9A-F]{2})+")


@given(names)
def test_a_token_is_one_legal_token_and_leads_back(name: str) -> None:
    check_channel(name)
    mapped = token(name)
    assert TOKEN.fullmatch(mapped)
    assert len(mapped) <= 3 * 255
    _validate_subject(f"rw.x.ch.{mapped}", strict=True)
    assert name_of(mapped) == name


@given(names, names)
def test_two_names_never_share_a_token(one: str, other: str) -> None:
    assume(one != other)
    assert token(one) != token(other)


@pytest.mark.parametrize("name", ["room", "chat:index", "$private:user-7", "personal:user#17", "a_b-c", "x/y,z"])
def test_ordinary_names_stay_as_they_are(name: str) -> None:
    assert token(name) == name


@pytest.mark.parametrize(
    ("name", "mapped"),
    [("a.b", "a%2Eb"), ("*", "%2A"), (">", "%3E"), (" ", "%20"), ("%2E", "%252E"), ("ü", "%C3%BC"), (".", "%2E")],
)
def test_everything_else_is_escaped(name: str, mapped: str) -> None:
    assert token(name) == mapped


@pytest.mark.parametrize("text", ["ringway", "a", "A-1_b", "x" * 32])
def test_labels(text: str) -> None:
    assert is_label(text)


@pytest.mark.parametrize("text", ["", "a.b", "a b", "*", ">", "ü", "x" * 33, "a\n"])
def test_what_is_no_label(text: str) -> None:
    assert not is_label(text)


@given(st.lists(names))
def test_the_tokens_of_many_names_are_those_of_each(many: list[str]) -> None:
    assert tokens(many) == [token(name) for name in many]
