"""JSON Web Tokens in their compact form: header, claims and signature (RFC 7515, 7.1; PROTOCOL.md P-12.1).
Pure: nothing is verified here.

The reader is strict, because a second way to read a token is a way around its check (RFC 8725, 2 and 3): exactly three
parts, base64url without padding, no characters that a lenient decoder skips, one spelling of each signature, UTF-8, and
JSON objects in which no name is repeated.

No header that names or holds a key (`jku`, `jwk`, `x5u`, `x5c`) is read: a token cannot bring its key. A header that a
reader must understand (`crit`) is refused, because none of them is understood; so is `b64` (RFC 7797).
"""

import base64
import json
import re
from typing import Any, NamedTuple

from ringway.errors import TokenInvalid

TOKEN_BYTES_MAX = 16 * 1024
"""The default bound of a token: as long as the whole head of a request may be."""

KID_CHARS_MAX = 256
ALG_CHARS_MAX = 16

SHOWN_MAX = 40
"""The characters of a token's own text that an error repeats."""

_TOKEN = re.compile(r"([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)")
_REFUSED = ("crit", "b64")


class CompactToken(NamedTuple):
    """The parts of a token, decoded. Nothing in it is proven."""

    alg: str
    kid: str
    """The name of its key; empty if it names none."""
    claims: bytes
    """JSON, unread."""
    signed: bytes
    """The bytes that the signature is for."""
    signature: bytes


def read_compact(token: str, bytes_max: int = TOKEN_BYTES_MAX) -> CompactToken:
    """Return the parts of `token`; raise `TokenInvalid` if it has more than `bytes_max` characters, or is no token."""
    if len(token) > bytes_max:
        raise TokenInvalid(f"the token has {len(token)} characters; at most {bytes_max} are read (bytes_max)")
    found = _TOKEN.fullmatch(token)
    if found is None:
        raise TokenInvalid("the token is not three parts in base64url with a dot between each two")
    head, claims, signature = found.groups()
    header = read_object(_decode(head, "header"), "header")
    alg, kid = header.get("alg"), header.get("kid", "")
    if not isinstance(alg, str) or not 0 < len(alg) <= ALG_CHARS_MAX:
        raise TokenInvalid(f"the header's alg must be a text of 1 to {ALG_CHARS_MAX} characters, as HS256")
    if not isinstance(kid, str) or len(kid) > KID_CHARS_MAX:
        raise TokenInvalid(f"the header's kid must be a text of at most {KID_CHARS_MAX} characters")
    for name in _REFUSED:
        if name in header:
            raise TokenInvalid(f"the header has {name}, and no such extension is understood")
    mac = _decode(signature, "signature")
    if base64.urlsafe_b64encode(mac).rstrip(b"=") != signature.encode():
        raise TokenInvalid("the signature is not in the one form that base64url has for it")
    return CompactToken(alg, kid, _decode(claims, "claims"), f"{head}.{claims}".encode(), mac)


def read_object(raw: bytes, what: str) -> dict[str, Any]:
    """Return the JSON object in `raw`; raise `TokenInvalid` if it is none, or repeats a name at any depth.

    `what` is the part of the token, for the error.
    """
    try:
        found = _json.decode(raw.decode())
    except _RepeatedName as error:
        raise TokenInvalid(f"the name {_shown(error.name)} is in one object of its {what} twice") from None
    except (ValueError, RecursionError):  # broken JSON, bytes that are no UTF-8, a number of thousands of digits
        raise TokenInvalid(f"its {what} cannot be read as JSON in UTF-8") from None
    if not isinstance(found, dict):
        raise TokenInvalid(f"its {what} must be a JSON object")
    return found


class _RepeatedName(Exception):
    def __init__(self, name: str) -> None:
        self.name = name


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        raise _RepeatedName(next(name for name in names if names.count(name) > 1))
    return found


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is no JSON")


_json = json.JSONDecoder(object_pairs_hook=_unique, parse_constant=_refuse)


def _decode(text: str, what: str) -> bytes:
    try:
        return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except ValueError:  # a single character is left over
        raise TokenInvalid(f"its {what} is cut: no base64 has this length") from None


def _shown(text: str) -> str:
    return repr(text if len(text) <= SHOWN_MAX else f"{text[: SHOWN_MAX - 3]}...")
