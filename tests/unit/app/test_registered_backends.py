"""Registered backends in the cluster: another server that has the name of one is neither shown as it, nor drained."""

import pytest

from ringway.app.registered_backends import RegisteredBackends
from ringway.core.group import Groups
from ringway.core.registration import RegistrationRefused
from ringway.engine.memory.engine import MemoryHub
from ringway.errors import EngineError
from ringway.gateway.backends.book import BackendBook
from ringway.protocol.backend import Backend
from ringway.protocol.registration import DrainOrder, Renewal
from ringway.protocol.report import Report
from ringway.sources.registration.config import RegistrationConfig
from ringway.sources.registration.source import RegistrationSource
from ringway.types import Issuer, NodeName, NodeState, Role

A, URL = NodeName("a"), "ws://10.0.0.1:9000"


class World:
    """The members of a cluster without a leader, and one gateway with a registration port."""

    def __init__(self) -> None:
        self.groups = Groups(Issuer("0badcafe"))
        self.book = BackendBook(lambda name, draining, within_s: None, lambda name: False)
        self.cluster = RegisteredBackends(self.groups, self.book, MemoryHub().open().bus)
        self.source = RegistrationSource(
            RegistrationConfig(), self.book, judge=self.cluster.judge_drain, find_state=self.cluster.find_state,
            find_node=self.cluster.find_node_url,
        )  # fmt: skip

    def hear(self, backend: Backend, *, is_backend: bool = True) -> None:
        self.groups.reported(
            Report(
                name=backend.name, incarnation=backend.incarnation, role=Role.NODE, seq=1, url=backend.url,
                is_backend=is_backend, connections=8,
            ),
            0.0,
        )  # fmt: skip

    def register(self) -> Backend:
        self.source.register(A, {"url": URL, "incarnation": "i"})
        claim = self.book.claim(A)
        assert claim is not None
        return claim.backend


async def test_the_registered_backend_is_shown_and_the_leader_is_asked_to_drain_it() -> None:
    world = World()
    world.hear(world.register())
    state = world.cluster.find_state(A)
    assert state is not None
    assert (state.state, state.left) == (NodeState.ACTIVE, 8)
    with pytest.raises(EngineError):
        await world.cluster.judge_drain(A, 5.0, False)


async def test_a_different_server_under_the_name_is_not_shown_and_no_leader_is_asked_to_drain_it() -> None:
    world = World()
    world.register()
    world.hear(Backend(name=A, url="ws://10.0.0.2:9000"))
    assert world.cluster.find_state(A) is None
    assert (await world.cluster.judge_drain(A, 5.0, False)).why == ""


async def test_the_name_of_a_channel_node_cannot_be_registered_renewed_or_drained() -> None:
    world = World()
    world.register()
    world.hear(Backend(name=A, url="ws://10.0.0.2:9000/connection/websocket"), is_backend=False)
    refusal = "'a' belongs to the channel node at ws://10.0.0.2:9000/.*; take another name"
    with pytest.raises(RegistrationRefused, match=refusal):
        world.register()
    with pytest.raises(RegistrationRefused, match=refusal):
        world.source.renew(A, Renewal())
    with pytest.raises(RegistrationRefused, match=refusal):
        await world.source.drain(A, DrainOrder())
