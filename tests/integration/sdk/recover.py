"""Client of the official Python SDK that remains subscribed during faults of its server.

`python recover.py URL CHANNEL`. Prints a line once it is subscribed, and a line with all that it has seen when the
publication "end" has come.
"""

import asyncio
import json
import sys
from typing import Any

from centrifuge import Client, ClientEventHandler, SubscriptionEventHandler
from centrifuge.contexts import (
    ConnectingContext,
    PublicationContext,
    SubscribedContext,
    UnsubscribedContext,
)


class Recorder(SubscriptionEventHandler, ClientEventHandler):
    """Keeps what happens to a subscription and its client."""

    def __init__(self) -> None:
        self.seen: dict[str, list[Any]] = {"received": [], "subscribed": [], "unsubscribed": [], "disconnected": []}
        self.ended = asyncio.Event()

    async def on_connecting(self, ctx: ConnectingContext) -> None:
        self.seen["disconnected"].append(ctx.code)

    async def on_subscribed(self, ctx: SubscribedContext) -> None:
        self.seen["subscribed"].append(
            {
                "wasRecovering": ctx.was_recovering,
                "recovered": ctx.recovered,
                "recoverable": ctx.recoverable,
                "positioned": ctx.positioned,
            }
        )
        if len(self.seen["subscribed"]) == 1:
            print(json.dumps({"ready": True}), flush=True)  # noqa: T201

    async def on_unsubscribed(self, ctx: UnsubscribedContext) -> None:
        self.seen["unsubscribed"].append(ctx.code)

    async def on_publication(self, ctx: PublicationContext) -> None:
        self.seen["received"].append({"data": ctx.pub.data, "offset": ctx.pub.offset})
        if ctx.pub.data == "end":
            self.ended.set()


async def main() -> None:
    url, channel = sys.argv[1:]
    recorder = Recorder()
    client = Client(url, events=recorder, min_reconnect_delay=0.05, max_reconnect_delay=0.5, proxy=None)
    subscription = client.new_subscription(channel, recorder)
    await client.connect()
    await subscription.subscribe()
    await recorder.ended.wait()
    history = await subscription.history(limit=1, reverse=True)
    presence = await subscription.presence()
    stats = await subscription.presence_stats()
    seen = {
        **recorder.seen,
        "history": [publication.data for publication in history.publications],
        "presence": len(presence.clients),
        "stats": stats.num_clients,
    }
    print(json.dumps(seen), flush=True)  # noqa: T201
    await client.disconnect()


if __name__ == "__main__":
    asyncio.run(main())
