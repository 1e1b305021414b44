import pytest

from ringway.engine.redis.server_info import ServerInfo, check_server, read_server_info
from ringway.engine.redis.url import Kind
from ringway.errors import EngineAway, EngineUnsuitable

INFO = b"""# Server\r
redis_version:7.0.15\r
redis_mode:standalone\r
run_id:0123\r
# Memory\r
maxmemory:0\r
maxmemory_policy:allkeys-lru\r
# Persistence\r
aof_enabled:1\r
# Replication\r
role:master\r
master_replid2:0000000000000000000000000000000000000000\r
"""


def test_reads_what_matters_of_info() -> None:
    assert read_server_info(INFO, b"always") == ServerInfo(
        "7.0.15", "0123", durable=True, mode="standalone", evicts=False
    )


def test_without_a_log_or_as_a_successor_a_server_keeps_nothing_for_certain() -> None:
    assert read_server_info(INFO, b"no").durable
    assert not read_server_info(INFO.replace(b"aof_enabled:1", b"aof_enabled:0"), b"always").durable
    assert not read_server_info(INFO.replace(b"replid2:0", b"replid2:1"), b"always").durable
    assert not read_server_info(INFO, b"everysec").durable
    assert not read_server_info(INFO, b"").durable


def test_a_bound_on_memory_evicts_unless_the_policy_says_otherwise() -> None:
    bound = INFO.replace(b"maxmemory:0", b"maxmemory:1000")
    assert read_server_info(bound, b"").evicts
    assert not read_server_info(bound.replace(b"allkeys-lru", b"noeviction"), b"").evicts


@pytest.mark.parametrize(
    ("version", "mode", "kind", "says"),
    [
        ("6.0.16", "standalone", Kind.SINGLE, "6.2 or newer"),
        ("6.2.14", "cluster", Kind.CLUSTER, "7.0 or newer"),
        ("7.0.15", "cluster", Kind.SINGLE, "redis\\+cluster://"),
        ("7.0.15", "sentinel", Kind.SINGLE, "redis\\+sentinel://"),
        ("7.0.15", "standalone", Kind.CLUSTER, "redis://"),
    ],
)
def test_an_unsuitable_server_is_named(version: str, mode: str, kind: Kind, says: str) -> None:
    with pytest.raises(EngineUnsuitable, match=f"a:1.*{says}"):
        check_server(ServerInfo(version, "0123", durable=True, mode=mode, evicts=False), kind, "a:1")


def test_who_does_not_say_which_run_it_is_is_asked_again() -> None:
    with pytest.raises(EngineAway, match="which run"):
        check_server(ServerInfo("7.0.15", "", durable=True, mode="standalone", evicts=False), Kind.SINGLE, "a:1")
