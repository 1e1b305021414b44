"""Every seed of fuzzing, and every input that broke something once, through its parser."""

from pathlib import Path

import pytest

from fuzz.corpus import CORPUS, TARGETS, seeds

SEEDS = [(name, path) for name in sorted(TARGETS) for path in seeds(name)]


@pytest.mark.parametrize(("target", "path"), SEEDS, ids=[f"{name}-{path.name}" for name, path in SEEDS])
def test_a_seed_breaks_nothing(target: str, path: Path) -> None:
    TARGETS[target](path.read_bytes())


def test_every_target_has_seeds_and_every_seed_a_target() -> None:
    assert {folder.name for folder in CORPUS.iterdir()} == set(TARGETS)
    assert all(seeds(name) for name in TARGETS)


def test_the_corpus_is_small() -> None:
    assert sum(path.stat().st_size for _, path in SEEDS) <= 64 * 1024
