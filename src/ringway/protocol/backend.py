"""Backends: WebSocket servers that know nothing of Ringway. Gateways hold their connections and report for them.

Every source of backends (`--backend`, a watched file, registration by HTTP, DNS, Kubernetes, Eureka) describes them in
this form, and gateways tell each other in it (PROTOCOL.md P-8.3). `problems_of` has all rules.
"""

import enum
from dataclasses import replace
from hashlib import blake2b

import msgspec

from ringway.errors import ConfigError
from ringway.protocol.address import BadAddress, check_host, is_literal, shown, split_host
from ringway.protocol.group import CHANNELS
from ringway.protocol.name import check_name
from ringway.protocol.server_address import ServerAddress, read_address
from ringway.protocol.weight import WEIGHT_RULE, is_weight
from ringway.types import Incarnation, NodeName

CLOSE_CODES = frozenset({1000, 1001, 1008, 1011, 1012, 1013}) | frozenset(range(3000, 5000))
"""The codes that a moved client may be told (RFC 6455, 7.4): those of a server, and those of applications."""

CLOSE_CODES_RULE = "must be one of 1000, 1001, 1008, 1011 to 1013, or 3000 to 4999"
"""The same, in the words of an error."""


class OnMove(enum.StrEnum):
    """The action for a WebSocket that is to be moved, or whose server is lost or restarts."""

    AUTO = "auto"  # reopen where the two sides agreed on nothing that holds state, otherwise close
    CLOSE = "close"  # close its client, which comes back to a place that is held for it
    REOPEN = "reopen"  # open it anew at a different backend, unnoticed by the client
    NEVER = "never"  # do not move it: it stays until it ends
    FOLLOW = "follow"  # follow the move of its session; only for channel nodes, not for backends


class Backend(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One backend, as its source describes it."""

    name: NodeName
    url: str  # ws://host:port/prefix or wss://
    weight: float = 1.0
    group: str = ""  # the group in which its connections are placed and moved; empty: the default group
    zone: str = ""
    check: str = ""  # path of the HTTP check; empty: a TCP connection is enough
    check_host: str = ""  # the Host of the check; empty: `host`, or the address if that is empty too
    host: str = ""  # the Host of clients' handshakes; empty: their own
    tls_name: str = ""  # the name in its certificate; empty: the host of its URL
    on_move: OnMove = OnMove.AUTO
    close_code: int = 1012  # for a client that is closed for a move
    restart_codes: tuple[int, ...] = ()  # further close codes by which the server says that it restarts
    life: str = ""  # one life of the server, if its source knows it; empty: restarts are not seen

    @property
    def address(self) -> ServerAddress:
        """The address in its URL, with the name in its certificate."""
        address = read_address(self.url)
        return replace(address, tls_name=self.tls_name) if self.tls_name else address

    @property
    def checked_as(self) -> str:
        """The Host of its checks."""
        return self.check_host or self.host or self.address.authority

    @property
    def incarnation(self) -> Incarnation:
        """Made from its name, URL, life and group, so that all gateways have the same."""
        text = f"{self.name}\0{self.url}" + (f"\0{self.life}" if self.life or self.group else "")
        text += f"\0{self.group}" if self.group else ""
        return Incarnation(blake2b(text.encode(), digest_size=4).hexdigest())


def problems_of(backend: Backend) -> list[str]:
    """Return every problem of `backend`, each as a sentence that names the value and the rule."""
    problems: list[str] = []
    subject = shown(backend.url)
    for read, given in ((read_address, backend.url), (check_name, backend.name)):
        try:
            read(given)
        except ConfigError as error:
            problems.extend(error.problems)
    if not is_weight(backend.weight):
        problems.append(f"the weight '{backend.weight:g}' must be {WEIGHT_RULE}")
    problems += check_problems(backend.check, backend.check_host, f"backend {subject!r}")
    problems += _host_problems("host", backend.host, f"backend {subject!r}")
    if backend.check_host and not backend.check:
        problems.append(
            f"the check host of backend {subject!r} has no effect without a check; give a check, such as /healthz"
        )
    if backend.tls_name:
        problems += _tls_name_problems(backend.tls_name, subject)
    for option, label in (("group", backend.group), ("zone", backend.zone)):
        if label:
            try:
                check_name(label)
            except ConfigError as error:
                problems += (f"the {option} of backend {subject!r}: {problem}" for problem in error.problems)
    if backend.group == CHANNELS:
        problems.append(
            f"the group {CHANNELS!r} of backend {subject!r} is that of channel nodes; name its group differently"
        )
    if backend.on_move is OnMove.FOLLOW:
        problems.append(
            f"what is done on a move of backend {subject!r} must be auto, close, reopen or never, not follow"
        )
    problems += (
        f"the close code {code} of backend {subject!r} {CLOSE_CODES_RULE}"
        for code in (backend.close_code, *backend.restart_codes)
        if code not in CLOSE_CODES
    )
    return problems


def check_problems(check: str, host: str, subject: str) -> list[str]:
    """Return every problem of a check of `subject`, such as `backend 'ws://h:1'`: of its path, and of its host."""
    problems = _host_problems("check host", host, subject)
    if check and (not check.startswith("/") or any(char == "#" or not "!" <= char <= "~" for char in check)):
        problems.insert(0, f"the check {check!r} of {subject} must be a path such as /healthz, without blanks and #")
    return problems


def _host_problems(option: str, host: str, subject: str) -> list[str]:
    if not host or split_host(host) is not None:
        return []
    return [f"the {option} {host!r} of {subject} must be a host, as app.example or app.example:8443"]


def _tls_name_problems(name: str, subject: str) -> list[str]:
    if not subject.lower().startswith("wss:"):
        return [f"the TLS name of backend {subject!r} has no effect without TLS; leave it out, or give a wss:// URL"]
    if is_literal(name):
        return []
    try:
        check_host(name)
    except BadAddress as error:
        return [f"the TLS name {name!r} of backend {subject!r} must be a host, as app.example ({error})"]
    return []
