"""The login at a NATS server: user and password, a token, `.creds`, or an nkey.

Files are read at each connect, so that a renewed file is used without a restart. `nkeys`, which signs, is loaded only
for a signature: it brings libsodium.
"""

import base64
import re
from pathlib import Path

from ringway.engine.nats.url import NatsUrl
from ringway.engine.password import read_password
from ringway.errors import ConfigError

_SECTION = re.compile(rb"-----BEGIN ([A-Z ]+)-----\s*([A-Za-z0-9_.=-]+)\s*-+END")
_JWT, _SEED = b"NATS USER JWT", b"USER NKEY SEED"


def login_options(where: NatsUrl, nonce: str) -> dict[str, str]:
    """Return the fields of CONNECT with the client's identity; an nkey proves it by signing the server's `nonce`.

    Raise `ConfigError`, which contains no secret, if a file or a seed cannot be used.
    """
    if where.creds_file:
        jwt, seed = read_creds(where.creds_file)
        return {"jwt": jwt.decode(), "sig": _sign(seed, nonce)[1]}
    if where.nkey or where.nkey_file:
        public, signature = _sign(_read_seed(where), nonce)
        return {"nkey": public, "sig": signature}
    password = read_password(where.password_file) if where.password_file else where.password
    if where.user is not None:
        return {"user": where.user, "pass": password or ""}
    token = password if where.password_file else where.token
    return {} if token is None else {"auth_token": token}


def read_creds(path: str) -> tuple[bytes, bytes]:
    """Return JWT and seed of a `.creds` file. Raise `ConfigError`, which contains no part of the file."""
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
    import nkeys

    try:
        nkeys.from_seed(bytearray(seed)).wipe()  # type: ignore[no-untyped-call]
    except Exception:  # there are many kinds, and their texts may contain the seed
        raise ConfigError(f"{what} is no nkey seed; it begins with SU (`nk -gen user` makes one)") from None


def _sign(seed: bytes, nonce: str) -> tuple[str, str]:
    """Return the public key of `seed`, and the signature of `nonce` in base64 for URLs without padding."""
    import nkeys

    pair = nkeys.from_seed(bytearray(seed))  # type: ignore[no-untyped-call]
    public: bytes = pair.public_key
    signature = base64.urlsafe_b64encode(pair.sign(nonce.encode())).rstrip(b"=")
    pair.wipe()
    return public.decode(), signature.decode()
