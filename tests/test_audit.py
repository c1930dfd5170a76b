"""The audit finds what an intruder finds: textbook tables with known answers, and releases that must hold."""

from __future__ import annotations

import itertools
import json
import math
from dataclasses import replace

import pytest
import report_findings as made
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from effectmeter.audit import Count, Target, Tie, infer, rounded_limits
from effectmeter.audit_effects import protect
from effectmeter.clearing import clear_effects
from effectmeter.clearing_context import Context
from effectmeter.disclosure import Rules, safe_count
from effectmeter.plan import Looks
from effectmeter.release import pass_gate
from effectmeter.results import EffectRow

RULES = Rules()
CONTEXT = Context(rules=RULES, looks=Looks(method="none"), parts=frozenset({"sex"}))


def table(shown: list[list[int | None]], rows: list[int], columns: list[int]) -> tuple[list[Count], list[Tie]]:
    """Return a table with exact margins; None is masked."""
    cells = {(i, j): shown[i][j] for i in range(len(rows)) for j in range(len(columns))}
    counts = [
        Count(f"{i}{j}", 0 if cell is None else cell, math.inf if cell is None else cell)
        for (i, j), cell in cells.items()
    ]
    ties = [Tie({f"{i}{j}": 1.0 for j in range(len(columns))}, total, total) for i, total in enumerate(rows)]
    ties += [Tie({f"{i}{j}": 1.0 for i in range(len(rows))}, total, total) for j, total in enumerate(columns)]
    return counts, ties


def ranges(counts: list[Count], ties: list[Tie]) -> dict[str, tuple[int, int | None]]:
    targets = [Target(count.name, {count.name: 1.0}, 5) for count in counts if count.low != count.high]
    return {found.target: (found.low, found.high) for found in infer(counts, ties, targets, RULES)}


def test_one_masked_cell_is_its_total_less_the_others() -> None:
    counts, ties = table([[20, 50, 10], [8, 19, 22], [17, None, 12]], [80, 49, 61], [45, 101, 44])
    assert ranges(counts, ties) == {"21": (32, 32)}


def test_a_square_of_masked_cells_leaves_what_its_margins_leave() -> None:
    """Four cells in two rows and two columns move together: a step up here is a step down there."""
    counts, ties = table([[None, 50, None], [8, 19, 22], [None, 32, None]], [80, 49, 61], [45, 101, 44])
    assert ranges(counts, ties) == {"00": (8, 30), "02": (0, 22), "20": (7, 29), "22": (0, 22)}


def test_three_masked_cells_in_an_l_give_themselves_away() -> None:
    counts, ties = table([[None, None, 10], [None, 19, 22], [17, 32, 12]], [80, 49, 61], [45, 101, 44])
    assert set(ranges(counts, ties).values()) == {(20, 20), (50, 50), (8, 8)}


def test_rounded_margins_leave_room() -> None:
    counts = [Count("a", *rounded_limits(30, RULES)), Count("b", 0, 9), Count("t", *rounded_limits(35, RULES))]
    found = infer(counts, [Tie({"a": 1, "b": 1, "t": -1})], [Target("b", {"b": 1}, 4)], RULES)[0]
    assert (found.low, found.high, found.is_safe) == (1, 7, False), "30 is at least 30: nothing is rounded up to it"


def test_what_cannot_be_is_a_wrong_model_and_no_safety() -> None:
    with pytest.raises(ValueError, match="no counts fit"):
        infer([Count("a", 5, 5)], [Tie({"a": 1.0}, 7, 9)], [Target("a", {"a": 1.0}, 5)], RULES)


@given(st.integers(10, 5000), st.sampled_from([5, 10]))
def test_the_limits_of_a_rounded_count_are_all_counts_that_round_to_it(count: int, base: int) -> None:
    rules = Rules(rounding_base=base)
    shown = safe_count(count, rules)
    assert shown is not None
    low, high = rounded_limits(shown, rules)
    alike = [n for n in range(max(count - 30, 0), count + 30) if safe_count(n, rules) == shown]
    assert (low, high) == (alike[0], alike[-1])


def risk(e1: int, n1: int, e0: int, n0: int, *, window: int = 364, **changes: object) -> EffectRow:
    rows = made.risk_rows(made.trial_plan(), outcome="arrest", window=window, counts=(e1, n1, e0, n0))
    return replace(rows[0], **changes)  # type: ignore[arg-type]


def cleared(rows: list[EffectRow], context: Context = CONTEXT) -> list[EffectRow]:
    return [entry.row for entry in protect(rows, clear_effects(rows, context), context)[0]]


def test_a_short_window_goes_where_few_events_come_after_it() -> None:
    long, short = risk(48, 216, 66, 216), risk(44, 216, 50, 216, window=180)
    status = [row.status for row in cleared([long, short])]
    assert status == ["shown", "suppressed"], "four had their first event after half a year"
    far = risk(30, 216, 50, 216, window=180)
    assert [row.status for row in cleared([long, far])] == ["shown", "shown"]


def test_the_first_question_is_the_one_that_stays() -> None:
    short, long = risk(44, 216, 50, 216, window=180), risk(48, 216, 66, 216)
    assert [row.status for row in cleared([short, long])] == ["shown", "suppressed"]


def test_a_narrower_outcome_goes_where_it_is_nearly_the_wider_one() -> None:
    context = replace(CONTEXT, within={"serious": ("arrest",)})
    wide = risk(48, 216, 66, 216)
    assert [row.status for row in cleared([wide, replace(risk(45, 216, 50, 216), outcome="serious")], context)] == [
        "shown",
        "suppressed",
    ]
    assert cleared([wide, replace(risk(20, 216, 30, 216), outcome="serious")], context)[1].status == "shown"


def test_the_few_without_a_sex_are_not_the_total_less_men_and_women() -> None:
    rows = [
        risk(60, 200, 70, 200),
        risk(30, 100, 35, 100, analysis="subgroup", subgroup="sex=m"),
        risk(27, 98, 32, 98, analysis="subgroup", subgroup="sex=f"),
    ]
    hidden = [row.subgroup for row in cleared(rows) if row.status == "suppressed"]
    assert hidden == ["sex=f"], "200 less 100 and 100 leaves at most six"
    wide = [*rows[:2], risk(27, 96, 32, 96, analysis="subgroup", subgroup="sex=f")]
    assert all(row.status == "shown" for row in cleared(wide)), "200 less 100 and 95 leaves none to eleven"
    whole = [rows[0], rows[1], risk(30, 100, 35, 100, analysis="subgroup", subgroup="sex=f")]
    assert all(row.status == "shown" for row in cleared(whole))


def test_another_analysis_does_not_tell_of_the_few_it_leaves_out() -> None:
    rows = [risk(60, 200, 70, 200), risk(62, 204, 70, 200, analysis="sensitivity", estimator="outcome_regression")]
    other = cleared(rows)[1]
    assert other.status == "shown" and other.estimate is not None
    assert (other.n_treated, other.events_treated) == (None, None)


def test_leaving_one_site_out_tells_no_counts() -> None:
    rows = [risk(60, 200, 70, 200), risk(50, 180, 70, 200, analysis="sensitivity", subgroup="without=site 3")]
    other = cleared(rows)[1]
    assert (other.status, other.n_treated, other.events_treated) == ("shown", None, None)
    assert other.estimate == round(other.estimate or 0, 2)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 40), st.integers(0, 60)), min_size=2, max_size=4), st.integers(0, 12))
def test_no_masked_count_of_a_made_release_can_be_narrowed(parts: list[tuple[int, int]], missing: int) -> None:
    """Every table of subgroups that comes out holds against every combination of true counts that fits it."""
    sizes = [(events, events + others) for events, others in parts]
    total = (sum(e for e, _ in sizes) + missing // 2, sum(n for _, n in sizes) + missing)
    assume(total[0] > 0 and all(e > 0 and n > 0 for e, n in sizes) and total[1] > 20)
    rows = [risk(*total, 300, 900)]
    rows += [
        risk(e, n, 300 // len(sizes), 900 // len(sizes), analysis="subgroup", subgroup=f"sex={i}")
        for i, (e, n) in enumerate(sizes)
    ]
    entries, found = protect(rows, clear_effects(rows, CONTEXT), CONTEXT)
    assert all(inference.is_safe for inference in found)
    shown = [entry.row.events_treated for entry in entries]
    if shown[0] is None:
        return
    limits = [rounded_limits(value, RULES) for value in shown]
    masked = [i for i, value in enumerate(shown[1:], 1) if value is None and (rows[i].events_treated or 0) < 10]
    if len(masked) != 1 or missing:
        return
    hidden = [i for i, value in enumerate(shown[1:], 1) if value is None]
    assert len(hidden) >= 2 or limits[0][1] - sum(low for low, _ in limits[1:]) >= 9


def test_a_whole_release_holds_and_says_what_could_be_inferred() -> None:
    for kind in ("trial", "cohort", "families"):
        plan, findings = getattr(made, kind)()
        passed = pass_gate(findings, plan, made.QUARTER)
        assert all(inference.is_safe for inference in passed.audit), kind
    plan, findings = made.cohort()
    audit = pass_gate(findings, plan, made.QUARTER).audit
    assert [found.true for found in audit] == [7.0, 6.0] and all(
        found.high is None or found.high >= 9 for found in audit
    )


def test_editions_are_in_the_audit() -> None:
    plan, findings = made.cohort()
    first = pass_gate(findings, plan, made.QUARTER)
    ledger = first.entries(release="1", plan_hash="p")
    published = [entry for entry in ledger if entry.block.startswith("effects|")]
    assert all(json.loads(entry.shown).keys() == json.loads(entry.cells).keys() for entry in published)
    values = itertools.chain.from_iterable(json.loads(entry.shown).values() for entry in published)
    assert all(value is None or value % 5 == 0 for value in values)
