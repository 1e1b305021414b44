"""Knocks before trust: a gateway sends clients to nodes that have proved at their URLs who they are (P-8.11)."""

import asyncio
import random
import ssl
from pathlib import Path

import pytest
from cluster_kit import Cluster, channel_node, cluster, incarnation_of
from gateway_kit import answer_101, eventually, raw_backend, read_head, unused_port
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from ringway.core.knock import KNOCKS_MAX
from ringway.gateway.cluster.doubt_notices import DoubtNotices
from ringway.node.server import ChannelNode
from ringway.protocol.group import CHANNELS
from ringway.protocol.keyring import Keyring
from ringway.protocol.knock import KnockProver
from ringway.types import NodeName
from support.log_capture import capture_logs
from support.sealed import sealed_bus

CERTIFICATE = Path(__file__).parents[1] / "client" / "localhost.pem"
PATH = "/connection/websocket"


def eligible(made: Cluster) -> list[str]:
    return [node.name for node in made.directory.groups.eligible]


def doubt(made: Cluster, name: str) -> str:
    return made.directory.groups.nodes[name].doubt  # type: ignore[index]


def placed(made: Cluster, name: str) -> int:
    return made.gateway.stats.placements[name]  # type: ignore[index]


async def doubted(made: Cluster, name: str, part: str) -> None:
    """Wait until the gateway says `part` of why it sends nobody to the node `name`."""
    await eventually(lambda: name in made.directory.groups.nodes and part in doubt(made, name))


async def ask_many(made: Cluster, count: int = 40) -> set[str]:
    """Ask where to connect; return the nodes that were named, alternates included."""
    named: set[str] = set()
    for _ in range(count):
        status, answer = await made.get("/gateway")
        assert status == 200
        named |= {answer["node"], *(other["node"] for other in answer["alternates"])}
    return named


def untouched(node: ChannelNode) -> bool:
    """True if a node has counted only knocks."""
    stats = node.stats
    return not (stats.accepted or stats.refused or stats.connections or node.connections or node.tickets.taken)


async def test_a_node_is_let_in_when_it_has_answered_and_the_knock_is_no_client():
    async with cluster(knock=True) as made, channel_node(made, "n1") as node:
        await eventually(lambda: eligible(made) == ["n1"])
        assert node.stats.knocks == {"answered": 1}
        assert made.gateway.stats.knocks == {"answered": 1}
        assert untouched(node)
        await asyncio.sleep(0.5)  # reports go on, and nothing is asked again
        assert node.stats.knocks == {"answered": 1}
        async with connect(made.url(PATH)) as client:
            await eventually(lambda: node.stats.accepted == 1)
            await client.close()


async def test_a_node_with_another_secret_gets_no_client_and_everybody_is_told_why():
    with capture_logs() as events:
        async with (
            cluster(knock=True) as made,
            channel_node(made, "n1"),
            channel_node(made, "n2", Keyring(b"other")) as wrong,
        ):
            await made.join("n2", wrong.url)  # its own reports are not believed
            await doubted(made, "n2", "refuses the knock with 403")
            await eventually(lambda: eligible(made) == ["n1"])
            assert await ask_many(made) == {"n1"}
            await eventually(lambda: made.gateway.stats.knocks["refused"] >= 2)
            said = made.directory.groups.nodes["n2"]
            assert not said.eligible
            assert wrong.stats.knocks["unproven"] >= 2
            assert not wrong.stats.accepted
    lines = [event for event in events if "no client is sent" in str(event)]
    assert len(lines) == 1
    assert lines[0]["node"] == "n2"
    assert "give all members the same secret" in str(lines[0])


async def test_a_node_with_a_wrong_url_is_told_by_its_gateways_and_says_so_until_it_is_reached():
    with capture_logs() as events:
        async with cluster(knock=True) as made, channel_node(made, "n1", url="ws://127.0.0.1:1/elsewhere") as node:
            await doubted(made, "n1", "cannot be reached")
            assert node.reach_problem() == ""
            bus = sealed_bus(made.others, Keyring(b"secret"))
            notices = DoubtNotices(made.name, made.directory.groups, bus, random.Random(1))
            await notices.tell()
            await notices.tell()
            assert node.reach_problem().startswith(
                "no gateway could open this node, so it gets no clients there: its URL ws://127.0.0.1:1/elsewhere "
            )
            assert "correct the node's --url" in node.reach_problem()
            assert not node.stats.refused
    told = [event for event in events if "a gateway could not open this node" in event["event"]]
    assert [event["gateway"] for event in told] == ["gw"]


async def test_two_nodes_at_one_url_a_foreign_server_a_wrong_path_and_a_dead_port():
    async def foreign(reader, writer):
        writer.write(answer_101(await read_head(reader)))
        await reader.read()
        writer.close()

    async def page(reader, writer):
        await read_head(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi")
        await reader.read()
        writer.close()

    async with (
        cluster(knock=True) as made,
        channel_node(made, "n1") as node,
        raw_backend(foreign) as at_foreign,
        raw_backend(page) as at_page,
    ):
        await made.join("n2", node.url)
        await made.join("n3", at_foreign)
        await made.join("n4", at_page)
        await made.join("n5", node.url.replace(PATH, "/elsewhere"))
        await made.join("n6", f"ws://127.0.0.1:{unused_port()}{PATH}")
        await made.join("n7", "http://not-a-websocket")
        await doubted(made, "n2", "answers as another node, n1; give each node its own --url")
        await doubted(made, "n3", "opens a WebSocket without a proof")
        await doubted(made, "n4", "refuses the knock with 200")
        await doubted(made, "n5", "with 404 (there is nothing here; the WebSocket is at /connection/websocket)")
        await doubted(made, "n6", "cannot be reached (the node does not accept connections)")
        await doubted(made, "n7", "does not open a WebSocket")
        assert eligible(made) == ["n1"]
        assert await ask_many(made, 10) == {"n1"}
        assert node.connections == 0


async def test_a_restarted_node_is_knocked_anew_and_an_old_process_at_its_url_is_seen():
    async with cluster(knock=True) as made, channel_node(made, "n1") as node:
        await eventually(lambda: eligible(made) == ["n1"])
        await made.join("other", node.url)
        await doubted(made, "other", "another node")
    async with cluster(knock=True) as made:
        async with channel_node(made, "n1", incarnation="0000000a") as first:
            await eventually(lambda: eligible(made) == ["n1"])
            port = first.port
        async with channel_node(made, "n1", incarnation="0000000b", port=port) as second:
            await eventually(lambda: eligible(made) == ["n1"])
            assert second.stats.knocks == {"answered": 1}


async def test_a_node_that_was_out_of_reach_is_let_in_when_it_is_there():
    port = unused_port()
    url = f"ws://127.0.0.1:{port}{PATH}"
    async with cluster(knock=True) as made:
        await made.join("n1", url)
        await doubted(made, "n1", "cannot be reached")
        status, answer = await made.get("/readyz")
        assert status == 503
        assert "1 nodes have not answered the gateway's knock" in answer["error"]
        assert url not in str(answer)
        other = made.hub.open()
        async with channel_node(made, "n1", port=port):
            await eventually(lambda: eligible(made) == ["n1"], 20.0)
        await other.close()


async def test_a_proxy_that_takes_headers_out_is_named_and_the_node_keeps_no_client():
    async with cluster(knock=True) as made, channel_node(made, "n1") as node:

        async def strip(reader, writer):
            """Forward without the headers of ours, in both directions."""
            head = await read_head(reader)
            lines = [line for line in head.split(b"\r\n") if not line.lower().startswith(b"ringway-")]
            there, to_node = await asyncio.open_connection("127.0.0.1", node.port)
            to_node.write(b"\r\n".join(lines))
            writer.write(await there.readuntil(b"\r\n\r\n"))

            await asyncio.gather(carry(reader, to_node), carry(there, writer))

        async with raw_backend(strip) as url:
            await made.join("n2", url.rstrip("/") + PATH)
            await doubted(made, "n2", "a proxy on the way takes the header Ringway-Knock out")
            await eventually(lambda: not len(node.clients.registry))


async def test_a_node_that_has_no_room_for_clients_answers_knocks():
    async with (
        cluster(knock=True) as made,
        channel_node(made, "n1", connections_max=1, address_share=1.0) as node,
        connect(node.url),
    ):
        with pytest.raises(InvalidStatus, match="503"):
            await connect(node.url)
        late = Cluster("two-choices", "late", made.hub, knock=True)
        await late.start()
        try:
            await eventually(lambda: late.gateway.stats.knocks["answered"] == 1)
            await eventually(lambda: eligible(late) == ["n1"])
        finally:
            await late.stop()


async def test_a_knock_goes_over_tls_to_a_proxy_in_front_of_the_node(monkeypatch):
    monkeypatch.setenv("SSL_CERT_FILE", str(CERTIFICATE))
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(CERTIFICATE)
    async with cluster(knock=True) as made, channel_node(made, "n1") as node:

        async def carry_both(reader, writer):
            there, to_node = await asyncio.open_connection("127.0.0.1", node.port)
            await asyncio.gather(carry(reader, to_node), carry(there, writer))

        proxy = await asyncio.start_server(carry_both, "localhost", 0, ssl=tls)
        port = proxy.sockets[0].getsockname()[1]
        await made.join("n2", f"wss://localhost:{port}{PATH}")
        await doubted(made, "n2", "answers as another node, n1")  # so it was opened and read
        proxy.close()


async def carry(source, sink):
    while data := await source.read(4096):
        sink.write(data)
    sink.close()


async def test_strangers_who_knock_gain_nothing():
    async with cluster(knock=True) as made, channel_node(made, "n1") as node:
        await eventually(lambda: eligible(made) == ["n1"])
        value = KnockProver(Keyring(b"a guess")).ask(bytes(16))
        with pytest.raises(InvalidStatus) as refused:
            await connect(node.url, additional_headers={"Ringway-Knock": value})
        assert refused.value.response.status_code == 403
        assert "ringway-knock" not in {name.lower() for name in refused.value.response.headers}
        assert node.stats.knocks["unproven"] == 1
        # through a gateway it is not even carried to the node: its client is a client
        async with connect(made.url(PATH), additional_headers={"Ringway-Knock": value}):
            await eventually(lambda: node.stats.accepted == 1)
        assert node.stats.knocks["unproven"] == 1


async def test_a_knock_that_is_replayed_is_answered_and_closed_and_makes_no_client():
    async with cluster() as made, channel_node(made, "n1") as node:
        asked = KnockProver(Keyring(b"secret")).ask(bytes(16))

        for _ in range(3):
            client = await connect(node.url, additional_headers={"Ringway-Knock": asked})
            await client.wait_closed()
            assert client.close_code == 1000
        assert node.stats.knocks == {"answered": 3}
        assert untouched(node)
        assert not len(node.clients.registry)


async def test_a_gateway_that_begins_with_many_nodes_knocks_at_few_at_once_and_does_not_stall():
    under_way = most = 0

    async def serve(reader, writer):
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        head = await read_head(reader)
        lines = head.decode().split("\r\n")
        asked = next(line.split(": ", 1)[1] for line in lines if line.lower().startswith("ringway-knock"))
        name = lines[0].split(" ")[1][1:]
        prover = KnockProver(Keyring(b"secret"))
        knock = prover.believe(asked)
        assert knock is not None
        under_way -= 1
        writer.write(answer_101(head, f"Ringway-Knock: {prover.answer(knock, NodeName(name), incarnation_of(name))}"))
        await reader.read()
        writer.close()

    count = 300
    async with cluster(knock=True) as made, raw_backend(serve) as url:
        for index in range(count):
            await made.announce(f"n{index}", f"{url.rstrip('/')}/n{index}")
        await eventually(lambda: len(eligible(made)) == count, 30.0)
        assert (
            made.directory.groups[CHANNELS].view.version < count / 2
        )  # tables are made a few times, and not for each node
        assert most <= KNOCKS_MAX
