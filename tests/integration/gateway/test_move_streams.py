"""Streams that never pause, slow readers, and moves in between: every message arrives once, in order."""

import asyncio
import random
from itertools import count, pairwise

import pytest
from gateway_kit import Raw, eventually, masked, resident_bytes, settled
from move_kit import SLOW_S, Ring, Visit, ring, text

from ringway.protocol.frame import BINARY, server_frame

MIB = 1 << 20


def numbered(number: int, dice: random.Random) -> bytes:
    """Return a message of any size that begins with its `number`."""
    return b"%d:" % number + b"x" * dice.choice([0, 1, 100, 119, 120, 121, 2000, 70_000])


def pieces_of(message: bytes, dice: random.Random) -> bytes:
    """The frames of one message of a client: in fragments at times, with pings between them."""
    cuts = sorted({0, *(dice.randrange(len(message)) for _ in range(dice.choice([0, 0, 1, 3]))), len(message)})
    frames = b""
    for index, (start, end) in enumerate(pairwise(cuts)):
        first = (0x02 if index == 0 else 0x00) | (0x80 if end == len(message) else 0)
        frames += masked(first, message[start:end], b"\0\0\0\0") + masked(0x89, b"") * dice.choice([0, 0, 1])
    return frames


class Conversation:
    """A client and its nodes, which talk all the time."""

    def __init__(self, made: Ring, client: Raw, seed: int) -> None:
        self.made = made
        self.client = client
        self.dice = random.Random(seed)
        self.sent = 0  # by the client
        self.received: list[int] = []
        self.told = 0  # by nodes
        self.ending = False

    async def speak(self) -> None:
        """Send numbered messages, cut into pieces anywhere."""
        waiting = b""
        for number in count():
            if self.ending:
                break
            waiting += pieces_of(numbered(number, self.dice), self.dice)
            self.sent = number + 1
            while len(waiting) > 100 and self.dice.random() < 0.8:
                cut = self.dice.randrange(1, len(waiting))
                await self.client.send(waiting[:cut])
                waiting = waiting[cut:]
                await asyncio.sleep(0)
        await self.client.send(waiting)

    async def listen(self) -> None:
        """Read numbered messages."""
        while True:
            first, payload = await self.client.frame(SLOW_S)
            assert first == 0x80 | BINARY, (first, payload)
            self.received.append(int(payload.split(b":")[0]))

    async def serve(self, visit: Visit, messages: int, last: bytes) -> None:
        """Send the next numbered messages from `visit`, and `last` in one piece with the last of them."""
        frames = [server_frame(BINARY, numbered(self.told + index, self.dice)) for index in range(messages)]
        self.told += messages
        for frame in frames[:-1]:
            await visit.raw.send(frame)
            await asyncio.sleep(0)
        await visit.raw.send(frames[-1] + last)


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_nothing_is_lost_doubled_or_out_of_order_while_both_ends_talk(seed):
    moves = 8
    async with ring(3) as made:
        conversation = Conversation(made, await made.dial(), seed)
        speaking, listening = asyncio.create_task(conversation.speak()), asyncio.create_task(conversation.listen())
        visits = [await made.nodes[0].visit()]
        seen = [1, 0, 0]
        for turn in range(moves):
            following = (turn + 1) % 3
            await conversation.serve(visits[-1], 20, made.close_frame(f"n{following}"))
            visits.append(await made.nodes[following].visit(seen[following]))
            seen[following] += 1
            await eventually(lambda: len(visits[-1].got) > 3, SLOW_S)
        conversation.ending = True
        await speaking
        await conversation.serve(visits[-1], 20, b"")
        await eventually(lambda: sum(len(visit.got) for visit in visits) == conversation.sent, SLOW_S)
        await eventually(lambda: len(conversation.received) == conversation.told, SLOW_S)
        listening.cancel()
        await asyncio.gather(listening, return_exceptions=True)
        got = [int(message.split(b":")[0]) for visit in visits for message in visit.got]
        assert got == list(range(conversation.sent))
        assert conversation.received == list(range(conversation.told))
        assert all(visit.close == (1012, "") for visit in visits[:-1])
        assert made.stats.moved == moves
        assert not made.stats.cut


async def test_a_client_that_does_not_read_meanwhile_is_waited_for():
    async with ring() as made:
        one, two = made.nodes
        client = await made.dial()
        donor = await one.visit()
        before = resident_bytes()
        payload = b"x" * 60_000

        async def flood(visit: Visit, last: bytes = b"") -> None:
            for _ in range(400):
                await visit.raw.send(server_frame(BINARY, payload))
            await visit.raw.send(last or server_frame(BINARY, b"end"))

        first = asyncio.create_task(flood(donor, made.close_frame("n1")))
        tally = made.made.gateway.relays.tally
        await settled(lambda: (tally(), made.stats.bytes_to_client)[1])
        assert not first.done()
        assert two.asked == []  # the move waits behind messages that the client does not read
        async with asyncio.timeout(SLOW_S):
            for _ in range(400):
                assert len((await client.frame())[1]) == len(payload)
            await first
        second = asyncio.create_task(flood(await two.visit()))
        await settled(lambda: (tally(), made.stats.bytes_to_client)[1])
        assert not second.done()
        assert resident_bytes() - before < 16 * MIB
        async with asyncio.timeout(SLOW_S):
            for _ in range(400):
                assert len((await client.frame())[1]) == len(payload)
            assert await client.frame() == (0x82, b"end")
            await second


async def test_a_node_that_is_behind_when_it_moves_its_client_gets_what_is_its_own():
    async with ring() as made:
        one, two = made.nodes
        client = await made.dial()
        donor = await one.visit()
        frame = masked(0x82, b"x" * 60_000, b"\0\0\0\0")

        async def flood() -> None:
            for _ in range(300):
                await client.send(frame)
            await client.send(text(b"end"))

        donor.pause()
        flooding = asyncio.create_task(flood())
        tally = made.made.gateway.relays.tally
        await settled(lambda: (tally(), made.stats.bytes_to_node)[1])
        assert not flooding.done()
        await made.move(donor, two)
        await eventually(lambda: made.stats.relays_moving == 1 or made.stats.moved == 1)
        donor.resume()
        target = await two.visit()
        await flooding
        await eventually(lambda: target.got[-1:] == [b"end"], SLOW_S)
        await eventually(lambda: donor.close == (1012, ""), SLOW_S)
        assert len(donor.got) + len(target.got) == 301
        assert donor.got
