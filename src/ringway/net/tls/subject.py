"""Subjects of clients' certificates as text, by RFC 4514: `CN=alice,OU=ops,O=Example`.

All characters that are not printable ASCII are written as `\\` and two hexadecimal digits for each byte in UTF-8 (RFC
4514, 2.4). So the text fits into a header, and no character of it can end the header.
"""

from collections.abc import Iterable

_SHORT = {
    "commonName": "CN",
    "localityName": "L",
    "stateOrProvinceName": "ST",
    "organizationName": "O",
    "organizationalUnitName": "OU",
    "countryName": "C",
    "streetAddress": "STREET",
    "domainComponent": "DC",
    "userId": "UID",
}

_ESCAPED = frozenset('"+,;<>\\')

Subject = Iterable[Iterable[tuple[str, str]]]
"""As `ssl.SSLSocket.getpeercert` returns it."""


def show_subject(subject: Subject) -> str:
    """Return `subject` as text, the most specific part first."""
    parts = ["+".join(f"{_SHORT.get(kind, kind)}={_escape(value)}" for kind, value in part) for part in subject]
    return ",".join(reversed(parts))


def _escape(value: str) -> str:
    text = "".join(map(_escape_character, value))
    if text[:1] in ("#", " "):
        text = "\\" + text
    if text.endswith(" ") and not text.endswith("\\ "):
        text = text[:-1] + "\\ "
    return text


def _escape_character(character: str) -> str:
    if character in _ESCAPED:
        return "\\" + character
    if " " <= character <= "~":
        return character
    return "".join(f"\\{byte:02X}" for byte in character.encode("utf-8", "surrogateescape"))
