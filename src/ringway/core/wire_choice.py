"""Choice of the wire version in which a member seals: the highest that all members read which it knows (P-8.5).

A member begins with the lowest version that it speaks, which its neighbours by release read in any case. It goes to a
higher one when all read that, and back at once when a member joins that does not. Nodes hear gateways only: a gateway
reports up to which version all members read that it hears (`Report.wire_common`), so a node knows of the other nodes.
"""

from collections.abc import Iterable

from ringway.protocol.keyring import Keyring
from ringway.protocol.report import Report
from ringway.protocol.seal import WIRE_MAX, WIRE_MIN
from ringway.types import Incarnation


class WireChoice:
    """The choice of the member `own`, which seals with `keyring`; `hears_nodes` is False for a node.

    `lowest` and `highest` are the versions that the member speaks.
    """

    def __init__(
        self,
        keyring: Keyring,
        own: Incarnation,
        *,
        hears_nodes: bool,
        lowest: int = WIRE_MIN,
        highest: int = WIRE_MAX,
    ) -> None:
        self._keyring = keyring
        self._own = own
        self._hears_nodes = hears_nodes
        self._lowest = lowest
        self._highest = highest

    @property
    def version(self) -> int:
        """The version in which the member seals now."""
        return self._keyring.wire_version or self._lowest

    def choose(self, reports: Iterable[Report]) -> bool:
        """Choose by the members that are alive; return True if the version has changed."""
        if self._lowest == self._highest:
            return False
        read = min((self._read_by(each) for each in reports if each.incarnation != self._own), default=self._lowest)
        version = max(self._lowest, min(self._highest, read))
        before, self._keyring.wire_version = self.version, version
        return version != before

    def _read_by(self, report: Report) -> int:
        """Return the highest version that the member reads; of a gateway, for a node, that all read whom it hears."""
        if self._hears_nodes or not report.wire_common:
            return report.wire_max
        return min(report.wire_max, report.wire_common)
