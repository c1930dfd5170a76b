"""Through the public interface: severity, custody and time to a first event as outcomes, and a late start."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conformity import assert_conforms
from workbench import Workbench, minimal_plan, rows_where

START = date(2023, 1, 1)
Found = dict[str, list[dict[str, Any]]]


def deliver(folder: Path, plan: dict[str, Any], *, n: int = 160, late: bool = False) -> tuple[Workbench, str]:
    """Persons in two arms with dated events of two severities, detentions as events and as absences."""
    rng = np.random.default_rng(7)
    bench, name = Workbench(folder), plan["programme"]
    bench.add_plan(plan)
    persons, events, absences = [], [], []
    for number in range(2 * n):
        treated = number % 2 == 0
        person = f"p{number}"
        zero = START + timedelta(days=int(rng.integers(0, 300)))
        delay = int(rng.integers(20, 90)) if late and treated else 0
        fate = int((700 if treated else 400) * rng.weibull(0.6))  # most are arrested early
        if late and treated and fate <= delay:
            delay = 0 if rng.random() < 0.2 else -1  # most who are arrested first never start
        began = zero + timedelta(days=delay) if treated and delay >= 0 else ""
        days_inside = int(rng.poisson(4 if treated else 9))
        persons.append([person, ("comparison", "treated")[treated], zero, began, days_inside, 1995 + number // 2 % 10])
        if fate < 365:
            events.append([person, "conviction", zero + timedelta(days=fate), ("minor", "serious")[rng.random() < 0.4]])
        if fate < 365 and rng.random() < 0.5:
            inside = zero + timedelta(days=min(fate + 10, 360))
            events.append([person, "detention", inside, ""])
            absences.append([person, inside, inside + timedelta(days=20), "detention"])
    header = ["person_id", "arm", "index_date", "start_date", "days_inside", "birth_year"]
    bench.deliver(name, "persons.csv", header, persons)
    bench.deliver(name, "events.csv", ["person_id", "event_type", "event_date", "severity"], events)
    bench.deliver(name, "absences.csv", ["person_id", "start_date", "end_date", "reason"], absences)
    bench.estimate(name)
    return bench, name


def source() -> dict[str, str]:
    return {"persons": "persons.csv", "events": "events.csv", "absences": "absences.csv"}


@pytest.mark.parametrize("design", ["randomised", "comparison_cohort"])
def test_severity_custody_and_first_events_are_outcomes(tmp_path: Path, design: str) -> None:
    plan = minimal_plan(
        "kinds",
        design,
        source=source(),
        adjust_for={"age_at_index": "numeric"},
        outcomes={
            "conviction": {"measures": ["hazard_ratio", "risk_ratio", "odds_ratio"]},
            "serious": {"event": "conviction", "where": {"severity": ["serious"]}, "measures": ["risk_ratio"]},
            "custody": {"event": "detention", "measures": ["risk_ratio", "rate_ratio"]},
            "days_inside": {"value": "days_inside", "scale": "count", "measures": ["rate_ratio"]},
        },
    )
    bench, name = deliver(tmp_path, plan)
    found = bench.effects(name)
    assert_conforms(found)
    rows = found["effects"]
    (main,) = rows_where(rows, analysis="primary")
    assert (main["measure"], main["outcome"], main["status"]) == ("hazard_ratio", "conviction", "shown")
    assert main["estimate"] < 1
    for outcome, measure in (
        ("serious", "risk_ratio"),
        ("custody", "risk_ratio"),
        ("custody", "rate_ratio"),
        ("days_inside", "rate_ratio"),
        ("conviction", "odds_ratio"),
    ):
        row = rows_where(rows, outcome=outcome, measure=measure, analysis="secondary")[0]
        assert row["status"] == "shown" and row["estimate"] is not None, outcome
    serious = rows_where(rows, outcome="serious", measure="risk_ratio", analysis="unadjusted")[0]
    every = rows_where(rows, outcome="conviction", measure="risk_ratio", analysis="unadjusted")[0]
    assert 0 < serious["events_treated"] < every["events_treated"]
    # detention is time not at risk: both denominators
    denominators = {row["denominator"] for row in rows_where(rows, outcome="custody", measure="rate_ratio")}
    assert denominators == {"free_time", "calendar_time"}
    (figure,) = rows_where(rows, estimator="e_value")
    assert figure["estimate"] >= figure["conf_low"] >= 1


def test_immortal_time_flatters_and_stands_beside(tmp_path: Path) -> None:
    plan = minimal_plan(
        "late",
        "comparison_cohort",
        source=source(),
        adjust_for={"age_at_index": "numeric"},
        outcomes={"conviction": {"measures": ["risk_ratio"]}},
        follow_up={"days": [300]},
    )
    bench, name = deliver(tmp_path, plan, late=True)
    found = bench.effects(name)
    assert_conforms(found)
    (row,) = rows_where(found["effects"], subgroup="time_zero=start_date")
    (main,) = rows_where(found["effects"], analysis="primary")
    assert (row["analysis"], row["status"]) == ("sensitivity", main["status"]), row["reason"]
    assert row["n_treated"] < main["n_treated"] and row["n_comparison"] == main["n_comparison"]
    assert row["estimate"] < main["estimate"]


def test_both_treatments_of_missing_covariates_are_reported_whatever_the_plan_chose(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    found: dict[str, dict[str, float]] = {}
    for chosen, other in (("indicator", "exclude"), ("exclude", "indicator")):
        bench = Workbench(tmp_path / chosen)
        plan = minimal_plan("gaps", adjust_for={"score": "numeric"}, missing={"covariates": chosen, "max_share": 0.5})
        bench.add_plan(plan)
        rng = np.random.default_rng(3)
        people = range(400)
        rows = [(f"p{i}", ("comparison", "treated")[i % 2], START, "" if i % 7 == 0 else i % 5) for i in people]
        bench.deliver("gaps", "persons.csv", ["person_id", "arm", "index_date", "score"], rows)
        events = [(f"p{i}", "arrest", START + timedelta(days=30)) for i in people if rng.random() < 0.5 - 0.2 * (i % 2)]
        bench.deliver("gaps", "events.csv", ["person_id", "event_type", "event_date"], events)
        bench.estimate("gaps")
        effects = bench.effects("gaps")["effects"]
        (main,) = rows_where(effects, analysis="primary")
        (beside,) = rows_where(effects, subgroup=f"missing={other}", measure="risk_ratio")
        found[chosen] = {chosen: main["estimate"], other: beside["estimate"]}
    assert found["indicator"] == pytest.approx(found["exclude"], rel=1e-9)
    assert found["indicator"]["indicator"] != pytest.approx(found["indicator"]["exclude"], rel=1e-6)
