"""Attacks of `abuse`: a function each, which misuses one connection until it is ended, and its preparation.

An attack gets a connected peer, and sends as fast as the node reads. The attack decides if its answers are read. To
add an attack, write a function and a row of `ATTACKS`; an attack without a connection to a node (silent sockets, floods
of `GET /gateway`) has `run` in place of `send`.
"""

import asyncio
import itertools
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from abuse_peer import CONTINUATION, PING, TEXT, Peer, commands, frame

BIG = "x" * 60_000


@dataclass(frozen=True, slots=True)
class Attack:
    """One attack. `prepare` is done before anything is measured, by well-behaved clients."""

    name: str
    what: str
    send: Callable[[Peer], Awaitable[None]]
    prepare: Callable[[int], Awaitable[list[Peer]]] | None = None
    reads: bool = True
    connections: int = 1  # of one attacker
    receive_buffer_bytes: int = 0
    seconds: float = 0.0  # of one round, for attacks that need more time
    tags: tuple[str, ...] = field(default=())


async def fill(port: int, channel: str, count: int) -> list[Peer]:
    """Publish `count` large publications to `channel`, at a rate that every client may use."""
    peer = await Peer.open(port)
    for _ in range(count):
        while "error" in (await peer.ask({"publish": {"channel": channel, "data": BIG}}))[0]:
            await asyncio.sleep(0.2)
    peer.close()
    return []


async def fill_one(port: int) -> list[Peer]:
    return await fill(port, "kept", 100)


async def fill_many(port: int) -> list[Peer]:
    return [peer for n in range(16) for peer in await fill(port, f"kept{n}", 8)]


async def crowd(port: int) -> list[Peer]:
    """Let 800 clients subscribe to one channel."""
    peers: list[Peer] = []
    while len(peers) < 800:
        try:
            peers.append(await Peer.open(port))
        except ConnectionError:  # faster than the node admits newcomers
            await asyncio.sleep(0.2)
            continue
        await peers[-1].ask({"subscribe": {"channel": "crowd"}})
    return peers


async def history(peer: Peer) -> None:
    ask = commands(*[{"history": {"channel": "kept", "limit": 1000}}] * 100)
    while True:
        await peer.send(ask)


async def history_reverse(peer: Peer) -> None:
    ask = commands(*[{"history": {"channel": "kept", "limit": 1, "reverse": True}}] * 100)
    while True:
        await peer.send(ask)


async def history_unread(peer: Peer) -> None:
    await history(peer)


async def presence(peer: Peer) -> None:
    ask = commands(*[{"presence": {"channel": "crowd"}}] * 1200)
    while True:
        await peer.send(ask)


async def presence_stats(peer: Peer) -> None:
    ask = commands(*[{"presence_stats": {"channel": "crowd"}}] * 1000)
    while True:
        await peer.send(ask)


async def recover(peer: Peer) -> None:
    rounds = [
        request
        for n in range(16)
        for request in (
            {"subscribe": {"channel": f"kept{n}", "recover": True, "offset": 0}},  # of any epoch
            {"unsubscribe": {"channel": f"kept{n}"}},
        )
    ]
    while True:
        await peer.send(commands(*rounds))


async def publish(peer: Peer) -> None:
    one = commands({"publish": {"channel": "room", "data": BIG}})
    while True:
        await peer.send(one)


async def new_channels(peer: Peer) -> None:
    start = secrets.token_hex(4)
    for n in itertools.count():
        await peer.send(commands({"publish": {"channel": f"{start}-{n}", "data": BIG}}))


async def new_channels_small(peer: Peer) -> None:
    start = secrets.token_hex(4)
    for n in itertools.count():
        await peer.send(commands({"publish": {"channel": f"{start}-{n}", "data": 1}}))


async def subscribe_loop(peer: Peer) -> None:
    start = secrets.token_hex(4)
    for n in itertools.count():
        channel = {"channel": f"{start}-{n}"}
        await peer.send(commands({"subscribe": channel}, {"unsubscribe": channel}))


async def subscribe_and_go(peer: Peer) -> None:
    start = secrets.token_hex(100)
    await peer.send(commands(*[{"subscribe": {"channel": f"{start}-{n}"}} for n in range(128)]))
    await asyncio.sleep(0.02)
    peer.close()


async def recover_in_vain(peer: Peer) -> None:
    again = {"channel": "kept", "recover": True, "offset": 1}
    while True:
        await peer.send(commands({"subscribe": again}, {"unsubscribe": {"channel": "kept"}}))


async def fragments(peer: Peer) -> None:
    middle = frame(CONTINUATION, b" ", fin=False) * 1021
    message = frame(TEXT, b"{", fin=False) + middle + frame(CONTINUATION, b" ", fin=False)
    while True:
        await peer.send(message + frame(CONTINUATION, b"}"))


async def empty_frames(peer: Peer) -> None:
    while True:
        await peer.send(frame(TEXT, b"") * 1000)


async def empty_fragments(peer: Peer) -> None:
    while True:
        await peer.send((frame(TEXT, b"{}", fin=False) + frame(CONTINUATION) * 4) * 200)


async def pings(peer: Peer) -> None:
    while True:
        await peer.send(frame(PING, b"x" * 125) * 500)


async def lines(peer: Peer) -> None:
    one = frame(TEXT, b"{}\n" * 21_000)
    while True:
        await peer.send(one)


async def large_calls(peer: Peer) -> None:
    one = commands({"rpc": {"method": "none", "data": BIG}})
    while True:
        await peer.send(one)


async def slow_reader(peer: Peer) -> None:
    """Subscribe to the neighbour's publications to all, and read nothing."""
    await peer.send(commands({"subscribe": {"channel": "firehose"}}))
    await asyncio.sleep(3600)


ATTACKS = [
    Attack("history", "frames of 100 `history` of 100 x 60 kB", history, fill_one),
    Attack("history-reverse", "the newest one of it, 100 times a frame", history_reverse, fill_one),
    Attack("history-unread", "the same, and reads nothing", history_unread, fill_one, reads=False),
    Attack("presence", "frames of 1,200 `presence`, 800 subscribers", presence, crowd),
    Attack("presence-stats", "frames of 1,000 `presence_stats`, 800 subscribers", presence_stats, crowd),
    Attack("recover", "subscribes with recovery of 16 x 480 kB, and leaves", recover, fill_many),
    Attack("publish", "publishes of 60 kB to one channel", publish),
    Attack("new-channels", "publishes of 60 kB to ever new channels", new_channels),
    Attack("new-channels-small", "publishes of one byte to ever new channels", new_channels_small),
    Attack("subscribe-loop", "subscribes to ever new channels, and leaves", subscribe_loop),
    Attack(
        "subscribe-and-go",
        "subscribes to 128 new channels, and is gone, again and again",
        subscribe_and_go,
        connections=5,
    ),
    Attack(
        "recover-in-vain", "subscribes with recovery of 6 MB, which is too much, and leaves", recover_in_vain, fill_one
    ),
    Attack("fragments", "messages of 1,024 frames of one byte", fragments),
    Attack("empty-frames", "empty text frames", empty_frames),
    Attack("empty-fragments", "messages with empty fragments, never ended", empty_fragments),
    Attack("pings", "WebSocket pings of 125 bytes", pings),
    Attack("lines", "frames of 21,000 lines `{}`", lines),
    Attack("large-calls", "`rpc` of 60 kB", large_calls),
    Attack(
        "slow-readers",
        "200 connections that subscribe to a busy channel and read nothing",
        slow_reader,
        reads=False,
        connections=200,
        receive_buffer_bytes=4096,
        tags=("firehose",),
    ),
]
