"""`scripts/house.py` finds each thing that it refuses, in a small house that has them all."""

from collections.abc import Callable
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

import pytest

SCRIPT = Path(__file__).parents[2] / "scripts" / "house.py"

PRODUCT = {
    "errors.py": '"""The tree of errors."""\n',
    "node/__init__.py": '"""The node."""\n',
    "node/shared.py": '"""What connections share."""\nfrom ringway.node.outbox import Outbox\n',
    "node/outbox.py": (
        '"""An outbox. See DESIGN.md."""\n'
        "from typing import TYPE_CHECKING\n"
        "if TYPE_CHECKING:\n"
        "    from ringway.node import shared\n"
        "class Outbox:\n"
        '    """See the module."""\n'
        "    _bytes = 0\n"
        "    def open(self, loop, work):\n"
        "        self._task = loop.create_task(work)\n"
    ),
    "gateway/__init__.py": '"""The gateway."""\n',
    "gateway/outbox.py": '"""An outbox."""\nfrom ringway.errors import x\nclass Outbox: ...\n',
    "core/__init__.py": '"""Decisions."""\n',
    "core/dice.py": (
        '"""Dice."""\n'
        "from typing import TYPE_CHECKING\n"
        "from random import random\n"
        "if TYPE_CHECKING:\n"
        "    from random import Random\n"
    ),
    "core/verbs.py": '"""Verbs."""\n' + "".join(f"class V{n}:\n    def take(self): ...\n" for n in range(7)),
}
TESTS = {
    "test_outbox.py": "from ringway.node.outbox import Outbox\n\n\ndef test_it():\n    assert Outbox()._bytes == 0\n"
}


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    spec = spec_from_file_location("house", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    for folder, texts in {"src/ringway": PRODUCT, "tests": TESTS, "bench": {}}.items():
        for name, text in texts.items():
            path = tmp_path / folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
    monkeypatch.setattr(module, "ROOT", tmp_path)
    monkeypatch.setattr(module, "PRODUCT", tmp_path / "src" / "ringway")
    return module


@pytest.mark.parametrize(
    ("measure", "found"),
    [
        ("circles", ["ringway.node: outbox -> shared -> outbox"]),
        ("shared_names", ["Outbox: src/ringway/gateway/outbox.py, src/ringway/node/outbox.py"]),
        ("bare_verbs", ["take: 7 classes"]),
        ("private_parts", ["tests/test_outbox.py:5 _bytes"]),
        ("bare_tasks", ["src/ringway/node/outbox.py:9"]),
        ("deferred_nouns", ["src/ringway/node/shared.py: What connections share."]),
        ("empty_references", ["src/ringway/node/outbox.py:5"]),
        ("missing_sources", ["src/ringway/node/outbox.py:1"]),
        ("bags", ["src/ringway/node/shared.py"]),
        ("dice_in_pure_rooms", ["src/ringway/core/dice.py:3"]),
    ],
)
def test_each_measure_finds_what_it_is_for(house: ModuleType, measure: str, found: list[str]) -> None:
    count: Callable[[], list[str]] = getattr(house, measure)
    assert count() == found


def test_arrows_are_those_between_the_children_of_a_room(house: ModuleType) -> None:
    assert house.arrows("node")() == ["outbox -> shared", "shared -> outbox"]
    assert house.arrows("gateway")() == []


def test_a_measure_above_its_bound_ends_the_check(
    house: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["house.py"])
    assert house.main() == 1
    assert "circles                     1  above 0" in capsys.readouterr().out


def test_a_house_in_order_passes(house: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["house.py"])
    for name in ("node/shared.py", "node/outbox.py", "core/dice.py", "core/verbs.py"):
        (house.PRODUCT / name).unlink()
    assert house.main() == 0
