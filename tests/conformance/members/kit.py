"""Recorded messages, as the tests of members read them."""

import json
from pathlib import Path
from typing import Any

from conformance.members.forms import FORMS
from ringway.protocol.keyring import Keyring, Purpose
from ringway.protocol.seal import SealedMessage, Unsealer

HERE = Path(__file__).parent
FILES = {int(path.stem.partition("-")[2]): path for path in sorted(HERE.glob("version-*.json"))}
"""The recorded files, by wire version."""


class Recorded:
    """One recorded message: `said` is what the file says of it."""

    def __init__(self, file: dict[str, Any], said: dict[str, Any]) -> None:
        self.said = said
        self.version: int = file["wire_version"]
        self.secret: bytes = file["secret"].encode()
        self.sealed_at: float = file["sealed_at"]
        self.form = FORMS[said["form"]]
        self.sealed = bytes.fromhex(said.get("sealed", ""))

    @property
    def keyring(self) -> Keyring:
        """The secret with which it was sealed."""
        return Keyring(self.secret)

    def unseal(self) -> SealedMessage:
        """Return the proven message, by today's code; raise `SealError`."""
        purpose, context = Purpose(self.said["purpose"]), self.said["context"]
        return Unsealer(self.keyring, purpose).unseal(context.encode(), self.sealed)

    @property
    def body(self) -> bytes:
        """The body, proven by today's code if it is sealed."""
        return self.unseal().body if self.sealed else bytes.fromhex(self.said["body"])


def load(version: int) -> dict[str, Any]:
    """Return the recorded file of a wire version."""
    found: dict[str, Any] = json.loads(FILES[version].read_text())
    return found


def recorded(version: int) -> list[Recorded]:
    """Return all messages of a wire version."""
    file = load(version)
    return [Recorded(file, said) for said in file["messages"]]
