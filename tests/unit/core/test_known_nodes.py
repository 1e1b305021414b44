"""The nodes that had a channel when they were last asked."""

from ringway.core import known_nodes
from ringway.core.known_nodes import KNOWN_S, KnownNodes
from ringway.types import Channel

A, B = Channel("a"), Channel("b")
ONE, TWO = frozenset((b"1111",)), frozenset((b"1111", b"2222"))


def test_the_last_answer_is_remembered_for_a_while() -> None:
    known = KnownNodes()
    known.set(A, TWO, 0.0)
    known.set(B, ONE, 0.0)
    known.set(A, ONE, 10.0)
    assert (known.of(A), known.of(B), len(known)) == (ONE, ONE, 2)
    known.sweep(KNOWN_S)
    assert (known.of(A), known.of(B), len(known)) == (ONE, frozenset(), 1)
    known.set(A, frozenset(), 11.0)
    assert (known.of(A), len(known)) == (frozenset(), 0)


def test_above_the_maximum_the_oldest_channel_is_forgotten(monkeypatch) -> None:
    monkeypatch.setattr(known_nodes, "NODES_MAX", 3)
    known = KnownNodes()
    known.set(A, TWO, 0.0)
    known.set(B, TWO, 1.0)
    assert (known.of(A), known.of(B), len(known)) == (frozenset(), TWO, 2)
