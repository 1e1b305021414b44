"""Chat in a room by the terminal, until the end of the input: python chat.py NAME [ROOM]"""

import asyncio
import contextlib
import os
import sys

import ringway

GATEWAY = os.environ.get("RINGWAY_URL", "http://127.0.0.1:8000")


def tell(event: ringway.Event) -> None:
    """Print the state of the connection; the chat goes on by itself."""
    if isinstance(event, ringway.Connected):
        print(f"* {'moved to' if event.moved else 'connected to'} {event.node}", flush=True)
    elif isinstance(event, ringway.Moved):
        print(f"* moved to {event.node}", flush=True)
    elif isinstance(event, ringway.Disconnected) and event.retry_in_s and event.move_to is None:
        print(f"* lost {event.node}, trying again", flush=True)


async def lines() -> asyncio.StreamReader:
    """Yield the lines of standard input without blocking."""
    reader = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    return reader


async def listen(room: ringway.Subscription, name: str) -> None:
    """Print the messages of other people, and their joins and leaves."""
    async for publication in room:
        if publication.data["name"] != name:
            print(f"{publication.data['name']}: {publication.data['text']}", flush=True)


async def main(name: str, channel: str = "lobby") -> None:
    """Publish each line of the input to `channel`, and print the messages of other people there."""

    async def say(text: str) -> None:
        message = {"name": name, "text": text}
        try:
            await client.publish(channel, message)
        except ringway.ConnectionClosed:  # lost before the answer came: here a message twice is better than no message
            await client.publish(channel, message)

    client = ringway.Client(GATEWAY, on_event=tell)
    async with client, client.subscribe(channel) as room, asyncio.TaskGroup() as tasks:
        tasks.create_task(listen(room, name))
        await say("(joined)")
        async for line in await lines():
            await say(line.decode().rstrip("\n"))
        await say("(left)")
        room.close()


with contextlib.suppress(KeyboardInterrupt):
    asyncio.run(main(*sys.argv[1:]))
