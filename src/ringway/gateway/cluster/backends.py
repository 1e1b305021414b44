"""Static backends, as `--backend URL[,weight=2][,name=x][,check=/healthz][,host=app.example]...` describes them."""

import enum
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import TypeVar

from ringway.errors import ConfigError
from ringway.protocol.address import authority, read_url, shown, split_host
from ringway.protocol.name import check_name
from ringway.protocol.report import Report
from ringway.protocol.spec import OptionErrors, read_pairs
from ringway.types import Incarnation, NodeName, NodeState, Role

WEIGHT_MAX = 1000.0

_OPTIONS = ("weight", "name", "check", "check-host", "host", "on-move")
_UNKNOWN = "the option {item!r} of backend {subject!r} is unknown; there are " + ", ".join(f"{o}=" for o in _OPTIONS)
_ERRORS = OptionErrors(
    malformed=_UNKNOWN,
    unknown=_UNKNOWN,
    repeated="the option {option} of backend {subject!r} is given twice; give it once",
)

PORTS = {"ws": 80, "wss": 443}
G = TypeVar("G")
T = TypeVar("T")


class OnMove(enum.StrEnum):
    """What becomes of a WebSocket when its server is lost or restarts."""

    CLOSE = "close"  # its client is closed
    REOPEN = "reopen"  # it is opened anew at another backend, and the client notices nothing
    FOLLOW = "follow"  # nodes of ours say where its session goes on; no backend can ask for this


@dataclass(frozen=True, slots=True)
class Address:
    """The address of a WebSocket server, read from its URL."""

    host: str
    port: int
    tls: bool
    prefix: str  # path that comes before the client's; no slash at its end

    @property
    def authority(self) -> str:
        """Host and port as a Host header writes them."""
        return authority(self.host, self.port, PORTS["wss" if self.tls else "ws"])


@dataclass(frozen=True, slots=True)
class Backend:
    """One static backend."""

    name: NodeName
    url: str
    address: Address
    weight: float = 1.0
    check: str = ""  # path of the HTTP check; empty: a TCP connection is enough
    check_host: str = ""  # the Host of the check; empty: `host`, or the address if that is empty too
    host: str = ""  # the Host of clients' handshakes; empty: their own
    on_move: OnMove = OnMove.CLOSE

    @property
    def checked_as(self) -> str:
        """The Host of its checks."""
        return self.check_host or self.host or self.address.authority

    @property
    def incarnation(self) -> Incarnation:
        """Made from the name and URL: the restarts of a backend are not seen from here."""
        return Incarnation(blake2b(f"{self.name}\0{self.url}".encode(), digest_size=4).hexdigest())

    def report(self, seq: int, state: NodeState, connections: int) -> Report:
        """Return the report that the backend would send if it were a node of ours."""
        return Report(
            name=self.name,
            incarnation=self.incarnation,
            role=Role.NODE,
            seq=seq,
            url=self.url,
            weight=self.weight,
            state=state,
            connections=connections,
        )


def read_address(url: str) -> Address:
    """Return the address in a ws:// or wss:// URL; raise `ConfigError` that says what is wrong with it."""
    parts = read_url(url, PORTS, "write ws://host:port/path", "backends are reached without any")
    if "?" in url:
        raise ConfigError(f"the URL {shown(url)!r} holds a query or fragment; give scheme, host, port and path only")
    return Address(parts.host, parts.port, parts.scheme == "wss", parts.path.rstrip("/"))


def read_backend(spec: str) -> Backend:
    """Return the backend that `spec` describes; raise `ConfigError` that names every problem in it."""
    url, *options = spec.split(",")
    name_shown = shown(url)
    problems: list[str] = []
    given = read_pairs(options, name_shown, _ERRORS, problems, known=_OPTIONS)
    address = _try(problems, read_address, url)
    weight = _try(problems, _read_weight, given.get("weight", "1"))
    name = _try(problems, check_name, given.get("name") or _name_for(address))
    check = given.get("check", "")
    if check and (not check.startswith("/") or any(ord(char) <= 32 or ord(char) >= 127 for char in check)):
        problems.append(f"the check {check!r} of backend {name_shown!r} must be a path such as /healthz")
    problems += (
        f"{option}={given[option]} of backend {name_shown!r} must be a host, as app.example or app.example:8443"
        for option in ("check-host", "host")
        if option in given and split_host(given[option]) is None
    )
    if "check-host" in given and not check:
        problems.append(f"check-host= of backend {name_shown!r} has no effect without a check; add check=/healthz, say")
    on_move = given.get("on-move", OnMove.CLOSE)
    if on_move not in (OnMove.CLOSE, OnMove.REOPEN):
        problems.append(f"on-move={on_move} of backend {name_shown!r} must be close or reopen")
    if problems or address is None or name is None or weight is None:
        raise ConfigError(*problems)
    return Backend(
        name, url, address, weight, check, given.get("check-host", ""), given.get("host", ""), OnMove(on_move)
    )


def read_backends(specs: Sequence[str]) -> tuple[Backend, ...]:
    """Return all backends of `specs`; raise one `ConfigError` with all problems."""
    problems: list[str] = []
    backends = [backend for spec in specs if (backend := _try(problems, read_backend, spec)) is not None]
    names = [backend.name for backend in backends]
    problems += [
        f"two backends are named {name!r}; give one of them another with name="
        for name in sorted(set(names))
        if names.count(name) > 1
    ]
    if problems:
        raise ConfigError(*problems)
    return tuple(backends)


def _name_for(address: Address | None) -> str:
    """Return a legal name that reads like the address."""
    if address is None:
        return "backend"
    text = (address.authority + address.prefix).replace("[", "").replace("]", "")
    legal = "".join(char if char.isascii() and (char.isalnum() or char in "._-") else "-" for char in text)
    return legal.lstrip("._-")[:63] or "backend"


def _read_weight(text: str) -> float:
    try:
        weight = float(text)
    except ValueError:
        weight = -1.0
    if not 0 < weight <= WEIGHT_MAX:
        raise ConfigError(f"the weight {text!r} must be a number above 0 and at most {WEIGHT_MAX:g}")
    return weight


def _try(problems: list[str], read: Callable[[G], T], given: G) -> T | None:
    """Return what `read` makes of `given`, or None after adding its problems to `problems`."""
    try:
        return read(given)
    except ConfigError as error:
        problems.extend(error.problems)
        return None
