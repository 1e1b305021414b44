"""Port of the server API: its address, its bounds, and its service."""

from collections.abc import Sequence

from ringway.api.limits import PortLimits
from ringway.api.server import ApiServer
from ringway.node.config.http_api import HttpApiConfig
from ringway.node.server_api.api import DOCUMENT, build_server_api
from ringway.node.server_api.calls import ApiMethod
from ringway.node.server_api.keys import PORT, SECTION, ApiKeys, check_keys, check_reach, make_guards
from ringway.node.server_api.stats import ServerApiStats


class HttpApiServer(ApiServer):
    """The port of `config`, whose `port` is set. The constructor binds it and reads the keys.

    Raise `ConfigError` if the port is in use, if there is no usable key, or if other machines can call without one.
    """

    def __init__(self, config: HttpApiConfig) -> None:
        check_keys(config)
        self._config = config
        self._keys = ApiKeys(config)
        self.stats = ServerApiStats()
        limits = PortLimits(
            port=PORT,
            section=SECTION,
            connections_max=config.connections_max,
            request_deadline_s=config.request_deadline_s,
            tcp_keepalive_s=config.tcp_keepalive_s,
            body_bytes_max=config.body_bytes_max,
        )
        super().__init__(config.host, config.port or 0, limits, config)
        try:
            check_reach(config, on_loopback=self.on_loopback)
        except Exception:
            self.unbind()
            raise

    async def serve(self, methods: Sequence[ApiMethod], version: str) -> None:
        """Answer calls of `methods`, until cancelled."""
        config = self._config
        await self.run(
            build_server_api(
                methods,
                self.stats,
                make_guards(config, self._keys, DOCUMENT),
                version,
                body_bytes_max=config.body_bytes_max,
                commands_max=config.commands_max,
            )
        )
