"""TLS of one port: its certificates, chosen by the name that a client asks for, and read again when files change."""

import ssl
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from ringway.errors import ConfigError
from ringway.net.tls.certificate import PortCertificate, load_pair, read_certificate
from ringway.net.tls.config import TlsPortConfig

ALPN = ("http/1.1",)

_VERSIONS = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}
_CLIENTS = {"none": ssl.CERT_NONE, "optional": ssl.CERT_OPTIONAL, "required": ssl.CERT_REQUIRED}


class PortTls:
    """The TLS of the port with the settings `config` in `section`; `wall` is Unix time.

    `context` is for the next connection. Raise `ConfigError` with every file that cannot be used at the start.
    """

    def __init__(self, config: TlsPortConfig, section: str, wall: Callable[[], float] = time.time) -> None:
        self._config = config
        self._section = section
        self._wall = wall
        self._problem = ""
        self._contexts = _Contexts(config, section, wall())

    @property
    def context(self) -> ssl.SSLContext:
        """The context of the next handshake."""
        return self._contexts.default

    @property
    def files(self) -> list[str]:
        """The files that are read again."""
        config = self._config
        return [file for file in (*config.tls_cert, *config.tls_key, config.tls_client_ca) if file]

    @property
    def handshake_deadline_s(self) -> float:
        """The time for a handshake, from the opening of the connection on."""
        return self._config.tls_handshake_deadline_s

    def reread(self) -> bool:
        """Read the files again; return True if the certificates are different ones now.

        Raise `ConfigError` if they cannot be used: then the last good ones stay in use, and `problem` says so.
        """
        before = self._contexts
        try:
            self._contexts = _Contexts(self._config, self._section, self._wall())
        except ConfigError as error:
            self._problem = f"the last good certificates stay in use: {'; '.join(error.problems)}"
            raise
        self._problem = ""
        return before.identity != self._contexts.identity

    def problem(self) -> str:
        """Return what an operator must repair: unusable files, and certificates that expire; empty if nothing."""
        now = self._wall()
        found = [certificate.warning(now) for certificate in self._contexts.certificates]
        return "; ".join(
            filter(None, [self._problem, *(f"{self._section}.tls_cert: {each}" for each in found if each)])
        )


class _Contexts:
    """The contexts of all certificates of one port, as the files are now."""

    def __init__(self, config: TlsPortConfig, section: str, now: float) -> None:
        self._by_name: dict[str, ssl.SSLContext] = {}
        problems: list[str] = []
        found: list[PortCertificate] = []
        same: dict[frozenset[str], ssl.SSLContext] = {}  # an RSA and an ECDSA certificate may be for the same names
        keys = config.tls_key or ("",) * len(config.tls_cert)
        for cert_file, key_file in zip(config.tls_cert, keys, strict=True):
            try:
                certificate = read_certificate(cert_file, key_file)
                certificate.check(now)
                context = same.get(certificate.names) or self._make(config)
                load_pair(context, cert_file, key_file)
            except ConfigError as error:
                problems += [f"{section}.tls_cert: {each}" for each in error.problems]
                continue
            found.append(certificate)
            same[certificate.names] = context
            for name in certificate.names:
                self._by_name.setdefault(name, context)
        problems += self._trust_clients(config, section, same.values())
        if problems:
            raise ConfigError(*problems)
        self.certificates = tuple(found)
        self.identity = self.certificates, Path(config.tls_client_ca).read_bytes() if config.tls_client_ca else b""
        self.default = same[found[0].names]
        if len(same) > 1:
            self.default.sni_callback = self._choose

    def _make(self, config: TlsPortConfig) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = _VERSIONS[config.tls_min_version]
        # Neither side may renegotiate: clients could make the server compute again and again.
        context.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_COMPRESSION | ssl.OP_CIPHER_SERVER_PREFERENCE
        context.set_alpn_protocols(list(ALPN))
        return context

    def _trust_clients(self, config: TlsPortConfig, section: str, contexts: Iterable[ssl.SSLContext]) -> list[str]:
        if config.tls_client_cert == "none":
            return []
        for context in contexts:
            try:
                context.load_verify_locations(config.tls_client_ca)
            except (OSError, ssl.SSLError) as error:
                why = error.strerror if type(error) is OSError or not isinstance(error, ssl.SSLError) else error.reason
                return [
                    f"{section}.tls_client_ca: the authorities in {config.tls_client_ca} cannot be read ({why}); "
                    "give a PEM file that this user can read"
                ]
            context.verify_mode = _CLIENTS[config.tls_client_cert]
        return []

    def _choose(self, connection: ssl.SSLObject | ssl.SSLSocket, name: str | None, _: ssl.SSLContext) -> None:
        """Give `connection` the context for `name`; without one it keeps the default."""
        if not name:
            return
        name = name.lower()
        found = self._by_name.get(name) or self._by_name.get("*." + name.partition(".")[2])
        if found is not None:
            connection.context = found
