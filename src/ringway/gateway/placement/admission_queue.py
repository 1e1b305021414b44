"""Admission queue of a gateway: the slot of each client, and the window over which clients come back after a crash.

Both follow from the handshake rates that nodes report. If a node does not report its rate there is no queue: clients
do not wait because of a guess.

An address is charged for promised places that it does not use (`core.outstanding`): it waits in the queue, and clients
of addresses with fewer places overtake it.
"""

from math import inf

from ringway.core.address import EXEMPT
from ringway.core.admission_slots import AdmissionSlots
from ringway.core.balance.window import window_of
from ringway.core.load import LoadView
from ringway.core.load.newcomers import newcomers_per_s
from ringway.core.load.slow_start import RATE_SHARE
from ringway.errors import NoNode
from ringway.gateway.config.gateway import GatewayConfig
from ringway.gateway.placement.address_limits import AddressLimits
from ringway.gateway.stats import GatewayStats
from ringway.protocol.group import DEFAULT

REFRESH_S = 0.5
"""The period of reading the nodes' capacity: reports come each second."""


class AdmissionQueue:
    """The queue of one group at one gateway. `now` is monotonic."""

    def __init__(
        self,
        view: LoadView,
        config: GatewayConfig,
        stats: GatewayStats,
        limits: AddressLimits | None = None,
        group: str = DEFAULT,
    ) -> None:
        self.window_ms = 0
        """The window over which clients of a node that dies now should spread their return; 0: no advice."""
        self.limits = limits or AddressLimits(config, (), stats)
        self._view = view
        self._group = group
        self._horizon_s = config.slot_wait_s
        self._hold_s = min(config.slot_hold_s, config.slot_wait_s)
        self._advises = config.reconnect_window
        self._stats = stats
        self._slots = AdmissionSlots()
        self._refresh_at = 0.0
        self._refreshed_at = 0.0
        self._free = inf  # the nodes' free places at the last refresh, less the places given since
        self._taken = 0  # `taken` of the view's ledger, as of the last refresh
        self._ended = 0.0  # `ended` of the ledger, counted in slots that were given back

    def refresh(self, now: float) -> None:
        """Read the nodes' capacity from their newest reports, at most once in `REFRESH_S`."""
        if now < self._refresh_at:
            return
        self._refresh_at = now + REFRESH_S
        self._slots.per_s = newcomers_per_s(self._view.takers(), self._view.gateways) if self._horizon_s else 0.0
        if self._view.arrivals.is_due(now):  # this gateway does not lead
            self._view.arrivals.observe(self._view.nodes.values(), now)
        self.window_ms = round(1000 * self._window_s()) if self._advises else 0
        self._settle(now)
        self._stats.slot_wait_s[self._group] = self._slots.wait_s(now)
        self._stats.reconnect_window_s[self._group] = self.window_ms / 1000

    def take_slot(self, now: float, address: str = EXEMPT, *, held: bool) -> float:
        """Return the seconds until a client's slot; raise `NoNode` if the slot is too far away.

        A client that is `held` until then, with its connection open, waits for `slot_hold_s` at most.
        """
        if not self.limits.may_have_place(address, self._free):
            self._stats.turned_away += 1
            raise NoNode(self.limits.too_many_places(address), self._slots.turn_away(now, self._horizon_s))
        horizon_s = self._hold_s if held else self._horizon_s
        small = self._slots.wait_s(now) > 0 and self.limits.outstanding.shares.is_small(address)
        wait_s = self._slots.take_slot(now, horizon_s, small=small)
        if wait_s is None:
            self._stats.turned_away += 1
            away_s = self._slots.turn_away(now, horizon_s)
            raise NoNode("the nodes have as many newcomers as they can take; come again later", away_s)
        self._free -= 1
        if wait_s > 0:
            self._stats.slots += 1
        return wait_s

    def _settle(self, now: float) -> None:
        """End the charges for places that were used or are over, and give unused slots back."""
        ledger, outstanding = self._view.ledger, self.limits.outstanding
        outstanding.redeemed(ledger.taken - self._taken)
        outstanding.expire(now)
        self._taken = ledger.taken
        back = min(ledger.ended - self._ended, self._slots.per_s * (now - self._refreshed_at))
        self._ended = max(self._ended + back, ledger.ended - self._slots.per_s * self._horizon_s)
        self._refreshed_at = now
        self._slots.give_back(now, back)
        takers = self._view.takers()
        bounds = [(node.report.connections_max if node.report is not None else 0, node.load) for node in takers]
        self._free = sum(most - load if most else inf for most, load in bounds)

    def _window_s(self) -> float:
        """Return the window by `core.balance.window`; 0 if a node does not report its handshake rate."""
        nodes = self._view.nodes.values()
        if not nodes or not all(node.report is not None and node.report.accept_per_s for node in nodes):
            return 0.0
        return window_of(nodes, self._view.arrivals, RATE_SHARE)
