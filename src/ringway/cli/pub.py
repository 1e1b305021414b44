"""`ringway pub`: publishes one message."""

import json
from typing import Annotated, Any

import msgspec

from ringway.cli.command import Argument
from ringway.cli.gateway_client import ClientTokenText, GatewayUrl, connected, gateway_urls
from ringway.cli.option import StateDir
from ringway.cli.process import run_async
from ringway.errors import ConfigError


def pub(
    channel: Annotated[str, Argument(metavar="CHANNEL", help="The channel to publish to.")],
    data: Annotated[str, Argument(metavar="DATA", help="What to publish: JSON; everything else is sent as text.")],
    url: GatewayUrl = None,
    token: ClientTokenText = None,
    state: StateDir = None,
) -> None:
    """Publish DATA to CHANNEL, and return when the engine has accepted it.

    Example: ringway pub room hello, or ringway pub room '{"text": "hello"}'
    """
    addresses = gateway_urls(url, state)
    value = read_data(data)

    async def work() -> None:
        async with connected(addresses, token=token) as client:
            await client.publish(channel, value)

    run_async(work())


def read_data(text: str) -> Any:
    """Return the JSON value of `text`, or `text` itself if it is not JSON; raise `ConfigError` if it is too deep."""
    try:
        return msgspec.json.decode(text)
    except msgspec.DecodeError:
        pass
    except RecursionError:
        raise ConfigError("the data is nested too deep; publish it as a text, in quotes, or less deep") from None
    try:
        json.loads(text, parse_constant=_refuse)
    except (ValueError, RecursionError):
        return text
    return msgspec.Raw(text.encode())  # it holds half a surrogate pair, which JSON allows and msgspec does not


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is no JSON")
