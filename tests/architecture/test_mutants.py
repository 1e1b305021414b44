"""The faults of `scripts/mutants` still fit the code: a change of a line that a fault replaces updates the fault."""

import pytest

from chaos.scenario import names
from mutant_list import MUTANTS, Mutant
from mutants import Stale, check


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_a_mutant_applies(mutant: Mutant) -> None:
    try:
        check(mutant)
    except Stale as stale:
        pytest.fail(f"bring bench/mutant_list.py up to date: {stale}")
    assert mutant.scenario in names()
    assert mutant.finds


def test_mutants_have_names_of_their_own() -> None:
    assert len({mutant.name for mutant in MUTANTS}) == len(MUTANTS)
