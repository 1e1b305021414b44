"""Calls that are believed only when proven, over the memory engine; strangers reach its bare bus."""

import pytest

from ringway.core.message_refusals import TELL_S, MessageRefusals
from ringway.engine.memory.engine import MemoryHub
from ringway.errors import NoAnswer, ProtocolError
from ringway.member.sealed_bus import AGAIN, ANSWER, FAILURE, NAMED, REQUEST, SealedBus
from ringway.protocol.keyring import Keyring, Purpose
from ringway.protocol.named_request import name_receivers
from ringway.protocol.seal import AGE_S_MAX, BODY_AT, Sealer, SealFault, Unsealer
from ringway.protocol.ticket import CLOCK_SKEW_S
from ringway.types import Incarnation
from support.log_capture import capture_logs

SECRET = b"the cluster's secret"
ADDRESS = "node.n1"
SOON = 0.05
PATIENCE_S = 30.0


class Clock:
    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


class Cluster:
    """Members with sealed buses on one memory engine, and an attacker with the engine's credentials."""

    def __init__(self) -> None:
        self.hub = MemoryHub()
        self.wall = Clock()
        self.attacker = self.hub.open().bus
        self.handled: list[bytes] = []
        self.refusals = MessageRefusals()

    def member(self, number: int, secret: bytes = SECRET, refusals: MessageRefusals | None = None) -> SealedBus:
        bus, keyring, refused = self.hub.open().bus, Keyring(secret), refusals or MessageRefusals()
        return SealedBus(bus, keyring, Incarnation(f"{number:08x}"), refused, wall=self.wall, clock=self.wall)

    def sealer(self, number: int = 9) -> Sealer:
        """A member's sealer in the hands of a test, which sends what it seals wherever it likes."""
        return Sealer(Keyring(SECRET), Purpose.BUS, Incarnation(f"{number:08x}"), self.wall)

    async def serve(self, address: str = ADDRESS, number: int = 1) -> SealedBus:
        """Serve `address` by a member that starts now."""

        async def handle(request: bytes) -> bytes:
            self.handled.append(request)
            if request == b"bad":
                raise ProtocolError(3501, "not this")
            if request == b"broken":
                raise ValueError("a bug")
            return b"done " + request

        server = self.member(number, refusals=self.refusals)
        await server.serve(address, handle)
        return server

    async def send(self, raw: bytes, address: str = ADDRESS) -> None:
        """Send `raw` as a stranger; it must not be answered."""
        with pytest.raises(NoAnswer) as caught:
            await self.attacker.call(address, raw, timeout_s=SOON)
        assert caught.value.timed_out


@pytest.fixture
async def cluster() -> Cluster:
    made = Cluster()
    await made.serve()
    return made


async def test_members_of_one_secret_call_each_other(cluster: Cluster) -> None:
    other, itself = cluster.member(2), await cluster.serve("node.n2")
    assert await other.call(ADDRESS, b"1", timeout_s=PATIENCE_S) == b"done 1"
    assert await itself.call("node.n2", b"2", timeout_s=PATIENCE_S) == b"done 2"
    assert await other.gather(ADDRESS, b"3", timeout_s=PATIENCE_S, expected=1) == [b"done 3"]
    assert not cluster.refusals.counts


@pytest.mark.parametrize("raw", [b"", b"move", b'{"type":"state","draining":true}', bytes(BODY_AT), b"\xff" * 100])
async def test_a_request_without_a_proof_is_neither_carried_out_nor_answered(cluster: Cluster, raw: bytes) -> None:
    await cluster.send(raw)
    assert cluster.handled == []
    assert sum(cluster.refusals.counts.values()) == 1


async def test_a_caller_with_another_secret_is_told_the_likely_cause(cluster: Cluster) -> None:
    stranger = cluster.member(2, b"some other secret")
    with pytest.raises(NoAnswer, match=r"compare engine\.secret, the clock and the version") as caught:
        await stranger.call(ADDRESS, b"order", timeout_s=SOON)
    assert caught.value.timed_out
    assert await stranger.gather(ADDRESS, b"order", timeout_s=SOON) == []
    assert cluster.handled == []
    assert cluster.refusals.counts == {(Purpose.BUS, SealFault.FORGED): 2}


async def test_a_request_is_carried_out_once(cluster: Cluster) -> None:
    raw = cluster.sealer().seal(REQUEST, ADDRESS.encode(), b"order")
    await cluster.attacker.call(ADDRESS, raw, timeout_s=PATIENCE_S)
    await cluster.send(raw)
    assert cluster.handled == [b"order"]
    assert cluster.refusals.counts == {(Purpose.BUS, SealFault.REPLAYED): 1}


async def test_a_request_counts_at_its_address_alone(cluster: Cluster) -> None:
    await cluster.send(cluster.sealer().seal(REQUEST, b"node.n2", b"order"))
    assert cluster.refusals.counts == {(Purpose.BUS, SealFault.FORGED): 1}


async def test_a_request_of_long_ago_or_of_the_future_is_refused(cluster: Cluster) -> None:
    sealer = cluster.sealer()
    old = sealer.seal(REQUEST, ADDRESS.encode(), b"order")
    cluster.wall.now += AGE_S_MAX + 1
    await cluster.send(old)
    early = sealer.seal(REQUEST, ADDRESS.encode(), b"order")
    cluster.wall.now -= 2 * AGE_S_MAX + 2
    await cluster.send(early)
    assert cluster.refusals.counts == {(Purpose.BUS, SealFault.STALE): 2}


async def test_a_member_that_started_anew_obeys_no_order_to_its_former_self(cluster: Cluster) -> None:
    raw = cluster.sealer().seal(REQUEST, b"node.n2", b"drain")
    cluster.wall.now += CLOCK_SKEW_S + 1
    await cluster.serve("node.n2")
    answer = await cluster.attacker.call("node.n2", raw, timeout_s=PATIENCE_S)
    assert Unsealer(Keyring(SECRET), Purpose.BUS).unseal(b"node.n2 00000009 1", answer).kind == AGAIN
    assert cluster.handled == []
    assert cluster.refusals.counts == {(Purpose.BUS, SealFault.STALE): 1}


@pytest.mark.parametrize("ahead_s", [30.0, 100.0])
async def test_a_member_that_starts_with_its_clock_ahead_is_called_all_the_same(
    cluster: Cluster, ahead_s: float
) -> None:
    caller = cluster.member(2)
    cluster.wall.now += ahead_s
    await cluster.serve("gateways")
    cluster.wall.now -= ahead_s
    await cluster.serve("gateways", 3)
    assert await caller.call("gateways", b"a", timeout_s=PATIENCE_S) == b"done a"
    assert sorted(await caller.gather("gateways", b"b", timeout_s=PATIENCE_S, expected=2)) == [b"done b"] * 2
    assert cluster.handled == [b"a", b"b", b"b"], "each by each once"


async def test_a_named_request_is_carried_out_once_and_by_nobody_else(cluster: Cluster) -> None:
    raw = cluster.sealer().seal(NAMED, ADDRESS.encode(), name_receivers((Incarnation("00000001"),), b"order"))
    await cluster.attacker.call(ADDRESS, raw, timeout_s=PATIENCE_S)
    await cluster.send(raw)
    await cluster.send(
        cluster.sealer(8).seal(NAMED, ADDRESS.encode(), name_receivers((Incarnation("0000000f"),), b"x"))
    )
    assert cluster.handled == [b"order"]
    assert cluster.refusals.counts == {(Purpose.BUS, SealFault.REPLAYED): 1}
    for body in (b"", b"\0order", b"\2abcd"):
        await cluster.send(cluster.sealer(7).seal(NAMED, ADDRESS.encode(), body))
    assert cluster.refusals.counts[Purpose.BUS, SealFault.UNREADABLE] == 3
    cluster.wall.now += AGE_S_MAX + 1
    await cluster.send(raw)
    assert cluster.handled == [b"order"]


@pytest.mark.parametrize("kind", [ANSWER, FAILURE, AGAIN, 77])
async def test_a_message_that_is_no_request_is_refused(cluster: Cluster, kind: int) -> None:
    await cluster.send(cluster.sealer().seal(kind, ADDRESS.encode(), b"order"))
    assert cluster.refusals.counts == {(Purpose.BUS, SealFault.UNREADABLE): 1}


async def test_an_answer_of_a_stranger_is_not_believed(cluster: Cluster) -> None:
    async def lie(request: bytes) -> bytes:
        return b"all is done"

    await cluster.attacker.serve("node.n2", lie)
    refusals = MessageRefusals()
    caller = cluster.member(2, refusals=refusals)
    with pytest.raises(NoAnswer, match="its answer was not believed"):
        await caller.call("node.n2", b"order", timeout_s=PATIENCE_S)
    assert await caller.gather("node.n2", b"order", timeout_s=PATIENCE_S) == []
    assert refusals.counts == {(Purpose.BUS, SealFault.UNSEALED): 2}


async def test_an_answer_counts_for_its_own_request_alone(cluster: Cluster) -> None:
    """A stranger in the middle answers the second request with the proven answer to the first."""
    answers: list[bytes] = []

    async def pass_on(request: bytes) -> bytes:
        if not answers:
            answers.append(await cluster.attacker.call(ADDRESS, request, timeout_s=PATIENCE_S))
        return answers[0]

    hub = MemoryHub()
    await hub.open().bus.serve(ADDRESS, pass_on)
    caller = SealedBus(hub.open().bus, Keyring(SECRET), Incarnation("00000002"), MessageRefusals(), wall=cluster.wall)
    assert await caller.call(ADDRESS, b"1", timeout_s=PATIENCE_S) == b"done 1"
    with pytest.raises(NoAnswer, match="not believed"):
        await caller.call(ADDRESS, b"2", timeout_s=PATIENCE_S)
    assert cluster.handled == [b"1"]


async def test_of_one_server_one_answer_counts(cluster: Cluster) -> None:
    answers: list[bytes] = []

    async def repeat(request: bytes) -> bytes:
        if not answers:
            context = f"node.n2 00000002 {int.from_bytes(request[6:14], 'big')}".encode()
            answers.append(cluster.sealer().seal(ANSWER, context, b"once"))
        return answers[0]

    for _ in range(2):
        await cluster.hub.open().bus.serve("node.n2", repeat)
    assert await cluster.member(2).gather("node.n2", b"", timeout_s=PATIENCE_S, expected=2) == [b"once"]


async def test_a_failure_is_proven_and_named(cluster: Cluster) -> None:
    caller = cluster.member(2)
    with capture_logs() as logs:
        with pytest.raises(NoAnswer, match="not this") as caught:
            await caller.call(ADDRESS, b"bad", timeout_s=PATIENCE_S)
        assert not caught.value.timed_out
        assert logs == []
        with pytest.raises(NoAnswer, match="ValueError: a bug"):
            await caller.call(ADDRESS, b"broken", timeout_s=PATIENCE_S)
    assert [event["event"] for event in logs] == ["a request failed"]
    assert await caller.gather(ADDRESS, b"bad", timeout_s=PATIENCE_S) == []


async def test_while_the_secret_changes_members_of_both_call_each_other(cluster: Cluster) -> None:
    keyrings = Keyring(b"new secret", SECRET), Keyring(SECRET, b"new secret")
    ahead, behind = (
        SealedBus(cluster.hub.open().bus, keyring, Incarnation(f"{number:08x}"), MessageRefusals(), wall=cluster.wall)
        for number, keyring in enumerate(keyrings, start=11)
    )

    async def echo(request: bytes) -> bytes:
        return request

    await ahead.serve("node.ahead", echo)
    await behind.serve("node.behind", echo)
    assert await ahead.call("node.behind", b"1", timeout_s=PATIENCE_S) == b"1"
    assert await behind.call("node.ahead", b"2", timeout_s=PATIENCE_S) == b"2"


async def test_strangers_fill_no_log(cluster: Cluster) -> None:
    """However many senders they claim to be: a line a minute for each fault."""
    with capture_logs() as logs:
        for number in range(200):
            sealer = Sealer(Keyring(b"other"), Purpose.BUS, Incarnation(f"{number:08x}"), cluster.wall)
            raw = sealer.seal(REQUEST, ADDRESS.encode(), b"x")
            await cluster.attacker.gather(ADDRESS, raw, timeout_s=0.001)
        assert [(event["fault"], event["address"]) for event in logs] == [("forged", ADDRESS)]
        cluster.wall.now += TELL_S
        await cluster.attacker.gather(ADDRESS, b"junk" * 20, timeout_s=0.001)
    assert len(logs) == 2
    assert sum(cluster.refusals.counts.values()) == 201
