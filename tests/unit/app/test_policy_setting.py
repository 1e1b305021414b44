"""The policy as a setting: in its short form, as a table, and wrong."""

import pytest

from ringway.app.config import Given, load_config
from ringway.app.start_check import policy_problems
from ringway.errors import ConfigError


@pytest.fixture
def policy_of(tmp_path):
    """Returns the policy that a TOML file says."""

    def read(text: str) -> str:
        file = tmp_path / "ringway.toml"
        file.write_text(text)
        return load_config(file=str(file), environ={}).config.gateway.policy

    return read


@pytest.mark.parametrize(
    ("text", "short"),
    [
        ('[gateway]\npolicy = "ring"\n', "ring"),
        ('[gateway]\npolicy = {name = "two-choices", d = 3}\n', "two-choices:d=3"),
        ('[gateway.policy]\nname = "ring"\nkey = "query.room"\nc = 1.1\n', "ring:key=query.room,c=1.1"),
        ('[gateway]\nport = 1\n[gateway.policy]\nname = "ring"\nfill = true\n', "ring:fill=true"),
        ('[gateway.policy]\nname = "score"\ncall = "a.b:c=d"\n', "score:call=a.b:c=d"),
    ],
)
def test_a_table_is_the_same_as_the_short_form(policy_of, text, short):
    assert policy_of(text) == short


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ("d = 3", "needs its name"),
        ('name = 3', "needs its name"),
        ('name = "ring"\nkey = "a,b=c"', "has a comma in a value"),
        ('name = "ring"\nkey = ["a", "b"]', "has a comma in a value"),
        ('name = "ring,x"\nkey = "a"', ""),
    ],
)  # fmt: skip
def test_a_table_that_has_no_short_form_is_refused_with_its_place(policy_of, table, said, tmp_path):
    if not said:
        assert policy_of(f"[gateway.policy]\n{table}\n") == "ring,x:key=a"  # names are checked later
        return
    with pytest.raises(ConfigError) as raised:
        policy_of(f"[gateway.policy]\n{table}\n")
    [problem] = raised.value.problems
    assert problem.startswith(f"{tmp_path / 'ringway.toml'}: [gateway] policy: ")
    assert said in problem


def test_the_environment_and_flags_win_over_a_table(tmp_path):
    file = tmp_path / "ringway.toml"
    file.write_text('[gateway.policy]\nname = "ring"\n')
    environ = {"RINGWAY_GATEWAY_POLICY": "round-robin"}
    assert load_config(file=str(file), environ=environ).config.gateway.policy == "round-robin"
    flags = {"gateway.policy": Given("least-connected", "--policy")}
    assert load_config(file=str(file), flags=flags, environ=environ).config.gateway.policy == "least-connected"


@pytest.mark.parametrize(
    ("policy", "said"),
    [
        ("best", "the policy 'best' is unknown; choose one of"),
        ("two-choice", "did you mean 'two-choices'?"),
        ("two-choices:d", "write it as name:option=value"),
        ("two-choices:dd=3", "has no option 'dd'"),
        ("", "the policy '' is unknown"),
    ],
)
def test_a_wrong_policy_is_told_with_value_origin_and_remedy(policy, said):
    loaded = load_config(flags={"gateway.policy": Given(policy, "--policy")}, environ={})
    [problem] = policy_problems(loaded)
    assert problem.startswith(f"gateway.policy is {policy!r} (--policy): ")
    assert said in problem


def test_the_default_is_right():
    assert policy_problems(load_config(environ={})) == []
