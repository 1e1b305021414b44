"""Rights of a client, as `ringway token check` and `ringway config check` print them."""

from collections.abc import Sequence
from typing import Annotated, Any

import msgspec

from ringway.app.config import Config
from ringway.cli.command import Option
from ringway.cli.terminal import say
from ringway.cli.token_proof import Claims
from ringway.errors import CommandError, ConfigError

Channels = Annotated[
    list[str] | None,
    Option("--channel", metavar="NAME", help="Say what the client may do in this channel. Give it once for each."),
]
Anonymous = Annotated[bool, Option("--anonymous", help="Say what a client without a token may do.")]

ACTIONS = ("subscribe", "publish", "presence", "history", "joins")


def rights_as_json(config: Config, claims: Claims | None, channels: Sequence[str], now: float) -> dict[str, Any]:
    """Return what a client with `claims` (None: without a token) may do, for programs. Raise `ConfigError`."""
    from ringway.node.commands.bearer import Bearer

    bearer = Bearer(config.node, claims, now)
    try:
        answers = bearer.answers(channels)
    except CommandError as error:
        raise ConfigError(f"--channel is no name of a channel: {error}") from None
    return {
        "connect": msgspec.to_builtins(bearer.connect()),
        "server_side": bearer.server_side(),
        "channels": msgspec.to_builtins(answers),
    }


def say_rights(config: Config, claims: Claims | None, channels: Sequence[str], now: float) -> None:
    """Print the same for people."""
    told = rights_as_json(config, claims, channels, now)
    say(f"connect   {_answer(told['connect'])}")
    if told["server_side"]:
        say(f"          the server subscribes it to {', '.join(told['server_side'])}")
    for each in told["channels"]:
        say(f"{each['channel']}  (namespace {each['namespace']})")
        for action in ACTIONS:
            say(f"  {action:<9} {_answer(each[action])}")


def _answer(answer: dict[str, Any]) -> str:
    code = answer.get("code", 0)
    refused = f", {'close' if code >= 3000 else 'error'} {code}" if code else ""
    return f"{answer['allowed']}{refused}: {answer['why']}"
