"""Client that records its nodes and its messages."""

import asyncio
import time
from collections.abc import Callable

import ringway
from ringway.client import Connected, Disconnected, Event, Moved

CHANNEL = "witness"


class Witness:
    """Subscribed to one channel. `nodes` are those it was on, in order; `ends` the close codes it saw: no moves."""

    def __init__(self, url: str | list[str], key: str | None = None) -> None:
        self.nodes: list[str] = []
        self.ends: list[tuple[int, str]] = []
        self.received: list[object] = []
        self.client = ringway.Client(url, key=key, on_event=self._note)
        self._subscription: ringway.Subscription | None = None

    async def listen(self) -> None:
        """Subscribe, and return when the server has confirmed it."""
        self._subscription = self.client.subscribe(
            CHANNEL, on_publication=lambda publication: self.received.append(publication.data)
        )
        await self._subscription.wait_confirmed()

    @property
    def listening(self) -> bool:
        """True if publications reach it now."""
        return self._subscription is not None and self._subscription.confirmed

    def _note(self, event: Event) -> None:
        if isinstance(event, Connected | Moved):
            self.nodes.append(event.node)
        elif isinstance(event, Disconnected):
            self.ends.append((event.code, event.reason))


async def until(condition: Callable[[], object], what: str, deadline_s: float = 90.0) -> None:
    """Return when `condition` holds; fail with `what` at the deadline."""
    deadline = time.monotonic() + deadline_s
    while not condition():
        assert time.monotonic() < deadline, f"waited {deadline_s:g} s for {what}"
        await asyncio.sleep(0.05)


async def reaches_all(witnesses: list[Witness], payload: object) -> None:
    """Publish `payload` by the first witness, and return when all have received it, once each."""
    await witnesses[0].client.publish(CHANNEL, payload)
    await until(lambda: all(payload in witness.received for witness in witnesses), f"{payload!r} to reach everybody")
    assert [witness.received.count(payload) for witness in witnesses] == [1] * len(witnesses)
