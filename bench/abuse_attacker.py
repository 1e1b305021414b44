"""Attackers of `abuse`, as a process of their own: `abuse_attacker.py PORT ATTACK ATTACKERS`.

Prepares, prints a line, and obeys lines of its input: `go` begins the attack, `stop` ends it and prints its
outcome as JSON. A connection that the node ends is opened again, as attackers do.
"""

import asyncio
import contextlib
import json
import os
import sys
from collections import Counter

import uvloop

from abuse_attacks import ATTACKS, Attack
from abuse_peer import Ended, Peer, commands

PAUSE_S = 0.1
FIREHOSE_S = 0.01


async def misuse(attack: Attack, port: int, seen: Counter[str]) -> None:
    """Misuse one connection after the other."""
    while True:
        try:
            peer = await Peer.open(port, receive_buffer_bytes=attack.receive_buffer_bytes)
        except (OSError, Ended):
            seen["refused"] += 1
            await asyncio.sleep(PAUSE_S)
            continue
        reading = asyncio.ensure_future(peer.read() if attack.reads else asyncio.sleep(3600))
        sending = asyncio.ensure_future(attack.send(peer))
        try:
            await asyncio.wait([reading, sending], return_when=asyncio.FIRST_COMPLETED)
            if not reading.done():
                with contextlib.suppress(Ended, TimeoutError):
                    await asyncio.wait_for(peer.read(), 1.0)
            for task in (reading, sending):
                if task.done() and not task.cancelled() and isinstance(task.exception(), Ended):
                    seen[f"closed {task.exception().code}"] += 1  # type: ignore[union-attr]
                    break
            else:
                seen["cut"] += 1
        finally:
            for task in (reading, sending):
                task.cancel()
            await asyncio.gather(reading, sending, return_exceptions=True)
            peer.close()
            seen.update(peer.seen)
        await asyncio.sleep(PAUSE_S)


async def firehose(port: int) -> None:
    """Publish messages that slow readers do not read, as a client within its bounds."""
    peer = await Peer.open(port)
    one = commands({"publish": {"channel": "firehose", "data": "x" * 8000}})
    reading = asyncio.ensure_future(peer.read())
    try:
        while True:
            await peer.send(one)
            await asyncio.sleep(FIREHOSE_S)
    finally:
        reading.cancel()
        peer.close()


async def serve(port: int, name: str, attackers: int) -> None:
    attack = next(attack for attack in ATTACKS if attack.name == name)
    kept = await attack.prepare(port) if attack.prepare else []
    idle = [asyncio.ensure_future(peer.read()) for peer in kept]
    print("ready", flush=True)
    orders = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(orders), sys.stdin)
    while await orders.readline():
        seen: Counter[str] = Counter()
        work = [misuse(attack, port, seen) for _ in range(attackers * attack.connections)]
        work += [firehose(port)] if "firehose" in attack.tags else []
        tasks = [asyncio.ensure_future(one) for one in work]
        await orders.readline()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        print(json.dumps(seen), flush=True)
    for task in idle:
        task.cancel()
    await asyncio.gather(*idle, return_exceptions=True)


if __name__ == "__main__":
    os.nice(5)  # the neighbour's delay is measured, not the contest for the core
    uvloop.run(serve(int(sys.argv[1]), sys.argv[2], int(sys.argv[3])))
