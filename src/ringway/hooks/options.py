"""Options of one hook, with the unit, bound and reason of each. Names are Centrifugo's, where it has them."""

import re
from typing import Annotated

import msgspec

from ringway.errors import ConfigError, refuse
from ringway.protocol.address import Url, read_url, shown
from ringway.protocol.host import is_loopback

PORTS = {"http": 80, "https": 443}
FORM = "write https://host/path"

_TOKEN = re.compile(r"[!#$%&'*.^_`|~0-9A-Za-z-]+")

ADDRESS_HEADERS = frozenset({"x-real-ip", "x-forwarded-for"})
"""Headers that tell the client's address: the node says what it knows, not what the client has sent."""

_NOT_PASSED = frozenset({
    "connection", "content-encoding", "content-length", "content-type", "expect", "host", "keep-alive",
    "proxy-authorization", "proxy-connection", "sec-websocket-accept", "sec-websocket-extensions", "sec-websocket-key",
    "te", "trailer", "transfer-encoding", "upgrade",
})  # fmt: skip
"""Headers that belong to one connection or one message; of a request to a hook, the node writes its own."""

_OWN_PREFIX = "ringway-"
"""The beginning of headers between members of the cluster; some are secrets."""


class HookOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The options of one hook."""

    endpoint: Annotated[
        str,
        msgspec.Meta(
            description="The URL to which each request is sent, by POST. Without user, password and query: secrets go "
            "into `static_headers_file`."
        ),
    ] = ""
    timeout_s: Annotated[
        float,
        msgspec.Meta(
            description="An answer must come in this time. A command waits as long at most for its turn before that.",
            gt=0,
            le=30,
            extra={"unit": "s"},
        ),
    ] = 1.0
    concurrency_max: Annotated[
        int, msgspec.Meta(description="Requests of this node that are under way at one time.", ge=1, le=10_000)
    ] = 64
    queue_max: Annotated[
        int,
        msgspec.Meta(
            description="Commands that wait for their turn beyond these; further ones are refused at once, with error "
            "100 (temporary).",
            ge=0,
            le=1_000_000,
        ),
    ] = 1000
    http_headers: Annotated[
        str,
        msgspec.Meta(
            description="Headers of the client's handshake that are passed on: Cookie+User-Agent; in TOML a list. "
            "X-Real-Ip and X-Forwarded-For say the address that the node knows, whatever the client has sent."
        ),
    ] = ""
    static_headers_file: Annotated[
        str,
        msgspec.Meta(
            description="A file with headers of every request, one a line (Authorization: Bearer ...); lines with # "
            "are comments. It is read at the start."
        ),
    ] = ""
    include_connection_meta: Annotated[
        bool, msgspec.Meta(description="Requests have the `meta` of the connection, which its token or hook has set.")
    ] = False
    ca_file: Annotated[
        str,
        msgspec.Meta(
            description="A PEM file with the certificates that prove the endpoint. Empty: those of the system."
        ),
    ] = ""
    plain_http: Annotated[
        bool,
        msgspec.Meta(
            description="Allow http:// to a different machine. Whoever can change answers on the way can give any "
            "client any right."
        ),
    ] = False
    answer_bytes_max: Annotated[
        int,
        msgspec.Meta(
            description="Longest answer, with its head; a longer one is a failure.",
            ge=1024,
            le=16 * 1024 * 1024,
            extra={"unit": "bytes"},
        ),
    ] = 256 * 1024
    keep_alive_s: Annotated[
        float,
        msgspec.Meta(
            description="An idle connection is used again for this long. Give less than the server's own limit, or it "
            "may close the connection under a request. 0: a new connection for each request.",
            ge=0,
            le=3600,
            extra={"unit": "s"},
        ),
    ] = 4.0
    breaker_failures: Annotated[
        int,
        msgspec.Meta(
            description="The breaker opens when so many of the last twice as many requests had no answer in time, no "
            "connection, or 429, 502, 503 or 504. Then commands are refused at once, with error 100. 0: no breaker.",
            ge=0,
            le=10_000,
        ),
    ] = 10
    breaker_open_s: Annotated[
        float,
        msgspec.Meta(
            description="It stays open for this long; then one request tries whether the hook answers.",
            ge=0.1,
            le=3600,
            extra={"unit": "s"},
        ),
    ] = 5.0

    def __post_init__(self) -> None:
        """Raise `ConfigError` if the endpoint cannot be used, or a header may not be passed on."""
        problems: list[str] = []
        try:
            self._check_url(self.url, problems)
        except ConfigError as error:
            problems += error.problems
        problems += filter(None, map(header_problem, self.headers))
        refuse(problems)

    @property
    def url(self) -> Url:
        """The endpoint in parts. Raise `ConfigError` if it cannot be read."""
        if not self.endpoint:
            raise ConfigError(f"endpoint is missing; {FORM}")
        return read_url(self.endpoint, PORTS, FORM, "put them into a file, with static_headers_file")

    @property
    def headers(self) -> tuple[str, ...]:
        """The names of the headers that are passed on, in lower case."""
        return tuple(name.strip().lower() for name in self.http_headers.split("+") if name.strip())

    def _check_url(self, url: Url, problems: list[str]) -> None:
        if url.query or "?" in self.endpoint:
            problems.append(
                f"endpoint {shown(self.endpoint)!r} has a query; leave it out, and put secrets into static_headers_file"
            )
        if url.scheme == "http" and not (is_loopback(url.host) or self.plain_http):
            problems.append(
                f"endpoint {shown(self.endpoint)!r} is over http: whoever is on the way can change its answers; give "
                "https, or set plain_http if the network between is trusted"
            )
        if self.ca_file and url.scheme == "http":
            problems.append(f"ca_file is {self.ca_file}, and the endpoint is over http; leave one out, or give https")


def header_problem(name: str) -> str:
    """Return why the client's header `name`, in lower case, may not be passed on; '' if it may."""
    if not _TOKEN.fullmatch(name):
        return f"http_headers has {name!r}, which is no name of a header; give names with + between them"
    if name in _NOT_PASSED or name.startswith(_OWN_PREFIX):
        return f"http_headers has {name}, which is not for backends; leave it out"
    return ""


def static_header_problem(name: str, value: str) -> str:
    """Return why the header may not be written by a file; '' if it may. No sentence contains its value."""
    if not _TOKEN.fullmatch(name) or name.lower() in _NOT_PASSED - {"proxy-authorization"}:
        return f"the header {name!r} may not be given; leave it out"
    if not value or not value.isprintable() or not value.isascii():
        return f"the value of {name} must be printable characters of ASCII, at least one"
    return ""
