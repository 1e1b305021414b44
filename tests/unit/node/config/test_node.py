import msgspec
import pytest

from ringway.errors import ConfigError
from ringway.node.config.node import NodeConfig


def test_every_field_is_described() -> None:
    fields = msgspec.json.schema(NodeConfig)["$defs"]["NodeConfig"]["properties"]
    assert set(fields) == set(NodeConfig.__struct_fields__)
    for name, field in fields.items():
        assert field.get("description"), name


def test_a_pong_is_due_before_the_next_ping() -> None:
    with pytest.raises(ConfigError, match="pong_timeout_s"):
        NodeConfig(ping_interval_s=8, pong_timeout_s=8)


@pytest.mark.parametrize(
    "wrong", [{"port": 70000}, {"path": "x"}, {"subscriptions_max": 0}, {"outbox_bytes_max": 1}, {"unheard": 1}]
)
def test_values_outside_their_bounds_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(wrong, NodeConfig)


@pytest.mark.parametrize("setting", ["url", "public_url"])
@pytest.mark.parametrize(
    "url",
    ["ws://10.0.0.7:0/connection/websocket", "ws://10.0.0.7:70000", "http://node.example", "wss://a..b", "ws://h: 1"],
    ids=["port-0", "port-70000", "http", "empty-part", "blank"],
)
def test_a_url_that_nobody_can_reach_is_refused(setting: str, url: str) -> None:
    with pytest.raises(ConfigError, match=f"{setting}: the URL "):
        NodeConfig(**{setting: url})
