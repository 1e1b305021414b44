"""Operations of an API: method, path, parameters and answer of each.

The same table serves requests (`application`) and describes the API to tools (`openapi`).
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

JSON = "application/json"
OPENAPI_JSON = "application/vnd.oai.openapi+json"


@dataclass(frozen=True, slots=True)
class ApiRequest:
    """A whole request. Names of headers are in lower case."""

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes
    peer: str = ""  # the address of the caller


@dataclass(frozen=True, slots=True)
class WithStatus:
    """A value with its own status, if that is not 200."""

    status: int
    value: Any


class ApiRefusal(Exception):
    """An error answer to a request: its HTTP status, and in words what was wrong."""

    def __init__(
        self,
        status: int,
        detail: str,
        extra: tuple[Mapping[str, str], ...] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.extra = extra
        self.headers = headers or {}


class BodyNotJson(ApiRefusal):
    """The answer to a body that is no JSON, or not all of it; `problem` is the decoder's."""

    def __init__(self, problem: object) -> None:
        super().__init__(400, f"the body is not valid JSON: {problem}")


Guard = Callable[[ApiRequest], None]
"""Raises `ApiRefusal` for a request that must not be carried out."""


@dataclass(frozen=True, slots=True)
class QueryParameter:
    """A parameter of the query, with its default."""

    name: str
    type: Any
    default: Any


@dataclass(frozen=True, slots=True)
class Operation:
    """The effect of one method at one path.

    A path may have one or more parts in braces, as `/v1/backends/{name}`. `run` gets these parts and the parameters of
    the query by their names, and the decoded body as `data`; with `body_optional` an empty body is `{}`. It returns a
    value of the type `returns`, a `WithStatus`, or an awaitable of either. It runs in the event loop and must be quick.
    """

    method: str
    path: str
    name: str
    summary: str
    run: Callable[..., Any | Awaitable[Any]]
    returns: Any
    parameters: tuple[QueryParameter, ...] = ()
    body: type | None = None
    body_optional: bool = False
    decode_as: type | None = None  # the type of `data`, if `body` only describes it; bytes: the body as it came
    success: int = 200  # the status of an answer that has none of its own; 204: no body
    statuses: tuple[tuple[int, str], ...] = ()  # further answers for the description, beside 200 and 400
    guards: tuple[Guard, ...] = ()
    media_type: str = JSON
    right: str = ""  # the right that a caller's token must give, for the description; empty: no token is needed
