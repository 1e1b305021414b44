"""Admission queue of a gateway: when each client may come, and the window over which to come back after a crash.

Both follow from the handshakes a second that nodes report to be able to accept. If a node does not report them there
is no queue: nobody waits for a guess.

An address that was promised places and does not use them is charged for them (`core.outstanding`): it waits in the
queue, and clients of addresses that hold less pass it.
"""

from math import inf

from ringway.core.address import EXEMPT
from ringway.core.admission_slots import AdmissionSlots
from ringway.core.balance.arrival import STEADY_S, Arrivals
from ringway.core.balance.window import hosts_of, reconnect_window_s
from ringway.core.load import LoadView
from ringway.core.load.newcomers import newcomers_per_s
from ringway.core.load.slow_start import RATE_SHARE
from ringway.errors import NoNode
from ringway.gateway.config.gateway import GatewayConfig
from ringway.gateway.placement.address_limits import AddressLimits
from ringway.gateway.stats import GatewayStats

REFRESH_S = 0.5
"""How often the nodes' capacity is read: reports come each second."""


class AdmissionQueue:
    """The queue of one gateway. `now` is monotonic."""

    def __init__(
        self, view: LoadView, config: GatewayConfig, stats: GatewayStats, limits: AddressLimits | None = None
    ) -> None:
        self.window_ms = 0
        """Over how long clients of a node that dies now should spread their return; 0: nothing is advised."""
        self.limits = limits or AddressLimits(config, (), stats)
        self._view = view
        self._horizon_s = config.slot_wait_s
        self._hold_s = min(config.slot_hold_s, config.slot_wait_s)
        self._advises = config.reconnect_window
        self._stats = stats
        self._slots = AdmissionSlots()
        self._arrivals = Arrivals(STEADY_S)
        self._refresh_at = 0.0
        self._refreshed_at = 0.0
        self._free = inf  # places that nodes have for more: as of the last refresh, less those given since
        self._taken = 0  # of the view's ledger, as of the last refresh
        self._ended = 0.0  # the same, of slots that were given back

    def refresh(self, now: float) -> None:
        """Read the nodes' capacity from their newest reports; cheap if that was done a moment ago."""
        if now < self._refresh_at:
            return
        self._refresh_at = now + REFRESH_S
        self._slots.per_s = newcomers_per_s(self._view.takers(), self._view.gateways) if self._horizon_s else 0.0
        self._arrivals.observe(self._view.nodes.values())
        self.window_ms = round(1000 * self._window_s()) if self._advises else 0
        self._settle(now)
        self._stats.slot_wait_s = self._slots.wait_s(now)
        self._stats.reconnect_window_s = self.window_ms / 1000

    def take_slot(self, now: float, address: str = EXEMPT, *, held: bool) -> float:
        """Return in how many seconds a client may come; raise `NoNode` if that is too far away.

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
        """End the charges for places that were used or are over, and give back slots that nobody used."""
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
        """Return the window by `core.balance.window`; 0 if a node does not report what it can accept."""
        nodes = self._view.nodes.values()
        if not nodes or not all(node.report is not None and node.report.accept_per_s for node in nodes):
            return 0.0
        return reconnect_window_s(hosts_of(nodes, self._arrivals), RATE_SHARE)
