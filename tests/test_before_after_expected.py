"""What drop to expect without any programme: families picked at a peak, with no effect and with one."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import polars as pl
import pytest
from analysis_frames import QUARTER, effect, only, outcome_frame, persons_frame, plan_for
from scipy import stats

from effectmeter.designs.base import AnalysisData
from effectmeter.designs.registry import design_for
from effectmeter.diagnostics import apply_gates
from effectmeter.estimators.base import EstimationError, NoEventsError
from effectmeter.estimators.regression_to_the_mean import expected_from_reference
from effectmeter.gates.periods import expected_drop
from effectmeter.results import EffectRow, GateResult

MEAN, DISPERSION, PICKED_FROM = 2.0, 0.8, 5
REFERENCE = {"reference": {"mean": MEAN, "dispersion": DISPERSION, "source": "all families"}}


def peak(
    *,
    n_treated: int = 300,
    n_comparison: int = 300,
    ratio: float = 1.0,
    seed: int = 1,
    has_earlier: bool = True,
    **before_after: Any,
) -> AnalysisData:
    """Families whose last year had five or more events, drawn from families that differ; an earlier year is known."""
    rng = np.random.default_rng(seed)
    rate = rng.gamma(1 / DISPERSION, MEAN * DISPERSION, 40 * (n_treated + n_comparison))
    before = rng.poisson(rate)
    chosen = np.flatnonzero(before >= PICKED_FROM)[: n_treated + n_comparison]
    assert len(chosen) == n_treated + n_comparison
    arm = np.array(["treated"] * n_treated + ["comparison"] * n_comparison)
    rate, before = rate[chosen], before[chosen]
    after = rng.poisson(rate * np.where(arm == "treated", ratio, 1.0))
    earlier = rng.poisson(rate)
    plan = plan_for(
        "before_after",
        cluster="family_id",
        outcomes={"contact": {"event": "contact", "primary": True}},
        before_after=before_after,
    )
    ids = [f"f{number}" for number in range(len(arm))]
    frame = persons_frame(arm, cluster=ids, family=ids)
    nothing = np.full(len(arm), np.nan)

    def two(first: np.ndarray, second: np.ndarray) -> pl.DataFrame:
        return pl.concat(
            [
                outcome_frame(frame, first, nothing, period="before"),
                outcome_frame(frame, second, nothing, period="after"),
            ]
        )

    placebo = AnalysisData(plan, QUARTER, frame, two(earlier, before)) if has_earlier else None
    return AnalysisData(plan, QUARTER, frame, two(before, after), placebo=placebo)


def run(data: AnalysisData) -> tuple[tuple[EffectRow, ...], tuple[GateResult, ...]]:
    design = design_for(data.plan)
    comparability = design.compare(data)
    effects = design.estimate(data, comparability, scope="verdict")
    gates = design.gates(data, comparability, effects)
    return apply_gates(effects, gates), gates


def alone(data: AnalysisData) -> AnalysisData:
    return replace(data, persons=data.persons.filter(pl.col("arm") == "treated"))


def by_source(effects: tuple[EffectRow, ...]) -> dict[str, EffectRow]:
    return {
        (row.subgroup or "").removeprefix("source="): row
        for row in effects
        if row.estimator == "expected_without_effect"
    }


def test_without_effect_every_source_expects_the_drop_that_comes() -> None:
    distance: dict[str, list[float]] = {"comparison": [], "earlier_period": [], "reference": []}
    for seed in range(20):
        effects, _ = run(peak(seed=seed, **REFERENCE))
        observed = only(effects, contrast="treated after vs before", analysis="unadjusted").estimate or 0.0
        assert observed < 0.85  # a fall of a sixth or more, and nobody did anything
        for source, row in by_source(effects).items():
            assert row.analysis == "sensitivity" and row.measure == "rate_ratio"
            distance[source].append(float(np.log(observed / (row.estimate or np.nan))))
    for found in distance.values():
        assert abs(np.mean(found)) < 3 * np.std(found) / np.sqrt(len(found)) + 0.005


def test_what_is_expected_of_a_reference_is_the_truncated_mean() -> None:
    """Given the counts, the rule by which families were picked adds nothing: its own expectation is the same."""
    size = 1 / DISPERSION
    counts = np.arange(PICKED_FROM, 400)
    probability = stats.nbinom.pmf(counts, size, size / (size + MEAN))
    after = (1 + DISPERSION * counts) / (1 + DISPERSION * MEAN) * MEAN
    truth = float(probability @ after) / float(probability @ counts)
    rng = np.random.default_rng(4)
    y = rng.negative_binomial(size, size / (size + MEAN), 400_000)
    y = y[y >= PICKED_FROM].astype(float)
    ones = np.ones(len(y))
    found = expected_from_reference(y, ones, ones, mean=MEAN, dispersion=DISPERSION)
    assert found.value == pytest.approx(truth, abs=0.003)


def test_the_interval_of_a_reference_holds_the_observed_change() -> None:
    rng = np.random.default_rng(5)
    held = 0
    for _ in range(400):
        rate = rng.gamma(1 / DISPERSION, MEAN * DISPERSION, 2000)
        t_before, t_after = rng.uniform(0.5, 1.5, 2000), rng.uniform(0.5, 1.5, 2000)
        y = rng.poisson(rate * t_before)
        picked = np.flatnonzero(y >= PICKED_FROM)[:40]
        y, rate, t_before, t_after = (values[picked] for values in (y, rate, t_before, t_after))
        observed = rng.poisson(rate * t_after).sum() / t_after.sum() / (y.sum() / t_before.sum())
        found = expected_from_reference(y.astype(float), t_before, t_after, mean=MEAN, dispersion=DISPERSION)
        held += (found.low or 0) <= observed <= (found.high or 9)
    assert 0.92 <= held / 400 <= 0.98


def test_without_spread_everyone_is_expected_at_the_mean_and_with_endless_spread_nobody_changes() -> None:
    y, ones = np.array([5.0, 6.0, 9.0]), np.ones(3)
    assert expected_from_reference(y, ones, ones, mean=2.0, dispersion=0.0).value == pytest.approx(6 / 20)
    assert expected_from_reference(y, ones, ones, mean=2.0, dispersion=1e9).value == pytest.approx(1.0, abs=1e-6)


def test_families_are_the_units_of_a_reference() -> None:
    y, ones, family = np.array([2.0, 3.0, 4.0, 1.0]), np.ones(4), np.array(["a", "a", "b", "b"])
    by_family = expected_from_reference(y, ones, ones, mean=1.0, dispersion=0.5, cluster=family)
    summed = expected_from_reference(np.array([5.0, 5.0]), np.full(2, 2.0), np.full(2, 2.0), mean=1.0, dispersion=0.5)
    assert by_family.value == pytest.approx(summed.value)


@pytest.mark.parametrize(("mean", "dispersion", "y"), [(0.0, 1.0, 3.0), (1.0, -1.0, 3.0), (1.0, 1.0, 0.0)])
def test_a_reference_that_says_nothing_is_refused(mean: float, dispersion: float, y: float) -> None:
    ones = np.ones(3)
    with pytest.raises((EstimationError, NoEventsError)):
        expected_from_reference(np.full(3, y), ones, ones, mean=mean, dispersion=dispersion)


def test_the_counts_that_picked_the_families_cannot_tell() -> None:
    """Picked at exactly one count, families show less spread than chance alone: their own prior predicts no drop."""
    y = np.full(200, 6.0)
    own_dispersion = max((y.var() - y.mean()) / y.mean() ** 2, 0.0)
    ones = np.ones(200)
    assert expected_from_reference(y, ones, ones, mean=6.0, dispersion=own_dispersion).value == pytest.approx(1.0)
    outside = expected_from_reference(y, ones, ones, mean=MEAN, dispersion=DISPERSION)
    assert (outside.high or 1) < 0.95


def test_without_comparison_the_change_and_the_expected_one_stay_to_be_seen() -> None:
    effects, gates = run(alone(peak(**REFERENCE)))
    found = by_source(effects)
    assert set(found) == {"earlier_period", "reference"}
    assert {row.status for row in found.values()} == {"shown"}
    assert only(effects, analysis="primary").status == "hidden"
    gate = next(gate for gate in gates if gate.gate == "expected_drop")
    assert gate.status == "warned" and "% of the fall" in gate.sentence and "% van de daling" in gate.sentence_nl


def test_a_real_effect_goes_beyond_what_was_to_be_expected() -> None:
    _, gates = run(peak(ratio=0.5, **REFERENCE))
    gate = next(gate for gate in gates if gate.gate == "expected_drop")
    assert (
        gate.status == "passed" and "(comparison families)" in gate.figure and "(the plan's reference)" in gate.figure
    )


def test_without_any_source_nothing_is_expected_and_it_is_said() -> None:
    effects, gates = run(alone(peak(has_earlier=False)))
    assert by_source(effects) == {}
    gate = next(gate for gate in gates if gate.gate == "expected_drop")
    assert gate.status == "not_evaluated" and "before_after.reference" in gate.sentence


def test_a_before_that_reaches_into_the_picking_is_no_earlier_period() -> None:
    assert "earlier_period" not in by_source(run(peak(before_days=730))[0])
    assert "earlier_period" in by_source(run(peak(before_days=365))[0])


def test_where_nothing_fell_nothing_is_explained() -> None:
    data = peak()
    row = effect(contrast="treated after vs before", measure="rate_ratio", analysis="unadjusted", estimate=1.2)
    assert expected_drop(data, design_for(data.plan).compare(data), (row,))[0].status == "not_applicable"
    assert expected_drop(data, design_for(data.plan).compare(data), ())[0].status == "not_evaluated"


def test_an_end_to_all_events_is_judged_by_its_bound() -> None:
    data = peak()
    nothing = effect(
        contrast="treated after vs before", measure="rate_ratio", analysis="unadjusted", estimate=0.0, conf_low=None,
        conf_high=0.05, std_error=None,
    )  # fmt: skip
    expected = replace(nothing, analysis="sensitivity", estimator="expected_without_effect", estimate=0.6,
                       conf_low=0.5, conf_high=0.7, std_error=0.08, subgroup="source=comparison")  # fmt: skip
    assert expected_drop(data, design_for(data.plan).compare(data), (nothing, expected))[0].status == "passed"
