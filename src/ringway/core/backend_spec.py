"""Specs of backends: `--backend URL[,weight=2][,name=x][,check=/healthz][,host=app.example]...`."""

from collections.abc import Sequence

from ringway.core.move_options import MOVE_OPTIONS, read_close_code, read_on_move, read_restart_codes
from ringway.errors import ConfigError
from ringway.protocol.address import shown
from ringway.protocol.backend import Backend, OnMove, problems_of
from ringway.protocol.server_address import read_address
from ringway.protocol.spec import OptionErrors, read_pairs
from ringway.protocol.weight import WEIGHT_RULE
from ringway.types import NodeName

_OPTIONS = (
    "weight", "name", "group", "zone", "check", "check-host", "host", "tls-name", *MOVE_OPTIONS,
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
    subject = f"backend {shown(url)!r}"
    given = read_pairs(options, shown(url), _ERRORS, problems, known=_OPTIONS)
    problems += (
        f"{option}= of {subject} is empty; give a value, or leave it out"
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
        on_move=read_on_move(given, subject, problems) or OnMove.AUTO,
        close_code=read_close_code(given, subject, problems) or 1012,
        restart_codes=read_restart_codes(given, subject, problems) or (),
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
        problems.append(f"the weight {text!r} must be {WEIGHT_RULE}")
        return 1.0
