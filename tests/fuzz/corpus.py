"""Seeds of fuzzing: `corpus/TARGET/*`, small inputs that are right, nearly right, or broke something once."""

from collections.abc import Callable
from pathlib import Path

from fuzz import engine_targets, http_targets, wire_targets

CORPUS = Path(__file__).with_name("corpus")

TARGETS: dict[str, Callable[[bytes], None]] = {
    **wire_targets.TARGETS,
    **http_targets.TARGETS,
    **engine_targets.TARGETS,
}


def seeds(target: str) -> list[Path]:
    """Return the seeds of `target`, in the order of their names."""
    return sorted(path for path in (CORPUS / target).iterdir() if path.is_file())
