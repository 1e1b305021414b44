"""Giving up the clients, of connections that exist in name only."""

from dataclasses import dataclass, field
from typing import Any

from ringway.member.fencing import Fencing
from ringway.member.process import queued_s
from ringway.node.stats import Stats


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
    stats: Stats = field(default_factory=Stats)

    def left(self) -> int:
        return sum(client.is_usable for client in self.roster)


def test_all_clients_are_closed_within_a_second_and_newcomers_stay() -> None:
    node: Any = Node()
    now = 100.0
    fencing = Fencing(node, lambda: now)
    fencing.tick(1)
    assert node.left() == 10
    now += 60.0
    left = []
    newcomer = Client()
    for beat in range(5):
        fencing.tick(2 + beat)
        left.append(node.left())
        now += 0.25
        if beat == 0:
            node.roster[9].close(1000, "")
            node.roster.append(newcomer)
    assert left == [7, 4, 2, 1, 1]
    assert newcomer.is_usable
    assert {client.closed for client in node.roster[:9]} == {(1012, "fenced")}
    assert node.stats.fenced == 9


def test_the_time_in_the_queue_is_told_here() -> None:
    assert queued_s() >= 0.0
