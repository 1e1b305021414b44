import asyncio

import pytest

from ringway.client.keepalive import PINGS_MAX, ClientKeepalive
from ringway.errors import ConnectionClosed, Overloaded


class Peer:
    def __init__(self, interval_s: float | None = None, timeout_s: float | None = None) -> None:
        self.sent: list[bytes] = []
        self.gave_up = 0
        self.keepalive = ClientKeepalive(interval_s, timeout_s, self.sent.append, self._give_up)

    def _give_up(self) -> None:
        self.gave_up += 1
        self.keepalive.stop(ConnectionClosed(1006))


async def until(condition) -> None:
    async with asyncio.timeout(30):
        while not condition():
            await asyncio.sleep(0)


async def test_a_pong_answers_its_ping_and_those_before() -> None:
    peer = Peer()
    first, second, third = (peer.keepalive.ping(payload) for payload in (b"1", b"2", b"3"))
    peer.keepalive.pong(b"2")
    assert (first.done(), second.done(), third.done()) == (True, True, False)
    assert second.result() >= 0
    peer.keepalive.pong(b"unsolicited")
    assert not third.done()
    assert peer.sent == [b"1", b"2", b"3"]


async def test_the_end_is_told_to_who_waits_for_a_pong() -> None:
    peer = Peer()
    waiting = peer.keepalive.ping(b"1")
    peer.keepalive.stop(ConnectionClosed(3000, "over"))
    with pytest.raises(ConnectionClosed, match="3000"):
        await waiting


async def test_unanswered_pings_are_bounded_and_distinct() -> None:
    peer = Peer()
    peer.keepalive.ping(b"same")
    with pytest.raises(RuntimeError):
        peer.keepalive.ping(b"same")
    for number in range(1, PINGS_MAX):
        peer.keepalive.ping(str(number).encode())
    with pytest.raises(Overloaded):
        peer.keepalive.ping(b"one more")


async def test_silence_is_noticed() -> None:
    peer = Peer(0.000_001, 0.000_001)
    peer.keepalive.start()
    await until(lambda: peer.gave_up)
    assert peer.sent


async def test_who_answers_is_kept() -> None:
    peer = Peer(0.000_001, 60.0)
    peer.keepalive.start()
    for count in range(1, 6):
        await until(lambda wanted=count: len(peer.sent) >= wanted)
        peer.keepalive.pong(peer.sent[-1])
    assert peer.gave_up == 0
    peer.keepalive.stop(ConnectionClosed(1000))


async def test_nobody_is_given_up_while_nobody_reads() -> None:
    peer = Peer(0.000_001, 0.000_001)
    peer.keepalive.hold(True)
    peer.keepalive.start()
    await until(lambda: peer.sent)
    for _ in range(50):
        await asyncio.sleep(0)
    assert peer.gave_up == 0
    peer.keepalive.hold(False)
    await until(lambda: peer.gave_up)


async def test_whoever_sends_lives_though_the_pong_is_late() -> None:
    peer = Peer(0.000_001, 0.000_001)
    peer.keepalive.start()
    for _ in range(50):
        peer.keepalive.heard = True
        await asyncio.sleep(0)
    assert peer.sent
    assert peer.gave_up == 0
    await until(lambda: peer.gave_up)
