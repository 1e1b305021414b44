"""TLS of the parts that `ringway up` starts: nodes have the gateway's certificates, which the gateway then trusts."""

from pathlib import Path

from ringway.app.config import Loaded
from ringway.net.tls.certificate import read_certificate


def tls_settings(loaded: Loaded) -> dict[str, tuple[str, ...] | str]:
    """Return the settings of gateway and nodes that follow from the gateway's certificates; none without.

    Files are named by absolute paths. What the settings say of nodes, or of the authorities of nodes, is not touched.
    Raise `ConfigError` for a certificate that cannot be used.
    """
    config = loaded.config
    if not config.gateway.tls_cert:
        return {}
    certs, keys = _absolute(config.gateway.tls_cert), _absolute(config.gateway.tls_key)
    settings: dict[str, tuple[str, ...] | str] = {"gateway.tls_cert": certs, "gateway.tls_key": keys}
    if config.node.tls_cert:
        return settings
    settings |= {"node.tls_cert": certs, "node.tls_key": keys}
    if not config.gateway.upstream_tls_ca and not config.gateway.insecure_upstream_tls_unverified:
        settings["gateway.upstream_tls_ca"] = certs[0]  # nodes show just this certificate
        names = read_certificate(certs[0], keys[0] if keys else "").names
        if not config.gateway.upstream_tls_name and config.node.host not in names:
            exact = sorted(name for name in names if not name.startswith("*."))
            settings["gateway.upstream_tls_name"] = exact[0] if exact else f"node{min(names)[1:]}"
    return settings


def _absolute(files: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(str(Path(file).absolute()) for file in files)
