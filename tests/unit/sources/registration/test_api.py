"""The registration API without a socket: what it accepts, what it answers, and what the gateway is told."""

from pathlib import Path
from typing import Any

import pytest

from ringway.api.application import ApiApp
from ringway.api.token_file import TokenFile
from ringway.core.registration import TICK_S
from ringway.errors import EngineAway
from ringway.protocol.backend import OnMove
from ringway.protocol.order import DrainAnswer
from ringway.protocol.registration import BackendState
from ringway.sources.registration.api import build_registration_api
from ringway.sources.registration.config import RegistrationConfig
from ringway.sources.registration.source import SOURCE, RegistrationSource
from ringway.sources.sink import Offer
from ringway.types import NodeName, NodeState
from support.recording_sink import RecordingSink
from unit.api.ask import ask, ask_whole

A = "/v1/backends/a"
URL = {"url": "ws://10.0.0.1:9000"}
TOKEN, OTHER = "t" * 32, "o" * 32


class World:
    """A registration source over a recording sink, under a clock that only the test moves."""

    def __init__(self, tokens: TokenFile | None = None, **config: Any) -> None:
        self.now = 1000.0
        self.sink = RecordingSink()
        self.judged: list[tuple[str, float, bool]] = []
        self.verdict: DrainAnswer | Exception | None = None
        self.state: BackendState | None = None
        self.warnings: dict[str, str] = {}
        self.source = RegistrationSource(
            RegistrationConfig(**config), self.sink, judge=self.judge, find_state=lambda name: self.state,
            warn=lambda backend: self.warnings.get(backend.group, ""), clock=lambda: self.now,
        )  # fmt: skip
        self.app: ApiApp = build_registration_api(self.source, tokens, "1", on_loopback=True)

    async def judge(self, name: NodeName, within_s: float, force: bool) -> DrainAnswer:
        self.judged.append((name, within_s, force))
        if isinstance(self.verdict, Exception):
            raise self.verdict
        return self.verdict or DrainAnswer(why="", connections=0, moves_per_s=0.0, needs_s=0.0)

    def offers(self) -> dict[NodeName, Offer]:
        return self.sink.offers[SOURCE]

    def passes(self, seconds: float) -> None:
        for _ in range(round(seconds / TICK_S)):
            self.now += TICK_S
            self.source.tick()


@pytest.fixture
def world() -> World:
    return World()


async def test_a_registration_is_answered_with_its_lease_and_offered(world: World) -> None:
    described = URL | {"weight": 2, "group": "chat", "zone": "b", "on_move": "reopen", "ttl_s": 5, "incarnation": "i"}
    status, granted = await ask(world.app, "PUT", A, described)
    assert (status, granted["ttl_s"], granted["state"], len(granted["lease"])) == (201, 5.0, "active", 16)
    offered = world.offers()[NodeName("a")].backend
    assert (offered.url, offered.weight, offered.group, offered.zone) == ("ws://10.0.0.1:9000", 2.0, "chat", "b")
    assert (offered.on_move, offered.life) == (OnMove.REOPEN, "i")
    assert world.offers()[NodeName("a")].lease_s == 5.0
    status, again = await ask(world.app, "PUT", A, described)
    assert (status, again["lease"]) == (200, granted["lease"])
    status, restarted = await ask(world.app, "PUT", A, described | {"incarnation": "j"})
    assert (status, restarted["lease"] == granted["lease"]) == (201, False)


async def test_a_registration_that_gets_no_clients_is_answered_with_a_warning(world: World) -> None:
    world.warnings["nope"] = "gets no clients here"
    for status in (201, 200):
        said = await ask(world.app, "PUT", A, URL | {"group": "nope"})
        assert (said[0], said[1]["warning"]) == (status, "gets no clients here")
    assert "warning" not in (await ask(world.app, "PUT", A, URL | {"group": "chat"}))[1]


async def test_a_lease_that_expires_is_a_death(world: World) -> None:
    await ask(world.app, "PUT", A, URL | {"ttl_s": 2})
    world.passes(1.5)
    assert (await ask(world.app, "POST", f"{A}/renew"))[0] == 200
    world.passes(1.75)
    assert (world.sink.lost, len(world.offers())) == ([], 1)
    world.passes(1.0)
    assert (world.sink.lost, len(world.offers())) == (["a"], 0)
    status, said = await ask(world.app, "POST", f"{A}/renew")
    assert (status, said["remedy"]) == (404, "register again: PUT /v1/backends/a")


async def test_a_second_holder_is_told_who_holds_the_name_and_when_to_come_again(world: World) -> None:
    await ask(world.app, "PUT", A, URL | {"ttl_s": 30, "incarnation": "i"})
    status, said, headers = await ask_whole(world.app, "PUT", A, {"url": "ws://10.0.0.2:9000"})
    assert (status, headers["retry-after"], said["retry_after_s"]) == (409, "30", 30.0)
    assert said["error"].startswith("the name 'a' is held by ws://10.0.0.1:9000 (incarnation i) for 30.0 s")
    assert set(said) == {"error", "rule", "remedy", "retry_after_s"}


async def test_a_renewal_carries_measures_and_brings_the_state_of_the_cluster(world: World) -> None:
    await ask(world.app, "PUT", A, URL | {"incarnation": "i"})
    updates = world.sink.updates
    world.state = BackendState(state=NodeState.DRAINING, within_s=12.5, left=40)
    renewal = {"incarnation": "i", "connections": 41, "utilisation": {"cpu": 0.5}}
    status, said = await ask(world.app, "POST", f"{A}/renew", renewal)
    assert (status, said) == (200, {"state": "draining", "within_s": 12.5, "left": 40, "ttl_s": 10.0})
    offer = world.offers()[NodeName("a")]
    assert (offer.connections, offer.utilisation) == (41, {"cpu": 0.5})
    await ask(world.app, "POST", f"{A}/renew", renewal)
    assert world.sink.updates == updates + 1  # nothing new was said
    assert (await ask(world.app, "POST", f"{A}/renew", {"incarnation": "h"}))[0] == 409


async def test_a_drain_is_judged_and_offered_with_its_deadline(world: World) -> None:
    await ask(world.app, "PUT", A, URL)
    status, said = await ask(world.app, "POST", f"{A}/drain", {"within_s": 30})
    assert (status, said["state"], said["within_s"]) == (200, "draining", 30.0)
    assert world.judged == [("a", 30.0, False)]
    offer = world.offers()[NodeName("a")]
    assert (offer.draining, offer.within_s) == (True, 30.0)
    world.now += 9.96
    assert (await ask(world.app, "POST", f"{A}/renew"))[1]["within_s"] == 20.0  # to a tenth of a second


async def test_a_drain_that_would_take_longer_is_refused_with_the_time_that_would_do(world: World) -> None:
    await ask(world.app, "PUT", A, URL)
    world.verdict = DrainAnswer(why="at 10 moves a second they need 50 s", connections=500, moves_per_s=10, needs_s=50)
    status, said, headers = await ask_whole(world.app, "POST", f"{A}/drain", {"within_s": 5})
    assert (status, headers["retry-after"]) == (409, "50")
    assert said["error"] == "'a' cannot be drained within 5 s"
    assert "50 s" in said["rule"]
    assert said["remedy"] == "give it 50 s, or send force: true"
    assert not world.offers()[NodeName("a")].draining


async def test_an_operator_takes_a_backend_back_that_asked_to_be_drained(world: World) -> None:
    await ask(world.app, "PUT", A, URL)
    world.state = BackendState(state=NodeState.ACTIVE, left=9)
    await ask(world.app, "POST", f"{A}/drain", {"within_s": 60})
    assert (await ask(world.app, "POST", f"{A}/renew"))[1]["state"] == "draining"  # gateways may not have heard yet
    world.state = BackendState(state=NodeState.DRAINING, within_s=58.0, left=9)
    world.now += 4.0
    assert (await ask(world.app, "POST", f"{A}/renew"))[1]["state"] == "draining"
    world.state = BackendState(state=NodeState.ACTIVE, left=9)
    assert (await ask(world.app, "POST", f"{A}/renew"))[1]["state"] == "active"
    assert not world.offers()[NodeName("a")].draining


async def test_a_drain_begins_also_while_no_leader_answers(world: World) -> None:
    await ask(world.app, "PUT", A, URL)
    world.verdict = EngineAway("the engine is away")
    assert (await ask(world.app, "POST", f"{A}/drain", {"within_s": 5}))[0] == 200
    assert world.offers()[NodeName("a")].draining


async def test_who_leaves_is_offered_no_more_and_lost_only_if_gone(world: World) -> None:
    for query, lost in (("", []), ("?gone=true", ["a"])):
        await ask(world.app, "PUT", A, URL | {"incarnation": "i"})
        assert (await ask(world.app, "DELETE", f"{A}?incarnation=old"))[0] == 409
        assert await ask(world.app, "DELETE", A + query) == (204, "")
        assert (world.sink.lost, world.offers()) == (lost, {})
        assert (await ask(world.app, "DELETE", A))[0] == 404


async def test_the_backends_are_listed_by_name(world: World) -> None:
    await ask(world.app, "PUT", "/v1/backends/b", {"url": "ws://10.0.0.2:9000"})
    await ask(world.app, "PUT", A, URL)
    world.now += 4.0
    status, rows = await ask(world.app, "GET", "/v1/backends")
    assert (status, [row["name"] for row in rows], rows[0]["expires_in_s"]) == (200, ["a", "b"], 6.0)
    assert (await ask(world.app, "GET", A))[1] == rows[0]
    assert (await ask(world.app, "GET", "/v1/backends/c"))[0] == 404


@pytest.mark.parametrize(
    ("body", "words"),
    [
        pytest.param({}, "url", id="no url"),
        pytest.param({"url": "http://10.0.0.1"}, "http", id="another scheme"),
        pytest.param(URL | {"weight": -1}, "weight", id="a weight below 0"),
        pytest.param(URL | {"weight": 1e-320}, "0.001 to 1000", id="a weight that is nearly 0"),
        pytest.param(URL | {"wieght": 1}, "wieght", id="an unknown field"),
        pytest.param(URL | {"on_move": "jump"}, "jump", id="an unknown way to move"),
        pytest.param(URL | {"ttl_s": 0.1}, "ttl_s", id="too short a lease"),
        pytest.param(URL | {"ttl_s": "soon"}, "ttl_s", id="a lease in words"),
        pytest.param(URL | {"incarnation": 7}, "incarnation", id="a number as incarnation"),
        pytest.param(URL | {"name": "b"}, "name", id="another name"),
        pytest.param([1], "object", id="an array"),
        pytest.param(b"{", "Input data was truncated", id="half a body"),
        pytest.param(b"", "empty", id="no body"),
    ],
)
async def test_a_wrong_registration_is_refused_by_the_wrong_value(world: World, body: Any, words: str) -> None:
    status, said = await ask(world.app, "PUT", A, body, content_type="application/json")
    assert (status, set(said)) == (400, {"error", "rule", "remedy"})
    assert words in said["error"]
    assert world.sink.updates == 0


async def test_all_wrong_values_are_named_at_once(world: World) -> None:
    body = {"url": "http://10.0.0.1", "weight": -1, "wieght": 1, "on_move": "jump"}
    lease = {"ttl_s": 1000, "incarnation": 7, "name": "b"}
    said = (await ask(world.app, "PUT", A, body | lease))[1]
    named = ("http://10.0.0.1", "weight ", "'wieght'", "jump", "ttl_s is 1000", "incarnation is 7", "name is 'b'")
    assert [words for words in named if words not in said["error"]] == []


@pytest.mark.parametrize("body", [b'{"url": "ws://', b"{} {}", b'"\xff"'], ids=["cut off", "two objects", "no UTF-8"])
@pytest.mark.parametrize("path", [A, f"{A}/renew"], ids=["register", "renew"])
async def test_a_body_that_is_no_json_is_refused_with_rule_and_remedy(world: World, path: str, body: bytes) -> None:
    method = "PUT" if path == A else "POST"
    status, said = await ask(world.app, method, path, body, content_type="application/json")
    assert (status, said["error"][:28]) == (400, "the body is not valid JSON: ")
    assert "complete JSON object" in said["rule"]
    assert "quotes, commas and braces" in said["remedy"]


async def test_a_name_that_is_none_is_refused(world: World) -> None:
    status, said = await ask(world.app, "PUT", "/v1/backends/-a", URL)
    assert (status, "the name '-a' is not usable" in said["error"]) == (400, True)


async def test_other_refusals_have_the_same_form(world: World) -> None:
    for method, path, status in (("GET", "/v2", 404), ("PATCH", A, 405), ("PUT", A, 413)):
        got, said = await ask(world.app, method, path, b"x" * 70_000 if status == 413 else None)
        assert (got, set(said)) == (status, {"error", "rule", "remedy"})


async def test_no_more_than_registrations_max_are_accepted() -> None:
    world = World(registrations_max=1)
    await ask(world.app, "PUT", A, URL)
    status, said = await ask(world.app, "PUT", "/v1/backends/b", {"url": "ws://10.0.0.2:9000"})
    assert (status, "registrations_max is 1" in said["rule"]) == (503, True)


async def test_a_page_of_another_site_can_register_nothing(world: World) -> None:
    assert (await ask(world.app, "PUT", A, URL, content_type="text/plain"))[0] == 415
    assert (await ask(world.app, "PUT", A, URL, origin="https://evil.example"))[0] == 403
    assert (await ask(world.app, "GET", "/v1/backends", host="evil.example"))[0] == 403
    assert world.sink.updates == 0


OF_PAGES = [
    pytest.param({"origin": "https://evil.example"}, id="an origin"),
    pytest.param({"origin": "null"}, id="no origin that can be named"),
    pytest.param({"sec_fetch_site": "cross-site"}, id="another site"),
    pytest.param({"sec_fetch_site": "same-site"}, id="another host of the site"),
]


@pytest.mark.parametrize("headers", OF_PAGES)
@pytest.mark.parametrize("has_tokens", [False, True], ids=["without tokens", "with a valid token"])
async def test_what_a_page_of_another_site_sends_is_refused(
    tmp_path: Path, headers: dict[str, str], has_tokens: bool
) -> None:
    file = tmp_path / "tokens"
    file.write_text(TOKEN)
    world = World(TokenFile(str(file)) if has_tokens else None)
    said = {"authorization": f"Bearer {TOKEN}"} if has_tokens else {}
    for method, path, body in (("PUT", A, URL), ("GET", "/v1/backends", None), ("DELETE", A, None)):
        status, refused = await ask(world.app, method, path, body, **said, **headers)
        assert (status, refused["rule"]) == (403, "pages of other sites may not register backends")
    assert (await ask(world.app, "GET", "/v1/openapi.json", **headers))[0] == 200, "it says nothing of this system"
    assert world.sink.updates == 0


@pytest.mark.parametrize("site", ["none", "same-origin"])
async def test_a_program_or_an_own_page_may_say_where_it_asks_from(world: World, site: str) -> None:
    assert (await ask(world.app, "PUT", A, URL, sec_fetch_site=site))[0] == 201


async def test_with_tokens_every_request_needs_one(tmp_path: Path) -> None:
    file = tmp_path / "tokens"
    file.write_text(f"# first\n{TOKEN}\n\n{OTHER}\n")
    world = World(TokenFile(str(file)))
    status, said, headers = await ask_whole(world.app, "PUT", A, URL)
    assert (status, headers["www-authenticate"]) == (401, 'Bearer realm="ringway"')
    assert set(said) == {"error", "rule", "remedy"}
    for wrong in ("Bearer ", "Basic abc", f"Bearer {TOKEN}x", "Bearer ä"):
        assert (await ask(world.app, "PUT", A, URL, authorization=wrong))[0] == 401
    for right in (TOKEN, OTHER):
        assert (await ask(world.app, "PUT", A, URL, authorization=f"Bearer {right}"))[0] in (200, 201)
    # a form, as curl sends it, is no danger: a page cannot send the header
    sent = await ask(world.app, "PUT", A, URL, authorization=f"bearer {TOKEN}", content_type="text/plain")
    assert sent[0] == 200
    assert (await ask(world.app, "GET", "/v1/backends"))[0] == 401
    assert (await ask(world.app, "GET", "/v1/openapi.json"))[0] == 200


async def test_the_document_describes_every_operation(world: World) -> None:
    status, document = await ask(world.app, "GET", "/v1/openapi.json")
    assert status == 200
    assert {(path, method) for path, methods in document["paths"].items() for method in methods} == {
        ("/v1/backends", "get"),
        (A.replace("/a", "/{name}"), "get"),
        (A.replace("/a", "/{name}"), "put"),
        (A.replace("/a", "/{name}"), "delete"),
        ("/v1/backends/{name}/renew", "post"),
        ("/v1/backends/{name}/drain", "post"),
    }
    put = document["paths"]["/v1/backends/{name}"]["put"]
    assert {"200", "201", "400", "409", "503"} == set(put["responses"])
    assert set(document["components"]["schemas"]["BackendRequest"]["properties"]) >= {"url", "ttl_s", "incarnation"}


async def test_what_becomes_of_registrations_is_counted(tmp_path: Path) -> None:
    file = tmp_path / "tokens"
    file.write_text(TOKEN)
    world = World(TokenFile(str(file)), registrations_max=2)
    own = {"authorization": f"Bearer {TOKEN}"}
    stats = world.source.stats

    async def put(path: str, **more: Any) -> int:
        return (await ask(world.app, "PUT", path, {**URL, **more}, **own))[0]

    assert [await put(A), await put(A), await put(A, incarnation="2")] == [201, 200, 201]
    assert dict(stats.registered) == {"new": 1, "again": 1, "restarted": 1}
    assert (await ask(world.app, "POST", f"{A}/renew", {}, **own))[0] == 200
    assert (await ask(world.app, "POST", f"{A}/drain", {}, **own))[0] == 200
    assert (stats.renewed, stats.drains, stats.leases) == (1, 1, 1)

    assert await put(A, url="ws://10.0.0.2:9000") == 409
    assert await put("/v1/backends/b", url="http://10.0.0.2:9000") == 400
    assert [await put("/v1/backends/b"), await put("/v1/backends/c")] == [201, 503]
    world.verdict = DrainAnswer(why="too many", connections=9, moves_per_s=1.0, needs_s=90.0)
    assert (await ask(world.app, "POST", f"{A}/drain", {"within_s": 1}, **own))[0] == 409
    assert (await ask(world.app, "POST", "/v1/backends/none/renew", {}, **own))[0] == 404
    assert (await ask(world.app, "POST", "/v1/nothing", {}, **own))[0] == 404
    assert (await ask(world.app, "PUT", A, URL))[0] == 401
    causes = {"held": 1, "invalid": 1, "full": 1, "too_short": 1, "unknown": 1, "request": 1, "token": 1}
    assert dict(stats.refused) == causes

    assert (await ask(world.app, "DELETE", A, **own))[0] == 204
    assert (stats.left, stats.leases) == (1, 1)
    world.passes(60)
    assert (stats.expired, stats.leases) == (1, 0)
