"""The vectors of `socket.json` in Python; see README.md here."""

import json
from pathlib import Path

import pytest

from conformance.timeline import Case, Timeline
from ringway.client.reconnect import is_final_close

VECTORS = json.loads((Path(__file__).parent / "socket.json").read_text())


CASES = [case for case in VECTORS["cases"] if case.get("only", "python") == "python"]


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case['clause']}: {case['name']}")
def test_timeline(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    Timeline(case, monkeypatch).run()


@pytest.mark.parametrize(("code", "returns"), VECTORS["returns"].items())
def test_who_may_return_after_a_close(code: str, returns: bool) -> None:
    """PROTOCOL.md P-6."""
    assert is_final_close(int(code), "") is not returns
