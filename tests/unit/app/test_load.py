import pytest

from ringway.app.config import Given, all_fields, load_config
from ringway.app.load import as_environment
from ringway.app.start_check import start_problems
from ringway.errors import ConfigError


def problems_of(**given) -> tuple[str, ...]:
    with pytest.raises(ConfigError) as raised:
        load_config(**{"environ": {}, **given})
    return raised.value.problems


@pytest.fixture
def write(tmp_path):
    def write(text: str) -> str:
        path = tmp_path / "ringway.toml"
        path.write_text(text)
        return str(path)

    return write


def test_without_anything_given_all_is_default():
    loaded = load_config(environ={})
    assert loaded.config.gateway.port == 8000
    assert loaded.given == {}
    assert loaded.origin("gateway.port") == "default"


def test_flags_win_over_environment_over_file_over_what_lies_beneath(write):
    file = write('[gateway]\nport = 2\npolicy = "ring"\nhost = "1.1.1.1"\npublic_url = "https://file.example"\n')
    environ = {"RINGWAY_GATEWAY_PORT": "3", "RINGWAY_GATEWAY_POLICY": "round-robin"}
    flags = {"gateway.port": Given("4", "--port")}
    beneath = {"gateway.host": Given("0.0.0.0", "beneath"), "gateway.backlog": Given(7, "beneath")}
    loaded = load_config(flags=flags, file=file, environ=environ, beneath=beneath)
    gateway = loaded.config.gateway
    assert (gateway.port, gateway.policy, gateway.host, gateway.backlog) == (4, "round-robin", "1.1.1.1", 7)
    assert [loaded.origin(f"gateway.{name}") for name in ("port", "policy", "host", "backlog", "linger_s")] == [
        "--port",
        "environment RINGWAY_GATEWAY_POLICY",
        file,
        "beneath",
        "default",
    ]


def test_the_file_may_be_named_by_the_environment(write):
    file = write("[node]\nport = 9200\n")
    assert load_config(environ={"RINGWAY_CONFIG": file}).config.node.port == 9200


def test_the_environment_gives_numbers_switches_and_lists():
    environ = {
        "RINGWAY_NODE_WEIGHT": "2.5",
        "RINGWAY_ADMIN_ENABLED": "false",
        "RINGWAY_NODE_ALLOWED_ORIGINS": "https://a.example  https://b.example",
        "RINGWAY_ADMIN_PORT": "0",
    }
    config = load_config(environ=environ).config
    assert config.node.weight == 2.5
    assert (config.admin.enabled, config.admin.port) == (False, 0)
    assert config.node.allowed_origins == ("https://a.example", "https://b.example")


def test_all_wrong_values_are_told_at_once_with_their_origin_and_rule(write):
    file = write('[node]\nping_interval_s = "often"\n[gateway]\nport = 70000\n')
    found = problems_of(file=file, environ={"RINGWAY_LOG_LEVEL": "loud"})
    assert len(found) == 3
    assert f"gateway.port is 70000 ({file}); it must be a whole number, at least 0, at most 65535" in found
    assert any("node.ping_interval_s is 'often'" in problem for problem in found)
    assert "log.level is 'loud' (environment RINGWAY_LOG_LEVEL); it must be one of debug, info, warning, error" in found


def test_unknown_names_are_told_at_once_with_the_nearest_right_one(write):
    file = write("[gatway]\nport = 1\n[gateway]\nprot = 1\n[node]\nzzz = 1\n")
    found = problems_of(file=file, environ={"RINGWAY_GATEWAY_PROT": "1"})
    assert len(found) == 4
    assert f"{file}: there is no section [gatway]; did you mean 'gateway'?" in found
    assert f"{file}: there is no setting 'prot' in [gateway]; did you mean 'port'?" in found
    assert any("no setting 'zzz' in [node]; there are address_bytes_burst" in problem for problem in found)
    assert "the environment variable RINGWAY_GATEWAY_PROT sets nothing; did you mean 'RINGWAY_GATEWAY_PORT'?" in found


def test_variables_of_others_with_our_prefix_are_let_pass():
    assert load_config(environ={"RINGWAY_SERVICE_HOST": "10.0.0.1", "RINGWAY_STATE_DIR": "/x"}).given == {}


def test_a_secret_is_not_repeated_in_a_message():
    found = problems_of(flags={"engine.secret": Given(["hunter2hunter2"], "--secret")})
    assert "hunter2" not in found[0]


def test_settings_that_do_not_go_together_are_told_with_their_section_and_sources(write):
    file = write("[node]\npong_timeout_s = 9\n")
    environ = {"RINGWAY_NODE_PING_INTERVAL_S": "5", "RINGWAY_NODE_PORT": "0"}
    [found] = problems_of(file=file, environ=environ)
    assert found.startswith(f"[node] ({file} and environment RINGWAY_NODE_PING_INTERVAL_S): pong_timeout_s is 9")


def test_a_problem_that_names_no_setting_is_told_with_all_sources_of_its_section(write):
    file = write('[node]\nnamespaces = ["a:x=1"]\n')
    [found] = problems_of(file=file, environ={"RINGWAY_GATEWAY_PORT": "1"})
    assert found.startswith(f"[node] ({file}): ")


BAD = """
[gateway]
prot = 1
port = 70000
slot_hold_s = 9
public_url = "ftp://host:port"
allowed_origins = ["https://a b"]

[static]
backends = ["http://127.0.0.1:9182,group=chat", "ws://127.0.0.1:9183,grp=feed"]

[[route]]
pth = "/chat"
group = "nope"

[[route]]
path = "//x"
group = "chat"

[node]
public_url = "http://host:1"
namespaces = ["a:x=1"]

[load]
collect = ["x=gopher://h"]

[engine]
secret = "short"
"""


def test_all_problems_of_a_file_are_told_in_one_round_each_with_the_file(write):
    file = write(BAD)
    found = problems_of(file=file, check=start_problems)
    for said in (
        "no setting 'prot'",
        "gateway.port is 70000",
        "slot_hold_s is 9",
        "public_url: the URL 'ftp://host:port'",
        "https://a b",
        "has no setting 'pth'",
        "'//x'",
        "leads to the group 'nope'",
        "'http://127.0.0.1:9182'",
        "grp=feed",
        "public_url: the URL 'http://host:1'",
        "the namespace",
        "gopher://h",
        "has 5 characters",
    ):
        assert [problem for problem in found if said in problem], f"{said}: {found}"
    assert all(file in problem for problem in found), found
    assert len(found) == 14, found


@pytest.mark.parametrize(("text", "said"), [("[gateway\n", "is not TOML"), ("gateway = 1\n", "must be a section")])
def test_a_file_that_is_none_is_named(write, text, said):
    assert said in problems_of(file=write(text))[0]


def test_a_missing_file_is_named(tmp_path):
    assert "cannot be read" in problems_of(file=str(tmp_path / "none.toml"))[0]


def test_a_layer_survives_the_way_through_the_environment_of_a_child():
    flags = {
        "gateway.port": Given("18000", "--port"),
        "static.backends": Given(["ws://a:1,weight=2", "ws://b:2"], "--backend"),
        "admin.enabled": Given(False, "--no-admin-enabled"),
        "node.weight": Given("0.5", "--weight"),
    }
    environ = as_environment(flags, all_fields())
    assert load_config(environ=environ).config == load_config(flags=flags, environ={}).config
