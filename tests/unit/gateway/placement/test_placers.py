"""Placers: one for each group, made once, and gone with the group."""

import random

from ringway.core.group import EMPTY_S, Group, Groups
from ringway.gateway.placement.placer import Placer
from ringway.gateway.placement.placers import Placers
from ringway.gateway.stats import GatewayStats
from ringway.protocol.keyring import Keyring
from ringway.protocol.ticket import TicketSigner
from ringway.types import Issuer
from sample import node_report


class World:
    """The placers of one gateway, one of whose groups has a route."""

    def __init__(self) -> None:
        self.groups = Groups(Issuer("0badcafe"), kept=["routed"])
        self.made: list[str] = []
        self.placers = Placers(self.groups, self.make, lambda: 0.0)

    def make(self, group: Group) -> Placer:
        self.made.append(group.name)
        signer = TicketSigner(Keyring(b"secret"))
        return Placer(
            group.view, group.steering, signer, GatewayStats(), lambda: 0.0, random.Random(1), lambda: 0.0,
            group=group.name,
        )  # fmt: skip


async def test_the_placer_of_a_group_without_members_stays_while_the_group_does() -> None:
    world = World()
    placer = world.placers["routed"]
    for now in (0.0, 2 * EMPTY_S, 4 * EMPTY_S):
        world.groups.tick(now)
        await world.placers.prepare()
    assert world.placers["routed"] is placer
    assert world.made == ["routed"]


async def test_a_group_that_is_forgotten_and_comes_back_has_a_placer_of_its_own() -> None:
    world = World()
    report = node_report("a", is_backend=True, group="chat")
    world.groups.reported(report, 0.0)
    before = world.placers["chat"]
    world.groups.forgotten(report)
    world.groups.tick(0.0)
    world.groups.tick(2 * EMPTY_S)
    world.groups.reported(report, 3 * EMPTY_S)
    after = world.placers["chat"]
    assert after is not before
    assert after.view is world.groups["chat"].view
