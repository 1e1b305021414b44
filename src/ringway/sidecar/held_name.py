"""Name of a backend that another sidecar, or the server itself, holds and renews: a second sidecar must not take it.

To the gateways the same URL with another incarnation is a restart. So a second sidecar of a server that runs would
replace the first, and remove the backend when it ends.
"""

import asyncio
from collections.abc import Awaitable, Callable

from ringway.errors import ConfigError, ProtocolError
from ringway.logger import get_logger
from ringway.sidecar.registrar import Registrar, RegistrarAway, RegistrarRefused
from ringway.types import NodeState

RENEWALS = 3
"""Renewals in the time of one lease: two may be lost."""

WATCHED = 1.5
"""The periods of renewal for which a lease is watched."""

_log = get_logger()


async def refuse_held_name(registrar: Registrar, name: str, url: str, answers: Callable[[], Awaitable[bool]]) -> None:
    """Raise `ConfigError` if `name` is registered for `url`, `answers` says that its server runs, and the registration
    is renewed.

    Return at once if nothing answers here: the server has ended, and this is a restart. Otherwise watch the lease for
    half of its time at most. A registration with a different URL, or one that drains, is left to the gateway's rules.
    """
    loop = asyncio.get_running_loop()
    ends_at, at_most = loop.time(), None
    while True:
        asked_at = loop.time()
        try:
            row = await registrar.find(name)
        except (RegistrarAway, RegistrarRefused, ConfigError, ProtocolError):
            return  # the name is free; if not, the registration is refused
        if row.url != url or row.state is not NodeState.ACTIVE:
            return
        if at_most is None:
            if not await answers():
                return
            ends_at = asked_at + WATCHED * row.ttl_s / RENEWALS
            _log.info("the name is registered already; is it renewed?", backend=name, url=url, at=registrar.at)
            at_most = loop.time() + row.expires_in_s
        elif asked_at + row.expires_in_s > at_most:
            raise ConfigError(
                f"the name {name!r} is held by a live registration from {row.url} (incarnation {row.incarnation}) at "
                f"{registrar.at}: something else renews it; end that, or choose --name and a port of its own"
            )
        if asked_at >= ends_at:
            return
        await asyncio.sleep(row.ttl_s / RENEWALS / 4)
