"""What stands beside a primary row of persons: sites, starts, missing values, subgroups, figures about the estimate."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import polars as pl
import pytest
from analysis_frames import QUARTER, cohort, events_at, only, outcome_frame, plan_for, swapped
from scipy import stats

from effectmeter.designs.base import AnalysisData, Scope
from effectmeter.designs.comparison_cohort import neighbours
from effectmeter.designs.registry import design_for
from effectmeter.estimators.agreement import agreement
from effectmeter.estimators.base import EstimationError
from effectmeter.estimators.interaction import interaction
from effectmeter.estimators.permutation import permutation_contrast, sign_flip_contrast
from effectmeter.estimators.sensitivity import NO_EFFECT_ESTIMATORS, e_value
from effectmeter.estimators.weighting import fit_weights
from effectmeter.results import EffectRow

AGE = {"age": {"type": "numeric"}}
DESIGNS = ["randomised", "comparison_cohort"]


def estimate(data: AnalysisData, scope: Scope = "all") -> tuple[EffectRow, ...]:
    design = design_for(data.plan)
    return design.estimate(data, design.compare(data), scope)


def labelled(rows: tuple[EffectRow, ...], start: str) -> list[EffectRow]:
    return [row for row in rows if (row.subgroup or "").startswith(start)]


# ---- sites


def in_sites(n_sites: int, plan: dict[str, Any] | None = None, **more: Any) -> AnalysisData:
    fields = {"cluster": "site_id", "adjust_for": AGE} | (plan or {})
    names = [f"Rotterdam-{number % n_sites}" for number in range(500)]
    return cohort(plan_for(**fields), cluster=names, **more)


@pytest.mark.parametrize("n_sites", [3, 8, 20])
def test_each_site_is_left_out_once_and_nobody_is_named(n_sites: int) -> None:
    data = in_sites(n_sites)
    rows = estimate(data)
    main, without = rows[0], labelled(rows, "without=")
    assert [row.subgroup for row in without] == [f"without=site {number}" for number in range(1, n_sites + 1)]
    assert not any("Rotterdam" in (row.subgroup or "") + row.reason for row in rows)
    assert {(row.analysis, row.n_treated, row.events_treated) for row in without} == {
        ("sensitivity", main.n_treated, main.events_treated)
    }
    # each is the primary analysis of those who remain
    expected = set()
    for site in range(n_sites):
        others = data.persons.filter(pl.col("cluster") != f"Rotterdam-{site}")
        expected.add(round(estimate(replace(data, persons=others), scope="verdict")[0].estimate or 0, 9))
    assert {round(row.estimate or 0, 9) for row in without} == expected


def test_the_numbers_of_sites_say_nothing_and_do_not_last() -> None:
    # one site has another effect: its number must depend on the delivery, not on its size, effect or name
    numbers = set()
    for seed in range(6):
        data = in_sites(4, seed=seed)
        odd = data.persons.filter(pl.col("cluster") != "Rotterdam-0")
        target = estimate(replace(data, persons=odd), scope="verdict")[0].estimate
        without = labelled(estimate(data), "without=")
        numbers |= {row.subgroup for row in without if row.estimate == pytest.approx(target)}
    assert len(numbers) > 1


def test_many_sites_show_the_two_extremes_only() -> None:
    rows = labelled(estimate(in_sites(25)), "without=")
    assert [row.subgroup for row in rows] == ["without=one site, lowest", "without=one site, highest"]
    assert (rows[0].estimate or 0) <= (rows[1].estimate or 0)


@pytest.mark.parametrize(("n_sites", "column"), [(2, "site_id"), (150, "site_id"), (12, "family_id")])
def test_families_few_sites_and_many_are_not_left_out(n_sites: int, column: str) -> None:
    assert not labelled(estimate(in_sites(n_sites, {"cluster": column})), "without=")


# ---- missing covariates and outcomes


@pytest.mark.parametrize("rule", ["indicator", "exclude"])
@pytest.mark.parametrize("design", DESIGNS)
def test_missing_covariates_are_treated_both_ways(design: str, rule: str) -> None:
    plan = plan_for(design, adjust_for=AGE, missing={"covariates": rule})
    data = cohort(plan)
    gone = pl.when(pl.col("person_id").str.slice(1).cast(pl.Int64) % 10 == 0).then(None).otherwise(pl.col("age"))
    data = replace(data, persons=data.persons.with_columns(age=gone))
    rows = estimate(data)
    other = "exclude" if rule == "indicator" else "indicator"
    row = only(rows, subgroup=f"missing={other}", analysis="sensitivity")
    opposite = replace(data, plan=plan_for(design, adjust_for=AGE, missing={"covariates": other}))
    assert row.estimate == estimate(opposite)[0].estimate
    assert (rows[0].n_treated, row.n_treated) == ((200, 180) if rule == "indicator" else (180, 200))
    assert not labelled(estimate(cohort(plan)), "missing=")


@pytest.mark.parametrize("arm", ["treated", "comparison"])
@pytest.mark.parametrize("kind", ["numeric", "categorical"])
def test_a_covariate_missing_in_one_arm_only_leaves_the_row_estimable(arm: str, kind: str) -> None:
    plan = plan_for(adjust_for={"age": {"type": kind}, "sex": {"type": "categorical"}})
    data = cohort(plan, shift=0.3)
    third = (pl.col("person_id").str.slice(1).cast(pl.Int64) % 3 == 0) & (pl.col("arm") == arm)
    age = pl.col("age") if kind == "numeric" else (pl.col("age") > 0).cast(pl.String)
    persons = data.persons.with_columns(age=pl.when(third).then(None).otherwise(age))
    rows = estimate(replace(data, persons=persons))
    assert rows[0].status == "shown" and rows[0].estimator == "g_computation"
    assert only(rows, subgroup="missing=exclude").status == "shown"
    from effectmeter.estimators.design_matrix import build_design_matrix

    side = (persons["arm"] == "treated").to_numpy().astype(float)
    matrix = build_design_matrix(persons, plan.adjust_for, plan.missing, side)
    assert not [term for term in matrix.terms if "missing" in term]
    assert any("one group only" in note for note in matrix.notes) and len(matrix.notes_nl) == len(matrix.notes)
    assert [term for term in build_design_matrix(persons, plan.adjust_for).terms if "missing" in term]


def test_missing_outcomes_have_a_tipping_point() -> None:
    plan = plan_for("randomised", outcomes={"score": {"value": "score", "measures": ["mean_difference"]}})
    values = np.random.default_rng(3).normal(50, 10, 500) + np.r_[np.full(200, -6.0), np.zeros(300)]
    values[:20] = np.nan
    rows = estimate(cohort(plan, score=values))
    row, main = only(rows, estimator="tipping_point"), rows[0]
    # only a tenth of the treated are missing: their mean must be this many deviations higher
    spread = float(np.nanstd(values))
    assert row.estimate == pytest.approx(-(main.verdict_high or 0) / (0.1 * spread), rel=1e-6)
    assert not [row for row in estimate(cohort(plan_for("randomised"))) if row.estimator == "tipping_point"]


def test_a_tipping_point_that_cannot_be_is_said() -> None:
    data = cohort(risks=(0.05, 0.6), plan=plan_for("randomised"))
    incomplete = data.outcomes.with_columns(is_complete=pl.col("person_id") > "p00001")
    row = only(estimate(replace(data, outcomes=incomplete)), estimator="tipping_point")
    assert row.status == "not_estimable" and "cannot turn" in row.reason and row.reason_nl


# ---- immortal time


def test_the_analysis_from_start_stands_beside() -> None:
    plan = plan_for(adjust_for=AGE)
    data = cohort(plan)
    moved = data.outcomes.with_columns(n_events=pl.when(pl.col("person_id") < "p00040").then(0).otherwise("n_events"))
    row = only(
        estimate(replace(data, from_start=AnalysisData(plan, QUARTER, data.persons, moved))),
        subgroup="time_zero=start_date",
    )
    assert row.analysis == "sensitivity" and row.status == "shown"
    assert row.estimate == estimate(replace(data, outcomes=moved))[0].estimate
    assert (row.estimate or 1) < (estimate(data)[0].estimate or 0)
    assert not labelled(estimate(data), "time_zero")


# ---- figures about the estimate


@pytest.mark.parametrize("design", DESIGNS)
@pytest.mark.parametrize("measure", ["risk_ratio", "rate_ratio", "hazard_ratio", "odds_ratio"])
def test_e_values_stand_beside_every_ratio(design: str, measure: str) -> None:
    plan = plan_for(design, adjust_for=AGE, outcomes={"contact": {"event": "contact", "measures": [measure]}})
    rows = estimate(cohort(plan))
    main, row = rows[0], only(rows, estimator="e_value")
    assert main.measure == measure and row.measure == measure and row.analysis == "sensitivity"
    assert row.conf_high is None and row.verdict_low is None and (row.conf_low or 0) <= (row.estimate or 0)
    if measure in {"risk_ratio", "rate_ratio"}:
        assert row.estimate == pytest.approx(e_value(main.estimate or 0))
        assert row.conf_low == pytest.approx(e_value(main.conf_high or 0))
    assert agreement(main, rows).ruling in {"agree", "differ"}


def test_an_arm_without_events_has_the_e_value_of_its_bound() -> None:
    rows = estimate(cohort(plan_for("randomised"), risks=(0.0, 0.3)))
    row = only(rows, estimator="e_value")
    assert row.status == "shown" and row.estimate is None and (row.conf_low or 0) > 1


def test_negative_controls_calibrate_the_primary_row() -> None:
    names = [f"control{number}" for number in range(6)]
    plan = plan_for(adjust_for=AGE, negative_controls=names)
    data = cohort(plan)
    rng = np.random.default_rng(2)
    risk = np.where(data.persons["arm"] == "treated", 0.24, 0.3)  # a bias of 0.8 in each
    more = [outcome_frame(data.persons, *events_at(500, risk, rng), outcome=name) for name in names]
    rows = estimate(replace(data, outcomes=pl.concat([data.outcomes, *more])))
    row, main = only(rows, estimator="empirical_calibration"), rows[0]
    assert (row.estimate or 0) > (main.estimate or 0)
    assert (row.std_error or 0) > (main.std_error or 0)
    four = plan_for(adjust_for=AGE, negative_controls=names[:4])
    few = estimate(replace(data, plan=four, outcomes=pl.concat([data.outcomes, *more])))
    assert not [row for row in few if row.estimator == "empirical_calibration"]


def test_figures_are_no_effects() -> None:
    rows = estimate(cohort(plan_for(adjust_for=AGE, subgroups=["sex"])))
    assert {row.estimator for row in rows} & NO_EFFECT_ESTIMATORS == {"e_value", "interaction"}
    assert not {row.analysis for row in rows if row.estimator in NO_EFFECT_ESTIMATORS} & {"primary", "secondary"}


# ---- subgroups


@pytest.mark.parametrize("measure", ["risk_ratio", "rate_ratio", "mean_difference"])
def test_two_subgroups_are_compared_by_the_ratio_of_their_ratios(measure: str) -> None:
    outcomes: dict[str, Any] = {"contact": {"event": "contact", "measures": [measure]}}
    if measure == "mean_difference":
        outcomes = {"score": {"value": "score", "measures": [measure]}}
    plan = plan_for("randomised", subgroups=["sex"], outcomes=outcomes)
    rows = estimate(cohort(plan, score=np.random.default_rng(1).normal(size=500)))
    f, m, both = (only(rows, subgroup=f"sex{name}", measure=measure) for name in ("=f", "=m", ": interaction"))
    expected = (f.estimate or 0) / (m.estimate or 0) if both.is_ratio else (f.estimate or 0) - (m.estimate or 0)
    assert both.estimate == pytest.approx(expected)
    assert both.analysis == "subgroup" and both.estimator == "interaction" and both.n_treated == rows[0].n_treated
    assert (both.std_error or 0) > max(f.std_error or 0, m.std_error or 0)


def test_more_subgroups_have_one_joint_test() -> None:
    level = np.tile(["a", "b", "c", "d"], 125)
    rows = estimate(cohort(plan_for("randomised", subgroups=["district"]), district=level))
    both = only(rows, subgroup="district: interaction")
    each = [row for row in labelled(rows, "district=") if row.measure == "risk_ratio"]
    values = [row.estimate or 0 for row in each]
    assert both.estimate == pytest.approx(max(values) / min(values)) and both.variance == "scheffe"
    assert (both.p_value or 0) > 0.01 and (both.conf_low or 0) < 1 < (both.conf_high or 0)


def test_joint_interval_and_joint_test_never_disagree_in_the_wrong_way() -> None:
    rng = np.random.default_rng(7)
    alarms = 0
    for _ in range(400):
        se = rng.uniform(0.1, 0.6, 4)
        found = interaction(rng.normal(0, se).tolist(), se.tolist(), is_log=True)
        alarms += (found.p_value or 0) < 0.05
        assert (found.low or 0) <= 1 or (found.p_value or 1) < 0.05
    assert 0.02 < alarms / 400 < 0.08


def test_the_joint_test_is_cochrans() -> None:
    y, se = np.array([0.1, -0.4, 0.3]), np.array([0.2, 0.25, 0.3])
    w = 1 / se**2
    q = float((w * (y - (w @ y) / w.sum()) ** 2).sum())
    assert interaction(y.tolist(), se.tolist(), is_log=True).p_value == pytest.approx(stats.chi2.sf(q, 2))
    with pytest.raises(EstimationError):
        interaction([0.1], [0.2], is_log=True)


def test_subgroups_that_cannot_be_compared_say_so() -> None:
    data = cohort(plan_for("randomised", subgroups=["sex"]), sex=["f"] * 500)
    row = only(estimate(data), subgroup="sex: interaction")
    assert row.status == "not_estimable" and "two subgroups" in row.reason and row.reason_nl


# ---- few persons, few clusters, matching


def by_site(n_sites: int, design: str = "randomised", **plan: Any) -> AnalysisData:
    fields = {"cluster": "site_id", "adjust_for": AGE} | plan
    arm_site = [f"t{number % (n_sites // 2)}" for number in range(200)]
    arm_site += [f"c{number % (n_sites // 2)}" for number in range(300)]
    return cohort(plan_for(design, **fields), cluster=arm_site)


@pytest.mark.parametrize("measure", ["risk_ratio", "rate_ratio", "hazard_ratio"])
def test_few_clusters_have_permutation_and_bayes_beside(measure: str) -> None:
    outcomes = {"contact": {"event": "contact", "measures": [measure]}}
    rows = estimate(by_site(24, outcomes=outcomes))
    main = rows[0]
    dealt, sceptical = only(rows, estimator="permutation"), only(rows, estimator="bayes")
    assert {dealt.analysis, sceptical.analysis} == {"sensitivity"}
    assert dealt.conf_low and dealt.conf_high and dealt.conf_low < (dealt.estimate or 0) < dealt.conf_high
    assert dealt.estimate == pytest.approx(main.estimate, rel=0.15)
    assert abs(math.log(sceptical.estimate or 1)) < abs(math.log(main.estimate or 1))
    enough = estimate(by_site(48, outcomes=outcomes))
    assert not [row for row in enough if row.estimator in {"permutation", "bayes"}]


@pytest.mark.parametrize(("design", "variance"), [("randomised", "permutation"), ("comparison_cohort", "sign_flip")])
def test_clusters_that_hold_both_arms_are_dealt_within_where_lots_were_drawn_else_their_signs(
    design: str, variance: str
) -> None:
    names = [f"s{number % 12}" for number in range(500)]
    rows = estimate(cohort(plan_for(design, cluster="site_id"), cluster=names))
    row = only(rows, estimator="permutation")
    assert (row.status, row.variance) == ("shown", variance)
    assert row.conf_low is not None and row.conf_high is not None
    assert row.conf_low < (row.estimate or 0) < row.conf_high


def test_flipped_signs_hold_their_level_where_sites_differ_and_mix_arms() -> None:
    """Sites differ in level and in how many of them take part; no effect."""
    rng, held = np.random.default_rng(12), 0
    site = np.repeat(np.arange(12), 20)
    none = np.empty((240, 0))
    for _ in range(60):
        level = rng.normal(0, 0.4, 12)
        treated = (rng.random(240) < (0.3 + 0.4 * rng.random(12))[site]).astype(float)
        y = rng.poisson(0.8 * np.exp(level[site] + 0.3 * rng.normal(size=240))).astype(float)
        found = sign_flip_contrast(y, treated, none, site, n_permutations=299)
        assert (found.p_value >= 0.05) == ((found.low or 0) <= 1 <= (found.high or 9))  # type: ignore[operator]
        held += (found.p_value or 0) > 0.05
    assert held >= 53  # 95 % less three Monte-Carlo errors


def test_flipped_signs_are_about_the_estimate_of_the_regression() -> None:
    import statsmodels.api as sm

    rng = np.random.default_rng(13)
    site = np.repeat(np.arange(15), 20)
    x = rng.normal(size=300)
    treated = (rng.random(300) < 1 / (1 + np.exp(-x))).astype(float)
    y = rng.poisson(np.exp(0.4 * x - 0.6 * treated)).astype(float)
    found = sign_flip_contrast(y, treated, x[:, None], site)
    theirs = sm.GLM(y, sm.add_constant(np.column_stack([treated, x])), family=sm.families.Poisson()).fit()
    assert math.log(found.value or 1) == pytest.approx(float(theirs.params[1]), abs=1e-6)
    assert found.high is not None and found.high < 1 and (found.p_value or 1) < 0.01
    swapped = sign_flip_contrast(y, 1 - treated, x[:, None], site)
    assert swapped.value == pytest.approx(1 / (found.value or 1), rel=1e-6)
    with pytest.raises(EstimationError, match="one cluster"):
        sign_flip_contrast(y, treated, x[:, None], np.zeros(300))


def test_permutation_holds_its_level_in_few_clusters() -> None:
    rng, held = np.random.default_rng(11), 0
    site = np.repeat(np.arange(12), 15)
    treated = (site % 2 == 0).astype(float)
    none = np.empty((180, 0))
    for _ in range(60):
        y = rng.poisson(0.8 * np.exp(rng.normal(0, 0.4, 12)[site])).astype(float)
        found = permutation_contrast(y, treated, none, site, n_permutations=299)
        assert (found.p_value >= 0.05) == ((found.low or 0) <= 1 <= (found.high or 9))  # type: ignore[operator]
        held += (found.p_value or 0) > 0.05
    assert held >= 53  # 95 % less three Monte-Carlo errors


def test_permutation_of_a_difference_and_its_refusals() -> None:
    rng = np.random.default_rng(2)
    site = np.repeat(np.arange(14), 10)
    treated = (site % 2 == 0).astype(float)
    y = rng.normal(size=140) - 1.0 * treated
    none = np.empty((140, 0))
    found = permutation_contrast(y, treated, none, site, is_ratio=False)
    assert found.value == pytest.approx(y[treated == 1].mean() - y[treated == 0].mean())
    assert found.high is not None and found.high < 0 and (found.p_value or 1) < 0.01
    again = permutation_contrast(y, treated, none, site, is_ratio=False)
    assert again == found
    swap = permutation_contrast(y, 1 - treated, none, site, is_ratio=False)
    assert swap.value == pytest.approx(-(found.value or 0))
    with pytest.raises(EstimationError, match="one way"):
        permutation_contrast(y, treated, none, site, strata=site)
    with pytest.raises(EstimationError, match="bound"):
        permutation_contrast(np.where(treated == 1, 0.0, 1.0), treated, none, site)


def test_a_small_study_of_means_has_a_sceptical_interval() -> None:
    plan = plan_for("randomised", outcomes={"score": {"value": "score", "measures": ["mean_difference"]}})
    rows = estimate(cohort(plan, n_treated=40, n_comparison=40, score=np.random.default_rng(3).normal(5, 2, 80)))
    main, row = rows[0], only(rows, estimator="bayes")
    assert abs(row.estimate or 9) < abs(main.estimate or 0)
    spread = (row.conf_high or 0) - (row.conf_low or 0)
    assert 0 < spread < (main.conf_high or 0) - (main.conf_low or 0)


def test_a_small_study_without_events_in_an_arm_says_why_there_is_no_prior() -> None:
    row = only(
        estimate(cohort(plan_for("randomised"), n_treated=40, n_comparison=40, risks=(0.0, 0.5))), estimator="bayes"
    )
    assert row.status == "not_estimable" and "bound" in row.reason and row.reason_nl


@pytest.mark.parametrize(("n", "k"), [((100, 80), 1), ((100, 199), 1), ((100, 350), 3), ((50, 900), 5)])
def test_as_many_are_matched_as_there_are(n: tuple[int, int], k: int) -> None:
    treated = np.r_[np.ones(n[0]), np.zeros(n[1])]
    assert neighbours(treated) == k


def test_matching_makes_the_arms_alike() -> None:
    plan = plan_for(adjust_for=AGE, weighting="match")
    data = cohort(plan, n_treated=100, n_comparison=400, shift=0.8)
    found = design_for(plan).compare(data)
    age = next(row for row in found.balance if row.term == "age")
    assert abs(age.smd_after) < 0.1 < abs(age.smd_before)
    X = data.persons["age"].to_numpy()[:, None]
    treated = (data.persons["arm"] == "treated").to_numpy().astype(float)
    weight = fit_weights(X, treated, method="match", neighbours=4).weight
    assert np.count_nonzero(weight[treated == 0]) > np.count_nonzero(
        fit_weights(X, treated, method="match").weight[treated == 0]
    )
    assert weight[treated == 0].sum() == pytest.approx(weight[treated == 1].sum())
    rows = estimate(cohort(plan_for(adjust_for=AGE), n_treated=100, n_comparison=400, shift=0.8))
    assert only(rows, estimator="matching", measure="risk_ratio").status == "shown"


# ---- odds ratios through the designs


@pytest.mark.parametrize("risks", [(0.2, 0.4), (0.004, 0.03), (0.0, 0.3), (0.99, 0.9)])
@pytest.mark.parametrize("design", DESIGNS)
def test_odds_ratios_are_given_and_invert(design: str, risks: tuple[float, float]) -> None:
    estimand = "itt" if design == "randomised" else "ato"
    outcomes = {"contact": {"event": "contact", "measures": ["odds_ratio"]}}
    data = cohort(plan_for(design, adjust_for=AGE, estimand=estimand, outcomes=outcomes), risks=risks, shift=0.2)
    one, other = (estimate(each)[0] for each in (data, swapped(data)))
    assert one.measure == "odds_ratio" and one.status == other.status == "shown"
    for mine, theirs in ((one.conf_low, other.conf_high), (one.conf_high, other.conf_low)):
        assert (mine is None) == (theirs is None)
        assert mine is None or mine * (theirs or 0) == pytest.approx(1.0, rel=1e-4)
