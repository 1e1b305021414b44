"""TLS to servers: the context with trusted authorities and a certificate of ours, made anew when their files change."""

import os
import ssl
from pathlib import Path

from ringway.errors import ConfigError
from ringway.file_identity import identify_files
from ringway.logger import get_logger

_log = get_logger()


def make_context(
    ca_file: str = "", cert_file: str = "", key_file: str = "", *, of: str = "the engine", verifies: bool = True
) -> ssl.SSLContext:
    """Return a TLS context with the trusted authorities and a client certificate. Raise `ConfigError` for a bad file.

    Without `ca_file` it trusts the authorities of the system, or those of SSL_CERT_FILE and SSL_CERT_DIR. A certificate
    in `ca_file` is trusted even if it is none of an authority. `of` names the connection in errors. Unless it
    `verifies`, every server is accepted.
    """
    if key_file and not cert_file:
        raise ConfigError(f"{of} is given key_file without cert_file; give both")
    given = os.environ.get("SSL_CERT_FILE", "")
    if given and not ca_file and not Path(given).is_file():
        raise ConfigError(f"SSL_CERT_FILE is {given!r}, which is no file; correct it, or give ca_file")
    used = ca_file
    try:
        context = ssl.create_default_context(cafile=ca_file or None)
        if ca_file:
            context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
        if not verifies:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        if cert_file:
            used = ", ".join(filter(None, (cert_file, key_file)))
            # Without this password function, OpenSSL would ask for a passphrase on the terminal.
            context.load_cert_chain(cert_file, key_file or None, password=lambda: "")
    except (OSError, ssl.SSLError, ValueError) as error:
        raise ConfigError(
            f"a certificate for {of} cannot be used ({used}: {error}); "
            "give PEM files that this user can read, and a key without a passphrase"
        ) from None
    return context


class TlsFiles:
    """The files of TLS to a server, and their context. Raise `ConfigError` if they cannot be used at the start.

    The other arguments are those of `make_context`. `alpn` names the protocols that are offered.
    """

    def __init__(
        self,
        ca_file: str = "",
        cert_file: str = "",
        key_file: str = "",
        *,
        of: str = "the engine",
        verifies: bool = True,
        alpn: tuple[str, ...] = (),
    ) -> None:
        self._files = (ca_file, cert_file, key_file)
        self._of = of
        self._verifies = verifies
        self._alpn = alpn
        self._paths = [file for file in (ca_file or os.environ.get("SSL_CERT_FILE", ""), cert_file, key_file) if file]
        self._identity = identify_files(self._paths)
        self._context = self._make()

    def context(self) -> ssl.SSLContext:
        """Return the context for the next connect: a new one if the files have changed.

        If they cannot be used, the last good context stays in use, and the log says so once for each change.
        """
        identity = identify_files(self._paths)
        if identity != self._identity:
            self._identity = identity
            try:
                self._context = self._make()
            except ConfigError as error:
                _log.warning("the last good certificates stay in use", why=str(error))
        return self._context

    def _make(self) -> ssl.SSLContext:
        context = make_context(*self._files, of=self._of, verifies=self._verifies)
        if self._alpn:
            context.set_alpn_protocols(list(self._alpn))
        return context
