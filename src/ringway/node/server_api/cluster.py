"""Calls of one node to all nodes, itself included, which join their answers."""

from collections.abc import Callable, Iterable, Mapping
from typing import Protocol, TypeVar

from ringway.core.census import Census
from ringway.logger import get_logger
from ringway.ports import Calls
from ringway.protocol.errorcode import INTERNAL, command_error
from ringway.protocol.report import Report
from ringway.types import Incarnation, NodeName, Role

_log = get_logger()


class OfNode(Protocol):
    """An answer that names the incarnation of its node."""

    @property
    def incarnation(self) -> Incarnation:
        """The incarnation of the node that answers."""
        ...


A = TypeVar("A", bound=OfNode)


class ClusterCalls:
    """Asks all nodes over `bus`. `members` are the last reports of the members that this node hears: gateways."""

    def __init__(
        self, bus: Calls, members: Mapping[NodeName, Report], clock: Callable[[], float], deadline_s: float
    ) -> None:
        self._bus = bus
        self._members = members
        self._clock = clock
        self._deadline_s = deadline_s
        self._census = Census()

    async def ask_all(self, address: str, request: bytes, decode: Callable[[bytes], A]) -> list[A]:
        """Return the answers of the nodes, each read by `decode`; one that does not answer in time is left out.

        Raise `CommandError` if there is no answer, `EngineError` as the bus does.
        """
        expected = self._census.expected(count_nodes(self._members.values()), self._clock())
        raw = await self._bus.gather(address, request, timeout_s=self._deadline_s, expected=expected)
        answers = [decode(each) for each in raw]
        self._census.on_answers((answer.incarnation for answer in answers), expected, self._clock())
        if not answers:
            raise command_error(INTERNAL, f"no node answered within {self._deadline_s:g} s")
        if len(answers) < expected:
            _log.warning("not all nodes answered a call of the server API", answers=len(answers), expected=expected)
        return answers


def count_nodes(members: Iterable[Report]) -> int:
    """Return the number of channel nodes that the gateways among `members` report; 0 if no gateway is heard.

    Gateways count backends as nodes, and name those that they know.
    """
    gateways = [report for report in members if report.role is Role.GATEWAY]
    backends = {name for report in gateways for name in (*report.backends, *report.held)}
    return max(0, max((report.nodes for report in gateways), default=0) - len(backends))
