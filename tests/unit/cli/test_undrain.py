"""Output of `ringway undrain`."""

from ringway.cli.undrain import what_changed
from sample import node_report


def test_it_says_if_nothing_was_changed() -> None:
    assert what_changed(node_report("a", draining=True)) == "a takes connections again"
    assert what_changed(node_report("a")) == "a did not drain: nothing was changed"
