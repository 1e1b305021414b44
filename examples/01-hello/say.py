"""Say something in a room: python say.py TEXT [ROOM]"""

import asyncio
import os
import sys

import ringway

GATEWAY = os.environ.get("RINGWAY_URL", "http://127.0.0.1:8000")


async def main(text: str, room: str = "lobby") -> None:
    """Publish `text` to `room`."""
    async with ringway.Client(GATEWAY) as client:
        await client.publish(room, text)
        print(f"said in {room} on {client.node}")


asyncio.run(main(*sys.argv[1:]))
