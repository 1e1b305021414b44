"""Settings of TLS that contradict each other."""

import pytest

from ringway.net.tls.config import CERTIFICATES_MAX, TlsPortConfig


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"tls_cert": ("a",), "tls_key": ("a", "b")}, "tls_key names 2 files and tls_cert 1"),
        ({"tls_key": ("a",)}, "tls_key names 1 files and tls_cert 0"),
        ({"tls_cert": ("a",) * (CERTIFICATES_MAX + 1)}, f"a port may have {CERTIFICATES_MAX}"),
        ({"tls_cert": ("a",), "tls_client_cert": "required"}, "tls_client_ca names no authorities"),
        ({"tls_cert": ("a",), "tls_client_ca": "c"}, "clients are asked for no certificate"),
        ({"tls_client_ca": "c", "tls_client_cert": "optional"}, "the port has no TLS"),
    ],
    ids=["too many keys", "no certificate", "too many", "no authorities", "not asked", "no TLS"],
)
def test_each_contradiction_is_named_with_a_remedy(settings, said):
    [problem] = TlsPortConfig(**settings).tls_problems()
    assert said in problem
    assert ";" in problem


def test_no_tls_and_keys_in_the_files_of_certificates_are_no_problem():
    assert TlsPortConfig().tls_problems() == []
    assert TlsPortConfig(tls_cert=("a", "b")).tls_problems() == []
