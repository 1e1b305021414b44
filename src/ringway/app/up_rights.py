"""Rights of clients at the nodes of `ringway up`: open to everybody where only this machine reaches them."""

from ringway.app.config import Loaded
from ringway.protocol.host import is_loopback

INSECURE = "node.insecure"


def is_open(loaded: Loaded) -> bool:
    """True if the nodes of `ringway up` check no rights: by their setting, or because nothing else is said.

    Nothing else is said if gateway and nodes listen on loopback, no key for tokens and no connect hook is given, and no
    setting is about anonymous clients.
    """
    config = loaded.config
    has_key = config.token.has_key or config.subscription_token.has_key
    if (
        INSECURE in loaded.given
        or has_key
        or config.node.connect_hook
        or config.node.allow_anonymous_connect_without_token
    ):
        return config.node.insecure
    return all(is_loopback(host) for host in (config.gateway.host, config.node.host))
