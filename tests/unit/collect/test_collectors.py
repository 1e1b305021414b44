"""Collectors' values from answers; tests/integration/collect tests over real sockets how they get the answers."""

import msgspec
import pytest

from ringway.collect.call import CallCollector
from ringway.collect.collector import CollectFailed, Facts, facts_of, fill
from ringway.collect.document import number_at
from ringway.collect.prometheus import read_selector, sample_in
from ringway.core.load import NodeLoad
from ringway.types import Incarnation, NodeName
from sample import view_of

NODE = Facts(name=NodeName("n1"), url="ws://10.0.0.1:9000/x", host="10.0.0.1", port=9000, load=50)

PAGE = """\
# HELP node_cpu_seconds_total Seconds.
# TYPE node_cpu_seconds_total counter
node_cpu_seconds_total{cpu="0",mode="idle"} 11.5
node_cpu_seconds_total{cpu="1",mode="idle"} 12.5
node_cpu_seconds_total{cpu="0",mode="user"} 1e3
# TYPE node_load1 gauge
node_load1 0.25
node_load15 7
broken line
nan_value NaN
"""


def test_a_url_is_filled_with_the_nodes_facts():
    assert fill("http://{host}:{port}/{name}?{name}", NODE) == "http://10.0.0.1:9000/n1?n1"
    six = msgspec.structs.replace(NODE, host="::1")
    assert fill("snmp://{host}:161/cpu", six) == "snmp://[::1]:161/cpu"


def test_the_facts_of_a_node_are_those_of_its_report():
    view = view_of({"a": 2.0}, loads={"a": 7})
    node = view.nodes[NodeName("a")]
    assert facts_of(node) == Facts(name=NodeName("a"), url="ws://a", host="a", port=80, weight=2.0, load=7)
    unheard = NodeLoad(NodeName("b"), Incarnation("0" * 8))
    assert facts_of(unheard).host == ""


@pytest.mark.parametrize(
    ("path", "value"),
    [("a.b.0", 1.5), ("a.b.1.c", 2.0), ("n", -3.0), ("a.d.e", 4.0)],
)
def test_a_number_in_a_document(path, value):
    document = {"a": {"b": [1.5, {"c": 2}], "d": {"e": 4}}, "n": -3}
    assert number_at(document, tuple(path.split("."))) == value


def test_a_document_may_be_the_number():
    assert number_at(0.5, ()) == 0.5


@pytest.mark.parametrize(
    ("path", "problem"),
    [
        ("x", "the document has no 'x'"),
        ("a.x.y", "the document has no 'a.x'"),
        ("list.2", "the document has no 'list.2'"),
        ("list.-1", "the document has no 'list.-1'"),
        ("a", "the value at 'a' is no number but an object"),
        ("list", "no number but a list"),
        ("text", "no number but a text"),
        ("yes", "no number but true or false"),
        ("none", "no number but null"),
        ("text.0", "the document has no 'text.0'"),
    ],
)
def test_what_is_no_number_is_told(path, problem):
    document = {"a": {"b": 1}, "list": [1, 2], "text": "1", "yes": True, "none": None}
    with pytest.raises(CollectFailed, match=problem):
        number_at(document, tuple(path.split(".")))


@pytest.mark.parametrize(
    ("selector", "value"),
    [
        ("node_load1", 0.25),
        ('node_cpu_seconds_total{mode="user"}', 1000),
        ('node_cpu_seconds_total{cpu="1",mode="idle"}', 12.5),
    ],
)
def test_a_sample_of_a_page(selector, value):
    assert sample_in(PAGE, *read_selector(selector)) == value


@pytest.mark.parametrize(
    ("selector", "problem"),
    [
        ("node", "has 0 samples of node"),
        ('node_cpu_seconds_total{mode="idle"}', "has 2 samples of node_cpu_seconds_total with these labels"),
        ('node_load1{cpu="0"}', "has 0 samples"),
        ("broken", "is not in Prometheus's text format"),
    ],
)
def test_what_is_no_single_sample_is_told(selector, problem):
    with pytest.raises(CollectFailed, match=problem):
        sample_in(PAGE, *read_selector(selector))


@pytest.mark.parametrize(("function", "value"), [("by_load", 0.5), ("soon", 0.5), ("meter", 0.5)])
async def test_a_function_is_called_with_the_nodes_facts(function, value):
    assert await CallCollector(f"call:unit.collect.sample_calls:{function}").collect(NODE) == value


async def test_a_function_that_returns_no_number_is_told():
    with pytest.raises(CollectFailed, match="the function returned no number but str"):
        await CallCollector("call:unit.collect.sample_calls:text").collect(NODE)


async def test_a_functions_error_is_its_own():
    with pytest.raises(CollectFailed, match=r"OSError: no sensor on 10\.0\.0\.1"):
        await CallCollector("call:unit.collect.sample_calls:failing").collect(NODE)
    with pytest.raises(OSError, match="no sensor"):
        await CallCollector("call:unit.collect.sample_calls:failing_soon").collect(NODE)
