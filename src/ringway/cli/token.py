"""`ringway token`: makes tokens, and says what a token is good for."""

import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import msgspec

from ringway.app.config import Config, Layer, load_config
from ringway.cli.command import Argument, CommandGroup, Exit, Option
from ringway.cli.duration import read_pause
from ringway.cli.option import AsJson, ConfigFile, takes_settings
from ringway.cli.process import run_async
from ringway.cli.rights import Anonymous, Channels, rights_as_json, say_rights
from ringway.cli.terminal import say, say_json
from ringway.cli.token_proof import Claims, read_token, say_refused, verified
from ringway.cli.token_revoke import revoke
from ringway.errors import ConfigError, TokenError
from ringway.protocol.claims import SubscriptionClaims, TokenClaims

SECTIONS = ("token", "subscription_token")


@takes_settings(*SECTIONS, own=("token",))
def make(
    flags: Layer,
    user: Annotated[str, Option("--user", metavar="ID", help="The user. Without: an anonymous client.")] = "",
    channel: Annotated[
        str, Option("--channel", metavar="NAME", help="Make a subscription token, for this channel.")
    ] = "",
    ttl: Annotated[
        str, Option("--ttl", metavar="DURATION", help="How long it is good: 60s, 5m, 1h30m; 0 means without end.")
    ] = "1h",
    info: Annotated[
        str, Option("--info", metavar="JSON", help="What others are shown about the user (claim info).")
    ] = "",
    claims: Annotated[
        list[str] | None, Option("--claim", metavar="NAME=JSON", help="A further claim. Give it once for each.")
    ] = None,
    private_key_file: Annotated[
        str,
        Option("--private-key-file", metavar="FILE", help="Sign with this private key in PEM, not with the secret."),
    ] = "",
    kid: Annotated[str, Option("--kid", metavar="NAME", help="The name of that key in a key set.")] = "",
    config_file: ConfigFile = None,
) -> None:
    """Make a token for a client, and print it: a connection token, or with --channel a subscription token.

    It is signed with the secret of the settings (HS256), or with a private key. If the settings ask for an issuer and
    an audience, it has them.

    Example: ringway token make --user 42 --hmac-secret-key-file secret
    """
    from ringway.auth.signer import sign_with_private_key, sign_with_secret

    config = load_config(flags=flags, file=config_file).config
    section = SECTIONS[1] if channel and config.subscription_token.has_key else SECTIONS[0]
    rules = getattr(config, section)
    said = _claims_of(rules, user, channel, read_pause(ttl), info, claims or [])
    if private_key_file:
        say(sign_with_private_key(_read_key(private_key_file), said, kid))
    else:
        say(sign_with_secret(section, rules, said))


@takes_settings(*SECTIONS, own=("token",))
def check(
    flags: Layer,
    token: Annotated[str, Argument(metavar="[TOKEN]", help="The token; - reads it from standard input.")] = "",
    channels: Channels = None,
    anonymous: Anonymous = False,
    as_json: AsJson = False,
    config_file: ConfigFile = None,
) -> None:
    """Say what a token is good for by the settings: whose it is, until when, for what; or why it is not accepted.

    Then, for each --channel, or for each namespace of the settings: whether its bearer may subscribe, publish, and ask
    for presence and history at a node with these settings, by which option, or with which error it is refused.

    The key set of an endpoint is read. Other users of the machine can read arguments: give a token that matters by -.
    Ends with 0 if the token is good, and with 1 if it is not.
    """
    config = load_config(flags=flags, file=config_file).config
    now = time.time()
    if bool(token) == anonymous:
        raise ConfigError("give a token, or --anonymous for a client without one")
    claims = None if anonymous else check_token(config, token, now, as_json=as_json)
    tells = anonymous or channels or config.node.namespaces
    if as_json:
        said: dict[str, Any] = {"good": True, "kind": _kind(claims), "claims": _as_json(claims)} if claims else {}
        say_json(said | (rights_as_json(config, claims, channels or (), now) if tells else {}))
        return
    if claims is not None:
        say_claims(claims, now)
    if tells:
        say_rights(config, claims, channels or (), now)


def check_token(config: Config, word: str, now: float, *, as_json: bool = False) -> Claims:
    """Return the claims of the token that `word` is; if it is not good, say why, and end with 1."""
    text = read_token(word)
    try:
        return run_async(verified(config, text, now))
    except TokenError as error:
        say_refused(text, error, as_json=as_json)
        raise Exit(1) from None


def say_claims(claims: Claims, now: float) -> None:
    """Print whose token it is, until when, and what else it says."""
    say(f"A good {_kind(claims)} token of {_who(claims)}.")
    for name, value in _lines(claims, now):
        say(f"{name:<10}{value}")


def _claims_of(rules: Any, user: str, channel: str, ttl_s: float, info: str, more: list[str]) -> dict[str, Any]:
    now = int(time.time())
    said: dict[str, Any] = {"sub": user} if user else {}
    said |= {rules.user_id_claim: user} if rules.user_id_claim else {}
    said |= {"iat": now, **({"exp": now + int(ttl_s)} if ttl_s else {})}
    said |= {"iss": rules.issuer} if rules.issuer else {}
    said |= {"aud": rules.audience} if rules.audience else {}
    said |= {"channel": channel} if channel else {}
    said |= {"info": _read_json("--info", info)} if info else {}
    for each in more:
        name, equals, value = each.partition("=")
        if not name or not equals:
            raise ConfigError(f'--claim {each!r} must be NAME=JSON, as meta={{"plan":"pro"}}')
        said[name] = _read_json(f"--claim {name}", value)
    return said


def _read_json(flag: str, text: str) -> Any:
    try:
        return msgspec.json.decode(text)
    except (ValueError, RecursionError):
        raise ConfigError(f"{flag} is {text!r}, which is no JSON; write texts as '\"text\"'") from None


def _read_key(file: str) -> bytes:
    try:
        return Path(file).read_bytes()
    except OSError as error:
        raise ConfigError(
            f"--private-key-file {file} cannot be read ({error.strerror or error}); give another"
        ) from None


def _kind(claims: Claims) -> str:
    return "subscription" if isinstance(claims, SubscriptionClaims) else "connection"


def _who(claims: TokenClaims) -> str:
    return f"user {claims.sub!r}" if claims.sub else "an anonymous client"


def _lines(claims: Claims, now: float) -> list[tuple[str, str]]:
    lines = [("ends", _when(claims.expires_at, now))]
    lines += [("issued", _when(claims.issued_at, now))] if claims.iat is not None else []
    lines += [("id", claims.jti)] if claims.jti else []
    lines += [("issuer", claims.iss)] if claims.iss else []
    lines += [("audience", ", ".join(claims.audience))] if claims.audience else []
    if isinstance(claims, SubscriptionClaims):
        lines += [("channel", claims.channel)]
        lines += [("client", claims.client)] if claims.client else []
    else:
        channels = sorted({*claims.channels, *claims.subs})
        lines += [("channels", ", ".join(channels))] if channels else []
        lines += [("meta", claims.hidden_meta.decode())] if claims.hidden_meta else []
    lines += [("info", claims.shown_info.decode())] if claims.shown_info else []
    return lines


def _when(at: float, now: float) -> str:
    if at == float("inf"):
        return "never"
    far = int(abs(at - now))
    day, hour, minute = far // 86400, far // 3600 % 24, far // 60 % 60
    words = f"{day} d {hour} h" if day else f"{hour} h {minute} min" if hour else f"{minute} min {far % 60} s"
    shown = datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    return f"{shown}, {'in ' + words if at > now else words + ' ago'}"


def _as_json(claims: Claims) -> dict[str, Any]:
    said = {field: getattr(claims, field) for field in claims.__struct_fields__}
    return {name: value for name, value in said.items() if value not in (None, "", (), {}) and _raw_of(value) != b""}


def _raw_of(value: Any) -> bytes | None:
    """Return the text of a raw JSON value; None for any other value."""
    return bytes(value) if isinstance(value, msgspec.Raw) else None


token = CommandGroup({"make": make, "check": check, "revoke": revoke}, help="Tokens that prove clients.")
