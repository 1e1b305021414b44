"""An operator, an account and its users for a NATS server that believes signed claims alone, as `nsc` makes them."""

import base64
import json
import os
import time
from pathlib import Path
from typing import Any

import nkeys


class Signer:
    """A key of some role, which signs claims."""

    def __init__(self, role: int) -> None:
        self.seed = nkeys.encode_seed(os.urandom(32), role)
        self._pair = nkeys.from_seed(bytearray(self.seed))
        self.public = self._pair.public_key.decode()

    def sign(self, subject: str, name: str, kind: dict[str, Any]) -> str:
        """Return the claims about `subject`, signed."""
        claims = {"jti": name, "iat": int(time.time()), "iss": self.public, "name": name, "sub": subject}
        parts = [_part({"typ": "JWT", "alg": "ed25519-nkey"}), _part({**claims, "nats": {**kind, "version": 2}})]
        signature = self._pair.sign(".".join(parts).encode())
        return ".".join([*parts, _encode(signature)])


class Operator:
    """Trusted by a server with `settings`; `creds` writes the login of a new user."""

    def __init__(self) -> None:
        operator = Signer(nkeys.PREFIX_BYTE_OPERATOR)
        self._account = Signer(nkeys.PREFIX_BYTE_ACCOUNT)
        system = Signer(nkeys.PREFIX_BYTE_ACCOUNT)
        limits = dict.fromkeys(("subs", "data", "payload", "imports", "exports", "conn", "leaf"), -1)
        store = {"mem_storage": -1, "disk_storage": -1, "streams": -1, "consumer": -1}
        account = {"type": "account", "limits": {**limits, "wildcards": True, **store}}
        # JetStream speaks of itself in the account of the system.
        of_system = operator.sign(system.public, "system", {"type": "account", "limits": {**limits, "wildcards": True}})
        itself = operator.sign(operator.public, "operator", {"type": "operator"})
        about = operator.sign(self._account.public, "account", account)
        self.settings = (
            f'operator: "{itself}"\nsystem_account: {system.public}\nresolver: MEMORY\n'
            f'resolver_preload: {{ {self._account.public}: "{about}", {system.public}: "{of_system}" }}\n'
        )

    def creds(self, path: Path) -> Path:
        """Write a `.creds` file for a new user, and return it."""
        user = Signer(nkeys.PREFIX_BYTE_USER)
        token = self._account.sign(user.public, "user", {"type": "user", "subs": -1, "data": -1, "payload": -1})
        path.write_text(
            f"-----BEGIN NATS USER JWT-----\n{token}\n------END NATS USER JWT------\n\n*** important ***\n\n"
            f"-----BEGIN USER NKEY SEED-----\n{user.seed.decode()}\n------END USER NKEY SEED------\n"
        )
        return path


def _part(claims: dict[str, Any]) -> str:
    return _encode(json.dumps(claims, separators=(",", ":")).encode())


def _encode(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
