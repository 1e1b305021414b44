"""Knocks: a gateway opens a node's URL, and is answered with a proof of which node is there (PROTOCOL.md P-8.11).

A knock is a WebSocket handshake with one more header. The node answers it 101 with the same header, and with a close
frame behind it; no client is counted and no ticket is used.

    Ringway-Knock: <nonce> <proof> [<proof>]               from the gateway, a proof under each secret that it accepts
    Ringway-Knock: <name> <incarnation> <proof>            from the node, under the secret of the proof that it believed

A nonce is 16 random bytes. A proof is keyed BLAKE2b of 128 bits; both are URL-safe base64 without padding. The gateway
proves its nonce, so that nobody else has answers made. The node proves the nonce, its incarnation and its name.
"""

import base64
import binascii
import re
from hashlib import blake2b
from hmac import compare_digest
from typing import NamedTuple

from ringway.protocol.close import NORMAL
from ringway.protocol.frame import CLOSE, client_frame, close_payload, server_frame
from ringway.protocol.keyring import Keyring, Purpose
from ringway.protocol.upgrade import Upgrade, accept_for
from ringway.types import Incarnation, NodeName

KNOCK = "ringway-knock"
"""The header, in lower case."""

NONCE_BYTES = 16

_PROOF_BYTES = 16
_PROOFS_MAX = 2
_TEXT = r"[A-Za-z0-9_-]{22}"
_ASKED = re.compile(rf"({_TEXT})((?: {_TEXT}){{1,{_PROOFS_MAX}}})")
_ANSWERED = re.compile(rf"([A-Za-z0-9][A-Za-z0-9._-]{{0,62}}) ([0-9a-f]{{8}}) ({_TEXT})")


_GOODBYE = server_frame(CLOSE, close_payload(NORMAL))


class Believed(NamedTuple):
    """A proven knock: its nonce, and the key to answer with."""

    nonce: bytes
    key: bytes


class Answered(NamedTuple):
    """An answer to a knock; `proven` is False if it was made with a different secret, or for a different knock."""

    name: NodeName
    incarnation: Incarnation
    proven: bool


class KnockProver:
    """Makes and checks knocks with the keys of one cluster."""

    __slots__ = ("_keyring",)

    def __init__(self, keyring: Keyring) -> None:
        self._keyring = keyring

    def ask(self, nonce: bytes) -> str:
        """Return the header's value for a knock with `nonce`, which is used once."""
        proofs = (_text(_proof(key, b"knock", nonce)) for key in self._keyring.keys(Purpose.KNOCK))
        return " ".join((_text(nonce), *proofs))

    def believe(self, asked: str) -> Believed | None:
        """Return the knock in the header's value `asked`; None if no proof in it is genuine."""
        found = _ASKED.fullmatch(asked)
        nonce = _bytes(found[1]) if found else b""
        if found is None or len(nonce) != NONCE_BYTES:
            return None
        given = [_bytes(text) for text in found[2].split()]
        for key in self._keyring.keys(Purpose.KNOCK):
            proof = _proof(key, b"knock", nonce)
            if any(compare_digest(proof, each) for each in given):
                return Believed(nonce, key)
        return None

    def answer(self, knock: Believed, name: NodeName, incarnation: Incarnation) -> str:
        """Return the header's value that answers `knock` as that node."""
        proof = _proof(knock.key, b"answer", knock.nonce, incarnation.encode(), name.encode())
        return f"{name} {incarnation} {_text(proof)}"

    def read_answer(self, value: str, nonce: bytes) -> Answered | None:
        """Return the answer to the knock with `nonce` in the header's `value`; None if it cannot be read."""
        found = _ANSWERED.fullmatch(value)
        if found is None:
            return None
        name, incarnation, given = found[1], found[2], _bytes(found[3])
        proofs = (
            _proof(key, b"answer", nonce, incarnation.encode(), name.encode())
            for key in self._keyring.keys(Purpose.KNOCK)
        )
        return Answered(NodeName(name), Incarnation(incarnation), any(compare_digest(each, given) for each in proofs))


def knock_request(path: str, host: str, key: str, asked: str) -> bytes:
    """Return the request of a knock; `key` is its `Sec-WebSocket-Key`."""
    lines = (
        f"GET {path} HTTP/1.1",
        f"Host: {host}",
        "Upgrade: websocket",
        "Connection: Upgrade",
        f"Sec-WebSocket-Key: {key}",
        "Sec-WebSocket-Version: 13",
        f"Ringway-Knock: {asked}",
    )
    return "".join(f"{line}\r\n" for line in (*lines, "")).encode("latin-1")


def knock_response(upgrade: Upgrade, answer: str) -> bytes:
    """Return the whole answer to a knock: 101, and the close frame."""
    lines = (
        "HTTP/1.1 101 Switching Protocols",
        "Upgrade: websocket",
        "Connection: Upgrade",
        f"Sec-WebSocket-Accept: {accept_for(upgrade.key)}",
        f"Ringway-Knock: {answer}",
    )
    return "".join(f"{line}\r\n" for line in (*lines, "")).encode() + _GOODBYE


def knock_goodbye() -> bytes:
    """Return the close frame with which the gateway ends a WebSocket that it opened to knock."""
    return client_frame(CLOSE, close_payload(NORMAL))


def _proof(key: bytes, kind: bytes, nonce: bytes, *parts: bytes) -> bytes:
    return blake2b(b"\0".join((kind, nonce.hex().encode(), *parts)), digest_size=_PROOF_BYTES, key=key).digest()


def _text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def _bytes(text: str) -> bytes:
    """Return the 16 bytes that 22 characters encode; empty if they are not valid."""
    try:
        return base64.b64decode(text + "==", altchars=b"-_", validate=True)
    except binascii.Error:
        return b""
