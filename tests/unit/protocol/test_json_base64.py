"""Tests of `ringway.protocol.json_base64`."""

from base64 import b64encode

import pytest

from ringway.protocol.json_base64 import read_json_base64


@pytest.mark.parametrize("data", [b"null", b'{"a": [1, "\xc3\xa4"]}', b'"text"'], ids=["null", "object", "text"])
def test_json_comes_as_it_was(data: bytes) -> None:
    assert read_json_base64(b64encode(data).decode()) == data


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("%", "is not base64"),
        ("e30", "is not base64"),
        ("e3\u00e4=", "is not base64"),
        ("", "is not JSON inside"),
        (b64encode(b"{").decode(), "is not JSON inside"),
        (b64encode(b'"\xff"').decode(), "is not JSON inside"),
        (b64encode(b"[" * 100_000).decode(), "is not JSON inside"),
    ],
    ids=["sign", "padding", "letter", "empty", "half", "latin", "deep"],
)
def test_what_is_wrong_is_said(text: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        read_json_base64(text)
