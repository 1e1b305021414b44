"""A user who is cut off while its connect command waits for the hook."""

import cent
import pytest

from integration.hooks.conftest import Dial, StartNode
from integration.hooks.kit import settings
from integration.node.kit import eventually
from integration.server_api.kit import KEY, serving
from support.hook_server import HookServer


@pytest.mark.parametrize(
    ("call", "user", "is_closed"),
    [
        (cent.DisconnectRequest(user="carol"), "carol", True),
        (cent.InvalidateUserTokensRequest(user="carol"), "carol", True),
        (cent.DisconnectRequest(user="dave"), "carol", False),
    ],
    ids=["disconnected", "invalidated", "another is disconnected"],
)
@pytest.mark.parametrize("names", [[], ["news"]], ids=["alone", "with a channel"])
async def test_who_is_cut_off_while_the_hook_is_asked_is_not_connected(
    start_node: StartNode,
    dial: Dial,
    backend: HookServer,
    call: object,
    user: str,
    is_closed: bool,
    names: list[str],
) -> None:
    node = await start_node(**settings(backend, connect_hook="app"))
    backend.answer = {"result": {"user": user, "channels": names}}
    backend.hang()
    async with serving(node) as server:
        api = cent.AsyncClient(f"{server.url}/api", KEY)
        peer = await dial(node)
        peer.send({"id": 1, "connect": {}})
        await eventually(lambda: bool(backend.requests))
        if isinstance(call, cent.DisconnectRequest):
            await api.disconnect(call)
        else:
            await api.invalidate_user_tokens(call)
        backend.go_on()
        if is_closed:
            assert (await peer.closed())[0] in (3500, 3503)
        else:
            await peer.reply(1)
        await api.close()
    assert node.clients.registry.count_of_user(user) == (not is_closed)
