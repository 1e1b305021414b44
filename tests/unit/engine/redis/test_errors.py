import pytest

from ringway.engine.redis.errors import error_of_reply, is_elsewhere
from ringway.errors import EngineAway, EngineUnsuitable


@pytest.mark.parametrize(
    ("text", "kind", "elsewhere"),
    [
        ("MOVED 3999 127.0.0.1:6381", EngineAway, True),
        ("CLUSTERDOWN Hash slot not served", EngineAway, True),
        ("READONLY You can't write against a read only replica.", EngineAway, True),
        ("ERR user_script:3: -READONLY You can't write script: 1f, on @user_script:3.", EngineAway, True),
        ("NOSCRIPT No matching script.", EngineAway, True),
        ("LOADING Redis is loading the dataset in memory", EngineAway, True),
        ("BUSY Redis is busy running a script.", EngineAway, False),
        ("NOREPLICAS Not enough good replicas to write.", EngineAway, False),
        ("OOM command not allowed when used memory > 'maxmemory'.", EngineUnsuitable, False),
        ("NOPERM No permissions to access a channel", EngineUnsuitable, False),
        ("WRONGPASS invalid username-password pair or user is disabled.", EngineUnsuitable, False),
        ("ERR unknown command 'EVALSHA'", EngineUnsuitable, False),
        ("WRONGTYPE Operation against a key holding the wrong kind of value", EngineUnsuitable, False),
    ],
)
def test_refusals_say_whether_a_retry_helps(text: str, kind: type[Exception], elsewhere: bool) -> None:
    error = error_of_reply(text)
    assert type(error) is kind
    assert text in str(error)
    assert is_elsewhere(text) is elsewhere
