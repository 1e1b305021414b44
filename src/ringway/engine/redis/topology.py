"""Servers that accept writes: the server of the URL, the server that sentinels name, or the masters of a cluster."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from ringway.engine.redis.command_connection import CommandConnection, pack
from ringway.engine.redis.connector import RedisConnector
from ringway.engine.redis.slot import SLOTS
from ringway.engine.redis.url import Address, Kind, RedisUrl, show
from ringway.errors import EngineAway, EngineError, EngineUnsuitable

ANSWER_S = 2.0
"""The deadline of a server's answer about the other servers."""

ALL_SLOTS = range(SLOTS)


@dataclass(frozen=True, slots=True)
class ServerSlots:
    """A server that accepts writes, with its slots."""

    address: Address
    slots: tuple[range, ...] = (ALL_SLOTS,)


class Topology(Protocol):
    """Finds the servers."""

    async def find_servers(self) -> list[ServerSlots]:
        """Return the servers that accept writes, all slots covered. Raise `EngineError` if they are not known now."""
        ...

    async def has_changed(self, known: Sequence[Address]) -> bool:
        """Return True if servers not in `known` accept writes now; False where servers report a change themselves."""
        ...

    def close(self) -> None:
        """Close all connections."""
        ...


class SingleTopology:
    """One server, always the same."""

    def __init__(self, address: Address) -> None:
        self._address = address

    async def find_servers(self) -> list[ServerSlots]:
        """Return the server."""
        return [ServerSlots(self._address)]

    async def has_changed(self, known: Sequence[Address]) -> bool:
        """Return False: the server is always the same."""
        return False

    def close(self) -> None:
        """Do nothing: no connection is open."""


class QueryConnection:
    """A connection to the first of several addresses that answers; it stays open for the next query."""

    def __init__(self, addresses: Sequence[Address], connector: RedisConnector) -> None:
        self.addresses = list(addresses)
        self.at: Address = self.addresses[0]
        """The address that answered last."""
        self._connector = connector
        self._connection: CommandConnection | None = None

    async def execute(self, command: bytes) -> Any:
        """Return the answer to `command`; raise the last `EngineError` if no address answers."""
        problem: EngineError = EngineAway("there is no address to ask")
        if self._connection is not None and self._connection.up:
            try:
                return await _execute(self._connection, command)
            except EngineError as error:
                problem = error
        for address in list(self.addresses):
            connection = CommandConnection(_do_nothing, _do_nothing)
            try:
                await self._connector.connect(address, connection)
                answer = await _execute(connection, command)
            except EngineError as error:
                problem = error
                continue
            self.close()
            self._connection = connection
            self.at = address
            # The address that answered is tried first the next time.
            self.addresses.remove(address)
            self.addresses.insert(0, address)
            return answer
        raise problem

    def close(self) -> None:
        """End the connection."""
        if self._connection is not None:
            self._connection.abort()
            self._connection = None


async def _execute(connection: CommandConnection, command: bytes) -> Any:
    try:
        async with asyncio.timeout(ANSWER_S):
            return await connection.execute(command)
    except BaseException as error:
        connection.abort()
        if isinstance(error, TimeoutError):
            raise EngineAway(f"Redis did not answer within {ANSWER_S:g} s; retry") from None
        raise


class SentinelTopology:
    """The sentinels' server with the name in the URL."""

    def __init__(self, url: RedisUrl, connector: RedisConnector) -> None:
        self._master = url.master
        self._query = QueryConnection(url.addresses, connector.as_user(url.sentinel_login))

    async def find_servers(self) -> list[ServerSlots]:
        """Return the master that the first answering sentinel names."""
        answer = await self._query.execute(pack("SENTINEL", "GET-MASTER-ADDR-BY-NAME", self._master))
        if answer is None:
            raise EngineUnsuitable(
                f"the sentinel at {show(self._query.at)} watches nothing called {self._master!r}; "
                "correct the end of the engine URL"
            )
        host, port = answer
        return [ServerSlots((host.decode(), int(port)))]

    async def has_changed(self, known: Sequence[Address]) -> bool:
        """Return True if the sentinel names a different master; False also if no sentinel answers."""
        try:
            return [server.address for server in await self.find_servers()] != list(known)
        except EngineError:
            return False

    def close(self) -> None:
        """End the connection to the sentinel."""
        self._query.close()


class ClusterTopology:
    """The masters of a Redis Cluster."""

    def __init__(self, url: RedisUrl, connector: RedisConnector) -> None:
        self._given = url.addresses
        self._query = QueryConnection(url.addresses, connector)

    async def find_servers(self) -> list[ServerSlots]:
        """Return the masters according to the first server that answers, of those of the URL and those found before."""
        try:
            answer = await self._query.execute(pack("CLUSTER", "SLOTS"))
        except EngineUnsuitable as error:
            if "cluster support disabled" in str(error):
                raise EngineUnsuitable(
                    f"Redis at {show(self._query.at)} is not part of a cluster; give redis://host:port"
                ) from None
            raise
        slots: dict[Address, list[range]] = {}
        for first, last, master, *_ in answer:
            host, port = master[0], master[1]
            # A server that does not know its own name has the address at which it answered.
            address = (host.decode() if host and host != b"?" else self._query.at[0], int(port))
            slots.setdefault(address, []).append(range(int(first), int(last) + 1))
        covered = sum(len(part) for parts in slots.values() for part in parts)
        if covered < SLOTS:
            raise EngineAway(f"the Redis Cluster covers {covered} of {SLOTS} slots at the moment; retry")
        self._query.addresses = list(dict.fromkeys([self._query.at, *slots, *self._given]))
        return [
            ServerSlots(address, tuple(sorted(parts, key=lambda part: part.start))) for address, parts in slots.items()
        ]

    async def has_changed(self, known: Sequence[Address]) -> bool:
        """Return False: servers of a cluster report a change themselves, by refusing names of other servers."""
        return False

    def close(self) -> None:
        """End the connection."""
        self._query.close()


def topology_of(url: RedisUrl, connector: RedisConnector) -> Topology:
    """Return the topology that finds the servers of `url`."""
    if url.kind is Kind.SENTINEL:
        return SentinelTopology(url, connector)
    if url.kind is Kind.CLUSTER:
        return ClusterTopology(url, connector)
    return SingleTopology(url.addresses[0])


def _do_nothing() -> None:
    """Ignore the loss of a query connection: the next query finds it."""
