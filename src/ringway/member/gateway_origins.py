"""Origins of the gateways that are alive: pages that a gateway serves may connect to nodes directly."""

from ringway.core.membership import MemberLeft, MemberReported, MembershipEvent
from ringway.protocol.origin import origins_at
from ringway.protocol.report import Report
from ringway.types import NodeName, Role


class GatewayOrigins:
    """The present origins. A listener of `Feed`."""

    def __init__(self) -> None:
        self.origins: tuple[str, ...] = ()
        """Sorted; replaced by a new tuple when a gateway joins or leaves, and never changed in place."""
        self._gateways: dict[NodeName, Report] = {}

    def on_event(self, event: MembershipEvent) -> None:
        """Follow the gateways that join and leave. The URLs of a gateway do not change in its lifetime."""
        report = event.report
        if report.role is not Role.GATEWAY or isinstance(event, MemberReported):
            return
        if isinstance(event, MemberLeft):
            self._gateways.pop(report.name, None)
        else:
            self._gateways[report.name] = report
        self.origins = tuple(
            sorted(
                {
                    origin
                    for gateway in self._gateways.values()
                    for url in (gateway.url, gateway.public_url)
                    for origin in origins_at(url)
                }
            )
        )
