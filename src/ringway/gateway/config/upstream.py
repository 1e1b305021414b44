"""Settings of TLS from a gateway to nodes and backends whose URLs are `wss://`."""

from typing import Annotated

import msgspec

from ringway.net.http_port import HttpPortConfig


class GatewayUpstreamConfig(HttpPortConfig, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How a gateway proves nodes and backends, and itself to them; a part of `GatewayConfig`."""

    upstream_tls_ca: Annotated[
        str,
        msgspec.Meta(
            description="File (PEM) with the authorities that sign the certificates of nodes and backends, or with "
            "these certificates themselves. Not set: the authorities of the system. It is read again when it changes."
        ),
    ] = ""
    upstream_tls_cert: Annotated[
        str,
        msgspec.Meta(description="File (PEM) with the certificate that the gateway shows to nodes and backends."),
    ] = ""
    upstream_tls_key: Annotated[
        str,
        msgspec.Meta(
            description="File (PEM) with the key of `upstream_tls_cert`, without a passphrase. Not set: it is in the "
            "same file."
        ),
    ] = ""
    upstream_tls_name: Annotated[
        str,
        msgspec.Meta(
            description="The name that the certificates of nodes are for, where their URLs have addresses. Not set: "
            "the host of each URL. A backend has its own (`tls-name`)."
        ),
    ] = ""
    insecure_upstream_tls_unverified: Annotated[
        bool,
        msgspec.Meta(
            description="INSECURE, for tests alone: accept every certificate of nodes and backends. Whoever can change "
            "the traffic on the way can read and forge all of it."
        ),
    ] = False

    def upstream_problems(self) -> list[str]:
        """Return each setting that contradicts another, in sentences. No file is read."""
        problems: list[str] = []
        if self.upstream_tls_key and not self.upstream_tls_cert:
            problems.append("upstream_tls_key is given, and upstream_tls_cert is not; give both, or neither")
        if self.insecure_upstream_tls_unverified and (self.upstream_tls_ca or self.upstream_tls_name):
            problems.append(
                "insecure_upstream_tls_unverified accepts every certificate, and upstream_tls_ca or upstream_tls_name "
                "says which to accept; leave out one of them"
            )
        return problems
