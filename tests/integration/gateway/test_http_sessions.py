"""Sessions of plain HTTP at one gateway: their requests and WebSockets go to one backend (PROTOCOL.md P-3.16)."""

from contextlib import AsyncExitStack, asynccontextmanager
from http.cookies import SimpleCookie

import pytest
from gateway_kit import Raw, answer_101, eventually, handshake, raw_backend
from http_kit import Server, answer_of, idle, request

from ringway.gateway.sticky.sessions import COOKIE_NAME

BEGIN = {
    "socketio": request("/socket.io/?EIO=4&transport=polling"),
    "sockjs": request("/chat/000/s1/xhr", "POST"),
    "signalr": request("/hub/negotiate?negotiateVersion=1", "POST"),
    "mcp": request("/mcp", "POST", b"{}"),
}
GO_ON = {
    "socketio": lambda sid: request(f"/socket.io/?EIO=4&transport=polling&sid={sid}"),
    "sockjs": lambda sid: request(f"/chat/000/{sid}/xhr_send", "POST"),
    "signalr": lambda sid: request(f"/hub?id={sid}"),
    "mcp": lambda sid: request("/mcp", "POST", b"{}", f"Mcp-Session-Id: {sid}"),
}
GONE = {"socketio": 400, "sockjs": 404, "signalr": 404, "mcp": 404}


class Stateful:
    """A server that makes a session by each protocol, and names itself in every answer."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.server = Server(self._serve)
        self.opened: list[str] = []

    async def _serve(self, asked) -> None:
        if "sec-websocket-key" in asked.headers:
            self.opened.append(asked.target)
            asked.writer.write(answer_101(asked.head.encode()) + b"\x81\x01" + self.name.encode())
            await asked.reader.read()
            return
        await asked.read_body()
        sid = f"sid-{self.name}-{len(self.server.asked)}"
        name = f"X-Name: {self.name}"
        if "sid=" not in asked.target and "EIO" in asked.target:
            assert "accept-encoding" not in asked.headers
            await asked.answer(b'0{"sid":"%b","upgrades":["websocket"]}' % sid.encode(), "200 OK", name)
        elif "negotiate" in asked.target:
            await asked.answer(
                b'{"connectionId":"c%b","connectionToken":"%b"}' % (sid.encode(), sid.encode()), "200 OK", name
            )
        elif asked.target == "/mcp" and "mcp-session-id" not in asked.headers:
            await asked.answer(b"{}", "200 OK", name, f"Mcp-Session-Id: {sid}")
        else:
            await asked.answer(b"ok", "200 OK", name)


@asynccontextmanager
async def three(start_rig, kind: str, **settings):
    async with AsyncExitStack() as stack:
        servers = [Stateful(name) for name in "abc"]
        urls = [f"{await stack.enter_async_context(raw_backend(each.server.run))},name={each.name}" for each in servers]
        rig = await start_rig(*urls, routes=(f"path=/ http=true sticky={kind}",), **settings)
        yield rig, servers
        await rig.hang_up()


async def begin(client: Raw, kind: str, number: int) -> tuple[str, str]:
    """Begin a session; return its id and the name of its server."""
    sent = BEGIN[kind].replace(b"/s1/", b"/s%d/" % number).replace(b"Host", b"Accept-Encoding: gzip\r\nHost", 1)
    await client.send(sent)
    status, headers, body = await answer_of(client)
    assert status == 200
    sids = {
        "sockjs": f"s{number}", "mcp": headers.get("mcp-session-id", ""), "socketio": body.decode()[9:].split('"')[0],
        "signalr": body.decode().rpartition(':"')[2][:-2],
    }  # fmt: skip
    return sids[kind], headers["x-name"]


async def go_on(client: Raw, kind: str, sid: str) -> tuple[int, str, bytes]:
    await client.send(GO_ON[kind](sid))
    status, headers, body = await answer_of(client)
    return status, headers.get("x-name", ""), body


@pytest.mark.parametrize("kind", BEGIN)
async def test_requests_of_a_session_go_where_it_began_also_while_that_is_drained(start_rig, kind):
    async with three(start_rig, kind) as (rig, _):
        client = await rig.dial()
        sessions = [await begin(client, kind, number) for number in range(9)]
        assert {name for _, name in sessions} == {"a", "b", "c"}
        shares = {name: rig.held.holding.share_of(name) for name in "abc"}
        for sid, name in sessions * 2:
            assert (await go_on(client, kind, sid))[:2] == (200, name)
        for name, share in shares.items():
            assert share.counts().connected == sum(each == name for _, each in sessions)
            assert share.counts().open == share.counts().connected
        shares["a"].set_state(draining=True, within_s=0)
        await eventually(lambda: not rig.directory.groups.nodes["a"].eligible)
        for sid, name in sessions:
            assert (await go_on(client, kind, sid))[:2] == (200, name)
        assert {(await begin(client, kind, number))[1] for number in range(20, 26)} == {"b", "c"}
        shares["a"].set_state(draining=True, within_s=0.05)
        await eventually(lambda: shares["a"].counts().open == 0)
        for sid, name in sessions:
            status, _, body = await go_on(client, kind, sid)
            assert status == (GONE[kind] if name == "a" else 200)
            if kind == "socketio" and name == "a":
                assert body == b'{"code":1,"message":"Session ID unknown"}'
        assert rig.stats.sessions_lost[kind] == sum(name == "a" for _, name in sessions)
        await idle(rig)


@pytest.mark.parametrize("kind", BEGIN)
async def test_a_session_that_nobody_knows_or_whose_server_is_lost_is_told_so(start_rig, kind):
    async with three(start_rig, kind) as (rig, servers):
        client = await rig.dial()
        assert (await go_on(client, kind, "nobody"))[0] == GONE[kind]
        assert (await go_on(client, kind, "x" * 300))[0] == GONE[kind]
        assert not any(each.server.asked for each in servers)
        sid, name = await begin(client, kind, 1)
        node = rig.directory.groups.nodes[name]
        rig.held.offer([each for each in rig.backends if each.name != name])
        share = rig.held.holding.share_of(name)
        await eventually(lambda: rig.held.holding.share_of(name) is None or share.counts().connected == 1)
        rig.gateway.sessions.lose_at(node.incarnation)
        assert (await go_on(client, kind, sid))[0] == GONE[kind]
        if kind == "sockjs":  # also a request that could begin it
            await client.send(request(f"/chat/000/{sid}/xhr", "POST"))
            assert (await answer_of(client))[0] == 404


async def test_a_server_that_takes_no_connection_has_lost_its_sessions(start_rig):
    async with AsyncExitStack() as stack:
        server = Stateful("a")
        inner = AsyncExitStack()
        url = await inner.enter_async_context(raw_backend(server.server.run))
        stack.push_async_callback(inner.aclose)
        rig = await start_rig(url, routes=("path=/ http=true sticky=socketio",))
        client = await rig.dial()
        sid, _ = await begin(client, "socketio", 1)
        await inner.aclose()
        await eventually(lambda: rig.stats.backend_connections == 0)
        assert (await go_on(client, "socketio", sid))[0] == 400
        assert rig.stats.sessions_lost == {"socketio": 1}


async def test_the_websocket_of_a_session_opens_where_the_session_is(start_rig):
    async with three(start_rig, "socketio") as (rig, servers):
        by_name = {each.name: each for each in servers}
        client = await rig.dial()
        for number in range(6):
            sid, name = await begin(client, "socketio", number)
            up = await rig.dial()
            await up.send(handshake(f"/socket.io/?EIO=4&transport=websocket&sid={sid}"))
            assert (await up.head())[0] == 101
            assert await up.frame() == (0x81, name.encode())
            assert by_name[name].opened[-1].endswith(sid)
            share = rig.held.holding.share_of(name)
            assert share.counts().connected == len(by_name[name].opened)  # it counts once
        lost = await rig.dial()
        await lost.send(handshake("/socket.io/?EIO=4&transport=websocket&sid=nobody"))
        status, _, body = await answer_of(lost)
        assert (status, body) == (400, b'{"code":1,"message":"Session ID unknown"}')


async def test_a_client_ends_its_session(start_rig):
    async with three(start_rig, "mcp") as (rig, _):
        client = await rig.dial()
        sid, name = await begin(client, "mcp", 1)
        await client.send(request("/mcp", "DELETE", b"", f"Mcp-Session-Id: {sid}"))
        assert (await answer_of(client))[0] == 200
        assert rig.held.holding.share_of(name).counts().open == 0
        assert (await go_on(client, "mcp", sid))[0] == 404


async def test_a_cookie_names_no_server_cannot_be_made_up_and_leads_back(start_rig):
    async with three(start_rig, "cookie", trusted_proxies=("127.0.0.1",)) as (rig, _):
        seen = set()
        for _ in range(6):
            client = await rig.dial()
            await client.send(request("/", "GET", b"", "X-Forwarded-Proto: https"))
            _, headers, _ = await answer_of(client)
            name = headers["x-name"]
            morsel = SimpleCookie(headers["set-cookie"])[COOKIE_NAME]
            assert (morsel["httponly"], morsel["samesite"], morsel["secure"], morsel["path"]) == (
                True,
                "Lax",
                True,
                "/",
            )
            seen.add((name, morsel.value))
            for _ in range(4):
                await client.send(request("/", "GET", b"", f"Cookie: a=b; {COOKIE_NAME}={morsel.value}"))
                _, again, _ = await answer_of(client)
                assert (again["x-name"], "set-cookie" in again) == (name, False)
        assert len(seen) == 3
        for made_up in ("a", "x" * 20, next(iter(seen))[1][::-1]):
            await client.send(request("/", "GET", b"", f"Cookie: {COOKIE_NAME}={made_up}"))
            assert "set-cookie" in (await answer_of(client))[1]
        assert rig.stats.sessions_lost == {"cookie": 3}
