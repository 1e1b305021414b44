"""Revocations of tokens, and the messages by which members share them (PROTOCOL.md P-9.14)."""

from math import ceil, isfinite

import msgspec

from ringway.errors import ProtocolError
from ringway.protocol.claims import ID_CHARS_MAX, NAME_CHARS_MAX, TIME_MAX, USER_CHARS_MAX
from ringway.protocol.close import BAD_REQUEST
from ringway.protocol.count import Count
from ringway.protocol.decoding import reader
from ringway.types import Incarnation

REVOCATIONS = "revocations"
"""The bus address that all members serve that check tokens; `Bus.gather` reaches all of them."""

PAGE_MAX = 1000
"""The most revocations in one message: some 100 bytes each, and far below what engines bound."""

END_STEP_S = 60
"""Ends are whole minutes, so that the members of a cluster forget a revocation at almost the same time."""


class Revocation(msgspec.Struct, frozen=True, array_like=True):
    """What is refused until `expires_at`: the token `token_id`, or those of `user` that were issued before a time.

    With a `channel` these are the user's subscription tokens for it, and no others. Times are Unix seconds.
    """

    expires_at: float
    token_id: str = ""
    user: str = ""
    channel: str = ""
    issued_before: float = 0.0

    @property
    def key(self) -> tuple[str, str, str]:
        """What is revoked: of two revocations with the same key the later times count."""
        return self.token_id, self.user, self.channel


class Revoke(msgspec.Struct, frozen=True, kw_only=True, tag="revoke"):
    """Refuse these tokens from now on. Nodes answer when they know them; gateways as well if `all_answer`."""

    revocations: tuple[Revocation, ...]
    all_answer: bool = False


class AskDigest(msgspec.Struct, frozen=True, kw_only=True, tag="digest"):
    """Say what you know, if it differs from what I know; with `all_answer` also if it does not."""

    digest: str
    all_answer: bool = False


class AskRevocations(msgspec.Struct, frozen=True, kw_only=True, tag="list"):
    """Name the revocations that you have learned after the number `after` of your own count."""

    after: Count


Request = Revoke | AskDigest | AskRevocations


class Revoked(msgspec.Struct, frozen=True, kw_only=True, tag="revoked"):
    """The member refuses the tokens now, but for those `left_out` for which it has no room."""

    incarnation: Incarnation
    left_out: Count = 0


class Digest(msgspec.Struct, frozen=True, kw_only=True, tag="digest"):
    """The digest of the revocations that the member knows, and the number of the newest by its own count."""

    incarnation: Incarnation
    digest: str
    number: Count


class RevocationPage(msgspec.Struct, frozen=True, kw_only=True, tag="page"):
    """Revocations in the order in which the member learned them, up to the `number`; `is_last` if there are no more."""

    revocations: tuple[Revocation, ...]
    number: Count
    is_last: bool


Answer = Revoked | Digest | RevocationPage

_encoder = msgspec.json.Encoder()
_request: msgspec.json.Decoder[Request] = msgspec.json.Decoder(Request)
_answer: msgspec.json.Decoder[Answer] = msgspec.json.Decoder(Answer)
_read_request = reader(_request.decode, "a message about revoked tokens")
_read_answer = reader(_answer.decode, "an answer about revoked tokens")
decode_revoked = reader(msgspec.json.Decoder(Revoked).decode, "the confirmation of a revocation")

encode = _encoder.encode


def decode_request(raw: bytes) -> Request:
    """Return the request in `raw`; raise `ProtocolError` if it cannot be read, or revokes what cannot be."""
    request = _read_request(raw)
    if isinstance(request, Revoke):
        _check(request.revocations)
    return request


def decode_answer(raw: bytes) -> Answer:
    """Return the answer in `raw`; raise `ProtocolError` as `decode_request` does."""
    answer = _read_answer(raw)
    if isinstance(answer, RevocationPage):
        _check(answer.revocations)
    return answer


def address_of(incarnation: Incarnation) -> str:
    """Return the bus address at which one member is asked for what it knows."""
    return f"{REVOCATIONS}.{incarnation}"


def rounded_end(at: float) -> float:
    """Return the whole minute, of Unix time, at which a revocation ends that is needed until `at`."""
    return float(ceil(min(at, TIME_MAX) / END_STEP_S) * END_STEP_S)


def revocation_problem(revocation: Revocation) -> str:
    """Return what is wrong with `revocation`, with value, rule and remedy; '' if nothing is."""
    if bool(revocation.token_id) == bool(revocation.user):
        return "a revocation is of a token, by its id, or of a user: give one of them"
    for name, text, most in (
        ("id of a token", revocation.token_id, ID_CHARS_MAX),
        ("user", revocation.user, USER_CHARS_MAX),
        ("channel", revocation.channel, NAME_CHARS_MAX),
    ):
        if len(text) > most:
            return f"the {name} has {len(text)} characters; no good token has more than {most}"
    if revocation.channel and not revocation.user:
        return "a channel is given without a user; name the user whose tokens for it end"
    if not (isfinite(revocation.issued_before) and isfinite(revocation.expires_at)):
        return "a time is not a number; give Unix seconds"
    return ""


def _check(revocations: tuple[Revocation, ...]) -> None:
    problem = next(filter(None, map(revocation_problem, revocations)), "")
    if problem or len(revocations) > PAGE_MAX:
        raise ProtocolError(BAD_REQUEST, problem or f"{len(revocations)} revocations; at most {PAGE_MAX} go together")
