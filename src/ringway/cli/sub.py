"""`ringway sub`: prints what is published."""

import asyncio
from typing import Annotated

import msgspec
import typer

from ringway.cli.cluster import GatewayUrl, connected, gateway_urls
from ringway.cli.option import AsJson, StateDir
from ringway.cli.process import run_async
from ringway.client import Connected, Disconnected, Event, Moved, Publication
from ringway.protocol.close import NORMAL


def sub(
    channels: Annotated[list[str], typer.Argument(metavar="CHANNEL...", help="The channels to subscribe to.")],
    count: Annotated[int | None, typer.Option("--count", "-n", min=1, help="End after so many publications.")] = None,
    as_json: AsJson = False,
    url: GatewayUrl = None,
    state: StateDir = None,
) -> None:
    """Print the publications of one or more channels, one a line, until Ctrl-C.

    What happens to the connection, such as a move to another node, is told on stderr. With --json each line is an
    object with channel and data.
    """
    addresses = gateway_urls(url, state)

    async def work() -> None:
        done = asyncio.Event()
        seen = 0

        def show(publication: Publication) -> None:
            nonlocal seen
            seen += 1
            if count is None or seen <= count:
                typer.echo(_line(publication, named=len(channels) > 1, as_json=as_json))
            if seen == count:
                done.set()

        async with connected(addresses, on_event=_tell) as client:
            subscriptions = [client.subscribe(channel, on_publication=show) for channel in channels]
            for subscription in subscriptions:
                await subscription.wait_confirmed()
            typer.echo(f"subscribed to {', '.join(channels)}", err=True)
            over = asyncio.ensure_future(client.wait_closed())
            enough = asyncio.ensure_future(done.wait())
            await asyncio.wait([over, enough], return_when=asyncio.FIRST_COMPLETED)
            enough.cancel()
            if not over.done():
                over.cancel()
                return
            await over

    run_async(work())


def _line(publication: Publication, *, named: bool, as_json: bool) -> str:
    if as_json:
        return msgspec.json.encode({"channel": publication.channel, "data": msgspec.Raw(publication.raw)}).decode()
    data = publication.data
    text = data if isinstance(data, str) else publication.raw.decode()
    return f"{publication.channel}: {text}" if named else text


def _tell(event: Event) -> None:
    if isinstance(event, Connected):
        typer.echo(f"moved to {event.node}" if event.moved else f"connected to {event.node}", err=True)
    elif isinstance(event, Moved):
        typer.echo(f"moved to {event.node}", err=True)
    elif isinstance(event, Disconnected) and event.move_to is None and event.code != NORMAL:
        typer.echo(f"disconnected from {event.node}: {event.code} {event.reason}".rstrip(), err=True)


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command()(sub)
