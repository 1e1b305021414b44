"""Print the messages of a room, until Ctrl-C: python listen.py [ROOM]"""

import asyncio
import contextlib
import os
import sys

import ringway

GATEWAY = os.environ.get("RINGWAY_URL", "http://127.0.0.1:8000")


async def main(room: str = "lobby") -> None:
    """Subscribe to `room`, and print."""
    async with ringway.Client(GATEWAY) as client, client.subscribe(room) as publications:
        print(f"listening in {room} on {client.node}", flush=True)
        async for publication in publications:
            print(publication.data, flush=True)


with contextlib.suppress(KeyboardInterrupt):
    asyncio.run(main(*sys.argv[1:]))
