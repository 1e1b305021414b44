"""Trust of a gateway in nodes: by knocks at first, and by the outcome of handshakes from then on."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from ringway.gateway.cluster.directory import Directory
from ringway.gateway.cluster.knocks import Knocks
from ringway.gateway.cluster.outliers import NodeFailures
from ringway.gateway.config.gateway import GatewayConfig
from ringway.gateway.proxy.addresses import NodeAddresses
from ringway.gateway.proxy.knocker import Knocker
from ringway.gateway.stats import GatewayStats
from ringway.protocol.keyring import Keyring
from ringway.protocol.knock import KnockProver
from ringway.tasks import Tasks
from ringway.types import NodeName

if TYPE_CHECKING:
    from random import Random


class NodeTrust:
    """The trust of one gateway in the nodes of `directory`. Backends have health checks in place of it."""

    def __init__(
        self,
        config: GatewayConfig,
        directory: Directory,
        keyring: Keyring,
        addresses: NodeAddresses,
        stats: GatewayStats,
        rng: "Random",
        clock: Callable[[], float],
    ) -> None:
        groups = directory.groups
        self._groups = groups
        self._knocks: Knocks | None = None
        self._knocker = Knocker(addresses, KnockProver(keyring))
        if config.knock:
            longest_s = config.connect_deadline_s + config.answer_deadline_s
            self._knocks = Knocks(groups, self._knocker.knock, stats, rng, clock, longest_s)
            directory.listen(self._knocks.on_event)
        self.failures = NodeFailures(config, groups, stats, clock, self._knock_again)
        directory.listen(self.failures.on_event, reports=False)

    def start(self, tasks: Tasks) -> None:
        """Knock from now on, in one of `tasks`."""
        if self._knocks is not None:
            tasks.spawn(self._knocks.run(), name="gateway knocks")

    def tick(self) -> None:
        """Let time pass; call it a few times a second."""
        self.failures.tick()

    def stop(self) -> None:
        """Cut the connections of knocks that are not closed yet."""
        self._knocker.abort()

    def _knock_again(self, name: NodeName) -> None:
        """Knock at a node that was ejected for a while; a server without Ringway answers no knock, and is back at
        once."""
        if self._knocks is not None and not self._groups.nodes[name].is_backend:
            self._knocks.knock_again(name)
        else:
            self._groups.eject(name, "")
