"""Functions that answer calls, found by their names."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from ringway.app.rpc_functions import load_rpc_offer
from ringway.errors import ConfigError
from ringway.node.config.rpc import RpcConfig
from ringway.rpc import RpcCall

NUMBER = 5


async def answer(call: RpcCall) -> str:
    return f"{call.method} of {call.user}"


def of_none() -> None:
    pass


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A working directory with modules."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    before = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - before:
        del sys.modules[name]


async def test_each_namespace_has_its_function() -> None:
    offer = load_rpc_offer(RpcConfig(functions=(f"{__name__}:answer", f"chat={__name__}:answer")))
    assert set(offer.handlers) == {"", "chat"}
    assert await offer.handlers["chat"].answer_call(RpcCall("chat:m", "carol", "c")) == b'"chat:m of carol"'


async def test_a_module_of_the_working_directory_is_found(here: Path) -> None:
    (here / "calls_of_mine.py").write_text("def answer(call):\n    return 7\n")
    offer = load_rpc_offer(RpcConfig(functions=("calls_of_mine:answer",)))
    assert await offer.handlers[""].answer_call(RpcCall("m", "", "c")) == b"7"


@pytest.mark.parametrize(
    ("functions", "problem"),
    [
        (("nowhere",), r"'nowhere' of calls \(RPC\) is not named as it must be; write package.module:function"),
        (("a b=m:f",), r"is not named as it must be"),
        (("nowhere:f",), r"'nowhere:f' .* cannot be loaded: ModuleNotFoundError: No module named 'nowhere'.*; write"),
        ((f"{__name__}:none",), r"cannot be loaded: AttributeError"),
        ((f"{__name__}:NUMBER",), r"is int, not a function; name one that takes a call"),
        ((f"{__name__}:of_none",), r"cannot be called with one call: .*; let it take one argument"),
        ((f"{__name__}:answer", f"{__name__}:answer"), r"is the second for methods without a namespace"),
        ((f"a={__name__}:answer", f"a={__name__}:answer"), r"is the second for the namespace a"),
    ],
    ids=["no function", "no namespace", "no module", "no such name", "no callable", "no argument", "twice", "in one"],
)
def test_what_cannot_answer_is_refused_with_value_rule_and_remedy(functions: tuple[str, ...], problem: str) -> None:
    with pytest.raises(ConfigError, match=problem):
        load_rpc_offer(RpcConfig(functions=functions))


def test_a_fault_of_a_module_is_named_with_its_place(here: Path) -> None:
    (here / "broken_calls.py").write_text("\nimport sys\nsys.exit('I cannot')\n")
    with pytest.raises(ConfigError, match=r"SystemExit: I cannot \(.*broken_calls.py, line 3\)"):
        load_rpc_offer(RpcConfig(functions=("broken_calls:answer",)))


def test_all_problems_are_told_at_once() -> None:
    with pytest.raises(ConfigError) as refused:
        load_rpc_offer(RpcConfig(functions=("one", "two")))
    assert len(refused.value.problems) == 2
