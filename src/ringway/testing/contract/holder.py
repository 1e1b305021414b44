"""Contract suite of holders: the promises of `ringway.member.holder`, as tests that any holder must pass.

To prove a holder, subclass `HolderContract` in a test module and give a fixture `world`:

    class TestMyHolder(HolderContract):
        @pytest.fixture
        async def world(self):
            world = MyWorld()          # see `HolderWorld`
            yield world
            await world.close()

The tests are coroutines and do not use pytest; run them with pytest-asyncio in auto mode. Each test needs a holder
without connections.
"""
# ruff: noqa: D102 - the names of the tests are sentences

import asyncio
from typing import Any, Protocol

from ringway.member.holder import CloseCause, Holder
from ringway.member.sent_moves import SentMoves
from ringway.testing.contract.world import PATIENCE_S, until
from ringway.types import NodeName

TARGET = NodeName("n2")


class HeldClient(Protocol):
    """A client whose connection belongs to the holder."""

    async def wait_closed(self) -> None:
        """Return when the client was told that its connection ends, and has answered."""
        ...

    async def leave(self) -> None:
        """Close the connection from the client's side."""
        ...

    async def ignore_close(self) -> None:
        """Stay, and from now on never answer when the connection is closed."""
        ...


class HolderWorld(Protocol):
    """The surroundings of a holder, as the suite needs them. The member `n2` is alive, and accepts connections."""

    @property
    def holder(self) -> Holder[Any]:
        """The holder."""
        ...

    @property
    def sent(self) -> SentMoves:
        """The counters of the holder's moves."""
        ...

    def now(self) -> float:
        """Return the time of the holder's clock."""
        ...

    async def open(self, *, is_moved: bool = False) -> HeldClient:
        """Return a client that is connected and introduced; with `is_moved`, `n2` has moved it here."""
        ...


class HolderContract:
    """All promises of a holder to its member. Subclass it and give the fixture `world`."""

    async def test_connections_are_counted_while_they_last(self, world: HolderWorld) -> None:
        assert world.holder.counts() == (0, 0, 0)
        clients = [await world.open() for _ in range(3)]
        assert world.holder.counts() == (3, 0, 3)
        for client in clients:
            await client.leave()
        await until(lambda: world.holder.counts() == (0, 0, 0))

    async def test_what_was_accepted_is_counted_for_ever(self, world: HolderWorld) -> None:
        before = world.holder.measures(world.now(), 0.0)
        for _ in range(3):
            client = await world.open()
            await client.leave()
        await until(lambda: world.holder.counts().open == 0)
        after = world.holder.measures(world.now(), 0.0)
        assert after.accepted == before.accepted + 3
        assert after.sockets == before.sockets + 3
        assert after.sent_bytes >= before.sent_bytes
        assert after.handshake_p99_s >= 0

    async def test_connections_are_listed_with_the_oldest_first(self, world: HolderWorld) -> None:
        for count in range(3):
            before = world.holder.usable_connections()
            assert len(before) == count
            await world.open()
            assert world.holder.usable_connections()[:count] == before

    async def test_a_list_of_connections_belongs_to_the_caller(self, world: HolderWorld) -> None:
        await world.open()
        world.holder.usable_connections().clear()
        assert len(world.holder.usable_connections()) == 1

    async def test_a_connected_client_may_leave(self, world: HolderWorld) -> None:
        await world.open()
        (connection,) = world.holder.usable_connections()
        assert connection.is_usable
        assert connection.is_connected
        assert connection.may_leave
        assert connection.moved_at is None
        assert connection in {connection}

    async def test_a_client_that_was_moved_here_cools_down(self, world: HolderWorld) -> None:
        await world.open()
        await world.open(is_moved=True)
        moved_at = [connection.moved_at for connection in world.holder.usable_connections()]
        assert moved_at[0] is None
        assert moved_at[1] is not None
        assert world.holder.measures(world.now(), 1800.0).cooling == 1
        assert world.holder.measures(world.now() + 3600.0, 1800.0).cooling == 0
        assert world.holder.measures(world.now() + 2.0, 0.0).cooling == 0

    async def test_a_client_learns_that_its_connection_is_closed(self, world: HolderWorld) -> None:
        for cause in CloseCause:
            client = await world.open()
            (connection,) = world.holder.usable_connections()
            world.holder.close_connection(connection, cause)
            assert not connection.is_usable
            assert not connection.may_leave
            assert world.holder.usable_connections() == []
            assert world.holder.counts().connected == 0
            await client.wait_closed()
            await until(lambda: world.holder.counts().open == 0)

    async def test_a_connection_is_closed_once(self, world: HolderWorld) -> None:
        client = await world.open()
        other = await world.open()
        connection = world.holder.usable_connections()[0]
        for cause in CloseCause:
            world.holder.close_connection(connection, cause)
        assert world.holder.counts().connected == 1
        await client.wait_closed()
        await until(lambda: world.holder.counts() == (1, 0, 1))
        world.holder.close_connection(connection, CloseCause.DRAINED)
        await other.leave()

    async def test_a_move_is_counted_once_and_ends_the_connection(self, world: HolderWorld) -> None:
        client = await world.open()
        (connection,) = world.holder.usable_connections()
        await world.holder.send_off(connection, TARGET)
        await until(lambda: world.sent.total == 1)
        assert not connection.may_leave
        await client.wait_closed()
        await until(lambda: world.holder.counts().open == 0)
        assert world.sent.moved == {TARGET: 1}
        assert world.sent.ledger.held() == {TARGET: 1}
        assert world.sent.total == 1

    async def test_a_connection_that_may_not_leave_is_not_moved(self, world: HolderWorld) -> None:
        client = await world.open()
        (connection,) = world.holder.usable_connections()
        world.holder.close_connection(connection, CloseCause.DRAINED)
        await world.holder.send_off(connection, TARGET)
        await client.wait_closed()
        assert world.sent.total == 0

    async def test_nothing_is_waited_for_where_nothing_is_open(self, world: HolderWorld) -> None:
        async with asyncio.timeout(PATIENCE_S):
            await world.holder.cut_rest(10 * PATIENCE_S)

    async def test_clients_that_answer_are_waited_for_and_the_rest_is_cut(self, world: HolderWorld) -> None:
        answering, silent = await world.open(), await world.open()
        await silent.ignore_close()
        for connection in world.holder.usable_connections():
            world.holder.close_connection(connection, CloseCause.SHUTDOWN)

        async def answer() -> None:
            await answering.wait_closed()
            await until(lambda: world.holder.counts().open == 1)

        async with asyncio.timeout(PATIENCE_S):
            await asyncio.gather(world.holder.cut_rest(2.0), answer())
        assert world.holder.counts() == (0, 0, 0)
