"""The table of what clients of other servers see, in the page of own servers."""

from integration.own_servers import docs_table
from integration.own_servers.docs_table import BEGIN, END, page_with
from integration.own_servers.record import Row
from integration.own_servers.seen import see
from integration.own_servers.stack import STACKS

PAGE = f"# A page\n\n{BEGIN}\n\n{END}\n\nMore.\n"

MOVED = [
    {"at": 1.0, "event": "connected", "instance": "a"},
    {"at": 2.0, "event": "sent", "n": 1},
    {"at": 2.5, "event": "acked", "n": 1, "instance": "a"},
    {"at": 3.0, "event": "disconnected", "code": 1012, "reason": "moved: reconnect"},
    {"at": 3.5, "event": "connected", "instance": "d"},
    {"at": 4.0, "event": "sent", "n": 2},
    {"at": 4.5, "event": "acked", "n": 2, "instance": "d"},
]


def row(stack: str, last: int, event: str = "drain") -> Row:
    """Return what one client saw, of which the first `last` events are known."""
    return Row(STACKS[stack], event, [see(MOVED[:last], 5.0, since=2.0)])


def test_a_cell_says_who_was_hit_what_they_were_told_how_long_they_waited_and_what_was_lost():
    page = page_with(PAGE, [row("go", 7)], "Versions: 1.")
    assert "| 1: 1012 moved: reconnect; silent 2.0 s; lost 0 |" in page
    assert page.startswith("# A page")
    assert page.endswith("Versions: 1.\n\n" + END + "\n\nMore.\n")


def test_clients_that_were_not_answered_again_are_told():
    assert "lost 1; **1 not served again**" in page_with(PAGE, [row("go", 6)], "")


def test_new_rows_replace_those_of_their_stack_only_and_stand_in_one_order():
    once = page_with(PAGE, [row("spring", 3), row("go", 3)], "old")
    twice = page_with(once, [row("go", 7)], "new")
    lines = [line.split("|")[1].strip() for line in twice.splitlines() if line.startswith("| ")]
    assert lines == ["server and its client", "Go", "Spring Boot"]
    assert twice.count("1012 moved") == 1
    assert "old" not in twice


def test_a_run_of_one_event_replaces_its_cell_only():
    once = page_with(PAGE, [row("go", 7, "drain"), row("go", 7, "kill")], "")
    twice = page_with(once, [row("go", 6, "kill")], "")
    line = next(line for line in twice.splitlines() if line.startswith("| Go |"))
    assert line.count("lost 0") == 1
    assert line.count("lost 1") == 1


def test_connections_of_plain_servers_are_not_reopened_twice():
    assert "| as `auto` |" in page_with(PAGE, [row("go", 7)], "")
    assert "as `auto`" not in page_with(PAGE, [row("socketio", 7)], "")


def test_the_page_of_the_docs_has_the_place_of_the_table_once_with_a_row_for_each_server() -> None:
    page = docs_table.PAGE.read_text()
    assert (page.count(BEGIN), page.count(END)) == (1, 1)
    table = page.partition(BEGIN)[2].partition(END)[0]
    assert [title for title, _, _ in docs_table.TITLES.values() if f"| {title} |" not in table] == []
