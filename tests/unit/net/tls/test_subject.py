"""Subjects of certificates as text: nothing in them can end a header."""

import pytest

from ringway.net.tls.subject import show_subject


@pytest.mark.parametrize(
    ("subject", "text"),
    [
        (
            ((("countryName", "DE"),), (("organizationName", "Example"),), (("commonName", "alice"),)),
            "CN=alice,O=Example,C=DE",
        ),
        (((("commonName", "a"), ("userId", "7")),), "CN=a+UID=7"),
        (((("commonName", 'a,b+c"d;e<f>\\'),),), 'CN=a\\,b\\+c\\"d\\;e\\<f\\>\\\\'),
        (((("commonName", "zoë\r\nX-Evil: 1"),),), "CN=zo\\C3\\AB\\0D\\0AX-Evil: 1"),
        (((("commonName", " #x "),),), "CN=\\ #x\\ "),
        (((("commonName", "#x"),),), "CN=\\#x"),
        (((("1.2.3.4", "v"),),), "1.2.3.4=v"),
        ((), ""),
    ],
    ids=["usual", "two in one part", "special", "control", "blanks", "hash", "unknown type", "none"],
)
def test_a_subject_is_shown_by_rfc_4514(subject, text):
    assert show_subject(subject) == text
    assert text.isascii()
    assert text.isprintable()
