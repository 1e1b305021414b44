"""Who we are to a NATS server, as nats-py asks for it: user and password, a token, `.creds`, or an nkey.

Files are read at each connect, so that what is renewed there is used by itself. nats-py reads `.creds` too; what it
raises for a file that is gone would end its reconnecting for good, so it is done here.
"""

import base64
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import nkeys
from nats.errors import Error as NatsError

from ringway.engine.nats.url import NatsUrl
from ringway.engine.password import read_password
from ringway.errors import ConfigError

Read = TypeVar("Read")

_SECTION = re.compile(rb"-----BEGIN ([A-Z ]+)-----\s*([A-Za-z0-9_.=-]+)\s*-+END")
_JWT, _SEED = b"NATS USER JWT", b"USER NKEY SEED"


def login_options(where: NatsUrl) -> dict[str, Any]:
    """Return what `connect` of nats-py is given. Raise `ConfigError` where a file or a seed cannot be used."""
    if where.creds_file:
        read_creds(where.creds_file)

        def jwt() -> bytes:
            return _or_nats_error(read_creds, where.creds_file)[0]

        def sign(nonce: str) -> bytes:
            return _sign(_or_nats_error(read_creds, where.creds_file)[1], nonce)

        return {"user_jwt_cb": jwt, "signature_cb": sign}
    if where.nkey or where.nkey_file:
        return {"nkeys_seed_str": _read_seed(where).decode()}
    if where.password_file:
        read_password(where.password_file)

        def password() -> str:
            return _or_nats_error(read_password, where.password_file)

        return {"user": where.user, "password": password} if where.user else {"token": password}
    return {"user": where.user, "password": where.password, "token": where.token}


def read_creds(path: str) -> tuple[bytes, bytes]:
    """Return JWT and seed of a `.creds` file. Raise `ConfigError`, which shows nothing of it."""
    text = _read(path, "creds_file")
    found = dict(_SECTION.findall(text))
    if _JWT not in found or _SEED not in found:
        raise ConfigError(
            f"the engine's creds_file {path} holds no JWT with its seed; give a file that `nsc generate creds` made"
        )
    _check_seed(found[_SEED], f"the seed in {path}")
    return found[_JWT], found[_SEED]


def _read_seed(where: NatsUrl) -> bytes:
    if where.nkey:
        seed = where.nkey.strip().encode()
    else:
        text = _read(where.nkey_file, "nkey_file")
        seed = dict(_SECTION.findall(text)).get(_SEED, text.strip())
    _check_seed(seed, f"the seed in {where.nkey_file}" if where.nkey_file else "the nkey in the engine URL")
    return seed


def _read(path: str, option: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise ConfigError(
            f"the engine's {option} cannot be read ({path}: {error.strerror}); give another one"
        ) from None


def _check_seed(seed: bytes, what: str) -> None:
    try:
        nkeys.from_seed(bytearray(seed)).wipe()  # type: ignore[no-untyped-call]
    except Exception:  # of many kinds, and their words may show the seed
        raise ConfigError(f"{what} is no nkey seed; it begins with SU (`nk -gen user` makes one)") from None


def _sign(seed: bytes, nonce: str) -> bytes:
    pair = nkeys.from_seed(bytearray(seed))  # type: ignore[no-untyped-call]
    signature = base64.b64encode(pair.sign(nonce.encode()))
    pair.wipe()
    return signature


def _or_nats_error(read: Callable[[str], Read], path: str) -> Read:
    """Return what is read; turn what it raises into what nats-py takes for an attempt that failed."""
    try:
        return read(path)
    except ConfigError as error:
        raise NatsError(str(error)) from None
