"""A gateway with an engine: members come and go, tickets travel, moved clients find their node."""

import asyncio
import random
import time
from functools import partial
from urllib.parse import parse_qs, urlsplit

import pytest
from cluster_kit import KEYRING, Cluster, cluster, incarnation_of, node
from gateway_kit import answer_101, eventually, handshake, raw_backend, read_head, unused_port
from websockets.asyncio.client import connect as connect_patiently
from websockets.exceptions import ConnectionClosed

from ringway.core.membership import MemberLeft, MembershipEvent
from ringway.core.placement.keyed import Keyed
from ringway.engine.memory.engine import MemoryHub
from ringway.gateway.cluster.directory import Directory
from ringway.gateway.cluster.reporter import GatewayReporter
from ringway.member.feed import Feed
from ringway.protocol.report import Report
from ringway.types import Incarnation, Issuer, NodeName, NodeState, Role
from support.members import report_reader, report_writer

ME = incarnation_of("gw")

connect = partial(connect_patiently, close_timeout=0.1)
"""The nodes here answer no close frame."""


async def test_readiness_follows_the_cluster():
    async with cluster() as made:
        assert (await made.get("/readyz"))[0] == 503
        assert (await made.get("/gateway"))[0] == 503
        await made.join("n1", "ws://10.0.0.1:1/connection/websocket")
        assert (await made.get("/readyz"))[0] == 200
        made.hub.away = True
        away = {"status": "degraded", "nodes": 1, "problem": "the engine cannot be reached"}
        assert await made.get("/readyz") == (200, away)  # else all gateways would leave their balancer together
        assert (await made.get("/gateway"))[0] == 200
        made.hub.away = False
        assert await made.get("/readyz") == (200, {"status": "ready", "nodes": 1})
        await made.join("n1", "ws://10.0.0.1:1", state=NodeState.DRAINING, seq=5000)
        assert (await made.get("/readyz"))[0] == 503


async def test_the_gateway_reports_itself_and_the_places_it_holds():
    async with cluster() as made:
        await made.join("n1", "ws://10.0.0.1:1")
        await eventually(lambda: made.told)
        for _ in range(20):
            await made.get("/gateway")
        made.leading = True
        await eventually(lambda: made.told[-1].reserved == {"n1": 20})
        await eventually(lambda: made.told[-1].leading)
        last = made.told[-1]
        assert (last.name, last.incarnation, last.role) == ("gw", ME, Role.GATEWAY)
        assert last.url == made.url("/", "http")
        assert [said.seq for said in made.told] == sorted({said.seq for said in made.told})
        await made.join("n1", "ws://10.0.0.1:1", seq=5000, taken={Issuer(ME): 15})
        await eventually(lambda: made.told[-1].reserved == {"n1": 5})


async def test_a_proxied_client_carries_a_ticket_of_ours():
    async with cluster() as made, node() as (url, targets):
        await made.join("n1", url + "/connection/websocket")
        async with connect(made.url("/connection/websocket?a=1&ticket=forged&node=n7&key=k")):
            target = urlsplit(targets[0])
            assert target.path == "/connection/websocket"
            query = parse_qs(target.query)
            assert set(query) == {"a", "key", "ticket", "moves"}
            assert made.signer.check(query["ticket"][0], NodeName("n1"), time.time())[0] == ME
            assert made.directory.groups.nodes["n1"].own == 1


async def test_a_moved_client_goes_to_its_node_with_its_ticket():
    async with cluster() as made, node() as (one, at_one), node() as (two, at_two):
        await made.join("n1", one)
        await made.join("n2", two)
        for name, targets in (("n1", at_one), ("n2", at_two)):
            ticket = made.signer.issue(NodeName(name), Issuer("00000001"), name.encode() * 4, time.time())
            async with connect(made.url(f"/x?node={name}&ticket={ticket}")):
                assert targets[-1] == f"/x?ticket={ticket}&moves=1"
            status, body = await made.get(f"/gateway?node={name}&ticket={ticket}")
            assert (status, body["node"], body["ticket"]) == (200, name, ticket)
        assert made.directory.groups.nodes["n1"].own == made.directory.groups.nodes["n2"].own == 0


async def test_a_moved_client_whose_node_is_gone_is_placed_anew():
    async with cluster() as made, node() as (two, at_two):
        await made.join("n1", f"ws://127.0.0.1:{unused_port()}")
        await made.join("n2", two)
        ticket = made.signer.issue(NodeName("n1"), Issuer("00000001"), b"n1n1n1n1", time.time())
        async with connect(made.url(f"/x?node=n1&ticket={ticket}")):
            assert ticket not in at_two[-1]


async def test_a_refusal_gives_the_place_back():
    async with cluster() as made, node() as (url, _):
        await made.join("n1", url)
        with pytest.raises(Exception, match="403"):
            await connect(made.url("/refuse"))
        assert made.directory.groups.nodes["n1"].own == 0


async def table_is_whole(made: Cluster) -> None:
    """Return when the owners of keys are those of the nodes that are known now: the table is built in slices."""
    policy = made.steering.policy
    assert isinstance(policy, Keyed)
    await made.get("/gateway?key=any")  # a placement shows the policy its nodes
    await eventually(lambda: not policy.building)


async def test_keys_stay_on_their_node():
    async with cluster("ring:c=0") as made:
        for index in range(5):
            await made.join(f"n{index}", f"ws://10.0.0.{index}:1")
        await table_is_whole(made)
        owners = {key: (await made.get(f"/gateway?key={key}"))[1]["node"] for key in range(40)}
        assert len(set(owners.values())) > 1
        await made.join("n9", "ws://10.0.0.9:1")
        await table_is_whole(made)
        for key, owner in owners.items():
            assert (await made.get(f"/gateway?key={key}"))[1]["node"] in (owner, "n9")


@pytest.mark.parametrize("how", ["silent", "withdrawn", "replaced"])
async def test_relays_to_a_node_that_left_are_cut_with_1012(how):
    async with cluster(farewell_s=0.3) as made, node() as (url, _), node() as (other, _):
        await made.join("n1", url)
        client = await connect(made.url("/"))
        await made.join("n2", other)
        if how == "silent":
            made.fall_silent("n1")
        elif how == "withdrawn":
            await made.withdraw("n1")
        else:
            made.fall_silent("n1")
            again = Report(name=NodeName("n1"), incarnation=Incarnation("ffffffff"), role=Role.NODE, seq=1, url=url)
            await made.speaker.announce(again)
        with pytest.raises(ConnectionClosed) as caught:
            await asyncio.wait_for(client.recv(), 10)
        assert (caught.value.rcvd.code, caught.value.rcvd.reason) == (1012, "node lost")
        await eventually(lambda: made.gateway.stats.relays_open == 0)


async def test_clients_that_do_not_answer_a_goodbye_hold_nobody_up():
    async def serve(reader, writer):
        head = await read_head(reader)
        writer.write(answer_101(head))
        if b"/told" in head:
            writer.write(b"\x88\x02\x03\xe9")
            writer.write_eof()
        await reader.read()

    async with cluster(farewell_s=0.2) as made, raw_backend(serve) as url:
        await made.join("n1", url)
        told = [await made.dial() for _ in range(4)]
        for raw in told:
            await raw.send(handshake("/told"))
            assert (await raw.head())[0] == 101
        client = await connect(made.url("/other"))
        for raw in told:
            assert await raw.rest() == b"\x88\x02\x03\xe9"
        await made.withdraw("n1")
        with pytest.raises(ConnectionClosed) as caught:
            await asyncio.wait_for(client.recv(), 10)
        assert caught.value.rcvd.code == 1012
        await eventually(lambda: made.gateway.stats.relays_open == 0)


async def test_leaving_is_told():
    hub = MemoryHub()
    engine, other = hub.open(), hub.open()
    heard: list[MembershipEvent] = []
    await Feed(report_reader(KEYRING), listeners=[heard.append]).follow(other.registry)
    directory = Directory(Issuer(ME), report_reader(KEYRING))
    me = Report(name=NodeName("gw"), incarnation=ME, role=Role.GATEWAY, seq=0, url="http://x")
    reporter = GatewayReporter(directory, engine, me, report_writer(KEYRING, me.name, ME), random.Random(1))
    await reporter.start()
    await eventually(lambda: heard)
    await reporter.stop()
    await reporter.stop()
    await eventually(lambda: heard[-1] == MemberLeft(heard[-1].report, "withdrawn"))


async def test_two_gateways_share_places():
    async with cluster() as made:
        await made.join("n1", "ws://10.0.0.1:1")
        second = Directory(Issuer("0000beef"), report_reader(KEYRING))
        engine = made.hub.open()
        me = Report(name=NodeName("gw2"), incarnation=Incarnation("0000beef"), role=Role.GATEWAY, seq=0, url="http://y")
        reporter = GatewayReporter(
            second, engine, me, report_writer(KEYRING, me.name, me.incarnation), random.Random(2)
        )
        await reporter.start()
        for _ in range(30):
            await made.get("/gateway")
        await eventually(lambda: "n1" in second.groups.nodes and second.groups.nodes["n1"].others == 30)
        assert second.groups.nodes["n1"].load == 30
        await reporter.stop()
        await engine.close()
