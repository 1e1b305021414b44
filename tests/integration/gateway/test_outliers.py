"""Nodes that refuse what other nodes open: the next node is tried, and repeated failures exclude a node (P-8.12)."""

import asyncio
import re
import time
from functools import partial

import pytest
from cluster_kit import Cluster, channel_node, cluster, incarnation_of
from gateway_kit import answer_101, eventually, raw_backend, read_head
from websockets.asyncio.client import connect as connect_patiently
from websockets.exceptions import InvalidStatus

from ringway.protocol.keyring import Keyring
from ringway.protocol.knock import KnockProver
from ringway.types import NodeName
from support.log_capture import capture_logs

PATH = "/connection/websocket"
QUICK = {"knock": True, "outlier_eject_s": 0.2, "outlier_eject_max_s": 0.4}

connect = partial(connect_patiently, close_timeout=0.1)


def ejected(made: Cluster, name: str) -> str:
    return made.directory.groups.nodes[name].ejected  # type: ignore[index]


def failures(made: Cluster) -> dict[str, int]:
    return dict(made.gateway.stats.node_failures)


async def both_in(made: Cluster) -> None:
    await eventually(lambda: len(made.directory.groups.eligible) == 2)


async def open_many(made: Cluster, count: int, path: str = PATH, **options: object) -> None:
    for _ in range(count):
        async with connect(made.url(path), **options):  # type: ignore[arg-type]
            pass


class Stubborn:
    """A node that answers knocks while it `proves`, and refuses tickets while it `refuses`."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.refuses = True
        self.proves = True
        self.opened = self.refused = self.knocked = 0
        self._prover = KnockProver(Keyring(b"secret"))

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await read_head(reader)
        asked = re.search(rb"(?i)ringway-knock: ([^\r]*)", head)
        if asked is not None:
            self.knocked += 1
            knock = self._prover.believe(asked[1].decode())
            assert knock is not None
            answer = self._prover.answer(knock, NodeName(self.name), incarnation_of(self.name))
            writer.write(answer_101(head, f"Ringway-Knock: {answer}") if self.proves else REFUSAL)
        elif self.refuses:
            self.refused += 1
            writer.write(REFUSAL)
        else:
            self.opened += 1
            writer.write(answer_101(head))
        await reader.read()


REFUSAL = (
    b'HTTP/1.1 403 Forbidden\r\nRingway-Refused: ticket\r\nContent-Length: 34\r\n\r\n{"error": "the ticket is forged!"}'
)


async def test_a_node_that_refuses_tickets_costs_no_client_and_is_taken_out_until_it_answers():
    bad = Stubborn("n2")
    with capture_logs() as events:
        async with (
            cluster("round-robin", **QUICK) as made,
            channel_node(made, "n1") as good,
            raw_backend(bad.serve) as url,
        ):
            await made.join("n2", url)
            await both_in(made)
            opened = 0
            async with asyncio.timeout(20):
                while not ejected(made, "n2"):
                    await open_many(made, 1)
                    opened += 1
            bad.proves = False
            assert failures(made) == {"n2": 5}
            assert (good.stats.accepted, bad.refused) == (opened, 5)
            assert "5 handshakes in a row failed there" in ejected(made, "n2")
            assert "the node refused with 403 (the ticket is forged!)" in ejected(made, "n2")
            assert {node.name for node in made.directory.groups.takers()} == {"n1"}
            await open_many(made, 3)
            assert bad.refused == 5
            # its time is over, and it cannot prove itself
            await eventually(lambda: "refuses the knock" in made.directory.groups.nodes["n2"].doubt)
            bad.proves, bad.refuses = True, False
            await eventually(lambda: not made.directory.groups.nodes["n2"].barred, 20.0)
            await eventually(lambda: any("is back" in str(event) for event in events))
            await open_many(made, 4)
            assert bad.opened == 2
    lines = [event for event in events if "a node is taken out" in str(event)]
    assert len(lines) == 1
    assert (lines[0]["node"], lines[0]["failures"]) == ("n2", 5)


async def test_a_node_whose_clock_jumps_back_costs_no_client():
    ahead_s = 0.0
    async with (
        cluster("round-robin", **{**QUICK, "outlier_eject_s": 30.0}) as made,
        channel_node(made, "n1") as good,
        channel_node(made, "n2", wall=lambda: time.time() + ahead_s) as bad,
    ):
        await both_in(made)
        ahead_s = -100.0  # tickets are from the future there, until the new skew is measured
        opened = 0
        async with asyncio.timeout(20):
            while not ejected(made, "n2") and not made.directory.groups.nodes["n2"].clock:
                await open_many(made, 1)
                opened += 1
        assert good.stats.accepted == opened
        assert bad.stats.accepted == 0
        assert "the ticket is from the future" in made.directory.groups.nodes["n2"].barred or bad.stats.refused[403] < 5


async def test_the_mistakes_of_clients_are_told_to_them_and_blamed_on_no_node():
    async with (
        cluster("round-robin", **QUICK) as made,
        channel_node(made, "n1") as one,
        channel_node(made, "n2") as two,
    ):
        await both_in(made)
        for _ in range(12):
            with pytest.raises(InvalidStatus, match="404"):
                await connect(made.url("/elsewhere"))
            with pytest.raises(InvalidStatus, match="403"):
                await connect(made.url(PATH), origin="https://evil.example")
        refused = one.stats.refused + two.stats.refused
        assert refused == {404: 12, 403: 12}  # each was asked of one node
        assert failures(made) == {}
        assert not made.gateway.stats.retries


async def test_a_path_that_another_node_reports_is_asked_there():
    async with (
        cluster("round-robin", **QUICK) as made,
        channel_node(made, "n1", path="/other") as other,
        channel_node(made, "n2") as right,
    ):
        await both_in(made)
        await open_many(made, 8)
        assert right.stats.accepted == 8
        assert other.stats.refused == {404: 4}
        assert failures(made) == {"n1": 4}


async def test_a_fault_of_the_gateway_takes_no_node_out():
    async with cluster("round-robin", **QUICK) as made, channel_node(made, "n1"), channel_node(made, "n2"):
        await both_in(made)
        made.signer.keyring.replace(b"only here")
        for _ in range(12):
            with pytest.raises(InvalidStatus, match="403"):
                await connect(made.url(PATH))
        assert failures(made) == {}
        assert not ejected(made, "n1")
        assert not ejected(made, "n2")


async def test_a_foreign_server_that_took_a_port_over_is_left_out():
    async def page(reader, writer):
        await read_head(reader)
        writer.write(b"HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\nhi")
        await writer.drain()

    async with cluster("round-robin", outlier_failures=3) as made, raw_backend(page) as url, channel_node(made, "n1"):
        await made.join("n2", url)
        await both_in(made)
        async with asyncio.timeout(20):
            while not ejected(made, "n2"):
                await open_many(made, 1)
        assert failures(made) == {"n2": 3}


async def test_a_single_node_stays_whatever_it_says_and_a_full_node_has_not_failed():
    async def full(reader, writer):
        await read_head(reader)
        writer.write(b"HTTP/1.1 503 Full\r\nContent-Length: 0\r\n\r\n")
        await writer.drain()

    async def good(reader, writer):
        writer.write(answer_101(await read_head(reader)))
        await reader.read()

    async with cluster("round-robin", outlier_failures=1) as made, raw_backend(full) as at_full:
        await made.join("n1", at_full)
        with pytest.raises(InvalidStatus, match="503"):
            await connect(made.url(PATH))
        async with raw_backend(good) as at_good:
            await made.join("n2", at_good)
            await open_many(made, 6)
            assert failures(made) == {}
