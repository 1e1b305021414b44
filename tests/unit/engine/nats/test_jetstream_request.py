import pytest

from ringway.engine.nats.jetstream_request import refusal
from ringway.engine.nats.stream import ApiError
from ringway.errors import EngineAway, EngineUnsuitable, Unconfirmed


@pytest.mark.parametrize(
    ("error", "kind", "says"),
    [
        (ApiError(503, 10023, "insufficient resources"), EngineUnsuitable, "max_file_store"),
        (ApiError(500, 10047, "insufficient storage resources available"), EngineUnsuitable, "max_file_store"),
        (ApiError(500, 10028, "insufficient memory resources available"), EngineUnsuitable, "max_memory_store"),
        (ApiError(400, 10002, "resource limits exceeded for account"), EngineUnsuitable, "limits of the account"),
        (ApiError(503, 10077, "maximum bytes exceeded"), EngineUnsuitable, "history_size"),
        (ApiError(503, 10077, "write x: no space left on device"), EngineUnsuitable, "room on its disk"),
        (ApiError(503, 10077, "store is closed"), EngineAway, "retry"),
        (ApiError(503, 10076, "JetStream not enabled"), EngineUnsuitable, "restart the server"),
        (ApiError(503, 10039, "JetStream not enabled for account"), EngineUnsuitable, "enable it for the account"),
        (ApiError(400, 10113, "account requires a stream config to have max bytes set"), EngineUnsuitable, "bytes_max"),
        (ApiError(503, 10008, "JetStream system temporarily unavailable"), EngineAway, "retry"),
        (ApiError(400, 10005, "no suitable peers for placement"), EngineAway, "retry"),
        (ApiError(409, 10158, "duplicate message id is in process"), Unconfirmed, "try again"),
        (ApiError(400, 10052, "something else"), EngineUnsuitable, "something else"),
    ],
    ids=lambda value: str(value.err_code) if isinstance(value, ApiError) else None,
)
def test_what_jetstream_refuses_says_who_must_act(error: ApiError, kind: type[Exception], says: str) -> None:
    found = refusal(error)
    assert type(found) is kind
    assert says in str(found)
