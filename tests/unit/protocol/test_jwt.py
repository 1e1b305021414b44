"""Tokens in compact form: one way to read each, and no other."""

import pytest

from ringway.errors import TokenInvalid
from ringway.protocol.jwt import KID_CHARS_MAX, TOKEN_BYTES_MAX, read_compact, read_object
from support.tokens import make_token, part

HEADER = {"alg": "HS256", "typ": "JWT"}


def test_the_parts_of_a_token_are_decoded() -> None:
    token = make_token({"sub": "42"}, header={**HEADER, "kid": "k1"})
    read = read_compact(token)
    assert (read.alg, read.kid, read.claims) == ("HS256", "k1", b'{"sub":"42"}')
    assert read.signed.decode() == token.rpartition(".")[0]
    assert len(read.signature) == 32


def test_a_token_without_kid_names_no_key() -> None:
    assert read_compact(make_token({})).kid == ""


GOOD = make_token({"sub": "42"})
HEAD, BODY, SIGNATURE = GOOD.split(".")
LAST = SIGNATURE[-1]
TWIN = chr(ord(LAST) + 1)  # the last character of 43 has two bits without meaning

BROKEN = {
    "empty": "",
    "one part": HEAD,
    "two parts": f"{HEAD}.{BODY}",
    "no signature": f"{HEAD}.{BODY}.",
    "four parts": f"{GOOD}.{SIGNATURE}",
    "encrypted, five parts": f"{GOOD}.a.b",
    "empty header": f".{BODY}.{SIGNATURE}",
    "empty claims": f"{HEAD}..{SIGNATURE}",
    "padding": f"{GOOD}=",
    "a blank before": f" {GOOD}",
    "a line feed behind": f"{GOOD}\n",
    "a skipped character": f"{HEAD}.{BODY}.{SIGNATURE[:9]}!{SIGNATURE[9:]}",
    "base64 of the other alphabet": f"{HEAD}.{BODY}.{SIGNATURE[:-2]}+/",
    "one character left over": f"{HEAD}.{BODY}.{SIGNATURE}AA",
    "not ASCII": f"{HEAD}.{BODY}.{SIGNATURE[:-1]}\u0430",
    "a half of a surrogate pair": f"{HEAD}.{BODY}.{SIGNATURE[:-1]}\ud800",
    "header of no JSON": f"{part(b'{')}.{BODY}.{SIGNATURE}",
    "header of no object": f"{part(b'[]')}.{BODY}.{SIGNATURE}",
    "header of no UTF-8": make_token({}, header=b'{"alg":"HS256","x":"\xff"}'),
    "header in UTF-16": make_token({}, header='{"alg":"HS256"}'.encode("utf-16")),
    "no alg": make_token({}, header={"typ": "JWT"}),
    "alg of no text": make_token({}, header={"alg": ["HS256"]}),
    "alg that is null": make_token({}, header={"alg": None}),
    "a long alg": make_token({}, header={"alg": "H" * 17}),
    "alg twice": make_token({}, header=b'{"alg":"HS256","alg":"none"}'),
    "kid of no text": make_token({}, header={**HEADER, "kid": 1}),
    "a long kid": make_token({}, header={**HEADER, "kid": "k" * (KID_CHARS_MAX + 1)}),
    "an extension that must be understood": make_token({}, header={**HEADER, "crit": ["exp"], "exp": 1}),
    "claims that are not encoded": make_token({}, header={**HEADER, "b64": False}),
    "too long": make_token({"x": "y" * TOKEN_BYTES_MAX}),
}


@pytest.mark.parametrize("token", BROKEN.values(), ids=BROKEN)
def test_what_is_not_exactly_a_token_is_refused(token: str) -> None:
    with pytest.raises(TokenInvalid):
        read_compact(token)


def test_a_signature_has_one_spelling() -> None:
    """Lenient decoders accept four last characters for one signature, so a token would have four texts."""
    read_compact(f"{HEAD}.{BODY}.{SIGNATURE}")
    with pytest.raises(TokenInvalid, match="one form"):
        read_compact(f"{HEAD}.{BODY}.{SIGNATURE[:-1]}{TWIN}")


@pytest.mark.parametrize(
    "raw",
    [b'{"a":1,"a":2}', b'{"x":{"a":1,"a":2}}', b'{"x":[{"a":1,"\\u0061":2}]}'],
    ids=["at the top", "below", "in another spelling"],
)
def test_a_name_that_is_there_twice_is_refused(raw: bytes) -> None:
    with pytest.raises(TokenInvalid, match="twice"):
        read_object(raw, "claims")


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"null",
        b'"x"',
        b"{} {}",
        b'{"a":NaN}',
        b'{"a":-Infinity}',
        b"\xef\xbb\xbf{}",
        b"[" * 5000,
        b'{"a":' + b"9" * 5000 + b"}",
    ],
    ids=["nothing", "null", "a text", "two objects", "NaN", "infinity", "a BOM", "nested deep", "a number without end"],
)
def test_what_is_no_json_object_is_refused(raw: bytes) -> None:
    with pytest.raises(TokenInvalid):
        read_object(raw, "claims")
