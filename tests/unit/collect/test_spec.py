import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ringway.collect.spec import HIDDEN, SECRETS, CollectorSpec, hide_secrets, parse_spec, read_options, spec_of_table
from ringway.errors import ConfigError


class Options(msgspec.Struct, kw_only=True):
    threshold: float = 1.0
    low: float | None = None
    gate: bool = True
    path: str = ""


def test_the_short_form():
    spec = parse_spec("cpu=snmp://{host}:161/cpu,community=public,threshold=0.8")
    assert spec == CollectorSpec("cpu", "snmp://{host}:161/cpu", (("community", "public"), ("threshold", "0.8")))


def test_commas_in_braces_and_in_quotes_belong_to_the_value():
    spec = parse_spec('idle=http://a:1/m?x=1,metric=cpu{mode="idle",cpu="0"},bearer="a,b \\" }",low=1')
    assert spec.source == "http://a:1/m?x=1"
    assert dict(spec.given) == {"metric": 'cpu{mode="idle",cpu="0"}', "bearer": 'a,b " }', "low": "1"}


def test_secrets_may_come_from_the_environment():
    text = "cpu=snmp://h/cpu,community=$COMMUNITY"
    assert dict(parse_spec(text, {"COMMUNITY": "s,1"}).given) == {"community": "s,1"}
    assert dict(parse_spec(text).given) == {"community": "$COMMUNITY"}
    with pytest.raises(ConfigError, match=r"taken from \$COMMUNITY, which is not set"):
        parse_spec(text, {})


def test_secrets_are_not_shown_and_references_to_them_are():
    shown = hide_secrets("cpu=snmp://u:p@h/cpu,community=x1,auth_key=$KEY,priv_key=x2,bearer=x3,user=x4")
    assert shown == f"cpu=snmp://h/cpu,community={HIDDEN},auth_key=$KEY,priv_key={HIDDEN},bearer={HIDDEN},user=x4"


@given(st.sampled_from(SECRETS), st.text(min_size=6).filter(lambda text: not text.isspace()))
def test_whatever_the_secret_is_it_is_not_shown(option, secret):
    short = spec_of_table({"name": "cpu", "source": "snmp://h/cpu", option: "x7" + secret, "user": "watcher"})
    assert hide_secrets(short) == f"cpu=snmp://h/cpu,{option}={HIDDEN},user=watcher"


@given(st.dictionaries(st.sampled_from(["path", "bearer", "metric"]), st.text()))
def test_a_table_says_what_the_short_form_says(options):
    short = spec_of_table({"name": "cpu", "source": "http://{host}/x", **options})
    assert not any(char.isspace() for char in short if char.isascii())  # the environment separates lists by it
    spec = parse_spec(short, {})
    assert (spec.name, spec.source, dict(spec.given)) == ("cpu", "http://{host}/x", options)


def test_a_table_may_hold_numbers_and_switches():
    table = {"name": "cpu", "source": "call:m:f", "threshold": 0.8, "gate": False, "bearer": "$TOKEN"}
    assert spec_of_table(table) == "cpu=call:m:f,threshold=0.8,gate=false,bearer=$TOKEN"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("cpu", "the collector 'cpu' has no source; write NAME=SOURCE,option=value"),
        ("cpu=", "has no source"),
        ("c p=snmp://h", "c p"),
        ("cpu=snmp://h,low", "the collector cpu has 'low' for an option; write option=value"),
        ("cpu=snmp://h,low=1,low=2", "gives the option 'low' twice; give it once"),
        ('cpu=snmp://h,path="x', "the option path of the collector cpu has quotes that do not match"),
    ],
)
def test_a_wrong_form_is_told(text, problem):
    with pytest.raises(ConfigError, match=problem):
        parse_spec(text, {})


@pytest.mark.parametrize("table", [{}, {"name": "cpu"}, {"name": 1, "source": "x"}])
def test_a_table_needs_a_name_and_a_source(table):
    with pytest.raises(ConfigError, match='a collector needs name = "cpu" and source ='):
        spec_of_table(table)


def test_options_are_typed_and_all_problems_told():
    read = read_options(CollectorSpec("cpu", "x", (("threshold", "0.8"), ("low", "0.5"), ("gate", "false"))), Options)
    assert (read.threshold, read.low, read.gate) == (0.8, 0.5, False)
    wrong = CollectorSpec("cpu", "x", (("thresold", "1"), ("low", "much"), ("gate", "maybe"), ("zz", "1")))
    with pytest.raises(ConfigError) as raised:
        read_options(wrong, Options)
    assert raised.value.problems == (
        "there is no option 'thresold' with this source; did you mean 'threshold'?",
        "the option low=much must be a number",
        "the option gate=maybe must be true or false",
        "there is no option 'zz' with this source; there are threshold, low, gate, path",
    )
