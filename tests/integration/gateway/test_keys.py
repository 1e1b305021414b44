"""Clients that belong together meet on one node: by any part of the request, by proxy and by `GET /gateway`."""

from contextlib import AsyncExitStack
from urllib.parse import parse_qs, urlsplit

import pytest
from cluster_kit import Cluster, channel_node, cluster, node
from gateway_kit import answer_101, handshake, masked, raw_backend, read_head

from ringway.protocol.owners import Owners

NODES = 4

ROOM = {
    "query.room": ("/?room={}", {}),
    "header.x-room": ("/", {"X_Room": "{}"}),
    "cookie.room": ("/", {"Cookie": "a=b; room={}"}),
    "path": ("/rooms/{}", {}),
    "{path}|{cookie.room}": ("/rooms", {"Cookie": "room={}"}),
}
"""How a client says its room, by what the key is."""


class Nodes:
    """Some nodes of a cluster, by name, and the requests to each."""

    def __init__(self) -> None:
        self.asked: dict[str, list[str]] = {}

    async def join(self, stack: AsyncExitStack, *clusters: Cluster) -> None:
        for index in range(NODES):
            url, targets = await stack.enter_async_context(node())
            self.asked[f"n{index}"] = targets
            for made in clusters:
                await made.join(f"n{index}", url)

    def count(self) -> dict[str, int]:
        return {name: len(targets) for name, targets in self.asked.items()}


async def proxied(made: Cluster, nodes: Nodes, target: str, **headers: str) -> tuple[str, str]:
    """Open a WebSocket through the gateway; return its node, and the key in the request to it."""
    before = nodes.count()
    raw = await made.dial()
    await raw.send(handshake(target, **headers))
    assert (await raw.head())[0] == 101
    name = next(name for name, count in nodes.count().items() if count > before[name])
    return name, "".join(parse_qs(urlsplit(nodes.asked[name][-1]).query).get("key", [""]))


async def told(made: Cluster, target: str, **headers: str) -> tuple[str, str]:
    """Ask the gateway for a node for `target`; return the node, and the key in its URL."""
    path, _, query = target.partition("?")
    asked = f"/gateway?path={path}&{query}"
    status, body = await made.get(asked, *(f"{name.replace('_', '-')}: {value}" for name, value in headers.items()))
    assert status == 200
    return body["node"], "".join(parse_qs(urlsplit(body["url"]).query).get("key", [""]))


@pytest.mark.parametrize("key", ROOM)
async def test_a_room_meets_on_one_node_by_both_ways_and_all_gateways(key: str) -> None:
    target, headers = ROOM[key]
    policy = f"rendezvous:key={key},c=0"
    nodes = Nodes()
    async with AsyncExitStack() as stack:
        one = await stack.enter_async_context(cluster(policy))
        two = await stack.enter_async_context(cluster(policy, name="gw2", hub=one.hub))
        await nodes.join(stack, one, two)
        where = set()
        for room in range(8):
            said = {name: value.format(room) for name, value in headers.items()}
            first = await proxied(one, nodes, target.format(room), **said)
            assert len(bytes.fromhex(first[1])) == 8
            assert await proxied(two, nodes, target.format(room), **said) == first
            for made in (one, two):
                assert await told(made, target.format(room), **said) == first
            where.add(first[0])
        assert len(where) > 1


async def test_a_client_without_the_part_has_no_key() -> None:
    nodes = Nodes()
    async with AsyncExitStack() as stack:
        made = await stack.enter_async_context(cluster("rendezvous:key=cookie.room,c=0"))
        await nodes.join(stack, made)
        found = {await proxied(made, nodes, f"/?key={index}") for index in range(24)}
        assert {key for _, key in found} == {""}
        assert len(found) > 1


async def test_addresses_count_only_from_trusted_proxies() -> None:
    nodes = Nodes()
    async with AsyncExitStack() as stack:
        policy = "rendezvous:key=ip,c=0"
        open_ = await stack.enter_async_context(cluster(policy))
        behind = await stack.enter_async_context(
            cluster(policy, name="gw2", hub=open_.hub, trusted_proxies=("127.0.0.0/8",))
        )
        await nodes.join(stack, open_, behind)
        honest = await proxied(open_, nodes, "/")
        clients = [f"198.51.100.{index}" for index in range(12)]
        forged = [await proxied(open_, nodes, "/", X_Forwarded_For=client) for client in clients]
        assert set(forged) == {honest}
        believed = [await proxied(behind, nodes, "/", X_Forwarded_For=client) for client in clients]
        assert len(set(believed)) == len(clients)
        assert len({name for name, _ in believed}) > 1
        for client, placed in zip(clients, believed, strict=True):
            assert await told(behind, "/", X_Forwarded_For=client) == placed


async def test_a_moved_client_keeps_its_derived_key() -> None:
    nodes = Nodes()
    async with AsyncExitStack() as stack:
        made = await stack.enter_async_context(cluster("rendezvous:key=query.room,c=0"))
        await nodes.join(stack, made)
        name, key = await proxied(made, nodes, "/?room=7")
        target = next(other for other in nodes.asked if other != name)
        ticket = made.ticket(target)
        assert await proxied(made, nodes, f"/?room=7&node={target}&ticket={ticket}") == (target, key)
        assert await told(made, f"/?room=7&node={target}&ticket={ticket}") == (target, key)


async def test_nodes_agree_with_the_policy_on_whose_a_key_is() -> None:
    async with AsyncExitStack() as stack:
        made = await stack.enter_async_context(cluster("rendezvous:key=cookie.room,c=0"))
        running = [await stack.enter_async_context(channel_node(made, f"n{index}")) for index in range(NODES)]
        for room in range(40):
            raw = await made.dial()
            await raw.send(handshake("/connection/websocket?key=forged", Cookie=f"room={room}"))
            assert (await raw.head())[0] == 101
            await raw.send(masked(0x81, b'{"id":1,"connect":{}}'))
            await raw.frame()
        assert sum(one.connections for one in running) == 40
        owners = Owners(table="rendezvous", weights={one.name: 1.0 for one in running})
        fewer = Owners(table="rendezvous", weights={one.name: 1.0 for one in running[1:]})
        for one in running:
            assert await made.count(one.name, owners) == {}
        moved = await made.count(running[0].name, fewer)
        assert sum(moved.values()) == running[0].connections > 0


async def test_static_backends_get_the_request_as_it_came(start_rig) -> None:
    asked: dict[str, list[str]] = {"a": [], "b": [], "c": []}

    def backend(name: str):
        async def serve(reader, writer):
            head = await read_head(reader)
            asked[name].append(head.split(b" ")[1].decode())
            writer.write(answer_101(head))
            await reader.read()

        return raw_backend(serve)

    async with AsyncExitStack() as stack:
        urls = [f"{await stack.enter_async_context(backend(name))},name={name}" for name in asked]
        rig = await start_rig(*urls, policy="rendezvous:key={path},c=0")
        for path in ("/rooms/1?key=x", "/rooms/2?a=%20", "/rooms/3") * 3:
            raw = await rig.dial()
            await raw.send(handshake(path))
            assert (await raw.head())[0] == 101
        for targets in asked.values():
            assert all(targets.count(target) == 3 for target in targets)
        assert {target for targets in asked.values() for target in targets} == {
            "/rooms/1?key=x", "/rooms/2?a=%20", "/rooms/3",
        }  # fmt: skip
