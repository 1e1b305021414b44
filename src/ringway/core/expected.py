"""Clients that are expected back: told to reconnect for a move, and promised a place at a backend.

A client of a server without Ringway carries no ticket. It is recognised by its affinity key, or by its address if it
has no key. Of several expected clients behind one address, any may have the place that was promised first: the counts
become as planned with any of them.

All gateways know all expected clients, because a client may come back to any gateway. Keys and addresses are marks:
keyed hashes, which do not show the client.
"""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass

from ringway.protocol.expected import ExpectedClient

EXPECTED_MAX = 100_000
"""Clients that are expected at one time; above that, the one is dropped that was expected first."""


@dataclass(slots=True)
class _Promise:
    client: ExpectedClient
    ends_at: float


class ExpectedClients:
    """The expected clients, as one gateway knows them. `now` is monotonic."""

    __slots__ = ("_by_id", "_by_mark")

    def __init__(self) -> None:
        self._by_id: dict[str, _Promise] = {}
        self._by_mark: dict[str, deque[str]] = {}

    def __len__(self) -> int:
        return len(self._by_id)

    def add(self, clients: Iterable[ExpectedClient], now: float) -> None:
        """Expect `clients`, each for the time that it names."""
        for client in clients:
            if client.id in self._by_id:
                continue
            if len(self._by_id) >= EXPECTED_MAX:
                self.drop([next(iter(self._by_id))])
            self._by_id[client.id] = _Promise(client, now + client.ttl_s)
            self._by_mark.setdefault(client.mark, deque()).append(client.id)

    def take_promise(self, marks: Iterable[str], now: float) -> ExpectedClient | None:
        """Return and forget the first expected client that has one of `marks`, tried in their order."""
        for mark in marks:
            waiting = self._by_mark.get(mark)
            while waiting:
                promise = self._by_id.get(waiting[0])
                if promise is None or promise.ends_at <= now:
                    self._forget(waiting[0])
                    waiting = self._by_mark.get(mark)
                    continue
                self._forget(promise.client.id)
                return promise.client
        return None

    def drop(self, ids: Iterable[str]) -> list[ExpectedClient]:
        """Forget clients that have come, or that will not come; return the clients that were expected."""
        return [promise.client for each in ids if (promise := self._forget(each)) is not None]

    def expire(self, now: float) -> None:
        """Forget the clients whose time has passed."""
        for each in [each for each, promise in self._by_id.items() if promise.ends_at <= now]:
            self._forget(each)

    def _forget(self, each: str) -> _Promise | None:
        promise = self._by_id.pop(each, None)
        if promise is None:
            return None
        mark = promise.client.mark
        waiting = self._by_mark[mark]
        waiting.remove(each)
        if not waiting:
            del self._by_mark[mark]
        return promise
