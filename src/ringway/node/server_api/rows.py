"""Rows of an outbox as calls of the server API, and which of them can be repeated.

A row may be carried out twice, if its node dies before the row is deleted. So publications without a key of their own
get that of the row, in channels whose history can tell: there the second one changes nothing.
"""

import asyncio
from collections.abc import Sequence

import msgspec

from ringway.core.outbox import DONE, OutboxRow, RowEnd, RowOutcome
from ringway.errors import CommandError
from ringway.node.config.namespace import Namespaces
from ringway.node.server_api.calls import ApiCalls, ApiMethod
from ringway.node.server_api.publishing import error_of
from ringway.node.server_api.stats import ServerApiStats
from ringway.protocol.errorcode import METHOD_NOT_FOUND, command_error, is_temporary
from ringway.protocol.server_api import (
    ApiBroadcastRequest,
    ApiBroadcastResult,
    ApiPublishRequest,
    CallError,
    PublicationContent,
)
from ringway.types import Channel


class OutboxCalls:
    """Carries out rows by `methods`, and counts them in `stats` as calls."""

    def __init__(self, methods: Sequence[ApiMethod], stats: ServerApiStats, namespaces: Namespaces) -> None:
        self._calls = ApiCalls(methods, stats)
        self._namespaces = namespaces

    async def carry_out(self, row: OutboxRow) -> RowOutcome:
        """Carry out `row`. Errors that clients may repeat (P-4.9) are repeated, all others are final."""
        calls = self._calls
        if row.method not in calls.methods:
            calls.count("unknown", METHOD_NOT_FOUND)
            return _rejected(error_of(command_error(METHOD_NOT_FOUND, f"there are {', '.join(calls.methods)}")))
        try:
            request = calls.read(row.method, row.payload)
        except CommandError as error:
            return _rejected(error_of(error))
        try:
            return await self._call(row, request)
        except Exception as error:
            message = f"row {row.id} of the outbox ({row.method}) failed"
            asyncio.get_running_loop().call_exception_handler({"message": message, "exception": error})
            return RowOutcome(RowEnd.REJECTED, "internal server error; the log has it")

    async def _call(self, row: OutboxRow, request: msgspec.Struct) -> RowOutcome:
        if isinstance(request, PublicationContent) and not request.idempotency_key and not request.skip_history:
            if isinstance(request, ApiBroadcastRequest):
                return await self._broadcast(row, request)
            if isinstance(request, ApiPublishRequest) and self._keeps(request.channel):
                request.idempotency_key = row.key
        return _outcome_of(await self._calls.call(row.method, request))

    async def _broadcast(self, row: OutboxRow, request: ApiBroadcastRequest) -> RowOutcome:
        """Publish with the row's key to the channels that keep history, then without one to the others."""
        kept = [channel for channel in request.channels if self._keeps(channel)]
        others = [channel for channel in request.channels if not self._keeps(channel)]
        outcome = DONE
        if kept:
            keyed = msgspec.structs.replace(request, channels=kept, idempotency_key=row.key)
            outcome = _outcome_of(await self._calls.call(row.method, keyed))
        if outcome.end is RowEnd.REPEATED or (kept and not others):
            return outcome
        rest = _outcome_of(await self._calls.call(row.method, msgspec.structs.replace(request, channels=others)))
        return rest if rest.end is not RowEnd.DONE else outcome

    def _keeps(self, channel: str) -> bool:
        return self._namespaces.of(Channel(channel)).retention is not None


def _outcome_of(result: msgspec.Struct) -> RowOutcome:
    """Return the outcome of a call; of a broadcast that of its worst channel."""
    if isinstance(result, ApiBroadcastResult):
        errors = [reply.error for reply in result.responses if reply.error is not None]
    else:
        errors = [result] if isinstance(result, CallError) else []
    if not errors:
        return DONE
    error = next((error for error in errors if is_temporary(error.code)), errors[0])
    end = RowEnd.REPEATED if is_temporary(error.code) else RowEnd.REJECTED
    return RowOutcome(end, f"{error.code}: {error.message}")


def _rejected(error: CallError) -> RowOutcome:
    return RowOutcome(RowEnd.REJECTED, f"{error.code}: {error.message}")
