"""A process full of clients: subscribes them, records the messages of each, and judges them at the end."""

import asyncio
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from random import Random
from typing import Any

from chaos.client import check_clients, make_client
from chaos.subscriber_protocol import SubscriberProtocol
from chaos.worker import Worker
from report import percentile
from ringway.testing.delivery import Order, Published, Verdict, give_verdict

LATE_EVERY_S = 0.05
ABSENT_MAX = 5
OPENING_MAX = 100
"""Clients that are on their way in at one time, at the beginning."""


@dataclass(frozen=True, slots=True)
class Group:
    """A number of clients of one kind, subscribed to `each` of `channels` in turn; judged together under `name`."""

    name: str
    kind: str
    count: int
    channels: Sequence[str]
    each: int = 1
    small: bool = False


def _mixed(groups: Sequence[Group]) -> Iterator[Group]:
    """The group of each client: one of each kind in turn, so that no kind is older than the others."""
    for number in range(max((group.count for group in groups), default=0)):
        yield from (group for group in groups if number < group.count)


class Subscribers(Worker):
    """The clients of one process, whose names begin with `name`. The first client has the channel `offset`."""

    def __init__(self, name: str, groups: Sequence[Group], gateways: Sequence[str], seed: int, offset: int = 0) -> None:
        super().__init__()
        rng = Random(seed)
        placed: Counter[str] = Counter()
        self._protocols: list[SubscriberProtocol] = []
        self._clients = []
        self._late_s: list[float] = []
        for group in _mixed(groups):
            index = len(self._protocols)
            first = placed[group.name] * group.each + offset
            placed[group.name] += 1
            channels = [group.channels[(first + i) % len(group.channels)] for i in range(group.each)]
            protocol = SubscriberProtocol(f"{group.name} {name}-{index}", channels, group.name)
            self._protocols.append(protocol)
            own = Random(rng.getrandbits(64))
            self._clients.append(make_client(group.kind, protocol, gateways, own, self.spawn, small=group.small))

    def begin(self) -> None:
        """Start all clients; `status` reports their progress."""
        self.spawn(self._open())
        self.spawn(check_clients(self._clients))
        self.spawn(self._measure_itself())

    async def _open(self) -> None:
        started = 0
        while started < len(self._clients):
            waiting = started - sum(protocol.subscribed for protocol in self._protocols[:started])
            for client in self._clients[started : started + max(0, OPENING_MAX - waiting)]:
                client.start()
                started += 1
            await asyncio.sleep(0.02)

    async def _measure_itself(self) -> None:
        """The lateness of this process, which it adds to every silence that it records."""
        while True:
            due = time.monotonic() + LATE_EVERY_S
            await asyncio.sleep(LATE_EVERY_S)
            self._late_s.append(time.monotonic() - due)

    def status(self) -> dict[str, Any]:
        """The present numbers."""
        late = sorted(self._late_s) or [0.0]
        return {
            "late_s": {"p99": percentile(late, 0.99), "max": late[-1]},
            "clients": len(self._protocols),
            "subscribed": sum(protocol.subscribed for protocol in self._protocols),
            "delivered": sum(len(seen) for protocol in self._protocols for seen in protocol.witness.seen),
            "followed": sum(client.follows for client in self._clients),
            "closes": sum(len(protocol.witness.closes) for protocol in self._protocols),
            "refusals": Counter(refusal for protocol in self._protocols for refusal in protocol.refusals),
            "absent": list(islice(self._absent(), ABSENT_MAX)),
            "failures": Counter(failure for client in self._clients for failure in client.failures).most_common(5),
            "troubles": self.troubles,
        }

    def _absent(self) -> Iterator[str]:
        """The clients that are not subscribed, with their progress."""
        for protocol, client in zip(self._protocols, self._clients, strict=True):
            if not protocol.subscribed:
                wire = "a WebSocket" if client.reaches else "no WebSocket"
                on = f"connected to {protocol.node}" if protocol.connected else "not connected"
                heard_s = time.monotonic() - protocol.heard_at
                failures = "; ".join(client.failures[-3:])
                yield f"{protocol.witness.name}: {wire}, {on}, {heard_s:.1f} s, {client.attempts} attempts [{failures}]"

    def nodes(self) -> Counter[str]:
        """The number of clients at each node."""
        return Counter(protocol.node for protocol in self._protocols)

    def drop(self, share: float) -> int:
        """Cut the connections of the first `share` of the clients, in one instant; return their number."""
        chosen = self._clients[: round(share * len(self._clients))]
        return sum([client.drop() for client in chosen])

    def noticed_drop(self) -> bool:
        """True if every client whose connection `drop` cut has noticed it."""
        return all(client.noticed_drop for client in self._clients)

    def pause(self, share: float) -> int:
        """Let the first `share` of the clients stop reading; return their number."""
        chosen = self._clients[: round(share * len(self._clients))]
        for client in chosen:
            client.pause()
        return len(chosen)

    def resume(self) -> None:
        """Let all clients read again."""
        for client in self._clients:
            client.resume()

    def seal(self) -> bool:
        """End the run if all are subscribed at this moment: record nothing more. Return True if they were."""
        subscribed = all(protocol.subscribed for protocol in self._protocols)
        for protocol in self._protocols:
            protocol.sealed = subscribed
        return subscribed

    def order(self) -> Order:
        """The knowledge of these clients about the streams."""
        order = Order()
        for protocol in self._protocols:
            for seen in protocol.witness.seen:
                order.learn(seen)
        return order

    def judge(self, published: Published, order: Order, since: float) -> dict[str, Verdict]:
        """Judge the messages of the clients, by group."""
        groups: dict[str, list[SubscriberProtocol]] = {}
        for protocol in self._protocols:
            groups.setdefault(protocol.group, []).append(protocol)
        return {
            group: give_verdict((protocol.witness for protocol in protocols), published, order, since=since)
            for group, protocols in groups.items()
        }
