"""Tokens of the admin port: which callers may read, and which may operate."""

from collections.abc import Callable

from ringway.admin.config import AdminConfig
from ringway.admin.rights import Right
from ringway.api.guard import guard_origin
from ringway.api.operation import ApiRefusal, ApiRequest, Guard
from ringway.api.token_file import TokenFile

ASK = {"www-authenticate": 'Bearer realm="ringway"'}
UNKNOWN = {"www-authenticate": 'Bearer realm="ringway", error="invalid_token"'}
TOO_LITTLE = {"www-authenticate": 'Bearer realm="ringway", error="insufficient_scope"'}


class AdminTokens:
    """The tokens in the files of `config`, which are read again when they change.

    Raise `ConfigError` if a file cannot be used. Without files nobody has a right.
    """

    def __init__(self, config: AdminConfig) -> None:
        self._read = TokenFile(config.read_tokens_file) if config.read_tokens_file else None
        self._operate = TokenFile(config.operate_tokens_file) if config.operate_tokens_file else None

    @property
    def are_there(self) -> bool:
        """True if there is a file of tokens."""
        return self._read is not None or self._operate is not None

    def right_of(self, token: str) -> Right:
        """Return the right that `token` gives. All tokens are compared, in constant time."""
        may_operate = self._operate is not None and self._operate.admits(token)
        may_read = self._read is not None and self._read.admits(token)
        return Right.OPERATE if may_operate else Right.READ if may_read else Right.NONE


def make_guard(tokens: AdminTokens, needed: Callable[[ApiRequest], Right]) -> Guard:
    """Return a guard that admits requests whose token gives the `needed` right, and that no foreign page has sent."""

    def guard_right(request: ApiRequest) -> None:
        if not tokens.are_there:
            raise ApiRefusal(
                401,
                "other machines can reach this admin port, and it has no tokens, so that it answers probes only; give "
                "it admin.read_tokens_file and admin.operate_tokens_file, or let it listen on 127.0.0.1",
                headers=ASK,
            )
        guard_origin(request)
        scheme, _, rest = request.headers.get("authorization", "").partition(" ")
        token = rest.strip()
        if scheme.lower() != "bearer" or not token:
            raise ApiRefusal(401, "the request has no token; send the header Authorization: Bearer TOKEN", headers=ASK)
        right = tokens.right_of(token)
        if right is Right.NONE:
            raise ApiRefusal(
                401,
                "the token is not known; use one of admin.read_tokens_file or admin.operate_tokens_file",
                headers=UNKNOWN,
            )
        if right is Right.READ and needed(request) is Right.OPERATE:
            raise ApiRefusal(
                403, "the token may read, and this changes something; use one of admin.operate_tokens_file",
                headers=TOO_LITTLE,
            )  # fmt: skip

    return guard_right
