"""Pool of connections to backends: those that carry a request, and idle ones for the next requests, bounded.

The connection that was used last is used first, so that surplus ones idle out. The gateway closes idle connections
(`http_spare_s`) before backends usually do: a request that meets a backend's close on its way is lost.
"""

import socket
import ssl
from collections.abc import Callable

from ringway.gateway.config.gateway import GatewayConfig
from ringway.gateway.exchange.backend_connection import BackendConnection
from ringway.gateway.proxy.addresses import NodeAddresses
from ringway.gateway.proxy.upstream import Unreachable
from ringway.gateway.stats import GatewayStats
from ringway.net import connector
from ringway.net.liveness import watch_peer
from ringway.protocol.server_address import ServerAddress


class ConnectionPool:
    """The connections of one gateway to backends for plain requests. `clock` is monotonic."""

    def __init__(
        self, config: GatewayConfig, addresses: NodeAddresses, stats: GatewayStats, clock: Callable[[], float]
    ) -> None:
        self._config = config
        self._addresses = addresses
        self._stats = stats
        self._clock = clock
        self._spare: dict[ServerAddress, list[BackendConnection]] = {}
        self._open: set[BackendConnection] = set()
        self.connecting = 0

    @property
    def files(self) -> int:
        """The descriptors of all connections, with those under way."""
        return len(self._open) + self.connecting

    def take_spare(self, address: ServerAddress) -> BackendConnection | None:
        """Return an idle connection to `address`, which is the caller's; None if there is none."""
        spare = self._spare.get(address)
        while spare:
            connection = spare.pop()
            if not connection.transport.is_closing():
                return connection
        return None

    async def open_new(self, address: ServerAddress) -> BackendConnection:
        """Return a new connection to `address`; raise `Unreachable`."""
        tls = self._addresses.tls_context() if address.tls else None
        deadline_s = self._config.connect_deadline_s
        self.connecting += 1
        try:
            _, connection = await connector().open(
                lambda: BackendConnection(address, self._on_over), address.host, address.port, deadline_s,
                ssl=tls, tls_name=address.tls_name,
            )  # fmt: skip
        except TimeoutError:
            raise Unreachable(504, f"the backend did not accept a connection within {deadline_s:g} s") from None
        except socket.gaierror as error:
            raise Unreachable(502, "the name of the backend cannot be looked up") from error
        except (OSError, ssl.SSLError) as error:
            raise Unreachable(502, "the backend does not accept connections") from error
        finally:
            self.connecting -= 1
        self._open.add(connection)
        self._stats.backend_connections = len(self._open)
        self._stats.backend_connects += 1
        if connection.transport.is_closing():
            self._on_over(connection)
            raise Unreachable(502, "the backend broke the connection off")
        watch_peer(connection.transport.get_extra_info("socket").fileno(), self._config.tcp_keepalive_s)
        return connection

    def keep_spare(self, connection: BackendConnection) -> None:
        """Keep a connection, whose last answer is whole, for the next request; close it if there are enough."""
        connection.exchange = None
        connection.is_used = True
        spare = self._spare.setdefault(connection.address, [])
        if len(spare) >= self._config.http_spare_max or connection.transport.is_closing():
            self.drop_connection(connection)
            return
        connection.spare_until = self._clock() + self._config.http_spare_s
        connection.transport.resume_reading()
        spare.append(connection)

    def drop_connection(self, connection: BackendConnection) -> None:
        """Close a connection that cannot be used again."""
        connection.exchange = None
        connection.transport.abort()

    def sweep(self, now: float) -> None:
        """Close connections that were idle long enough; call it a few times a second."""
        for address, spare in list(self._spare.items()):
            while spare and spare[0].spare_until <= now:
                spare.pop(0).transport.close()
            if not spare:
                del self._spare[address]

    def close(self) -> None:
        """Abort all connections."""
        for connection in list(self._open):
            connection.transport.abort()

    def _on_over(self, connection: BackendConnection) -> None:
        self._open.discard(connection)
        self._stats.backend_connections = len(self._open)
        spare = self._spare.get(connection.address)
        if spare and connection in spare:
            spare.remove(connection)
