"""Rights of a subscription that does not follow from its namespace: a token gave it, or the server made it.

A subscription without such rights exists because the options of its namespace allow it to its client. So a node that
receives it in a session can check it by its own options.
"""

from math import inf, isnan

import msgspec

from ringway.core.credentials import INFO_BYTES_MAX, JTI_BYTES_MAX
from ringway.protocol.claims import ClaimedOptions
from ringway.protocol.json_line import is_json_line


class SubscriptionRights(msgspec.Struct, frozen=True, array_like=True):
    """The rights of one subscription. `info` is told to others as `chan_info`: JSON on one line, or empty."""

    info: bytes = b""
    expires_at: float = inf  # Unix seconds
    is_server_side: bool = False  # the server made it; its client did not subscribe
    token_id: str = ""  # of the subscription token that gave them
    issued_at: float = 0.0  # the same token's time, or when it was first shown, Unix seconds; 0: no token gave them
    pushes_joins: bool | None = None  # joins and leaves: told unasked; only if asked for; None: as the namespace says
    recovers: bool = True  # False: never, also where the namespace keeps history
    positions: bool = True  # False: the client is told no position


def with_options(rights: SubscriptionRights, options: ClaimedOptions | None) -> SubscriptionRights:
    """Return `rights` with the `options` that one client can have of its own.

    `presence` and `join_leave` concern the others in the channel as well, so the namespace alone decides on them; and
    nothing can be recovered that it does not keep.
    """
    if options is None:
        return rights
    pushed, recovery, position = options.force_push_join_leave, options.force_recovery, options.force_positioning
    return msgspec.structs.replace(
        rights,
        pushes_joins=None if pushed is None else pushed.value,
        recovers=recovery is None or recovery.value,
        positions=position is None or position.value,
    )


def rights_problem(rights: SubscriptionRights) -> str:
    """Return the bound that `rights` exceed, with value, rule and remedy; '' if there is no problem."""
    if len(rights.info) > INFO_BYTES_MAX:
        return f"the info of a subscription has {len(rights.info)} bytes; at most {INFO_BYTES_MAX} are allowed"
    if not is_json_line(rights.info):
        return "the info of a subscription is not JSON on one line; give one JSON value"
    if isnan(rights.expires_at) or isnan(rights.issued_at):
        return "the end of a subscription, or the time of its token, is not a number; give Unix seconds"
    if len(rights.token_id.encode(errors="replace")) > JTI_BYTES_MAX:
        return f"the id of a subscription's token (jti) has more than {JTI_BYTES_MAX} bytes; make it shorter"
    return ""
