"""Engine of a process: chosen by the scheme of its URL."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated, Literal

import msgspec

from ringway.engine.url import has_login, mask, split_url, with_options
from ringway.errors import ConfigError
from ringway.ports import Engine

REDIS_SCHEMES = tuple(f"redis{tls}{kind}" for tls in ("", "s") for kind in ("", "+sentinel", "+cluster"))
SCHEMES = ("nats", "tls", "memory", *REDIS_SCHEMES)
SECRET_BYTES_MIN = 16

TLS_SETTINGS = ("ca_file", "cert_file", "key_file", "tls_first")
LOGIN_SETTINGS = ("user", "password_file", "creds_file", "nkey_file")
LOGIN_OPTIONS = (*LOGIN_SETTINGS, "password", "token", "nkey")
"""Options of a URL that say who we are."""

_FORM = (
    "give nats://host:4222, tls://host:4222, redis://host:6379, redis+sentinel://host:26379/name, "
    "redis+cluster://host:6379 (rediss with TLS), or memory://"
)


class EngineConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The settings of the engine, which all members of one system share."""

    url: Annotated[
        str,
        msgspec.Meta(
            description="The engine: nats://[user:password@]host:4222[,host:4222...], tls://... for NATS with TLS; "
            "redis://[user:password@]host:6379, redis+sentinel://host:26379[,host:26379...]/name, "
            "redis+cluster://host:6379[,host:6379...], rediss... for Redis with TLS; or memory:// for a single "
            "process. Empty: the system that `ringway up` runs on this machine.",
            extra={"flag": "engine", "secret": True},
        ),
    ] = ""
    user: Annotated[
        str,
        msgspec.Meta(description="Who we are to the engine, where its URL does not say it; with `password_file`."),
    ] = ""
    password_file: Annotated[
        str,
        msgspec.Meta(
            description="A file that holds the engine's password as it is, without any encoding; without a user, the "
            "token of NATS. Read at each connect."
        ),
    ] = ""
    creds_file: Annotated[
        str, msgspec.Meta(description="A `.creds` file for NATS: a JWT and its seed. Read at each connect.")
    ] = ""
    nkey_file: Annotated[str, msgspec.Meta(description="A file that holds the seed of an nkey for NATS.")] = ""
    ca_file: Annotated[
        str,
        msgspec.Meta(
            description="A PEM file with the certificates that prove the engine over TLS. Empty: those that the system "
            "trusts, or that the variable SSL_CERT_FILE names."
        ),
    ] = ""
    cert_file: Annotated[
        str, msgspec.Meta(description="A PEM file with the certificate that proves us to the engine.")
    ] = ""
    key_file: Annotated[
        str, msgspec.Meta(description="The key of `cert_file`, without a passphrase, where it is not in that file.")
    ] = ""
    tls_first: Annotated[
        bool,
        msgspec.Meta(description="Begin TLS with NATS before it says anything: its setting `handshake_first`."),
    ] = False
    cluster: Annotated[
        str,
        msgspec.Meta(description="Members find each other where this name is the same; one engine can serve several."),
    ] = "ringway"
    secret: Annotated[
        str,
        msgspec.Meta(
            description="Signs tickets; the same on all members, at least 16 characters. "
            "Prefer the file or the environment: other users of the machine can read flags.",
            extra={"secret": True},
        ),
    ] = ""
    secret_file: Annotated[
        str, msgspec.Meta(description="A file that holds the secret; white space around it is left out.")
    ] = ""
    wait_s: Annotated[
        float,
        msgspec.Meta(
            description="How long a starting process waits for the engine before it gives up.",
            ge=0,
            le=3600,
            extra={"unit": "s", "flag": "engine-wait-s"},
        ),
    ] = 5.0
    history_storage: Annotated[
        Literal["memory", "file"],
        msgspec.Meta(
            description="Where NATS keeps the history of channels. A file outlives the NATS server, memory does not; "
            "both take about as many publications a second."
        ),
    ] = "file"
    history_replicas: Annotated[
        int,
        msgspec.Meta(
            description="On how many servers of a NATS cluster history is kept; a publication is confirmed when more "
            "than half of them have it. 0: 3 in a cluster, 1 on a single server.",
            ge=0,
            le=5,
        ),
    ] = 0
    history_bytes_max: Annotated[
        int,
        msgspec.Meta(
            description="How much the history of a namespace may take on each NATS server; beyond it the oldest goes "
            "before its time. NATS sets as much aside, or a part of it where its own limits allow no more. "
            "0: as much as the server allows, then publications are refused.",
            ge=0,
            extra={"unit": "bytes"},
        ),
    ] = 1024 * 1024 * 1024


def read_secret(config: EngineConfig) -> bytes:
    """Return the secret of the system; raise `ConfigError` where none is given, or too short a one."""
    text, origin = config.secret, "engine.secret"
    if not text and config.secret_file:
        origin = config.secret_file
        try:
            text = Path(config.secret_file).read_text().strip()
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(f"the secret file {config.secret_file} cannot be read ({error}); give another") from None
    if not text:
        raise ConfigError(
            "there is no secret to sign tickets with; give all members the same one by --secret-file FILE or "
            "RINGWAY_ENGINE_SECRET (`openssl rand -hex 32` makes a good one)"
        )
    if len(text.encode()) < SECRET_BYTES_MIN:
        raise ConfigError(f"the secret in {origin} has {len(text)} characters; give at least {SECRET_BYTES_MIN}")
    return text.encode()


def check_scheme(url: str) -> str:
    """Return the scheme of an engine's URL; raise `ConfigError` that says which ones there are."""
    scheme = split_url(url, _FORM).scheme
    if scheme not in SCHEMES:
        raise ConfigError(f"the engine {mask(url)!r} is of no known kind; {_FORM}")
    return scheme


def whole_url(config: EngineConfig) -> str:
    """Return the URL with what other settings say of TLS and of us; what the URL itself says goes before."""
    if check_scheme(config.url) == "memory":
        return config.url
    names = TLS_SETTINGS if has_login(config.url, LOGIN_OPTIONS) else (*TLS_SETTINGS, *LOGIN_SETTINGS)
    given = {name: getattr(config, name) for name in names}
    return with_options(
        config.url, {name: str(value).lower() if value is True else value for name, value in given.items() if value}
    )


def settled(config: EngineConfig, url: str) -> EngineConfig:
    """Return `config` with `url`, which says all that is needed to connect."""
    bare = dict.fromkeys((*TLS_SETTINGS, *LOGIN_SETTINGS), "") | {"tls_first": False}
    return msgspec.structs.replace(config, url=url, **bare)


@asynccontextmanager
async def open_engine(config: EngineConfig, name: str) -> AsyncIterator[Engine]:
    """Connect to the engine as `name`; the engine is closed at the end of the block, if it was not before.

    Raise `ConfigError` where the URL is wrong, `EngineError` where the engine cannot be used.
    """
    engine: Engine
    scheme, url = check_scheme(config.url), whole_url(config)
    if scheme == "memory":
        from ringway.engine.memory.engine import MemoryHub

        engine = MemoryHub().open()
    elif scheme in REDIS_SCHEMES:
        from ringway.engine.redis.engine import open_redis

        engine = await open_redis(url, cluster=config.cluster, name=name, wait_s=config.wait_s)
    else:
        from ringway.engine.nats.opening import open_nats
        from ringway.engine.nats.stream import HistorySettings

        history = HistorySettings(config.history_storage, config.history_replicas, config.history_bytes_max)
        engine = await open_nats(url, cluster=config.cluster, name=name, wait_s=config.wait_s, history=history)
    try:
        yield engine
    finally:
        await engine.close()
