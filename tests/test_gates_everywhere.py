"""What holds for every gate of every design: statuses, both languages, what would change it, and what is hidden."""

from __future__ import annotations

import re
from dataclasses import replace
from functools import cache
from typing import get_args

import pytest

from effectmeter.designs.registry import all_designs, design_for
from effectmeter.diagnostics import apply_gates, is_hidden_by
from effectmeter.gates.base import NOTHING, facts_of
from effectmeter.results import EffectRow, GateResult, GateStatus
from effectmeter.worlds.planted import PlantedWorld, draw_study
from effectmeter.worlds.planted_worlds import planted_worlds
from pipelines.gates_page import gates_page

STATUSES = get_args(GateStatus)
PER_DESIGN = 7


def _chosen() -> dict[str, PlantedWorld]:
    """Broken worlds first: there gates fail."""
    every = sorted(planted_worlds().items(), key=lambda item: (item[1].kind != "broken", item[0]))
    designs = {world.design for _, world in every}
    return {
        address: world
        for design in designs
        for address, world in [item for item in every if item[1].design == design][:PER_DESIGN]
    }


WORLDS = _chosen()
CHANGES = re.compile(
    r"\b(would|deliver|ask|wait|choose|names?|put|pick|find out|look|use|collect|needed|more|least|add|"
    r"take|larger|longer|shown|first)\b",
    re.IGNORECASE,
)
Study = tuple[tuple[EffectRow, ...], tuple[GateResult, ...]]


@cache
def study(address: str) -> Study:
    """The smallest study of a world, as the method answers it before anything is hidden."""
    world = WORLDS[address]
    data = draw_study(world, world.sizes[0], 0).data
    design = design_for(data.plan)
    comparability = design.compare(data)
    effects = design.estimate(data, comparability, scope="verdict")
    return effects, design.gates(data, comparability, effects)


@pytest.mark.parametrize("address", sorted(WORLDS))
def test_every_gate_says_its_figure_its_threshold_and_what_would_change_it(address: str) -> None:
    _, gates = study(address)
    assert gates
    described = {facts_of(gate).name for gate in all_designs()[WORLDS[address].design].gate_list}
    assert {gate.gate for gate in gates} <= described
    for gate in gates:
        assert gate.status in STATUSES
        assert gate.figure and gate.threshold
        assert gate.sentence.endswith(".") and gate.sentence_nl.endswith(".")
        assert gate.sentence != gate.sentence_nl
        if gate.status in {"failed", "warned", "not_evaluated"}:
            assert CHANGES.search(gate.sentence), gate.sentence


@pytest.mark.parametrize("address", sorted(WORLDS))
def test_only_what_failed_hides_and_only_what_it_concerns(address: str) -> None:
    effects, gates = study(address)
    failed = [gate for gate in gates if gate.status == "failed"]
    for before, after in zip(effects, apply_gates(effects, gates), strict=True):
        reasons = [gate for gate in failed if is_hidden_by(gate, before)]
        assert (after.status == "hidden") == (bool(reasons) and before.status == "shown")
        assert after.estimate == before.estimate  # hidden, not lost
        if after.status == "hidden":
            assert all(gate.applies_to(before) for gate in reasons)
            assert after.reason == " ".join(dict.fromkeys(gate.sentence for gate in reasons))
    soft = [replace(gate, status="warned") for gate in gates]
    assert [row.status for row in apply_gates(effects, soft)] == [row.status for row in effects]


@pytest.mark.parametrize("address", sorted(WORLDS))
def test_a_study_is_never_hidden_for_being_small_in_effect(address: str) -> None:
    _, gates = study(address)
    never = {
        facts.name
        for facts in map(facts_of, all_designs()[WORLDS[address].design].gate_list)
        if facts.hides.startswith(NOTHING)
    }
    assert "power" in never and "agreement" in never and "looks" in never
    assert not [gate for gate in gates if gate.gate in never and gate.status == "failed"]


def test_every_gate_is_described() -> None:
    for name, design in all_designs().items():
        for gate in design.gate_list:
            facts = facts_of(gate)
            assert facts.rule.endswith(".") and facts.threshold and facts.hides, (name, facts.name)
            assert facts.source, (name, facts.name)


def test_an_undescribed_gate_is_still_listed() -> None:
    def curious(data: object, comparability: object, effects: object) -> tuple[GateResult, ...]:
        """Asks something new.

        At length.
        """
        return ()

    facts = facts_of(curious)  # type: ignore[arg-type]
    assert (facts.name, facts.rule) == ("curious", "Asks something new.")

    class Seventh:
        gate_list = (curious,)

    page = gates_page({"seventh": Seventh()})  # type: ignore[dict-item]
    assert "| `curious` | yes |" in page and "Asks something new." in page


def test_the_page_has_a_column_per_design_and_a_row_per_gate() -> None:
    page = gates_page(all_designs())
    matrix = page.partition("## Which design asks what")[2].partition("## The rules")[0]
    for design in all_designs():
        assert f"`{design}`" in matrix
    for design in all_designs().values():
        for gate in design.gate_list:
            assert f"| `{facts_of(gate).name}` |" in matrix
            assert facts_of(gate).rule.replace("|", "\\|") in page
