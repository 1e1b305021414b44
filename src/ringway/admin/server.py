"""The admin port as a server."""

from ringway.admin.config import AdminConfig
from ringway.admin.tokens import AdminTokens
from ringway.api.limits import PortLimits
from ringway.api.server import ApiServer


class AdminServer(ApiServer):
    """The admin port. The constructor reads its tokens, and binds it, as that of every API port."""

    def __init__(self, host: str, port: int, config: AdminConfig | None = None) -> None:
        config = config or AdminConfig()
        self._tokens = AdminTokens(config)
        limits = PortLimits(
            port="admin port",
            section="admin",
            connections_max=config.connections_max,
            request_deadline_s=config.request_deadline_s,
            tcp_keepalive_s=config.tcp_keepalive_s,
        )
        super().__init__(host, port, limits, config)

    @property
    def tokens(self) -> AdminTokens | None:
        """The tokens that callers need; None if only this machine reaches the port, and no tokens are given."""
        return self._tokens if self._tokens.are_there or not self.on_loopback else None
