"""`ringway token revoke`: refuses tokens from now on, and closes their clients."""

import time
from typing import Annotated

from ringway.cli.cluster import joined
from ringway.cli.command import Option
from ringway.cli.counted import counted, verb
from ringway.cli.duration import read_duration
from ringway.cli.option import AsJson, SystemChoice, finds_system
from ringway.cli.process import run_async
from ringway.cli.terminal import say, say_json
from ringway.errors import ConfigError, RingwayError
from ringway.protocol.revocation import (
    REVOCATIONS,
    Revocation,
    Revoke,
    Revoked,
    decode_revoked,
    encode,
    revocation_problem,
    rounded_end,
)

ANSWER_S = 1.5
"""The time for all members to answer: the engine does not say how many there are."""


@finds_system
def revoke(
    system: SystemChoice,
    token_id: Annotated[str, Option("--id", metavar="JTI", help="Refuse the token with this id (its claim jti).")] = "",
    user: Annotated[str, Option("--of-user", metavar="ID", help="Refuse the tokens that this user has now.")] = "",
    issued_before: Annotated[
        str,
        Option(
            "--issued-before",
            metavar="TIME",
            help="With --of-user: those issued before this Unix time. Without: now.",
        ),
    ] = "",
    channel: Annotated[
        str,
        Option("--channel", metavar="NAME", help="With --of-user: only the subscription tokens for this channel."),
    ] = "",
    keep: Annotated[
        str,
        Option("--for", metavar="DURATION", help="Until the tokens have ended by themselves, such as 1h or 720h."),
    ] = "720h",
    as_json: AsJson = False,
) -> None:
    """Refuse tokens from now on, at all nodes and gateways, and close the clients that came by them.

    Example: ringway token revoke --of-user 42
    """
    if issued_before and not user:
        raise ConfigError("--issued-before is given without --of-user; name the user whose tokens end")
    now = time.time()
    before = (_read_time(issued_before) if issued_before else now) if user else 0.0
    revocation = Revocation(rounded_end(now + read_duration(keep)), token_id, user, channel, before)
    problem = revocation_problem(revocation)
    if problem:
        raise ConfigError(f"{problem} (--id, --of-user, --channel)")
    answers = run_async(_tell(system, revocation))
    full = sum(answer.left_out > 0 for answer in answers)
    if not answers:
        raise RingwayError("no member has answered: no node runs, and no gateway with a key for tokens")
    if full:
        raise RingwayError(
            f"{full} of {counted(len(answers), 'member')} remember as many revoked tokens as they may "
            "(token.revocations_max), and still accept this one; raise it, or revoke by --of-user"
        )
    if as_json:
        say_json({"members": len(answers), "until": revocation.expires_at})
        return
    what = f"the token {token_id}" if token_id else f"the tokens of {user}"
    who = counted(len(answers), "member")
    say(f"{who} {verb(len(answers), 'refuse')} {what} from now on.")


async def _tell(system: SystemChoice, revocation: Revocation) -> list[Revoked]:
    async with joined(system) as (access, _):
        request = encode(Revoke(revocations=(revocation,), all_answer=True))
        answers = await access.bus.gather(REVOCATIONS, request, timeout_s=ANSWER_S)
        return [decode_revoked(answer) for answer in answers]


def _read_time(text: str) -> float:
    try:
        at = float(text)
    except ValueError:
        at = -1.0
    if not at > 0:
        raise ConfigError(f"--issued-before is {text!r}; give a Unix time in seconds, as `date +%s` prints it")
    return at
