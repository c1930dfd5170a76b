"""Trials taken together, from their frame to rows and gates."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import polars as pl
import pytest
from analysis_frames import only
from trial_frames import COUNTS, data_of, gates_of, published, rows_of, trials_frame, trials_plan

from effectmeter.designs.pooled_trials import HANDFUL
from effectmeter.designs.trial_set import trial_points
from effectmeter.diagnostics import apply_gates
from effectmeter.results import EffectRow
from effectmeter.verdicts import rule

ALL = ("reml_hk", "reml_wald", "dl_wald", "mantel_haenszel")


def few(treated: list[float], comparison: list[float], n: float = 40, **more: Any) -> pl.DataFrame:
    k = len(treated)
    return trials_frame(
        events_treated=treated, n_treated=[n] * k, events_comparison=comparison, n_comparison=[n] * k, **more
    )


def main_row(rows: tuple[EffectRow, ...]) -> EffectRow:
    assert rows[0].analysis == "primary"
    return only(rows, analysis="primary")


def is_about(row: EffectRow, value: float, low: float, high: float, abs_: float = 0.005) -> None:
    assert row.estimate == pytest.approx(value, abs=abs_)
    assert row.conf_low == pytest.approx(low, abs=abs_)
    assert row.conf_high == pytest.approx(high, abs=abs_)


# -- known answers -----------------------------------------------------------------------------------------------------


def test_scared_straight_harms() -> None:
    data = data_of(published("scared"), trials_plan(*ALL))
    rows = rows_of(data)
    main = main_row(rows)
    assert (main.estimator, main.variance, main.estimand) == ("reml_hk", "hartung_knapp", "ate")
    is_about(main, 1.71, 1.01, 2.90)
    is_about(only(rows, estimator="mantel_haenszel"), 1.68, 1.20, 2.36)
    is_about(only(rows, estimator="dl_wald"), 1.72, 1.13, 2.62)
    is_about(only(rows, estimator="collapsed"), 1.35, 0.99, 1.83)
    assert (main.n_treated, main.n_comparison) == (436, 358)
    assert (main.events_treated, main.events_comparison) == (147, 98)
    assert (main.n_clusters_treated, main.n_clusters_comparison) == (7, 7)
    prediction = only(rows, estimator="pmm_hk_prediction")
    assert prediction.analysis == "secondary" and prediction.p_value is None
    is_about(only(rows, estimator="reml_hk_prediction"), 1.71, 0.74, 3.93)  # as every other program gives it
    assert only(rows, measure="risk_difference").estimate == pytest.approx(0.107, abs=5e-4)
    gates = gates_of(data)
    assert gates["heterogeneity"].status == "passed" and "I2 29 %" in gates["heterogeneity"].figure
    assert gates["number_of_trials"].status == "passed"
    assert gates["small_studies"].status == "not_evaluated"
    assert gates["power"].status == "warned"
    verdict, _ = rule(data.plan, apply_gates(rows, list(gates.values())), list(gates.values()), 436)
    assert verdict.direction == "more" and not verdict.works


def test_therapy_for_offenders_has_a_mean_that_hides_how_trials_differ() -> None:
    data = data_of(published("cbt"), trials_plan("reml_wald", "mantel_haenszel"))
    rows = rows_of(data)
    main = main_row(rows)
    assert (main.estimator, main.variance) == ("reml_wald_prediction", "prediction")
    is_about(main, 0.655, 1 / 2.91, 1 / 0.80)
    mean = only(rows, estimator="reml_wald", variance="model", measure="odds_ratio", subgroup=None)
    assert mean.analysis == "secondary"
    is_about(mean, 0.655, 0.582, 0.738, 0.0005)
    figure = gates_of(data)["heterogeneity"].figure
    assert "I2 73 %" in figure and "tau2 0.1046" in figure and "Q 213.69 on 57" in figure
    assert gates_of(data)["heterogeneity"].status == "warned"
    assert gates_of(data)["small_studies"].figure.startswith("Peters: p = 0.066")
    assert gates_of(data)["power"].status == "passed"
    verdict, _ = rule(data.plan, rows, list(gates_of(data).values()), 16466)
    assert verdict.direction == "inconclusive"


def test_a_method_without_a_spread_is_no_way_around_the_prediction() -> None:
    rows = rows_of(data_of(published("cbt"), trials_plan("mantel_haenszel")))
    assert (main_row(rows).estimator, main_row(rows).variance) == ("pmm_hk_prediction", "prediction")
    assert only(rows, estimator="mantel_haenszel", measure="odds_ratio", subgroup=None).analysis == "secondary"


# -- which rows there are ----------------------------------------------------------------------------------------------


def test_the_first_method_is_primary_and_others_sensitivity() -> None:
    for first in ALL:
        methods = (first, *(method for method in ALL if method != first))
        rows = rows_of(data_of(published("scared"), trials_plan(*methods)))
        assert main_row(rows).estimator == first
        others = {row.estimator for row in rows if row.analysis == "sensitivity" and not row.subgroup}
        predictions = {f"{method}_prediction" for method in ("pmm_hk", "reml_hk", "reml_wald")}
        assert set(ALL) - {first} <= others <= ({*ALL} | predictions) - {first}


def test_a_verdict_needs_only_the_headline_rows() -> None:
    data = data_of(published("cbt"), trials_plan(*ALL))
    short, whole = rows_of(data, scope="verdict"), rows_of(data)
    assert short == whole[: len(short)] and len(short) == 7


def test_rows_have_a_key() -> None:
    for name in ("scared", "cbt", "sparse"):
        rows = rows_of(data_of(published(name), trials_plan(*ALL)))
        keys = [(r.measure, r.estimator, r.variance, r.analysis, r.subgroup) for r in rows]
        assert len(keys) == len(set(keys))
        assert all(math.isfinite(v) for r in rows for v in (r.estimate, r.conf_low, r.conf_high) if v is not None)


def test_each_trial_is_left_out_once_and_of_many_only_the_extremes_are_shown() -> None:
    frame = published("scared")
    left = [row for row in rows_of(data_of(frame)) if (row.subgroup or "").startswith("without=")]
    assert [row.subgroup for row in left] == [f"without={name}" for name in frame["trial_id"]]
    without = rows_of(data_of(frame.filter(pl.col("trial_id") != left[2].subgroup.removeprefix("without="))))  # type: ignore[union-attr]
    assert left[2].estimate == pytest.approx(main_row(without).estimate)
    assert left[2].n_clusters_treated == 6
    many = [row for row in rows_of(data_of(published("cbt"))) if (row.subgroup or "").startswith("without=")]
    assert len(many) == 2 < HANDFUL < 58
    assert (many[0].estimate or 0) < 0.655 < (many[1].estimate or 0)


def test_subgroups_of_trials_and_how_they_differ() -> None:
    frame = published("scared").with_columns(age=pl.Series(["young", "old", "young", "old", "old", "young", None]))
    rows = rows_of(data_of(frame, trials_plan(subgroups=["age"])))
    young, old = only(rows, subgroup="age=young"), only(rows, subgroup="age=old")
    assert young.analysis == old.analysis == "subgroup" and young.n_clusters_treated == 3
    test = only(rows, subgroup="age: interaction")
    assert (test.estimator, test.variance, test.analysis) == ("interaction", "wald", "subgroup")
    assert test.estimate == pytest.approx((old.estimate or 0) / (young.estimate or 1))
    assert (test.std_error or 0) > math.hypot(young.std_error or 0, old.std_error or 0)  # the t of few trials is in it
    assert 0.05 < (test.p_value or 0) < 1 and test.n_clusters_treated == 7
    alone = published("scared").with_columns(age=pl.Series(["young"] + ["old"] * 6))
    single = only(rows_of(data_of(alone, trials_plan(subgroups=["age"]))), subgroup="age=young")
    assert single.status == "not_estimable" and single.reason and single.reason_nl
    lost = only(rows_of(data_of(alone, trials_plan(subgroups=["age"]))), subgroup="age: interaction")
    assert lost.status == "not_estimable" and lost.reason_nl


def test_a_plan_may_name_its_outcome_and_further_measures() -> None:
    plan = trials_plan(outcomes={"return": {"measures": ["risk_ratio", "odds_ratio"], "better": "higher"}})
    rows = rows_of(data_of(published("scared"), plan))
    assert main_row(rows).outcome == "return" and main_row(rows).measure == "risk_ratio"
    assert only(rows, measure="odds_ratio", subgroup=None).analysis == "secondary"
    assert main_row(rows_of(data_of(published("scared")))).outcome == "outcome"


# -- estimates, and both kinds together --------------------------------------------------------------------------------


def logs(frame: pl.DataFrame) -> pl.DataFrame:
    """The same trials as published log odds ratios."""
    a, n1, c, n0 = (frame[name].to_numpy() for name in COUNTS)
    return trials_frame(
        trial_id=frame["trial_id"],
        measure=["odds_ratio"] * frame.height,
        estimate=np.log(a * (n0 - c) / ((n1 - a) * c)),
        std_error=np.sqrt(1 / a + 1 / (n1 - a) + 1 / c + 1 / (n0 - c)),
    )


def test_estimates_with_errors_give_what_their_counts_give() -> None:
    frame = published("scared")
    counted, given = rows_of(data_of(frame)), rows_of(data_of(logs(frame)))
    mixed = pl.concat([frame[:3], logs(frame)[3:]])
    for other in (given, rows_of(data_of(mixed))):
        assert main_row(other).estimate == pytest.approx(main_row(counted).estimate)
        assert main_row(other).conf_low == pytest.approx(main_row(counted).conf_low)
        assert main_row(other).n_treated is None
        mantel = only(other, estimator="mantel_haenszel")
        assert mantel.status == "not_estimable" and "counts" in mantel.reason
        assert not [row for row in other if row.measure == "risk_difference" or row.analysis == "unadjusted"]


@pytest.mark.parametrize("measure", ["hazard_ratio", "rate_ratio", "mean_difference"])
def test_other_measures_come_as_estimates(measure: str) -> None:
    frame = trials_frame(estimate=[-0.3, -0.1, -0.4, -0.2], std_error=[0.2, 0.15, 0.3, 0.2], measure=[measure] * 4)
    data = data_of(frame, trials_plan(measure=measure))
    row = main_row(rows_of(data))
    centre = row.estimate if measure == "mean_difference" else math.log(row.estimate or 0)
    assert row.measure == measure and -0.25 < (centre or 0) < -0.15
    assert gates_of(data)["power"].status == ("not_evaluated" if measure == "mean_difference" else "warned")
    assert gates_of(data)["heterogeneity"].status == "passed"


def test_estimates_without_a_named_measure_are_the_plans_and_others_are_refused() -> None:
    frame = logs(published("scared"))
    unnamed = frame.with_columns(measure=pl.lit(None, dtype=pl.String))
    assert main_row(rows_of(data_of(unnamed))).status == "shown"
    row = main_row(rows_of(data_of(frame.with_columns(measure=pl.lit("hazard_ratio")))))
    assert row.status == "not_estimable" and "hazard_ratio" in row.reason and "hazard_ratio" in row.reason_nl


# -- hard cases --------------------------------------------------------------------------------------------------------


def refused(frame: pl.DataFrame, word: str, **fields: Any) -> None:
    data = data_of(frame, trials_plan(**fields))
    rows = rows_of(data)
    assert [row.status for row in rows] == ["not_estimable"]
    assert rows[0].analysis == "primary" and word in rows[0].reason and rows[0].reason_nl
    found = {name: gate.status for name, gate in gates_of(data).items() if name != "looks"}
    assert set(found.values()) == {"not_evaluated"}


def test_a_trial_that_is_there_twice_is_refused() -> None:
    frame = published("scared")
    refused(pl.concat([frame, frame[:1]]), "Finkenauer")
    refused(pl.concat([frame, frame]), "more often")


def test_impossible_figures_are_refused() -> None:
    refused(few([5, 41], [6, 7]), "more events than persons")
    refused(few([-1, 4], [6, 7]), "more events than persons")
    refused(few([5, 4], [6, 7], n=0), "empty arm")
    refused(trials_frame(estimate=[0.1, 0.2], std_error=[0.1, 0.0]), "above zero")
    refused(trials_frame(trial_id=["a"], events_treated=[1.0]), "No trial has")
    refused(published("scared")[:0], "No trials")
    refused(published("scared"), "No trial has", measure="hazard_ratio")


def test_a_trial_without_its_figures_is_left_out_and_named() -> None:
    frame = published("scared").with_columns(
        n_treated=pl.when(pl.col("trial_id").str.starts_with("Lewis")).then(None).otherwise(pl.col("n_treated"))
    )
    data = data_of(frame)
    assert main_row(rows_of(data)).n_clusters_treated == 6
    gate = gates_of(data)["number_of_trials"]
    assert gate.status == "warned" and "Lewis" in gate.sentence and "Lewis" in gate.sentence_nl
    assert gate.figure == "6 trials; 1 left out"


def test_a_trial_without_events_says_nothing_of_a_ratio_and_is_told() -> None:
    data = data_of(published("sparse"), trials_plan(*ALL))
    rows = rows_of(data)
    gate = gates_of(data)["number_of_trials"]
    assert gate.figure == "8 trials; 1 left out" and "t9 (no events" in gate.sentence
    points = trial_points(data)
    assert points[8].estimate is None and points[8].weight == 0.0 and points[8].n == 61
    assert not [row for row in rows if row.subgroup == "without=t9"]
    # five of eight trials have an empty cell: 0.5 would weigh too much
    assert main_row(rows).estimator == "binomial_normal"
    assert only(rows, estimator="reml_hk", subgroup=None).analysis == "sensitivity"
    difference = only(rows, measure="risk_difference")
    assert difference.estimator == "mantel_haenszel" and difference.status == "shown"


def test_mantel_haenszel_stays_primary_where_cells_are_empty() -> None:
    rows = rows_of(data_of(published("sparse"), trials_plan("mantel_haenszel")))
    assert main_row(rows).estimator == "mantel_haenszel"
    assert only(rows, estimator="binomial_normal").analysis == "sensitivity"


def test_an_arm_without_events_has_an_upper_bound() -> None:
    rows = rows_of(data_of(few([0, 0, 0], [4, 3, 5])))
    row = main_row(rows)
    assert (row.estimator, row.estimate, row.conf_low) == ("exact_conditional", 0.0, None)
    assert 0 < (row.conf_high or 0) < 1 and row.verdict_high == row.conf_high
    for measure in ("risk_ratio", "odds_ratio"):
        other = main_row(rows_of(data_of(few([4, 3, 5], [0, 0, 0]), trials_plan(measure=measure))))
        assert other.estimate is None and other.conf_high is None and (other.conf_low or 0) > 1
    looks = trials_plan(looks={"method": "alpha_spending", "planned": 8})
    wider = main_row(rows_of(data_of(few([0, 0, 0], [4, 3, 5]), looks)))
    assert (wider.verdict_high or 0) > (row.conf_high or 0)


def test_no_events_at_all_is_said() -> None:
    data = data_of(few([0, 0, 0], [0, 0, 0]))
    row = main_row(rows_of(data))
    assert row.status == "not_estimable" and "no trial has an event" in row.reason.lower()
    assert gates_of(data)["number_of_trials"].status == "failed"


@pytest.mark.parametrize(("k", "status"), [(1, "failed"), (2, "failed"), (3, "warned"), (4, "warned"), (5, "passed")])
def test_the_number_of_trials(k: int, status: str) -> None:
    data = data_of(few([8, 9, 10, 8, 9][:k], [12, 11, 14, 13, 12][:k]))
    rows = rows_of(data)
    design_gates = gates_of(data)
    assert design_gates["number_of_trials"].status == status
    results = [gate for gate in _all_gates(data) if gate.gate == "number_of_trials"]
    shown = {row.estimator: row.status for row in apply_gates(rows, results) if row.measure == "odds_ratio"}
    assert shown["mantel_haenszel"] == ("hidden" if k == 1 else "shown")
    for prediction in ("pmm_hk_prediction", "reml_hk_prediction"):
        assert shown.get(prediction, "not_estimable") == shown["reml_hk"]
    assert shown["reml_hk"] == ("not_estimable" if k == 1 else "hidden" if k == 2 else "shown")


def _all_gates(data: Any) -> Any:
    from effectmeter.designs.registry import design_for
    from effectmeter.results import Comparability

    design = design_for(data.plan)
    return design.gates(data, Comparability(), design.estimate(data, Comparability()))


def test_two_trials_that_share_an_effect_stay_visible_to_mantel_haenszel() -> None:
    data = data_of(few([8, 9], [12, 11]), trials_plan("mantel_haenszel"))
    gates = gates_of(data)
    assert gates["number_of_trials"].status == "warned"
    assert main_row(apply_gates(rows_of(data), _all_gates(data))).status == "shown"


def test_small_trials_with_another_story_are_warned_about() -> None:
    error = np.linspace(0.05, 0.6, 14)
    frame = trials_frame(estimate=-0.1 - 1.5 * error, std_error=error)
    gate = gates_of(data_of(frame))["small_studies"]
    assert gate.status == "warned" and gate.figure.startswith("Egger")
    fair = trials_frame(estimate=-0.1 + 0.1 * (-1) ** np.arange(14), std_error=error)
    assert gates_of(data_of(fair))["small_studies"].status == "passed"
    equal = trials_frame(estimate=-0.1 + 0.1 * (-1) ** np.arange(14), std_error=[0.2] * 14)
    assert gates_of(data_of(equal))["small_studies"].status == "not_evaluated"


def test_more_good_news_than_trials_of_this_size_can_bring_is_warned_about() -> None:
    """Twenty small trials without any effect, of which those were published that came out well."""
    error = np.r_[np.full(4, 0.08), np.linspace(0.38, 0.42, 16)]
    z = np.r_[0.3, -0.5, 0.2, 0.1, np.tile([-1.75, -1.8, -2.0, 0.9], 4)]
    found = gates_of(data_of(trials_frame(estimate=z * error, std_error=error)))["small_studies"]
    assert found.status == "warned" and "in favour at 5 %: 12 where" in found.figure
    fair = np.r_[0.3, -0.5, 0.2, 0.1, np.tile([-1.3, 1.1, -0.6, 0.9], 4)]
    assert gates_of(data_of(trials_frame(estimate=fair * error, std_error=error)))["small_studies"].status == "passed"
    plan = trials_plan(outcomes={"school": {"measures": ["odds_ratio"], "better": "higher"}})
    upwards = gates_of(data_of(trials_frame(estimate=-z * error, std_error=error), plan))["small_studies"]
    assert upwards.status == "warned" and "12 where" in upwards.figure


def test_more_trials_settle_a_mean_and_not_a_next_place() -> None:
    data = data_of(few([4, 30, 5, 28, 6], [25, 6, 30, 5, 26]))
    gate = gates_of(data)["power"]
    assert gates_of(data)["heterogeneity"].status == "warned" and main_row(rows_of(data)).variance == "prediction"
    assert "settle their mean, not what a next place may see" in gate.sentence
    assert "Een volgende plek blijft onzeker" in gate.sentence_nl


def test_power_counts_in_trials() -> None:
    gate = gates_of(data_of(few([8, 9, 10, 8, 9], [9, 10, 11, 9, 8])))["power"]
    assert gate.status == "warned" and "more trials" in gate.sentence and "studies" in gate.sentence_nl


@pytest.mark.parametrize("name", ["scared", "cbt", "sparse"])
def test_swapped_arms_and_another_order_change_nothing_else(name: str) -> None:
    frame = published(name)
    other = dict(zip(COUNTS, (COUNTS[2], COUNTS[3], COUNTS[0], COUNTS[1]), strict=True))
    turned = frame.rename(other).select(frame.columns).reverse()
    before = rows_of(data_of(frame, trials_plan(*ALL)), scope="verdict")
    after = rows_of(data_of(turned, trials_plan(*ALL)), scope="verdict")
    for one, two in zip(before, after, strict=True):
        rel = 1e-5 if one.variance == "profile" else 1e-10
        assert one.estimate == pytest.approx(1 / (two.estimate or 1), rel=rel)
        assert one.conf_low == pytest.approx(1 / (two.conf_high or 1), rel=rel)
        assert (one.analysis, one.estimator, one.variance) == (two.analysis, two.estimator, two.variance)
        assert one.n_treated == two.n_comparison


def test_points_for_pictures() -> None:
    points = trial_points(data_of(published("scared")))
    assert points[0].trial == "Finkenauer (1982)"
    assert points[0].estimate == pytest.approx(5.4537, abs=1e-4)
    assert points[0].low == pytest.approx(1.6503, abs=1e-4) and points[0].high == pytest.approx(18.0224, abs=1e-3)
    assert sum(point.weight for point in points) == pytest.approx(1)
    assert points[0].n == 81 and points[0].std_error == pytest.approx(0.60986, abs=1e-5)
    given = trial_points(
        data_of(trials_frame(estimate=[0.1, 0.3], std_error=[0.1, 0.2]), trials_plan(measure="mean_difference"))
    )
    assert given[0].n is None and given[0].estimate == 0.1
    assert trial_points(data_of(published("scared")[:0])) == ()
