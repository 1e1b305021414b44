"""Options of channels by namespace: short forms, TOML tables, and their errors."""

import pytest

from ringway.app.config import load_config
from ringway.errors import ConfigError
from ringway.node.config.namespace import Namespace, Namespaces, read_namespaces, short_namespaces
from ringway.node.config.node import NodeConfig
from ringway.ports import Retention
from ringway.types import Channel


def of(channel: str, *specs: str) -> Namespace:
    return Namespaces(specs).of(Channel(channel))


@pytest.mark.parametrize(
    ("channel", "name"),
    [("chat:room-1", "chat"), ("chat:", "chat"), ("chat", "default"), ("other:room", "default"), (":x", "default"),
     ("default:x", "default"), ("chat:a:b", "chat"), ("xchat:a", "default")],
)  # fmt: skip
def test_a_channel_belongs_to_the_namespace_before_its_first_colon(channel, name):
    assert of(channel, "chat:presence=false", "default:history_size=7").name == name


def test_options_are_read_and_others_keep_their_defaults():
    space = of("chat:a", "chat:history_size=50,history_ttl_s=60.5,join_leave=true")
    assert space == Namespace("chat", Retention("chat", 50, 60.5), True, True, True, True)


@pytest.mark.parametrize(
    ("options", "forced"),
    [
        ("join_leave=true", False),
        ("join_leave=true,force_push_join_leave=true", True),
        ("force_push_join_leave=true", False),
    ],
)
def test_joins_are_forced_only_where_they_are_published(options, forced):
    assert of("x", f"default:{options}").force_push_join_leave is forced


@pytest.mark.parametrize(
    ("options", "recoverable", "positioned"),
    [
        ("history_size=0", False, False),
        ("history_size=1", True, True),
        ("history_size=1,recovery=false", False, True),
        ("history_size=1,positioning=false", True, True),
        ("history_size=1,positioning=false,recovery=false", False, False),
    ],
)
def test_recovery_and_positions_need_history_and_recovery_needs_positions(options, recoverable, positioned):
    space = of("x", f"default:{options}")
    assert (space.recoverable, space.positioned) == (recoverable, positioned)
    assert (space.retention is None) == (options == "history_size=0")


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ("ch at:", "no usable name"),
        (":history_size=1", "no usable name"),
        ("x" * 33, "no usable name"),
        ("chat:size=1", "has no option 'size'; there are history_size,"),
        ("chat:allow_subscribe_for_clients=true", "; did you mean 'allow_subscribe_for_client'?"),
        ("chat:history_size=many", "give a whole number"),
        ("chat:history_size=-1", "give a whole number >= 0"),
        ("chat:history_ttl_s=0", ">= 1"),
        ("chat:presence=maybe", "give true or false"),
    ],
)
def test_what_is_wrong_is_named(spec, said):
    with pytest.raises(ConfigError, match="namespace") as raised:
        NodeConfig(namespaces=(spec,))
    assert said in str(raised.value)


def test_all_problems_are_told_at_once():
    with pytest.raises(ConfigError) as raised:
        read_namespaces(["a:x=1,history_size=y", "b:", "b:history_size=1"])
    assert len(raised.value.problems) == 3


def test_a_table_in_toml_is_the_same_as_the_short_form(tmp_path):
    file = tmp_path / "ringway.toml"
    file.write_text(
        "[node]\nport = 9000\n[node.namespaces.chat]\nhistory_size = 50\npresence = false\n"
        "[node.namespaces.default]\nhistory_ttl_s = 1.5\n"
    )
    config = load_config(file=str(file), environ={}).config.node
    assert config.namespaces == ("chat:history_size=50,presence=false", "default:history_ttl_s=1.5")
    environ = {"RINGWAY_NODE_NAMESPACES": "chat:history_size=50,presence=false default:history_ttl_s=1.5"}
    assert load_config(environ=environ).config.node == NodeConfig(namespaces=config.namespaces)


def test_what_is_no_table_is_refused_with_its_place(tmp_path):
    file = tmp_path / "ringway.toml"
    file.write_text("[node.namespaces]\nchat = 5\n")
    with pytest.raises(ConfigError, match=r"\[node\] namespaces: chat = 5 .*write \[node.namespaces.chat\]"):
        load_config(file=str(file), environ={})
    assert short_namespaces({}) == []


def test_what_the_engine_is_to_keep():
    spaces = Namespaces(("default:history_size=0", "a:history_size=1", "b:history_size=2,history_ttl_s=9"))
    assert spaces.retentions() == [Retention("a", 1, 300.0), Retention("b", 2, 9.0)]
