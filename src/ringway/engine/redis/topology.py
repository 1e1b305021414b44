"""Finds the servers that take writes: the one of the URL, the one that sentinels name, or the masters of a cluster."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from ringway.engine.redis.command_connection import Link, pack
from ringway.engine.redis.connector import Reach
from ringway.engine.redis.slot import SLOTS
from ringway.engine.redis.url import Address, Kind, RedisUrl, show
from ringway.errors import EngineAway, EngineError, EngineUnsuitable

ANSWER_S = 2.0
"""How long a server may take to say what it knows of the others."""

ALL_SLOTS = range(SLOTS)


@dataclass(frozen=True, slots=True)
class Part:
    """A server that takes writes, and which slots are there."""

    address: Address
    slots: tuple[range, ...] = (ALL_SLOTS,)


class Topology(Protocol):
    """Knows where to look."""

    async def find(self) -> list[Part]:
        """Return the servers that take writes, all slots covered. Raise `EngineError` where that cannot be told now."""
        ...

    async def changed(self, known: Sequence[Address]) -> bool:
        """Whether others than `known` take writes now, where those would not say so themselves."""
        ...

    def close(self) -> None:
        """Keep no connection."""
        ...


class Single:
    """One server, always the same."""

    def __init__(self, address: Address) -> None:
        self._address = address

    async def find(self) -> list[Part]:
        """Return it."""
        return [Part(self._address)]

    async def changed(self, known: Sequence[Address]) -> bool:
        """Return False: it is always the same."""
        return False

    def close(self) -> None:
        """Nothing is open."""


class Asker:
    """Asks the first of several addresses that answers, over a connection that is kept for the next question."""

    def __init__(self, addresses: Sequence[Address], reach: Reach) -> None:
        self.addresses = list(addresses)
        self._reach = reach
        self._link: Link | None = None
        self.at: Address = self.addresses[0]

    async def ask(self, command: bytes) -> Any:
        """Return the answer; raise `EngineError`, the last one, where none answers."""
        problem: EngineError = EngineAway("there is no address to ask")
        if self._link is not None and self._link.up:
            try:
                return await self._answer(self._link, command)
            except EngineError as error:
                problem = error
        for address in list(self.addresses):
            link = Link(_nothing, _nothing)
            try:
                await self._reach(address, link)
                answer = await self._answer(link, command)
            except EngineError as error:
                problem = error
                continue
            self.close()
            self._link = link
            self.at = address
            # The one that answered is asked first the next time.
            self.addresses.remove(address)
            self.addresses.insert(0, address)
            return answer
        raise problem

    async def _answer(self, link: Link, command: bytes) -> Any:
        try:
            async with asyncio.timeout(ANSWER_S):
                return await link.ask(command)
        except BaseException as error:
            link.abort()
            if isinstance(error, TimeoutError):
                raise EngineAway(f"Redis did not answer within {ANSWER_S:g} s; retry") from None
            raise

    def close(self) -> None:
        """End the connection."""
        if self._link is not None:
            self._link.abort()
            self._link = None


class Sentinels:
    """The server that the sentinels call `master`."""

    def __init__(self, url: RedisUrl, reach: Reach) -> None:
        self._master = url.master
        self._asker = Asker(url.addresses, reach.as_user(url.sentinel_login))

    async def find(self) -> list[Part]:
        """Ask the first sentinel that answers."""
        answer = await self._asker.ask(pack("SENTINEL", "GET-MASTER-ADDR-BY-NAME", self._master))
        if answer is None:
            raise EngineUnsuitable(
                f"the sentinel at {show(self._asker.at)} watches nothing called {self._master!r}; "
                "correct the end of the engine URL"
            )
        host, port = answer
        return [Part((host.decode(), int(port)))]

    async def changed(self, known: Sequence[Address]) -> bool:
        """Whether the sentinel names another; it is not known where none answers."""
        try:
            return [part.address for part in await self.find()] != list(known)
        except EngineError:
            return False

    def close(self) -> None:
        """End the connection to the sentinel."""
        self._asker.close()


class Cluster:
    """The masters of a Redis Cluster."""

    def __init__(self, url: RedisUrl, reach: Reach) -> None:
        self._given = url.addresses
        self._asker = Asker(url.addresses, reach)

    async def find(self) -> list[Part]:
        """Ask the first server that answers, of those of the URL and those that were found before."""
        try:
            answer = await self._asker.ask(pack("CLUSTER", "SLOTS"))
        except EngineUnsuitable as error:
            if "cluster support disabled" in str(error):
                raise EngineUnsuitable(
                    f"Redis at {show(self._asker.at)} is not part of a cluster; give redis://host:port"
                ) from None
            raise
        slots: dict[Address, list[range]] = {}
        for first, last, master, *_ in answer:
            host, port = master[0], master[1]
            # Without a name of its own a server is where we found it.
            address = (host.decode() if host and host != b"?" else self._asker.at[0], int(port))
            slots.setdefault(address, []).append(range(int(first), int(last) + 1))
        covered = sum(len(part) for parts in slots.values() for part in parts)
        if covered < SLOTS:
            raise EngineAway(f"the Redis Cluster covers {covered} of {SLOTS} slots at the moment; retry")
        self._asker.addresses = list(dict.fromkeys([self._asker.at, *slots, *self._given]))
        return [Part(address, tuple(sorted(parts, key=lambda part: part.start))) for address, parts in slots.items()]

    async def changed(self, known: Sequence[Address]) -> bool:
        """Return False: servers of a cluster say it themselves, by refusing what is not theirs."""
        return False

    def close(self) -> None:
        """End the connection."""
        self._asker.close()


def topology_of(url: RedisUrl, reach: Reach) -> Topology:
    """Return what finds the servers of `url`."""
    if url.kind is Kind.SENTINEL:
        return Sentinels(url, reach)
    if url.kind is Kind.CLUSTER:
        return Cluster(url, reach)
    return Single(url.addresses[0])


def _nothing() -> None:
    """The loss of a connection that only asks shows at the next question."""
