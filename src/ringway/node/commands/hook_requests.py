"""Requests to hooks in the terms of a node: what is said of a client, and what an answer means for its command."""

from collections.abc import Callable

from ringway.core.credentials import Credentials
from ringway.errors import CommandError, ProtocolError
from ringway.hooks.hook import Hook
from ringway.node.connection.connection import Connection
from ringway.protocol.command import ABSENT, Raw, raw_or_absent
from ringway.protocol.hook import ERROR_CHARS_MAX, HookAnswer, HookEvent, HookRequest, Result, encode_request


async def answer_of(
    connection: Connection,
    hook: Hook,
    event: HookEvent[Result],
    request: HookRequest,
    is_here: Callable[[], bool],
) -> HookAnswer[Result]:
    """Return the answer of `hook`. Raise `HookFailed` if there is none."""
    return await hook.send_request(event, encode_request(request), connection.headers, is_here)


def result_of(answer: HookAnswer[Result]) -> Result | None:
    """Return the result; raise `CommandError` for an error, `ProtocolError` for a disconnect."""
    if answer.disconnect is not None:
        raise ProtocolError(answer.disconnect.code, answer.disconnect.reason)
    if answer.error is not None:
        refused = answer.error
        raise CommandError(refused.code, refused.message[:ERROR_CHARS_MAX], temporary=refused.temporary)
    return answer.result


def meta_for(hook: Hook, credentials: Credentials) -> Raw:
    """Return the `meta` of a request to `hook`."""
    return raw_or_absent(credentials.meta) if hook.options.include_connection_meta else ABSENT
