"""No number in a released text that is no cleared figure's: sentences, reasons and figures of every kind of study."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import replace

import polars as pl
import pytest
import report_findings as made
import report_units as units
from hypothesis import given
from hypothesis import strategies as st

from effectmeter.cleared_tables import clear_gates
from effectmeter.clearing import clear_row
from effectmeter.clearing_context import Context
from effectmeter.designs.registry import design_for
from effectmeter.disclosure import Rules
from effectmeter.findings import Findings
from effectmeter.plan import Looks, Plan
from effectmeter.release import Cleared, clear, pass_gate
from effectmeter.results import GateResult
from effectmeter.worlds.planted import draw_study
from effectmeter.worlds.planted_worlds import planted_worlds

RULES = Rules()
NUMBER = re.compile(r"(?<![\w^])\d+(?:[.,]\d+)*(?:\s%)?")
PERCENTAGE = re.compile(r"\d+(?:[.,]\d+)?\s%")
Made = Callable[[], tuple[Plan, Findings]]


def follow_up(shares: tuple[int, int]) -> GateResult:
    low = min(shares)
    return GateResult(
        gate="follow_up",
        status="failed",
        figure=f"{shares[0]} % and {shares[1]} % complete",
        threshold=">= 95 % complete per arm",
        sentence=f"In one group only {low} % could be followed (95 % is the least).",
        sentence_nl=f"In één groep is maar {low} % te volgen. Minstens 95 % is nodig.",
    )


@given(st.tuples(st.integers(1, 94), st.integers(1, 94)), st.integers(1, 400))
def test_a_sentence_tells_a_share_no_finer_than_its_figure(shares: tuple[int, int], n: int) -> None:
    gate = follow_up(shares)
    (cleared,) = clear_gates([gate], RULES, n)
    told = {*PERCENTAGE.findall(cleared.figure), "95 %"}
    for sentence in (cleared.sentence, cleared.sentence_nl):
        assert {*PERCENTAGE.findall(sentence)} <= told, sentence
    assert "95 % is the least" in cleared.sentence, "what is asked for stays as it is"
    for share in shares:
        count = share * n / 100
        if count < RULES.minimum_persons or n - count < RULES.minimum_persons:
            assert not re.search(rf"(?<![<>] )\b{share} %", cleared.figure)


def test_fifteen_persons_of_whom_two_are_missing_are_not_told_in_words() -> None:
    (cleared,) = clear_gates([follow_up((87, 100))], RULES, 15)
    assert cleared.figure == "> 33 % and 100 % complete"
    assert cleared.sentence == "In one group only more than 33 % could be followed (95 % is the least)."
    assert cleared.sentence_nl == "In één groep is maar meer dan 33 % te volgen. Minstens 95 % is nodig."


def test_the_reason_of_a_hidden_row_is_the_cleared_sentence_of_its_gate() -> None:
    _, findings = made.trial()
    gate, n = follow_up((87, 100)), 15
    reason = f"{gate.sentence} Too few: 13 and 216 persons."
    (safe,) = clear_gates([gate], RULES, n)
    row = replace(findings.effects[0], status="hidden", reason=reason, reason_nl=gate.sentence_nl)
    told = {gate.sentence: safe.sentence, gate.sentence_nl: safe.sentence_nl}
    cleared = clear_row(row, Context(rules=RULES, looks=Looks(), sentences=told)).row
    assert cleared.reason == f"{safe.sentence} Too few: 15 and 215 persons."
    assert cleared.reason_nl == safe.sentence_nl


def test_a_hidden_row_repeats_what_the_published_gate_says() -> None:
    """Thirteen persons then, fourteen now: the gate's figure is held, and so must be what its rows say of it."""
    plan, findings = made.trial()

    def hidden(n: int) -> Findings:
        gate = GateResult(
            gate="size", status="failed", figure=f"{n} and 216 persons", threshold=">= 60 in both arms",
            sentence=f"Too few: {n} persons.", sentence_nl=f"Te weinig: {n} personen.",
        )  # fmt: skip
        rows = tuple(
            replace(row, status="hidden", reason=gate.sentence, reason_nl=gate.sentence_nl) for row in findings.effects
        )
        return replace(findings, gates=(gate,), effects=rows)

    first = pass_gate(hidden(12), plan, made.QUARTER)
    ledger = first.entries(release="1", plan_hash="p")
    second = pass_gate(hidden(13), plan, made.QUARTER, ledger).cleared
    assert {gate.sentence for gate in second.gates} == {row.reason for row in second.rows} == {"Too few: 10 persons."}


@pytest.mark.parametrize("design", ["randomised", "comparison_cohort", "before_after"])
def test_what_real_gates_say_of_small_groups_is_what_their_figures_say(design: str) -> None:
    worlds = sorted(planted_worlds().items(), key=lambda item: (item[1].kind != "broken", item[0]))
    for _, world in [item for item in worlds if item[1].design == design][:3]:
        data = draw_study(world, world.sizes[0], 0).data
        found = design_for(data.plan)
        comparability = found.compare(data)
        effects = found.estimate(data, comparability, scope="verdict")
        gates = found.gates(data, comparability, effects)
        n = min(size for row in effects for size in (row.n_treated, row.n_comparison) if size is not None)
        limits = {f"{100 * data.plan.missing.max_share:.0f} %"}
        for gate in clear_gates([gate for gate in gates if gate.gate != "expected_drop"], RULES, n):
            told = {*PERCENTAGE.findall(f"{gate.figure} {gate.threshold}"), "5 %", *limits}
            for ratio in re.findall(r"ratio (\d\.\d\d)", gate.figure):  # said as the fall that it is
                told |= {f"{100 - 100 * float(ratio) + rounding:.0f} %" for rounding in (-1, 0, 1)}
            assert {*PERCENTAGE.findall(f"{gate.sentence} {gate.sentence_nl}")} <= told, gate


def texts_of(cleared: Cleared) -> Iterator[str]:
    for gate in cleared.gates:
        yield from (gate.figure, gate.sentence, gate.sentence_nl)
    for claim in cleared.claims:
        yield from (claim.sentence, claim.sentence_nl)
    for row in cleared.rows:
        yield from (row.reason, row.reason_nl)
    verdict = cleared.tables["verdict"].to_dicts()[0]
    yield from (verdict["sentence"], verdict["sentence_nl"])
    yield from cleared.tables["checks"]["figure"].to_list()


def derived(cleared: Cleared, plan: Plan) -> set[str]:
    """Return every number that the cleared tables, the plan and the thresholds hold, as texts write numbers."""
    values = {
        float(value)
        for table in cleared.tables.values()
        for name in table.columns
        if table[name].dtype in (pl.Int64, pl.Float64)
        for value in table[name].drop_nulls().to_list()
    }
    fixed = plan.model_dump_json(by_alias=True) + " ".join(gate.threshold for gate in cleared.gates)
    written = {f"{abs(value):.{places}f}" for value in values for places in (0, 1, 2)}
    written |= {f"{abs(100 * (value - 1)):.0f}" for value in values} | {f"{abs(100 * value):.0f}" for value in values}
    return written | {found.rstrip(" %") for found in NUMBER.findall(fixed)}


@pytest.mark.parametrize("find", [made.trial, made.cohort, made.families, units.areas, units.series, units.trials])
def test_every_whole_number_in_a_released_text_is_a_cleared_one(find: Made) -> None:
    plan, findings = find()
    cleared = clear(findings, plan, made.QUARTER)
    known = derived(cleared, plan)
    exact = {
        str(int(value))
        for row in json.loads(json.dumps([gate.figure for gate in findings.gates]))
        for value in re.findall(r"(?<![\d.,])\d{2,}(?![\d.,])", row)
    } - known
    for text in texts_of(cleared):
        for number in NUMBER.findall(text):
            whole = number.rstrip(" %")
            if whole.isdigit() and int(whole) % RULES.rounding_base and cleared.facts.unit == "person":
                assert whole in known or len(whole) == 1, (number, text)
            assert whole not in exact or cleared.facts.unit != "person", (number, text)
