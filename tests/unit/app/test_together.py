"""Settings that cannot have effect are refused or used, and never silently left out."""

from pathlib import Path

import pytest

from ringway.app.config import Given, load_config
from ringway.client import ClientConfig
from ringway.core.balance.config import BalanceConfig
from ringway.errors import ConfigError
from ringway.gateway.config.gateway import GatewayConfig
from ringway.node.config.node import NodeConfig

SECRET = "s" * 32
DOCS = Path(__file__).parents[3] / "docs"


def flags(**values):
    return {path.replace("__", "."): Given(value, f"--{path}") for path, value in values.items()}


REFUSED = {
    "two secrets": ({"engine__secret": SECRET, "engine__secret_file": "/f"}, "say the same twice"),
    "history of another engine": ({"engine__url": "redis://h:1", "engine__history_replicas": "3"}, "is for NATS"),
    "score without collectors": ({"load__score": "sum"}, "nothing is collected"),
    "port of no admin": ({"admin__enabled": "false", "admin__port": "9000"}, "there is no admin port"),
    "empty admin host": ({"admin__host": ""}, "host is empty"),
    "no number": ({"gateway__head_deadline_s": "nan"}, "must be a number"),
    "no end": ({"balance__moves_per_s_max": "inf"}, "must be a number"),
}


@pytest.mark.parametrize(("given", "why"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_have_effect_is_refused(given, why):
    with pytest.raises(ConfigError, match=why):
        load_config(flags=flags(**given), environ={})


@pytest.mark.parametrize(
    ("config", "values", "why"),
    [
        (BalanceConfig, {"stop_below": 0.2}, "stop_below is 0.2, start_above is 0.1"),
        (BalanceConfig, {"start_above": 0.03}, "lower stop_below"),
        (BalanceConfig, {"moves_per_s_min": 50, "moves_per_s_max": 20}, "moves_per_s_min is 50"),
        (GatewayConfig, {"reopen_window_s": 20.0}, "reopen_window_s is 20"),
        (GatewayConfig, {"relays_max": 10, "address_relays_max": 11}, "address_relays_max is 11"),
        (GatewayConfig, {"slot_hold_s": 8.0}, "slot_hold_s is 8"),
        (NodeConfig, {"message_bytes_max": 2 << 20}, "message_bytes_max is 2097152"),
        (NodeConfig, {"pong_timeout_s": 25}, "pong_timeout_s is 25"),
        (ClientConfig, {"backoff_base_s": 30.0}, "backoff_base_s is 30"),
    ],
    ids=lambda value: value if isinstance(value, str) else getattr(value, "__name__", "values"),
)
def test_two_settings_of_a_section_that_do_not_go_together_are_refused(config, values, why):
    with pytest.raises(ConfigError, match=why):
        config(**values)


def test_of_two_secrets_the_one_from_the_later_source_holds():
    loaded = load_config(flags=flags(engine__secret_file="/f"), environ={"RINGWAY_ENGINE_SECRET": SECRET})
    assert (loaded.config.engine.secret, loaded.config.engine.secret_file) == ("", "/f")


def test_a_file_that_config_show_has_written_can_be_read(tmp_path):
    """It writes all settings out, the defaults among them."""
    file = tmp_path / "ringway.toml"
    file.write_text(
        '[engine]\nurl = "redis://h:1"\nhistory_replicas = 0\nsecret_file = ""\n[load]\nscore = "bottleneck"\n'
    )
    assert load_config(file=str(file), environ={}).config.engine.url == "redis://h:1"


def test_shared_files_and_environments_may_hold_what_others_need():
    environ = {"RINGWAY_GATEWAY_HEALTH_FALL": "3", "RINGWAY_LOAD_SCORE": "sum", "RINGWAY_BALANCE_LEASE_S": "9"}
    assert load_config(environ=environ).config.gateway.health_fall == 3


@pytest.mark.parametrize("name", ["RINGWAY_ADMIN_HOST", "RINGWAY_GATEWAY_HOST", "RINGWAY_NODE_HOST"])
@pytest.mark.parametrize("empty", ["", " "], ids=["empty", "blank"])
def test_an_empty_variable_sets_nothing(name, empty):
    config = load_config(environ={name: empty}).config
    assert (config.admin.host, config.gateway.host, config.node.host) == ("127.0.0.1",) * 3


def test_an_empty_variable_of_any_kind_sets_nothing():
    names = ("GATEWAY_PORT", "GATEWAY_POLICY", "ENGINE_URL", "LOG_LEVEL", "UP_NATS_PORT", "BALANCE_START_ABOVE")
    assert load_config(environ={f"RINGWAY_{name}": "" for name in names}).config == load_config(environ={}).config


def test_an_empty_variable_leaves_the_file_in_force(tmp_path):
    file = tmp_path / "ringway.toml"
    file.write_text('[admin]\nhost = "10.0.0.1"\n')
    assert load_config(file=str(file), environ={"RINGWAY_ADMIN_HOST": ""}).config.admin.host == "10.0.0.1"


def test_a_variable_that_is_no_text_is_told():
    with pytest.raises(ConfigError, match="RINGWAY_GATEWAY_POLICY is not UTF-8"):
        load_config(environ={"RINGWAY_GATEWAY_POLICY": "\udcff"})


def test_an_engine_and_backends_go_together_as_the_reference_says():
    given = flags(engine__url="nats://h:1", static__backends=["ws://b:1"])
    assert load_config(flags=given, environ={}).config.static.has_backends
    page = (DOCS / "reference" / "configuration.md").read_text()
    assert "An engine and backends go together." in " ".join(page.split())
