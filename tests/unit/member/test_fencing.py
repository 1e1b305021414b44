"""Giving up the clients, of connections that exist in name only."""

from ringway.member.fencing import Fencing
from ringway.member.holder import CloseCause
from ringway.member.process import queued_s
from unit.member.fake_holder import FakeConnection, FakeHolder


def test_all_clients_are_closed_within_a_second_and_newcomers_stay() -> None:
    holder = FakeHolder()
    now = 100.0
    fencing = Fencing(holder, lambda: now)
    fencing.tick(1)
    assert holder.left() == 10
    now += 60.0
    left = []
    newcomer = FakeConnection()
    for beat in range(5):
        fencing.tick(2 + beat)
        left.append(holder.left())
        now += 0.25
        if beat == 0:
            holder.close_connection(holder.connections[9], CloseCause.DRAINED)
            holder.connections.append(newcomer)
    assert left == [7, 4, 2, 1, 1]
    assert newcomer.is_usable
    assert holder.causes() == [*[CloseCause.FENCED] * 9, CloseCause.DRAINED, None]


def test_the_time_in_the_queue_is_told_here() -> None:
    assert queued_s() >= 0.0
