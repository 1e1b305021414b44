"""The engine of a process, chosen by the scheme of its URL."""

import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated, Literal

import msgspec

from ringway.engine.url import has_login, mask, split_url, with_options
from ringway.errors import ConfigError
from ringway.net.paced_reading import READ_PAUSE_S
from ringway.ports import Engine
from ringway.protocol.keyring import Keyring

REDIS_SCHEMES = tuple(f"redis{tls}{kind}" for tls in ("", "s") for kind in ("", "+sentinel", "+cluster"))
SCHEMES = ("nats", "tls", "memory", *REDIS_SCHEMES)
SECRET_BYTES_MIN = 16

TLS_SETTINGS = ("ca_file", "cert_file", "key_file", "tls_first")
LOGIN_SETTINGS = ("user", "password_file", "creds_file", "nkey_file")
LOGIN_OPTIONS = (*LOGIN_SETTINGS, "password", "token", "nkey")
"""Options of a URL that identify us to the engine."""

_FORM = (
    "give nats://host:4222, tls://host:4222, redis://host:6379, redis+sentinel://host:26379/name, "
    "redis+cluster://host:6379 (rediss with TLS), or memory://"
)


class EngineConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The settings of the engine, which all members of a system share."""

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
        msgspec.Meta(description="User name at the engine, if its URL has none; with `password_file`."),
    ] = ""
    password_file: Annotated[
        str,
        msgspec.Meta(
            description="A file with the engine's password, without any encoding; without a user, with the token of "
            "NATS. Read at each connect."
        ),
    ] = ""
    creds_file: Annotated[
        str, msgspec.Meta(description="A `.creds` file for NATS: a JWT and its seed. Read at each connect.")
    ] = ""
    nkey_file: Annotated[
        str, msgspec.Meta(description="A file that holds the seed of an nkey for NATS. Read at each connect.")
    ] = ""
    ca_file: Annotated[
        str,
        msgspec.Meta(
            description="A PEM file with the certificates that prove the engine over TLS. Empty: the certificates that "
            "the system trusts, or the file that the variable SSL_CERT_FILE names. All files of certificates are read "
            "again at the next connect after a change."
        ),
    ] = ""
    cert_file: Annotated[
        str, msgspec.Meta(description="A PEM file with the certificate that proves us to the engine.")
    ] = ""
    key_file: Annotated[
        str, msgspec.Meta(description="The key of `cert_file`, without a passphrase, if it is not in that file.")
    ] = ""
    tls_first: Annotated[
        bool,
        msgspec.Meta(
            description="Begin TLS with NATS before the server sends anything: NATS's setting `handshake_first`."
        ),
    ] = False
    cluster: Annotated[
        str,
        msgspec.Meta(
            description="Name of the system: members of one name find each other. An engine can serve several."
        ),
    ] = "ringway"
    secret: Annotated[
        str,
        msgspec.Meta(
            description="The secret by which members believe messages and tickets of members: the same on all, at "
            "least 16 characters. Prefer the file or the environment: other users of the machine can read flags.",
            extra={"secret": True},
        ),
    ] = ""
    secret_file: Annotated[
        str,
        msgspec.Meta(
            description="A file with the secret; surrounding white space is ignored. Read again when it changes, and "
            "on SIGHUP."
        ),
    ] = ""
    previous_secret: Annotated[
        str,
        msgspec.Meta(
            description="A second secret that is accepted, and signs nothing: the previous one, or the next one, while "
            "the secret is changed. At least 16 characters, and not the secret.",
            extra={"secret": True},
        ),
    ] = ""
    previous_secret_file: Annotated[
        str,
        msgspec.Meta(
            description="A file with the previous secret; an empty file is none. Read again when it changes, and on "
            "SIGHUP."
        ),
    ] = ""
    hash_secret: Annotated[
        str,
        msgspec.Meta(
            description="The secret that keys the hash tables of policies by key: the same on all members, at least 16 "
            "characters. Empty: the secret. Set it to the present secret before the first change of the secret; "
            "otherwise that change moves most keys to different nodes.",
            extra={"secret": True},
        ),
    ] = ""
    hash_secret_file: Annotated[
        str, msgspec.Meta(description="A file with the hash secret; surrounding white space is ignored.")
    ] = ""
    wait_s: Annotated[
        float,
        msgspec.Meta(
            description="A starting process waits this long for the engine before it gives up.",
            ge=0,
            le=3600,
            extra={"unit": "s", "flag": "engine-wait-s"},
        ),
    ] = 5.0
    history_storage: Annotated[
        Literal["memory", "file"],
        msgspec.Meta(
            description="Where NATS stores the history of channels. A file outlives the NATS server, memory does not; "
            "both store about the same number of publications a second."
        ),
    ] = "file"
    history_replicas: Annotated[
        int,
        msgspec.Meta(
            description="Number of servers of a NATS cluster that store the history. A publication is confirmed when "
            "more than half of them have it. 0: 3 in a cluster, 1 on a single server.",
            ge=0,
            le=5,
        ),
    ] = 0
    history_bytes_max: Annotated[
        int,
        msgspec.Meta(
            description="Bytes that the history of a namespace may take on each NATS server. Beyond it the oldest "
            "publications are removed early. NATS reserves this size, or a part of it if its own limits allow no more. "
            "0: as much as the server allows; then publications are refused.",
            ge=0,
            extra={"unit": "bytes"},
        ),
    ] = 1024 * 1024 * 1024


ALONE_HASH_SECRET = "backends without!"
"""The key for the hashes of policies if there is no engine and no secret."""


def read_secret(config: EngineConfig) -> bytes:
    """Return the secret of the system; raise `ConfigError` if it is missing or too short."""
    secret = _read("secret", config.secret, config.secret_file)
    if not secret:
        raise ConfigError(
            "there is no secret by which members prove themselves; give all members the same one by --secret-file FILE "
            "or RINGWAY_ENGINE_SECRET (`openssl rand -hex 32` makes a good one)"
        )
    return secret


def read_previous_secret(config: EngineConfig) -> bytes:
    """Return the second secret that is accepted; empty if there is none, or its file is empty.

    Raise `ConfigError` if it is too short, or its file cannot be read.
    """
    return _read("previous_secret", config.previous_secret, config.previous_secret_file, may_be_empty=True)


def read_secrets(config: EngineConfig) -> tuple[bytes, bytes]:
    """Return the secret and the previous secret, which may be empty; raise `ConfigError` if they cannot be used."""
    secret, previous = read_secret(config), read_previous_secret(config)
    if secret == previous:
        raise ConfigError(
            f"engine.previous_secret ({config.previous_secret_file or 'a setting'}) is the same as engine.secret; give "
            "the secret from before the change, or empty it"
        )
    return secret, previous


def read_keyring(config: EngineConfig) -> Keyring:
    """Return the keys of the cluster; raise `ConfigError` if the secrets cannot be used."""
    return Keyring(*read_secrets(config))


def read_hash_secret(config: EngineConfig) -> bytes:
    """Return the secret that keys hash tables: a setting of its own, so that owners stay when the secret changes.

    Raise `ConfigError` if it is too short, or if neither this key nor the secret is given.
    """
    return _read("hash_secret", config.hash_secret, config.hash_secret_file) or read_secret(config)


def _read(name: str, text: str, file: str, *, may_be_empty: bool = False) -> bytes:
    """Return the setting `engine.name`, or the content of its file; empty if neither is given."""
    origin = f"engine.{name}"
    if not text and file:
        origin = file
        try:
            text = Path(file).read_text().strip()
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(f"the secret file {file} cannot be read ({error}); give another") from None
        if not text and not may_be_empty:
            raise ConfigError(f"the secret file {file} is empty; write the secret into it")
    if text and len(text.encode()) < SECRET_BYTES_MIN:
        raise ConfigError(f"the secret in {origin} has {len(text)} characters; give at least {SECRET_BYTES_MIN}")
    return text.encode()


def settings_alone(config: EngineConfig) -> EngineConfig:
    """Return the settings of a gateway without an engine: everything is in its process, and no other process has the
    secret.

    All such gateways agree on the owners of keys, unless a secret is given.
    """
    given = config.hash_secret or config.hash_secret_file or config.secret or config.secret_file
    hash_secret = config.hash_secret if given else ALONE_HASH_SECRET
    secret = config.secret if config.secret or config.secret_file else secrets.token_hex(32)
    return msgspec.structs.replace(config, url="memory://", hash_secret=hash_secret, secret=secret)


def check_scheme(url: str) -> str:
    """Return the scheme of an engine's URL; raise `ConfigError` with the known schemes if it is unknown."""
    scheme = split_url(url, _FORM).scheme
    if scheme not in SCHEMES:
        raise ConfigError(f"the engine {mask(url)!r} is of no known kind; {_FORM}")
    return scheme


def whole_url(config: EngineConfig) -> str:
    """Return the URL completed with the settings for TLS and login. Options in the URL have precedence."""
    if check_scheme(config.url) == "memory":
        return config.url
    names = TLS_SETTINGS if has_login(config.url, LOGIN_OPTIONS) else (*TLS_SETTINGS, *LOGIN_SETTINGS)
    given = {name: getattr(config, name) for name in names}
    return with_options(
        config.url, {name: str(value).lower() if value is True else value for name, value in given.items() if value}
    )


def settled(config: EngineConfig, url: str) -> EngineConfig:
    """Return `config` with `url`, which contains all that is needed to connect."""
    bare = dict.fromkeys((*TLS_SETTINGS, *LOGIN_SETTINGS), "") | {"tls_first": False}
    return msgspec.structs.replace(config, url=url, **bare)


@asynccontextmanager
async def open_engine(config: EngineConfig, name: str, read_pause_s: float = 0.0) -> AsyncIterator[Engine]:
    """Connect to the engine as `name`; the engine is closed at the end of the block, if it was not closed before.

    With a `read_pause_s` above 0, messages are read with so long a pause after each read (`net.paced_reading`).
    Raise `ConfigError` if the URL is wrong, `EngineError` if the engine cannot be used.
    """
    engine: Engine
    scheme, url = check_scheme(config.url), whole_url(config)
    if scheme == "memory":
        from ringway.engine.memory.engine import MemoryHub

        engine = MemoryHub().open()
    elif scheme in REDIS_SCHEMES:
        from ringway.engine.redis.engine import open_redis

        engine = await open_redis(
            url, cluster=config.cluster, name=name, wait_s=config.wait_s, read_pause_s=read_pause_s
        )
    else:
        from ringway.engine.nats.opening import open_nats
        from ringway.engine.nats.stream import HistorySettings

        history = HistorySettings(config.history_storage, config.history_replicas, config.history_bytes_max)
        engine = await open_nats(
            url, cluster=config.cluster, name=name, wait_s=config.wait_s, history=history, read_pause_s=read_pause_s
        )
    try:
        yield engine
    finally:
        await engine.close()


@asynccontextmanager
async def open_ears(config: EngineConfig, engine: Engine, name: str) -> AsyncIterator[Engine]:
    """Yield an engine whose registry hears many members: by a connection of its own, which is read in batches.

    The memory engine is part of this process: then it is `engine` itself.
    """
    if check_scheme(config.url) == "memory":
        yield engine
        return
    async with open_engine(config, name, READ_PAUSE_S) as ears:
        yield ears
