"""Well-behaved client beside the attackers of `abuse`, as a process of its own: `abuse_neighbour.py PORT`.

Publishes `RATE` times a second to a channel with `SUBSCRIBERS` subscribers, all in this process, and records the
duration of each delivery. At each line of its input it prints the delays since the previous line, in milliseconds, as
JSON.
"""

import asyncio
import json
import sys
import time

import uvloop

from abuse_peer import Peer, commands

RATE = 100
SUBSCRIBERS = 5


async def follow(peer: Peer, delays: list[float]) -> None:
    while True:
        for line in await peer.lines():
            if b'"data":' in line:
                sent_at = float(line.partition(b'"data":')[2].partition(b",")[0])
                delays.append(1000 * (time.monotonic() - sent_at))


async def serve(port: int) -> None:
    delays: list[float] = []
    peers = [await Peer.open(port) for _ in range(SUBSCRIBERS)]
    for peer in peers:
        await peer.ask({"subscribe": {"channel": "neighbour"}})
    following = [asyncio.ensure_future(follow(peer, delays)) for peer in peers]
    publisher = await Peer.open(port)
    following.append(asyncio.ensure_future(publisher.read()))
    print("ready", flush=True)
    orders = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(orders), sys.stdin)
    told = asyncio.ensure_future(orders.readline())
    due = time.monotonic()
    while True:
        publisher.writer.write(commands({"publish": {"channel": "neighbour", "data": time.monotonic()}}))
        due = max(due + 1 / RATE, time.monotonic())
        await asyncio.sleep(due - time.monotonic())
        if told.done():
            if not told.result():
                return
            if any(task.done() for task in following):
                raise RuntimeError("the neighbour was closed")
            print(json.dumps(delays), flush=True)
            delays.clear()
            told = asyncio.ensure_future(orders.readline())


if __name__ == "__main__":
    uvloop.run(serve(int(sys.argv[1])))
