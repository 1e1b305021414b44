"""Rights at the admin port: every operation asks for one, and every token gives what it says and no more."""

from pathlib import Path
from typing import Any

import pytest

from ringway.admin import api
from ringway.admin.api import Admin, Health, build_api
from ringway.admin.calls import OperatorWays
from ringway.admin.config import AdminConfig
from ringway.admin.member import describe
from ringway.admin.metric import Metrics
from ringway.admin.rights import RIGHTS, Right
from ringway.admin.tokens import AdminTokens
from ringway.api.application import ApiApp
from ringway.errors import ConfigError
from unit.admin.test_control import Fake
from unit.api.ask import ask, ask_whole

READ, OPERATE, OTHER = "r" * 20, "o" * 20, "x" * 20


class Answering:
    """A bus on which everybody answers everything."""

    async def call(self, address: str, request: bytes, *, timeout_s: float) -> bytes:
        return b"{}"

    async def gather(self, address: str, request: bytes, *, timeout_s: float, expected: int = 0) -> list[bytes]:
        return []


def admin() -> Admin:
    def health() -> Health:
        return Health(name="x", role="gateway", version="0", engine="up", ready=True)

    return Admin(health, lambda: describe([]), Metrics([]), Fake(), OperatorWays(Answering(), list))


@pytest.fixture
def config(tmp_path: Path) -> AdminConfig:
    read, operate = tmp_path / "read", tmp_path / "operate"
    read.write_text(f"# monitoring\n{READ}\n")
    operate.write_text(f"{'p' * 20}\n{OPERATE}\n")
    return AdminConfig(read_tokens_file=str(read), operate_tokens_file=str(operate))


@pytest.fixture
def app(config: AdminConfig) -> ApiApp:
    return build_api(admin(), "0", (), AdminTokens(config))


def bearer(token: str) -> dict[str, str]:
    return {"authorization": f"Bearer {token}"}


BODIES: dict[tuple[str, str], Any] = {
    ("PUT", "/v1/policy"): {"policy": "ring"},
    ("POST", "/v1/calls"): {"address": "balancer", "request": {"type": "rebalance"}},
}


async def status_of(app: ApiApp, place: tuple[str, str], **headers: str) -> int:
    method, path = place
    status, _ = await ask(app, method, path.replace("{name}", "node-1"), BODIES.get(place), **headers)
    return status


async def test_the_table_has_every_operation_and_no_other() -> None:
    _, document = await ask(build_api(admin(), "0"), "GET", "/schema")
    served = {(method.upper(), path) for path, methods in document["paths"].items() for method in methods}
    assert served | {("GET", "/schema"), ("GET", "/schema/openapi.json")} == set(RIGHTS)


def test_an_operation_without_a_right_is_not_served(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api, "RIGHTS", {place: right for place, right in RIGHTS.items() if place[1] != "/v1/moves"})
    with pytest.raises(KeyError, match="/v1/moves"):
        build_api(admin(), "0")


def test_whatever_changes_something_asks_for_the_right_to_operate() -> None:
    assert {right for (method, _), right in RIGHTS.items() if method != "GET"} == {Right.OPERATE}


@pytest.mark.parametrize("place", RIGHTS, ids=" ".join)
async def test_an_operation_is_carried_out_for_those_who_have_its_right(app: ApiApp, place: tuple[str, str]) -> None:
    right = RIGHTS[place]
    for headers in ({}, bearer(OTHER), bearer(""), {"authorization": f"Basic {OPERATE}"}, {"x-api-key": OPERATE}):
        assert await status_of(app, place, **headers) == (200 if right is Right.NONE else 401)
    assert await status_of(app, place, **bearer(READ)) == (403 if right is Right.OPERATE else 200)
    assert await status_of(app, place, **bearer(OPERATE)) == 200
    assert await status_of(app, place, authorization=f"bearer  {OPERATE} ") == 200


@pytest.mark.parametrize("place", RIGHTS, ids=" ".join)
async def test_a_port_that_others_reach_answers_nothing_without_tokens_but_probes(place: tuple[str, str]) -> None:
    app = build_api(admin(), "0", None, AdminTokens(AdminConfig()))
    expected = 200 if RIGHTS[place] is Right.NONE else 401
    assert await status_of(app, place) == expected
    assert await status_of(app, place, **bearer(OPERATE)) == expected


@pytest.mark.parametrize("place", RIGHTS, ids=" ".join)
async def test_on_loopback_without_tokens_nothing_is_asked_for(place: tuple[str, str]) -> None:
    assert await status_of(build_api(admin(), "0"), place) == 200


@pytest.mark.parametrize("place", [place for place in RIGHTS if RIGHTS[place] is not Right.NONE], ids=" ".join)
async def test_pages_of_other_sites_are_refused_also_with_a_token(app: ApiApp, place: tuple[str, str]) -> None:
    for page in ({"origin": "https://evil.example"}, {"sec_fetch_site": "cross-site"}):
        assert await status_of(app, place, **page, **bearer(OPERATE)) == 403


async def test_a_browser_gets_no_permission_to_send_a_token(app: ApiApp) -> None:
    status, _, headers = await ask_whole(app, "OPTIONS", "/v1/policy", origin="https://evil.example")
    assert status == 204
    assert not [name for name in headers if name.startswith("access-control")]


async def test_refusals_say_what_to_do(app: ApiApp) -> None:
    _, said, headers = await ask_whole(app, "GET", "/v1/nodes")
    assert "Authorization: Bearer" in said["detail"]
    assert headers["www-authenticate"] == 'Bearer realm="ringway"'
    _, said, headers = await ask_whole(app, "DELETE", "/v1/policy", **bearer(READ))
    assert "admin.operate_tokens_file" in said["detail"]
    assert 'error="insufficient_scope"' in headers["www-authenticate"]
    _, said, _ = await ask_whole(build_api(admin(), "0", None, AdminTokens(AdminConfig())), "GET", "/metrics")
    assert "admin.read_tokens_file" in said["detail"]


async def test_metrics_can_be_open(config: AdminConfig) -> None:
    app = build_api(admin(), "0", (), AdminTokens(config), open_metrics=True)
    assert (await ask(app, "GET", "/metrics"))[0] == 200
    assert (await ask(app, "GET", "/v1/nodes"))[0] == 401


async def test_tokens_are_changed_without_a_restart(config: AdminConfig, app: ApiApp) -> None:
    file = Path(config.operate_tokens_file)
    file.write_text(f"{OPERATE}\n{'n' * 20}\n")
    assert await status_of(app, ("POST", "/v1/freeze"), **bearer("n" * 20)) == 200
    assert await status_of(app, ("POST", "/v1/freeze"), **bearer(OPERATE)) == 200
    file.write_text(f"{'n' * 20}\n")
    assert await status_of(app, ("POST", "/v1/freeze"), **bearer(OPERATE)) == 401
    file.write_text("")
    assert await status_of(app, ("POST", "/v1/freeze"), **bearer("n" * 20)) == 200, "the last good tokens"


async def test_with_tokens_to_read_alone_nobody_operates(config: AdminConfig) -> None:
    app = build_api(admin(), "0", (), AdminTokens(AdminConfig(read_tokens_file=config.read_tokens_file)))
    assert await status_of(app, ("GET", "/v1/nodes"), **bearer(READ)) == 200
    assert await status_of(app, ("POST", "/v1/freeze"), **bearer(READ)) == 403
    assert await status_of(app, ("POST", "/v1/freeze"), **bearer(OPERATE)) == 401


def test_a_file_that_cannot_be_used_is_refused_at_the_start(tmp_path: Path) -> None:
    file = tmp_path / "short"
    file.write_text("short\n")
    with pytest.raises(ConfigError, match="at least 16"):
        AdminTokens(AdminConfig(read_tokens_file=str(file)))


QUESTIONS = ("explain", "directive", "decisions", "problems")
ORDERS: tuple[tuple[str, Any], ...] = (
    ("gateways", {"type": "set", "directive": {}}),
    ("gateway.g1", {"type": "unknown"}),
    ("gateways.x", {"type": "directive"}),
    ("balancer", {"type": "rebalance", "dry_run": True}),
    ("balancer", {"type": "drain", "node": "n1"}),
    ("node.n1", {"type": "state", "state": "draining"}),
    ("revocations", {"type": "revoke", "revocations": []}),
    ("elsewhere", {}),
)


@pytest.mark.parametrize("question", QUESTIONS)
@pytest.mark.parametrize("address", ["gateways", "gateway.g1"])
async def test_a_token_to_read_may_pass_questions_on(app: ApiApp, address: str, question: str) -> None:
    body = {"address": address, "request": {"type": question}}
    assert (await ask(app, "POST", "/v1/calls", body, **bearer(READ)))[0] == 200


@pytest.mark.parametrize(("address", "request_"), ORDERS, ids=[f"{address} {said}" for address, said in ORDERS])
async def test_a_token_to_read_may_pass_no_order_on(app: ApiApp, address: str, request_: Any) -> None:
    body = {"address": address, "request": request_}
    assert (await ask(app, "POST", "/v1/calls", body, **bearer(READ)))[0] == 403


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[" * 100_000, b"\xff", b'{"address":"gateways"}'],
    ids=["empty", "half", "deep", "no UTF-8", "no request"],
)
async def test_a_call_that_cannot_be_read_asks_for_the_greater_right(app: ApiApp, body: bytes) -> None:
    assert (await ask(app, "POST", "/v1/calls", body, **bearer(READ)))[0] == 403


async def test_the_document_names_the_right_of_each_operation(app: ApiApp) -> None:
    _, document = await ask(app, "GET", "/schema")
    for path, methods in document["paths"].items():
        for method, said in methods.items():
            right = RIGHTS[method.upper(), path]
            assert said.get("security", []) == ([] if right is Right.NONE else [{"token": [str(right)]}])
    assert document["components"]["securitySchemes"]["token"]["scheme"] == "bearer"
