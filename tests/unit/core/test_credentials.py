"""Credentials of clients: their bounds, and the form of what is told to others."""

import math

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ringway.core.credentials import (
    ANONYMOUS,
    INFO_BYTES_MAX,
    USER_BYTES_MAX,
    Credentials,
    credentials_problem,
    is_json_line,
    json_line,
)

values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=10,
)


def test_those_of_a_client_without_any_have_no_user_and_no_end() -> None:
    assert (ANONYMOUS.user, ANONYMOUS.info, ANONYMOUS.expires_at) == ("", b"", math.inf)
    assert credentials_problem(ANONYMOUS) == ""


@pytest.mark.parametrize(
    ("credentials", "words"),
    [
        (Credentials(user="x" * (USER_BYTES_MAX + 1)), "user id has 1025 bytes; at most 1024"),
        (Credentials(jti="x" * 1025), "jti"),
        (Credentials(info=b'"' + b"x" * INFO_BYTES_MAX + b'"'), "the info has 4098 bytes"),
        (Credentials(meta=b"1" * (INFO_BYTES_MAX + 1)), "the meta has 4097 bytes"),
        (Credentials(info=b"{"), "not JSON on one line"),
        (Credentials(info=b'{"a":1}{"b":2}'), "not JSON on one line"),
        (Credentials(meta=b'{\n"a":1}'), "not JSON on one line"),
        (Credentials(expires_at=math.nan), "not a number"),
    ],
    ids=["user", "jti", "info", "meta", "no JSON", "two values", "two lines", "no time"],
)
def test_a_bound_is_named_with_its_value(credentials: Credentials, words: str) -> None:
    assert words in credentials_problem(credentials)


@given(value=values, indent=st.integers(-1, 4))
def test_any_json_becomes_one_line_of_the_same_value(value: object, indent: int) -> None:
    line = json_line(msgspec.json.format(msgspec.json.encode(value), indent=indent))
    assert b"\n" not in line
    assert is_json_line(line)
    assert (msgspec.json.decode(line) if line else None) == value


@given(raw=st.binary(max_size=30))
def test_anything_else_is_no_line(raw: bytes) -> None:
    line = json_line(raw)
    assert is_json_line(line)
    assert b"\n" not in line
