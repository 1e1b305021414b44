"""Clients whose tokens are revoked: they are closed, and subscriptions of revoked tokens are ended, at this node.

A revocation of a user concerns few connections, which are found by the user. That of a token's id concerns any: all
connections are looked through once for all ids of a moment, in slices, so that others have their turns.
"""

import asyncio

from ringway.core.revocations import Revocations
from ringway.node.commands.context import CommandContext
from ringway.node.commands.subscribe import unsubscribe
from ringway.node.connection.connection import Connection
from ringway.protocol.close import INVALID_TOKEN
from ringway.protocol.revocation import Revocation
from ringway.tasks import Tasks

UNSUBSCRIBED = 2000
"""The code of an unsubscribe push for a revoked subscription token: the client does not subscribe again."""

REASON = "token revoked"

SLICE_CLIENTS = 2000
"""Clients that are checked in one turn of the event loop: some milliseconds."""


class RevokedClients:
    """Ends what revoked tokens gave to the clients of a node."""

    def __init__(self, context: CommandContext) -> None:
        self._context = context
        self._fresh: list[Revocation] = []
        self._tasks = Tasks()

    @property
    def revocations(self) -> Revocations:
        """What is revoked."""
        return self._context.tokens.revocations

    def on_learned(self, fresh: list[Revocation]) -> None:
        """End the clients of these tokens, at the next tick (`member.revocation_exchange.OnLearned`)."""
        self._fresh += fresh

    def tick(self) -> None:
        """End the clients of tokens that were revoked since the last tick; call it several times a second."""
        if self._fresh and not self._tasks:
            fresh, self._fresh = self._fresh, []
            self._tasks.spawn(self._end_all(fresh), name="clients with revoked tokens")

    async def stop(self) -> None:
        """End no more clients."""
        await self._tasks.aclose()

    def enforce(self, connection: Connection) -> None:
        """Close the client if its token is revoked, and end its subscriptions by revoked tokens."""
        context = self._context
        if not connection.is_connected:
            return
        if self.revocations.revokes_bearer(connection.credentials):
            connection.close(INVALID_TOKEN, REASON)
            return
        user = connection.credentials.user
        for channel, rights in list(connection.rights.items()):
            if channel in connection.channels and context.tokens.is_void(user, channel, rights):
                unsubscribe(context, connection, channel, UNSUBSCRIBED, REASON)

    async def _end_all(self, fresh: list[Revocation]) -> None:
        registry = self._context.registry
        if any(revocation.token_id for revocation in fresh):
            found = list(registry)
        else:
            found = [client for user in {each.user for each in fresh} for client in registry.of_user(user)]
        for number, connection in enumerate(found, 1):
            self.enforce(connection)
            if number % SLICE_CLIENTS == 0:
                await asyncio.sleep(0)
