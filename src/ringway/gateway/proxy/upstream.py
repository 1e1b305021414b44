"""Connections to nodes: connects, sends one request, and reads the head of the answer."""

import asyncio
import socket
import ssl
from dataclasses import dataclass, field
from typing import NamedTuple, cast

import httptools

from ringway.errors import UpgradeError
from ringway.net import connector
from ringway.protocol.server_address import ServerAddress


class AnswerLimits(NamedTuple):
    """The deadline and the size of a node's answer."""

    connect_deadline_s: float
    answer_deadline_s: float
    head_bytes_max: int  # the size of all heads together, with interim answers
    headers_max: int
    body_bytes_max: int  # the size of a refusal's body; longer bodies are cut


@dataclass(slots=True)
class Answer:
    """The answer of a node. After a 101, `rest` are the first bytes of its stream, and reading is paused."""

    transport: asyncio.Transport
    status: int = 0
    version: str = ""
    headers: list[tuple[str, str]] = field(default_factory=list)
    body: bytes = b""
    cut: bool = False  # the whole body is longer than `body`
    rest: bytes = b""


class Unreachable(UpgradeError):
    """The connection to the node failed, or ended before the answer. An alternate may do better."""


class NodeHandshake(asyncio.Protocol):
    """Reads the head of the answer, and the body of a refusal.

    Interim answers (100, 102, 103) may come before it and are skipped (RFC 9110, 15.2).
    """

    __slots__ = ("_head_size", "_limits", "_parser", "_size", "answer", "done", "head_done")

    def __init__(self, done: "asyncio.Future[Answer]", limits: AnswerLimits) -> None:
        self.done = done
        self._limits = limits
        self.answer: Answer | None = None
        self._parser = httptools.HttpResponseParser(self)
        self._size = 0
        self._head_size = 0
        self.head_done = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self.answer = Answer(cast(asyncio.Transport, transport))

    def data_received(self, data: bytes) -> None:
        """Parse the next bytes of the stream."""
        answer = self.answer
        assert answer is not None
        if self.done.done():  # the pause takes effect a moment later on some transports
            answer.rest += data
            return
        self._size += len(data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            answer.rest = data[upgrade.args[0] :]
            answer.transport.pause_reading()
            self._finish()
        except httptools.HttpParserError as error:
            self._fail(UpgradeError(502, f"the node's answer is malformed: {error}"))
        else:
            if not self.head_done and self._size > self._limits.head_bytes_max:
                self._fail(_too_large())
            elif self.head_done and not 300 <= answer.status < 500:  # only a refusal's body is passed on
                self._finish()

    def eof_received(self) -> bool:
        """Finish a body without a length, which ends with the stream; otherwise fail."""
        if self.head_done:
            self._finish()
        else:
            self._fail(Unreachable(502, "the node broke off before it answered"))
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        """Fail, unless the answer was whole."""
        self._fail(Unreachable(502, "the node broke off before it answered"))

    def _finish(self) -> None:
        if not self.done.done():
            assert self.answer is not None
            self.done.set_result(self.answer)

    def _fail(self, error: UpgradeError) -> None:
        if not self.done.done():
            self.done.set_exception(error)

    # Called by the parser.

    def on_header(self, name: bytes, value: bytes) -> None:
        """Store one header, which is whole."""
        assert self.answer is not None
        headers = self.answer.headers
        if self.head_done:
            return  # a trailer
        self._head_size += len(name) + len(value) + 4
        if len(headers) >= self._limits.headers_max or self._head_size > self._limits.head_bytes_max:
            self._fail(_too_large())
        headers.append((name.lower().decode("latin-1"), value.decode("latin-1")))

    def on_headers_complete(self) -> None:
        """Check the status when all headers are known."""
        assert self.answer is not None
        if self.head_done:
            self._fail(UpgradeError(502, "the node answered twice"))
            return
        status = self._parser.get_status_code()
        if not 100 <= status <= 599:  # RFC 9110, 15
            self._fail(UpgradeError(502, f"the node's answer is malformed: it has the status {status}"))
            return
        if 100 <= status < 200 and status != 101:
            self.answer.headers.clear()
            return
        self.head_done = True
        self.answer.status = status
        self.answer.version = self._parser.get_http_version()

    def on_body(self, body: bytes) -> None:
        """Store the beginning of a refusal's body."""
        assert self.answer is not None
        room = self._limits.body_bytes_max - len(self.answer.body)
        self.answer.body += body[:room]
        if len(body) > room:
            self.answer.cut = True
            self._finish()

    def on_message_complete(self) -> None:
        """Finish: the answer is whole."""
        assert self.answer is not None
        if self.head_done and self.answer.status != 101:
            self._finish()


def _too_large() -> UpgradeError:
    return UpgradeError(502, "the head of the node's answer is too large (head_bytes_max, headers_max)")


async def request_upgrade(
    address: ServerAddress, request: bytes, tls: ssl.SSLContext | None, limits: AnswerLimits
) -> Answer:
    """Send the handshake `request` to `address` and return the answer, of any status.

    Raises `Unreachable` if there was no answer, and `UpgradeError` 502 or 504 if it was malformed or late. The caller
    owns the answer's transport; in every other case the connection is closed here, also when cancelled.
    """
    done: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
    try:
        transport, shake = await connector().open(
            lambda: NodeHandshake(done, limits),
            address.host,
            address.port,
            limits.connect_deadline_s,
            ssl=tls,
            tls_name=address.tls_name,
        )
    except TimeoutError:
        raise Unreachable(504, f"the node did not accept a connection within {limits.connect_deadline_s:g} s") from None
    except socket.gaierror as error:
        raise Unreachable(502, "the name of the node cannot be looked up") from error
    except ssl.SSLError as error:
        raise Unreachable(502, "the node cannot be reached by TLS, or its certificate is not accepted") from error
    except OSError as error:
        raise Unreachable(502, "the node does not accept connections") from error
    try:
        transport.write(request)
        async with asyncio.timeout(limits.answer_deadline_s):
            return await done
    except TimeoutError:
        if shake.head_done and shake.answer is not None:  # a refusal whose body does not end
            shake.answer.cut = True
            return shake.answer
        transport.abort()
        raise Unreachable(504, f"the node did not answer the handshake within {limits.answer_deadline_s:g} s") from None
    except BaseException:
        transport.abort()
        raise
