"""Settings of TLS at a port, the same for all ports of a process."""

from typing import Annotated, Literal

import msgspec

CERTIFICATES_MAX = 100


class TlsPortConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The settings of TLS at one port; a part of the settings of the port."""

    tls_cert: Annotated[
        tuple[str, ...],
        msgspec.Meta(
            description="Files (PEM) with the port's certificate and the intermediate ones behind it; then the port "
            "speaks TLS only. Of several certificates, the name that a client asks for (SNI) chooses; the first is for "
            "all other names. The files are read again when they change, and on SIGHUP."
        ),
    ] = ()
    tls_key: Annotated[
        tuple[str, ...],
        msgspec.Meta(
            description="Files (PEM) with the private keys, one for each file of `tls_cert` in the same order, without "
            "a passphrase. Not set: the keys are in the files of the certificates."
        ),
    ] = ()
    tls_min_version: Annotated[
        Literal["1.2", "1.3"],
        msgspec.Meta(description="The oldest version of TLS that clients may speak."),
    ] = "1.2"
    tls_client_cert: Annotated[
        Literal["none", "optional", "required"],
        msgspec.Meta(
            description="Whether clients show a certificate of `tls_client_ca`: none are asked for, they may, or they "
            "must. A certificate that is wrong ends the connection. Gateways tell backends its subject in the header "
            "Ringway-Client-Subject."
        ),
    ] = "none"
    tls_client_ca: Annotated[
        str,
        msgspec.Meta(description="File (PEM) with the authorities that sign the certificates of clients."),
    ] = ""
    tls_handshake_deadline_s: Annotated[
        float,
        msgspec.Meta(
            description="The TLS handshake must be complete in this time after the connection opened.",
            gt=0,
            le=300,
            extra={"unit": "s"},
        ),
    ] = 5.0

    def tls_problems(self) -> list[str]:
        """Return each setting that contradicts another, in sentences. No file is read."""
        problems: list[str] = []
        if self.tls_key and len(self.tls_key) != len(self.tls_cert):
            problems.append(
                f"tls_key names {len(self.tls_key)} files and tls_cert {len(self.tls_cert)}; "
                "give one key for each certificate, in the same order"
            )
        if len(self.tls_cert) > CERTIFICATES_MAX:
            problems.append(
                f"tls_cert names {len(self.tls_cert)} files; a port may have {CERTIFICATES_MAX}: put several names "
                "into one certificate"
            )
        if self.tls_client_cert != "none" and not self.tls_client_ca:
            problems.append(
                f"tls_client_cert is {self.tls_client_cert}, and tls_client_ca names no authorities; give their file"
            )
        if self.tls_client_ca and self.tls_client_cert == "none":
            problems.append(
                "tls_client_ca is given, and clients are asked for no certificate; set tls_client_cert to optional or "
                "required, or leave it out"
            )
        if self.tls_client_ca and not self.tls_cert:
            problems.append("tls_client_ca is given, and the port has no TLS; give tls_cert, or leave it out")
        return problems
