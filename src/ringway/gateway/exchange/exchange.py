"""Exchange: one plain request of a client, and the answer of its backend, passed on while they come.

Heads are read and written anew; bodies pass as they come, and whoever reads slowly stops the writer of what it reads.
A connection is used again only if request and answer were whole and nothing followed them: so no byte of one exchange
can be taken for a part of the next. The first event decides:

    answer is whole            the client's connection goes on if the request is whole, too; otherwise it is closed
    backend ends in the head   tried once more if nothing can have been done (`may_retry`); otherwise 502
    backend ends in the body   the client's connection is cut, so that it sees that something is missing
    answer is malformed        502, or the cut if its head was passed on
    client leaves              the backend's connection is cut
    no byte for too long       504 or 408, or the cut if the answer's head was passed on
"""

import asyncio
from typing import Protocol

from ringway.core.load import NodeLoad
from ringway.core.sticky.kind import SessionUse
from ringway.errors import BodyError, UpgradeError
from ringway.gateway.config.gateway import GatewayConfig
from ringway.gateway.exchange.backend_connection import BackendConnection
from ringway.gateway.exchange.request import RoutedRequest
from ringway.gateway.proxy.rewrite import answer_lines
from ringway.gateway.proxy.upstream import Unreachable
from ringway.net.unsent import unsent_bytes
from ringway.protocol.head import RequestHead
from ringway.protocol.message_body import LAST_CHUNK, EndlessBody, MessageBody, as_chunk, body_of
from ringway.protocol.message_head import CHUNKED, END, AnswerHead, read_answer_head
from ringway.protocol.upgrade import value_of

INTERIM_MAX = 64
"""Interim answers (1xx) before one answer."""

SAFE_AGAIN = frozenset({"GET", "HEAD", "OPTIONS", "PUT", "DELETE"})
"""Methods that may be sent twice (RFC 9110, 9.2.2); only requests without a body are."""


class ExchangeClient(Protocol):
    """The client's connection, as an exchange sees it."""

    transport: asyncio.Transport

    def on_exchange_ready(self) -> None:
        """The exchange takes more of the request, or takes no more for the moment (`Exchange.takes_more`)."""

    def on_exchange_over(self, *, keep: bool) -> None:
        """The answer is whole; with `keep` the connection goes on with the next request."""

    def on_exchange_failed(self, error: UpgradeError) -> None:
        """There is no answer, because of `error`."""


class ExchangeOwner(Protocol):
    """The requirements of an exchange on its owner."""

    is_stopping: bool
    """True if no connection of a client goes on after its answer."""

    def send_again(self, exchange: "Exchange") -> None:
        """Send the request over a new connection: the used one was closed before the request came there."""

    def on_answer(self, exchange: "Exchange", answer: AnswerHead) -> str:
        """The head of the answer has come; return further header lines for the client."""

    def on_content(self, exchange: "Exchange", content: bytes) -> None:
        """The next piece of an answer's body has come, and `Exchange.sniffed` is not None."""

    def on_over(self, exchange: "Exchange", cause: str, *, reuse: bool) -> None:
        """The exchange is over, called once. `cause` is empty if the answer was whole; with `reuse` its connection to
        the backend may carry a further one."""


class Exchange:
    """One request of `client`, which is `length` bytes long, or in chunks (`CHUNKED`)."""

    __slots__ = (
        "_answer", "_body", "_client_full", "_config", "_full", "_held", "_interim", "_keep", "_owner", "_rechunks",
        "_unsent", "_waiting", "address", "client", "connection", "deadline", "expects", "fields", "group", "head",
        "is_active", "is_over", "is_whole", "length", "node", "pinned", "request", "retried", "routed", "sniffed",
        "use",
    )  # fmt: skip

    def __init__(
        self, owner: ExchangeOwner, client: ExchangeClient, head: RequestHead, length: int, config: GatewayConfig
    ) -> None:
        self.client = client
        self.head = head
        self.length = length
        self.address = ""  # the address that its client counts for
        self.group = ""
        self.node: NodeLoad | None = None  # the node that it counts at; None: none yet
        self.fields = ""  # the lines of the head that are the same for each backend
        self.request = b""  # the head for the backend
        self.connection: BackendConnection | None = None
        self.expects = False  # the client waits for 100 before it sends the body
        self.is_whole = length == 0  # the whole request has come
        self.is_over = False
        self.is_active = True  # something has moved since the last sweep
        self.deadline = 0.0
        self.retried = False
        self.routed: RoutedRequest | None = None
        self.use = SessionUse()
        self.pinned = False  # its session is at its node, and nowhere else
        self.sniffed: bytes | None = None  # the beginning of a body that may have the id of a new session
        self._owner = owner
        self._config = config
        self._waiting: list[bytes] = []  # the beginning of the body, until there is a connection
        self._full = False  # the backend does not read
        self._client_full = False
        self._held = b""  # the beginning of the answer's head
        self._interim = 0
        self._answer: AnswerHead | None = None  # passed on
        self._body: MessageBody | None = None
        self._rechunks = False
        self._keep = False
        self._unsent: int | None = None

    @property
    def takes_more(self) -> bool:
        """True if more of the request may be read."""
        return self.connection is not None and not self._full

    @property
    def is_answered(self) -> bool:
        """True if the head of the answer has come."""
        return self._answer is not None

    @property
    def may_retry(self) -> bool:
        """True if the request may be sent again: by its method, and because no byte of an answer has come."""
        used = self.connection is not None and self.connection.is_used
        silent = not self._held and not self._interim and self._answer is None
        return used and silent and not self.retried and self.length == 0 and self.head.method in SAFE_AGAIN

    # The request.

    def attach(self, connection: BackendConnection) -> None:
        """Send what has come of the request over `connection`, and pass the rest as it comes."""
        self.connection, connection.exchange = connection, self
        self.is_active = True
        waiting = self._waiting
        if waiting:
            connection.transport.write(self.request + b"".join(waiting))
            waiting.clear()
        else:
            connection.transport.write(self.request)
        if not self.is_whole:
            self.client.on_exchange_ready()

    def send_content(self, content: bytes) -> None:
        """Pass a piece of the request's body on."""
        self._send(as_chunk(content) if self.length == CHUNKED else content)

    def finish_request(self) -> None:
        """Record that the whole body has come."""
        self.is_whole = True
        if self.length == CHUNKED:
            self._send(LAST_CHUNK)

    def _send(self, data: bytes) -> None:
        self.is_active = True
        if self.connection is None:
            self._waiting.append(data)
        else:
            self.connection.transport.write(data)

    def on_backend_full(self) -> None:
        """Send no more of the request for the moment."""
        self._full = True
        self.client.on_exchange_ready()

    def on_backend_ready(self) -> None:
        """Go on sending the request."""
        self._full = False
        self.is_active = True
        self.client.on_exchange_ready()

    # The answer.

    def on_client_full(self) -> None:
        """Read no more of the answer for the moment."""
        self._client_full = True
        if self.connection is not None and not self.connection.transport.is_closing():
            self.connection.transport.pause_reading()

    def on_client_ready(self) -> None:
        """Go on reading the answer."""
        self._client_full = False
        self.is_active = True
        if self.connection is not None and not self.connection.transport.is_closing():
            self.connection.transport.resume_reading()

    def on_answer_data(self, data: bytes) -> None:
        """Read the next bytes of the answer."""
        self.is_active = True
        try:
            if self._body is not None:
                self._pass_on(b"", data)
            else:
                self._read_head(data)
        except (BodyError, UpgradeError) as error:
            self.fail(UpgradeError(502, f"the backend's answer is malformed: {error}"), "answer")

    def on_backend_end(self) -> None:
        """The backend has ended its stream in order."""
        if isinstance(self._body, EndlessBody):
            if self._rechunks:
                self.client.transport.write(LAST_CHUNK)
            self._finish(reuse=False)
        else:
            self.on_backend_lost()

    def on_backend_lost(self) -> None:
        """The connection is over before the answer was."""
        if self.is_over:
            return
        if self.may_retry:
            self.retried = True
            self._leave_connection()
            self._owner.send_again(self)
        else:
            self.fail(Unreachable(502, "the backend broke off before it had answered"), "unreachable")

    def _read_head(self, data: bytes) -> None:
        config = self._config
        if self._held:
            data, self._held = self._held + data, b""
        while True:
            end = data.find(END, 0, config.head_bytes_max)
            if end < 0:
                if len(data) >= config.head_bytes_max:
                    raise UpgradeError(502, f"its head has more than {config.head_bytes_max} bytes (head_bytes_max)")
                self._held = data
                return
            answer = read_answer_head(data[: end + 2], config.headers_max, self.head.method)
            data = data[end + 4 :]
            if answer.status >= 200:
                break
            self._pass_interim(answer)
        self._begin_answer(answer, data)

    def _pass_interim(self, answer: AnswerHead) -> None:
        """Pass an interim answer on; 100 only to a client that waits for it (RFC 9110, 15.2)."""
        self._interim += 1
        if answer.status == 101 or self._interim > INTERIM_MAX:
            raise UpgradeError(502, "it switches protocols unasked" if answer.status == 101 else "it does not come")
        asked = answer.status != 100 or (self.expects and not self.is_whole)
        if asked and self.head.version != "1.0":
            head = f"HTTP/1.1 {answer.status} {answer.reason}\r\n{answer_lines(answer.headers)}\r\n"
            self.client.transport.write(head.encode("latin-1"))

    def _begin_answer(self, answer: AnswerHead, data: bytes) -> None:
        self._answer = answer
        self._keep = self.head.keep_alive and self.is_whole and not self._owner.is_stopping
        lines = answer_lines(answer.headers)
        length: str | int | None = answer.length
        if self.head.method == "HEAD" or answer.status == 304:
            length = value_of(answer.headers, "content-length")
        elif answer.status == 204:
            length = None
        elif answer.length < 0:
            length = None
            if self.head.version == "1.0":
                self._keep = False
            else:
                self._rechunks = True
                lines += "Transfer-Encoding: chunked\r\n"
        if length is not None:
            lines += f"Content-Length: {length}\r\n"
        if not self._keep:
            lines += "Connection: close\r\n"
        self._body = body_of(answer.length)
        lines += self._owner.on_answer(self, answer)
        self._pass_on(f"HTTP/1.1 {answer.status} {answer.reason}\r\n{lines}\r\n".encode("latin-1"), data)

    def _pass_on(self, out: bytes, data: bytes) -> None:
        """Write `out` to the client, and the content in `data` after it."""
        body = self._body
        assert body is not None
        rest = data
        if data and not body.is_over:
            content, rest = body.feed_body(data)
            if content:
                if self.sniffed is not None:
                    self._owner.on_content(self, content)
                out += as_chunk(content) if self._rechunks else content
        if body.is_over and self._rechunks:
            out += LAST_CHUNK
        if out:
            self.client.transport.write(out)
        if body.is_over:
            answer = self._answer
            assert answer is not None
            self._finish(reuse=answer.keep_alive and self.is_whole and not rest)

    # The end.

    def on_client_lost(self) -> None:
        """The client has left."""
        self._end("client", reuse=False)

    def on_broken_request(self, error: BodyError) -> None:
        """The body of the request is malformed."""
        self.fail(UpgradeError(400, f"the body of the request is malformed: {error}"), "client")

    def expire(self) -> bool:
        """End the exchange because nothing has moved; return False if a slow peer still receives."""
        transports = [self.client.transport] + ([self.connection.transport] if self.connection is not None else [])
        unsent = sum(map(unsent_bytes, transports))
        if unsent and (self._unsent is None or unsent < self._unsent):
            self._unsent = unsent
            return False
        if self.is_whole:
            self.fail(Unreachable(504, "the backend did not answer in time (http_answer_deadline_s)"), "timeout")
        else:
            self.fail(UpgradeError(408, "the body of the request did not come in time (http_idle_s)"), "client")
        return True

    def cut(self, code: int, reason: str, cause: str) -> None:
        """End the exchange because its token has ended, or is revoked."""
        self.fail(UpgradeError(401, f"{reason}; get a new token"), cause)

    def fail(self, error: UpgradeError, cause: str) -> None:
        """End the exchange with `error`, or by a cut if the head of the answer was passed on."""
        if self.is_over:
            return
        begun = self._answer is not None
        self._end(cause, reuse=False)
        if begun:
            self.client.transport.abort()
        else:
            self.client.on_exchange_failed(error)

    def _finish(self, *, reuse: bool) -> None:
        self._end("", reuse=reuse and not self._full)
        self.client.on_exchange_over(keep=self._keep)

    def _leave_connection(self) -> None:
        if self.connection is not None:
            self.connection.exchange = None
            self.connection = None

    def _end(self, cause: str, *, reuse: bool) -> None:
        if not self.is_over:
            self.is_over = True
            self._owner.on_over(self, cause, reuse=reuse)
            self._leave_connection()
