"""Made-up runs in which nothing goes wrong, for the checker to find nothing in; and ways to break them."""

from dataclasses import dataclass, field
from random import Random

from ringway.testing.delivery import Outcome, Published, Seen, Subscribed, Witness

CHANNELS = ("red", "blue")


@dataclass
class Stream:
    """One channel: what was stored, in order, as (offset, publisher, number)."""

    epoch: str
    rows: list[tuple[int, int, int]] = field(default_factory=list)
    offset: int = 0


class World:
    """Publishers, channels and clients that come and go; with `history` they recover what they missed."""

    def __init__(self, rng: Random, *, history: bool, clients: int = 3, steps: int = 60) -> None:
        self.rng = rng
        self.history = history
        self.published = Published()
        self.streams = {channel: Stream("e1" if history else "") for channel in CHANNELS}
        self.witnesses = [Witness(f"c{n}", seen=[Seen(channel) for channel in CHANNELS]) for n in range(clients)]
        self._position: dict[tuple[str, str], int] = {}
        self._now = 0.0
        for _ in range(steps):
            self._step()
        for witness in self.witnesses:  # whoever is away comes back before the end
            for seen in witness.seen:
                if not seen.subscribed:
                    self._subscribe(witness, seen)
        self._publish()
        self._publish()

    def _tick(self) -> float:
        self._now += 0.01 + self.rng.random()
        return self._now

    def _step(self) -> None:
        witness = self.rng.choice(self.witnesses)
        seen = self.rng.choice(witness.seen)
        chance = self.rng.random()
        if chance < 0.6:
            self._publish()
        elif seen.subscribed and chance < 0.8:
            code = self.rng.choice([1006, 1012, 3008])
            witness.closes.append((self._tick(), code, ""))
            seen.close(self._now, code)
        elif not seen.subscribed:
            self._subscribe(witness, seen)

    def _publish(self) -> None:
        channel = self.rng.choice(CHANNELS)
        publisher = self.rng.choice([1, 2, 3])
        outcome = self.rng.choices([Outcome.ACKED, Outcome.UNKNOWN, Outcome.REFUSED], [8, 2, 1])[0]
        number = self.published.begin(channel, publisher, self._tick())
        stored = outcome is Outcome.ACKED or (outcome is Outcome.UNKNOWN and self.rng.random() < 0.5)
        if stored:
            stream = self.streams[channel]
            stream.offset += self.rng.randint(1, 3)  # offsets grow, but not by one
            stream.rows.append((stream.offset, publisher, number))
            for witness in self.witnesses:
                for seen in witness.seen:
                    if seen.channel == channel and seen.subscribed:
                        self._deliver(witness, seen, stream.rows[-1])
        self.published.settle(channel, publisher, number, outcome, self._tick())

    def _deliver(self, witness: Witness, seen: Seen, row: tuple[int, int, int]) -> None:
        offset, publisher, number = row
        seen.deliver(publisher, number, offset if self.history else 0, self._tick())
        self._position[witness.name, seen.channel] = offset

    def _subscribe(self, witness: Witness, seen: Seen) -> None:
        stream = self.streams[seen.channel]
        known = self._position.get((witness.name, seen.channel))
        recovers = self.history and known is not None and self.rng.random() < 0.7
        position = {"epoch": stream.epoch, "offset": stream.offset} if self.history else {}
        asked = self.history and known is not None
        seen.subscribe(self._tick(), recovered=recovers if asked else None, **position)
        if recovers:
            for row in stream.rows:
                if row[0] > known:
                    self._deliver(witness, seen, row)
        self._position[witness.name, seen.channel] = stream.offset


def rows(seen: Seen) -> list[tuple[int, int, int, float]]:
    return list(zip(seen.publisher, seen.number, seen.offset, seen.at, strict=True))


def rebuilt(seen: Seen, changed: list[tuple[int, int, int, float]], moved_at: int = 0, by: int = 0) -> Seen:
    """A copy with other deliveries; events behind the row `moved_at` stand `by` rows later."""
    copy = Seen(seen.channel)
    for row in changed:
        copy.deliver(*row)
    for event in seen.events:
        before = event.before + (by if event.before > moved_at else 0)
        if isinstance(event, Subscribed):
            copy.events.append(Subscribed(event.at, before, event.epoch, event.offset, event.recovered))
        else:
            copy.events.append(type(event)(event.at, before, event.code))
    return copy
