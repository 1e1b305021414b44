"""The registration API: operations, who may use them, and the form of refusals."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ringway.api.application import ApiApp
from ringway.api.document import show_document
from ringway.api.guard import guard_changes, guard_origin, host_guard
from ringway.api.operation import (
    ApiRefusal,
    ApiRequest,
    BodyNotJson,
    Guard,
    Operation,
    QueryParameter,
    WithStatus,
)
from ringway.api.token_file import TokenFile
from ringway.core.registration import RefusalKind, Registration, RegistrationRefused
from ringway.protocol.registration import (
    BackendRequest,
    BackendRow,
    BackendState,
    DrainOrder,
    Granted,
    Renewal,
    Renewed,
)
from ringway.sources.registration.source import RegistrationSource

TITLE = "Ringway registration"
BODY_BYTES_MAX = 65_536
DOCUMENT = "/v1/openapi.json"

_STATUS = {RefusalKind.UNKNOWN: 404, RefusalKind.HELD: 409, RefusalKind.TOO_SHORT: 409, RefusalKind.FULL: 503}

_CAUSES = {400: "invalid", 401: "token", 403: "page", 415: "page"}

_DEFAULTS = {
    400: ("a body is a JSON object with the fields of the reference", "correct the named values"),
    403: ("pages of other sites may not register backends", "send the request from a program, to the port's address"),
    404: ("the API has the paths of /v1/openapi.json", "correct the path"),
    405: ("each path has its own methods", "use one of the methods in the header Allow"),
    413: (f"a body has at most {BODY_BYTES_MAX} bytes", "send less"),
    415: ("without a token, a body is JSON and says so", "send the header Content-Type: application/json"),
    500: ("a request that is valid is carried out", "look into the log of the gateway"),
}

_JSON_RULE = "a body is one complete JSON object in UTF-8"
_JSON_REMEDY = "correct its quotes, commas and braces, and send all of it"

_REFUSAL = {
    "type": "object",
    "properties": {name: {"type": "string"} for name in ("error", "rule", "remedy")}
    | {"retry_after_s": {"type": "number", "description": "When the same request may succeed"}},
    "required": ["error", "rule", "remedy"],
}


class _Refusal(ApiRefusal):
    """A refusal with its own rule and remedy."""

    def __init__(
        self,
        status: int,
        error: str,
        rule: str,
        remedy: str,
        headers: Mapping[str, str],
        wait_s: float = 0.0,
        kind: RefusalKind | None = None,
    ) -> None:
        super().__init__(status, error, headers=headers)
        self.rule = rule
        self.remedy = remedy
        self.wait_s = wait_s
        self.kind = kind


def show_refusal(refused: ApiRefusal) -> Mapping[str, Any]:
    """Return the body of an error answer: error, rule and remedy."""
    if isinstance(refused, _Refusal):
        said: dict[str, Any] = {"error": refused.detail, "rule": refused.rule, "remedy": refused.remedy}
        return said | {"retry_after_s": round(refused.wait_s, 1)} if refused.wait_s else said
    if isinstance(refused, BodyNotJson):
        return {"error": refused.detail, "rule": _JSON_RULE, "remedy": _JSON_REMEDY}
    rule, remedy = _DEFAULTS.get(refused.status, _DEFAULTS[500])
    values = "; ".join(f"{value['key']}: {value['message']}" for value in refused.extra)
    return {"error": f"{refused.detail}: {values}" if values else refused.detail, "rule": rule, "remedy": remedy}


def _cause_of(refused: ApiRefusal) -> str:
    """Return the cause of a refusal, for metrics."""
    if isinstance(refused, _Refusal) and refused.kind is not None:
        return refused.kind.name.lower()
    return _CAUSES.get(refused.status, "request")


def build_registration_api(
    source: RegistrationSource, tokens: TokenFile | None, version: str, *, on_loopback: bool
) -> ApiApp:
    """Return the ASGI application of the registration port. Without `tokens` every caller may use it."""
    operations = [*_read_operations(source), *_change_operations(source)]
    document = show_document(operations, TITLE, version, DOCUMENT, refusal=_REFUSAL)
    if tokens is not None:
        guards: Sequence[Guard] = (_guard_sites, _token_guard(tokens))
    else:
        own = (host_guard((), "registration port", "registration"),) if on_loopback else ()
        guards = (*own, _guard_sites, _guard_bodies)

    def show(refused: ApiRefusal) -> Mapping[str, Any]:
        source.stats.refused[_cause_of(refused)] += 1
        return show_refusal(refused)

    return ApiApp([*operations, *document], guards, show=show, body_bytes_max=BODY_BYTES_MAX)


def _token_guard(tokens: TokenFile) -> Guard:
    """Return a guard that accepts requests with a token of the file; the OpenAPI document needs none."""

    def guard_token(request: ApiRequest) -> None:
        if request.path == DOCUMENT:
            return
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        rule = "every request has the header Authorization: Bearer TOKEN, with a token of registration.tokens_file"
        if scheme.lower() != "bearer" or not token.strip():
            raise _Refusal(
                401, "the request has no token", rule, "send the header", {"www-authenticate": 'Bearer realm="ringway"'}
            )
        if not tokens.admits(token.strip()):
            raise _Refusal(
                401, "the token is not known", rule, "use a token of the file, or add this one to it",
                {"www-authenticate": 'Bearer realm="ringway", error="invalid_token"'},
            )  # fmt: skip

    return guard_token


def _guard_sites(request: ApiRequest) -> None:
    """Refuse what a page of a different site sends, also with a token; but it may read the OpenAPI document."""
    if request.path != DOCUMENT:
        guard_origin(request)


def _guard_bodies(request: ApiRequest) -> None:
    """Refuse bodies that a page may send unasked: forms. Browsers send an `Origin` with every change, also without a
    body."""
    if request.method not in ("GET", "OPTIONS") and (request.body or "origin" in request.headers):
        guard_changes(request)


def _refusing(run: Callable[..., Any]) -> Callable[..., Any]:
    """Return `run` with its refusals turned into answers."""

    async def carry_out(**given: Any) -> Any:
        try:
            return await run(**given)
        except RegistrationRefused as refused:
            wait_s = refused.wait_s
            headers = {"retry-after": str(max(1, round(wait_s)))} if wait_s else {}
            status = _STATUS[refused.kind]
            raise _Refusal(status, refused.error, refused.rule, refused.remedy, headers, wait_s, refused.kind) from None

    return carry_out


def _read_operations(source: RegistrationSource) -> Sequence[Operation]:
    async def backends() -> list[BackendRow]:
        return [_row(source, each) for each in source.rows()]

    async def backend(name: str) -> BackendRow:
        return _row(source, source.find(name))

    return [
        Operation("GET", "/v1/backends", "backends", "The registered backends", _refusing(backends), list[BackendRow]),
        Operation(
            "GET", "/v1/backends/{name}", "backend", "One backend", _refusing(backend), BackendRow, statuses=(_UNKNOWN,)
        ),
    ]  # fmt: skip


_UNKNOWN = (404, "No backend of that name is registered here; its lease may have expired")
_HELD = (409, "A different server, or a later incarnation, holds the name")


def _change_operations(source: RegistrationSource) -> Sequence[Operation]:
    async def register(name: str, data: Mapping[str, Any]) -> WithStatus:
        held, is_new = source.register(name, data)
        state = source.state_of(held).state
        granted = Granted(lease=held.lease, ttl_s=held.ttl_s, state=state, warning=source.warning_of(held))
        return WithStatus(201 if is_new else 200, granted)

    async def renew(name: str, data: Renewal) -> Renewed:
        held = source.renew(name, data)
        said = source.state_of(held)
        return Renewed(state=said.state, within_s=said.within_s, left=said.left, ttl_s=held.ttl_s)

    async def drain(name: str, data: DrainOrder) -> BackendState:
        return source.state_of(await source.drain(name, data))

    async def leave(name: str, incarnation: str, gone: bool) -> None:
        source.remove(name, incarnation, gone=gone)

    path = "/v1/backends/{name}"
    full = (503, "There are as many registrations as may be")
    too_short = (409, "The connections cannot leave in that time, or the name is held by a later incarnation")
    return [
        Operation(
            "PUT", path, "register", "Register a backend, or change its settings, and renew its lease",
            _refusing(register), Granted, body=BackendRequest, decode_as=dict,
            statuses=((201, "A new registration, or a new life of the server"), _HELD, full),
        ),
        Operation(
            "POST", f"{path}/renew", "renew", "Renew the lease; the answer says whether to drain", _refusing(renew),
            Renewed, body=Renewal, body_optional=True, statuses=(_UNKNOWN, _HELD),
        ),
        Operation(
            "POST", f"{path}/drain", "drain", "Lead the connections away; new ones go elsewhere", _refusing(drain),
            BackendState, body=DrainOrder, body_optional=True, statuses=(_UNKNOWN, too_short),
        ),
        Operation(
            "DELETE", path, "leave", "End the registration: connections that are left are led away, or lost if gone",
            _refusing(leave), None,
            parameters=(QueryParameter("incarnation", str, ""), QueryParameter("gone", bool, False)),
            success=204, statuses=(_UNKNOWN, _HELD),
        ),
    ]  # fmt: skip


def _row(source: RegistrationSource, held: Registration) -> BackendRow:
    said, backend = source.state_of(held), held.backend
    return BackendRow(
        name=backend.name,
        url=backend.url,
        weight=backend.weight,
        group=backend.group,
        zone=backend.zone,
        on_move=backend.on_move.value,
        incarnation=backend.life,
        lease=held.lease,
        ttl_s=held.ttl_s,
        expires_in_s=round(source.expires_in_s(held), 3),
        state=said.state,
        within_s=said.within_s,
        left=said.left,
        connections=held.connections,
        utilisation=dict(held.utilisation),
    )
