"""Families picked at a peak, through plan and delivery: unequal windows, an earlier period, a reference in the plan."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pytest
from workbench import Workbench, minimal_plan, rows_where

MEAN, DISPERSION, PICKED_FROM = 2.0, 0.8, 5
START = date(2024, 6, 1)


def picked(rng: np.random.Generator, number: int) -> tuple[np.ndarray, np.ndarray]:
    """Rates and last year's counts of families with five or more events in that year."""
    rate = rng.gamma(1 / DISPERSION, MEAN * DISPERSION, 30 * number)
    before = rng.poisson(rate)
    chosen = np.flatnonzero(before >= PICKED_FROM)[:number]
    return rate[chosen], before[chosen]


def test_events_with_dates_tell_what_to_expect_without_comparison(tmp_path: Path) -> None:
    rng = np.random.default_rng(12)
    rate, before = picked(rng, 150)
    persons = [[f"p{i}", "treated", f"f{i}", START.isoformat()] for i in range(150)]
    events: list[list[object]] = []
    for i in range(150):
        for first, number in ((-730, rng.poisson(rate[i])), (-365, before[i]), (1, rng.poisson(rate[i]))):
            days = rng.integers(first + (first < 0), first + 365, number)
            events += [[f"p{i}", "contact", (START + timedelta(days=int(day))).isoformat()] for day in days]
    bench = Workbench(tmp_path)
    bench.add_plan(
        minimal_plan(
            "peak",
            "before_after",
            source={"persons": "persons.csv", "events": "events.csv"},
            cluster="family_id",
            outcomes={"contact": {"measures": ["rate_ratio"]}},
            before_after={"reference": {"mean": MEAN, "dispersion": DISPERSION}},
            claims=[{"outcome": "contact", "measure": "rate_ratio", "at_most": 0.7, "words": "een derde minder"}],
        )
    )
    bench.deliver("peak", "persons.csv", ["person_id", "arm", "family_id", "index_date"], persons)
    bench.deliver("peak", "events.csv", ["person_id", "event_type", "event_date"], events)
    bench.estimate("peak")
    found = bench.effects("peak")
    change = rows_where(found["effects"], analysis="unadjusted")[0]
    assert change["conf_high"] < 0.9 and change["status"] == "shown"  # a fall, and nobody did anything
    expected = {row["subgroup"]: row for row in rows_where(found["effects"], estimator="expected_without_effect")}
    assert set(expected) == {"source=earlier_period", "source=reference"}
    for row in expected.values():
        assert row["status"] == "shown"
        assert row["conf_low"] < change["estimate"] < row["conf_high"]
    gate = next(gate for gate in found["gates"] if gate["gate"] == "expected_drop")
    assert gate["status"] == "warned" and "may be chance" in gate["sentence"]
    assert found["claims"][0]["ruling"] == "cannot_be_tested"


@pytest.mark.parametrize("effect", [1.0, 0.4])
def test_counts_over_unequal_days_against_families_picked_by_the_same_rule(tmp_path: Path, effect: float) -> None:
    rng = np.random.default_rng(13)
    persons, counts = [], []
    for arm, ratio in (("treated", effect), ("comparison", 1.0)):
        rate, before = picked(rng, 60)
        for i in range(60):
            days = int(rng.integers(200, 700))
            persons.append([f"{arm[0]}{i}", arm, f"{arm[0]}{i}"])
            counts.append([f"{arm[0]}{i}", "before", "contact", int(before[i]), 365])
            counts.append([f"{arm[0]}{i}", "after", "contact", int(rng.poisson(rate[i] * ratio * days / 365)), days])
    bench = Workbench(tmp_path)
    bench.add_plan(
        minimal_plan(
            "counted",
            "before_after",
            source={"persons": "persons.csv", "person_counts": "counts.csv"},
            cluster="family_id",
            outcomes={"contact": {"measures": ["ratio_of_rate_ratios"]}},
            before_after={"reference": {"mean": MEAN, "dispersion": DISPERSION}, "after_days": 700},
        )
    )
    bench.deliver("counted", "persons.csv", ["person_id", "arm", "family_id"], persons)
    bench.deliver("counted", "counts.csv", ["person_id", "period", "outcome", "count", "days"], counts)
    bench.estimate("counted")
    found = bench.effects("counted")
    row = next(row for row in found["effects"] if row["analysis"] == "primary")
    assert row["conf_low"] < effect < row["conf_high"]
    assert row["window_days"] is None  # everyone's own
    expected = {row["subgroup"]: row for row in rows_where(found["effects"], estimator="expected_without_effect")}
    assert set(expected) == {"source=comparison", "source=reference"}  # counts have no earlier period
    gate = next(gate for gate in found["gates"] if gate["gate"] == "expected_drop")
    assert gate["status"] == ("warned" if effect == 1.0 else "passed")
    peak = next(gate for gate in found["gates"] if gate["gate"] == "peak_selection")
    assert peak["status"] == "not_evaluated"


@pytest.mark.parametrize("days", [730, 365])
def test_rows_state_the_days_that_were_delivered_and_gates_still_reach_them(tmp_path: Path, days: int) -> None:
    rng = np.random.default_rng(5)
    people = [(f"{arm[0]}{i}", arm) for arm in ("treated", "comparison") for i in range(20 if arm == "treated" else 80)]
    counts = [
        [person, period, "contact", int(rng.poisson(3)), days] for person, _ in people for period in ("before", "after")
    ]
    bench = Workbench(tmp_path)
    plan = minimal_plan(
        "long",
        "before_after",
        source={"persons": "persons.csv", "person_counts": "counts.csv"},
        outcomes={"contact": {"measures": ["ratio_of_rate_ratios"]}},
        before_after={"after_days": 365},
    )
    bench.add_plan(plan)
    bench.deliver("long", "persons.csv", ["person_id", "arm"], people)
    bench.deliver("long", "counts.csv", ["person_id", "period", "outcome", "count", "days"], counts)
    bench.estimate("long")
    found = bench.effects("long")
    assert {row["window_days"] for row in found["effects"] if row["analysis"] != "placebo"} == {days}
    (size,) = rows_where(found["gates"], gate="size")
    assert size["status"] == "failed"  # 20 persons
    assert {row["status"] for row in rows_where(found["effects"], measure="ratio_of_rate_ratios")} <= {
        "hidden",
        "not_estimable",
    }
