"""Layers point down only; the pure ones are pure; the client installs without the server (pyproject.toml)."""

import ast
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src" / "ringway"
CONTRACTS = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]

PURE = [*sorted((SOURCE / "protocol").rglob("*.py")), *sorted((SOURCE / "core").rglob("*.py")), SOURCE / "types.py",
        SOURCE / "errors.py"]  # fmt: skip
WORLDLY = {
    "asyncio", "socket", "ssl", "time", "datetime", "random", "secrets", "os", "sys", "threading", "subprocess",
    "logging", "pathlib", "io", "uuid", "importlib", "nats", "picows", "uvloop",
}  # fmt: skip
MAY_IMPORT = {
    "errors.py": set(),
    "types.py": {"errors"},
    "protocol": {"errors", "types", "protocol"},
    "core": {"errors", "types", "protocol", "core"},
}


def imported(path: Path) -> set[str]:
    """The modules that a file imports when it runs: what stands under `if TYPE_CHECKING` is for readers."""
    tree = ast.parse(path.read_text())
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            node.body = []
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute"
            found.add(node.module or "")
    return found


def test_the_contracts_of_import_linter_hold() -> None:
    lint = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run([lint, "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False, timeout=100)
    assert done.returncode == 0, done.stdout + done.stderr


def test_there_is_a_contract_for_each_promise() -> None:
    assert {contract["type"] for contract in CONTRACTS} == {"layers", "forbidden"}
    assert len(CONTRACTS) >= 4


@pytest.mark.parametrize("path", PURE, ids=lambda path: str(path.relative_to(SOURCE)))
def test_pure_modules_touch_nothing_of_the_world(path: Path) -> None:
    roots = {module.partition(".")[0] for module in imported(path)}
    assert not roots & WORLDLY
    source = path.read_text()
    assert "async def" not in source
    assert "open(" not in source
    assert "print(" not in source


@pytest.mark.parametrize("path", PURE, ids=lambda path: str(path.relative_to(SOURCE)))
def test_pure_modules_import_downwards(path: Path) -> None:
    layer = path.relative_to(SOURCE).parts[0]
    ours = {module.split(".")[1] for module in imported(path) if module.startswith("ringway.")}
    assert ours <= MAY_IMPORT[layer]


LOADS = "import sys; {imports}; print('\\n'.join(sys.modules))"
HEAVY = {
    "typer", "click", "rich", "pydantic", "structlog", "numpy", "matplotlib", "litestar", "uvicorn", "nats", "jwt",
    "cryptography", "asyncpg",
}  # fmt: skip
METADATA = {"importlib.metadata"}
"""It parses the README of a package for its version."""
SHELLS = {
    f"ringway.{room}"
    for room in ("gateway.server", "balancer.balancer", "collect.poller", "sim", "testing", "cli.full")
}
NODE = "ringway.cli.node, ringway.app.compose.node, ringway.engine.nats.opening"
GATEWAY = "ringway.cli.gateway, ringway.app.compose.gateway, ringway.engine.nats.opening"
NODES = "ringway.cli.nodes, ringway.engine.nats.opening"

LOADED_BY = {
    "import ringway": ("ringway", HEAVY | SHELLS | {"asyncio", "msgspec", "picows", "ringway.client"}),
    "ringway version": ("ringway.cli.version", HEAVY | SHELLS | {"asyncio", "msgspec", "ringway.app.config"}),
    "ringway nodes": (
        NODES,
        HEAVY | SHELLS | METADATA | {"picows", "prometheus_client", "ringway.client", "ringway.node.server"},
    ),
    "a node": (NODE, HEAVY | SHELLS | METADATA | {"ringway.client", "ringway.core.balance.plan"}),
    "a gateway": (
        GATEWAY + ", ringway.sources.dns",
        (HEAVY | {"ringway.client", "ringway.node.server", "ringway.sim", "ringway.testing", "dns"}),
    ),
}


@pytest.mark.parametrize(("imports", "without"), LOADED_BY.values(), ids=LOADED_BY)
def test_a_process_loads_what_it_needs(imports: str, without: set[str]) -> None:
    """In an interpreter of its own: what is here loaded already does not count."""
    code = LOADS.format(imports=f"import ringway.cli.entry, ringway.cli.main, {imports}")
    if imports == "ringway":
        code = LOADS.format(imports="import ringway")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=100)
    assert not without & set(done.stdout.split())


@pytest.mark.parametrize("secret", ["", "x" * 32], ids=["without a key", "with a key"])
def test_only_a_key_loads_the_library_of_tokens(secret: str) -> None:
    code = (
        "import sys; from random import Random; from ringway.auth.config import SubscriptionTokenConfig, TokenConfig;"
        "from ringway.auth.verifier import make_verifier;"
        f"made = make_verifier(TokenConfig(hmac_secret_key={secret!r}), SubscriptionTokenConfig(), Random(1));"
        "print(made is not None, 'jwt' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=100)
    assert done.stdout.split() == [str(bool(secret))] * 2
