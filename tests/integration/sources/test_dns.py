"""Names in DNS as sources of backends, asked at a real name server: what is offered, kept, drained and told."""

import asyncio
import random
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from ringway.net.dns import NameServers
from ringway.sources.dns import DnsSource
from ringway.sources.dns_round import RETRY_S, DnsRound
from ringway.sources.dns_spec import read_dns_spec
from support.backend_sink import RecordingSink, running
from support.dns_server import SILENT, NameServer, serving_names
from support.log_capture import capture_logs

CHAT = "dns+ws://chat.test:9000"
SERVICE = "dns+srv+ws://_ws._tcp.chat.test"


@pytest.fixture
async def server() -> AsyncIterator[NameServer]:
    async with serving_names() as names:
        yield names


@pytest.fixture
def logs() -> Iterator[list[dict[str, Any]]]:
    with capture_logs() as events:
        yield events


@asynccontextmanager
async def following(
    spec: str, server: NameServer, sink: RecordingSink, deadline_s: float = 5.0
) -> AsyncIterator[DnsSource]:
    read = read_dns_spec(f"{spec},{server.spec}")
    source = DnsSource(read, sink, random.Random(1), NameServers(read.nameservers, deadline_s))
    async with running(source):
        await source.asked.wait()
        yield source


async def asked_again(server: NameServer, name: str, times: int = 2) -> None:
    """Wait until the server was asked for both kinds of addresses of `name` a few times more, and no round is begun."""
    count = server.asked[name, "A"] + times
    async with asyncio.timeout(30):
        while min(server.asked[name, "A"], server.asked[name, "AAAA"]) < count:
            await asyncio.sleep(0.02)


async def test_each_address_of_a_name_is_a_backend_and_one_that_is_gone_is_not_offered_any_more(
    server: NameServer,
) -> None:
    server.records = {("chat.test", "A"): ["10.0.0.1", "10.0.0.2"], ("chat.test", "AAAA"): ["fd00::1"]}
    sink = RecordingSink()
    async with following(CHAT + "/app,check=/healthz,weight=2", server, sink):
        assert sink.urls == {"ws://10.0.0.1:9000/app", "ws://10.0.0.2:9000/app", "ws://[fd00::1]:9000/app"}
        assert sink.names == {"chat.test-10.0.0.1-9000", "chat.test-10.0.0.2-9000", "chat.test-fd00--1-9000"}
        server.records["chat.test", "A"] = ["10.0.0.3", "10.0.0.2"]
        await sink.until(lambda: "ws://10.0.0.3:9000/app" in sink.urls)
        assert sink.urls == {"ws://10.0.0.3:9000/app", "ws://10.0.0.2:9000/app", "ws://[fd00::1]:9000/app"}
    assert sink.said == []


@pytest.mark.parametrize("ip", ["0.0.0.0", "224.0.0.1"])
async def test_an_answer_that_is_no_servers_address_is_passed_over_and_told(server: NameServer, ip: str) -> None:
    server.records = {("chat.test", "A"): ["10.0.0.1"]}
    sink = RecordingSink()
    async with following(CHAT, server, sink):
        server.records["chat.test", "A"] = [ip]
        await sink.until(lambda: sink.said)
        assert f"chat.test was answered with {ip}, which is no server's address" in str(sink.said)
        assert sink.urls == {"ws://10.0.0.1:9000"}


async def test_the_order_of_addresses_does_not_matter(server: NameServer) -> None:
    server.records = {("chat.test", "A"): ["10.0.0.1", "10.0.0.2"]}
    sink = RecordingSink()
    async with following(CHAT, server, sink):
        server.records["chat.test", "A"].reverse()
        await asked_again(server, "chat.test")
    assert sink.updates == 1


@pytest.mark.parametrize("how", ["SERVFAIL", "REFUSED", "NXDOMAIN", "NOERROR", SILENT])
async def test_answers_that_fail_keep_the_last_good_set_and_are_told_once(
    server: NameServer, logs: list[dict[str, Any]], how: str
) -> None:
    server.records = {("chat.test", "A"): ["10.0.0.1"], ("chat.test", "AAAA"): []}
    sink = RecordingSink()
    async with following(CHAT, server, sink, deadline_s=0.5) as source:
        server.fail(how, "chat.test")
        await sink.until(lambda: source.name in sink.problems)
        says = {"NOERROR": "no addresses", SILENT: "within 0.5 s"}.get(how, how)
        assert says in sink.problems[source.name]
        assert "chat.test" in sink.problems[source.name]
        await asked_again(server, "chat.test", 1)
        server.failing = {}
        server.records["chat.test", "A"] = ["10.0.0.2"]
        await sink.until(lambda: not sink.problems)
        await sink.until(lambda: sink.urls == {"ws://10.0.0.2:9000"})
    assert sink.updates == 2
    assert len(sink.said) == 2
    assert [log["log_level"] for log in logs] == ["error", "info"]


async def test_a_family_that_fails_keeps_its_own_addresses(server: NameServer) -> None:
    server.records = {("chat.test", "A"): ["10.0.0.1"], ("chat.test", "AAAA"): ["fd00::1"]}
    sink = RecordingSink()
    async with following(CHAT, server, sink):
        server.failing = {("chat.test", "AAAA"): "SERVFAIL"}
        server.records["chat.test", "A"] = ["10.0.0.2"]
        await sink.until(lambda: sink.urls == {"ws://10.0.0.2:9000", "ws://[fd00::1]:9000"})
        assert "IPv6 addresses of chat.test" in "".join(sink.problems.values())


async def test_a_name_that_nobody_answers_at_the_start_comes_later(server: NameServer) -> None:
    server.records = {("chat.test", "A"): ["10.0.0.1"]}
    server.fail(SILENT, "chat.test")
    sink = RecordingSink()
    async with following(CHAT, server, sink, deadline_s=0.5):
        assert sink.names == set()
        await sink.until(lambda: bool(sink.problems))
        server.failing = {}
        await sink.until(lambda: sink.urls == {"ws://10.0.0.1:9000"})
        assert sink.problems == {}


async def test_services_of_the_lowest_priority_with_ports_and_weights(server: NameServer) -> None:
    server.records = {
        ("_ws._tcp.chat.test", "SRV"): [
            "10 1 9001 a.test.", "10 3 9002 a.test.", "10 2 9001 b.test.", "20 9 9001 spare.test.",
        ],
        ("a.test", "A"): ["10.0.0.1"],
        ("b.test", "A"): ["10.0.0.2", "10.0.0.3"],
        ("spare.test", "A"): ["10.0.0.9"],
    }  # fmt: skip
    sink = RecordingSink()
    async with following(SERVICE + "/app", server, sink) as source:
        offers = sink.offers[source.name]
        assert {(offer.backend.name, offer.backend.url, offer.backend.weight) for offer in offers.values()} == {
            ("a.test-10.0.0.1-9001", "ws://10.0.0.1:9001/app", 1.0),
            ("a.test-10.0.0.1-9002", "ws://10.0.0.1:9002/app", 3.0),
            ("b.test-10.0.0.2-9001", "ws://10.0.0.2:9001/app", 2.0),
            ("b.test-10.0.0.3-9001", "ws://10.0.0.3:9001/app", 2.0),
        }
        assert ("spare.test", "A") not in server.asked
        server.records["_ws._tcp.chat.test", "SRV"] = ["20 9 9001 spare.test."]
        await sink.until(lambda: sink.urls == {"ws://10.0.0.9:9001/app"})
        server.records["_ws._tcp.chat.test", "SRV"] = ["0 0 0 ."]
        await sink.until(lambda: "no SRV records that can be used" in sink.problems.get(source.name, ""))
        assert sink.urls == {"ws://10.0.0.9:9001/app"}


async def test_a_target_that_fails_keeps_its_addresses(server: NameServer) -> None:
    server.records = {
        ("_ws._tcp.chat.test", "SRV"): ["0 1 9000 a.test.", "0 1 9000 b.test."],
        ("a.test", "A"): ["10.0.0.1"],
        ("b.test", "A"): ["10.0.0.2"],
    }
    sink = RecordingSink()
    async with following(SERVICE, server, sink):
        server.fail("SERVFAIL", "b.test")
        server.records["a.test", "A"] = ["10.0.0.3"]
        await sink.until(lambda: sink.urls == {"ws://10.0.0.3:9000", "ws://10.0.0.2:9000"})


async def test_a_target_that_is_no_host_is_passed_over_and_told(server: NameServer) -> None:
    server.records = {
        ("_ws._tcp.chat.test", "SRV"): ["0 1 9000 a.test.", "0 1 9000 b\\013\\010X\\032y.test."],
        ("a.test", "A"): ["10.0.0.1"],
        ("b\\013\\010X\\032y.test", "A"): ["10.0.0.2"],
    }
    sink = RecordingSink()
    async with following(SERVICE + ",check=/healthz", server, sink) as source:
        assert sink.urls == {"ws://10.0.0.1:9000"}
        assert "must be a host" in sink.problems[source.name]


async def test_long_answers_come_over_tcp(server: NameServer) -> None:
    server.records = {("chat.test", "A"): [f"10.0.{n // 250}.{n % 250 + 1}" for n in range(1000)]}
    sink = RecordingSink()
    async with following(CHAT, server, sink):
        assert len(sink.names) == 1000
    assert server.over_tcp


@pytest.mark.parametrize(("ttl_s", "age_s"), [(0, 1.0), (7, 7.0), (86400, 300.0)])
async def test_the_time_to_live_is_obeyed_within_bounds(server: NameServer, ttl_s: int, age_s: float) -> None:
    server.records = {("chat.test", "A"): ["10.0.0.1"], ("chat.test", "AAAA"): []}
    server.ttl_s = ttl_s
    read = read_dns_spec(f"{CHAT},{server.spec}")
    servers = NameServers(read.nameservers)
    asking = DnsRound(read, servers, {})
    assert len(await asking.find_offers()) == 1
    assert asking.age_s == age_s
    server.fail("SERVFAIL", "chat.test")
    failing = DnsRound(read, servers, asking.answers)
    assert len(await failing.find_offers()) == 1
    assert failing.age_s == min(age_s, RETRY_S)


async def test_a_hangup_has_it_asked_at_once(server: NameServer) -> None:
    server.records = {("chat.test", "A"): ["10.0.0.1"]}
    server.ttl_s = 300
    sink = RecordingSink()
    async with following(CHAT, server, sink) as source:
        server.records["chat.test", "A"] = ["10.0.0.2"]
        source.on_hangup()
        await sink.until(lambda: sink.urls == {"ws://10.0.0.2:9000"})
