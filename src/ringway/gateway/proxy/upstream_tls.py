"""TLS from a gateway to nodes and backends, by its settings."""

import ssl
from dataclasses import replace

from ringway.gateway.config.gateway import GatewayConfig
from ringway.net.tls.client import TlsFiles
from ringway.protocol.server_address import ServerAddress, read_address


class UpstreamTls:
    """The TLS of one gateway to nodes and backends. Raise `ConfigError` for files that cannot be used."""

    def __init__(self, config: GatewayConfig) -> None:
        self._config = config
        # The authorities of the system take a while to load, and most gateways need none.
        is_set = config.upstream_tls_ca or config.upstream_tls_cert
        self._files = self._make() if is_set else None

    def context(self) -> ssl.SSLContext:
        """Return the context of the next connection."""
        if self._files is None:
            self._files = self._make()
        return self._files.context()

    def read_address(self, url: str) -> ServerAddress:
        """Return the address in a node's `url`, with the name that its certificate must have; raise `ConfigError`."""
        address = read_address(url)
        name = self._config.upstream_tls_name
        return replace(address, tls_name=name) if name and address.tls else address

    def _make(self) -> TlsFiles:
        config = self._config
        return TlsFiles(
            config.upstream_tls_ca,
            config.upstream_tls_cert,
            config.upstream_tls_key,
            of="nodes and backends (gateway.upstream_tls_*)",
            verifies=not config.insecure_upstream_tls_unverified,
            alpn=("http/1.1",),
        )
