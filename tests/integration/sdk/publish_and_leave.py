"""A client of the official Python SDK publishes and disconnects at once, again and again.

`python publish_and_leave.py URL CHANNEL COUNT`; exit code 0 when all have disconnected.
"""

import asyncio
import contextlib
import sys

from centrifuge import CentrifugeError, Client


async def main() -> None:
    url, channel, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
    for n in range(count):
        client = Client(url, proxy=None)
        await client.connect()
        await client.ready()
        publishing = asyncio.create_task(client.publish(channel, n))
        for _ in range(5):
            await asyncio.sleep(0)  # turns in which the SDK writes it
        await client.disconnect()
        with contextlib.suppress(CentrifugeError):  # it may hear no answer: it does not wait for one
            await publishing


if __name__ == "__main__":
    asyncio.run(main())
