"""Contract of a registry; part of `contract.engine`."""
# ruff: noqa: D102 - the names of the tests are sentences

from ringway.testing.contract.world import World, listen, members, until
from ringway.types import NodeName


class RegistryContract:
    """Reports are heard by all, by newcomers at once, and withdrawals too."""

    async def test_reports_and_withdrawals_are_heard_by_all_the_member_itself_too(self, world: World) -> None:
        async with members(world, 3) as engines:
            heard = [await listen(engine) for engine in engines]
            await engines[0].registry.announce(NodeName("n.1"), b"first")
            await engines[0].registry.announce(NodeName("n.1"), b"second")
            await engines[0].registry.withdraw(NodeName("n.1"))
            for words in heard:
                await until(lambda words=words: ("n.1", None) in words)  # type: ignore[misc]
                assert words == [("n.1", b"first"), ("n.1", b"second"), ("n.1", None)]

    async def test_a_newcomer_hears_the_last_report_of_everybody_at_once(self, world: World) -> None:
        async with members(world, 3) as (a, b, newcomer):
            await a.registry.announce(NodeName("a"), b"old")
            await a.registry.announce(NodeName("a"), b"new")
            await a.registry.announce(NodeName("a-2"), b"second member of one process")
            await b.registry.announce(NodeName("b" * 63), b"")
            heard = await listen(newcomer)
            await until(lambda: len({member for member, _ in heard}) == 3)
            assert dict(heard) == {"a": b"new", "a-2": b"second member of one process", "b" * 63: b""}

    async def test_who_has_withdrawn_is_not_told_to_newcomers(self, world: World) -> None:
        async with members(world, 2) as (a, newcomer):
            await a.registry.announce(NodeName("gone"), b"1")
            await a.registry.announce(NodeName("here"), b"1")
            await a.registry.withdraw(NodeName("gone"))
            heard = await listen(newcomer)
            await until(lambda: ("here", b"1") in heard)
            assert ("gone", b"1") not in heard
