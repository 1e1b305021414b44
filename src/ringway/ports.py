"""What the shells need of an engine, as ports. Payloads are bytes: an engine does not look into them.

`ringway.testing.engine_contract` is the suite that proves an adapter. The words are those of no engine.
"""

from collections.abc import Awaitable, Callable
from typing import Protocol

from ringway.types import Channel, NodeName

Deliver = Callable[[Channel, bytes], None]
"""Receives each publication in the event loop; must not block."""

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
    """Calls between members. An address is dot-separated letters, digits, '_' and '-'."""

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
    """An existing distributed system, seen through its four ports."""

    # Read-only, so that an adapter may declare its own types there.
    @property
    def broker(self) -> Broker:
        """Publications."""
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

    async def close(self) -> None:
        """Leave the engine; what was accepted is flushed first."""
        ...
