"""Registered backends as the cluster has them: their state, their drains, and nodes that have their names."""

from ringway.core.group import Groups
from ringway.core.load import NodeLoad
from ringway.gateway.backends.book import BackendBook
from ringway.member.leader_call import call_drain
from ringway.ports import Calls
from ringway.protocol.order import DrainAnswer, DrainRequest
from ringway.protocol.registration import BackendState
from ringway.protocol.report import count_present
from ringway.types import NodeName


class RegisteredBackends:
    """The backends that are registered at one gateway, which claims them in `book`, among the members in `groups`.

    A member that only has the name of such a backend, and is a different server, is not touched.
    """

    def __init__(self, groups: Groups, book: BackendBook, bus: Calls) -> None:
        self._groups = groups
        self._book = book
        self._bus = bus

    async def judge_drain(self, name: NodeName, within_s: float, force: bool) -> DrainAnswer:
        """Have the leader drain the backend `name`, and return its answer; raise as `call_drain` does."""
        if self._find(name) is None:  # it carries nothing yet
            return DrainAnswer(why="", connections=0, moves_per_s=0.0, needs_s=0.0)
        return await call_drain(self._bus, DrainRequest(node=name, within_s=within_s, force=force))

    def find_state(self, name: NodeName) -> BackendState | None:
        """Return the state of the backend `name`; None if the cluster does not know it yet."""
        node = self._find(name)
        if node is None or node.report is None:
            return None
        left = count_present(node.report) + node.pending
        return BackendState(state=node.state, within_s=round(node.report.drain_left_s, 1), left=left)

    def find_node_url(self, name: NodeName) -> str:
        """Return the URL of the channel node `name`; empty if there is none."""
        node = self._groups.nodes.get(name)
        return node.report.url if node is not None and node.report is not None and not node.is_backend else ""

    def _find(self, name: NodeName) -> NodeLoad | None:
        """Return the backend `name`; None if what has this name is not the server that this gateway claims."""
        node, claim = self._groups.nodes.get(name), self._book.claim(name)
        if node is None or claim is None or not node.is_backend:
            return None
        return node if node.incarnation == claim.backend.incarnation else None
