"""Parsers of HTTP: requests at the gateway, answers of nodes, keys, and what collectors read."""

import asyncio
import json
from collections.abc import Callable
from contextlib import suppress

from ringway.app.visible import visible, visible_json
from ringway.collect.collector import CollectFailed
from ringway.collect.document import number_at, read_document
from ringway.collect.prometheus import sample_in
from ringway.core.custom.agent import Advice, parse_line
from ringway.core.placement.key import KEY_BYTES_MAX, KeyReader
from ringway.core.placement.key_source import KeySource
from ringway.errors import BodyError, ProtocolError, UpgradeError
from ringway.gateway.placement.query import Query
from ringway.gateway.proxy.upstream import Answer, AnswerLimits, NodeHandshake
from ringway.protocol.forwarded import forwarded_headers, is_trusted, read_client, read_networks, read_told, told_of
from ringway.protocol.head import HeadReader, RequestHead
from ringway.protocol.host import host_known, read_hosts
from ringway.protocol.message_body import LAST_CHUNK, MessageBody, as_chunk, body_of
from ringway.protocol.message_head import CHUNKED, END, UNTIL_CLOSE, read_answer_head, read_request_head
from ringway.protocol.origin import origins_at, read_origins
from ringway.protocol.upgrade import check_request

TRUSTED = read_networks(["127.0.0.0/8", "::1"])
ALLOWED = read_origins(["https://app.example", "https://*.wild.example", "capacitor://localhost", "null"])
HOSTS = read_hosts(["app.example", "*.wild.example"])
LIMITS = AnswerLimits(
    connect_deadline_s=1, answer_deadline_s=1, head_bytes_max=2048, headers_max=16, body_bytes_max=256
)
KEYS = [
    KeyReader(text, b"a secret of tests")
    for text in ("ip", "ip/24/56", "ip:port", "host", "path", "query.room", "header.x-room", "cookie.room", "user")
]


def requests(data: bytes) -> None:
    """A stream of request heads: the same heads, however they are cut into reads; and all that is read of one."""
    if not data:
        return
    cut, stream = data[0], data[1:]
    at = cut % (len(stream) + 1)
    whole, pieces = _heads([stream]), _heads([stream[:at], stream[at:]])
    for one, other in zip(whole, pieces, strict=False):
        assert _parts(one) == _parts(other)
    for head in whole:
        _read(head)


def _heads(pieces: list[bytes]) -> list[RequestHead]:
    reader = HeadReader()
    heads: list[RequestHead] = []
    for piece in pieces:
        if piece and reader.problem is None and reader.rest is None:
            heads += reader.feed(piece)
    if reader.problem is not None:
        assert 400 <= reader.problem.status < 600
        str(reader.problem).encode()
    return heads


def _parts(head: RequestHead) -> tuple[object, ...]:
    return head.method, head.path, head.query, head.version, head.headers


def _read(head: RequestHead) -> None:
    try:
        check_request(head.method, head.version, head.headers)
    except UpgradeError as error:
        known = range(400, 600)
        if error.status not in known:
            raise AssertionError(error.status) from error
    client = read_client("127.0.0.1", head.headers, TRUSTED)
    assert client.chain[0] == client.ip
    for _, value in (*forwarded_headers(client), *forwarded_headers(read_told("127.0.0.1", head.headers))):
        assert not set("\r\n") & set(value)
    is_trusted(client.ip, TRUSTED)
    told_of(head.headers)
    host_known(client.host, HOSTS)
    origin = next((value for name, value in head.headers if name == "origin"), None)
    ALLOWED.allows(origin, client.scheme, client.host)
    origins_at(origin or "")
    query = Query(head.query)
    query.for_node(query.key, query.ticket)
    asked = KeySource(client.ip, 1, client.host, head.path, head.query, head.headers)
    for keys in KEYS:
        key = keys.read(asked)
        assert key is None or len(key) <= KEY_BYTES_MAX


class _Transport(asyncio.Transport):
    """A transport that nothing happens to."""

    def pause_reading(self) -> None:
        """Do nothing."""

    def abort(self) -> None:
        """Do nothing."""

    def is_closing(self) -> bool:
        return False


def answers(data: bytes) -> None:
    """A node's answer to a handshake, cut into two reads: an answer, a refusal, or no result yet."""
    if not data:
        return
    cut, stream = data[0], data[1:]
    at = cut % (len(stream) + 1)
    loop = asyncio.new_event_loop()
    try:
        done: asyncio.Future[Answer] = loop.create_future()
        handshake = NodeHandshake(done, LIMITS)
        handshake.connection_made(_Transport())
        for piece in (stream[:at], stream[at:]):
            if piece:
                handshake.data_received(piece)
        if not done.done():
            handshake.eof_received()
        handshake.connection_lost(None)
        error = done.exception()
        assert error is None or isinstance(error, UpgradeError)
        if error is None:
            assert 100 <= done.result().status <= 599
    finally:
        loop.close()


def messages_with_bodies(data: bytes) -> None:
    """A stream of requests with bodies: the same requests, however they are cut into reads, and written anew they are
    the same once more."""
    if not data:
        return
    cut, stream = data[0], data[1:]
    at = cut % (len(stream) + 1)
    whole, cut_whole = _requests([stream]), _requests([stream[:at], stream[at:]])
    assert whole == cut_whole
    written = b"".join(_write(*each) for each in whole)
    again = _requests([written])
    assert [(each[0], each[1], each[3]) for each in again] == [(each[0], each[1], each[3]) for each in whole]
    end = stream.find(END)
    if end >= 0:
        with suppress(UpgradeError):
            answer = read_answer_head(stream[: end + 2], 16, "GET")
            assert 100 <= answer.status <= 599
            assert answer.length >= UNTIL_CLOSE


def _requests(pieces: list[bytes]) -> list[tuple[str, str, int, bytes]]:
    """Return method, target, length and content of each whole request in a stream, up to the first that is wrong."""
    found: list[tuple[str, str, int, bytes]] = []
    data, content = b"", b""
    head: RequestHead | None = None
    body: MessageBody | None = None
    length = 0
    for piece in pieces:
        data += piece
        while data:
            try:
                if body is None:
                    end = data.find(END)
                    if end < 0:
                        break
                    head, length = read_request_head(data[: end + 2], 16)
                    data, body, content = data[end + 4 :], body_of(length), b""
                if not body.is_over and data:
                    more, data = body.feed_body(data)
                    content += more
                elif not body.is_over:
                    break
            except (UpgradeError, BodyError):
                return found
            if body.is_over and head is not None:
                found.append((head.method, f"{head.path}?{head.query}", length, content))
                body = None
    return found


def _write(method: str, target: str, length: int, content: bytes) -> bytes:
    field = b"Transfer-Encoding: chunked" if length == CHUNKED else b"Content-Length: %d" % length
    chunks = (as_chunk(content) if content else b"") + LAST_CHUNK
    head = f"{method} {target.removesuffix('?')} HTTP/1.1\r\nHost: x\r\n".encode("latin-1")
    return head + field + END + (chunks if length == CHUNKED else content)


def agents(data: bytes) -> None:
    """The line of an HAProxy agent, and a page of Prometheus."""
    text = data.decode("utf-8", "replace")
    with suppress(ValueError):
        assert Advice().follow(parse_line(text)).factor(1.0) >= 0
    with suppress(CollectFailed):
        sample_in(text, "load", {})


def texts(data: bytes) -> None:
    """A text of a stranger on an operator's terminal: nothing of it steers the terminal, and JSON stays the same."""
    text = data.decode("utf-8", "surrogatepass") if data[:1] == b"\x00" and _is_text(data) else data.decode("latin-1")
    shown = visible(text)
    assert visible(shown) == shown
    assert shown.isprintable() or not set(shown) & set("\x1b\x07\x9b\r\n")
    shown.encode()
    written = json.dumps(text, ensure_ascii=False)
    assert json.loads(visible_json(written)) == text


def _is_text(data: bytes) -> bool:
    try:
        data.decode("utf-8", "surrogatepass")
    except UnicodeDecodeError:
        return False
    return True


def documents(data: bytes) -> None:
    """A JSON document that a measure is taken from."""
    try:
        document = read_document(data)
    except ProtocolError:
        return
    for path in ((), ("a",), ("a", "0")):
        with suppress(CollectFailed):
            number_at(document, path)


TARGETS: dict[str, Callable[[bytes], None]] = {
    "requests": requests,
    "answers": answers,
    "bodies": messages_with_bodies,
    "agents": agents,
    "documents": documents,
    "texts": texts,
}
