"""Order of a stream: the publication at each offset. Two publications at one offset mean that there are two streams.

Made from the records of all subscribers. It proves two facts that no single subscriber can prove: equal positions hold
equal publications on all nodes, and a publication without an answer was stored after all.
"""

from collections.abc import Iterable

from ringway.testing.delivery.published import Outcome, Published
from ringway.testing.delivery.seen import Seen, Subscribed

EXAMPLES_MAX = 10


class Order:
    """Publications by channel, epoch and offset; `divergent` counts positions with two different publications."""

    def __init__(self) -> None:
        self.streams: dict[tuple[str, str], dict[int, tuple[int, int]]] = {}
        self.divergent = 0
        self.examples: list[str] = []
        self._places: dict[tuple[str, str], dict[tuple[int, int], int]] = {}

    def places(self, channel: str, epoch: str) -> dict[tuple[int, int], int]:
        """Return the offsets of a stream's publications; empty for channels without history. Call it last."""
        key = (channel, epoch)
        if key not in self._places:
            self._places[key] = {publication: offset for offset, publication in self.streams.get(key, {}).items()}
        return self._places[key]

    def learn(self, seen: Seen) -> None:
        """Add the record of one subscription."""
        if not seen.offset or not max(seen.offset):
            return
        turns = [event for event in seen.events if isinstance(event, Subscribed)]
        for index, event in enumerate(turns):
            until = turns[index + 1].before if index + 1 < len(turns) else len(seen)
            stream = self.streams.setdefault((seen.channel, event.epoch), {})
            rows = range(event.before, until)
            self._learn(seen.channel, stream, ((seen.offset[i], (seen.publisher[i], seen.number[i])) for i in rows))

    def _learn(
        self, channel: str, stream: dict[int, tuple[int, int]], rows: Iterable[tuple[int, tuple[int, int]]]
    ) -> None:
        for offset, publication in rows:
            if offset and stream.setdefault(offset, publication) != publication:
                self.divergent += 1
                if len(self.examples) < EXAMPLES_MAX:
                    told = f"{channel}: offset {offset} is {stream[offset]} to one, {publication} to another"
                    self.examples.append(told)

    def merge(self, other: "Order") -> None:
        """Add the order that a different process has learned."""
        self.divergent += other.divergent
        self.examples = [*self.examples, *other.examples][:EXAMPLES_MAX]
        for (channel, epoch), theirs in other.streams.items():
            self._learn(channel, self.streams.setdefault((channel, epoch), {}), theirs.items())

    def prove(self, published: Published) -> int:
        """Mark publications of unknown outcome as stored if they are in a stream; return their number."""
        proven = 0
        for (channel, _), stream in self.streams.items():
            runs = published.runs(channel)
            for publisher, number in stream.values():
                run = runs.get(publisher)
                if run is not None and 0 <= number < len(run) and run.outcome[number] == Outcome.UNKNOWN:
                    run.outcome[number] = Outcome.STORED
                    proven += 1
        return proven
