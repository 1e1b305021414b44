"""Two clients of the official Python SDK exchange publications: `python exchange.py URL CHANNEL COUNT`.

The first subscribes and publishes, the second subscribes. Prints what was seen as JSON; exit code 0 if all went well.
"""

import asyncio
import json
import sys
from typing import Any

from centrifuge import Client, SubscriptionEventHandler
from centrifuge.contexts import PublicationContext


class Recorder(SubscriptionEventHandler):
    """Keeps what a subscription receives."""

    def __init__(self) -> None:
        self.received: list[dict[str, Any]] = []

    async def on_publication(self, ctx: PublicationContext) -> None:
        info = ctx.pub.info
        self.received.append({"data": ctx.pub.data, "client": info.client if info else None})

    async def wait_for(self, count: int) -> None:
        while len(self.received) < count:
            await asyncio.sleep(0.01)


async def exchange(url: str, channel: str, count: int) -> dict[str, Any]:
    """Run the exchange; return what each client received."""
    one, two = Recorder(), Recorder()
    clients = [Client(url, name="one", proxy=None), Client(url, name="two", proxy=None)]
    subscriptions = []
    for client, recorder in zip(clients, (one, two), strict=True):
        await client.connect()
        await client.ready()
        subscription = client.new_subscription(channel, recorder)
        await subscription.subscribe()
        await subscription.ready()
        subscriptions.append(subscription)
    for n in range(count):
        await subscriptions[0].publish({"n": n, "text": "grüße"})
    await clients[1].publish(channel, {"n": count})  # without the subscription object
    await asyncio.gather(one.wait_for(count + 1), two.wait_for(count + 1))
    await subscriptions[1].unsubscribe()
    await subscriptions[0].publish({"n": count + 1})
    await one.wait_for(count + 2)
    for client in clients:
        await client.disconnect()
    return {"one": one.received, "two": two.received}


async def main() -> None:
    url, channel, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
    async with asyncio.timeout(15):
        print(json.dumps(await exchange(url, channel, count)))  # noqa: T201


if __name__ == "__main__":
    asyncio.run(main())
