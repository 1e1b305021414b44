"""Reports of a gateway."""

import asyncio
import random

import pytest

from ringway.core.membership import MemberLeft, MembershipEvent
from ringway.engine.memory.engine import MemoryHub
from ringway.gateway.cluster.directory import Directory
from ringway.gateway.cluster.reporter import GatewayReporter
from ringway.member.feed import Feed
from ringway.protocol.keyring import Keyring
from ringway.protocol.report import Report
from ringway.types import Incarnation, Issuer, NodeName, Role
from support.members import report_reader, report_writer

ME = Report(name=NodeName("gateway-1"), incarnation=Incarnation("00000001"), role=Role.GATEWAY, seq=0, url="")


@pytest.mark.parametrize("turns", range(6), ids="{} turns after".format)
async def test_it_can_be_stopped_in_every_turn_of_an_announcement(turns: int) -> None:
    """A cancellation must not be lost, as `asyncio.wait_for` loses it in Python 3.11 if its future has just ended."""
    hub = MemoryHub()
    engine = hub.open()
    told: list[MembershipEvent] = []
    announced = asyncio.Event()

    def hear(event: MembershipEvent) -> None:
        told.append(event)
        announced.set()

    keyring = Keyring(b"secret")
    await Feed(report_reader(keyring), listeners=[hear]).follow(hub.open().registry)
    writer = report_writer(keyring, ME.name, ME.incarnation)
    reporter = GatewayReporter(Directory(Issuer(ME.incarnation)), engine, ME, writer, random.Random(1))
    await reporter.start()
    await announced.wait()
    for _ in range(turns):
        await asyncio.sleep(0)
    async with asyncio.timeout(10):
        await reporter.stop()
    await asyncio.sleep(0)
    assert not reporter.tasks
    assert isinstance(told[-1], MemberLeft), "the withdrawal is the last word"
