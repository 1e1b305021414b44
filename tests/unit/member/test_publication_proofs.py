"""Publications that are believed only when proven: those that arrive, and those of history."""

from dataclasses import dataclass, field

import pytest

from ringway.core.channel_numbers import SENDERS_MAX
from ringway.core.message_refusals import MessageRefusals
from ringway.member.publication_proofs import PublicationProofs
from ringway.ports import Page
from ringway.protocol.envelope import JOIN, PUBLICATION, Origin
from ringway.protocol.keyring import Keyring, Purpose
from ringway.protocol.seal import AGE_S_MAX, SealFault
from ringway.types import Channel, Incarnation

KEYRING = Keyring(b"the cluster's secret")
A, B = Channel("a"), Channel("b")
BODY = b'{"data":1}'


@dataclass
class Bench:
    now: float = 1_800_000_000.0
    refusals: MessageRefusals = field(default_factory=MessageRefusals)

    def __post_init__(self) -> None:
        self.proofs = PublicationProofs(KEYRING, self.refusals, wall=self.wall, clock=self.wall)
        self.one, self.two = self.origin(1), self.origin(2)

    def wall(self) -> float:
        return self.now

    def origin(self, number: int, keyring: Keyring = KEYRING) -> Origin:
        return Origin(keyring, Incarnation(f"{number:08x}"), self.wall)

    def faults(self) -> list[SealFault]:
        counts = self.refusals.counts.items()
        return [fault for (purpose, fault), count in counts for _ in range(count) if purpose is Purpose.PUBLICATION]

    def read(self, *publications: tuple[int, bytes], channel: Channel = A) -> list[int]:
        """Return the offsets of a page that are believed; the others must have an empty payload."""
        page = Page("e", publications[-1][0], list(publications), complete=True)
        taken = self.proofs.believe_page(channel, page)
        assert (taken.epoch, taken.offset, taken.complete) == (page.epoch, page.offset, page.complete)
        assert [offset for offset, _ in taken.publications] == [offset for offset, _ in publications]
        assert all(payload in (b"", dict(publications)[offset]) for offset, payload in taken.publications)
        return [offset for offset, payload in taken.publications if payload]


@pytest.fixture
def bench() -> Bench:
    return Bench()


def test_a_sealed_message_is_taken_once_on_its_channel(bench: Bench) -> None:
    payload = bench.one.seal(PUBLICATION, A, BODY)
    assert not bench.proofs.believe(B, payload, 0)
    assert bench.proofs.believe(A, payload, 0)
    assert not bench.proofs.believe(A, payload, 0)
    assert bench.faults() == [SealFault.FORGED, SealFault.REPLAYED]


@pytest.mark.parametrize("payload", [b"", b"x", b"p" + bytes(40), b"\2p" + bytes(40), bytes(36), b"\xff" * 200])
def test_any_bytes_are_refused(bench: Bench, payload: bytes) -> None:
    assert not bench.proofs.believe(A, payload, 0)
    assert bench.read((5, payload)) == []
    assert len(bench.faults()) == 2


def test_a_message_of_another_secret_is_forged(bench: Bench) -> None:
    payload = bench.origin(1, Keyring(b"some other secret")).seal(PUBLICATION, A, BODY)
    assert not bench.proofs.believe(A, payload, 0)
    assert bench.read((5, payload)) == []
    assert bench.faults() == [SealFault.FORGED] * 2


def test_an_old_message_is_refused_unless_it_is_stored(bench: Bench) -> None:
    first, second = bench.one.seal(PUBLICATION, A, BODY), bench.one.seal(PUBLICATION, A, BODY)
    bench.now += AGE_S_MAX + 1
    assert not bench.proofs.believe(A, first, 0)
    assert bench.read((1, first)) == [1]
    assert bench.proofs.believe(A, second, 2)
    bench.now -= 2 * AGE_S_MAX + 2
    assert not bench.proofs.believe(B, bench.two.seal(PUBLICATION, A, BODY), 0)
    assert bench.faults() == [SealFault.STALE, SealFault.FORGED]


def test_numbers_of_senders_kinds_and_channels_are_apart(bench: Bench) -> None:
    """A join may overtake a publication, which is stored first; each sender and channel has an order of its own."""
    first, join = bench.one.seal(PUBLICATION, A, BODY), bench.one.seal(JOIN, A, b'{"user":""}')
    assert bench.proofs.believe(A, join, 0)
    assert bench.proofs.believe(A, bench.two.seal(PUBLICATION, A, BODY), 3)
    assert bench.proofs.believe(B, bench.one.seal(PUBLICATION, B, BODY), 0)
    assert bench.proofs.believe(A, first, 4)
    assert bench.faults() == []


def test_a_stored_join_is_refused(bench: Bench) -> None:
    join = bench.one.seal(JOIN, A, b'{"user":""}')
    assert not bench.proofs.believe(A, join, 7)
    assert bench.read((7, join)) == []
    assert bench.faults() == [SealFault.UNREADABLE] * 2


def test_in_a_page_a_forged_publication_leaves_its_place_empty(bench: Bench) -> None:
    first, second = (bench.one.seal(PUBLICATION, A, BODY) for _ in range(2))
    assert bench.read((1, first), (2, b"junk"), (3, second), (4, b"\2" + second[1:-1] + b"?")) == [1, 3]
    assert bench.read((1, first), (3, second)) == [1, 3], "history may be read again"


def test_a_publication_that_was_stored_again_is_found(bench: Bench) -> None:
    first, second, third = (bench.one.seal(PUBLICATION, A, BODY) for _ in range(3))
    other = bench.two.seal(PUBLICATION, A, BODY)
    assert bench.read((1, first), (2, second), (3, first), (4, other), (5, second), (6, third)) == [1, 2, 4, 6]
    assert bench.faults() == [SealFault.REPLAYED] * 2
    assert bench.read((1, first), (2, second), (4, other), (6, third)) == [1, 2, 4, 6]


def test_a_channel_that_is_not_followed_any_more_is_forgotten(bench: Bench) -> None:
    payload = bench.one.seal(PUBLICATION, A, BODY)
    assert bench.proofs.believe(A, payload, 0)
    bench.proofs.forget(A)
    bench.proofs.forget(A)
    assert bench.proofs.believe(A, payload, 0)


def test_the_senders_of_a_channel_are_bounded(bench: Bench) -> None:
    payloads = [bench.origin(number).seal(PUBLICATION, A, BODY) for number in range(SENDERS_MAX + 1)]
    assert all(bench.proofs.believe(A, payload, 0) for payload in payloads)
    assert not bench.proofs.believe(A, payloads[1], 0)
    assert bench.proofs.believe(A, payloads[0], 0), "the first sender was to be forgotten"


def test_while_the_secret_changes_messages_of_both_are_taken(bench: Bench) -> None:
    proofs = PublicationProofs(Keyring(b"new secret", b"the cluster's secret"), bench.refusals, wall=bench.wall)
    assert proofs.believe(A, bench.one.seal(PUBLICATION, A, BODY), 0)
    assert proofs.believe(A, bench.origin(3, Keyring(b"new secret")).seal(PUBLICATION, A, BODY), 0)
