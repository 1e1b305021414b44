"""Ends of connections and subscriptions, without sockets."""

from collections.abc import Mapping
from math import inf
from random import Random
from typing import Any

import pytest

from ringway.core.credentials import ANONYMOUS, Credentials
from ringway.core.subscription_rights import SubscriptionRights
from ringway.hooks.hooks import Hooks
from ringway.node.commands.expiry import Expiry
from ringway.node.commands.hook_refreshes import HookRefreshes
from ringway.node.config.namespace import Namespaces
from ringway.node.config.node import NodeConfig

DELAY_S = 25.0


class Client:
    """A connection; `said` is what has become of it."""

    def __init__(self, expires_at: float = inf, rights: Mapping[str, SubscriptionRights] | None = None) -> None:
        self.credentials = ANONYMOUS if expires_at == inf else Credentials("carol", expires_at=expires_at)
        self.rights = dict(rights or {})
        self.channels = list(self.rights)
        self.is_usable = True
        self.said: list[object] = []

    def close(self, code: int, reason: str) -> None:
        self.is_usable = False
        self.said.append(code)


class World:
    """Expiry at a time that the test sets."""

    def __init__(self) -> None:
        self.now = 1000.0
        config, hooks = NodeConfig(), Hooks((), lambda: 0.0)
        refreshes = HookRefreshes(config, hooks, Namespaces(), lambda: self.now, Random(1))
        self.expiry: Any = Expiry(config, lambda: self.now, self._unsubscribe, refreshes)

    def _unsubscribe(self, client: Any, channel: str, code: int, reason: str) -> None:
        client.rights = {name: each for name, each in client.rights.items() if name != channel}
        client.channels.remove(channel)
        client.said.append((channel, code))

    def at(self, now: float) -> None:
        self.now = now
        self.expiry.tick()


@pytest.fixture
def world() -> World:
    return World()


def test_a_client_without_an_end_costs_nothing(world: World) -> None:
    world.expiry.watch(Client(rights={"room": SubscriptionRights(b"1")}))
    assert len(world.expiry) == 0


def test_a_connection_ends_some_time_after_its_token(world: World) -> None:
    client = Client(1010.0)
    world.expiry.watch(client)
    world.at(1010.0 + DELAY_S - 0.1)
    assert client.said == []
    world.at(1010.0 + DELAY_S)
    assert client.said == [3005]
    assert len(world.expiry) == 0


def test_a_refreshed_one_goes_on(world: World) -> None:
    client = Client(1010.0)
    world.expiry.watch(client)
    client.credentials = Credentials("carol", expires_at=1100.0)
    world.expiry.watch(client)
    world.at(1099.0 + DELAY_S)
    assert client.said == []
    client.credentials = Credentials("carol")
    world.expiry.watch(client)
    world.at(1e9)
    assert client.said == []


def test_a_subscription_ends_alone_and_the_rest_goes_on(world: World) -> None:
    client = Client(5000.0, {"a": SubscriptionRights(expires_at=1010.0), "b": SubscriptionRights(expires_at=1020.0)})
    world.expiry.watch(client)
    world.at(1010.0 + DELAY_S)
    assert client.said == [("a", 2501)]
    world.at(1020.0 + DELAY_S)
    assert client.said == [("a", 2501), ("b", 2501)]
    world.at(5000.0 + DELAY_S)
    assert client.said[2:] == [3005]


def test_a_subscription_that_the_server_made_ends_the_connection(world: World) -> None:
    client = Client(rights={"a": SubscriptionRights(expires_at=1010.0, is_server_side=True)})
    world.expiry.watch(client)
    world.at(1010.0 + DELAY_S)
    assert client.said == [3006]


def test_one_that_has_ended_before_it_came_ends_at_the_next_tick(world: World) -> None:
    client = Client(900.0)
    world.expiry.watch(client)
    world.at(1000.0)
    assert client.said == [3005]


def test_one_that_is_over_is_forgotten(world: World) -> None:
    client = Client(1010.0)
    world.expiry.watch(client)
    world.expiry.forget(client)
    world.at(1e9)
    assert client.said == []


def test_the_time_that_is_left_is_told_in_whole_seconds(world: World) -> None:
    assert world.expiry.left(inf) == (False, 0)
    assert world.expiry.left(1010.9) == (True, 10)
    assert world.expiry.left(1000.1) == (True, 1)
