"""Clients of the gateway, for commands that publish and subscribe; and the search for the gateway's URL."""

import os
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Annotated, Any

from ringway.app.state import find_running, state_dir
from ringway.cli.command import Option
from ringway.client import Client, ClientConfig
from ringway.client.discovery import discover
from ringway.client.url import discovery_url
from ringway.errors import ConfigError, RingwayError
from ringway.protocol.address import shown

URL_ENV = "RINGWAY_URL"
TOKEN_ENV = "RINGWAY_TOKEN"

OPEN_S = 5.0
"""The time for a connection to a gateway."""

GatewayUrl = Annotated[
    str | None,
    Option(
        "--url",
        metavar="URL[,URL...]",
        help="The gateway: http://host:port (asks it for a node) or ws://host:port (goes through it); of several, one "
        f"that can be reached. Also {URL_ENV}. Without it: the one that `ringway up` runs on this machine.",
    ),
]

ClientTokenText = Annotated[
    str | None,
    Option(
        "--token",
        metavar="TOKEN",
        help=f"A connection token, where nodes ask for one (`ringway token make`). Also {TOKEN_ENV}, which other users "
        "of the machine cannot read.",
    ),
]


@asynccontextmanager
async def connected(urls: Sequence[str], **options: Any) -> AsyncIterator[Client]:
    """Connect a client to one of the gateways at `urls`; raise `ConfigError` if no gateway can be reached."""
    token = options.pop("token", None) or os.environ.get(TOKEN_ENV) or None
    client = Client(urls, token=token, config=ClientConfig(open_timeout_s=OPEN_S), **options)
    try:
        await client.open()
    except OSError as error:
        why = error.strerror or str(error) or "no answer in time"
        raise ConfigError(
            f"no gateway can be reached at {' or '.join(urls)} ({why}); start one, or correct --url"
        ) from None
    except RingwayError:
        if await leads_to_backend(urls[0]):
            raise ConfigError(
                f"the gateway at {shown(urls[0])} has no channel node, only backends, which know no channels; start "
                "one with `ringway node` or `ringway up --nodes 1`, or name another gateway by --url"
            ) from None
        raise
    try:
        yield client
    finally:
        await client.close()


async def leads_to_backend(url: str) -> bool:
    """True if the gateway at `url` would send a client of channels to a backend: it gives no ticket for it."""
    try:
        return not (await discover(discovery_url(url), OPEN_S)).ticket
    except (OSError, TimeoutError, RingwayError):
        return False


def gateway_urls(given: str | None, state: str | None) -> list[str]:
    """Return the URLs of the gateways: `given`, `RINGWAY_URL`, or the gateway of the system that runs here."""
    if given and state:
        raise ConfigError(f"--url {given} and --state {state} name a gateway each; give one of them")
    urls = (given or ("" if state else os.environ.get(URL_ENV)) or "").replace(",", " ").split()
    if urls:
        return urls
    directory = state_dir(state)
    running = find_running(directory)
    if running is None:
        raise ConfigError(
            f"no system runs from {directory}; start one with `ringway up`, or name a gateway: --url http://host:8000"
        )
    return [running.gateway_url]
