"""Operations of the admin API: what can be asked, by method and path, and what is answered.

One table of them serves requests (`application`) and describes itself to tools (`openapi`).
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

JSON = "application/json"


@dataclass(frozen=True, slots=True)
class AdminRequest:
    """A whole request. Names of headers are in lower case."""

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class WithStatus:
    """A value with a status of its own, where that is not 200."""

    status: int
    value: Any


class AdminRefusal(Exception):
    """A request that is answered with an error: its HTTP status, and in words what was wrong."""

    def __init__(self, status: int, detail: str, extra: tuple[Mapping[str, str], ...] = ()) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.extra = extra


Guard = Callable[[AdminRequest], None]
"""Raises `AdminRefusal` for a request that must not be carried out."""


@dataclass(frozen=True, slots=True)
class QueryParameter:
    """A parameter of the query, with its default."""

    name: str
    type: Any
    default: Any


@dataclass(frozen=True, slots=True)
class Operation:
    """What one method does at one path.

    `run` is given the parameters by their names, and the decoded body as `data`. It returns a value of the type
    `returns`, an `WithStatus`, or an awaitable of either. It runs in the event loop and must be quick.
    """

    method: str
    path: str
    name: str
    summary: str
    run: Callable[..., Any | Awaitable[Any]]
    returns: Any
    parameters: tuple[QueryParameter, ...] = ()
    body: type | None = None
    guards: tuple[Guard, ...] = ()
    media_type: str = JSON
