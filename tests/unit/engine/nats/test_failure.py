import ssl

import pytest

from ringway.engine.nats.failure import ConnectionEnded, OffersNoTls, ServerRefused, WentSilent, explain, lacks_right
from ringway.engine.nats.url import read_url
from ringway.errors import ConfigError, EngineAway, EngineUnsuitable

PLAIN, SECURE = read_url("nats://u:secret@a"), read_url("tls://u:secret@a")


@pytest.mark.parametrize(
    ("error", "kind", "says"),
    [
        (ServerRefused("'Authorization Violation'"), EngineUnsuitable, "check user and password"),
        (ServerRefused("'User Authentication Expired'"), EngineUnsuitable, "check user and password"),
        (ServerRefused("'maximum connections exceeded'"), EngineAway, "max_connections"),
        (ServerRefused("its first line is not INFO"), EngineUnsuitable, "a NATS server?"),
        (OffersNoTls(), EngineUnsuitable, "nats://"),
        (ConnectionEnded("the server closed it"), EngineAway, "ended"),
        (WentSilent("it did not answer any more"), EngineAway, "ended"),
        (ConnectionRefusedError(111, "Connection refused"), EngineAway, "cannot be reached"),
        (OSError("no route"), EngineAway, "cannot be reached"),
        (ConnectionResetError("it hung up"), EngineAway, "wants TLS"),
        (TimeoutError(), EngineAway, "tls_first=true"),
        (ssl.SSLError(1, "[SSL: WRONG_VERSION_NUMBER] wrong version number"), EngineUnsuitable, "nats://"),
        (ConfigError("the file is gone"), EngineUnsuitable, "the file is gone"),
        (EngineAway("as it is"), EngineAway, "as it is"),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_what_went_wrong_says_who_must_act(error: Exception, kind: type[Exception], says: str) -> None:
    found = explain(error, PLAIN)
    assert type(found) is kind
    assert says in str(found)
    assert "secret" not in str(found)


def test_over_tls_a_server_that_hangs_up_may_want_a_certificate() -> None:
    assert "cert_file" in str(explain(ConnectionResetError("it hung up"), SECURE))
    ours = read_url("tls://a?cert_file=/c")
    assert "does not take our certificate" in str(explain(ConnectionResetError("it hung up"), ours))


def test_a_right_that_is_missing_is_named() -> None:
    assert "permissions violation for publish to x" in str(lacks_right("permissions violation for publish to x", PLAIN))
