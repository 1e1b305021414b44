"""`ringway pub`: publishes one message."""

from typing import Annotated, Any

import msgspec
import typer

from ringway.cli.cluster import GatewayUrl, connected, gateway_urls
from ringway.cli.option import StateDir
from ringway.cli.process import run_async


def pub(
    channel: Annotated[str, typer.Argument(metavar="CHANNEL", help="The channel to publish to.")],
    data: Annotated[str, typer.Argument(metavar="DATA", help="What to publish: JSON; anything else is sent as text.")],
    url: GatewayUrl = None,
    state: StateDir = None,
) -> None:
    """Publish DATA to CHANNEL, and return when the engine has taken it.

    Example: ringway pub room hello, or ringway pub room '{"text": "hello"}'
    """
    addresses = gateway_urls(url, state)

    async def work() -> None:
        async with connected(addresses) as client:
            await client.publish(channel, read_data(data))

    run_async(work())


def read_data(text: str) -> Any:
    """Return the JSON value that `text` is, or `text` itself where it is none."""
    try:
        return msgspec.json.decode(text)
    except msgspec.DecodeError:
        return text


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command()(pub)
