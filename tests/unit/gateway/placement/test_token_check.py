"""The gateway's check of tokens: where a request has its token, what the client is told, and what is passed on."""

import asyncio
import random
from ipaddress import ip_network
from typing import Any

import pytest

from ringway.auth.config import SubscriptionTokenConfig, TokenConfig
from ringway.auth.verifier import make_verifier
from ringway.errors import ConfigError, UpgradeError
from ringway.gateway.config.gateway import GatewayConfig
from ringway.gateway.placement.affinity import Affinity
from ringway.gateway.placement.token_check import TokenCheck, show_user
from ringway.gateway.stats import GatewayStats
from ringway.protocol.head import RequestHead
from support.log_capture import capture_logs
from support.tokens import NOW, SECRET, make_token

CLIENT = asyncio.Transport({"peername": ("192.0.2.7", 40000)})
TOKEN = make_token({"sub": "42", "exp": NOW + 60})
FORGED = make_token({"sub": "42"}, b"a secret of somebody else, long enough")


class World:
    def __init__(self, **settings: Any) -> None:
        self.stats = GatewayStats()
        verifier = make_verifier(
            TokenConfig(hmac_secret_key=SECRET.decode()), SubscriptionTokenConfig(), random.Random(1)
        )
        trusted = [ip_network("10.0.0.0/8")]
        config = GatewayConfig(**settings)
        self.check = TokenCheck(config, Affinity(trusted), verifier, self.stats, lambda: 0.0, lambda: NOW)

    def user(self, head: RequestHead) -> str:
        return self.check.admit_now(CLIENT, head)[0]

    def refused(self, head: RequestHead) -> UpgradeError:
        with pytest.raises(UpgradeError) as refused:
            self.check.admit_now(CLIENT, head)
        return refused.value


def request(query: str = "", *headers: tuple[str, str]) -> RequestHead:
    return RequestHead("GET", "/chat", query, "1.1", [("host", "ws.example"), *headers], True)


def bearer(token: str, scheme: str = "Bearer") -> tuple[str, str]:
    return "authorization", f"{scheme} {token}"


def test_a_token_is_in_the_header_the_query_or_the_cookie() -> None:
    world = World(auth_cookie="session")
    assert world.user(request("", bearer(TOKEN))) == "42"
    assert world.user(request("", bearer(TOKEN, "bEARER"))) == "42"
    assert world.user(request(f"a=b&token={TOKEN}")) == "42"
    assert world.user(request(f"%74oken={TOKEN}")) == "42"
    assert world.user(request("", ("cookie", f"a=b; session={TOKEN}"))) == "42"
    assert world.user(request(f"token={TOKEN}", ("authorization", "Basic YTpi"))) == "42"


def test_the_names_are_settings_and_empty_ones_are_not_read() -> None:
    world = World(auth_query="jwt", auth_cookie="")
    assert world.user(request(f"jwt={TOKEN}")) == "42"
    for head in (request(f"token={TOKEN}"), request("", ("cookie", f"token={TOKEN}"))):
        assert "send it as Authorization: Bearer TOKEN or as the query parameter jwt" in str(world.refused(head))
    assert str(World(auth_query="").refused(request(f"token={TOKEN}"))).endswith("as Authorization: Bearer TOKEN")


def test_the_first_place_with_a_token_counts() -> None:
    world = World(auth_cookie="session")
    head = request(f"token={TOKEN}", bearer(FORGED), ("cookie", f"session={TOKEN}"))
    assert world.refused(head).status == 401
    head = request(f"token={FORGED}", ("cookie", f"session={TOKEN}"))
    assert world.refused(head).status == 401


def test_two_tokens_in_one_place_are_refused_or_the_first_counts() -> None:
    world = World()
    assert world.refused(request("", bearer(TOKEN), bearer(FORGED))).status == 400
    assert world.refused(request(f"token={FORGED}&token={TOKEN}")).status == 401


REFUSED = {
    "missing": (request(), "a token is needed here"),
    "expired": (request("", bearer(make_token({"sub": "42", "exp": NOW - 1}))), "has expired; get a new one"),
    "invalid": (request("", bearer(FORGED)), "is not accepted; get a new one"),
    "of no user": (request("", bearer(make_token({"exp": NOW + 60}))), "is not accepted; get a new one"),
    "for a subscription": (request("", bearer(make_token({"sub": "42", "channel": "a"}))), "is not accepted"),
    "empty": (request("", bearer("")), "is not accepted"),
    "not ASCII": (request("token=%C3%A9"), "is not accepted"),
}


@pytest.mark.parametrize(("head", "said"), REFUSED.values(), ids=REFUSED)
def test_a_client_is_told_little_and_the_log_is_told_why(head: RequestHead, said: str) -> None:
    world = World()
    with capture_logs() as logs:
        error = world.refused(head)
    assert (error.status, said in str(error)) == (401, True)
    assert error.headers[0][0] == "WWW-Authenticate"
    assert sum(world.stats.token_refused.values()) == 1
    assert len(logs) == 1
    for _ in range(100):
        with capture_logs() as more:
            world.refused(head)
        assert more == [], "forged tokens do not fill the log"


def test_a_cookie_is_believed_from_pages_of_this_server_alone() -> None:
    world = World(auth_cookie="session", allowed_origins=("https://app.example",))
    given = ("cookie", f"session={TOKEN}")
    for origin in ("http://ws.example", "https://app.example"):
        assert world.user(request("", given, ("origin", origin))) == "42"
    assert world.user(request("", given)) == "42", "a program has no origin"
    for origin in ("https://evil.example", "null", "https://ws.example.evil.example"):
        error = world.refused(request("", given, ("origin", origin)))
        assert (error.status, "allowed_origins" in str(error)) == (403, True)
    assert world.stats.token_refused == {"page": 3}
    assert world.user(request(f"token={TOKEN}", ("origin", "https://evil.example"))) == "42", "no browser adds that"


async def test_the_token_is_not_passed_on_and_everything_else_is() -> None:
    world = World(auth_cookie="session")
    head = request(
        f"a=1&token={TOKEN}&b=%20&%74oken=x",
        bearer(TOKEN),
        ("cookie", f"a=b; session={TOKEN}; c=d"),
        ("cookie", f"session={TOKEN}"),
        ("x-other", "y"),
    )
    passed, claims = await world.check.admit(CLIENT, head)
    assert claims.sub == "42"
    assert passed.query == "a=1&b=%20"
    assert passed.headers == [("host", "ws.example"), ("cookie", "a=b; c=d"), ("x-other", "y")]
    assert (passed.path, passed.method, passed.version) == (head.path, head.method, head.version)
    basic = request(f"token={TOKEN}", ("authorization", "Basic YTpi"))
    assert ("authorization", "Basic YTpi") in (await world.check.admit(CLIENT, basic))[0].headers


async def test_the_token_is_passed_on_if_that_is_wanted() -> None:
    head = request(f"token={TOKEN}")
    assert (await World(auth_pass_token=True).check.admit(CLIENT, head))[0] is head


@pytest.mark.parametrize(
    ("user", "told"),
    [
        ("42", "42"),
        ("zoe@example.com", "zoe@example.com"),
        ("a b%", "a%20b%25"),
        ("zoë", "zo%C3%AB"),
        ('"\\', "%22%5C"),
    ],
)
def test_a_user_is_told_in_visible_ascii(user: str, told: str) -> None:
    assert show_user(user) == told


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"auth_query": "a b"}, "auth_query is 'a b'"),
        ({"auth_query": "ticket"}, "which the gateway reads itself"),
        ({"auth_cookie": "a;b"}, "auth_cookie is 'a;b'"),
        ({"auth_user_header": "X User"}, "auth_user_header is 'X User'"),
        ({"auth_user_header": "Host"}, "a meaning of its own"),
        ({"auth_user_header": "Sec-WebSocket-Key"}, "a meaning of its own"),
        ({"auth_user_header": ""}, "auth_user_header is ''"),
    ],
)
def test_names_that_cannot_be_meant_are_refused(settings: dict[str, str], said: str) -> None:
    with pytest.raises(ConfigError) as refused:
        GatewayConfig(**settings)  # type: ignore[arg-type]
    assert said in str(refused.value)
