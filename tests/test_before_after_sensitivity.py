"""What stands beside a before-after effect: other errors, another period, without one family, in absolute numbers."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from analysis_frames import families, only, plan_for
from test_before_after_expected import peak

from effectmeter.designs.registry import design_for
from effectmeter.estimators.base import EstimationError, SeparationError
from effectmeter.estimators.before_after import change, difference_in_change, difference_in_rates, leave_one_out
from effectmeter.estimators.regression_to_the_mean import expected_from_reference

FOLDER = Path(__file__).parent / "references"
GOLDEN = {
    (row["case"], row["quantity"]): row["value"] for row in pl.read_csv(FOLDER / "golden_families.csv").to_dicts()
}
FRAME = pl.read_csv(FOLDER / "families.csv")
ARRAYS = tuple(
    FRAME[name].to_numpy().astype(float) for name in ("before", "after", "years_before", "years_after", "treated")
)
FAMILY = FRAME["family"].to_numpy()


@pytest.mark.parametrize("variance", ["model", "cr0", "cr1"])
def test_errors_against_r(variance: str) -> None:
    inside = ARRAYS[4] == 1.0
    one = change(*(values[inside] for values in ARRAYS[:4]), cluster=FAMILY[inside], variance=variance)
    two = difference_in_change(*ARRAYS, cluster=FAMILY, variance=variance)
    for found, case in ((one, "change"), (two, "difference")):
        assert math.log(found.value or 0) == pytest.approx(GOLDEN[case, "estimate"], abs=1e-9)
        assert found.std_error == pytest.approx(GOLDEN[case, variance], rel=1e-8)
        assert found.variance == variance
        assert (found.df is None) == (variance == "model")


def test_robust_errors_over_persons_do_not_see_the_families() -> None:
    halves = [np.r_[values, values] for values in ARRAYS]
    family = np.r_[FAMILY, FAMILY]
    alone = difference_in_change(*halves, variance="hc3")
    assert difference_in_change(*halves, cluster=family, variance="hc3").std_error == alone.std_error
    assert (difference_in_change(*halves, cluster=family).std_error or 0) > 1.3 * (alone.std_error or 1)


def test_without_one_family_against_r() -> None:
    lowest, highest = leave_one_out(*ARRAYS, cluster=FAMILY)
    assert math.log(lowest.value or 0) == pytest.approx(GOLDEN["leave_one_out", "lowest"], abs=1e-9)
    assert math.log(highest.value or 0) == pytest.approx(GOLDEN["leave_one_out", "highest"], abs=1e-9)


def test_leaving_out_asks_for_three_families_and_for_events() -> None:
    b, a, ones, t = np.array([3.0, 2, 4, 5]), np.array([1.0, 2, 3, 4]), np.ones(4), np.array([1.0, 1, 0, 0])
    with pytest.raises(EstimationError):
        leave_one_out(b, a, ones, ones, t)
    with pytest.raises(SeparationError):
        leave_one_out(np.tile(b, 2), np.tile(a * t, 2), np.ones(8), np.ones(8), np.tile(t, 2))


def test_the_absolute_difference_against_r_and_its_error_by_bootstrap() -> None:
    found = difference_in_rates(*ARRAYS, cluster=FAMILY)
    assert found.value == pytest.approx(GOLDEN["difference_in_rates", "estimate"], rel=1e-9)
    assert found.p_value is None  # the ratio tests the same
    rng = np.random.default_rng(3)
    sides = [np.flatnonzero(ARRAYS[4] == side) for side in (1.0, 0.0)]
    values = []
    for _ in range(400):
        drawn = np.concatenate([rng.choice(side, len(side)) for side in sides])
        values.append(difference_in_rates(*(column[drawn] for column in ARRAYS)).value)
    assert found.std_error == pytest.approx(np.std(np.array(values, dtype=float)), rel=0.15)


def test_the_expected_rate_against_r() -> None:
    """6 events in 1.5 years, from families with 2 a year and dispersion 0.8: the rate by numerical integration."""
    y, t = np.array([6.0, 6.0]), np.full(2, 1.5)
    found = expected_from_reference(y, t, np.ones(2), mean=2.0, dispersion=0.8)
    assert (found.value or 0) * 6 / 1.5 == pytest.approx(GOLDEN["gamma_poisson", "rate"], rel=1e-8)


def test_the_rows_beside_the_effect() -> None:
    plan = plan_for(
        "before_after",
        cluster="family_id",
        outcomes={"contact": {"event": "contact", "primary": True}},
        variance=["model", "hc3", "cr1", "cr3"],
        subgroups=["sex"],
        negative_controls=["lost_keys"],
    )
    data = families(plan, placebo_rates=((6.0, 6.0), (6.0, 6.0)))
    data = replace(data, persons=data.persons.with_columns(sex=pl.Series(["f", "m"] * 105)))
    other = data.outcomes.with_columns(outcome=pl.lit("lost_keys"))
    data = replace(data, outcomes=pl.concat([data.outcomes, other]))
    design = design_for(plan)
    effects = design.estimate(data, design.compare(data))
    sensitivity = {
        (row.estimator, row.variance, row.subgroup)
        for row in effects
        if row.analysis == "sensitivity" and row.measure == "ratio_of_rate_ratios"
    }
    assert sensitivity == {
        ("permutation", "permutation", None),
        ("bayes", "bayes", None),
        ("conditional_poisson", "model", None),
        ("conditional_poisson", "hc3", None),
        ("conditional_poisson", "cr1", None),
        ("conditional_poisson", "cr3", "before=earlier_period"),
        ("leave_one_out", "cr3", "one_left_out=lowest"),
        ("leave_one_out", "cr3", "one_left_out=highest"),
    }
    assert {row.subgroup for row in effects if row.analysis == "subgroup"} == {"sex=f", "sex=m"}
    assert only(effects, analysis="negative_control").outcome == "lost_keys"
    difference = only(effects, measure="rate_difference", outcome="contact")
    assert (difference.analysis, difference.p_value) == ("secondary", None)
    assert (difference.estimate or 0) < 0 < -(difference.conf_low or 0)
    main = only(effects, analysis="primary")
    lowest, highest = (only(effects, subgroup=f"one_left_out={side}") for side in ("lowest", "highest"))
    assert (lowest.estimate or 9) < (main.estimate or 0) < (highest.estimate or 0)
    assert lowest.events_treated == main.events_treated  # the others' counts would give the family away
    keys = [
        (r.contrast, r.outcome, r.measure, r.estimator, r.variance, r.analysis, r.denominator, r.subgroup)
        for r in effects
    ]
    assert len(keys) == len(set(keys))


def test_a_period_before_the_picking_is_free_from_it() -> None:
    """Only the treated are picked at a peak: that effect is a mirage, from the year before it none."""
    chosen, ordinary = (
        peak(seed=3, n_comparison=1),
        families(
            n_treated=1,
            n_comparison=300,
            rates=((4.0, 4.0), (4.0, 4.0)),
            placebo_rates=((4.0, 4.0), (4.0, 4.0)),
            seed=9,
        ),
    )
    data = _together(chosen, ordinary)
    design = design_for(data.plan)
    effects = design.estimate(data, design.compare(data))
    mirage, free = only(effects, analysis="primary"), only(effects, subgroup="before=earlier_period")
    assert (mirage.conf_high or 9) < 0.9
    assert (free.conf_low or 9) < 1 < (free.conf_high or 0)
    gate = next(gate for gate in design.gates(data, design.compare(data), effects) if gate.gate == "peak_selection")
    assert gate.status == "failed"  # the placebo sees it
    agreement = next(gate for gate in design.gates(data, design.compare(data), effects) if gate.gate == "agreement")
    assert agreement.status == "warned" and "earlier_period" in agreement.sentence


def _together(one: object, other: object) -> object:
    """The treated of one study against the comparison of another."""

    def frames(data, arm: str, prefix: str):  # type: ignore[no-untyped-def]
        name = pl.concat_str(pl.lit(prefix), pl.col("person_id")).alias("person_id")
        people = data.persons.filter(pl.col("arm") == arm)
        keep = people.select("person_id")
        renamed = people.with_columns(name, cluster=pl.concat_str(pl.lit(prefix), pl.col("cluster")))
        return [renamed] + [
            source.outcomes.join(keep, on="person_id", how="semi").with_columns(name) for source in (data, data.placebo)
        ]

    parts = [
        pl.concat(pair) for pair in zip(frames(one, "treated", "a"), frames(other, "comparison", "b"), strict=True)
    ]
    placebo = replace(one.placebo, persons=parts[0], outcomes=parts[2])  # type: ignore[attr-defined]
    return replace(one, persons=parts[0], outcomes=parts[1], placebo=placebo)  # type: ignore[type-var]


def test_wash_in_and_unequal_windows_enter_as_time() -> None:
    """Twice the days after the start with twice the events is no change."""
    data = families(rates=((6.0, 12.0), (6.0, 6.0)))
    longer = pl.col("period") == "after"
    treated = data.persons.filter(pl.col("arm") == "treated")["person_id"].to_list()
    is_longer = longer & pl.col("person_id").is_in(treated)
    outcomes = data.outcomes.with_columns(
        days_free=pl.when(is_longer).then(730).otherwise(pl.col("days_free")),
        days_calendar=pl.when(is_longer).then(730).otherwise(pl.col("days_calendar")),
    )
    design = design_for(data.plan)
    row = only(design.estimate(replace(data, outcomes=outcomes), design.compare(data)), analysis="primary")
    assert (row.conf_low or 9) < 1 < (row.conf_high or 0)
    assert 0.8 < (row.estimate or 0) < 1.25
