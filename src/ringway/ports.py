"""What the shells need of an engine, as ports. Payloads are bytes: an engine does not look into them.

`ringway.testing.engine_contract` is the suite that proves an adapter. The words are those of no engine.
"""

import re
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from ringway.errors import ConfigError
from ringway.types import Channel, NodeName

_LABEL = re.compile(r"[A-Za-z0-9_-]{1,32}")

Deliver = Callable[[Channel, bytes, int, int], None]
"""Receives each publication in the event loop; must not block. Channel, payload, offset, previous.

`offset` is 0 where the publication is not kept (`Broker.publish`). `previous` is the offset of the publication before
it in the channel; 0 where there is none, or it is kept no more.
"""

Heard = Callable[[NodeName, bytes | None], None]
"""Receives each report of each member, this one's own too; None where the member has withdrawn."""

Handler = Callable[[bytes], Awaitable[bytes]]
"""Answers one request."""


class Broker(Protocol):
    """Carries publications between nodes. At most once, in order per publisher and channel."""

    def attach(self, deliver: Deliver) -> None:
        """Send what arrives on subscribed channels to `deliver`. Call once, before the first subscribe."""
        ...

    async def publish(self, channel: Channel, payload: bytes) -> None:
        """Return when the engine has accepted `payload`.

        Raise `EngineAway` where it cannot be reached: then nothing was published. Raise `Unconfirmed`, which is
        an `EngineAway` too, where it was lost before it confirmed: then nobody knows.
        """
        ...

    async def subscribe(self, channel: Channel) -> None:
        """Return when every publication that starts from now on, anywhere, reaches this process.

        Idempotent. The interest outlives a reconnect. Raise `EngineAway` where the engine cannot be reached.
        """
        ...

    async def unsubscribe(self, channel: Channel) -> None:
        """Stop delivery of `channel`. Idempotent; never fails for an engine that is away."""
        ...


@dataclass(frozen=True, slots=True)
class Retention:
    """What is kept of the channels of a namespace, for each channel by itself."""

    namespace: str
    """1 to 32 letters, digits, '_' or '-'. A channel belongs to one namespace for all members."""
    size: int
    """How many publications are kept; at least 1."""
    ttl_s: float
    """How long each is kept, in seconds; at least 1."""

    def __post_init__(self) -> None:
        """Raise `ConfigError` for what no engine can keep."""
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
    """A place in the stream of a channel."""

    epoch: str
    """Names the life of the stream; offsets of different epochs have nothing to do with each other."""
    offset: int
    """Of the newest publication before this place; where none is kept, one that none before it exceeds."""


class Page(NamedTuple):
    """What was read of a channel's history."""

    epoch: str
    offset: int
    """Where who has got all publications stands now (`Position`): behind those of the page, where no limit cut it."""
    publications: list[tuple[int, bytes]]
    """Offset and payload, in ascending order."""
    complete: bool
    """Proven: these are all that followed `since`; none was trimmed, expired, lost, or left out for a limit."""


class History(Protocol):
    """Keeps the last publications of channels, each with its offset. Offsets grow in a channel, often by more than one.

    A kept publication reaches the subscribers of its channel as any other does (`Broker.subscribe`), in the order of
    offsets. When what was kept is lost, the epoch changes. All methods raise `EngineAway` where the engine cannot
    be reached, and `EngineUnsuitable` where it refuses.
    """

    async def keep(self, retention: Retention) -> None:
        """Make what the namespace needs at the engine, or adapt it to a changed `retention`. Idempotent.

        Call it at the start for each namespace. The other methods and the engine's return call it by themselves.
        """
        ...

    async def append(self, channel: Channel, payload: bytes, retention: Retention, key: str = "") -> Position:
        """Store `payload` and send it to the subscribers; return its place when the engine has stored it.

        Many may be under way: those of this process keep the order of the calls in their channel. The same `key` in a
        channel again within two minutes (or `ttl_s`, where that is less) stores and sends nothing, and returns the
        place of the first. Raise
        `EngineAway`: not stored; `Unconfirmed`, which is an `EngineAway` too: nobody knows, and with a `key` it is
        safe to try again.
        """
        ...

    async def position(self, channel: Channel, retention: Retention) -> Position:
        """Return where a subscriber stands who has all publications until now, and none is missing to.

        Subscribe first: then every later publication reaches this process. `read` since this place is complete
        also where the channel was empty.
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
        """Return up to `limit` publications: the first ones after the offset `since`, 0 being before all.

        With `since` None the newest ones; with `reverse` the last ones before `since`. Both say nothing about
        completeness: there `complete` is False. The page ends before the publication whose payload would take it
        over `bytes_max`, but holds one at least; nor does the adapter gather much more than that to find them.
        """
        ...


class Registry(Protocol):
    """Carries reports between members. Heard, not stored: nothing remains of a member that falls silent."""

    async def announce(self, member: NodeName, report: bytes) -> None:
        """Tell everybody, now; and tell each newcomer that watches later, at once. Quiet while away."""
        ...

    async def withdraw(self, member: NodeName) -> None:
        """Tell everybody that `member` leaves, and answer newcomers no more."""
        ...

    async def watch(self, heard: Heard) -> None:
        """Send every report and withdrawal to `heard`; asks all members to report at once. Call once."""
        ...


class Serving(Protocol):
    """An address being served; `close` ends that."""

    async def close(self) -> None:
        """Serve the address no more. Idempotent."""
        ...


class Bus(Protocol):
    """Calls between members. An address is dot-separated letters, digits, '_' and '-'; a process serves it once."""

    async def serve(self, address: str, handler: Handler) -> Serving:
        """Answer requests to `address` with `handler` until the returned `Serving` is closed."""
        ...

    async def call(self, address: str, request: bytes, *, timeout_s: float) -> bytes:
        """Return the answer of one server of `address`; raise `NoAnswer` at the deadline or where none serves."""
        ...

    async def gather(self, address: str, request: bytes, *, timeout_s: float, expected: int = 0) -> list[bytes]:
        """Return the answers of all servers of `address`: until `expected` came (0: all) or the deadline."""
        ...


class Lease(Protocol):
    """At most one holder of a name at a time, as far as clocks allow; fencing numbers close the rest."""

    async def acquire(self, name: str, holder: str, ttl_s: float) -> int | None:
        """Return a fencing number, greater than every earlier one of `name`; None while another holds it."""
        ...

    async def renew(self, name: str, holder: str, ttl_s: float) -> bool:
        """Keep the lease for `ttl_s` more; False where it was lost. Raise `EngineAway` where nobody can tell."""
        ...

    async def release(self, name: str, holder: str) -> None:
        """Give the lease up, so that another may have it at once. Never fails for an engine that is away."""
        ...


class Engine(Protocol):
    """An existing distributed system, seen through its five ports."""

    # Read-only, so that an adapter may declare its own types there.
    @property
    def broker(self) -> Broker:
        """Publications."""
        ...

    @property
    def history(self) -> History:
        """Publications that are kept."""
        ...

    @property
    def registry(self) -> Registry:
        """Reports."""
        ...

    @property
    def bus(self) -> Bus:
        """Calls."""
        ...

    @property
    def lease(self) -> Lease:
        """Leases."""
        ...

    @property
    def up(self) -> bool:
        """Whether the engine can be reached at the moment."""
        ...

    @property
    def problem(self) -> str:
        """What is wrong with the engine, with the remedy: why it is away, or what it refuses; else nothing."""
        ...

    @property
    def on_return(self) -> list[Callable[[], None]]:
        """Add what is to be called each time the engine is up again: all interest is known to it by then.

        What was published in between is lost to this process, but for what history keeps. Also called when the engine
        was up, and may yet have left something out. Must not block.
        """
        ...

    async def close(self) -> None:
        """Leave the engine; what was accepted is flushed first."""
        ...
