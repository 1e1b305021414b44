"""Tables of the members."""

from ringway.admin.member import describe
from ringway.cli.grid import Cell, draw_grid
from ringway.cli.member_grid import STRANGERS_SHOWN, gateways_grid, nodes_grid, problem_lines, strangers_grid
from ringway.core.strangers import NAME_LENGTH_MAX, Strangers
from ringway.protocol.seal import SealFault
from ringway.types import NodeName, NodeState, Role
from unit.admin.test_member import node


def test_each_node_has_a_line_with_its_load_and_state() -> None:
    cluster = describe(
        [node("node-1", 1234), node("node-2", 5, engine_up=False), node("node-3", state=NodeState.DRAINING)]
    )
    text = "\n".join(draw_grid(nodes_grid(cluster), 160))
    assert "1,234" in text
    states = {row[0].text: row[1] for row in nodes_grid(cluster).rows}
    assert states == {
        "node-1": Cell("active", "green"),
        "node-2": Cell("no engine", "red"),
        "node-3": Cell("draining", "yellow"),
    }


def test_weights_are_shown_where_they_differ() -> None:
    assert "weight" not in nodes_grid(describe([node("node-1")])).columns
    grid = nodes_grid(describe([node("node-1", weight=2.5)]))
    assert grid.rows[0][list(grid.columns).index("weight")].text == "2.5"


def test_the_measures_of_a_backend_are_not_known() -> None:
    grid = nodes_grid(describe([node("node-1", cpu=0.0, memory_bytes=2**21), node("backend"), node("told", cpu=0.4)]))
    cpu, memory = (list(grid.columns).index(name) for name in ("cpu", "memory"))
    shown = {row[0].text: (row[cpu].text, row[memory].text) for row in grid.rows}
    assert shown == {"node-1": ("0%", "2 MiB"), "backend": ("-", "-"), "told": ("40%", "-")}


def test_secrets_are_shown_while_members_have_different_ones_and_backends_have_none() -> None:
    gateway = node("gateway-1", role=Role.GATEWAY, secrets=("3ff6e4c6",))
    assert "secret" not in nodes_grid(describe([gateway, node("backend")])).columns
    other = node("node-1", secrets=("6057a90c",))
    assert "secret" in nodes_grid(describe([gateway, node("backend"), other])).columns
    assert "secret" in gateways_grid(describe([node("g", role=Role.GATEWAY, secrets=("a", "b"))])).columns


def test_versions_are_shown_while_they_differ_and_backends_have_none() -> None:
    gateway = node("gateway-1", role=Role.GATEWAY, version="0.1.0")
    alike = describe([gateway, node("node-1", version="0.1.0"), node("backend", is_backend=True)])
    assert "version" not in (*nodes_grid(alike).columns, *gateways_grid(alike).columns)
    mixed = describe([gateway, node("node-1", version="0.2.0"), node("backend", is_backend=True)])
    grid = nodes_grid(mixed)
    column = list(grid.columns).index("version")
    assert {row[0].text: row[column].text for row in grid.rows} == {"node-1": "0.2.0", "backend": "-"}
    grid = gateways_grid(mixed)
    assert grid.rows[0][list(grid.columns).index("version")].text == "0.1.0"


def test_the_gateway_that_leads_is_marked() -> None:
    leading = node("gateway-1", role=Role.GATEWAY, leading=True, admin_url="http://127.0.0.1:8001")
    grid = gateways_grid(describe([leading, node("gateway-2", role=Role.GATEWAY)]))
    assert [(row[0].text, row[3].text) for row in grid.rows] == [("gateway-1", "leads"), ("gateway-2", "stands by")]


def test_problems_of_nodes_are_told_once_with_the_gateways_that_see_them() -> None:
    one, two, n1, n2 = (NodeName(name) for name in ("gateway-1", "gateway-2", "node-1", "node-2"))
    seen = {one: {n1: "gets no clients"}, two: {n1: "gets no clients", n2: "is out"}}
    cluster = describe([node("node-1"), node("node-2"), node("node-3")], seen)
    assert [row[1] for row in nodes_grid(cluster).rows] == [
        Cell("problem", "red"),
        Cell("problem", "red"),
        Cell("active", "green"),
    ]
    assert problem_lines(cluster) == [
        "node-1 gets no clients (seen by gateway-1, gateway-2)",
        "node-2 is out (seen by gateway-2)",
    ]


def test_strangers_are_listed_in_words_and_steer_nothing() -> None:
    strangers = Strangers()
    for number, fault in enumerate(SealFault):
        strangers.on_refused(NodeName(f"evil\x1b]0;X\x07-{number}"), fault, f"problem {number}; remedy", 0.0)
    cluster = describe([], strangers=[*strangers.rows(), *strangers.rows()])
    lines = draw_grid(strangers_grid(cluster), 160)
    assert len(lines) == 1 + len(SealFault)
    assert all("evil\\x1b]0;X\\x07-" in line and "remedy" in line for line in lines[1:])
    assert "another secret" in lines[1 + list(SealFault).index(SealFault.FORGED)]
    assert not any("\x1b" in line or "\x07" in line for line in lines)


def test_a_long_name_of_a_stranger_is_cut() -> None:
    strangers = Strangers()
    strangers.on_refused(NodeName("n" * 10_000), SealFault.FORGED, "", 0.0)
    assert [len(row.name) for row in strangers.rows()] == [NAME_LENGTH_MAX]


def test_many_strangers_do_not_push_the_members_off_the_screen() -> None:
    strangers = Strangers()
    for number in range(STRANGERS_SHOWN + 5):
        strangers.on_refused(NodeName(f"fake-{number}"), SealFault.FORGED, "", 0.0)
    lines = draw_grid(strangers_grid(describe([], strangers=strangers.rows())), 160)
    assert len(lines) == 1 + STRANGERS_SHOWN + 1
    assert "and 5 more" in lines[-1]
