"""The design with one series and one start: its rows, its edges, its gates, its picture."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import polars as pl
import pytest
from series_frames import label_of, monthly, series_data, series_frame, series_plan

from effectmeter.designs.base import AnalysisData
from effectmeter.designs.interrupted_series import InterruptedSeries
from effectmeter.designs.series_points import series_points
from effectmeter.gates import series as gates_of_series
from effectmeter.results import Comparability, EffectRow, GateResult

DESIGN = InterruptedSeries()


def rng(seed: int) -> np.random.Generator:
    return np.random.default_rng([20260101, seed])


def run(data: AnalysisData, scope: Any = "all") -> tuple[EffectRow, ...]:
    return DESIGN.estimate(data, Comparability(), scope)


def one(rows: tuple[EffectRow, ...], **wanted: Any) -> EffectRow:
    (row,) = [row for row in rows if all(getattr(row, key) == value for key, value in wanted.items())]
    return row


def gates(data: AnalysisData) -> dict[str, GateResult]:
    return {gate.gate: gate for gate in DESIGN.gates(data, Comparability(), run(data, "verdict"))}


def all_finite_or_explained(rows: tuple[EffectRow, ...]) -> None:
    """No infinity, no NaN, no silence, and no two rows for the same thing."""
    keys = [(r.outcome, r.measure, r.estimator, r.variance, r.analysis, r.subgroup) for r in rows]
    assert len(keys) == len(set(keys))
    for row in rows:
        numbers = [row.estimate, row.conf_low, row.conf_high, row.std_error, row.p_value, row.verdict_low]
        assert all(number is None or math.isfinite(number) for number in numbers)
        has_bound = row.conf_low is not None or row.conf_high is not None
        assert row.estimate is not None or has_bound or (row.reason and row.reason_nl)


def test_a_planted_fall_is_found_and_stands_first() -> None:
    rows = run(series_data(series_plan(), series_frame(monthly(rng(1), 96, start=48, ratio=0.6), start=48)))
    all_finite_or_explained(rows)
    primary = rows[0]
    assert [row.analysis for row in rows].count("primary") == 1
    assert (primary.measure, primary.estimator, primary.variance) == ("level_ratio", "quasi_poisson", "ar1")
    assert primary.conf_low and primary.conf_high and primary.conf_low < 0.6 < primary.conf_high < 0.8
    assert (primary.n_treated, primary.n_comparison) == (48, 48)
    percent = one(rows, measure="percent_change", analysis="secondary")
    assert primary.estimate and percent.estimate == pytest.approx(100 * (primary.estimate - 1))
    assert percent.conf_low == pytest.approx(100 * (primary.conf_low - 1))
    one(rows, analysis="sensitivity", estimator="quasi_poisson", variance="model", subgroup=None)
    one(rows, analysis="unadjusted")
    subgroups = {row.subgroup for row in rows if row.analysis == "sensitivity"}
    assert {"trend=none", "harmonics=0", "harmonics=3", "wash_in=1", "wash_in=3"} <= subgroups
    assert "harmonics=2" not in subgroups


def test_looks_widen_the_percentage_as_its_ratio() -> None:
    plan = series_plan(looks={"method": "confidence_sequence", "planned": 8})
    rows = run(series_data(plan, series_frame(monthly(rng(2), ratio=0.7))))
    primary, percent = rows[0], one(rows, measure="percent_change", analysis="secondary")
    assert primary.verdict_low and primary.conf_low and primary.verdict_low < primary.conf_low
    assert percent.verdict_low == pytest.approx(100 * (primary.verdict_low - 1), rel=1e-6)


def test_the_verdict_needs_only_few_rows() -> None:
    data = series_data(series_plan(), series_frame(monthly(rng(3), ratio=0.7)))
    few, every = run(data, "verdict"), run(data)
    assert {row.analysis for row in few} == {"primary", "placebo"}
    assert all(row in every for row in few)


def test_a_jump_and_a_bend_and_what_they_amount_to() -> None:
    plan = series_plan(48, series={"effect": "level_and_slope"})
    y = monthly(rng(4), 96, start=48, mean=300, ratio=0.9, slope=0.98)
    rows = run(series_data(plan, series_frame(y, start=48)))
    all_finite_or_explained(rows)
    slope = one(rows, measure="slope_ratio", analysis="secondary")
    assert slope.conf_low and slope.conf_high and slope.conf_low < 0.98 < slope.conf_high < 1
    whole = one(rows, measure="rate_ratio", subgroup="aggregation=whole_period")
    last = one(rows, measure="rate_ratio", subgroup="aggregation=last_period")
    truth = 0.9 * np.mean(0.98 ** np.arange(48))
    assert whole.conf_low and whole.conf_high and whole.conf_low < truth < whole.conf_high
    assert last.conf_low and last.conf_high and last.conf_low < 0.9 * 0.98**47 < last.conf_high
    assert last.estimate and whole.estimate and last.estimate < whole.estimate
    one(rows, measure="slope_ratio", variance="model", subgroup=None)


def test_a_slope_that_the_plan_does_not_allow_says_what_to_change() -> None:
    plan = series_plan(outcomes={"fraud": {"measures": ["level_ratio", "slope_ratio"]}})
    row = one(run(series_data(plan, series_frame(monthly(rng(5))))), measure="slope_ratio")
    assert row.status == "not_estimable" and "level_and_slope" in row.reason and "level_and_slope" in row.reason_nl


@pytest.mark.parametrize("measures", [["rate_ratio"], ["percent_change"], ["percent_change", "rate_ratio"]])
def test_other_names_for_the_same_jump(measures: list[str]) -> None:
    y = series_frame(monthly(rng(6), ratio=0.7))
    level = run(series_data(series_plan(), y))[0]
    rows = run(series_data(series_plan(outcomes={"fraud": {"measures": measures}}), y))
    all_finite_or_explained(rows)
    assert rows[0].analysis == "primary" and rows[0].estimate == pytest.approx(level.estimate)
    percent = one(rows, measure="percent_change", analysis="secondary")
    assert level.estimate and percent.estimate == pytest.approx(100 * (level.estimate - 1))


def test_a_control_takes_out_what_moved_both() -> None:
    rng_ = rng(7)
    shared = np.where(np.arange(96) >= 48, -0.4, 0.0) + rng_.normal(0, 0.15, 96)
    treated = monthly(rng_, 96, start=48, mean=200, shared=shared)
    control = monthly(rng_, 96, start=48, mean=300, shared=shared)
    data = series_data(
        series_plan(48), series_frame(treated, start=48), series_frame(control, start=48, is_control=True)
    )
    rows = run(data)
    all_finite_or_explained(rows)
    primary = rows[0]
    alone = one(rows, subgroup="control=none", variance="ar1")
    assert primary.estimator == "conditional_poisson" and alone.estimator == "quasi_poisson"
    assert primary.conf_low and primary.conf_high and primary.conf_low < 1 < primary.conf_high
    assert alone.conf_high and alone.conf_high < 1
    assert primary.std_error and alone.std_error and primary.std_error < 0.7 * alone.std_error
    assert gates(data)["control_series"].status == "warned"  # the control fell as well
    assert one(rows, subgroup="series=control").analysis == "negative_control"


def test_a_control_with_gaps_is_set_against_the_periods_that_both_have() -> None:
    frame, control = series_frame(monthly(rng(8), ratio=0.6)), series_frame(monthly(rng(9)), is_control=True)
    with_gaps = control.filter(~pl.col("period").is_in([3, 4, 20, 50]))
    rows = run(series_data(series_plan(), frame, with_gaps))
    assert (rows[0].n_treated, rows[0].n_comparison) == (23, 33)
    assert one(rows, subgroup="control=none", variance="ar1").n_comparison == 36
    assert rows[0].conf_high and rows[0].conf_high < 0.9


@pytest.mark.parametrize("how", ["too short", "empty", "only before"])
def test_a_control_that_cannot_be_used_is_left_out_and_said(how: str) -> None:
    count = np.zeros(60) if how == "empty" else monthly(rng(10))
    control = series_frame(count, is_control=True)
    keep = {"too short": pl.col("period").is_in([34, 35, 36, 37]), "empty": pl.lit(value=True)}
    control = control.filter(keep.get(how, pl.col("period") < 36))
    data = series_data(series_plan(), series_frame(monthly(rng(11), ratio=0.7)), control)
    rows = run(data)
    all_finite_or_explained(rows)
    assert rows[0].estimator == "quasi_poisson" and rows[0].status == "shown"
    assert gates(data)["control_series"].status == "warned"


def test_missing_months_do_not_matter_and_order_neither() -> None:
    whole = series_frame(monthly(rng(12), 96, start=48, ratio=0.6), start=48)
    gappy = whole.filter(~pl.col("period").is_in([5, 6, 7, 30, 60, 61]))
    row = run(series_data(series_plan(48), gappy))[0]
    assert row.conf_low and row.conf_high and row.conf_low < 0.6 < row.conf_high
    assert (row.n_treated, row.n_comparison) == (46, 44)
    shuffled = gappy.sample(fraction=1.0, shuffle=True, seed=3)
    assert run(series_data(series_plan(48), shuffled)) == run(series_data(series_plan(48), gappy))


def test_missing_counts_and_populations_are_gaps() -> None:
    frame = series_frame(monthly(rng(13)), population=np.full(60, 1e5))
    holes = frame.with_columns(
        count=pl.when(pl.col("period") == 3).then(None).otherwise("count"),
        population=pl.when(pl.col("period").is_in([10, 40])).then(None).otherwise("population"),
    )
    rows = run(series_data(series_plan(), holes))
    assert (rows[0].n_treated, rows[0].n_comparison) == (23, 34)
    assert rows[0].person_years_comparison == pytest.approx(34 * 1e5 / 12)


def test_the_population_is_an_offset() -> None:
    population = np.where(np.arange(60) >= 36, 2e5, 1e5)
    y = monthly(rng(14), mean=100) * population / 1e5
    row = run(series_data(series_plan(), series_frame(y, population=population)))[0]
    without = run(series_data(series_plan(), series_frame(y)))[0]
    assert row.conf_low and row.conf_high and row.conf_low < 1 < row.conf_high
    assert row.estimate and without.estimate == pytest.approx(2 * row.estimate, rel=0.02)


@pytest.mark.parametrize("n_after", [0, 1, 4])
@pytest.mark.parametrize("controlled", [False, True])
@pytest.mark.parametrize("effect", ["level", "level_and_slope"])
def test_hardly_anything_after_the_start_gives_a_bound(n_after: int, controlled: bool, effect: str) -> None:
    y = monthly(rng(15), mean=10)
    y[36:] = 0
    y[40 : 40 + n_after] = 1
    frames = [series_frame(y)] + ([series_frame(monthly(rng(16)), is_control=True)] if controlled else [])
    data = series_data(series_plan(series={"effect": effect}), *frames)
    rows = run(data)
    all_finite_or_explained(rows)
    primary = rows[0]
    assert (primary.estimator, primary.variance, primary.status) == ("quasi_score", "score", "shown")
    assert primary.conf_high and primary.conf_high < 0.3
    assert (primary.conf_low is None) == (n_after == 0) and (primary.estimate == 0) == (n_after == 0)
    expected = n_after / (10 * 24)
    assert primary.conf_high > expected
    assert gates(data)["power"].status in {"not_evaluated", "passed"}


def test_a_series_of_zeros_and_one_without_a_past_say_so() -> None:
    for count in (np.zeros(60), np.where(np.arange(60) < 36, 0.0, 7.0)):
        data = series_data(series_plan(), series_frame(count))
        rows = run(data)
        all_finite_or_explained(rows)
        assert rows[0].status == "not_estimable" and rows[0].reason_nl
        assert all(gate.sentence and gate.sentence_nl for gate in gates(data).values())
    raw = one(rows, analysis="unadjusted")
    assert raw.conf_low and raw.conf_low > 1 and raw.conf_high is None


@pytest.mark.parametrize(
    ("plan", "first", "words"),
    [
        (series_plan(None), 0, "add 'start"),
        (series_plan(80), 0, "after the last period"),
        (series_plan(10), 12, "before the first period"),
    ],
)
def test_a_start_that_is_missing_or_outside_the_data(plan: Any, first: int, words: str) -> None:
    start = {"add 'start": 10**6, "after the last period": 80, "before the first period": 10}[words]
    frame = series_frame(monthly(rng(17)), start=start).filter(pl.col("period") >= first)
    data = series_data(plan, frame)
    rows = run(data)
    assert len(rows) == 1 and words in rows[0].reason and rows[0].reason_nl
    assert set(gates(data)) >= {"periods", "pre_trends", "placebo_period", "control_series", "autocorrelation"}


def test_nothing_delivered_for_an_outcome() -> None:
    plan = series_plan(outcomes={"fraud": {}, "theft": {}})
    rows = run(series_data(plan, series_frame(monthly(rng(18)))))
    assert one(rows, outcome="theft").status == "not_estimable"
    assert run(series_data(plan))[0].status == "not_estimable"


def test_two_outcomes_and_a_negative_control() -> None:
    plan = series_plan(outcomes={"theft": {}, "fraud": {"primary": True}}, negative_controls=["weather"])
    frames = [series_frame(monthly(rng(19 + i)), outcome=name) for i, name in enumerate(("theft", "fraud", "weather"))]
    rows = run(series_data(plan, *frames))
    all_finite_or_explained(rows)
    assert rows[0].outcome == "fraud" and one(rows, outcome="theft", measure="level_ratio", analysis="secondary")
    assert one(rows, outcome="weather").analysis == "negative_control"
    assert {"negative_controls"} <= set(gates(series_data(plan, *frames)))


@pytest.mark.parametrize(("length", "n"), [(4, 40), (1, 20), (52, 150)])
def test_quarters_years_and_weeks(length: int, n: int) -> None:
    t = np.arange(n)
    start = n // 2
    y = rng(22).poisson(100 * np.exp(0.2 * np.sin(2 * np.pi * t / length)) * np.where(t >= start, 0.6, 1))
    frame = series_frame(y, start=start).with_columns(season=pl.col("period") % length)
    rows = run(series_data(series_plan(start, series={"season_length": length}), frame))
    all_finite_or_explained(rows)
    assert rows[0].conf_low and rows[0].conf_high and rows[0].conf_low < 0.6 < rows[0].conf_high


def test_without_autocorrelation_the_plain_model_is_the_primary_one() -> None:
    rows = run(series_data(series_plan(series={"autocorrelation": "none"}), series_frame(monthly(rng(23)))))
    all_finite_or_explained(rows)
    assert rows[0].variance == "model"
    one(rows, analysis="sensitivity", variance="ar1", subgroup=None)


def correlated(seed: int, n: int, rho: float, spread: float) -> np.ndarray:
    noise = rng(seed).standard_normal(n)
    z = np.zeros(n)
    for t in range(1, n):
        z[t] = rho * z[t - 1] + math.sqrt(1 - rho**2) * noise[t]
    return spread * z


def test_correlated_neighbours_widen_the_interval_and_are_said() -> None:
    y = monthly(rng(24), 120, start=72, mean=400, shared=correlated(25, 120, 0.85, 0.15))
    frame = series_frame(y, start=72)
    rows = run(series_data(series_plan(72), frame))
    plain = one(rows, variance="model", analysis="sensitivity", subgroup=None)
    assert rows[0].std_error and plain.std_error and rows[0].std_error > 1.5 * plain.std_error
    assert gates(series_data(series_plan(72), frame))["autocorrelation"].status == "warned"
    ignored = gates(series_data(series_plan(72, series={"autocorrelation": "none"}), frame))["autocorrelation"]
    assert ignored.status == "warned" and "ar1" in ignored.sentence


@pytest.mark.parametrize(
    ("rho", "wider", "status"), [(0.3, 1.3, "passed"), (0.3, 1.4, "warned"), (0.55, 1.2, "warned")]
)
def test_neighbours_that_are_little_alike_for_long_are_said_too(rho: float, wider: float, status: str) -> None:
    """An interval 1.35 times as wide: periods count for half their number, however little neighbours are alike."""
    found = gates_of_series._alike(rho, wider, (), is_ignored=False)
    assert found.status == status and f"{rho:.2f}" in found.sentence


def test_few_periods_fail_or_warn() -> None:
    y = monthly(rng(26), 60)
    for n_before, n_after, status in ((7, 20, "failed"), (20, 2, "failed"), (10, 20, "warned"), (36, 24, "passed")):
        frame = series_frame(y).filter(pl.col("period").is_between(36 - n_before, 35 + n_after))
        found = gates(series_data(series_plan(), frame))["periods"]
        assert found.status == status, (n_before, n_after)
        assert f"{n_before} " in found.figure
        assert found.concerns == ("outcome=fraud" if status == "failed" else "all")


def test_a_jump_before_the_start_is_noticed() -> None:
    y = monthly(rng(27), 96, start=30, mean=300, ratio=0.5)
    found = gates(series_data(series_plan(60), series_frame(y, start=60)))
    assert found["placebo_period"].status == "failed" and found["placebo_period"].concerns == "outcome=fraud"
    sound = gates(series_data(series_plan(60), series_frame(monthly(rng(28), 96, mean=300), start=60)))
    assert sound["placebo_period"].status == "passed" and sound["pre_trends"].status == "passed"


def test_a_bend_before_the_start_is_noticed() -> None:
    t = np.arange(96)
    y = rng(29).poisson(300 * np.exp(-(((t - 30) / 30.0) ** 2)) + 20).astype(float)
    assert gates(series_data(series_plan(60), series_frame(y, start=60)))["pre_trends"].status == "failed"


def test_power_reads_the_primary_row() -> None:
    wide = gates(series_data(series_plan(), series_frame(monthly(rng(30), mean=3))))["power"]
    narrow = gates(series_data(series_plan(), series_frame(monthly(rng(31), mean=300))))["power"]
    assert wide.status == "warned" and narrow.status == "passed"


def test_the_picture_has_every_period_and_what_was_to_be_expected() -> None:
    population = np.full(60, 50_000.0)
    y = monthly(rng(32), mean=200, ratio=0.5)
    frame = series_frame(y, population=population).filter(pl.col("period") != 9)
    points = series_points(series_data(series_plan(), frame))
    assert [point.period for point in points] == [t for t in range(60) if t != 9]
    assert points[0].label == label_of(0) and points[0].unit == "rate_per_100000"
    assert points[0].observed == pytest.approx(y[0] * 2) and points[0].counterfactual == pytest.approx(points[0].fitted)
    for point in points:
        assert point.counterfactual_low < point.counterfactual < point.counterfactual_high
        assert point.is_after == (point.period >= 36)
    assert points[-1].fitted < 0.65 * points[-1].counterfactual


def test_the_picture_against_a_control() -> None:
    frame, control = series_frame(monthly(rng(33), ratio=0.5)), series_frame(monthly(rng(34), mean=50), is_control=True)
    data = series_data(series_plan(), frame, control)
    points, row = series_points(data), run(data, "verdict")[0]
    assert points[-1].unit == "count" and row.estimate
    assert points[-1].fitted / points[-1].counterfactual == pytest.approx(row.estimate, rel=1e-6)
    assert np.mean([p.fitted / p.observed for p in points]) == pytest.approx(1.0, abs=0.1)
    assert series_points(series_data(series_plan(None), frame)) == ()
