"""Deliveries that break software: empty arms, everybody an event, covariates that give the answer away, no dates.

Each goes through the chain's own steps, and each must end in rows that keep the contract; two go on to a report.
"""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conformity import assert_conforms
from workbench import Workbench, minimal_plan, rows_where

Found = dict[str, list[dict[str, Any]]]
HEADER = ["person_id", "arm", "follow_up_days", "x", "site_id"]
MEASURES = ["risk_ratio", "rate_ratio", "hazard_ratio"]


def run(
    folder: Path, plan: dict[str, Any], persons: list[list[Any]], events: list[list[Any]], *, publish: bool = False
) -> Found:
    """Deliver, estimate (and publish) and return what the vault then holds."""
    bench = Workbench(folder)
    bench.add_plan(plan)
    bench.deliver(plan["programme"], "persons.csv", HEADER, persons)
    bench.deliver(plan["programme"], "events.csv", ["person_id", "event_type", "event_day"], events)
    if publish:
        result = bench.refresh(plan["programme"])
        assert (result.exit_code, result.refusal) == (0, "")
    else:
        bench.estimate(plan["programme"])
    found = bench.effects(plan["programme"])
    assert_conforms(found)
    return found


def trial(
    n: int,
    risks: tuple[float, float],
    covariate: Callable[[float, int, bool], Any] = lambda noise, treated, event: noise,
    site: Callable[[int], str] = str,
) -> tuple[list[list[Any]], list[list[Any]]]:
    """Return persons and events of two arms of `n`; a covariate may know the arm and the outcome."""
    rng = np.random.default_rng(5)
    persons, events = [], []
    for treated, risk in zip((1, 0), risks, strict=True):
        for i in range(n):
            person, event = f"{treated}-{i}", bool(rng.random() < risk)
            value = covariate(round(float(rng.normal()), 3), treated, event)
            persons.append([person, ("comparison", "treated")[treated], 365, value, f"{treated}{site(i)}"])
            if event:
                events.append([person, "arrest", int(rng.integers(1, 366))])
    return persons, events


def plan_for(programme: str, design: str = "randomised", **more: Any) -> dict[str, Any]:
    outcomes = {"arrest": {"event": "arrest", "measures": MEASURES}}
    return minimal_plan(programme, design, **{"outcomes": outcomes, "adjust_for": {"x": "numeric"}} | more)


def primary(found: Found) -> dict[str, Any]:
    (row,) = rows_where(found["effects"], analysis="primary")
    return row


@pytest.mark.parametrize("design", ["randomised", "comparison_cohort"])
def test_no_events_in_the_treated_arm_give_a_bound(tmp_path: Path, design: str) -> None:
    row = primary(run(tmp_path, plan_for("zero", design), *trial(100, (0, 0.2))))
    assert (row["estimate"], row["conf_low"], row["status"]) == (0, None, "shown")
    assert 0 < row["conf_high"] < row["verdict_high"] < 1


def test_no_events_at_all_are_a_report_and_not_a_refusal(tmp_path: Path) -> None:
    row = primary(run(tmp_path, plan_for("none"), *trial(80, (0, 0)), publish=True))
    assert row["status"] == "not_estimable"
    assert (row["events_treated"], row["events_comparison"]) == (0, 0)


@pytest.mark.parametrize("design", ["randomised", "comparison_cohort"])
def test_everybody_with_an_event_is_no_crash(tmp_path: Path, design: str) -> None:
    found = run(tmp_path, plan_for("all", design), *trial(80, (1, 1)))
    (row,) = rows_where(found["effects"], analysis="unadjusted", measure="risk_ratio")
    assert row["estimate"] == 1


def test_one_person_per_arm_is_hidden(tmp_path: Path) -> None:
    found = run(tmp_path, plan_for("one"), *trial(1, (1, 0)))
    assert {row["status"] for row in found["effects"]} <= {"hidden", "not_estimable"}
    assert rows_where(found["gates"], gate="size")[0]["status"] == "failed"


def test_a_covariate_that_is_the_outcome_is_no_perfect_null(tmp_path: Path) -> None:
    """Standardised over such a covariate both arms have the same risk: 1.00 (1.00-1.00), which nobody may see."""
    found = run(tmp_path, plan_for("leak"), *trial(100, (0.3, 0.45), lambda noise, treated, event: 2 * event))
    assert primary(found)["status"] == "not_estimable"
    (raw,) = rows_where(found["effects"], analysis="unadjusted", measure="risk_ratio")
    assert 0 < raw["estimate"] < 1


@pytest.mark.parametrize("design", ["randomised", "comparison_cohort"])
def test_a_covariate_missing_in_one_arm_alone_fails_a_gate(tmp_path: Path, design: str) -> None:
    found = run(tmp_path, plan_for("gap", design), *trial(100, (0.3, 0.4), lambda noise, t, event: "" if t else noise))
    assert primary(found)["status"] == "not_estimable"
    gate = {"randomised": "balance", "comparison_cohort": "overlap"}[design]
    assert rows_where(found["gates"], gate=gate)[0]["status"] == "failed"


def test_one_cluster_per_arm_has_no_error(tmp_path: Path) -> None:
    plan = plan_for("site", cluster="site_id")
    row = primary(run(tmp_path, plan, *trial(100, (0.3, 0.4), site=lambda i: "only")))
    assert row["status"] == "not_estimable"
    assert row["n_clusters_treated"] == 1


def test_values_need_no_dates_and_a_constant_one_is_said(tmp_path: Path) -> None:
    bench = Workbench(tmp_path)
    outcomes = {"score": {"value": "score"}, "same": {"value": "same"}}
    bench.add_plan(minimal_plan("values", source={"persons": "persons.csv"}, outcomes=outcomes))
    rows = [[f"v{i}", ("treated", "comparison")[i % 2], i * 0.5, 3] for i in range(160)]
    bench.deliver("values", "persons.csv", ["person_id", "arm", "score", "same"], rows)
    bench.estimate("values")
    found = bench.effects("values")
    assert_conforms(found)
    assert primary(found)["estimate"] == pytest.approx(-0.5)
    assert {row["status"] for row in rows_where(found["effects"], outcome="same")} == {"not_estimable"}


def test_several_arms_are_one_regression_with_fixed_effects_of_blocks(tmp_path: Path) -> None:
    """Trials with several arms publish one regression; a pair of arms at a time would give other numbers."""
    rng = np.random.default_rng(3)
    arms, n = ["control", "therapy", "cash", "both"], 480
    arm, block = rng.integers(0, 4, n), rng.integers(0, 6, n)
    age = rng.normal(24, 5, n).round(2)
    half = np.clip(np.round(2 * rng.random(n) - 0.4 * (arm == 3) + 0.1 * block), 0, 2) / 2
    bench = Workbench(tmp_path)
    bench.add_plan(
        minimal_plan(
            "arms",
            source={"persons": "persons.csv"},
            arms={"comparison": "control", "treated": arms[1:]},
            strata="block_id",
            adjust_for={"age": "numeric"},
            outcomes={"half": {"value": "half", "measures": ["mean_difference"]}},
        )
    )
    rows = [[f"a{i}", arms[arm[i]], f"b{block[i]}", age[i], half[i]] for i in range(n)]
    bench.deliver("arms", "persons.csv", ["person_id", "arm", "block_id", "age", "half"], rows)
    bench.estimate("arms")
    found = bench.effects("arms")
    assert_conforms(found, contrasts=3)
    design = np.column_stack([arm[:, None] == [1, 2, 3], block[:, None] == range(6), age]).astype(float)
    inverse = np.linalg.inv(design.T @ design)
    beta = inverse @ design.T @ half
    leverage = ((design @ inverse) * design).sum(axis=1)
    scores = design * ((half - design @ beta) / (1 - leverage))[:, None]
    errors = np.sqrt(np.diag(inverse @ scores.T @ scores @ inverse))
    for place, name in enumerate(arms[1:]):
        (row,) = rows_where(found["effects"], analysis="primary", contrast=f"{name} vs control")
        assert row["estimate"] == pytest.approx(beta[place], abs=1e-8)
        assert row["std_error"] == pytest.approx(errors[place], abs=1e-6)
        assert (row["n_treated"], row["n_comparison"]) == ((arm == place + 1).sum(), (arm == 0).sum())
        (raw,) = rows_where(found["effects"], analysis="unadjusted", contrast=f"{name} vs control")
        assert raw["estimate"] == pytest.approx(half[arm == place + 1].mean() - half[arm == 0].mean(), abs=1e-8)


def test_smoking_cessation_has_its_published_effect_without_a_single_date(tmp_path: Path, shared_data: Path) -> None:
    """Hernan & Robins, What If: weighting 3.44, standardisation 3.5 (without the product term 3.46)."""
    with (shared_data / "nhefs" / "nhefs_complete.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    numeric = ["age", "smokeintensity", "smokeyrs", "wt71"]
    categorical = ["education", "exercise", "active"]
    bench = Workbench(tmp_path)
    columns = {"arm": {"column": "qsmk", "values": {1: "treated", 0: "comparison"}}}
    bench.add_plan(
        minimal_plan(
            "nhefs",
            "comparison_cohort",
            source={"persons": {"file": "persons.csv", "columns": columns}},
            outcomes={"gain": {"value": "wt82_71", "measures": ["mean_difference"]}},
            adjust_for={"sex": "numeric", "race": "numeric"}
            | dict.fromkeys(categorical, "categorical")
            | {name: {"type": "numeric", "degree": 2} for name in numeric},
            estimand="ate",
            weighting="inverse_probability",
        )
    )
    names = ["qsmk", "wt82_71", "sex", "race", *categorical, *numeric]
    bench.deliver(
        "nhefs", "persons.csv", ["person_id", *names], [[f"n{i}", *(r[c] for c in names)] for i, r in enumerate(rows)]
    )
    bench.estimate("nhefs")
    found = bench.effects("nhefs")
    assert_conforms(found)
    (weighted,) = rows_where(found["effects"], estimator="weighting", estimand="ate")
    assert weighted["estimate"] == pytest.approx(3.4405, abs=5e-4)
    (model,) = rows_where(found["effects"], estimator="outcome_regression", variance="model")
    assert model["estimate"] == pytest.approx(3.4626, abs=5e-4)
    assert primary(found)["estimate"] == pytest.approx(3.44, abs=0.05)
    assert primary(found)["status"] == "shown"


@pytest.mark.parametrize("with_comparison", [True, False])
def test_a_fall_to_nothing_has_a_bound(tmp_path: Path, with_comparison: bool) -> None:
    """A claim of "almost entirely ceased" meets counts of 0 after, over windows that differ from person to person."""
    rng = np.random.default_rng(2)
    persons, counts = [], []
    for arm, families in (("treated", 25), ("comparison", 40 if with_comparison else 0)):
        for family in range(families):
            for member in range(3):
                person = f"{arm[0]}{family}-{member}"
                persons.append([person, arm, f"{arm[0]}{family}"])
                days = int(rng.integers(300, 731)), int(rng.integers(100, 366))
                after = int(rng.poisson(0.8)) if arm == "comparison" else 0
                counts.append([person, "before", "contact", int(rng.poisson(1.5)), days[0]])
                counts.append([person, "after", "contact", after, days[1]])
    bench = Workbench(tmp_path)
    bench.add_plan(
        minimal_plan(
            "ceased",
            "before_after",
            source={"persons": "persons.csv", "person_counts": "counts.csv"},
            cluster="family_id",
            outcomes={"contact": {"measures": ["ratio_of_rate_ratios", "rate_ratio"]}},
            claims=[{"outcome": "contact", "measure": "rate_ratio", "at_most": 0.1, "words": "almost entirely ceased"}],
        )
    )
    bench.deliver("ceased", "persons.csv", ["person_id", "arm", "family_id"], persons)
    bench.deliver("ceased", "counts.csv", ["person_id", "period", "outcome", "count", "days"], counts)
    if with_comparison:
        bench.estimate("ceased")
    else:
        assert bench.refresh("ceased").exit_code == 0
    found = bench.effects("ceased")
    assert_conforms(found)
    change = rows_where(found["effects"], analysis="unadjusted", contrast="treated after vs before")[0]
    assert (change["estimate"], change["conf_low"], change["status"]) == (0, None, "shown")
    assert 0 < change["conf_high"] < 0.2
    row = primary(found)
    assert row["status"] == ("shown" if with_comparison else "hidden")
    assert row["estimate"] == 0
    assert 0 < row["conf_high"] < 1
    if not with_comparison:
        assert found["claims"][0]["ruling"] == "cannot_be_tested"
    for other in rows_where(found["effects"], estimator="permutation"):
        assert other["conf_high"] is None or other["conf_high"] > other["estimate"]
