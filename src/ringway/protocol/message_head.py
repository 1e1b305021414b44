"""Heads of HTTP/1.1 messages that may have a body: requests of clients, and answers of backends.

A head is read as RFC 9112 writes it, or refused: no bare CR or LF, no folded field, no space before a colon, no control
character, no two lengths, no length beside chunks, no transfer coding but `chunked`. Two servers that read one head in
two ways can be made to see different requests in one stream (request smuggling), so whatever is read here is written
anew for the next server, and nothing doubtful is guessed at. `HeadReader` in `protocol.head` is for ports that take no
bodies.
"""

import re
from typing import NamedTuple

from ringway.errors import UpgradeError
from ringway.protocol.address import split_host
from ringway.protocol.head import ALLOWED, ONCE, RequestHead, read_absolute
from ringway.protocol.proxy_header import Source

CHUNKED = -1
"""The length of a body that comes in chunks."""

UNTIL_CLOSE = -2
"""The length of an answer's body that ends with its connection (RFC 9112, 6.3)."""

END = b"\r\n\r\n"
"""The end of a head."""

_TOKEN = r"[!#$%&'*+.^_`|~0-9A-Za-z-]"

FIELD = re.compile(rf"({_TOKEN}++):([\t -~\x80-\xff]*+)\r\n")
"""One field line. The quantifiers are possessive, so that no text is read twice."""

_FIELDS = re.compile(rf"(?:{_TOKEN}++:[\t -~\x80-\xff]*+\r\n)*+")
_REQUEST = re.compile(rf"({_TOKEN}{{1,32}}+) ([!-~]++) HTTP/1\.([01])\r\n")
_OTHER_VERSION = re.compile(rf"{_TOKEN}++ [!-~]++(?: HTTP/(?:[0-9]\.[0-9]))?\r\n")
_STATUS = re.compile(r"HTTP/1\.([01]) ([1-5][0-9]{2})(?: ([\t -~\x80-\xff]*+))?\r\n")
_LENGTH = re.compile(r"[0-9]{1,18}")
_BROKEN = re.compile(rb"(?<!\r)\n|\r(?!\n|\Z)|\0")

_CARED = ONCE | {"connection"}


class AnswerHead(NamedTuple):
    """The head of an answer. Names of headers are in lower case; `length` is that of the body, `CHUNKED` or
    `UNTIL_CLOSE`."""

    status: int
    reason: str
    headers: list[tuple[str, str]]
    length: int
    keep_alive: bool


def check_partial(data: bytes, seen: int) -> None:
    """Raise `UpgradeError` 400 if `data`, whose first `seen` bytes were checked before, can be no part of a head."""
    if _BROKEN.search(data, max(0, seen - 1)) or not (data[:1].isalnum() or data[:1] in b"\r!#$%&'*+-.^_`|~"):
        raise UpgradeError(400, "the request head is malformed: a line ends in CR and LF, and holds no other of them")


def read_request_head(block: bytes, headers_max: int, source: Source | None = None) -> tuple[RequestHead, int]:
    """Return the head in `block`, without the empty line that ends it, and the length of the body.

    Raise `UpgradeError` with the status of the refusal. `source` is the origin of the connection by its PROXY header.
    """
    text = block.decode("latin-1")
    first = _REQUEST.match(text)
    if first is None:
        raise _no_request(text)
    method, target, minor = first.groups()
    headers, cared = _read_fields(text, first.end(), headers_max, 400, "request")
    version = f"1.{minor}"
    host = cared.get("host")
    if host is None and minor == "1":
        raise UpgradeError(400, "the Host header is missing")
    if host and split_host(host) is None:
        raise UpgradeError(400, "the Host header is no name[:port]")
    if target[0] != "/":
        target, headers = read_absolute(target, headers)
    elif "#" in target:
        raise UpgradeError(400, "the request target has a fragment; those are for the client alone")
    path, _, query = target.partition("?")
    keep_alive = minor == "1" and not _closes(cared)
    length = _length(cared, minor, 400, "request")
    return RequestHead(method, path, query, version, headers, keep_alive, source), 0 if length is None else length


def read_answer_head(block: bytes, headers_max: int, method: str) -> AnswerHead:
    """Return the head in `block`, which answers a request of `method`; raise `UpgradeError` 502 if it is wrong.

    An answer to HEAD, and one with the status 1xx, 204 or 304, has no body, whatever its head says (RFC 9112, 6.3).
    """
    text = block.decode("latin-1")
    first = _STATUS.match(text)
    if first is None:
        raise UpgradeError(502, "the backend's answer does not begin with a status line of HTTP/1.1")
    minor, code, reason = first.groups()
    headers, cared = _read_fields(text, first.end(), headers_max, 502, "backend's answer")
    status = int(code)
    length = _length(cared, minor, 502, "backend's answer")
    keep_alive = minor == "1" and not _closes(cared)
    if method == "HEAD" or status in (204, 304) or status < 200:
        length = 0
    elif length is None:
        length, keep_alive = UNTIL_CLOSE, False
    return AnswerHead(status, reason or "", headers, length, keep_alive)


def refuse_body(method: str) -> UpgradeError:
    """Return the refusal of a body where none is taken."""
    if method not in ("GET", "HEAD"):
        return UpgradeError(405, f"nothing here takes {method[:32]}; ask with GET or HEAD", ALLOWED)
    return UpgradeError(400, "a request with a body is not taken here")


def _read_fields(
    text: str, begin: int, headers_max: int, status: int, whose: str
) -> tuple[list[tuple[str, str]], dict[str, str]]:
    """Return all headers, and the values of those that this module reads, joined by commas if one stands twice."""
    if _FIELDS.fullmatch(text, begin) is None:
        raise UpgradeError(status, f"the head of the {whose} is malformed: a line is no field")
    found = FIELD.findall(text, begin)
    if len(found) > headers_max:
        too_many = 431 if status == 400 else status
        raise UpgradeError(too_many, f"a {whose} may have {headers_max} headers (headers_max)")
    headers: list[tuple[str, str]] = []
    cared: dict[str, str] = {}
    for name, value in found:
        name, value = name.lower(), value.strip(" \t")
        headers.append((name, value))
        if name in _CARED:
            if name not in cared:
                cared[name] = value
            elif name in ONCE:
                raise UpgradeError(status, f"the header {name} stands twice")
            else:
                cared[name] = f"{cared[name]},{value}"
    return headers, cared


def _length(cared: dict[str, str], minor: str, status: int, whose: str) -> int | None:
    """Return the length of the body, None if the head gives none."""
    coding, length = cared.get("transfer-encoding"), cared.get("content-length")
    if coding is not None:
        if length is not None:
            raise UpgradeError(status, f"the {whose} has a length and chunks; one of them is wrong")
        if minor == "0":
            raise UpgradeError(status, f"the {whose} has chunks, which HTTP/1.0 does not know")
        if coding.lower() != "chunked":
            raise UpgradeError(501 if status == 400 else status, "no transfer coding is known here but chunked")
        return CHUNKED
    if length is None:
        return None
    if _LENGTH.fullmatch(length) is None:
        raise UpgradeError(status, f"the Content-Length of the {whose} is no number of bytes")
    return int(length)


def _closes(cared: dict[str, str]) -> bool:
    said = cared.get("connection")
    return said is not None and "close" in [item.strip(" \t") for item in said.lower().split(",")]


def _no_request(text: str) -> UpgradeError:
    if _OTHER_VERSION.match(text):
        return UpgradeError(505, "this server speaks HTTP/1.1")
    return UpgradeError(400, "the request does not begin with a method of HTTP, a target and a version")
