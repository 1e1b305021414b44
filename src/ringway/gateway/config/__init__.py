"""Settings of a gateway."""

from ringway.gateway.config.gateway import GatewayConfig

__all__ = ["GatewayConfig"]
