"""Broken deliveries: refused by the intake or by a blocking check, or rightly taken; no cell quoted, no foreign words.

All of ``broken_inputs`` runs in ``benchmarks/broken.py``; here a part of it goes through the intake.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import broken_inputs
import duckdb
import pytest
from broken_inputs import CANARY, Case, plan_of

from effectmeter.errors import EffectmeterError
from effectmeter.plan import Plan
from effectmeter.quarters import Quarter
from vault.connection import open_vault
from vault.intake import land

QUARTER = Quarter(2026, 3)
_DESIGNS = list(broken_inputs.GOOD)


def chosen() -> list[Case]:
    """Return every format, and every second of the other mutations, those that suit every file on a design in turn."""
    found = []
    for case in broken_inputs.cases():
        kind, _, name = case.name.partition(": ")
        if kind in _DESIGNS:
            turn, is_odd = divmod(list(broken_inputs.EVERY_FILE).index(name), 2)
            is_chosen = not is_odd and _DESIGNS[turn % len(_DESIGNS)] == kind
        elif kind == "persons":
            is_chosen = list(broken_inputs.PEOPLE).index(name) % 2 == 0
        else:
            is_chosen = True
        if is_chosen:
            found.append(case)
    return found


@pytest.fixture(scope="module")
def vault(tmp_path_factory: pytest.TempPathFactory) -> Iterator[duckdb.DuckDBPyConnection]:
    with open_vault(tmp_path_factory.mktemp("broken") / "vault" / "p" / "q.duckdb") as connection:
        yield connection


def test_there_are_enough_of_them() -> None:
    names = [case.name for case in broken_inputs.cases()]
    assert len(names) == len(set(names))
    assert len(names) > 400


@pytest.mark.parametrize("case", chosen(), ids=lambda case: case.name)
def test_a_broken_delivery_is_refused_with_a_way_out_or_rightly_taken(
    vault: duckdb.DuckDBPyConnection, tmp_path: Path, case: Case
) -> None:
    case.write(tmp_path)
    plan = Plan.model_validate(plan_of(case.design, "p", **case.plan))
    try:
        land(vault, plan, tmp_path, QUARTER)
    except EffectmeterError as error:
        said = str(error)
        assert case.expected == "intake", said
        assert "next:" in said
        assert "defect of Effectmeter" not in said
        assert len(said) < 2_000
        for secret in (CANARY, *case.secrets):
            assert secret.casefold() not in said.casefold()
    else:
        assert case.expected != "intake"
