"""Steering a gateway over HTTP, and who may not."""

import msgspec
import pytest

from ringway.admin.api import Admin, Health, build_api
from ringway.admin.member import describe
from ringway.admin.metric import Metrics
from ringway.api.application import ApiApp
from ringway.errors import ConfigError
from ringway.protocol.control import Candidate, Decision, DirectiveAnswer, Explanation, GroupPolicy
from ringway.protocol.directive import Directive
from ringway.protocol.order import DrainAnswer, PlanAnswer
from ringway.types import NodeName
from unit.api.ask import ask, ask_whole

ME = NodeName("gateway-1")


class Fake:
    """A gateway that follows whatever it is told, but for one policy."""

    def __init__(self) -> None:
        self.directive = Directive()

    @property
    def nodes(self) -> "Fake":
        return self

    async def drain(self, name: str, within_s: float, *, force: bool) -> DrainAnswer:
        if name != "node-1":
            raise ConfigError(f"there is no node {name!r}; there are node-1")
        return DrainAnswer(why="", connections=7, moves_per_s=within_s, needs_s=float(force))

    async def undrain(self, name: str) -> None:
        await self.drain(name, 0.0, force=False)

    async def rebalance(self, *, dry_run: bool, group: str = "") -> PlanAnswer:
        return PlanAnswer(quotas=(), reason=f"dry={dry_run}", imbalance=0.0, moves_per_s=1.0, fair={}, load={})

    def explain(self, key: str, group: str = "", host: str = "", path: str = "") -> Explanation:
        full = Candidate(node=NodeName("node-1"), state="active", eligible=False, why_not="full")
        return Explanation(gateway=ME, policy="ring", rule="r", measure="m", key=key, candidates=(full,))

    def followed(self) -> DirectiveAnswer:
        policy = self.directive.policy or "two-choices"
        chat = self.directive.of("chat")
        row = GroupPolicy(
            group="chat", policy=chat.policy or "ring", configured="ring", moving=chat.moving, frozen=chat.frozen
        )
        return DirectiveAnswer(
            gateway=ME, policy=policy, configured="two-choices", directive=self.directive, groups=(row,)
        )

    def versions(self) -> dict[NodeName, int]:
        return {ME: self.directive.version, NodeName("gateway-2"): 0}

    def change_policy(self, policy: str, *, moving: bool, group: str = "") -> DirectiveAnswer:
        if policy == "fastest":
            raise ConfigError("the policy 'fastest' is unknown; choose one of ring")
        self.directive = self.directive.with_policy(policy, moving=moving, group=group)
        return self.followed()

    def freeze(self, why: str, group: str = "") -> DirectiveAnswer:
        self.directive = self.directive.with_frozen(why, group)
        return self.followed()

    async def decisions(self, count: int) -> list[Decision]:
        return [Decision(number=number, at=1.0, cause="joined", reason="r") for number in range(count)]


@pytest.fixture
def control() -> Fake:
    return Fake()


def app_admin(control: Fake | None) -> Admin:
    def health() -> Health:
        return Health(name="x", role="gateway", version="0", engine="up", ready=True)

    return Admin(health, lambda: describe([]), Metrics([]), control)


def app_of(control: Fake | None) -> ApiApp:
    return build_api(app_admin(control), "0")


@pytest.fixture
def app(control):
    return app_of(control)


async def test_a_key_is_explained(app):
    status, said = await ask(app, "GET", "/v1/explain?key=r%C3%A4um&more=1")
    assert (status, said["key"]) == (200, "räum")
    assert said["candidates"][0]["why_not"] == "full"
    assert msgspec.convert(said, Explanation).gateway == ME
    assert (await ask(app, "GET", "/v1/explain"))[1]["key"] == ""


async def test_a_node_is_drained_and_taken_back_and_what_is_refused_says_why(app):
    status, said = await ask(app, "POST", "/v1/nodes/node-1/drain", {"within_s": 60, "force": True})
    assert (status, said["connections"], said["moves_per_s"], said["needs_s"]) == (200, 7, 60.0, 1.0)
    assert (await ask(app, "POST", "/v1/nodes/node-1/drain", {}))[1]["moves_per_s"] == 0.0
    assert await ask(app, "DELETE", "/v1/nodes/node-1/drain") == (200, {"node": "node-1"})
    status, said = await ask(app, "POST", "/v1/nodes/node-2/drain", {})
    assert (status, "there are node-1" in said["detail"]) == (400, True)
    assert (await ask(app, "POST", "/v1/nodes/node-1/drain", {"within": 60}))[0] == 400


async def test_a_balance_can_be_asked_for(app):
    assert (await ask(app, "POST", "/v1/rebalance", {"dry_run": True}))[1]["reason"] == "dry=True"
    assert (await ask(app, "POST", "/v1/rebalance", {}))[1]["reason"] == "dry=False"


@pytest.mark.parametrize("path", ["/v1/rebalance", "/v1/nodes/node-1/drain", "/v1/freeze"])
async def test_a_change_that_needs_no_words_needs_no_body(app, path):
    assert (await ask(app, "POST", path, None))[0] == 200
    status, said = await ask(app, "POST", path, None, origin="https://evil.example")
    assert (status, "pages of other sites" in said["detail"]) == (403, True)
    assert (await ask(app, "POST", path, None, **{"content-type": "text/plain"}))[0] == 415


async def test_the_policy_is_read_changed_and_reset(app, control):
    _, before = await ask(app, "GET", "/v1/policy")
    assert before == {
        "gateway": "gateway-1", "policy": "two-choices", "configured": "two-choices", "version": 0, "moving": True,
        "frozen": "", "versions": {"gateway-1": 0, "gateway-2": 0}, "problem": "",
        "groups": [{"group": "chat", "policy": "ring", "configured": "ring", "moving": True, "frozen": ""}],
    }  # fmt: skip
    status, after = await ask(app, "PUT", "/v1/policy", {"policy": "ring"})
    assert (status, after["policy"], after["version"], after["moving"]) == (200, "ring", 1, False)
    assert after["versions"] == {"gateway-1": 1, "gateway-2": 0}
    assert (await ask(app, "PUT", "/v1/policy", {"policy": "ring", "move": True}))[1]["moving"] is True
    status, reset = await ask(app, "DELETE", "/v1/policy")
    assert (status, reset["policy"], reset["version"]) == (200, "two-choices", 3)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"policy": "fastest"}, "'fastest' is unknown; choose one of ring"),
        ({"policy": ""}, "a length of at least 1"),
        ({"policy": 3}, "it is 3; it must be a text"),
        ({}, "policy"),
        ({"policy": "ring", "moving": True}, "there are policy, move, group"),
        ([], "object"),
        (b"{", "truncated"),
        (b"\xff", ""),
    ],
)
async def test_a_wrong_change_is_answered_with_what_is_wrong_and_changes_nothing(app, control, body, said):
    status, answer = await ask(app, "PUT", "/v1/policy", body)
    assert status == 400
    assert said.lower() in str(answer).lower()
    assert control.directive == Directive()


async def test_moves_are_frozen_with_a_reason_and_go_on(app, control):
    status, said = await ask(app, "POST", "/v1/freeze", {"why": "deploy"})
    assert (status, said["frozen"]) == (200, "deploy")
    assert (await ask(app, "POST", "/v1/freeze", {"why": "  "}))[1]["frozen"] == "asked for by an operator"
    assert (await ask(app, "POST", "/v1/freeze", {}))[1]["frozen"] == "asked for by an operator"
    status, said = await ask(app, "DELETE", "/v1/freeze")
    assert (status, said["frozen"], said["version"]) == (200, "", 4)


async def test_one_group_has_a_policy_and_a_stop_of_its_own(app):
    _, said = await ask(app, "PUT", "/v1/policy", {"policy": "round-robin", "group": "chat"})
    assert (said["policy"], [each["policy"] for each in said["groups"]]) == ("two-choices", ["round-robin"])
    _, said = await ask(app, "POST", "/v1/freeze", {"why": "deploy", "group": "chat"})
    assert (said["frozen"], [each["frozen"] for each in said["groups"]]) == ("", ["deploy"])
    _, said = await ask(app, "DELETE", "/v1/freeze?group=chat")
    assert [each["frozen"] for each in said["groups"]] == [""]
    _, said = await ask(app, "DELETE", "/v1/policy?group=chat")
    assert [each["policy"] for each in said["groups"]] == ["ring"]


async def test_moves_are_listed_as_many_as_asked_for(app):
    assert len((await ask(app, "GET", "/v1/moves?count=3"))[1]) == 3
    assert len((await ask(app, "GET", "/v1/moves"))[1]) == 20
    for count in ("0", "1001", "many"):
        assert (await ask(app, "GET", f"/v1/moves?count={count}"))[0] == 400


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/v1/explain"),
        ("GET", "/v1/policy"),
        ("PUT", "/v1/policy"),
        ("GET", "/v1/moves"),
        ("POST", "/v1/freeze"),
    ],
)
async def test_a_node_has_none_of_that(method, path):
    assert (await ask(app_of(None), method, path))[0] == 404


CHANGES = [("PUT", "/v1/policy", {"policy": "ring"}), ("POST", "/v1/freeze", {"why": "x"}),
           ("DELETE", "/v1/freeze", None), ("DELETE", "/v1/policy", None)]  # fmt: skip


@pytest.mark.parametrize(("method", "path", "body"), CHANGES)
@pytest.mark.parametrize(
    ("headers", "said"),
    [
        ({"origin": "https://evil.example"}, "pages of other sites"),
        ({"origin": "null"}, "pages of other sites"),
        ({"sec_fetch_site": "cross-site"}, "page of a different site (Sec-Fetch-Site: cross-site)"),
        ({"origin": "http://["}, "pages of other sites"),
        ({"origin": "http://[", "host": "["}, "could belong to anybody"),
        ({"origin": "http://127.0.0.1:8000"}, "pages of other sites"),
        ({"origin": ""}, ""),  # an empty header is not sent by the helper: a control
        ({"origin": "http://evil.example:8001", "host": "evil.example:8001"}, "could belong to anybody"),
        ({"origin": "http://127.0.0.1.evil.example", "host": "127.0.0.1.evil.example"}, "could belong to anybody"),
    ],
)
async def test_pages_of_other_sites_change_nothing(app, control, method, path, body, headers, said):
    status, answer = await ask(app, method, path, body, **headers)
    if not said:
        assert status == 200
        return
    assert status == 403
    assert said in answer["detail"]
    assert control.directive == Directive()


@pytest.mark.parametrize("host", ["127.0.0.1:8001", "[::1]:8001", "localhost:8001", "10.0.0.7:8001"])
async def test_a_page_of_the_admin_port_itself_may(app, host):
    assert (await ask(app, "DELETE", "/v1/freeze", origin=f"http://{host}", host=host))[0] == 200


@pytest.mark.parametrize(("method", "path", "body"), CHANGES[:2])
@pytest.mark.parametrize(
    "kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", ""]
)
async def test_what_a_form_can_send_is_refused(app, control, method, path, body, kind):
    raw = msgspec.json.encode(body)
    status, answer = await ask(app, method, path, raw, content_type=kind)
    assert status == 415
    assert "application/json" in answer["detail"]
    assert control.directive == Directive()


async def test_a_program_needs_no_origin_and_may_name_the_charset(app):
    body = {"policy": "ring"}
    assert (await ask(app, "PUT", "/v1/policy", body, content_type="application/JSON; charset=utf-8"))[0] == 200


async def test_no_other_site_may_read_or_is_let_send(app):
    status, _ = await ask(
        app, "OPTIONS", "/v1/policy", origin="https://evil.example", access_control_request_method="PUT"
    )
    assert status in (204, 405)
    _, _, headers = await ask_whole(
        app, "OPTIONS", "/v1/policy", origin="https://evil.example", access_control_request_method="PUT"
    )
    assert set(headers) == {"allow"}  # without Access-Control-Allow-Origin


async def test_the_description_names_each_request(app):
    paths = (await ask(app, "GET", "/schema/openapi.json"))[1]["paths"]
    assert set(paths) >= {"/v1/explain", "/v1/policy", "/v1/moves", "/v1/freeze", "/v1/nodes"}
    assert set(paths["/v1/policy"]) == {"get", "put", "delete"}
    assert set(paths["/v1/freeze"]) == {"post", "delete"}


@pytest.mark.parametrize("page", ["", "/swagger", "/redoc", "/elements", "/rapidoc", "/scalar"])
async def test_no_page_loads_scripts_of_others(app, page):
    _, answer = await ask(app, "GET", f"/schema{page}")
    assert "<script" not in str(answer)


@pytest.mark.parametrize(
    "target", ["/v1/policy", "/v1/nodes", "/metrics", "/healthz", "/schema/openapi.json", "/v1/explain"]
)
async def test_a_name_that_could_be_anybodys_reads_nothing_on_loopback(control: Fake, target: str) -> None:
    app = app_of(control)
    assert (await ask(app, "GET", target))[0] == 200
    for host in ("localhost:8001", "[::1]:8001", "127.0.0.1", "x.localhost"):
        assert (await ask(app, "GET", target, host=host))[0] == 200
    for host in ("evil.example:8001", "evil", "localhost.evil.example", "127.0.0.1.evil.example"):
        assert (await ask(app, "GET", target, host=host))[0] == 403
    elsewhere = build_api(app_admin(control), "0", None)
    assert (await ask(elsewhere, "GET", target, host="ops.example"))[0] == 200
    listed = build_api(app_admin(control), "0", {"ops.example"})
    assert (await ask(listed, "GET", target, host="ops.example"))[0] == 200


@pytest.mark.parametrize(
    "body",
    [b'{"policy":"\xff"}', b"[" * 100_000, b'{"policy":"\\ud83d"}', b"\xff"],
    ids=["no UTF-8", "deep", "half", "byte"],
)
@pytest.mark.parametrize(("method", "path"), [("PUT", "/v1/policy"), ("POST", "/v1/freeze")], ids=["policy", "freeze"])
async def test_a_body_that_cannot_be_read_is_the_senders_fault(
    control: Fake, method: str, path: str, body: bytes
) -> None:
    status, answer = await ask(build_api(app_admin(control), "0"), method, path, body)
    assert status == 400
    assert answer["detail"]
