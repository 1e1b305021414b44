"""Credentials of clients: their bounds, and the form of what is told to others."""

import math

import pytest

from ringway.core.credentials import (
    ANONYMOUS,
    INFO_BYTES_MAX,
    USER_BYTES_MAX,
    Credentials,
    credentials_problem,
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
