"""Certificate of a port, read from its files: the names that it is for, and the time in which it is valid.

The standard library decodes a certificate only for the peer of a connection. So the pair of certificate and key is
tried in a handshake in memory. That also proves that they work together.
"""

import hashlib
import ssl
import time
from contextlib import suppress
from dataclasses import dataclass

from ringway.errors import ConfigError

_NO_CHECK_TIME = ssl.VerifyFlags(0x200000)
"""X509_V_FLAG_NO_CHECK_TIME of X509_VERIFY_PARAM_set_flags(3): the time is checked here, with a better message."""

EXPIRES_SOON_S = 14 * 86_400.0
"""The time before its end in which a certificate counts as a problem."""

_DAY_S = 86_400.0


@dataclass(frozen=True, slots=True)
class PortCertificate:
    """What one certificate says. Times are Unix seconds, names are in lower case, as `*.app.example`."""

    file: str
    names: frozenset[str]
    not_before: float
    not_after: float
    fingerprint: str  # SHA-256

    def problem(self, now: float) -> str:
        """Return why the certificate cannot be used at `now`, with the remedy; empty if it can be used."""
        if now >= self.not_after:
            return f"the certificate in {self.file} expired on {_day(self.not_after)}; renew it"
        if now < self.not_before:
            return f"the certificate in {self.file} is valid from {_day(self.not_before)} on; set this machine's clock"
        return ""

    def check(self, now: float) -> None:
        """Raise `ConfigError` with the `problem` at `now`."""
        if problem := self.problem(now):
            raise ConfigError(problem)

    def warning(self, now: float) -> str:
        """Return `problem`, or the sentence that the certificate expires within 14 days; empty if neither is so."""
        if self.problem(now) or now < self.not_after - EXPIRES_SOON_S:
            return self.problem(now)
        days = int((self.not_after - now) / _DAY_S)
        left = f"in {days} days" if days > 1 else "within 2 days"
        return f"the certificate in {self.file} expires {left}, on {_day(self.not_after)}; renew it"


def load_pair(context: ssl.SSLContext, cert_file: str, key_file: str) -> None:
    """Load a certificate and its key into `context`; raise `ConfigError` that names the file, the rule and the
    remedy. Without `key_file` the key is in `cert_file`."""
    for what, file in (("certificate", cert_file), ("key", key_file)):
        if file:
            _check_readable(file, what)
    try:
        # Without this password function, OpenSSL would ask for a passphrase on the terminal.
        context.load_cert_chain(cert_file, key_file or None, password=lambda: "")
    except (ssl.SSLError, ValueError) as error:
        raise ConfigError(_why_unusable(error, cert_file, key_file)) from None


def read_certificate(cert_file: str, key_file: str) -> PortCertificate:
    """Return what the certificate in `cert_file` says, after a handshake with its key. Raise `ConfigError`."""
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    load_pair(server, cert_file, key_file)
    try:
        return _read(_decode(server, cert_file), cert_file, hashlib.sha256(_leaf(cert_file)).hexdigest())
    except ValueError as error:
        raise ConfigError(f"the certificate in {cert_file} is damaged ({error}); give a whole PEM file") from None


def _read(peer: dict, cert_file: str, fingerprint: str) -> PortCertificate:  # type: ignore[type-arg]  # as ssl.SSLSocket.getpeercert
    names = {value.lower() for kind, value in peer.get("subjectAltName", ()) if kind in ("DNS", "IP Address")}
    if not names:
        names = {value.lower() for part in peer["subject"] for kind, value in part if kind == "commonName"}
    return PortCertificate(
        cert_file,
        frozenset(names),
        ssl.cert_time_to_seconds(peer["notBefore"]),
        ssl.cert_time_to_seconds(peer["notAfter"]),
        fingerprint,
    )


def _decode(server: ssl.SSLContext, cert_file: str) -> dict:  # type: ignore[type-arg]  # as ssl.SSLSocket.getpeercert
    """Return the certificate of `server`, decoded by a client that trusts just this certificate."""
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.check_hostname = False
    client.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN | _NO_CHECK_TIME
    client.load_verify_locations(cadata=_leaf(cert_file))
    up, down = ssl.MemoryBIO(), ssl.MemoryBIO()
    ours, theirs = client.wrap_bio(down, up), server.wrap_bio(up, down, server_side=True)
    try:
        for _ in range(3):
            for side in (ours, theirs):
                with suppress(ssl.SSLWantReadError):
                    side.do_handshake()
    except ssl.SSLError as error:
        raise ConfigError(
            f"the certificate in {cert_file} is none for a server ({_words(error)}); "
            "give one whose purpose is server authentication"
        ) from None
    return ours.getpeercert() or {}


def _leaf(cert_file: str) -> bytes:
    """Return the first certificate of the file in DER form, without those of authorities behind it."""
    with open(cert_file, encoding="latin-1") as file:
        text = file.read()
    begin, end = ssl.PEM_HEADER, ssl.PEM_FOOTER
    first = text[text.index(begin) : text.index(end) + len(end)]
    return ssl.PEM_cert_to_DER_cert(first)


def _check_readable(file: str, what: str) -> None:
    try:
        with open(file, "rb") as opened:
            opened.read(1)
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or str(error)
        raise ConfigError(
            f"the {what} in {file} cannot be read ({why}); give a PEM file that this user can read"
        ) from None


def _why_unusable(error: Exception, cert_file: str, key_file: str) -> str:
    reason = (getattr(error, "reason", None) or "").upper()
    key = key_file or cert_file
    if "KEY_VALUES_MISMATCH" in reason or "KEY_TYPE_MISMATCH" in reason:
        return (
            f"the key in {key} does not fit the certificate in {cert_file}; "
            "give the key with which that certificate was requested, and the certificate before its authorities"
        )
    text = _content(key)
    if b"ENCRYPTED" in text:
        return f"the key in {key} has a passphrase, for which nobody can be asked; write it without: openssl pkey"
    if b"PRIVATE KEY" not in text:
        return f"there is no private key in {key}; name its PEM file as tls_key"
    if b"BEGIN CERTIFICATE" not in _content(cert_file):
        return f"there is no certificate in {cert_file}; give a PEM file, which begins with {ssl.PEM_HEADER}"
    return (
        f"the certificate in {cert_file} with the key in {key} cannot be used ({_words(error)}); "
        "give whole PEM files, with a key of at least RSA 2048 or P-256"
    )


def _content(file: str) -> bytes:
    try:
        with open(file, "rb") as opened:
            return opened.read(1_000_000)
    except OSError:
        return b""


def _words(error: Exception) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return error.verify_message
    return getattr(error, "reason", None) or str(error)


def _day(at: float) -> str:
    return time.strftime("%Y-%m-%d", time.gmtime(at))
