"""Ports of an engine: the contract between the shells and the system that joins them.

Payloads are bytes, which an engine does not read. The words are those of no particular engine.
`ringway.testing.engine_contract` is the suite that proves an adapter.
"""

import re
import sys
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from ringway.errors import ConfigError, EngineError
from ringway.types import Channel, NodeName, Role

_LABEL = re.compile(r"[A-Za-z0-9_-]{1,32}")

Deliver = Callable[[Channel, bytes, int, int], None]
"""Receives each publication in the event loop; must not block. Channel, payload, offset, previous.

`offset` is 0 if the publication is not kept (`Broker.publish`). `previous` is the offset of the publication before it
in the channel; 0 if there is none, or if it is no longer kept.
"""

Answer = Callable[[bytes], None]
"""Sends an answer to the member that asks: once, in the event loop, now or later. Nothing says whether it arrives."""

OnQuestion = Callable[[Channel, bytes, Answer], None]
"""Receives each question to the subscribers of a channel, in the event loop; must not block."""

Heard = Callable[[Role, NodeName, bytes], None]
"""Receives each message of each member of a watched role, and the name that it came under; own members' included."""

Asked = Callable[[NodeName], None]
"""Receives the name of a member whose introduction is asked for; an empty name asks all members of the role."""

Handler = Callable[[bytes], Awaitable[bytes | None]]
"""Answers one request. With None no answer is sent, and the deadline of the caller ends the call."""


class Answers(Protocol):
    """Receives what comes of a question (`Broker.ask_subscribers`), in the event loop; must not block."""

    def on_receivers(self, count: int) -> None:
        """The engine knows that it has sent the question to `count` members, and each may answer once.

        Called at most once, before or after answers. An engine that does not count calls it only with 0.
        """
        ...

    def on_answer(self, answer: bytes) -> None:
        """A member has answered."""
        ...


class OpenQuestion(Protocol):
    """A question whose answers are received until `close`."""

    def close(self) -> None:
        """Receive no more answers. Idempotent."""
        ...


class Broker(Protocol):
    """Carries publications between nodes: at most once, and in the order of each publisher and channel.

    And questions to the nodes that subscribe to a channel, on the ways of its publications.
    """

    def attach(self, deliver: Deliver) -> None:
        """Give publications of subscribed channels to `deliver`. Call once, before the first subscribe."""
        ...

    async def publish(self, channel: Channel, payload: bytes) -> None:
        """Return when the engine has accepted `payload`.

        Raise `EngineAway` if the engine cannot be reached: then nothing was published. Raise `Unconfirmed`, which is
        an `EngineAway` too, if the connection was lost before the confirmation: then it is unknown.
        """
        ...

    async def publish_many(
        self, publications: Sequence[tuple[Channel, bytes]], *, deadline_s: float
    ) -> list[EngineError | None]:
        """Publish payloads, each to its channel; return the outcome of each, in their order.

        They are sent together, in their order, before the first await, and share round trips. The outcome is None if
        the engine has accepted the payload, or else the error that `publish` would raise; `Unconfirmed` if nothing was
        heard of it within `deadline_s`. One failure does not prevent the others.
        """
        ...

    async def subscribe(self, channel: Channel) -> None:
        """Return when every publication that starts from now on, anywhere, reaches this process.

        Idempotent. The subscription outlives a reconnect. Raise `EngineAway` if the engine cannot be reached.
        """
        ...

    async def unsubscribe(self, channel: Channel) -> None:
        """Stop delivery of `channel`. Idempotent; does not fail if the engine is away."""
        ...

    def attach_questions(self, on_question: OnQuestion) -> None:
        """Give questions about subscribed channels to `on_question`. Until it is called they are not answered."""
        ...

    async def ask_subscribers(self, channel: Channel, question: bytes, answers: Answers) -> OpenQuestion:
        """Send `question` to each member that subscribes to `channel`, also to this member if it does.

        No other member receives it, it is neither delivered nor stored as a publication, and no subscription is made.
        Each member answers at most once; `answers` receives what arrives until the returned question is closed. The
        caller decides how long it waits. If no member subscribes, `answers` is told so by each engine. Return when the
        question is sent. Raise `EngineAway` if the engine cannot be reached.
        """
        ...


@dataclass(frozen=True, slots=True)
class Retention:
    """How much of each channel of a namespace is kept."""

    namespace: str
    """1 to 32 letters, digits, '_' or '-'. A channel belongs to one namespace for all members."""
    size: int
    """How many publications are kept; at least 1."""
    ttl_s: float
    """How long each is kept, in seconds; at least 1."""

    def __post_init__(self) -> None:
        """Raise `ConfigError` for a retention that no engine can provide."""
        if not _LABEL.fullmatch(self.namespace):
            raise ConfigError(
                f"the namespace {self.namespace!r} is not usable: give 1 to 32 letters, digits, '_' or '-'"
            )
        if self.size < 1 or self.ttl_s < 1:
            raise ConfigError(
                f"history of {self.size} publications for {self.ttl_s:g} s in {self.namespace!r} is not usable: "
                "give at least 1 and 1 s"
            )


class Position(NamedTuple):
    """A position in the stream of a channel."""

    epoch: str
    """Names a generation of the stream; offsets of different epochs cannot be compared."""
    offset: int
    """Of the newest publication before this position; if none is kept, an offset that no earlier one exceeds."""


class Page(NamedTuple):
    """A part of a channel's history."""

    epoch: str
    offset: int
    """The position of a subscriber that has received all publications; the end of a page that no limit cut."""
    publications: list[tuple[int, bytes]]
    """Offset and payload, in ascending order."""
    complete: bool
    """True if it is proven that no publication after `since` is missing: trimmed, expired, lost, or beyond a limit."""


HistoryEntry = tuple[Channel, bytes, str]
"""A publication that is to be kept: its channel, its payload, and its key; without a key ''."""


class HistoryStore(Protocol):
    """Keeps the last publications of channels, each with its offset. Offsets grow in a channel, often by more than one.

    A kept publication reaches the subscribers of its channel like any other publication (`Broker.subscribe`), in the
    order of offsets. If kept publications are lost, the epoch changes. All methods raise `EngineAway` if the engine
    cannot be reached, and `EngineUnsuitable` if it refuses.
    """

    async def keep(self, retention: Retention) -> None:
        """Make the stores that the namespace needs at the engine, or adapt them to a changed `retention`. Idempotent.

        Call it at the start for each namespace. The adapter repeats it when the engine returns, and when it is needed.
        """
        ...

    async def append(self, channel: Channel, payload: bytes, retention: Retention, key: str = "") -> Position:
        """Store `payload` and send it to the subscribers; return its position when the engine has stored it.

        Many appends may be under way: in a channel, those of this process keep the order of the calls. A second append
        with the same `key` in a channel within two minutes (or `ttl_s`, if that is less) stores and sends nothing, and
        returns the position of the first. Raise `EngineAway`: not stored; `Unconfirmed`, which is an `EngineAway` too:
        it is unknown, and a retry with the same `key` is safe.
        """
        ...

    async def append_many(
        self, entries: Sequence[HistoryEntry], retention: Retention, *, deadline_s: float
    ) -> list[Position | EngineError]:
        """Append entries, each to its channel; return the outcome of each, in their order.

        They are sent together, in their order, before the first await, and share round trips. The outcome is the
        position that `append` would return, or the error that it would raise; `Unconfirmed` if nothing was heard of the
        entry within `deadline_s`. One failure does not prevent the others. An entry with a key that an earlier one of
        its channel has, here or elsewhere, stores nothing and gets the position of the earlier one.
        """
        ...

    async def position(self, channel: Channel, retention: Retention) -> Position:
        """Return the position of a subscriber that has received all publications until now.

        Subscribe first: then every later publication reaches this process. A `read` since this position is complete
        also if the channel was empty.
        """
        ...

    async def read(
        self,
        channel: Channel,
        retention: Retention,
        since: int | None,
        limit: int,
        reverse: bool = False,
        bytes_max: int = sys.maxsize,
    ) -> Page:
        """Return up to `limit` publications: the first after the offset `since`; 0 is before all of them.

        With `since` None they are the newest; with `reverse` the last before `since`. In both cases `complete` is
        False. The page ends before the publication whose payload would exceed `bytes_max`, but contains at least one.
        The adapter does not collect much more than `bytes_max` to find them.
        """
        ...

    async def remove(self, channel: Channel, retention: Retention) -> None:
        """Remove the publications that `channel` keeps now; return when no read finds them any more.

        Offsets go on growing, and the epoch stays. A `read` since the newest removed publication, or later, is complete
        as before; since an earlier offset it is not. Subscribers are not told. Idempotent.
        """
        ...


class Registry(Protocol):
    """Carries messages of members to those that watch their role. They are sent, not stored: nothing remains of a
    member that falls silent.
    """

    async def announce(self, role: Role, member: NodeName, message: bytes) -> None:
        """Send `message` to all that watch `role`, without a round trip. Quiet while the engine is away."""
        ...

    async def withdraw(self, role: Role, member: NodeName, message: bytes) -> None:
        """Send the last `message` of `member`; return when the engine has processed it. Quiet while it is away."""
        ...

    async def answer(self, role: Role, asked: Asked) -> None:
        """Call `asked` for each question to the members of `role`, and each time that the engine is up again."""
        ...

    async def watch(self, roles: Collection[Role], heard: Heard) -> None:
        """Give every message of members of `roles` to `heard`, then ask all these members. Call once.

        They are asked again each time that the engine is up again.
        """
        ...

    def ask_member(self, role: Role, member: NodeName) -> None:
        """Ask one member for its introduction, without a round trip. Quiet while the engine is away."""
        ...


class Serving(Protocol):
    """An address that is served until `close`."""

    async def close(self) -> None:
        """End the service of the address. Idempotent."""
        ...


class Calls(Protocol):
    """Calls to members. An address is dot-separated letters, digits, '_' and '-'."""

    async def call(self, address: str, request: bytes, *, timeout_s: float) -> bytes:
        """Return the answer of one server of `address`; raise `NoAnswer` at the deadline, or if there is no server."""
        ...

    async def gather(self, address: str, request: bytes, *, timeout_s: float, expected: int = 0) -> list[bytes]:
        """Return the answers of the servers of `address` until there are `expected` (0: all), or until the deadline."""
        ...


class Bus(Calls, Protocol):
    """Calls between members. A process serves an address once."""

    async def serve(self, address: str, handler: Handler) -> Serving:
        """Answer requests to `address` with `handler` until the returned `Serving` is closed."""
        ...


class Lease(Protocol):
    """At most one holder of a name at a time, as far as clocks allow; fencing numbers protect against the rest."""

    async def acquire(self, name: str, holder: str, ttl_s: float) -> int | None:
        """Return a fencing number, greater than every earlier number of `name`; None while another holder has it."""
        ...

    async def renew(self, name: str, holder: str, ttl_s: float) -> bool:
        """Renew the lease for `ttl_s`; return False if it was lost. Raise `EngineAway` if that is unknown."""
        ...

    async def release(self, name: str, holder: str) -> None:
        """Give the lease up, so that another holder may have it at once. Does not fail if the engine is away."""
        ...


class Engine(Protocol):
    """An existing distributed system, behind five ports."""

    # Read-only properties, so that an adapter may declare its own types for them.
    @property
    def broker(self) -> Broker:
        """Carries publications."""
        ...

    @property
    def history(self) -> HistoryStore:
        """Keeps publications."""
        ...

    @property
    def registry(self) -> Registry:
        """Carries reports."""
        ...

    @property
    def bus(self) -> Bus:
        """Carries calls."""
        ...

    @property
    def lease(self) -> Lease:
        """Grants leases."""
        ...

    @property
    def up(self) -> bool:
        """True while the engine can be reached."""
        ...

    @property
    def problem(self) -> str:
        """The problem of the engine with its remedy: why it is away, or what it refuses. Empty if there is none."""
        ...

    @property
    def on_return(self) -> list[Callable[[], None]]:
        """The listeners that are called each time the engine is up again, after it knows all subscriptions.

        Publications of the meantime are lost to this process, except those that history keeps. Listeners are also
        called if the engine was up and publications may have been left out. They must not block.
        """
        ...

    async def close(self) -> None:
        """Leave the engine, after accepted publications are sent."""
        ...
