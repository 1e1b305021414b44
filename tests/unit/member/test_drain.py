"""A drain by a deadline, of connections that exist in name only, on time that the test moves."""

from dataclasses import dataclass, field
from typing import Any

import pytest

from ringway.member.drain import SPREAD_S, Drain
from ringway.node.stats import Stats
from ringway.types import NodeState

START = 1000.0


@dataclass(eq=False)
class Client:
    closed: tuple[int, str] | None = None

    @property
    def is_usable(self) -> bool:
        return self.closed is None

    def close(self, code: int, reason: str) -> None:
        self.closed = code, reason


@dataclass
class Node:
    roster: list[Client] = field(default_factory=lambda: [Client() for _ in range(10)])
    state: NodeState = NodeState.ACTIVE
    stats: Stats = field(default_factory=Stats)

    def left(self) -> int:
        return sum(client.is_usable for client in self.roster)


@pytest.fixture
def node() -> Node:
    return Node()


@pytest.fixture
def drain(node: Any) -> Drain:
    return Drain(node)


def test_without_a_deadline_nobody_is_closed(node: Node, drain: Drain) -> None:
    drain.set(draining=True, within_s=0.0, now=START)
    assert node.state is NodeState.DRAINING
    assert drain.left_s(START) == 0.0
    drain.tick(START + 1e6)
    assert node.left() == 10


def test_at_the_deadline_the_rest_is_closed_within_a_second(node: Node, drain: Drain) -> None:
    drain.set(draining=True, within_s=60.0, now=START)
    assert drain.left_s(START + 20.0) == 40.0
    drain.tick(START + 59.9)
    assert node.left() == 10
    left = []
    for tick in range(5):
        drain.tick(START + 60.0 + tick * 0.25)
        left.append(node.left())
    assert left == [7, 4, 2, 0, 0]
    assert {client.closed for client in node.roster} == {(1012, "drained")}
    assert node.stats.drained == 10
    assert drain.left_s(START + 100.0) > 0, "it still drains by a deadline"
    node.roster.append(Client())  # with a ticket from before
    drain.tick(START + 60.0 + 2 * SPREAD_S)
    assert node.left() == 0


def test_a_late_tick_makes_up_for_it(node: Node, drain: Drain) -> None:
    drain.set(draining=True, within_s=60.0, now=START)
    drain.tick(START + 70.0)
    assert node.left() == 0


def test_the_newest_word_counts(node: Node, drain: Drain) -> None:
    drain.set(draining=True, within_s=60.0, now=START)
    drain.set(draining=True, within_s=90.0, now=START + 1)
    assert drain.left_s(START + 1) == 90.0
    drain.set(draining=True, within_s=0.0, now=START + 2)
    assert drain.left_s(START + 2) == 0.0
    drain.set(draining=True, within_s=10.0, now=START + 3)
    drain.set(draining=False, within_s=10.0, now=START + 4)
    assert node.state is NodeState.ACTIVE
    assert drain.left_s(START + 4) == 0.0
    drain.tick(START + 100.0)
    assert node.left() == 10


def test_a_node_that_stops_keeps_an_earlier_deadline(node: Node, drain: Drain) -> None:
    drain.stop(30.0, START)
    assert drain.stopping
    assert drain.left_s(START) == 30.0
    other = Drain(node)  # type: ignore[arg-type]
    other.set(draining=True, within_s=10.0, now=START)
    other.stop(30.0, START + 5.0)
    assert other.left_s(START + 5.0) == 5.0
    late = Drain(node)  # type: ignore[arg-type]
    late.set(draining=True, within_s=90.0, now=START)
    late.stop(30.0, START)
    assert late.left_s(START) == 30.0
