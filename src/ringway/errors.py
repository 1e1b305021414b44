"""The errors of Ringway, as one tree. Imports nothing.

RingwayError
├─ ConfigError          a setting is wrong; the person who started the program must act (exit code 2)
├─ ProtocolError        the peer broke the rules; carries the WebSocket close code that says so
├─ UpgradeError         a handshake was refused; carries the HTTP status
├─ TicketError          a ticket is forged, stale, used, or for another node
├─ TokenError           a token (JWT) is not accepted; the text is for the log, never for the client
│  ├─ TokenExpired      it was good until its end; the client must get a new one
│  └─ TokenInvalid      it was never good here
│     └─ KeyUnknown     its key may be fetched: fetch, and check it again
├─ ConnectionClosed     the connection is over; carries close code and reason
├─ CommandError         the server refused a command; carries its code, and whether to retry
├─ RpcError             a function refuses a client's call; carries the code that the client gets
├─ RpcDisconnect        a function closes the client that calls; carries close code and reason
├─ Overloaded           a bound was hit; names the bound and its value
├─ NoNode               no node may take this connection now; retry later
└─ EngineError          the engine failed
   ├─ EngineAway        it cannot be reached; temporary, retry
   │  └─ Unconfirmed    it was lost before it answered: whether it took the request is unknown
   ├─ EngineUnsuitable  it was reached and will not do; its operator must act
   └─ NoAnswer          a member did not answer a call in time
"""


class RingwayError(Exception):
    """Any error that Ringway raises on purpose."""


class ConfigError(RingwayError):
    """One or more settings are wrong; `problems` names each value, its rule and the remedy."""

    def __init__(self, *problems: str) -> None:
        self.problems = problems
        super().__init__("; ".join(problems))


def refuse(problems: list[str]) -> None:
    """Raise one `ConfigError` with all `problems`; nothing if there are none."""
    if problems:
        raise ConfigError(*problems)


class ProtocolError(RingwayError):
    """The peer broke the protocol; close its connection with `close_code`."""

    def __init__(self, close_code: int, message: str) -> None:
        self.close_code = close_code
        super().__init__(message)


class BodyError(RingwayError):
    """The body of an HTTP message is malformed: nothing that follows can be trusted."""


class UpgradeError(RingwayError):
    """A WebSocket handshake was refused; `status` is the HTTP status that says so, `headers` go with it.

    `wait_s` is how long a gateway asks to stay away, finer than `Retry-After` tells it; 0 where it does not. `cause` is
    what a node names to gateways as the reason: the request, or what subclasses say.
    """

    cause = "request"

    def __init__(
        self, status: int, message: str, headers: tuple[tuple[str, str], ...] = (), wait_s: float = 0.0
    ) -> None:
        self.status = status
        self.headers = headers
        self.wait_s = wait_s
        super().__init__(message)


class SessionUnknown(UpgradeError):
    """A session of plain HTTP has ended, or was never there; `body` is what its client understands."""

    def __init__(self, status: int, message: str, body: bytes) -> None:
        self.body = body
        super().__init__(status, message)


class TicketRefused(UpgradeError):
    """The ticket of a handshake was refused."""

    cause = "ticket"


class PathRefused(UpgradeError):
    """There is no WebSocket at the path of a handshake."""

    cause = "path"


class TicketError(RingwayError):
    """A ticket does not admit its bearer; the client must ask the gateway for a new one."""


class TokenError(RingwayError):
    """A token is not accepted. The text says why in words for the log and the operator; clients are not told it."""


class TokenExpired(TokenError):
    """The token is genuine, and its time is over; its bearer must get a new one."""


class TokenInvalid(TokenError):
    """The token is no token of ours: forged, cut, for others, from the future, or of a form that is not read."""


class KeyUnknown(TokenInvalid):
    """The token names a key that is not known yet. Fetch the keys, then check the token again, once."""


class ConnectionClosed(RingwayError):
    """The connection is over: `code` and `reason` of the close frame (1006 where there was none)."""

    def __init__(self, code: int, reason: str = "") -> None:
        self.code = code
        self.reason = reason
        super().__init__(f"connection closed with {code}" + (f" ({reason})" if reason else ""))


class CommandError(RingwayError):
    """The server answered a command with an error; retry it only where `temporary` is true."""

    def __init__(self, code: int, message: str, *, temporary: bool = False) -> None:
        self.code = code
        self.temporary = temporary
        super().__init__(f"{code}: {message}")


class RpcError(RingwayError):
    """A function that answers clients' calls refuses one: the client gets `code` and `message`.

    `code` is 400 to 1999, which are yours, or one of the protocol's own (PROTOCOL.md P-4.9). With `temporary` the
    client may call again.
    """

    def __init__(self, code: int, message: str, *, temporary: bool = False) -> None:
        self.code = code
        self.message = message
        self.temporary = temporary
        super().__init__(f"{code}: {message}")


class RpcDisconnect(RingwayError):
    """A function that answers clients' calls closes the client: with `code`, 3000 to 4999, and `reason`."""

    def __init__(self, code: int, reason: str = "") -> None:
        self.code = code
        self.reason = reason
        super().__init__(f"disconnect with {code}" + (f" ({reason})" if reason else ""))


class Overloaded(RingwayError):
    """A bound was hit: `bound` is its name in the configuration, `value` what it is set to."""

    def __init__(self, bound: str, value: float) -> None:
        self.bound = bound
        self.value = value
        super().__init__(f"{bound} of {value} reached")


class NoNode(RingwayError):
    """No node may take a connection now. Temporary: retry after `wait_s`, or after a pause where that is 0."""

    def __init__(self, message: str, wait_s: float = 0.0) -> None:
        self.wait_s = wait_s
        super().__init__(message)


class EngineError(RingwayError):
    """The engine failed to do what was asked; `temporary` says whether a retry can help."""

    temporary = False


class EngineAway(EngineError):
    """The engine cannot be reached at the moment; nothing was accepted. Retry."""

    temporary = True


class Unconfirmed(EngineAway):
    """The engine was lost while it had a request: it may have been carried out. A retry could do it twice."""

    temporary = False


class EngineUnsuitable(EngineError):
    """The engine was reached and lacks what Ringway needs; the message says what."""


class NoAnswer(EngineError):
    """A call has no answer: its deadline passed (`timed_out`), nobody serves the address, or the handler failed."""

    temporary = True

    def __init__(self, message: str, *, timed_out: bool = False) -> None:
        self.timed_out = timed_out
        super().__init__(message)
