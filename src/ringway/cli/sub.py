"""`ringway sub`: prints publications."""

import asyncio
from typing import Annotated

import msgspec

from ringway.app.visible import visible, visible_json
from ringway.cli.command import Argument, Option
from ringway.cli.gateway_client import ClientTokenText, GatewayUrl, connected, gateway_urls
from ringway.cli.option import AsJson, StateDir
from ringway.cli.process import run_async
from ringway.cli.terminal import OutputFailed, say, tell
from ringway.client import Connected, Disconnected, Event, Moved, Publication
from ringway.protocol.close import NORMAL
from ringway.tasks import Tasks, leave_to_waiter


def sub(
    channels: Annotated[list[str], Argument(metavar="CHANNEL...", help="The channels to subscribe to.")],
    count: Annotated[int | None, Option("--count", "-n", min=1, help="End after this many publications.")] = None,
    as_json: AsJson = False,
    url: GatewayUrl = None,
    token: ClientTokenText = None,
    state: StateDir = None,
) -> None:
    """Print the publications of one or more channels, one a line, until Ctrl-C.

    Events of the connection, such as a move to a different node, are printed on stderr. With --json each line is an
    object with channel and data, for programs. Without it a text is printed as it is, but with terminal controls made
    visible, such as `\\x1b`.
    """
    addresses = gateway_urls(url, state)

    async def work() -> None:
        done = asyncio.Event()
        failures: list[OutputFailed] = []
        seen = 0

        def show(publication: Publication) -> None:
            nonlocal seen
            seen += 1
            if done.is_set():
                return
            try:
                say(_line(publication, named=len(channels) > 1, as_json=as_json))
            except OutputFailed as failure:
                failures.append(failure)
            if seen == count or failures:
                done.set()

        async with connected(addresses, token=token, on_event=_tell) as client:
            subscriptions = [client.subscribe(channel, on_publication=show) for channel in channels]
            for subscription in subscriptions:
                await subscription.wait_confirmed()
            tell(f"subscribed to {', '.join(channels)}")
            tasks = Tasks(leave_to_waiter)
            over = tasks.spawn(client.wait_closed(), name="end of the client")
            enough = tasks.spawn(done.wait(), name="enough publications")
            try:
                await asyncio.wait([over, enough], return_when=asyncio.FIRST_COMPLETED)
                if over.done():
                    await over
            finally:
                await tasks.aclose()
        if failures:
            raise failures[0]

    run_async(work())


def _line(publication: Publication, *, named: bool, as_json: bool) -> str:
    if as_json:
        return visible_json(
            msgspec.json.encode({"channel": publication.channel, "data": msgspec.Raw(publication.raw)}).decode()
        )
    raw = publication.raw
    text = visible(publication.data) if raw.lstrip().startswith(b'"') else visible_json(raw.decode(errors="replace"))
    return f"{visible(publication.channel)}: {text}" if named else text


def _tell(event: Event) -> None:
    if isinstance(event, Connected):
        tell(f"moved to {event.node}" if event.moved else f"connected to {event.node}")
    elif isinstance(event, Moved):
        tell(f"moved to {event.node}")
    elif isinstance(event, Disconnected) and event.move_to is None and event.code != NORMAL:
        tell(f"disconnected from {event.node}: {event.code} {event.reason}".rstrip())
