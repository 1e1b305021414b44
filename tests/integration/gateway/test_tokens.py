"""Tokens at a real gateway, before a real uvicorn is troubled, with keys from a real HTTP server."""

import asyncio
import base64
import random
import time
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import msgspec
import pytest
import uvicorn
from gateway_kit import eventually
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

import ringway
from ringway.auth.config import SubscriptionTokenConfig, TokenConfig
from ringway.auth.verifier import make_verifier
from ringway.errors import ConfigError
from ringway.protocol.revocation import Revocation
from support.key_pairs import EC_KEY, OTHER_RSA_KEY, RSA_KEY, public_jwk, sign
from support.key_set_server import key_set_server
from support.tokens import SECRET, make_token

PATIENCE_S = 90.0
ROUTES = ("path=/chat auth=jwt", "path=/open")
FORGED = make_token({"sub": "42"}, b"a secret of somebody else, long enough")


def good(user: str = "42", **more: Any) -> str:
    return make_token({"sub": user, "exp": time.time() + 3600, **more})


def verifier_of(**settings: Any):
    given = settings or {"hmac_secret_key": SECRET.decode()}
    return make_verifier(TokenConfig(**given), SubscriptionTokenConfig(), random.Random(1))


class Backend:
    """A real ASGI server, which notes the requests that reach it."""

    def __init__(self) -> None:
        config = uvicorn.Config(
            self._serve, port=0, ws="websockets-sansio", interface="asgi3", lifespan="off", log_level="error"
        )
        self._server = uvicorn.Server(config)
        self._server.install_signal_handlers = lambda: None
        self.asked: list[tuple[str, dict[str, str]]] = []

    async def _serve(self, scope, receive, send):
        headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        self.asked.append((scope["query_string"].decode(), headers))
        assert (await receive())["type"] == "websocket.connect"
        await send({"type": "websocket.accept"})
        while (event := await receive())["type"] == "websocket.receive":
            await send({"type": "websocket.send", "text": event["text"]})

    @asynccontextmanager
    async def listen(self):
        task = asyncio.create_task(self._server._serve())
        await eventually(lambda: self._server.started)
        yield f"ws://127.0.0.1:{self._server.servers[0].sockets[0].getsockname()[1]}"
        self.stop()
        await task

    def stop(self) -> None:
        self._server.should_exit = True


@asynccontextmanager
async def world(start_rig, verifier=None, **settings):
    backend = Backend()
    async with backend.listen() as url:
        settings = {"routes": ROUTES, **settings}
        rig = await start_rig(url, verifier=verifier or verifier_of(), **settings)
        yield rig, backend
        await rig.hang_up()


async def test_a_client_with_a_token_reaches_the_server_which_is_told_the_user(start_rig):
    async with world(start_rig) as (rig, backend):
        headers = {"Authorization": f"Bearer {good('zoë')}", "Ringway-User": "admin", "X-Other": "y"}
        async with connect(rig.url("/chat?a=1"), additional_headers=headers) as client:
            await client.send("hello")
            assert await client.recv() == "hello"
        ((query, told),) = backend.asked
        assert (query, told["ringway-user"], told["x-other"]) == ("a=1", "zo%C3%AB", "y")
        assert "authorization" not in told


async def test_the_token_may_be_in_the_query_and_is_not_passed_on(start_rig):
    async with world(start_rig) as (rig, backend), connect(rig.url(f"/chat?token={good()}&a=1")):
        ((query, told),) = backend.asked
        assert (query, told["ringway-user"]) == ("a=1", "42")


async def test_the_token_is_passed_on_if_that_is_asked_for(start_rig):
    token = good()
    async with (
        world(start_rig, auth_pass_token=True, auth_user_header="X-User", auth_query="jwt") as (rig, backend),
        connect(rig.url(f"/chat?jwt={token}"), additional_headers={"x-user": "admin"}),
    ):
        ((query, told),) = backend.asked
        assert (query, told["x-user"]) == (f"jwt={token}", "42")


async def test_a_client_without_a_good_token_is_refused_before_the_server_is_troubled(start_rig):
    async with world(start_rig) as (rig, backend), aiohttp.ClientSession() as session:
        expired = make_token({"sub": "42", "exp": time.time() - 1})
        for token, said in ((None, "a token is needed here"), (expired, "has expired"), (FORGED, "is not accepted")):
            headers = {"Authorization": f"Bearer {token}"} if token else {}
            with pytest.raises(InvalidStatus) as refused:
                await connect(rig.url("/chat"), additional_headers=headers)
            response = refused.value.response
            assert response.status_code == 401
            assert response.headers["WWW-Authenticate"].startswith("Bearer")
            assert said in response.body.decode()
            discovery = rig.url("/gateway?path=/chat", scheme="http")
            async with session.get(discovery, headers=headers) as answer:
                assert answer.status == 401
                assert said in (await answer.json())["error"]
        assert backend.asked == []
        assert rig.stats.token_refused == {"missing": 2, "expired": 2, "invalid": 2}
        assert rig.stats.refused["token"] == 3
        assert sum(rig.stats.placements.values()) == 0
        await rig.idle()


async def test_a_route_that_asks_for_no_token_passes_everything_on_but_the_header_of_the_user(start_rig):
    headers = {"Authorization": f"Bearer {FORGED}", "Ringway-User": "admin"}
    async with (
        world(start_rig) as (rig, backend),
        connect(rig.url("/open?token=x"), additional_headers=headers),
    ):
        ((query, told),) = backend.asked
        assert (query, told["authorization"]) == ("token=x", f"Bearer {FORGED}")
        assert "ringway-user" not in told


async def test_the_key_of_a_user_is_the_verified_one_wherever_the_token_is(start_rig):
    """The unverified reader finds no token in a cookie, or in a parameter of another name."""
    async with world(start_rig, policy="rendezvous:key=user", auth_cookie="session", auth_query="jwt") as (rig, _):
        ways = [
            connect(rig.url("/chat"), additional_headers={"Authorization": f"Bearer {good()}"}),
            connect(rig.url("/chat"), additional_headers={"Cookie": f"session={good()}"}),
            connect(rig.url(f"/chat?jwt={good()}")),
            connect(rig.url(f"/chat?jwt={good()}&token={good('1')}")),
        ]
        keys = set()
        for way in ways:
            async with way:
                (relay,) = rig.gateway.relays
                keys.add(relay.key)
            await rig.idle()
        assert len(keys) == 1
        assert keys != {b""}


async def test_a_client_that_is_opened_again_elsewhere_keeps_its_user(start_rig):
    one, two = Backend(), Backend()
    async with one.listen() as first, two.listen() as second:
        specs = [f"{first},name=a,weight=10,on-move=reopen", f"{second},name=b,on-move=reopen"]
        settings = {"routes": ROUTES, "policy": "least-connected", "reopen_window_s": 0.02}
        rig = await start_rig(*specs, verifier=verifier_of(), **settings)
        async with connect(rig.url(f"/chat?token={good()}")) as client:
            one.stop()
            await eventually(lambda: rig.stats.reopened == 1)
            await client.send("hello")
            assert await client.recv() == "hello"
        assert [(query, told["ringway-user"]) for query, told in (*one.asked, *two.asked)] == [("", "42")] * 2
        await rig.hang_up()


async def test_keys_come_from_a_key_set_and_a_new_key_is_found(start_rig):
    async with key_set_server(public_jwk(RSA_KEY, "first")) as server:
        verifier = verifier_of(jwks_public_endpoint=server.url, jwks_interval_s=0.1)
        async with world(start_rig, verifier) as (rig, backend), aiohttp.ClientSession() as session:
            claims = {"sub": "42", "exp": int(time.time()) + 3600}
            async with connect(rig.url(f"/chat?token={sign(claims, RSA_KEY, 'RS256', kid='first')}")):
                pass
            server.keys.append(public_jwk(EC_KEY, "second"))
            await asyncio.sleep(0.15)
            token = sign(claims, EC_KEY, "ES256", kid="second")
            discovery = rig.url(f"/gateway?path=/chat&token={token}", scheme="http")
            async with session.get(discovery) as answer:
                assert answer.status == 503
                assert answer.headers["Retry-After"] == "1"

            async def found() -> bool:
                async with session.get(discovery) as answer:
                    return answer.status == 200

            async with asyncio.timeout(90):
                while not await found():
                    await asyncio.sleep(0.05)
            async with connect(rig.url(f"/chat?token={token}")):
                pass
            with pytest.raises(InvalidStatus):
                await connect(rig.url(f"/chat?token={sign(claims, OTHER_RSA_KEY, 'RS256', kid='first')}"))
            assert len(backend.asked) == 2


@pytest.mark.parametrize("form", ["ws://{}/chat?token={}", "http://{}?path=/chat&token={}"], ids=["as it is", "asked"])
async def test_a_client_of_ours_has_its_token_in_the_url(start_rig, form):
    async with world(start_rig) as (rig, backend):
        async with ringway.connect(form.format(f"127.0.0.1:{rig.gateway.port}", good())) as client:
            await client.send("hello")
            assert await client.recv() == "hello"
        ((query, told),) = backend.asked
        assert (query, told["ringway-user"]) == ("", "42")


async def test_a_revoked_token_is_refused_and_its_websocket_is_closed(start_rig):
    async with world(start_rig) as (rig, _):
        token = good(jti="t1")
        other = good(jti="t2")
        async with connect(rig.url(f"/chat?token={token}")) as client, connect(rig.url(f"/chat?token={other}")) as kept:
            revoke(rig, Revocation(time.time() + 600, token_id="t1"))
            with pytest.raises(ConnectionClosed):
                await asyncio.wait_for(client.recv(), PATIENCE_S)
            assert (client.close_code, client.close_reason) == (3500, "token revoked")
            with pytest.raises(InvalidStatus, match="401"):
                await connect(rig.url(f"/chat?token={token}"))
            await kept.send("still here")
            assert await kept.recv() == "still here"
            revoke(rig, Revocation(time.time() + 600, user="42", issued_before=time.time()))
            with pytest.raises(ConnectionClosed):
                await asyncio.wait_for(kept.recv(), PATIENCE_S)
        assert rig.stats.cut == {"token": 2}
        async with connect(rig.url(f"/chat?token={good(iat=time.time())}")) as later:
            await later.send("new")
            assert await later.recv() == "new"


async def test_a_websocket_ends_with_its_token_where_its_route_says_so(start_rig):
    routes = ("path=/chat auth=jwt", "path=/strict auth=jwt auth-end=close")
    async with world(start_rig, routes=routes) as (rig, _):
        token = good(exp=time.time() + 1.5)
        async with (
            connect(rig.url(f"/strict?token={token}")) as client,
            connect(rig.url(f"/chat?token={token}")) as kept,
        ):
            with pytest.raises(ConnectionClosed):
                await asyncio.wait_for(client.recv(), PATIENCE_S)
            assert (client.close_code, client.close_reason) == (3005, "connection expired")
            assert time.time() >= msgspec.json.decode(part_of(token))["exp"]
            await kept.send("still here")
            assert await kept.recv() == "still here"


def revoke(rig, revocation: Revocation) -> None:
    rig.gateway.relays.relay_tokens.on_learned(rig.revocations.learn([revocation], time.time()).fresh)


def part_of(token: str) -> bytes:
    """Return the claims in `token`."""
    return base64.urlsafe_b64decode(token.split(".")[1] + "==")


async def test_a_route_that_asks_for_tokens_needs_a_key(start_rig):
    with pytest.raises(ConfigError, match="no key is set that could prove one"):
        await start_rig("ws://127.0.0.1:1", routes=ROUTES)
