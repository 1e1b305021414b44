"""Contract of a registry; part of `contract.engine`."""
# ruff: noqa: D102 - the names of the tests are sentences

from ringway.testing.contract.world import World, listen, members, until
from ringway.types import NodeName, Role


class RegistryContract:
    """Messages of members reach all that watch their role; questions reach the members of a role."""

    async def test_messages_are_heard_in_order_by_all_that_watch_the_role(self, world: World) -> None:
        async with members(world, 3) as engines:
            heard = [await listen(engine) for engine in engines]
            for message in (b"first", b"second\n", b"", b"\x00\xff"):
                await engines[0].registry.announce(Role.NODE, NodeName("n.1"), message)
            await engines[0].registry.withdraw(Role.NODE, NodeName("n.1"), b"last")
            for words in heard:
                await until(lambda words=words: ("n.1", b"last") in words)  # type: ignore[misc]
                assert words == [("n.1", word) for word in (b"first", b"second\n", b"", b"\x00\xff", b"last")]

    async def test_other_roles_are_not_heard(self, world: World) -> None:
        async with members(world, 2) as (a, b):
            nodes, gateways = await listen(a, Role.NODE), await listen(b, Role.GATEWAY)
            await a.registry.announce(Role.NODE, NodeName("n"), b"1")
            await a.registry.announce(Role.GATEWAY, NodeName("b" * 63), b"2")
            await until(lambda: bool(nodes and gateways))
            await a.registry.withdraw(Role.NODE, NodeName("n"), b"3")
            await a.registry.withdraw(Role.GATEWAY, NodeName("b" * 63), b"4")
            await until(lambda: len(nodes) == len(gateways) == 2)
            assert nodes == [("n", b"1"), ("n", b"3")]
            assert gateways == [("b" * 63, b"2"), ("b" * 63, b"4")]

    async def test_a_newcomer_asks_all_members_of_the_roles_that_it_watches(self, world: World) -> None:
        async with members(world, 3) as (a, b, newcomer):
            asked: list[tuple[str, NodeName]] = []
            await a.registry.answer(Role.NODE, lambda name: asked.append(("a", name)))
            await b.registry.answer(Role.NODE, lambda name: asked.append(("b", name)))
            await b.registry.answer(Role.GATEWAY, lambda name: asked.append(("gateway", name)))
            await listen(newcomer, Role.NODE)
            await until(lambda: len(asked) >= 2)
            await listen(a, Role.GATEWAY)
            await until(lambda: len(asked) >= 3)
            assert sorted(asked) == [("a", ""), ("b", ""), ("gateway", "")]

    async def test_one_member_can_be_asked(self, world: World) -> None:
        async with members(world, 2) as (a, b):
            asked: list[NodeName] = []
            await a.registry.answer(Role.NODE, asked.append)
            b.registry.ask_member(Role.NODE, NodeName("n.1"))
            await until(lambda: asked == [NodeName("n.1")])

    async def test_questions_go_to_all_members_of_one_process(self, world: World) -> None:
        async with members(world, 2) as (a, b):
            first: list[NodeName] = []
            second: list[NodeName] = []
            await a.registry.answer(Role.NODE, first.append)
            await a.registry.answer(Role.NODE, second.append)
            b.registry.ask_member(Role.NODE, NodeName(""))
            await until(lambda: first == second == [NodeName("")])
