"""Specs of backends: `--backend URL[,weight=2][,name=x][,check=/healthz][,host=app.example]...`."""

from collections.abc import Sequence

from ringway.errors import ConfigError
from ringway.protocol.address import shown
from ringway.protocol.backend import Backend, OnMove, problems_of
from ringway.protocol.server_address import read_address
from ringway.protocol.spec import OptionErrors, read_pairs
from ringway.types import NodeName

_OPTIONS = (
    "weight", "name", "group", "zone", "check", "check-host", "host", "tls-name", "on-move", "close-code",
    "restart-codes",
)  # fmt: skip
_UNKNOWN = "the option {item!r} of backend {subject!r} is unknown; there are " + ", ".join(f"{o}=" for o in _OPTIONS)
_ERRORS = OptionErrors(
    malformed=_UNKNOWN,
    unknown=_UNKNOWN,
    repeated="the option {option} of backend {subject!r} is given twice; give it once",
)


def read_backend(spec: str) -> Backend:
    """Return the backend that `spec` describes; raise `ConfigError` that names every problem in it."""
    url, *options = spec.split(",")
    problems: list[str] = []
    given = read_pairs(options, shown(url), _ERRORS, problems, known=_OPTIONS)
    problems += (
        f"{option}= of backend {shown(url)!r} is empty; give a value, or leave it out"
        for option, value in given.items()
        if not value
    )
    backend = Backend(
        name=NodeName(given.get("name") or name_of(url)),
        url=url,
        weight=_weight(given.get("weight", "1"), problems),
        group=given.get("group", ""),
        zone=given.get("zone", ""),
        check=given.get("check", ""),
        check_host=given.get("check-host", ""),
        host=given.get("host", ""),
        tls_name=given.get("tls-name", ""),
        on_move=_on_move(given.get("on-move", ""), url, problems),
        close_code=(_codes("close-code", given.get("close-code", "1012"), url, problems) or (1012,))[0],
        restart_codes=_codes("restart-codes", given.get("restart-codes", ""), url, problems),
    )
    problems += problems_of(backend)
    if problems:
        raise ConfigError(*problems)
    return backend


def read_backends(specs: Sequence[str]) -> tuple[Backend, ...]:
    """Return all backends of `specs`; raise one `ConfigError` with all problems."""
    problems: list[str] = []
    backends: list[Backend] = []
    for spec in specs:
        try:
            backends.append(read_backend(spec))
        except ConfigError as error:
            problems.extend(error.problems)
    names = [backend.name for backend in backends]
    problems += [
        f"two backends are named {name!r}; give one of them another with name="
        for name in sorted(set(names))
        if names.count(name) > 1
    ]
    if problems:
        raise ConfigError(*problems)
    return tuple(backends)


def name_of(url: str) -> str:
    """Return a legal name that resembles the address in `url`."""
    try:
        address = read_address(url)
    except ConfigError:
        return "backend"
    text = (address.authority + address.prefix).replace("[", "").replace("]", "")
    legal = "".join(char if char.isascii() and (char.isalnum() or char in "._-") else "-" for char in text)
    return legal.lstrip("._-")[:63] or "backend"


def _weight(text: str, problems: list[str]) -> float:
    try:
        return float(text)
    except ValueError:
        problems.append(f"the weight {text!r} must be a number above 0 and at most 1000")
        return 1.0


def _on_move(text: str, url: str, problems: list[str]) -> OnMove:
    try:
        return OnMove(text) if text else OnMove.AUTO
    except ValueError:
        problems.append(f"on-move={text} of backend {shown(url)!r} must be auto, close, reopen or never")
        return OnMove.AUTO


def _codes(option: str, text: str, url: str, problems: list[str]) -> tuple[int, ...]:
    """Return the close codes in `text`, as `1001+1011`."""
    parts = [part.strip() for part in text.split("+")] if text else []
    if not all(part.isdecimal() for part in parts):
        problems.append(f"{option}={text} of backend {shown(url)!r} must be a close code, or several as 1001+1011")
        return ()
    return tuple(map(int, parts))
