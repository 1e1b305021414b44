"""Compression on WebSockets that may be opened again."""

import zlib

import pytest

from ringway.protocol.deflate import (
    agreed_extensions,
    holds_context,
    inflated,
    offers_without_context,
    without_client_context,
)

NAME = "sec-websocket-extensions"
BOTH = "server_no_context_takeover; client_no_context_takeover"


@pytest.mark.parametrize(
    ("offer", "made"),
    [
        ("permessage-deflate", f"permessage-deflate; {BOTH}"),
        ("permessage-deflate; client_max_window_bits", f"permessage-deflate; client_max_window_bits; {BOTH}"),
        ("Permessage-Deflate; server_max_window_bits=10", f"Permessage-Deflate; server_max_window_bits=10; {BOTH}"),
        (f"permessage-deflate; {BOTH}", f"permessage-deflate; {BOTH}"),
        (
            "permessage-deflate; client_no_context_takeover",
            "permessage-deflate; client_no_context_takeover; server_no_context_takeover",
        ),
    ],
    ids=["bare", "window", "case", "both are there", "one is there"],
)
def test_every_offer_asks_for_messages_that_stand_for_themselves(offer: str, made: str) -> None:
    assert offers_without_context([offer]) == (made,)


def test_other_extensions_are_not_offered() -> None:
    offers = ["x-webkit-deflate-frame", "permessage-deflate; server_max_window_bits=9", "bbf", "permessage-deflate"]
    first, second = offers_without_context(offers)
    assert first.startswith("permessage-deflate; server_max_window_bits=9; server_no")
    assert second == f"permessage-deflate; {BOTH}"


@pytest.mark.parametrize(
    ("answer", "holds"),
    [
        ("", False),
        ("permessage-deflate; server_no_context_takeover", False),
        (f"permessage-deflate; {BOTH}; server_max_window_bits=12", False),
        ("permessage-deflate", True),
        ("permessage-deflate; client_no_context_takeover", True),
        ("permessage-deflate; server_no_context_takeover, x", True),
        ("x; server_no_context_takeover", True),
    ],
    ids=["none", "server", "both", "bare", "client only", "a second one", "another one"],
)
def test_a_server_that_refers_to_earlier_messages_is_noticed(answer: str, holds: bool) -> None:
    assert holds_context(agreed_extensions([(NAME, answer)])) is holds


def test_the_same_agreement_has_one_form() -> None:
    first = "permessage-deflate; server_no_context_takeover; server_max_window_bits=12; client_max_window_bits=12"
    second = 'permessage-deflate;client_max_window_bits="12";server_max_window_bits=12 ; server_no_context_takeover'
    assert agreed_extensions([(NAME, first)]) == agreed_extensions([(NAME, second)])
    assert agreed_extensions([(NAME, first)]) != agreed_extensions([(NAME, first.replace("bits=12", "bits=11", 1))])


def test_the_client_is_told_to_compress_each_message_alone() -> None:
    headers = [("x", "y"), (NAME, "permessage-deflate; server_no_context_takeover")]
    told = [("x", "y"), (NAME, f"permessage-deflate; {BOTH}")]
    assert without_client_context(headers) == told
    assert without_client_context(told) == told
    assert without_client_context([("x", "y")]) == [("x", "y")]
    assert without_client_context([(NAME, "")]) == [(NAME, "")]
    split = [(NAME, ""), (NAME, "permessage-deflate; server_no_context_takeover,")]
    assert without_client_context(split) == told[1:]


def test_the_beginning_of_a_message_is_inflated_up_to_a_limit() -> None:
    packer = zlib.compressobj(wbits=-15)
    whole = packer.compress(b"abc" * 10_000) + packer.flush(zlib.Z_SYNC_FLUSH)
    assert inflated(whole, 7) == b"abcabca"
    assert inflated(b"", 7) == b""
    assert inflated(b"\xff\xff\xff", 7) == b""
