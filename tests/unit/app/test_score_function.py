"""Functions of the policy `score`, found by their name."""

from importlib.metadata import EntryPoint, EntryPoints

import pytest

from ringway.app import score_function
from ringway.app.score_function import GROUP, load_score_function
from ringway.core.load import LoadView, NodeLoad
from ringway.core.steering import Steering
from ringway.errors import ConfigError
from ringway.protocol.directive import Directive
from sample import fullness, view_of

NOT_CALLABLE = 5


class Weighing:
    @staticmethod
    def weigh(node: NodeLoad, view: LoadView) -> float:
        return -node.weight


def test_a_function_of_a_module_is_found() -> None:
    assert load_score_function("sample:fullness") is fullness


def test_a_method_can_be_named() -> None:
    view = view_of({"a": 2.0})
    assert load_score_function(f"{__name__}:Weighing.weigh")(view.eligible[0], view) == -2.0


def test_an_entry_point_can_be_named(monkeypatch: pytest.MonkeyPatch) -> None:
    points = EntryPoints([EntryPoint("mine", "sample:fullness", GROUP)])
    monkeypatch.setattr(score_function, "entry_points", lambda group: points.select(group=group))
    assert load_score_function("mine") is fullness
    with pytest.raises(ConfigError, match=r"'yours' is no entry point of the group ringway.policies .*there are: mine"):
        load_score_function("yours")
    steering = Steering("two-choices", b"", load_score_function)
    assert steering.follow(Directive(version=1, policy="score:call=mine"))
    assert steering.policy.name == "score"


@pytest.mark.parametrize(
    ("call", "problem"),
    [
        ("nowhere:to_be_found", "cannot be loaded: ModuleNotFoundError: No module named 'nowhere'"),
        ("sample:to_be_found", "cannot be loaded: AttributeError"),
        (f"{__name__}:NOT_CALLABLE", "is int, not a function"),
        ("mine", "no entry point of the group ringway.policies .there is none"),
    ],
    ids=["no module", "no function in it", "no function", "no entry point"],
)
def test_what_cannot_be_called_is_refused(call: str, problem: str) -> None:
    with pytest.raises(ConfigError, match=problem):
        load_score_function(call)
