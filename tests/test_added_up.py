"""Persons added up give what persons one by one give: every row, gate, curve and table of the designs on persons."""

from __future__ import annotations

import json
from dataclasses import astuple, replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import polars as pl
import pytest
from oracle import QUARTER, Absence, Delivery, Event, Person, analysed, try_out
from workbench import QUARTER as BENCH_QUARTER
from workbench import Workbench, minimal_plan

from effectmeter.designs.base import AnalysisData, n_persons
from effectmeter.designs.curves import incidence_curves
from effectmeter.designs.registry import design_for
from effectmeter.plan import Plan
from effectmeter.plan_io import load_plan
from effectmeter.results import Comparability, EffectRow, GateResult
from pipelines.export import read_table

ALIKE = 1e-7
COMMON: dict[str, Any] = {
    "follow_up": {"days": [200], "until_end": True},
    "adjust_for": {"sex": "categorical", "score": {"type": "numeric", "degree": 2}, "prior_contact_12m": "numeric"},
    "subgroups": ["sex"],
    "outcomes": {
        "contact": {
            "event": "contact",
            "measures": ["rate_ratio", "risk_ratio", "hazard_ratio", "odds_ratio"],
            "primary": True,
        },
        "rare": {"event": "rare", "measures": ["risk_ratio", "rate_ratio", "odds_ratio", "hazard_ratio"]},
    },
    "negative_controls": ["accident"],
    "variance": ["hc1", "hc3"],
}
SHORT = {"sex": "categorical"}
PLANS: dict[str, dict[str, Any]] = {
    "cohort": {"design": "comparison_cohort", "estimand": ["att", "ate", "ato"]},
    "cohort, overlap": {"design": "comparison_cohort", "weighting": "overlap"},
    "cohort, matched": {"design": "comparison_cohort", "weighting": "match"},
    "cohort, inverse probability": {"design": "comparison_cohort", "weighting": "inverse_probability"},
    "cohort of sites": {"design": "comparison_cohort", "cluster": "site_id", "adjust_for": SHORT},
    "trial in blocks": {"design": "randomised", "strata": "block_id"},
    "trial of sites": {"design": "randomised", "cluster": "site_id", "adjust_for": SHORT},
    "whoever lacks a covariate is left out": {
        "design": "comparison_cohort",
        "missing": {"covariates": "exclude"},
    },
}


def delivery(design: str, cluster: bool, n: int = 1200) -> Delivery:
    draw = np.random.default_rng(20260301)
    people, events, away = [], [], []
    for number in range(n):
        sex = str(draw.choice(["f", "m", "x"]))
        score = float(draw.integers(1, 4))
        chance = 0.5 if design == "randomised" else 0.25 + 0.1 * score
        site = int(draw.integers(0, 16))
        is_treated = site % 2 == 0 if cluster and design == "randomised" else draw.random() < chance
        zero = date(2020, 1, 1) + timedelta(days=int(draw.integers(0, 3)))
        person = Person(
            f"p{number}",
            arm="treated" if is_treated else "comparison",
            index_date=zero,
            start_date=zero + timedelta(days=int(draw.integers(0, 3))) if is_treated and draw.random() < 0.8 else None,
            follow_up_days=150 if draw.random() < 0.02 else 400,
            linked=bool(draw.random() < 0.97),
            site_id=f"s{site}",
            block_id=f"b{number % 2}",
            sex=sex,
            score=None if draw.random() < 0.05 else score,
        )
        people.append(person)
        level = (0.8 if is_treated else 1.1) * (0.5 + 0.25 * score)
        for kind, often in (("contact", level), ("accident", 0.4), ("rare", 0.006)):
            for day in draw.integers(1, 300, draw.poisson(often)):
                events.append(Event(person.person_id, kind, event_day=int(day) // 20 * 20 + 1))
        for day in draw.integers(-500, 0, draw.poisson(0.8)):
            events.append(Event(person.person_id, "contact", event_day=int(day)))
        if draw.random() < 0.1:
            away.append(Absence(person.person_id, zero + timedelta(days=30), zero + timedelta(days=60)))
    return Delivery(tuple(people), tuple(events), tuple(away))


def both(plan: Plan, monkeypatch: pytest.MonkeyPatch) -> tuple[AnalysisData, AnalysisData]:
    given = delivery(plan.design, plan.cluster is not None)
    found = []
    for many in (10**9, 1):
        monkeypatch.setattr("vault.alike.MANY_PERSONS", many)
        found.append(analysed(duckdb.connect(), given, plan, QUARTER))
    return found[0], found[1]


def answers(data: AnalysisData) -> tuple[Comparability, tuple[EffectRow, ...], tuple[GateResult, ...]]:
    design = design_for(data.plan)
    comparability = design.compare(data)
    effects = design.estimate(data, comparability)
    return comparability, effects, design.gates(data, comparability, effects)


def question(row: EffectRow) -> tuple[Any, ...]:
    names = ("contrast", "outcome", "window_days", "measure", "denominator", "estimand", "subgroup", "estimator")
    # what is primary by one error is a sensitivity analysis by another
    place = "main" if row.analysis in {"primary", "secondary", "sensitivity"} else row.analysis
    return (place, *(getattr(row, name) for name in names))


def assert_same(one: EffectRow, other: EffectRow, *, and_error: bool) -> None:
    """Compare two rows, figure by figure."""
    assert one.status == other.status, (question(one), one.variance, one.reason, other.reason)
    near = LOOSE if one.estimator in OF_LIMITS else ALIKE
    names = ["estimate", "n_treated", "n_comparison", "events_treated", "events_comparison"]
    names += ["person_years_treated", "person_years_comparison", "n_clusters_treated", "n_clusters_comparison"]
    if and_error:
        names += ["std_error", "conf_low", "conf_high", "p_value"]
    for name in names:
        mine, theirs = getattr(one, name), getattr(other, name)
        assert (mine is None) == (theirs is None), (name, question(one), one.variance)
        assert mine is None or mine == pytest.approx(theirs, rel=near, abs=1e-9), (name, question(one), one.variance)


def test_which_profile_a_person_has_does_not_hang_on_hashes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two profiles may have one hash, once in a very long while: persons are then matched column by column."""
    plan = try_out(**COMMON | PLANS["cohort"])
    _, by_hash = both(plan, monkeypatch)
    monkeypatch.setattr("vault.alike.hashes_differ", lambda *_: False)
    _, by_column = both(plan, monkeypatch)
    assert by_hash.is_added_up and by_hash.persons["score"].null_count() > 0
    assert by_column.persons.equals(by_hash.persons) and by_column.outcomes.equals(by_hash.outcomes)


@pytest.mark.parametrize("name", PLANS)
def test_added_up_or_one_by_one_every_answer_is_the_same(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    plan = try_out(**COMMON | PLANS[name])
    rows, profiles = both(plan, monkeypatch)
    assert not rows.is_added_up and profiles.is_added_up
    assert n_persons(profiles.persons) == rows.persons.height >= 2 * profiles.persons.height
    (known, one_by_one, gates), (found, added_up, gates_added_up) = answers(rows), answers(profiles)

    # a person's leverage on a rate hangs on their own time, so that hc3 is answered with hc1, once
    assert [gate.gate for gate in gates] == [gate.gate for gate in gates_added_up]
    assert [gate for gate in gates if gate.gate not in HANG_ON_ROWS] == [
        gate for gate in gates_added_up if gate.gate not in HANG_ON_ROWS
    ]
    for one, other in zip(known.balance, found.balance, strict=True):
        assert astuple(other)[3:] == pytest.approx(astuple(one)[3:], rel=ALIKE, abs=1e-9) and one.term == other.term
    assert known.overlap == found.overlap
    assert [share for _, share in found.effective_sample_size] == pytest.approx(
        [share for _, share in known.effective_sample_size], rel=ALIKE
    )
    curves = zip(incidence_curves(rows, known), incidence_curves(profiles, found), strict=True)
    for point, same_point in curves:
        assert astuple(point)[3:] == pytest.approx(astuple(same_point)[3:], rel=ALIKE)

    # sites are numbered by a key made of the data as they are laid out
    sites = [
        [row for row in each if (row.subgroup or "").startswith("without=site")] for each in (one_by_one, added_up)
    ]
    one_by_one, added_up = (
        tuple(row for row in each if row not in dealt)
        for each, dealt in zip((one_by_one, added_up), sites, strict=True)
    )
    for one, other in zip(*(sorted(each, key=lambda row: row.estimate or 0.0) for each in sites), strict=True):
        assert_same(one, other, and_error=True)

    of_rows = {(question(row), row.variance): row for row in one_by_one}
    answered = {(question(row), row.variance) for row in added_up}
    for row in added_up:
        if row.measure == "hazard_ratio" and row.estimator == "penalised_likelihood":
            cox = of_rows[question(replace(row, estimator="penalised_cox")), row.variance]
            if cox.status == "shown":  # the other one does not always find its maximum
                assert row.estimate is cox.estimate or row.estimate == pytest.approx(cox.estimate, rel=0.02)
                limits = [(row.conf_low, cox.conf_low), (row.conf_high, cox.conf_high)]
                assert all(mine is theirs or mine == pytest.approx(theirs, rel=0.05) for mine, theirs in limits)
            continue
        hidden = row.variance == "hc1" and (question(row), "hc3") in of_rows
        jackknifed = of_rows[question(row), "hc3" if hidden else row.variance]
        assert_same(row, jackknifed, and_error=not hidden)
        if (question(row), row.variance) in of_rows:
            assert_same(row, of_rows[question(row), row.variance], and_error=True)
    assert all(key in answered or key[1] == "hc3" or key[0][-1] == "penalised_cox" for key in of_rows)
    assert sum(row.status == "shown" for row in added_up) > 20


OF_LIMITS, LOOSE = {"e_value", "tipping_point", "empirical_calibration", "bayes", "interaction"}, 0.05
"""Rows made of the primary row's limits, which are those of hc1."""
HANG_ON_ROWS = {"agreement"}
"""Gates whose figure counts the rows of the effects table."""


def test_a_refresh_of_profiles_releases_what_one_of_rows_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given = delivery("randomised", cluster=False, n=600)
    plan = minimal_plan("alike", adjust_for={"sex": "categorical"}, follow_up={"months": [6]}, synthetic=True)
    released = []
    for name, many in (("rows", 10**9), ("profiles", 1)):
        monkeypatch.setattr("vault.alike.MANY_PERSONS", many)
        bench = Workbench(tmp_path / name)
        bench.add_plan(plan | {"outcomes": {"contact": {"event": "contact"}}})
        people = [(p.person_id, p.arm, p.index_date, p.follow_up_days, p.sex) for p in given.persons]
        bench.deliver("alike", "persons.csv", ("person_id", "arm", "index_date", "follow_up_days", "sex"), people)
        zero = {p.person_id: p.index_date for p in given.persons}
        events = [(e.person_id, e.event_type, zero[e.person_id] + timedelta(days=e.event_day)) for e in given.events]
        bench.deliver("alike", "events.csv", ("person_id", "event_type", "event_date"), events)
        result = bench.refresh("alike")
        assert result.exit_code == 0, result.refusal
        table = pl.read_csv(bench.home.releases("alike", BENCH_QUARTER) / "001" / "effects.csv", comment_prefix="#")
        released.append(table)
        counts = [json.loads(line) for line in (bench.home.root / "runs.jsonl").read_text().splitlines()]
        (outcomes,) = (line["counts"] for line in counts if line["step"] == "outcomes")
        assert ("profiles" in outcomes) == (many == 1)
        exported = read_table(bench.home, load_plan(bench.plans / "alike.yaml"), BENCH_QUARTER)
        assert exported.frame.height > 500  # a row per person, whatever the vault holds
    # of risks every row is the same, error and all: only a rate's leverages hang on persons
    one, other = (table.filter(pl.col("measure").str.starts_with("risk")).rows() for table in released)
    assert one == other and len(one) > 2
