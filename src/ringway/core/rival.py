"""Rivals of a registration: other servers, or other lives of its server, that registered under its name elsewhere.

A gateway refuses a second holder of a name, but it hears of registrations at other gateways only by their reports. So
two servers that register at two gateways in the same moment are both accepted. Of such claims the newest counts, for
all members alike (`core.held_nodes`): its server has the name, and every other gateway ends its own registration. No
claim that has lost can win again while the winner is there, so the name changes its server once at most.

A name that a source other than registration offers, at this gateway or elsewhere, is free for no registration: whoever
registered it would steer a backend of that source. So it is with the same URL, too: such a server has clients already,
and each of its registrations would be a restart to the gateways.

A later life of the same server, at whatever gateway, is a restart, and replaces the life before. That life, if its
process runs on, does not come back while its successor is registered (`core.registration` says what follows then).
"""

from collections.abc import Callable, Mapping
from typing import NamedTuple

from ringway.core.recent import Recent
from ringway.protocol.backend import Backend
from ringway.protocol.backend_share import BackendClaim
from ringway.types import NodeName


class Rival(NamedTuple):
    """The claim of another holder of a name, and the gateway that claims it; an empty name is this gateway."""

    gateway: NodeName
    claim: BackendClaim

    def is_same_server(self, backend: Backend) -> bool:
        """True if it is another life of the server of `backend`."""
        return self.claim.backend.url == backend.url


class Rivals:
    """The rivals of what is registered at one gateway.

    `own` returns the gateway's own claim of a name, `others` the claims of all other gateways.
    """

    def __init__(
        self,
        own: Callable[[NodeName], BackendClaim | None],
        others: Callable[[NodeName], Mapping[NodeName, BackendClaim]],
    ) -> None:
        self._own = own
        self._others = others
        self._replaced: Recent[tuple[NodeName, str, str], None] = Recent()

    def find_owner(self, name: NodeName) -> Rival | None:
        """Return the claim of `name` by a source that is no registration; None if no source offers it.

        This gateway's own comes first, then the newest.
        """
        own = self._own(name)
        if own is not None and own.source:
            return Rival(NodeName(""), own)
        owners = [Rival(at, claim) for at, claim in self._others(name).items() if claim.source]
        return max(owners, key=lambda owner: owner.claim.rank, default=None)

    def forbid(self, backend: Backend) -> Rival | None:
        """Return the rival because of which `backend`, which is not registered here, must not register; None if it may.

        It may if no other server has the name, unless its own life was replaced.
        """
        rival = self._newest(backend)
        if rival is None or (rival.is_same_server(backend) and _life(backend) not in self._replaced):
            return None
        return rival

    def supersede(self, backend: Backend) -> Rival | None:
        """Return the rival to which `backend`, which is registered here, has lost its name; None if it has not."""
        own, rival = self._own(backend.name), self._newest(backend)
        if own is None or rival is None or rival.claim.rank < own.rank:
            return None
        self._replaced.add(_life(backend), None)
        return rival

    def _newest(self, backend: Backend) -> Rival | None:
        holder = _life(backend)
        claims = self._others(backend.name).items()
        rivals = [Rival(at, claim) for at, claim in claims if claim.lease_s and _life(claim.backend) != holder]
        return max(rivals, key=lambda rival: rival.claim.rank, default=None)


def _life(backend: Backend) -> tuple[NodeName, str, str]:
    return backend.name, backend.url, backend.life
