"""Results of hooks, in the terms of a node: who a client is, and what its subscription is given.

What a backend gives beyond the bounds of this node is given to nobody: the command gets error 100, and the log says
why.
"""

from ringway.core.credentials import Credentials, credentials_problem
from ringway.core.subscription_rights import SubscriptionRights, rights_problem, with_options
from ringway.logger import get_logger
from ringway.protocol.errorcode import EXPIRED, INTERNAL, command_error
from ringway.protocol.hook import ConnectHookResult, HookSubscription

_log = get_logger()


def credentials_from(result: ConnectHookResult, now: float) -> Credentials:
    """Return the credentials of a client that the connect hook has named at `now`, Unix time.

    Raise `CommandError` 110 if they have ended, 100 if a bound is exceeded.
    """
    check_end(result.expires_at, now)
    credentials = Credentials(
        user=result.user,
        info=result.shown_info,
        meta=result.hidden_meta,
        expires_at=result.expires_at,
        connected_at=now,
    )
    check_bounds(credentials_problem(credentials))
    return credentials


def rights_from(result: HookSubscription, now: float, *, is_server_side: bool = False) -> SubscriptionRights:
    """Return the rights of a subscription that a hook has allowed. Raise `CommandError` as `credentials_from`."""
    check_end(result.expires_at, now)
    rights = with_options(SubscriptionRights(result.shown_info, result.expires_at, is_server_side), result.override)
    check_bounds(rights_problem(rights))
    return rights


def check_end(expires_at: float, now: float) -> None:
    """Raise `CommandError` 110 if the end has come."""
    if expires_at <= now:
        raise command_error(EXPIRED)


def check_bounds(problem: str) -> None:
    """Raise `CommandError` 100 if there is a `problem` with what a hook gave."""
    if problem:
        _log.warning("the answer of a hook cannot be used", why=problem)
        raise command_error(INTERNAL)
