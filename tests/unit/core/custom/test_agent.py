import pytest
from hypothesis import given
from hypothesis import strategies as st

from ringway.core.custom.agent import REASON_MAX, Advice, Words, parse_line


def after(*lines: str) -> Advice:
    advice = Advice()
    for line in lines:
        advice = advice.follow(parse_line(line))
    return advice


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("75%\n", Words(share=0.75)),
        ("weight:12.5%", Words(share=0.125)),
        ("weight:30", Words(weight=30)),
        ("maxconn:30", Words(connections_max=30)),
        ("READY", Words(admin="ready")),
        ("drain", Words(admin="drain")),
        ("maint", Words(admin="maint")),
        ("up", Words(down="")),
        ("down", Words(down="down")),
        ("fail#disk full", Words(down="fail (disk full)")),
        ("stopped # by hand", Words(down="stopped (by hand)")),
        ("up 75%, maxconn:10\tready\r\n", Words(share=0.75, connections_max=10, admin="ready", down="")),
        ("75% and words of a later version", Words(share=0.75)),
    ],
)
def test_the_words_of_haproxy(line, words):
    assert parse_line(line) == words


@pytest.mark.parametrize("line", ["", "\n", "hello", "75", "-5%", "nan%", "weight:", "maxconn:-1", "# down", "1e3%"])
def test_a_line_without_a_known_word_is_refused(line):
    with pytest.raises(ValueError, match="has no word of an agent check"):
        parse_line(line)


@given(st.text(max_size=300))
def test_nothing_that_an_agent_writes_does_harm(line):
    try:
        advice = Advice().follow(parse_line(line))
    except ValueError:
        return
    assert 0 <= advice.share <= 100
    assert advice.against.isprintable()
    assert len(advice.against) < 2 * REASON_MAX


def test_each_word_changes_one_thing_and_leaves_the_rest():
    assert after("drain", "75%").against == "its agent says drain"
    assert after("drain", "75%", "ready").against == ""
    assert after("down#disk", "ready").against == "its agent says down (disk)"
    assert after("down", "up 50%") == Advice(share=0.5)
    assert after("maxconn:10", "50%").connections_max == 10


def test_a_weight_replaces_a_share_and_the_other_way_round():
    assert after("50%").factor(4.0) == 0.5
    assert after("50%", "weight:8").factor(4.0) == 2.0
    assert after("weight:8", "50%").factor(4.0) == 0.5
    assert after("weight:8").factor(0.0) == 1.0


@pytest.mark.parametrize("line", ["0%", "weight:0", "weight:0%"])
def test_no_weight_drains(line):
    assert after(line).against == "its agent gives it no weight"
