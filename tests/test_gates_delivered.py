"""Gates on what was delivered, on looks, and on whether other ways of answering agree: each status is reached."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import polars as pl
import pytest
from analysis_frames import cohort, effect, families, plan_for

from effectmeter.designs.base import AnalysisData
from effectmeter.designs.registry import design_for
from effectmeter.gates.agreement import agreement, immortal_time
from effectmeter.gates.base import Gate
from effectmeter.gates.delivered import linkage, missing, pairs
from effectmeter.gates.looks import looks
from effectmeter.gates.people import follow_up
from effectmeter.results import AttritionStep, Comparability, EffectRow, GateResult

VALUE: dict[str, Any] = {"wellbeing": {"value": "wellbeing", "scale": "continuous", "measures": ["mean_difference"]}}


def ask(gate: Gate, data: AnalysisData, *effects: EffectRow) -> GateResult:
    found = gate(data, Comparability(), effects)
    return min(found, key=lambda result: result.status != "failed")


def holes(data: AnalysisData, column: str, treated: float, comparison: float) -> AnalysisData:
    """Take away the first share of each arm's values."""
    arm = data.persons["arm"].to_numpy()
    place = np.zeros(len(arm))
    for side in ("treated", "comparison"):
        place[arm == side] = np.arange((arm == side).sum()) / (arm == side).sum()
    gone = pl.Series(place < np.where(arm == "treated", treated, comparison))
    return replace(
        data, persons=data.persons.with_columns(pl.when(gone).then(None).otherwise(pl.col(column)).alias(column))
    )


# -- missing -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("treated", "comparison", "expected"),
    [
        (0.0, 0.0, "passed"),
        (0.04, 0.05, "passed"),
        (0.10, 0.12, "passed"),
        (0.02, 0.10, "warned"),
        (0.3, 0.3, "warned"),
    ],
)
def test_missing_characteristics(treated: float, comparison: float, expected: str) -> None:
    data = holes(cohort(plan_for(adjust_for={"age": "numeric", "sex": "categorical"})), "age", treated, comparison)
    found = ask(missing, data)
    assert found.status == expected
    assert expected != "warned" or ("age" in found.figure and "Deliver it" in found.sentence)


def test_persons_left_out_for_a_missing_characteristic_count_as_missing() -> None:
    plan = plan_for(adjust_for={"age": "numeric"}, missing={"covariates": "exclude"})
    steps = tuple(
        AttritionStep(
            step=6,
            name="covariates_complete",
            arm=arm,
            n_before=400,
            n_lost=lost,
            n_after=400 - lost,
            reason="",
            reason_nl="",
        )
        for arm, lost in (("treated", 120), ("comparison", 20))
    )
    found = ask(missing, replace(cohort(plan), attrition=steps))
    assert found.status == "warned" and "30 %" in found.figure


@pytest.mark.parametrize(
    ("treated", "comparison", "expected"),
    [(0.0, 0.0, "passed"), (0.05, 0.05, "passed"), (0.07, 0.01, "warned"), (0.25, 0.02, "failed")],
)
def test_missing_outcomes(treated: float, comparison: float, expected: str) -> None:
    data = cohort(plan_for(outcomes=VALUE), wellbeing=np.linspace(0, 1, 500))
    found = ask(missing, holes(data, "wellbeing", treated, comparison))
    assert found.status == expected
    assert expected != "failed" or found.concerns == "outcome=wellbeing"
    assert ask(follow_up, data).status == "not_applicable"  # a value has no window


def test_the_tipping_point_is_quoted() -> None:
    data = holes(cohort(plan_for(outcomes=VALUE), wellbeing=np.linspace(0, 1, 500)), "wellbeing", 0.1, 0.1)
    assert "was not computed" in ask(missing, data).sentence
    row = effect(outcome="wellbeing", measure="mean_difference", estimator="tipping_point", estimate=1.84)
    found = ask(missing, data, row)
    assert "1.8 standard deviations" in found.sentence and "1,8 standaardafwijkingen" in found.sentence_nl
    assert "No value" in ask(missing, data, replace(row, estimate=None)).sentence


def test_nothing_that_could_be_missing() -> None:
    assert ask(missing, cohort()).status == "not_applicable"
    assert ask(missing, families(plan_for("before_after", adjust_for={"age": "numeric"}))).status == "not_applicable"


# -- linkage -----------------------------------------------------------------------------------------------------------


def lost(treated: int, comparison: int) -> tuple[AttritionStep, ...]:
    return tuple(
        AttritionStep(
            step=5, name="linked", arm=arm, n_before=1000, n_lost=n, n_after=1000 - n, reason="", reason_nl=""
        )
        for arm, n in (("treated", treated), ("comparison", comparison))
    )


@pytest.mark.parametrize(
    ("treated", "comparison", "expected"),
    [(20, 40, "passed"), (20, 69, "passed"), (20, 80, "warned"), (90, 20, "warned"), (330, 20, "failed")],
)
def test_linkage_by_arm(treated: int, comparison: int, expected: str) -> None:
    data = replace(cohort(linked=np.ones(500, dtype=bool)), attrition=lost(treated, comparison))
    found = ask(linkage, data)
    assert found.status == expected
    assert expected != "warned" or "Ask the supplier" in found.sentence


def test_linkage_that_was_not_delivered_does_not_apply_and_says_so() -> None:
    found = ask(linkage, cohort())
    assert found.status == "not_applicable" and "Deliver `linked`" in found.sentence
    assert ask(linkage, replace(cohort(), attrition=lost(0, 0))).status == "not_applicable"


def test_linkage_of_frames_made_in_the_process() -> None:
    data = cohort(linked=np.r_[np.ones(150, dtype=bool), np.zeros(50, dtype=bool), np.ones(300, dtype=bool)])
    assert ask(linkage, data).figure == "75 % and 100 % linked"


# -- agreement ---------------------------------------------------------------------------------------------------------


def other(**fields: Any) -> EffectRow:
    return effect(**({"analysis": "sensitivity", "estimator": "matching"} | fields))


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ((), "not_applicable"),
        ((other(estimate=0.62),), "passed"),
        ((other(estimate=0.70, conf_low=0.45, conf_high=1.05), other(estimate=0.6)), "warned"),  # half are unsure
        ((other(estimate=0.70, conf_low=0.45, conf_high=1.05), other(), other()), "passed"),
        ((other(estimate=1.3, conf_low=0.9, conf_high=1.7),), "warned"),
        ((other(estimate=1.5, conf_low=1.1, conf_high=1.9), other()), "warned"),
    ],
)
def test_agreement(rows: tuple[EffectRow, ...], expected: str) -> None:
    found = ask(agreement, cohort(), effect(), *rows)
    assert found.status == expected
    if rows and rows[0].estimate and rows[0].estimate > 1:
        assert "matching" in found.sentence and "matching" in found.sentence_nl


def test_agreement_without_an_answer() -> None:
    nothing = effect(status="not_estimable", estimate=None, conf_low=None, conf_high=None)
    assert ask(agreement, cohort(), nothing, other()).status == "not_evaluated"
    assert ask(agreement, cohort()).status == "not_evaluated"


def test_what_is_no_effect_does_not_disagree() -> None:
    data = cohort()
    rows = (other(estimator="e_value", estimate=3.4), other(estimator="tipping_point", estimate=9.0), other())
    assert ask(agreement, data, effect(), *rows).figure.startswith("1 of 1 agree")
    start = other(subgroup="time_zero=start_date", estimate=0.1, conf_low=0.05, conf_high=0.2)
    assert ask(agreement, data, effect(), start, other()).status == "passed"


# -- immortal time -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        (None, "not_applicable"),
        (other(subgroup="time_zero=start_date", estimate=0.58), "passed"),
        (other(subgroup="time_zero=start_date", estimate=0.3, conf_low=0.2, conf_high=0.4), "warned"),
        (other(subgroup="time_zero=start_date", estimate=None), "not_evaluated"),
    ],
)
def test_counting_from_the_start(row: EffectRow | None, expected: str) -> None:
    found = ask(immortal_time, cohort(), effect(), *(() if row is None else (row,)))
    assert found.status == expected
    assert expected != "warned" or ("0.30" in found.sentence and "0,30" in found.sentence_nl)


# -- looks -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("plan", "expected", "figure"),
    [
        ({}, "passed", "any number of looks"),
        ({"first": "2025-Q4"}, "passed", "look 4; "),
        ({"method": "none"}, "not_applicable", "one look"),
        ({"method": "none", "first": "2026-Q3"}, "not_applicable", "one look"),
        ({"method": "none", "first": "2026-Q1"}, "warned", "look 3 of 1"),
        ({"method": "alpha_spending"}, "warned", "one of 8 looks"),
        ({"method": "alpha_spending", "first": "2026-Q2"}, "passed", "look 2 of 8; 25 %"),
        ({"method": "alpha_spending", "first": "2026-Q2", "spending": "obrien_fleming"}, "passed", "look 2 of 8; 1 %"),
        ({"method": "alpha_spending", "first": "2024-Q3"}, "warned", "look 9 of 8; 100 %"),
    ],
)
def test_looks(plan: dict[str, Any], expected: str, figure: str) -> None:
    found = ask(looks, cohort(plan_for(looks=plan)), effect())
    assert (found.status, found.figure[: len(figure)]) == (expected, figure)
    assert found.sentence and found.sentence_nl


def test_a_missing_outcome_is_named_beside_a_missing_characteristic() -> None:
    plan = plan_for(adjust_for={"age": "numeric"}, outcomes=VALUE)
    whole = cohort(plan, wellbeing=np.random.default_rng(3).normal(size=500))
    both = ask(missing, holes(holes(whole, "age", 0.3, 0.3), "wellbeing", 0.1, 0.12))
    assert both.status == "warned" and "'age'" in both.figure and "'wellbeing'" in both.figure
    assert "'age'" in both.sentence and "'wellbeing'" in both.sentence and "'wellbeing'" in both.sentence_nl
    few = ask(missing, holes(holes(whole, "age", 0.3, 0.3), "wellbeing", 0.02, 0.02))
    assert few.status == "warned" and "'wellbeing'" in few.figure
    failed = missing(holes(holes(whole, "age", 0.3, 0.3), "wellbeing", 0.5, 0.5), Comparability(), ())
    assert {found.status: "wellbeing" in found.sentence for found in failed} == {"failed": True, "warned": False}


def test_the_characteristic_that_differs_between_arms_is_the_one_named() -> None:
    plan = plan_for(adjust_for={"age": "numeric", "sex": "categorical"})
    data = holes(holes(cohort(plan), "age", 0.15, 0.15), "sex", 0.0, 0.1)
    assert "'sex'" in ask(missing, data).sentence


# -- pairs -------------------------------------------------------------------------------------------------------------


def in_pairs(n: int = 100, **lost: int) -> AnalysisData:
    """Pairs of one treated and one comparison person, some of whom could not be followed or are not there."""
    plan = plan_for("randomised", pairs="pair_id")
    data = cohort(plan, n_treated=n, n_comparison=n, pair=[f"q{number}" for number in [*range(n)] * 2])
    ids = data.persons["person_id"]
    gone = [*ids[: lost.get("treated", 0)], *ids[n + 30 : n + 30 + lost.get("comparison", 0)]]
    both = lost.get("both", 0)
    gone += [*ids[60 : 60 + both], *ids[n + 60 : n + 60 + both]]
    incomplete = pl.col("is_complete") & ~pl.col("person_id").is_in(gone)
    return replace(data, outcomes=data.outcomes.with_columns(is_complete=incomplete))


@pytest.mark.parametrize(
    ("lost", "status", "figure"),
    [
        ({}, "passed", "100 of 100 pairs whole; 0 without the comparison person, 0 without the treated person"),
        ({"treated": 4}, "passed", "96 of 100 pairs whole; 0 without the comparison person, 4 without the treated"),
        (
            {"treated": 2, "comparison": 9, "both": 3},
            "warned",
            "86 of 100 pairs whole; 9 without the comparison person, 2 without the treated person, 3 without both",
        ),
    ],
)
def test_pairs_that_drop_are_counted_by_side(lost: dict[str, int], status: str, figure: str) -> None:
    data = in_pairs(**lost)
    found = ask(pairs, data)
    assert found.status == status and found.figure.startswith(figure)
    design = design_for(data.plan)
    rows = design.estimate(data, design.compare(data))
    matched = next(row for row in rows if row.estimator == "mcnemar")
    assert f"{matched.n_treated} of 100 pairs whole" in found.figure
    if status == "warned":
        assert "the comparison person of 9, the treated person of 2" in found.sentence
        assert "Bij 9 ontbreekt de vergelijking" in found.sentence_nl and "lever" in found.sentence_nl


def test_sets_of_more_than_two_are_no_pairs() -> None:
    plan = plan_for(pairs="pair_id")
    trios = cohort(plan, n_treated=50, n_comparison=100, pair=[f"q{n}" for n in (*range(50), *range(50), *range(50))])
    found = ask(pairs, trios)
    assert found.status == "warned" and "0 of 50 pairs whole" in found.figure and "50 no pairs of two" in found.figure
    nobody = cohort(plan)
    assert ask(pairs, nobody).status == "not_evaluated"
    assert ask(pairs, cohort()).status == "not_applicable"
