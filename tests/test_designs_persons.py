"""Designs on persons: published numbers, the rows that must be there, and data that must not crash them."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from analysis_frames import cohort, events_at, only, outcome_frame, plan_for, recid, swapped, tarp
from scipy.stats import binomtest

from effectmeter.designs.base import AnalysisData
from effectmeter.designs.registry import design_for
from effectmeter.results import EffectRow, GateResult
from effectmeter.shapes import PERSON_DESIGNS

AGE = {"age": {"type": "numeric"}}
ALL = {"contact": {"event": "contact", "measures": ["risk_ratio", "rate_ratio", "hazard_ratio"], "primary": True}}


def estimate(data: AnalysisData) -> tuple[EffectRow, ...]:
    design = design_for(data.plan)
    return design.estimate(data, design.compare(data))


def everything(data: AnalysisData) -> tuple[tuple[EffectRow, ...], tuple[GateResult, ...]]:
    design = design_for(data.plan)
    comparability = design.compare(data)
    effects = design.estimate(data, comparability)
    return effects, design.gates(data, comparability, effects)


@pytest.fixture(scope="module")
def tarp_rows(shared_data: Path) -> tuple[EffectRow, ...]:
    return estimate(tarp(shared_data))


def test_tarp_gives_the_published_risk_ratio(tarp_rows: tuple[EffectRow, ...]) -> None:
    row = only(tarp_rows, analysis="unadjusted", measure="risk_ratio")
    assert (row.events_treated, row.n_treated, row.events_comparison, row.n_comparison) == (48, 216, 66, 216)
    assert row.estimate == pytest.approx(48 / 66, abs=1e-10)
    assert row.estimator == "modified_poisson" and row.variance != "model"


def test_tarp_gives_the_published_hazard_ratio(tarp_rows: tuple[EffectRow, ...]) -> None:
    row = only(tarp_rows, measure="hazard_ratio", estimator="cox_efron", variance="model")
    assert math.log(row.estimate or 0) == pytest.approx(-0.3794, abs=5e-5)
    assert row.std_error == pytest.approx(0.1914, abs=5e-5)
    assert row.analysis == "sensitivity"


def test_tarp_has_one_primary_ratio_and_it_comes_first(tarp_rows: tuple[EffectRow, ...]) -> None:
    primary = [row for row in tarp_rows if row.analysis == "primary"]
    assert [row.measure for row in primary] == ["risk_ratio"]
    assert tarp_rows[0] is primary[0] and primary[0].estimand == "itt"
    assert all(row.status == "shown" for row in tarp_rows)


def test_tarp_verdict_interval_is_wider_than_the_ordinary_one(tarp_rows: tuple[EffectRow, ...]) -> None:
    for row in tarp_rows:
        if row.estimator == "e_value":  # a figure about the estimate, without an interval of its own
            continue
        assert row.verdict_low < row.conf_low < row.conf_high < row.verdict_high  # type: ignore[operator]


def test_recid_gives_the_published_hazard_ratio(shared_data: Path) -> None:
    effects, gates = everything(recid(shared_data))
    row = only(effects, measure="hazard_ratio", estimator="cox_efron", variance="model")
    assert (row.estimate, row.conf_low, row.conf_high) == pytest.approx((1.054341, 0.883167, 1.258691), abs=2e-6)
    assert (row.events_treated or 0) + (row.events_comparison or 0) == 552
    years = (row.person_years_treated or 0) + (row.person_years_comparison or 0)
    assert years == pytest.approx(80_013 * 30 / 365.25)
    assert next(gate for gate in gates if gate.gate == "follow_up").status != "failed"


def test_adjusted_cohort_carries_its_companions() -> None:
    rows = estimate(cohort(plan_for(adjust_for=AGE, outcomes=ALL), shift=0.3))
    main = only(rows, analysis="primary", measure="risk_ratio")
    assert main.estimand == "att"
    for measure in ("risk_ratio", "rate_ratio", "hazard_ratio"):
        only(rows, analysis="unadjusted", measure=measure)
        only(rows, measure=measure, variance="model")
        assert [
            row for row in rows if row.measure == measure and row.estimand == "ato" and row.analysis == "sensitivity"
        ]
    assert only(rows, measure="rate_ratio", variance="model").estimator == "outcome_regression"
    assert only(rows, analysis="secondary", measure="rate_difference").status == "shown"


def test_without_covariates_the_adjusted_row_equals_the_raw_one() -> None:
    rows = estimate(cohort(plan_for("randomised")))
    adjusted, raw = (
        only(rows, analysis="primary", measure="risk_ratio"),
        only(rows, analysis="unadjusted", measure="risk_ratio"),
    )
    assert adjusted.estimate == pytest.approx(raw.estimate)
    assert adjusted.std_error == pytest.approx(raw.std_error)


@pytest.mark.parametrize(
    "wanted",
    [
        {"analysis": "unadjusted"},
        {"estimand": "ato", "analysis": "primary"},
        {"estimand": "ate", "analysis": "sensitivity"},
    ],
)
def test_swapping_the_arms_inverts_the_ratio(wanted: dict[str, str]) -> None:
    data = cohort(plan_for(adjust_for=AGE, estimand=["ato", "ate"]), shift=0.3)
    one = only(estimate(data), measure="risk_ratio", **{"variance": "hc3"} | wanted)
    other = only(estimate(swapped(data)), measure="risk_ratio", **{"variance": "hc3"} | wanted)
    assert (one.estimate or 0) * (other.estimate or 0) == pytest.approx(1.0, rel=1e-6)
    assert (one.conf_low or 0) * (other.conf_high or 0) == pytest.approx(1.0, rel=1e-4)


def test_swapping_the_arms_of_a_trial_inverts_the_ratio() -> None:
    data = cohort(plan_for("randomised", adjust_for=AGE, outcomes=ALL))
    for measure in ("risk_ratio", "rate_ratio", "hazard_ratio"):
        one, other = (
            next(row for row in estimate(each) if row.measure == measure and row.analysis in {"primary", "secondary"})
            for each in (data, swapped(data))
        )
        assert (one.estimate or 0) * (other.estimate or 0) == pytest.approx(1.0, rel=1e-6)


def test_several_treated_arms_are_one_contrast_each() -> None:
    plan = plan_for("randomised", arms={"comparison": "control", "treated": ["therapy", "cash"]})
    data = cohort(n_treated=200, n_comparison=200)
    arm = ["therapy", "cash"] * 100 + ["control"] * 200
    rows = estimate(replace(data, plan=plan, persons=data.persons.with_columns(arm=pl.Series(arm))))
    assert {row.contrast for row in rows} == {"therapy vs control", "cash vs control"}
    assert {row.n_treated for row in rows} == {100}


def test_incomplete_windows_are_not_analysed() -> None:
    data = cohort()
    incomplete = data.outcomes.with_columns(is_complete=pl.col("person_id") > "p00009")
    row = only(estimate(replace(data, outcomes=incomplete)), analysis="unadjusted", measure="risk_ratio")
    assert (row.n_treated, row.n_comparison) == (190, 300)


def test_absences_give_two_denominators_the_net_one_first() -> None:
    plan = plan_for("randomised", outcomes={"contact": {"event": "contact", "measures": ["rate_ratio"]}})
    data = cohort(plan)
    away = data.outcomes.with_columns(days_free=pl.when(pl.col("person_id") < "p00050").then(100).otherwise(365))
    rows = estimate(replace(data, outcomes=away.cast({"days_free": pl.Int64})))
    assert only(rows, analysis="primary", measure="rate_ratio").denominator == "free_time"
    assert only(rows, analysis="secondary", measure="rate_ratio").denominator == "calendar_time"
    assert {row.denominator for row in estimate(data)} == {"free_time"}


def test_a_risk_needs_a_window() -> None:
    plan = plan_for("randomised", follow_up={"until_end": True}, outcomes=ALL)
    data = cohort(plan)
    outcomes = data.outcomes.with_columns(window_days=pl.lit(None, dtype=pl.Int64))
    rows = estimate(replace(data, outcomes=outcomes))
    assert {row.status for row in rows if row.measure == "risk_ratio"} == {"not_estimable"}
    assert all("window" in row.reason and row.reason_nl for row in rows if row.measure == "risk_ratio")
    assert only(rows, analysis="primary", measure="rate_ratio").status == "shown"


@pytest.mark.parametrize("design", ["randomised", "comparison_cohort"])
@pytest.mark.parametrize("risks", [(0.0, 0.3), (0.3, 0.0), (0.0, 0.0), (1.0, 1.0), (0.01, 0.02)])
def test_few_or_no_events_never_crash(design: str, risks: tuple[float, float]) -> None:
    effects, gates = everything(cohort(plan_for(design, adjust_for=AGE, outcomes=ALL), risks=risks))
    assert gates
    for row in effects:
        assert row.status in {"shown", "not_estimable"}
        assert (row.status == "shown") != bool(row.reason and row.reason_nl)


def test_no_events_among_the_treated_give_a_bound() -> None:
    rows = estimate(cohort(plan_for(adjust_for=AGE), risks=(0.0, 0.3)))
    for analysis in ("primary", "unadjusted"):
        row = only(rows, analysis=analysis, measure="risk_ratio")
        assert row.status == "shown" and row.conf_low is None
        assert row.conf_high is not None and 0 < row.conf_high < 0.2
        assert row.verdict_high is not None and row.conf_high < row.verdict_high < 1


def test_no_events_at_all_are_not_estimable_with_a_sentence() -> None:
    rows = estimate(cohort(risks=(0.0, 0.0)))
    assert all(row.status == "not_estimable" and row.reason.endswith(".") for row in rows)


@pytest.mark.parametrize("n", [(1, 1), (2, 3), (0, 40), (40, 0), (3, 200)])
@pytest.mark.parametrize("design", ["randomised", "comparison_cohort"])
def test_tiny_arms_never_crash(design: str, n: tuple[int, int]) -> None:
    effects, gates = everything(
        cohort(plan_for(design, adjust_for=AGE, outcomes=ALL), n_treated=n[0], n_comparison=n[1])
    )
    assert any(gate.gate == "size" and gate.status == "failed" for gate in gates)
    assert {row.measure for row in effects} >= {"risk_ratio", "rate_ratio", "hazard_ratio"}


@pytest.mark.parametrize("missing", ["indicator", "exclude"])
def test_missing_covariates(missing: str) -> None:
    plan = plan_for(adjust_for=AGE | {"sex": {"type": "categorical"}}, missing={"covariates": missing})
    data = cohort(plan)
    gone = pl.when(pl.col("person_id").str.slice(1).cast(pl.Int64) % 10 == 0).then(None).otherwise(pl.col("age"))
    row = only(
        estimate(replace(data, persons=data.persons.with_columns(age=gone))), analysis="primary", measure="risk_ratio"
    )
    assert row.n_treated == (200 if missing == "indicator" else 180)
    assert row.status == "shown"


def test_a_constant_covariate_changes_nothing() -> None:
    data = cohort(plan_for(adjust_for=AGE))
    more = replace(
        data,
        plan=plan_for(adjust_for=AGE | {"constant": {"type": "numeric"}}),
        persons=data.persons.with_columns(constant=pl.lit(3.0)),
    )
    one, other = (only(estimate(each), analysis="primary", measure="risk_ratio") for each in (data, more))
    assert one.estimate == pytest.approx(other.estimate)


def test_perfect_separation_is_said_not_raised() -> None:
    data = cohort(plan_for(adjust_for={"giveaway": {"type": "numeric"}}))
    arm = (data.persons["arm"] == "treated").cast(pl.Float64)
    effects, gates = everything(replace(data, persons=data.persons.with_columns(giveaway=arm)))
    row = only(effects, analysis="primary", measure="risk_ratio")
    assert row.status == "not_estimable" and row.reason and row.reason_nl
    assert only(effects, analysis="unadjusted", measure="risk_ratio").status == "shown"
    assert {gate.gate: gate.status for gate in gates if gate.gate in {"balance", "overlap"}} == {
        "balance": "not_evaluated",
        "overlap": "failed",
    }


def test_clusters_widen_and_are_counted() -> None:
    plan = plan_for(cluster="site_id", adjust_for=AGE)
    sites = [f"s{number % 24}" for number in range(500)]
    rows = estimate(cohort(plan, cluster=sites))
    row = only(rows, analysis="primary", measure="risk_ratio")
    assert (row.variance, row.n_clusters_treated, row.n_clusters_comparison) == ("cr3", 24, 24)


def test_one_cluster_never_crashes() -> None:
    effects, gates = everything(cohort(plan_for(cluster="site_id", outcomes=ALL), cluster=["s"] * 500))
    assert effects
    assert next(gate for gate in gates if gate.gate == "clusters").status == "failed"


def test_subgroups_placebo_and_negative_controls_have_their_rows() -> None:
    plan = plan_for(adjust_for=AGE, subgroups=["sex"], negative_controls=["victim"])
    data = cohort(plan)
    rng = np.random.default_rng(5)
    victim = outcome_frame(data.persons, *events_at(500, 0.3, rng), outcome="victim")
    before = outcome_frame(data.persons, *events_at(500, 0.4, rng))
    data = replace(
        data,
        outcomes=pl.concat([data.outcomes, victim]),
        placebo=AnalysisData(plan, data.quarter, data.persons, before),
    )
    rows = estimate(data)
    assert {row.subgroup for row in rows if row.analysis == "subgroup"} == {"sex=f", "sex=m", "sex: interaction"}
    assert only(rows, analysis="negative_control").outcome == "victim"
    assert only(rows, analysis="placebo").measure == "risk_ratio"


def test_extra_errors_of_the_plan_have_rows() -> None:
    rows = estimate(cohort(plan_for("randomised", variance=["model", "hc1"])))
    assert only(rows, variance="hc1", measure="risk_ratio").analysis == "sensitivity"
    only(rows, variance="model", measure="risk_ratio")


@pytest.mark.parametrize(
    ("scale", "measure"), [("continuous", "mean_difference"), ("binary", "risk_ratio"), ("count", "rate_ratio")]
)
def test_delivered_values(scale: str, measure: str) -> None:
    values = {
        "continuous": np.random.default_rng(3).normal(50, 10, 500),
        "binary": np.tile([0.0, 0.5, 1.0, 1.0], 125),
        "count": np.random.default_rng(3).poisson(2, 500).astype(float),
    }[scale]
    values[:5] = np.nan
    plan = plan_for("randomised", outcomes={"score": {"value": "score", "scale": scale}}, adjust_for=AGE)
    rows = estimate(cohort(plan, score=values))
    row = only(rows, analysis="primary", measure=measure)
    assert row.status == "shown" and row.n_treated == 195 and row.window_days is None


def test_matched_pairs_stand_beside() -> None:
    # 500 pairs: 40 both, 20 treated only, 60 comparison only
    kinds = np.array([(1, 1)] * 40 + [(1, 0)] * 20 + [(0, 1)] * 60 + [(0, 0)] * 380)
    events = np.concatenate([kinds[:, 0], kinds[:, 1]])
    labels = [f"q{number}" for number in range(500)] * 2
    data = cohort(plan_for("randomised", pairs="pair_id"), n_treated=500, n_comparison=500, pair=labels)
    data = replace(data, outcomes=outcome_frame(data.persons, events, np.where(events == 1, 100.0, np.nan)))
    rows = estimate(data)
    ratio = only(rows, estimator="mcnemar", measure="risk_ratio")
    assert ratio.estimate == pytest.approx(60 / 100)
    assert ratio.std_error == pytest.approx(math.sqrt(80 / (60 * 100)))
    odds = only(rows, estimator="mcnemar", measure="odds_ratio")
    exact = binomtest(20, 80)  # of the 80 pairs that differ, 20 have the event on the treated side
    limits = exact.proportion_ci(method="exact")
    expected = (1 / 3, limits.low / (1 - limits.low), limits.high / (1 - limits.high))
    assert (odds.estimate, odds.conf_low, odds.conf_high) == pytest.approx(expected)
    assert odds.p_value == pytest.approx(exact.pvalue)
    assert odds.verdict_high is not None and odds.conf_high is not None and odds.verdict_high > odds.conf_high


def test_a_small_study_has_a_sceptical_interval_beside_it() -> None:
    rows = estimate(cohort(n_treated=45, n_comparison=50))
    main, sceptical = only(rows, analysis="primary", measure="risk_ratio"), only(rows, estimator="bayes")
    assert sceptical.analysis == "sensitivity"
    assert abs(math.log(sceptical.estimate or 1)) < abs(math.log(main.estimate or 1))


def test_weighting_none_is_outcome_regression_only() -> None:
    rows = estimate(cohort(plan_for(adjust_for=AGE, weighting="none", estimand=["att"]), shift=0.5))
    main, model = (
        only(rows, analysis="primary", measure="risk_ratio"),
        only(rows, variance="model", measure="risk_ratio"),
    )
    assert main.estimate == pytest.approx(model.estimate)


@pytest.mark.parametrize("name", PERSON_DESIGNS)
def test_every_design_on_persons_names_itself(name: str) -> None:
    design = design_for(plan_for(name))
    assert design.name == name and design.tables[0] == "persons"


def test_no_events_at_all_is_said_in_both_languages() -> None:
    from effectmeter.designs.rows import blank_row, not_estimable
    from effectmeter.estimators.base import EstimationError
    from effectmeter.estimators.small_samples import score_risk_ratio

    row = blank_row(
        cohort(plan_for("randomised")), outcome="arrest", measure="risk_ratio", contrast="treated vs comparison",
        estimand="itt", estimator="modified_poisson", variance="score", analysis="unadjusted",
    )  # fmt: skip
    with pytest.raises(EstimationError) as fault:
        score_risk_ratio(0, 20, 0, 20)
    told = not_estimable(row, fault.value)
    assert told.reason.startswith("Neither arm has events")
    assert told.reason_nl.startswith("In geen van beide groepen")
