"""Calls of backends that revoke tokens: at all nodes and gateways, until the tokens would have ended."""

from ringway.node.commands.context import CommandContext
from ringway.node.server_api.cluster import ClusterCalls
from ringway.protocol.command import Empty
from ringway.protocol.errorcode import BAD_REQUEST, LIMIT_EXCEEDED, command_error
from ringway.protocol.revocation import (
    REVOCATIONS,
    Revocation,
    Revoke,
    decode_revoked,
    encode,
    revocation_problem,
    rounded_end,
)
from ringway.protocol.server_api import ApiInvalidateUserTokensRequest, ApiRevokeTokenRequest


class TokenCalls:
    """Revokes tokens, for `keep_s` where a call does not say when they end. Raises `CommandError` or `EngineError`."""

    def __init__(self, cluster: ClusterCalls, context: CommandContext, keep_s: float) -> None:
        self._cluster = cluster
        self._context = context
        self._keep_s = keep_s

    async def revoke_token(self, request: ApiRevokeTokenRequest) -> Empty:
        """Refuse one token, by its id; return when the nodes know it."""
        if not request.uid:
            raise command_error(BAD_REQUEST, "uid is missing; give the jti of the token")
        return await self._revoke(Revocation(self._end(request.expire_at), token_id=request.uid))

    async def invalidate_user_tokens(self, request: ApiInvalidateUserTokensRequest) -> Empty:
        """Refuse a user's tokens that were issued before a time; return when the nodes know it."""
        if not request.user:
            raise command_error(BAD_REQUEST, "user is missing; name the user whose tokens end")
        issued_before = float(request.issued_before) or self._context.tokens.wall()
        return await self._revoke(
            Revocation(self._end(request.expire_at), "", request.user, request.channel, issued_before)
        )

    def _end(self, expire_at: int) -> float:
        now = self._context.tokens.wall()
        if expire_at and expire_at <= now:
            raise command_error(
                BAD_REQUEST,
                f"expire_at is {expire_at}, which is past: give the Unix time, in seconds, of the tokens' end",
            )
        return rounded_end(expire_at or now + self._keep_s)

    async def _revoke(self, revocation: Revocation) -> Empty:
        problem = revocation_problem(revocation)
        if problem:
            raise command_error(BAD_REQUEST, problem)
        request = encode(Revoke(revocations=(revocation,)))
        answers = await self._cluster.ask_all(REVOCATIONS, request, decode_revoked)
        full = sum(answer.left_out > 0 for answer in answers)
        if full:
            raise command_error(
                LIMIT_EXCEEDED,
                f"{full} of {len(answers)} nodes remember as many revoked tokens as they may (token.revocations_max), "
                "and still accept this one; raise it, or invalidate the tokens of the user",
            )
        return Empty()
