"""Versions of owners that a leader has told nodes of, as long as nodes may ask for them or build on them."""

from ringway.core.recent import Recent
from ringway.protocol.owners import Owners, OwnersAnswer, OwnersRequest, answer_with, version_of

KEPT = 8
"""Versions that are remembered; the oldest is dropped. A node that knows an older one gets all owners."""


class OwnerVersions:
    """The owners of one leadership, by version."""

    def __init__(self) -> None:
        self._known: Recent[str, Owners] = Recent(KEPT)

    def add(self, owners: Owners) -> str:
        """Remember `owners`, and return their version."""
        version = version_of(owners)
        self._known.add(version, owners)
        return version

    def answer(self, request: OwnersRequest) -> OwnersAnswer:
        """Return the answer to a node's question."""
        owners = self._known.get(request.version)
        if owners is None:
            return OwnersAnswer()
        return answer_with(owners, request.version, self._known.get(request.have), request.have)
