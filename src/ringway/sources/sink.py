"""The port of all sources: a source reports there which backends it finds."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Protocol

from ringway.protocol.backend import Backend
from ringway.types import NodeName


@dataclass(frozen=True, slots=True)
class Offer:
    """One backend that a source offers.

    `draining`: it gets no newcomers, and its connections are moved away, within `within_s` seconds (0: no deadline).
    `connections` and `utilisation` are the server's own measures; None and empty if it reports none.
    `lease_s` is the lease of a server that registered itself; 0: it did not register.
    """

    backend: Backend
    draining: bool = False
    within_s: float = 0.0
    connections: int | None = None
    utilisation: Mapping[str, float] | None = None
    lease_s: float = 0.0


class BackendSink(Protocol):
    """Receives the backends that sources find. All methods are called in the event loop, return at once, and raise
    nothing. A few changes have their effect at once; of many, the rest follows in the next turns of the loop."""

    def update(self, source: str, offers: Mapping[NodeName, Offer], *, lost: Collection[NodeName] = ()) -> None:
        """Replace everything that `source` has offered by `offers`, which are free of problems.

        A backend that was offered before and is missing now is drained, and forgotten when it carries nothing more; a
        backend that `lost` names is dead, and its connections are lost at once. If two sources offer one name, the
        source that offered it first keeps it, and the second offer is logged.
        """
        ...

    def change(
        self,
        source: str,
        offers: Mapping[NodeName, Offer],
        *,
        gone: Collection[NodeName] = (),
        lost: Collection[NodeName] = (),
    ) -> None:
        """Add `offers` to what `source` offers, or replace them there; it offers those in `gone` and `lost` no more.

        Everything else that it has offered stays. For a source of which one backend of thousands changes.
        """
        ...

    def report_problem(self, source: str, problem: str) -> None:
        """Tell operators that `source` cannot be read, and why; its last offers stay. Empty: it can be read again."""
        ...
