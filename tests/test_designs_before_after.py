"""Before and after: change is not effect, and the effect is a ratio of changes."""

from __future__ import annotations

import math
from dataclasses import replace

import polars as pl
import pytest
from analysis_frames import families, only, plan_for, swapped

from effectmeter.designs.base import AnalysisData
from effectmeter.designs.registry import design_for
from effectmeter.diagnostics import apply_gates
from effectmeter.results import EffectRow, GateResult
from effectmeter.verdicts import rule


def run(data: AnalysisData) -> tuple[tuple[EffectRow, ...], tuple[GateResult, ...]]:
    design = design_for(data.plan)
    comparability = design.compare(data)
    effects = design.estimate(data, comparability)
    gates = design.gates(data, comparability, effects)
    return apply_gates(effects, gates), gates


def status(gates: tuple[GateResult, ...], name: str) -> str:
    return next(gate.status for gate in gates if gate.gate == name)


def without_comparison(data: AnalysisData) -> AnalysisData:
    persons = data.persons.filter(pl.col("arm") == "treated")
    return replace(data, persons=persons, outcomes=data.outcomes.join(persons, on="person_id", how="semi"))


def test_the_effect_is_the_ratio_of_changes() -> None:
    effects, _ = run(families())
    row = only(effects, analysis="primary")
    assert (row.measure, row.estimator, row.variance, row.estimand) == (
        "ratio_of_rate_ratios",
        "conditional_poisson",
        "cr3",
        "att",
    )
    treated = only(effects, contrast="treated after vs before", analysis="unadjusted")
    comparison = only(effects, contrast="comparison after vs before")
    assert treated.measure == comparison.measure == "rate_ratio"
    assert row.estimate == pytest.approx((treated.estimate or 0) / (comparison.estimate or 1))
    assert treated.estimate == pytest.approx((treated.events_treated or 0) / (treated.events_comparison or 1))
    assert (row.n_clusters_treated, row.n_clusters_comparison) == (30, 40)


def test_permutation_and_bayes_stand_beside() -> None:
    effects, _ = run(families())
    main = only(effects, analysis="primary")
    for name in ("permutation", "bayes"):
        row = only(effects, estimator=name)
        assert row.analysis == "sensitivity" and row.status == "shown"
        assert math.log(row.estimate or 0) == pytest.approx(math.log(main.estimate or 0), abs=0.15)


def test_without_comparison_there_is_a_change_and_no_effect() -> None:
    plan = plan_for(
        "before_after",
        cluster="family_id",
        outcomes={"contact": {"event": "contact", "measures": ["rate_ratio"]}},
        claims=[{"outcome": "contact", "measure": "rate_ratio", "at_most": 0.6, "words": "bijna de helft"}],
    )
    effects, gates = run(without_comparison(families(plan)))
    assert status(gates, "peak_selection") == "failed"
    assert only(effects, analysis="primary").status == "hidden"
    assert only(effects, analysis="unadjusted").status == "shown"
    verdict, claims = rule(plan, effects, gates, 90)
    assert (verdict.direction, verdict.maryland, verdict.works) == ("not_shown", 2, False)
    assert claims[0].ruling == "cannot_be_tested" and "comparison" in claims[0].sentence


def test_a_claim_on_a_rate_ratio_is_tested_on_the_effect() -> None:
    plan = plan_for(
        "before_after",
        cluster="family_id",
        outcomes={"contact": {"event": "contact", "measures": ["rate_ratio"]}},
        claims=[{"outcome": "contact", "measure": "rate_ratio", "at_most": 0.05, "words": "bijna gestopt"}],
    )
    effects, gates = run(families(plan))
    verdict, claims = rule(plan, effects, gates, 90)
    row = only(effects, analysis="primary")
    assert row.measure == "ratio_of_rate_ratios" and row.status == "shown"
    assert claims[0].ruling in {"weaker_than_claimed", "contradicted"}
    assert verdict.maryland == 4


def test_fewer_than_ten_families_describe_only() -> None:
    effects, gates = run(families(n_treated=8))
    assert status(gates, "clusters") == "failed"
    described = {row for row in effects if row.measure == "rate_ratio"}  # changes, and the change to expect
    assert {row.status for row in described} == {"shown"}
    assert {row.status for row in set(effects) - described} == {"hidden"}
    assert status(run(families(n_treated=19))[1], "clusters") == "warned"


@pytest.mark.parametrize(
    ("rates", "expected"),
    [(((6.0, 6.0), (6.0, 6.0)), "passed"), (((6.0, 12.0), (6.0, 6.0)), "failed"), (None, "not_evaluated")],
)
def test_courses_before_the_start_must_agree(
    rates: tuple[tuple[float, float], tuple[float, float]] | None, expected: str
) -> None:
    effects, gates = run(families(n_treated=60, n_comparison=80, placebo_rates=rates))
    assert status(gates, "peak_selection") == expected
    assert (only(effects, analysis="primary").status == "hidden") == (expected == "failed")
    assert {row.status for row in effects if row.analysis in {"placebo", "unadjusted"}} == {"shown"}


def test_swapping_the_arms_inverts_the_effect() -> None:
    one, other = (only(run(data)[0], analysis="primary") for data in (families(), swapped(families())))
    assert (one.estimate or 0) * (other.estimate or 0) == pytest.approx(1.0)


def test_without_clusters_persons_are_the_units() -> None:
    effects, gates = run(families(plan_for("before_after")))
    assert only(effects, analysis="primary").n_clusters_treated is None
    assert status(gates, "size") == "passed" and status(gates, "clusters") == "not_applicable"


@pytest.mark.parametrize("rates", [((0.0, 0.0), (0.0, 0.0)), ((4.0, 0.0), (4.0, 3.0)), ((0.0, 4.0), (4.0, 3.0))])
def test_no_events_never_crash(rates: tuple[tuple[float, float], tuple[float, float]]) -> None:
    effects, _ = run(families(rates=rates))
    assert all(row.status == "shown" or row.reason for row in effects)
    assert only(effects, analysis="primary").status in {"shown", "not_estimable"}


def test_incomplete_periods_are_left_out() -> None:
    data = families()
    outcomes = data.outcomes.with_columns(
        is_complete=~((pl.col("person_id") < "p00010") & (pl.col("period") == "after"))
    )
    assert only(run(replace(data, outcomes=outcomes))[0], analysis="primary").n_treated == 80


def test_the_scope_of_the_verdict_leaves_out_what_stands_beside() -> None:
    data = families(placebo_rates=((6.0, 6.0), (6.0, 6.0)))
    design = design_for(data.plan)
    whole = design.estimate(data, design.compare(data))
    brief = design.estimate(data, design.compare(data), scope="verdict")
    assert {row.analysis for row in brief} == {"primary", "unadjusted", "placebo", "sensitivity"}
    assert {row.estimator for row in brief if row.analysis == "sensitivity"} == {"expected_without_effect"}
    assert set(brief) < set(whole)
