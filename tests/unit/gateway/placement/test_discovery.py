"""The answer to `GET /gateway`."""

import asyncio
import json
import random
from collections.abc import Sequence
from ipaddress import ip_network
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from ringway.auth.config import SubscriptionTokenConfig, TokenConfig
from ringway.auth.verifier import TokenVerifier, make_verifier
from ringway.core.group import Group, Groups
from ringway.core.route_spec import read_routes
from ringway.core.steering import Steering
from ringway.gateway.config.gateway import GatewayConfig
from ringway.gateway.placement.affinity import Affinity
from ringway.gateway.placement.discovery import Discovery
from ringway.gateway.placement.placer import Placer
from ringway.gateway.placement.placers import Placers
from ringway.gateway.placement.routing import Routing
from ringway.gateway.placement.token_check import TokenCheck
from ringway.gateway.stats import GatewayStats
from ringway.protocol.directive import Directive
from ringway.protocol.forwarded import Network
from ringway.protocol.group import CHANNELS
from ringway.protocol.head import RequestHead
from ringway.protocol.keyring import Keyring
from ringway.protocol.report import Report
from ringway.protocol.ticket import TicketSigner
from ringway.types import Incarnation, Issuer, NodeName, NodeState, Role
from support.tokens import SECRET, make_token

ME = Issuer("0badcafe")
NOW = 1_800_000_000.0
CLIENT = asyncio.Transport({"peername": ("192.0.2.7", 40000), "sockname": ("192.0.2.1", 8000)})


def node(index: int, **fields: Any) -> Report:
    settings = {"url": f"ws://10.0.0.{index}:9101/connection/websocket", **fields}
    return Report(
        name=NodeName(f"n{index}"), incarnation=Incarnation(f"{index:08x}"), role=Role.NODE, seq=1, **settings
    )


class World:
    """Discovery over reports, with a clock that stands still."""

    def __init__(
        self,
        *reports: Report,
        policy: str = "two-choices",
        origins: Sequence[str] = (),
        trusted: Sequence[Network] = (),
        public_url: str = "",
        routes: Sequence[str] = (),
        verifier: TokenVerifier | None = None,
    ):
        self.steering = Steering(policy, b"")
        self.groups = Groups(ME, lambda name: self.steering)
        for report in reports:
            self.groups.reported(report, 0.0)
        self.view = self.groups[CHANNELS].view
        self.signer = TicketSigner(Keyring(b"secret"))
        self.promised = 0
        placers = Placers(self.groups, self._make_placer, lambda: 0.0)
        routing = Routing(read_routes(routes), self.groups)
        affinity = Affinity(trusted)
        tokens = TokenCheck(GatewayConfig(), affinity, verifier, GatewayStats(), lambda: 0.0, lambda: NOW)
        self.discovery = Discovery(placers, routing, affinity, origins, public_url, tokens=tokens)

    def _make_placer(self, group: Group) -> Placer:
        return Placer(
            group.view, group.steering, self.signer, GatewayStats(), lambda: 0.0, random.Random(1), lambda: NOW,
            take_promise=self._take_promise, group=group.name,
        )  # fmt: skip

    def _take_promise(self, key: bytes | None, address: str, group: str) -> None:
        self.promised += 1

    def ask(
        self, query: str = "", origin: str | None = None, cookie: str | None = None, host: str = "x", **more: str
    ) -> tuple[int, dict[str, str], Any]:
        headers = [("host", host), *((name.replace("_", "-"), value) for name, value in more.items())]
        headers += [("origin", origin)] if origin else []
        headers += [("cookie", cookie)] if cookie else []
        status, raw = self.discovery.answer(CLIENT, RequestHead("GET", "/gateway", query, "1.1", headers, True))
        head, body = raw.split(b"\r\n\r\n")
        lines = head.decode().split("\r\n")
        found = dict(line.split(": ", 1) for line in lines[1:])
        assert int(found["Content-Length"]) == len(body)
        assert lines[0].split()[1] == str(status)
        return status, found, json.loads(body)


def test_the_url_can_be_connected_to_as_it_is() -> None:
    world = World(node(1), node(2), node(3))
    status, headers, body = world.ask()
    assert status == 200
    assert headers["Cache-Control"] == "no-store"
    assert headers["Content-Type"] == "application/json"
    assert set(body) == {"url", "ticket", "expires_in", "node", "alternates"}
    assert body["expires_in"] == 10
    url = urlsplit(body["url"])
    assert url.path == "/connection/websocket"
    assert parse_qs(url.query) == {"ticket": [body["ticket"]]}
    issuer, _, _ = world.signer.check(body["ticket"], NodeName(body["node"]), NOW)
    assert issuer == ME
    assert world.view.nodes[NodeName(body["node"])].own == 1
    names = {body["node"], *(other["node"] for other in body["alternates"])}
    assert names == {"n1", "n2", "n3"}
    assert all("ticket" not in other["url"] for other in body["alternates"])


def test_places_spread_a_herd() -> None:
    world = World(*(node(index) for index in range(1, 11)))
    for _ in range(1000):
        world.ask()
    assert max(load.load for load in world.view.nodes.values()) <= 110


def test_tickets_differ() -> None:
    world = World(node(1))
    assert len({world.ask()[2]["ticket"] for _ in range(1500)}) == 1500


def test_keys_travel_encoded_and_decide() -> None:
    world = World(*(node(index) for index in range(1, 6)), policy="ring:c=0")
    first = world.ask("key=r%C3%A4um%26%201")[2]
    assert parse_qs(urlsplit(first["url"]).query)["key"] == ["räum& 1"]
    assert {world.ask("key=r%C3%A4um%26%201")[2]["node"] for _ in range(20)} == {first["node"]}
    assert len({world.ask(f"key={index}")[2]["node"] for index in range(100)}) == 5


def test_alternates_carry_the_key_as_well() -> None:
    body = World(node(1), node(2, url="ws://10.0.0.2:1/?zone=b"), policy="ring:c=0").ask("key=%C3%A4")[2]
    for other in [body["url"], *(other["url"] for other in body["alternates"])]:
        assert parse_qs(urlsplit(other).query)["key"] == ["ä"]


def test_the_wish_not_to_be_moved_is_told_on() -> None:
    _, _, body = World(node(1), node(2)).ask("pin=1&key=k")
    assert all("key=k&pin=1" in url for url in (body["url"], body["alternates"][0]["url"]))
    assert "?pin=1&ticket=" in World(node(1)).ask("pin=1")[2]["url"]
    assert "pin" not in World(node(1)).ask("pin=0")[2]["url"]


def test_other_keys_travel_as_digests() -> None:
    world = World(*(node(index) for index in range(1, 6)), policy="ring:key=cookie.sid,c=0")
    first = world.ask("key=forged", cookie="sid=s3cr3t")[2]
    told = parse_qs(urlsplit(first["url"]).query)["key"]
    assert told == [world.steering.keys.shown(b"s3cr3t").decode()]
    assert "s3cr3t" not in str(first)
    assert {world.ask(f"key={index}", cookie="a=b; sid=s3cr3t")[2]["node"] for index in range(20)} == {first["node"]}
    assert "key" not in parse_qs(urlsplit(world.ask("key=forged")[2]["url"]).query)


def test_backends_are_told_no_digests() -> None:
    world = World(node(1, is_backend=True), policy="ring:key=cookie.sid")
    assert "?" not in world.ask(cookie="sid=7")[2]["url"]
    assert urlsplit(world.ask("key=mine", cookie="sid=7")[2]["url"]).query == "key=mine"


def test_a_policy_in_force_later_brings_its_own_key() -> None:
    world = World(node(1), policy="ring:key=cookie.sid")
    assert "key" in parse_qs(urlsplit(world.ask(cookie="sid=7")[2]["url"]).query)
    world.steering.follow(Directive(version=1, policy="two-choices"))
    assert "key" not in parse_qs(urlsplit(world.ask(cookie="sid=7")[2]["url"]).query)
    assert parse_qs(urlsplit(world.ask("key=mine")[2]["url"]).query)["key"] == ["mine"]


def test_public_urls_with_a_query_of_their_own() -> None:
    body = World(node(1, public_url='wss://edge.example/n1?zone="a"')).ask("key=k")[2]
    assert body["url"] == f'wss://edge.example/n1?zone="a"&key=k&ticket={body["ticket"]}'


def test_a_url_that_changes_is_noticed() -> None:
    world = World(node(1))
    world.ask()
    world.view.reported(node(1, url="ws://10.9.9.9:1"), 1.0)
    assert world.ask()[2]["url"].startswith("ws://10.9.9.9:1?ticket=")


@pytest.mark.parametrize("reports", [(), (node(1, state=NodeState.DRAINING),)])
def test_nowhere_to_go(reports: tuple[Report, ...]) -> None:
    status, headers, body = World(*reports).ask()
    assert status == 503
    assert 1 <= int(headers["Retry-After"]) <= 5
    assert headers["Cache-Control"] == "no-store"
    assert set(body) == {"error", "wait_ms"}
    assert int(headers["Retry-After"]) - 1 < body["wait_ms"] / 1000 <= int(headers["Retry-After"])


def test_a_crowd_is_told_to_come_one_after_the_other() -> None:
    """Ten newcomers a second may come to each of two; places and tickets last from when their bearers come."""
    world = World(*(node(index, accept_per_s=20.0, connections=100) for index in (1, 2)))
    answers = [world.ask()[2] for _ in range(101)]
    assert "wait_ms" not in answers[0]
    last = answers[-1]
    assert last["wait_ms"] == 4800
    assert last["expires_in"] == 15
    assert last["reconnect_window_ms"] == 12_000
    world.signer.check(last["ticket"], NodeName(last["node"]), NOW + 4.8 + 10.0 + 4.0)
    world.view.tick(12.0)
    assert 0 < sum(load.own for load in world.view.nodes.values()) < 101
    world.view.tick(14.9)
    assert sum(load.own for load in world.view.nodes.values()) == 0


def test_beyond_the_longest_wait_the_answer_is_503_and_says_when() -> None:
    world = World(node(1, accept_per_s=20.0, connections=100))
    answers = [world.ask() for _ in range(310)]
    status, headers, body = answers[-1]
    assert status == 503
    assert set(body) == {"error", "wait_ms", "reconnect_window_ms"}
    assert 15_000 <= body["wait_ms"] <= 17_000
    assert int(headers["Retry-After"]) in (16, 17)
    held = sum(load.own for load in world.view.nodes.values())
    assert held == sum(answer[0] == 200 for answer in answers), "no place is held for who is turned away"


def test_a_moved_client_waits_for_nobody() -> None:
    world = World(node(1, accept_per_s=20.0), node(2, accept_per_s=20.0, reserved={NodeName("n1"): 1}))
    for _ in range(200):
        world.ask()
    ticket = world.signer.issue(NodeName("n2"), Issuer("00000001"), b"8 bytes.", NOW)
    assert "wait_ms" not in world.ask(f"node=n2&ticket={ticket}")[2]


def test_whoever_takes_the_place_of_a_move_needs_no_slot() -> None:
    world = World(node(1, accept_per_s=20.0), node(2, accept_per_s=20.0))
    for _ in range(200):
        world.ask()
    world.view.reported(node(3, accept_per_s=20.0, reserved={NodeName("n1"): 1}), 0.0)
    assert "wait_ms" not in world.ask()[2]
    assert "wait_ms" in world.ask()[2]


def test_a_moved_client_keeps_its_ticket() -> None:
    world = World(node(1), node(2))
    ticket = world.signer.issue(NodeName("n2"), Issuer("00000001"), b"8 bytes.", NOW)
    body = world.ask(f"node=n2&ticket={ticket}&key=k")[2]
    assert (body["node"], body["ticket"], body["alternates"]) == ("n2", ticket, [])
    assert parse_qs(urlsplit(body["url"]).query) == {"key": ["k"], "ticket": [ticket]}
    assert all(load.own == 0 for load in world.view.nodes.values())


@pytest.mark.parametrize(
    "wrong", ["node=n9&ticket={t}", "node=n1&ticket={t}", "node=n2&ticket={f}", "node=n2", "node=n2&ticket=%22"]
)
def test_a_wrong_ticket_gets_a_normal_placement(wrong: str) -> None:
    world = World(node(1), node(2))
    ticket = world.signer.issue(NodeName("n2"), Issuer("00000001"), b"8 bytes.", NOW)
    forged = TicketSigner(Keyring(b"other")).issue(NodeName("n2"), Issuer("00000001"), b"8 bytes.", NOW)
    body = world.ask(wrong.format(t=ticket, f=forged))[2]
    assert body["ticket"] not in (ticket, forged)
    assert sum(load.own for load in world.view.nodes.values()) == 1


def test_a_plain_client_takes_the_place_that_a_donor_holds() -> None:
    world = World(node(1, reserved={NodeName("n3"): 1}), node(2), node(3))
    body = world.ask()[2]
    assert body["node"] == "n3"
    assert world.signer.check(body["ticket"], NodeName("n3"), NOW)[0] == "00000001"
    assert world.view.nodes[NodeName("n3")].own == 0
    assert "n3" not in [other["node"] for other in body["alternates"]]
    world.ask()
    assert sum(load.own for load in world.view.nodes.values()) == 1


def test_pages_of_allowed_origins_may_read_it() -> None:
    world = World(node(1), origins=["https://app.example/"])
    _, headers, _ = world.ask(origin="https://app.example")
    assert headers["Access-Control-Allow-Origin"] == "https://app.example"
    assert headers["Vary"] == "Origin"
    for other in ("https://app.example.evil.example", "https://app.example:8443", "http://app.example", "null"):
        assert "Access-Control-Allow-Origin" not in world.ask(origin=other)[1]
    assert "Access-Control-Allow-Origin" not in World(node(1)).ask(origin="https://app.example")[1]
    status, headers, _ = World(origins=["*"]).ask(origin="https://any.example")
    assert status == 503
    assert headers["Access-Control-Allow-Origin"] == "https://any.example"


def test_backends_take_no_tickets() -> None:
    body = World(node(1, url="ws://10.0.0.1:9000/app", is_backend=True)).ask()[2]
    assert body == {"url": "ws://x/", "ticket": "", "expires_in": 0, "node": "n1", "alternates": []}


def test_to_a_backend_the_gateway_leads_by_itself_and_tells_no_address_of_it() -> None:
    world = World(*(node(index, url=f"ws://10.0.0.{index}:9000/app", is_backend=True) for index in (1, 2)))
    status, headers, body = world.ask("path=/chat/r%C3%A4um%201&key=a%26b&pin=1", host="gw.example:8000")
    assert (status, headers["Cache-Control"]) == (200, "no-store")
    assert body["url"] == "ws://gw.example:8000/chat/r%C3%A4um%201?key=a%26b"
    assert "10.0.0" not in str(body)


def test_the_url_of_the_gateway_is_the_public_one_or_that_by_which_the_client_asks() -> None:
    backend = node(1, is_backend=True)
    public = World(backend, public_url="https://chat.example/ws/")
    assert public.ask("path=room")[2]["url"] == "wss://chat.example/ws/room"
    behind = World(backend, trusted=[ip_network("192.0.2.0/24")])
    url = behind.ask(host="10.0.0.9", x_forwarded_for="203.0.113.1", x_forwarded_host="chat.example",
                     x_forwarded_proto="https")[2]["url"]  # fmt: skip
    assert url == "wss://chat.example/"
    assert World(backend).ask(host="10.0.0.9", x_forwarded_host="evil.example")[2]["url"] == "ws://10.0.0.9/"
    assert World(backend).ask(host="")[2]["url"] == "ws://192.0.2.1:8000/"


def test_a_question_about_backends_holds_no_place_and_takes_no_promise() -> None:
    world = World(node(1, is_backend=True), node(2, is_backend=True))
    for _ in range(20):
        world.ask()
    assert [each.load for each in world.groups.nodes.values()] == [0, 0]
    assert world.promised == 0


def test_a_backend_is_no_alternate_of_a_node_and_is_asked_for_by_its_path() -> None:
    world = World(node(1), node(2, is_backend=True), node(3))
    bodies = [world.ask()[2] for _ in range(30)]
    assert {body["node"] for body in bodies} == {"n1", "n3"}
    assert {world.ask("path=/app")[2]["node"] for _ in range(5)} == {"n2"}
    assert "n2" not in {other["node"] for body in bodies for other in body["alternates"]}


ASKING = ("path=/connection/websocket group=channels auth=jwt",)


def verifier() -> TokenVerifier:
    made = make_verifier(TokenConfig(hmac_secret_key=SECRET.decode()), SubscriptionTokenConfig(), random.Random(1))
    assert made is not None
    return made


def test_where_a_token_is_asked_for_nobody_is_placed_without_one() -> None:
    world = World(node(1), routes=ASKING, verifier=verifier(), origins=["https://app.example"])
    forged = make_token({"sub": "42"}, b"x" * 32)
    for more in ({}, {"authorization": f"Bearer {forged}"}):
        status, headers, body = world.ask(origin="https://app.example", **more)
        assert status == 401
        assert headers["WWW-Authenticate"].startswith("Bearer")
        assert headers["Access-Control-Allow-Origin"] == "https://app.example", "the page can read why"
        assert "token" in body["error"]
    assert world.view.nodes[NodeName("n1")].own == 0
    status, _, body = world.ask(authorization=f"Bearer {make_token({'sub': '42'})}")
    assert (status, body["node"]) == (200, "n1")
    assert make_token({"sub": "42"}) not in body["url"], "a node is reached by a ticket"


def test_the_key_of_a_user_is_that_of_the_verified_token() -> None:
    world = World(node(1), policy="rendezvous:key=user", routes=ASKING, verifier=verifier())
    plain = World(node(1), policy="rendezvous:key=user")
    _, _, body = world.ask(authorization=f"Bearer {make_token({'sub': '42'})}")
    _, _, same = plain.ask(authorization=f"Bearer {make_token({'sub': '42'})}")
    assert parse_qs(urlsplit(body["url"]).query)["key"] == parse_qs(urlsplit(same["url"]).query)["key"]


def test_a_token_in_the_query_is_in_the_url_of_a_backend_which_asks_for_it_again() -> None:
    token = make_token({"sub": "42"})
    world = World(
        node(1, is_backend=True), routes=["path=/chat auth=jwt"], verifier=verifier(), public_url="https://ws.example"
    )
    _, _, body = world.ask(f"path=/chat&key=k&token={token}")
    assert body["url"] == f"wss://ws.example/chat?key=k&token={token}"
    _, _, body = world.ask("path=/chat", authorization=f"Bearer {token}")
    assert body["url"] == "wss://ws.example/chat"
