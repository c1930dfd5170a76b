"""Where area data run out: no events, no comparison, one start, gaps, lone areas, clusters, rings without dates."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import date
from typing import Any

import numpy as np
import polars as pl
import pytest
from area_frames import area_plan, counted, frames, study

from effectmeter.designs.base import AnalysisData
from effectmeter.designs.staggered_areas import StaggeredAreas
from effectmeter.estimators.base import EstimationError
from effectmeter.estimators.calibration import calibrate
from effectmeter.estimators.calibration_permutation import DealtPart, deal
from effectmeter.estimators.group_time import group_time
from effectmeter.estimators.group_time_panel import Panel
from effectmeter.estimators.group_time_permutation import coefficients, permutation
from effectmeter.results import EffectRow

DESIGN = StaggeredAreas()
ESTIMATORS: tuple[dict[str, Any], ...] = (
    {},
    {"comparison": "never_treated"},
    {"estimator": "poisson_fe"},
    {"estimator": "twoway_fe"},
    {"comparison": "calibrated"},
)


def rows_of(data: AnalysisData, scope: str = "all") -> tuple[EffectRow, ...]:
    """Every row, held to what holds for all."""
    rows = DESIGN.estimate(data, DESIGN.compare(data), scope)  # type: ignore[arg-type]
    keys = [(r.outcome, r.measure, r.estimator, r.variance, r.analysis, r.subgroup) for r in rows]
    assert len(keys) == len(set(keys))
    assert [row.analysis for row in rows].count("primary") == 1
    assert rows[0].analysis == "primary"
    for row in rows:
        numbers = (row.estimate, row.conf_low, row.conf_high, row.std_error, row.p_value, row.verdict_low)
        assert all(number is None or math.isfinite(number) for number in numbers)
        assert (row.status == "not_estimable") == bool(row.reason)
        assert bool(row.reason) == bool(row.reason_nl)
        if row.status == "shown":
            assert row.conf_low is not None or row.conf_high is not None
    for gate in DESIGN.gates(data, DESIGN.compare(data), rows):
        assert gate.sentence and gate.sentence_nl and gate.figure
    return rows


def data_of(start: np.ndarray, counts: np.ndarray, areas: dict[str, Any] | None = None, **more: Any) -> AnalysisData:
    plan = area_plan(
        areas=areas or {}, **{key: more.pop(key) for key in ("variance", "subgroups", "cluster") if key in more}
    )
    return study(plan, frames(start, {"crime": ("count", counts)}, **more))


@pytest.mark.parametrize("options", ESTIMATORS)
def test_every_estimator_finds_what_was_planted(options: dict[str, Any]) -> None:
    start, counts = counted(n_treated=30, n_comparison=60, level=40.0, ratio=0.6, length=10, cohorts=(5,))
    rows = rows_of(data_of(start, counts, options))
    main = rows[0]
    assert main.conf_low is not None and main.conf_high is not None
    assert main.conf_low < 0.6 < main.conf_high
    assert main.conf_high < 0.85
    percent = next(row for row in rows if row.measure == "percent_change" and row.analysis == "secondary")
    assert percent.estimate == pytest.approx(100 * ((main.estimate or 0) - 1))
    assert percent.conf_high == pytest.approx(100 * (main.conf_high - 1))


@pytest.mark.parametrize("options", ESTIMATORS)
def test_no_events_among_the_treated_give_an_upper_bound(options: dict[str, Any]) -> None:
    start, counts = counted(n_treated=20, n_comparison=30, level=3.0, cohorts=(6,))
    counts[:20, 6:] = 0.0
    main = rows_of(data_of(start, counts, options))[0]
    if options.get("estimator") == "twoway_fe":
        assert main.status in {"shown", "not_estimable"}
    if main.status == "shown":
        assert main.conf_low is None or main.conf_low >= 0.0
        assert main.conf_high is not None and main.conf_high < 0.6


@pytest.mark.parametrize("options", ESTIMATORS)
@pytest.mark.parametrize("empty", ["everywhere", "before", "comparison"])
def test_no_events_elsewhere_never_crash(options: dict[str, Any], empty: str) -> None:
    start, counts = counted(n_treated=12, n_comparison=14, level=2.0, cohorts=(6,))
    if empty == "everywhere":
        counts[:] = 0.0
    elif empty == "before":
        counts[:, :6] = 0.0
    else:
        counts[12:] = 0.0
    rows_of(data_of(start, counts, options))


def test_one_start_for_all_areas_says_why() -> None:
    start, counts = counted(n_treated=20, n_comparison=0, cohorts=(6,))
    main = rows_of(data_of(start, counts))[0]
    assert main.status == "not_estimable"
    assert "same period" in main.reason and "tegelijk" in main.reason_nl


def test_nothing_before_the_start_says_why() -> None:
    start, counts = counted(n_treated=20, n_comparison=20, cohorts=(0,))
    assert "before the start" in rows_of(data_of(start, counts))[0].reason
    assert "No counts" in rows_of(study(area_plan(), frames(start, {"other": ("count", counts)})))[0].reason


def test_an_unknown_population_before_the_start_is_named() -> None:
    start, counts = counted(n_treated=6, n_comparison=8)
    population = np.full(counts.shape, 1000.0)
    population[np.isfinite(start), : int(np.nanmin(start))] = np.nan
    start = np.where(np.isfinite(start), np.nanmin(start), np.nan)
    found = rows_of(data_of(start, counts, population=population))[0]
    assert found.status == "not_estimable" and "population" in found.reason and "inwoners" in found.reason_nl


def test_all_areas_start_in_the_end() -> None:
    start, counts = counted(n_treated=40, n_comparison=0, cohorts=(4, 6, 8), level=30.0)
    main = rows_of(data_of(start, counts))[0]
    assert main.status == "shown"
    assert (main.n_treated, main.n_comparison) == (40, 26)
    never = rows_of(data_of(start, counts, {"comparison": "never_treated"}))[0]
    assert never.status == "not_estimable"
    assert rows_of(data_of(start, counts, {"comparison": "calibrated"}))[0].status == "not_estimable"


def test_areas_that_had_started_are_left_out_and_counted() -> None:
    start, counts = counted(n_treated=30, n_comparison=30)
    early = start.copy()
    early[:3] = 0
    data = data_of(early, counts)
    assert rows_of(data)[0].n_treated == 27
    gate = next(g for g in DESIGN.gates(data, DESIGN.compare(data), rows_of(data)) if g.gate == "clusters")
    assert "3 areas had started" in gate.sentence


def test_two_way_effects_keep_areas_that_had_started() -> None:
    """As published panels do: the coefficient of least squares with an indicator per area and period, on all rows."""
    import statsmodels.api as sm

    rng = np.random.default_rng(7)
    start = np.array([0.0] * 3 + [3.0] * 4 + [5.0] * 4 + [np.nan] * 6)
    values = rng.normal(10.0, 1.0, (len(start), 8)) + np.arange(8)
    plan = area_plan({"index": {"measures": ["mean_difference"]}}, areas={"estimator": "twoway_fe"})
    data = study(plan, frames(start, {"index": ("value", values)}))
    found = rows_of(data)[0]
    area, period = (each.ravel() for each in np.indices(values.shape))
    treated = (np.arange(8)[None, :] >= np.nan_to_num(start, nan=np.inf)[:, None]).ravel().astype(float)
    X = np.column_stack([treated, np.eye(len(start))[area], np.eye(8)[period][:, 1:]])
    assert found.estimate == pytest.approx(float(sm.OLS(values.ravel(), X).fit().params[0]), rel=1e-9)
    assert (found.n_treated, found.n_comparison) == (11, 14)  # areas that start later serve until they do
    clusters = next(gate for gate in DESIGN.gates(data, DESIGN.compare(data), (found,)) if gate.gate == "clusters")
    assert "3 areas had started" in clusters.sentence and "left out" not in clusters.sentence


def test_a_start_after_the_last_period_is_never() -> None:
    start, counts = counted(n_treated=30, n_comparison=30)
    late = np.where(np.isnan(start) & (np.arange(60) < 40), 99, start)
    assert rows_of(data_of(late, counts))[0].estimate == pytest.approx(rows_of(data_of(start, counts))[0].estimate)


def test_gaps_are_used_where_they_can_be() -> None:
    start, counts = counted(n_treated=24, n_comparison=40, level=30.0)
    gaps = counts.copy()
    gaps[3, 2] = gaps[30, 9] = gaps[50, 0] = np.nan
    for options in ESTIMATORS:
        whole, holed = (rows_of(data_of(start, y, options), "verdict")[0] for y in (counts, gaps))
        assert holed.estimate == pytest.approx(whole.estimate, rel=0.15)


def test_periods_left_out_stay_gaps() -> None:
    start, counts = counted(level=30.0)
    kept = np.array([0, 1, 2, 3, 4, 6, 7, 8, 9, 10, 11])
    labels = [f"2020-{t + 1:02d}" for t in kept]
    data = study(area_plan(), frames(start, {"crime": ("count", counts[:, kept])}, periods=kept, labels=labels))
    rows = rows_of(data)
    times = {row.subgroup for row in rows if row.analysis == "event_study"}
    assert {"event_time=0", "event_time=6", "event_time=-2"} <= times
    assert rows[0].status == "shown"


def test_cohorts_of_single_areas_have_an_error() -> None:
    start, counts = counted(n_treated=8, n_comparison=40, length=16, cohorts=tuple(range(4, 12)), level=40.0)
    main = rows_of(data_of(start, counts))[0]
    assert main.std_error is not None and main.std_error > 0.02
    alone = [row for row in rows_of(data_of(start, counts)) if (row.subgroup or "").startswith("cohort=2016")]
    assert alone and all(row.status == "not_estimable" for row in alone)


def test_clusters_of_areas_widen_the_interval() -> None:
    rng = np.random.default_rng(4)
    start, counts = counted(n_treated=40, n_comparison=80, level=40.0, cohorts=(6,))
    shared = np.repeat(rng.normal(0, 0.2, 30), 4)[:, None] * (np.arange(12) >= 6)[None, :]
    counts = np.round(counts * np.exp(shared))
    cluster = [f"c{number // 4}" for number in range(120)]
    data = data_of(start, counts, {"estimator": "poisson_fe"})
    clustered = replace(
        data,
        units={**data.units, "areas": data.units["areas"].with_columns(cluster=pl.Series(cluster))},
    )
    own, together = rows_of(data, "verdict")[0], rows_of(clustered, "verdict")[0]
    assert together.estimate == pytest.approx(own.estimate)
    assert (together.std_error or 0) > 1.3 * (own.std_error or 0)
    assert (together.n_clusters_treated, together.n_clusters_comparison) == (10, 20)


def test_population_makes_rates_and_years() -> None:
    start, counts = counted(level=30.0)
    population = np.full(counts.shape, 2000.0)
    with_people = rows_of(data_of(start, counts, population=population))
    without = rows_of(data_of(start, counts))
    assert with_people[0].estimate == pytest.approx(without[0].estimate)
    difference = [next(r for r in rows if r.measure == "rate_difference") for rows in (with_people, without)]
    assert (difference[0].estimate or 0) * 2000 == pytest.approx(difference[1].estimate)
    periods = int((np.arange(12)[None, :] >= np.where(np.isnan(start), 99, start)[:, None]).sum())
    assert with_people[0].person_years_treated == pytest.approx(periods * 2000 / 4)
    assert without[0].person_years_treated is None


def test_values_by_every_estimator() -> None:
    start, counts = counted(n_treated=30, n_comparison=40, level=30.0, cohorts=(6,))
    for options in ESTIMATORS:
        plan = area_plan({"score": {"measures": ["mean_difference", "rate_ratio"]}}, areas=options)
        rows = rows_of(study(plan, frames(start, {"score": ("value", counts / 3)})))
        if options.get("estimator") == "poisson_fe":
            assert rows[0].status == "not_estimable" and "counts" in rows[0].reason
        else:
            assert rows[0].measure == "mean_difference" and (rows[0].estimate or 0) < 0
            assert rows[0].events_treated is None


def rings(dated: bool, several: bool) -> tuple[np.ndarray, dict[str, Any], np.ndarray]:
    cohorts = (5, 7) if several else (6,)
    start, counts = counted(n_treated=20, n_comparison=80, level=30.0, cohorts=cohorts, seed=6)
    ring = np.where(np.arange(100) < 20, 0.0, np.nan)
    ring[20:40], ring[40:60] = 1, 2
    counts[20:40, 6:] = np.round(counts[20:40, 6:] * 1.4)
    if dated:
        start = start.copy()
        start[20:60] = 6
    return start, {"ring": ring}, counts


@pytest.mark.parametrize("estimator", ["callaway_santanna", "poisson_fe", "twoway_fe"])
def test_rings_show_spill_over_and_do_not_compare(estimator: str) -> None:
    for dated, several in ((False, False), (True, True)):
        start, ring, counts = rings(dated, several)
        data = data_of(start, counts, {"estimator": estimator, "ring": "ring"}, **ring)
        rows = rows_of(data)
        first = next(r for r in rows if r.subgroup == "ring=1" and r.measure == "rate_ratio")
        second = next(r for r in rows if r.subgroup == "ring=2" and r.measure == "rate_ratio")
        assert (first.conf_low or 0) > 1.1
        assert second.conf_low is not None and second.conf_high is not None and second.conf_low < 1 < second.conf_high
        assert rows[0].conf_high is not None and rows[0].conf_high < 0.9
        gate = next(g for g in DESIGN.gates(data, DESIGN.compare(data), rows) if g.gate == "spill_over")
        assert gate.status == "warned" and "next door" in gate.sentence
        if estimator == "twoway_fe":
            assert {"rings_entered=0", "rings_entered=1"} <= {row.subgroup for row in rows}


def test_rings_without_dates_among_several_starts_are_not_guessed() -> None:
    start, ring, counts = rings(dated=False, several=True)
    for estimator in ("callaway_santanna", "twoway_fe"):
        data = data_of(start, counts, {"estimator": estimator, "ring": "ring"}, **ring)
        rows = rows_of(data)
        assert all(r.status == "not_estimable" for r in rows if (r.subgroup or "").startswith("ring="))
        gate = next(g for g in DESIGN.gates(data, DESIGN.compare(data), rows) if g.gate == "spill_over")
        assert gate.status == "not_evaluated"


def test_other_errors_and_subgroups() -> None:
    start, counts = counted(n_treated=40, n_comparison=60, level=30.0)
    kind = ["city" if number % 2 else "village" for number in range(100)]
    for estimator, variances in (("twoway_fe", ["hc1", "hc3", "cr1", "model"]), ("poisson_fe", ["cr0", "hc1"])):
        plan = area_plan(areas={"estimator": estimator}, variance=variances, subgroups=["kind"])
        rows = rows_of(study(plan, frames(start, {"crime": ("count", counts)}, kind=kind)))
        assert set(variances) <= {row.variance for row in rows}
        assert {"kind=city", "kind=village"} <= {row.subgroup for row in rows}


def test_swapped_signs_and_duplicated_areas() -> None:
    start, counts = counted(level=30.0)
    ids = [f"x{number}" for number in range(2 * len(start))]
    once = rows_of(data_of(start, counts, {"estimator": "poisson_fe"}), "verdict")[0]
    twice = rows_of(
        data_of(np.tile(start, 2), np.tile(counts, (2, 1)), {"estimator": "poisson_fe"}, ids=ids), "verdict"
    )[0]
    assert twice.estimate == pytest.approx(once.estimate, rel=1e-9)
    assert (twice.std_error or 0) * math.sqrt(2) == pytest.approx(once.std_error, rel=0.03)


# ---- estimators on their own


def simple_panel(seed: int = 3) -> Panel:
    rng = np.random.default_rng(seed)
    start = np.where(np.arange(40) < 15, rng.integers(4, 8, 40), np.inf).astype(float)
    return Panel(
        y=rng.normal(size=(40, 10)) - 1.5 * (np.arange(10)[None, :] >= start[:, None]),
        start=start,
        periods=np.arange(10.0),
        cluster=np.arange(40),
        X=np.empty((40, 0)),
    )


def test_permutation_rests_on_the_same_estimate() -> None:
    panel = simple_panel()
    by_cohort, label = coefficients(panel)
    att = group_time(panel).overall("simple").att
    assert float((panel.y * by_cohort[label]).sum()) == pytest.approx(att, rel=1e-12)
    found = permutation(panel)
    assert found.value == pytest.approx(att)
    assert found.low is not None and found.high is not None and found.low < -1.5 < found.high
    assert (found.p_value or 1) < 0.05
    wald = group_time(panel).overall("simple").difference()
    assert (found.high - found.low) == pytest.approx((wald.high or 0) - (wald.low or 0), rel=0.3)


def deals_of(rng: np.random.Generator, ratio: float, n_treated: int = 12, n: int = 60) -> DealtPart:
    """Areas with a level of their own, the treated ones somewhat higher, and what they count afterwards."""
    level = rng.normal(6.0, 0.3, n) + 0.1 * (np.arange(n) < n_treated)
    past = rng.poisson(np.exp(level)[:, None], (n, 4)).astype(float)
    total = rng.poisson(5 * np.exp(level) * np.where(np.arange(n) < n_treated, ratio, 1.0)).astype(float)
    weight = calibrate(past[:n_treated], past[n_treated:]).weight
    return DealtPart(n_treated=n_treated, variables=past, total=total, weight=weight)


def test_weighted_areas_are_dealt_anew_with_their_weights() -> None:
    part = deals_of(np.random.default_rng(21), 0.6)
    found = deal([part]).estimate()
    ratio = part.total[:12].sum() / (part.weight @ part.total[12:])
    assert found.value == pytest.approx(ratio, rel=1e-12)
    assert found.low is not None and found.high is not None and 0.5 < found.low < 0.6 < found.high < 0.7
    assert (found.p_value or 1) < 0.01
    assert deal([part]).estimate() == found
    with pytest.raises(EstimationError, match="too few areas"):
        deal([DealtPart(n_treated=12, variables=part.variables[:13], total=part.total[:13], weight=np.array([12.0]))])


def test_dealing_weighted_areas_anew_holds_its_level() -> None:
    rng = np.random.default_rng(22)
    p = [deal([deals_of(rng, 1.0)]).p_value(0.0) for _ in range(20)]
    assert sum(value <= 0.05 for value in p) <= 4 and 0.25 < float(np.mean(p)) < 0.75


def test_the_permutation_beside_calibrated_areas_is_of_calibrated_areas() -> None:
    start, counts = counted(n_treated=15, n_comparison=60, cohorts=(6,), level=30.0)
    rows = rows_of(data_of(start, counts, {"comparison": "calibrated"}))
    (dealt,) = [row for row in rows if row.estimator == "permutation" and row.measure == rows[0].measure]
    assert rows[0].estimator == "calibrated" and dealt.status == "shown"
    assert dealt.estimate == pytest.approx(rows[0].estimate, rel=1e-9)


def test_leaving_out_a_cluster_is_what_the_error_says() -> None:
    panel = simple_panel(5)
    full = group_time(panel).overall("simple")
    gaps = [full.att - group_time(panel.keep(np.arange(40) != area)).overall("simple").att for area in range(40)]
    assert full.att_shares.std_error == pytest.approx(math.sqrt(sum(gap**2 for gap in gaps)), rel=0.02)


def test_calibration_reproduces_or_says_that_it_cannot() -> None:
    rng = np.random.default_rng(2)
    treated, comparison = rng.normal(0.3, 1, (10, 4)), rng.normal(0, 1, (300, 4))
    found = calibrate(treated, comparison)
    assert found.is_exact and found.weight.min() >= 0.0
    assert found.weight @ comparison == pytest.approx(treated.sum(axis=0))
    assert found.weight.sum() == pytest.approx(10)
    far = calibrate(treated + 50.0, comparison)
    assert not far.is_exact and np.isfinite(far.weight).all() and far.weight.min() >= 0.0
    again = calibrate(np.column_stack([treated, treated[:, 0]]), np.column_stack([comparison, comparison[:, 0]]))
    assert again.weight == pytest.approx(found.weight, abs=1e-6)
    with pytest.raises(EstimationError):
        calibrate(treated[:0], comparison)


def test_a_difference_is_per_inhabitant_whatever_the_estimator() -> None:
    rng = np.random.default_rng(8)
    start = np.where(np.arange(60) < 25, 6.0, np.nan)
    population = np.repeat(rng.integers(2_000, 9_000, 60).astype(float)[:, None], 10, axis=1)
    late = (np.arange(10) >= 6) & (np.arange(60) < 25)[:, None]
    counts = rng.poisson(0.01 * population * np.where(late, 0.5, 1.0)).astype(float)
    for options in ({"comparison": "calibrated"}, {"comparison": "never_treated"}):
        rows = rows_of(data_of(start, counts, options, population=population))
        found = next(row for row in rows if row.measure == "rate_difference" and row.analysis == "secondary")
        assert found.estimate == pytest.approx(-0.005, abs=0.001), options


@pytest.mark.parametrize("options", ESTIMATORS)
def test_event_times_say_how_many_areas_contribute(options: dict[str, Any]) -> None:
    start, counts = counted(n_treated=24, n_comparison=40, level=30.0)
    rows = [row for row in rows_of(data_of(start, counts, options)) if row.analysis == "event_study"]
    last = max(rows, key=lambda row: int((row.subgroup or "").partition("=")[2]))
    first = next(row for row in rows if row.subgroup == "event_time=0")
    assert rows and all(row.n_treated and row.n_comparison for row in rows if row.status == "shown")
    assert first.n_treated == 24 and (last.n_treated or 99) < 24  # only who started first is followed longest
    if options.get("comparison") == "never_treated":
        assert {row.n_comparison for row in rows} == {40}


def test_a_gap_takes_an_area_out_of_its_event_time() -> None:
    start, counts = counted(n_treated=24, n_comparison=40, level=30.0, cohorts=(6,))
    counts[int(np.flatnonzero(start == 6)[0]), 6] = np.nan
    rows = rows_of(data_of(start, counts))
    at = {row.subgroup: row.n_treated for row in rows if row.analysis == "event_study"}
    assert (at["event_time=0"], at["event_time=1"]) == (23, 24)


def test_where_every_area_starts_the_refusal_names_the_way_out() -> None:
    start, counts = counted(n_treated=30, n_comparison=0, level=30.0)
    refused = rows_of(data_of(start, counts, {"comparison": "never_treated"}), "verdict")[0]
    assert refused.status == "not_estimable"
    assert "not_yet_treated" in refused.reason and "not_yet_treated" in refused.reason_nl
    assert rows_of(data_of(start, counts), "verdict")[0].status == "shown"
    at_once = np.where(np.isfinite(start), 6.0, start)
    refused = rows_of(data_of(at_once, counts, {"comparison": "never_treated"}), "verdict")[0]
    assert "not_yet_treated" not in refused.reason and "areas without the programme" in refused.reason


@pytest.mark.parametrize(("comparison", "is_named"), [("never_treated", True), ("not_yet_treated", False)])
def test_a_delivery_without_areas_that_never_start_is_told_the_way_out(comparison: str, is_named: bool) -> None:
    from expectations.landing_units import areas_rules

    rules = list(areas_rules(area_plan(areas={"comparison": comparison}), date(2026, 9, 30)))
    (spec,) = (rule.spec for rule in rules if rule.spec.name == "areas_treated_and_comparison")
    assert ("not_yet_treated" in spec.advice_en) == ("not_yet_treated" in spec.advice_nl) == is_named
