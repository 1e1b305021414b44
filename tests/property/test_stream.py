"""A stream under every interleaving of what arrives, gets lost, comes twice, is trimmed, read late, and begins anew.

The world is one channel at an engine and one connection from it; the node does what a node does with verdicts. Between
two points at which the stream begins anew (then its subscribers are told), what is delivered is what was published,
each once, in order, and nothing is left out.
"""

from dataclasses import dataclass, field

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from ringway.core.stream import ChannelStream, Offered, StreamVerdict

HELD_BYTES_MAX = 30


@dataclass
class Snapshot:
    """What a read was answered, and waits to be applied."""

    epoch: str
    offset: int
    publications: list[Offered]
    complete: bool


@dataclass
class Told:
    """What the subscribers were sent since they were last told to begin anew."""

    epoch: str
    start: int
    offsets: list[int] = field(default_factory=list)


class StreamMachine(RuleBasedStateMachine):
    """The state of a run."""

    def __init__(self) -> None:
        super().__init__()
        self.life = 0
        self.log: dict[str, list[int]] = {}
        self.gone = 0  # up to this offset nothing is kept any more
        self.row = 0  # the newest offset of all channels of the namespace
        self.wire: list[tuple[int, int, bytes]] = []
        self.faulty = False  # something was lost on the wire, and nobody was told
        self.answer: Snapshot | None = None
        self.stream = ChannelStream(kept=True)
        self.told: list[Told] = []

    @property
    def epoch(self) -> str:
        return f"life {self.life}"

    @property
    def published(self) -> list[int]:
        return self.log.setdefault(self.epoch, [])

    @property
    def newest(self) -> int:
        return self.published[-1] if self.published and self.published[-1] > self.gone else self.row

    @initialize(before=st.integers(0, 3), others=st.integers(0, 3))
    def begin(self, before: int, others: int) -> None:
        for _ in range(before):
            self.publish(0)
        self.row += others
        self._begin(self.epoch, self.newest)

    @rule(others=st.integers(0, 2))
    def publish(self, others: int) -> None:
        self.row += 1 + others
        previous = self.published[-1] if self.published and self.published[-1] > self.gone else 0
        self.published.append(self.row)
        self.wire.append((self.row, previous, b"%d" % self.row))

    @precondition(lambda self: self.wire)
    @rule()
    def arrive(self) -> None:
        self._deliver(*self.wire.pop(0))

    @precondition(lambda self: self.wire and not self.stream.is_behind)
    @rule()
    def arrive_in_the_usual_way(self) -> None:
        offset, previous, payload = self.wire.pop(0)
        if previous == self.stream.expected:
            self.stream.follow(offset)
            self._sent([(offset, payload)])
        else:
            self._deliver(offset, previous, payload)

    @precondition(lambda self: self.wire)
    @rule()
    def lose(self) -> None:
        self.wire.pop(0)
        self.faulty = True

    @precondition(lambda self: self.published and not self.faulty and not self.wire)
    @rule(count=st.integers(1, 3))
    def trim(self, count: int) -> None:
        """Only what has arrived: else a publication may say 0 of a predecessor that was lost (core.stream says so)."""
        kept = [offset for offset in self.published if offset > self.gone]
        if kept:
            self.gone = kept[:count][-1]

    @precondition(lambda self: self.stream.is_behind and self.answer is None)
    @rule()
    def read(self) -> None:
        since = self.stream.position
        kept = [(offset, b"%d" % offset) for offset in self.published if offset > max(since, self.gone)]
        lost = any(since < offset <= self.gone for offset in self.published)
        same = self.stream.epoch == self.epoch
        self.answer = Snapshot(self.epoch, self.newest, kept, complete=same and not lost)

    @precondition(lambda self: self.answer is not None)
    @rule()
    def apply(self) -> None:
        page, self.answer = self.answer, None
        assert page is not None
        offered = self.stream.caught_up(page.epoch, page.offset, page.publications, complete=page.complete)
        if offered is None:
            self._begin(page.epoch, page.offset)
        else:
            self._sent(offered)
            if not self.stream.is_behind:
                self.faulty = False

    @rule(doubt=st.booleans(), lost=st.integers(0, 5))
    def be_away(self, doubt: bool, lost: int) -> None:
        """The connection breaks: what was on the wire is gone. Publications may arrive again before that is known."""
        del self.wire[:lost]
        if doubt:
            self.stream.doubt()
        else:
            self.faulty = self.faulty or bool(lost)

    @rule()
    def begin_anew(self) -> None:
        """The engine lost its data; it was away, and the node learns of its return before anything else arrives."""
        self.life += 1
        self.row = self.gone = 0
        self.wire.clear()
        self.answer = None  # its connection broke
        self.stream.doubt()

    @invariant()
    def nothing_is_missing_doubled_or_reordered(self) -> None:
        for told in self.told:
            log = [offset for offset in self.log.get(told.epoch, []) if offset > told.start]
            assert told.offsets == log[: len(told.offsets)]

    def teardown(self) -> None:
        """In the end everything that is kept comes through."""
        while self.wire:
            self.arrive()
        self.stream.doubt()
        for _ in range(50):
            if not self.stream.is_behind:
                break
            self.answer = None
            self.read()
            self.apply()
        assert not self.stream.is_behind
        told = self.told[-1]
        assert told.offsets == [offset for offset in self.log[told.epoch] if offset > told.start]
        self.nothing_is_missing_doubled_or_reordered()

    def _deliver(self, offset: int, previous: int, payload: bytes) -> None:
        if self.stream.take_publication(offset, previous, payload, HELD_BYTES_MAX) is StreamVerdict.DELIVER:
            self._sent([(offset, payload)])

    def _begin(self, epoch: str, offset: int) -> None:
        self.told.append(Told(epoch, offset))
        self._sent(self.stream.begin(epoch, offset))

    def _sent(self, offered: list[Offered]) -> None:
        for offset, payload in offered:
            assert payload == b"%d" % offset
            self.told[-1].offsets.append(offset)


StreamMachine.TestCase.settings = settings(max_examples=300, stateful_step_count=40, deadline=None)
TestStream = StreamMachine.TestCase
