"""Data made to break the designs on persons: every row must end in a number, a bound or a reason; never otherwise."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterator
from dataclasses import asdict, fields, replace
from typing import Any

import numpy as np
import polars as pl
import pytest
from analysis_frames import cohort, only, outcome_frame, plan_for, swapped

from effectmeter.designs.base import AnalysisData
from effectmeter.designs.registry import design_for
from effectmeter.results import EffectRow

AGE = {"age": {"type": "numeric"}}
DESIGNS = ["randomised", "comparison_cohort"]
EVERY = ["risk_ratio", "rate_ratio", "hazard_ratio", "odds_ratio", "risk_difference", "rate_difference"]
ALL: dict[str, Any] = {"contact": {"event": "contact", "measures": EVERY, "primary": True}}
NAMES = [field.name for field in fields(EffectRow)][3:13]


def estimate(data: AnalysisData) -> tuple[EffectRow, ...]:
    design = design_for(data.plan)
    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)
        comparability = design.compare(data)
        rows = design.estimate(data, comparability)
        design.gates(data, comparability, rows)
    check(rows, contrasts=len(data.plan.contrasts))
    return rows


def check(rows: tuple[EffectRow, ...], contrasts: int = 1) -> None:
    """Every row: finite, ordered, told apart, and with a reason exactly where there is no number."""
    assert sum(row.analysis == "primary" for row in rows) == contrasts and rows[0].analysis == "primary"
    keys = [tuple(getattr(row, name) for name in NAMES) for row in rows]
    assert len(set(keys)) == len(keys), [key for key in keys if keys.count(key) > 1][:2]
    for row in rows:
        name = " / ".join(str(getattr(row, field)) for field in NAMES)
        numbers = [row.estimate, row.conf_low, row.conf_high]
        assert (row.status == "not_estimable") == all(value is None for value in numbers), name
        assert (row.status == "not_estimable") == bool(row.reason) == bool(row.reason_nl), name
        assert all(math.isfinite(value) for value in asdict(row).values() if isinstance(value, float)), name
        slack = 1e-7 * max([1.0, *(abs(value) for value in numbers if value is not None)])
        for low, high in (
            (row.verdict_low, row.conf_low),
            (row.conf_low, row.estimate),
            (row.estimate, row.conf_high),
            (row.conf_high, row.verdict_high),
        ):
            assert low is None or high is None or low <= high + slack, name
        if row.is_ratio:
            assert all(value is None or value >= 0 for value in numbers), name
        if row.p_value is not None:
            assert 0 <= row.p_value <= 1 + 1e-12, name


def everything(design: str, **more: Any) -> AnalysisData:
    plan = {"adjust_for": AGE | {"sex": {"type": "categorical"}}, "outcomes": ALL, "subgroups": ["sex"]}
    plan |= {
        "variance": ["model", "hc1", "hc3"],
        "estimand": ["itt"] if design == "randomised" else ["att", "ato", "ate"],
    }
    return cohort(plan_for(design, **plan), **more)


def with_persons(data: AnalysisData, **columns: Any) -> AnalysisData:
    return replace(data, persons=data.persons.with_columns(**columns))


def adjusting(data: AnalysisData, **covariates: Any) -> AnalysisData:
    plan = data.plan.model_copy(update={"adjust_for": dict(data.plan.adjust_for)})
    return replace(data, plan=type(plan).model_validate(plan.model_dump(by_alias=True) | {"adjust_for": covariates}))


# ---- numbers of persons and events


@pytest.mark.parametrize("design", DESIGNS)
@pytest.mark.parametrize("n", [(1, 1), (1, 200), (200, 1), (2, 2), (5, 8), (40, 40), (0, 30), (30, 0)])
def test_tiny_arms(design: str, n: tuple[int, int]) -> None:
    estimate(everything(design, n_treated=n[0], n_comparison=n[1]))


@pytest.mark.parametrize("design", DESIGNS)
@pytest.mark.parametrize("risks", [(0, 0), (1, 1), (0, 1), (0, 0.02), (0.02, 0), (0.99, 1)])
@pytest.mark.parametrize("cluster", [None, "site_id"])
def test_nobody_few_or_everybody_with_an_event(design: str, risks: tuple[float, float], cluster: str | None) -> None:
    data = everything(design, risks=risks, cluster=[f"s{number % 22}" for number in range(500)])
    plan = type(data.plan).model_validate(data.plan.model_dump(by_alias=True) | {"cluster": cluster})
    rows = estimate(replace(data, plan=plan))
    primary = rows[0]
    if sum(risks) > 0 and min(risks) == 0:
        assert primary.status == "shown" and None in (primary.conf_low, primary.conf_high)


@pytest.mark.parametrize("design", DESIGNS)
@pytest.mark.parametrize("measure", EVERY)
def test_an_arm_without_events_has_a_bound_in_every_measure(design: str, measure: str) -> None:
    outcomes = {"contact": {"event": "contact", "measures": [measure]}}
    for cluster in (None, "site_id"):
        plan = plan_for(design, adjust_for=AGE, outcomes=outcomes, cluster=cluster)
        row = estimate(cohort(plan, risks=(0.0, 0.2), cluster=[f"s{number % 30}" for number in range(500)]))[0]
        assert row.status == "shown" and row.conf_high is not None
        assert row.conf_high < (1 if row.is_ratio else 0)
        assert (row.conf_low is None) == row.is_ratio


@pytest.mark.parametrize("design", DESIGNS)
def test_few_events_are_adjusted_and_clustered_in_every_measure(design: str) -> None:
    for cluster in (None, "site_id"):
        data = everything(design, risks=(0.008, 0.05), shift=0.4, cluster=[f"s{number % 30}" for number in range(500)])
        plan = type(data.plan).model_validate(data.plan.model_dump(by_alias=True) | {"cluster": cluster})
        rows = estimate(replace(data, plan=plan))
        for measure in EVERY:
            main = next(row for row in rows if row.measure == measure and row.analysis in {"primary", "secondary"})
            assert main.status == "shown" and main.variance in {"score", "profile"}, measure


# ---- covariates


def giveaway(data: AnalysisData) -> Any:
    return (data.persons["arm"] == "treated").cast(pl.Float64)


def outcome_itself(data: AnalysisData) -> Any:
    return data.persons.join(data.outcomes, on="person_id", maintain_order="left")["n_events"].cast(pl.Float64)


COVARIATES: dict[str, Callable[[AnalysisData], Any]] = {
    "constant": lambda data: pl.lit(3.0),
    "the same as age": lambda data: pl.col("age"),
    "a line of age": lambda data: 2.0 - 5.0 * pl.col("age"),
    "the arm": giveaway,
    "the arm, blurred": lambda data: giveaway(data) * 10.0 + pl.col("age") * 1e-9,
    "the outcome": outcome_itself,
    "huge": lambda data: pl.col("age") * 1e12 + 1e13,
    "tiny": lambda data: pl.col("age") * 1e-12,
    "one person": lambda data: (pl.col("person_id") == "p00003").cast(pl.Float64),
    "missing": lambda data: pl.lit(None, dtype=pl.Float64),
    "not a number": lambda data: pl.lit(float("nan")),
    "missing for the treated": lambda data: pl.when(pl.col("arm") == "comparison").then(pl.col("age")),
    "missing for one": lambda data: pl.when(pl.col("person_id") != "p00003").then(pl.col("age")),
}


@pytest.mark.parametrize("design", DESIGNS)
@pytest.mark.parametrize(
    ("kind", "rule"),
    [(kind, "indicator") for kind in COVARIATES] + [(kind, "exclude") for kind in COVARIATES if "missing" in kind],
)
def test_covariates_made_to_break_it(design: str, kind: str, rule: str) -> None:
    plan = plan_for(
        design,
        adjust_for=AGE | {"odd": {"type": "numeric", "degree": 2}},
        missing={"covariates": rule},
        outcomes={"contact": {"event": "contact", "measures": ["risk_ratio", "rate_ratio", "hazard_ratio"]}},
    )
    data = cohort(plan, n_treated=80, n_comparison=100)
    rows = estimate(with_persons(data, odd=COVARIATES[kind](data)))
    harmless = {"constant", "the same as age", "a line of age", "huge", "tiny"}
    if kind in harmless:
        assert rows[0].status == "shown"
    raw = only(rows, analysis="unadjusted", measure="risk_ratio")
    assert raw.status == "shown" or rule == "exclude"


@pytest.mark.parametrize("design", DESIGNS)
def test_as_many_covariates_as_persons(design: str) -> None:
    rng = np.random.default_rng(3)
    names = [f"x{number}" for number in range(60)]
    plan = plan_for(design, adjust_for={name: {"type": "numeric"} for name in names}, outcomes=ALL)
    estimate(cohort(plan, n_treated=20, n_comparison=25, **{name: rng.normal(size=45) for name in names}))


@pytest.mark.parametrize("design", DESIGNS)
def test_a_category_per_person(design: str) -> None:
    plan = plan_for(design, adjust_for={"name": {"type": "categorical"}}, outcomes=ALL)
    estimate(cohort(plan, n_treated=15, n_comparison=15, name=[f"n{number}" for number in range(30)]))


# ---- strata, clusters, pairs


@pytest.mark.parametrize("design", DESIGNS)
@pytest.mark.parametrize("kind", ["empty side", "one person each", "all one", "missing"])
def test_strata_made_to_break_it(design: str, kind: str) -> None:
    labels: dict[str, Any] = {
        "empty side": [f"b{number // 60}" for number in range(180)],  # some blocks hold one arm only
        "one person each": [f"b{number}" for number in range(180)],
        "all one": ["b"] * 180,
        "missing": [None] * 180,
    }
    plan = plan_for(design, strata="block_id", adjust_for=AGE, outcomes=ALL)
    rows = estimate(cohort(plan, n_treated=80, n_comparison=100, stratum=labels[kind]))
    if kind in {"empty side", "all one", "missing"}:
        assert rows[0].status == "shown"


@pytest.mark.parametrize("design", DESIGNS)
@pytest.mark.parametrize("kind", ["arm is cluster", "each its own", "two", "missing", "some missing"])
def test_clusters_made_to_break_it(design: str, kind: str) -> None:
    labels: dict[str, Any] = {
        "arm is cluster": ["a"] * 80 + ["b"] * 100,
        "each its own": [f"s{number}" for number in range(180)],
        "two": [f"s{number % 2}" for number in range(180)],
        "missing": [None] * 180,
        "some missing": [None if number % 3 else f"s{number % 7}" for number in range(180)],
    }
    plan = plan_for(design, cluster="site_id", adjust_for=AGE, outcomes=ALL)
    estimate(cohort(plan, n_treated=80, n_comparison=100, cluster=labels[kind]))


@pytest.mark.parametrize("kind", ["unmatched", "three of a kind", "no event", "all alike"])
def test_pairs_made_to_break_it(kind: str) -> None:
    labels: list[Any] = [f"q{number}" for number in range(60)] * 2
    risks = (0.3, 0.4)
    if kind == "unmatched":
        labels = [f"q{number}" for number in range(120)]
    elif kind == "three of a kind":
        labels = [f"q{number % 40}" for number in range(120)]
    elif kind == "no event":
        risks = (0.0, 0.0)
    elif kind == "all alike":
        risks = (1.0, 1.0)
    plan = plan_for("randomised", pairs="pair_id")
    estimate(cohort(plan, n_treated=60, n_comparison=60, pair=labels, risks=risks))


# ---- values


VALUES: dict[str, Callable[[np.random.Generator, int], Any]] = {
    "0 and 1": lambda rng, n: rng.integers(0, 2, n).astype(float),
    "halves": lambda rng, n: rng.integers(0, 3, n) / 2,
    "negative": lambda rng, n: rng.normal(-40, 5, n),
    "constant": lambda rng, n: np.full(n, 7.0),
    "missing": lambda rng, n: np.full(n, np.nan),
    "nearly all missing": lambda rng, n: np.where(np.arange(n) % 90 == 0, 1.0, np.nan),
    "one far out": lambda rng, n: np.where(np.arange(n) == 5, 1e9, rng.normal(size=n)),
    "counts": lambda rng, n: rng.poisson(2, n).astype(float),
    "zeros": lambda rng, n: np.zeros(n),
    "constant per arm": lambda rng, n: (np.arange(n) < 80).astype(float),
}


@pytest.mark.parametrize("design", DESIGNS)
@pytest.mark.parametrize("kind", list(VALUES))
@pytest.mark.parametrize("scale", ["continuous", "binary", "count"])
def test_values_made_to_break_it(design: str, kind: str, scale: str) -> None:
    measures = {
        "continuous": ["mean_difference"],
        "binary": ["risk_ratio", "odds_ratio", "risk_difference"],
        "count": ["rate_ratio", "rate_difference"],
    }[scale]
    plan = plan_for(
        design, adjust_for=AGE, subgroups=["sex"], outcomes={"v": {"value": "v", "scale": scale, "measures": measures}}
    )
    values = VALUES[kind](np.random.default_rng(3), 180)
    rows = estimate(cohort(plan, n_treated=80, n_comparison=100, v=values))
    if kind == "negative" and scale != "continuous":
        assert rows[0].status == "not_estimable"
        assert "values" in rows[0].reason or "counts" in rows[0].reason


@pytest.mark.parametrize("scale", ["continuous", "binary"])
def test_several_arms_blocks_and_halves(scale: str) -> None:
    rng = np.random.default_rng(4)
    n = 600
    arm = rng.choice(["control", "therapy", "cash", "both"], n)
    block = np.array([f"b{number}" for number in rng.integers(0, 6, n)])
    half = np.clip(rng.integers(0, 3, n) / 2 - 0.5 * (arm == "both") * (rng.random(n) < 0.4), 0, 1)
    plan = plan_for(
        "randomised",
        arms={"comparison": "control", "treated": ["therapy", "cash", "both"]},
        strata="block_id",
        adjust_for=AGE,
        subgroups=["sex"],
        outcomes={"half": {"value": "half", "scale": scale}},
    )
    data = cohort(plan, n_treated=n, n_comparison=0, stratum=block, half=half)
    data = with_persons(data, arm=pl.Series(arm))
    rows = estimate(data)
    order = rng.permutation(n)
    shuffled = estimate(replace(data, persons=data.persons[order]))
    for contrast in {row.contrast for row in rows}:
        one, other = (only(each, contrast=contrast, analysis="primary") for each in (rows, shuffled))
        assert one.estimate == pytest.approx(other.estimate, rel=1e-8)
        assert one.std_error == pytest.approx(other.std_error, rel=1e-6)


# ---- what must not change, and what must


def mains(rows: tuple[EffectRow, ...]) -> Iterator[EffectRow]:
    return (row for row in rows if row.analysis in {"primary", "secondary"} and row.is_ratio)


@pytest.mark.parametrize(
    ("design", "estimand"), [("randomised", "itt"), ("comparison_cohort", "ate"), ("comparison_cohort", "ato")]
)
@pytest.mark.parametrize("risks", [(0.2, 0.4), (0.015, 0.04)])
def test_swapped_arms_invert_every_ratio_but_that_of_the_treated(
    design: str, estimand: str, risks: tuple[float, float]
) -> None:
    data = cohort(plan_for(design, adjust_for=AGE, outcomes=ALL, estimand=[estimand]), shift=0.3, risks=risks)
    one, other = estimate(data), estimate(swapped(data))
    for row in mains(one):
        match = next(each for each in mains(other) if each.measure == row.measure)
        assert match.estimator == row.estimator
        assert (row.estimate or 0) * (match.estimate or 0) == pytest.approx(1.0, rel=1e-5), row.measure
        assert (row.conf_low or 0) * (match.conf_high or 0) == pytest.approx(1.0, rel=1e-3), row.measure


def test_swapped_arms_do_not_invert_the_effect_on_the_treated() -> None:
    """The effect on the treated is not that on the comparison group once it depends on a covariate."""
    rng = np.random.default_rng(1)
    data = cohort(plan_for(adjust_for=AGE, estimand=["att"]), n_treated=600, n_comparison=900, shift=0.8)
    age, treated = data.persons["age"].to_numpy(), (data.persons["arm"] == "treated").to_numpy()
    event = (rng.random(1500) < 1 / (1 + np.exp(1.0 - 0.5 * age - treated * (0.3 - 0.9 * age)))).astype(int)
    data = replace(data, outcomes=outcome_frame(data.persons, event, np.where(event == 1, 50.0, np.nan)))
    one, other = estimate(data)[0], estimate(swapped(data))[0]
    assert abs(math.log((one.estimate or 1) * (other.estimate or 1))) > 0.05


@pytest.mark.parametrize("design", DESIGNS)
def test_duplicated_persons_keep_the_estimate_and_narrow_by_root_two(design: str) -> None:
    estimand = "itt" if design == "randomised" else "att"
    data = cohort(plan_for(design, adjust_for=AGE, outcomes=ALL, estimand=[estimand]), shift=0.3)
    again = pl.col("person_id") + "x"
    double = replace(
        data,
        persons=pl.concat([data.persons, data.persons.with_columns(again)]),
        outcomes=pl.concat([data.outcomes, data.outcomes.with_columns(again)]),
    )
    clustered = type(data.plan).model_validate(data.plan.model_dump(by_alias=True) | {"cluster": "site_id"})
    paired = double.persons.with_columns(cluster=pl.col("person_id").str.strip_chars("x"))
    one, two = estimate(data), estimate(double)
    told = estimate(replace(double, plan=clustered, persons=paired))  # whoever is in twice says so
    for row in mains(one):
        other = next(each for each in mains(two) if each.measure == row.measure)
        honest = next(each for each in mains(told) if each.measure == row.measure)
        assert other.estimate == pytest.approx(row.estimate, rel=1e-6 if row.measure != "hazard_ratio" else 2e-2)
        assert (other.std_error or 0) * math.sqrt(2) == pytest.approx(row.std_error or 0, rel=0.03)
        assert honest.std_error == pytest.approx(row.std_error, rel=0.03)


@pytest.mark.parametrize("design", DESIGNS)
def test_permuted_outcomes_show_nothing(design: str) -> None:
    rng = np.random.default_rng(6)
    data = cohort(plan_for(design, adjust_for=AGE), shift=0.3, n_treated=150, n_comparison=150)
    alarms = 0
    answer = design_for(data.plan)
    comparability = answer.compare(data)
    for _ in range(60):
        order = rng.permutation(300)
        outcomes = data.outcomes.with_columns(
            data.outcomes.select("n_events", "first_event_day", "days_observed")[order].get_columns()
        )
        row = answer.estimate(replace(data, outcomes=outcomes), comparability, scope="verdict")[0]
        alarms += not (row.conf_low or 0) <= 1 <= (row.conf_high or 9)
    assert alarms <= 8  # 5 % of 60, and three Monte-Carlo errors


@pytest.mark.parametrize("design", DESIGNS)
def test_the_order_of_rows_and_the_names_of_labels_do_not_matter(design: str) -> None:
    data = everything(design, cluster=[f"s{number % 22}" for number in range(500)])
    plan = type(data.plan).model_validate(data.plan.model_dump(by_alias=True) | {"cluster": "site_id"})
    data = replace(data, plan=plan)
    order = np.random.default_rng(1).permutation(500)
    renamed = data.persons[order].with_columns(cluster=pl.lit("zz") + pl.col("cluster").str.reverse())
    one, other = estimate(data), estimate(replace(data, persons=renamed))
    for row in mains(one):
        match = next(each for each in mains(other) if (each.measure, each.analysis) == (row.measure, row.analysis))
        assert (match.estimate, match.std_error) == pytest.approx((row.estimate, row.std_error), rel=1e-6)


@pytest.mark.parametrize("design", DESIGNS)
def test_missing_everything(design: str) -> None:
    data = everything(design, n_treated=60, n_comparison=60)
    nothing = {name: pl.lit(None, dtype=data.persons.schema[name]) for name in ("age", "sex")}
    rows = estimate(with_persons(data, **nothing))
    assert only(rows, analysis="unadjusted", measure="risk_ratio", variance="hc3").status == "shown"
    empty = replace(data, outcomes=data.outcomes.clear())
    assert {row.status for row in estimate(empty)} == {"not_estimable"}
    nobody = replace(data, persons=data.persons.clear(), outcomes=data.outcomes.clear())
    assert {row.status for row in estimate(nobody)} == {"not_estimable"}


@pytest.mark.parametrize("design", DESIGNS)
def test_no_time_at_risk(design: str) -> None:
    data = everything(design, n_treated=60, n_comparison=60)
    for side in ("treated", "comparison"):
        away = data.outcomes.join(data.persons.select("person_id", "arm"), on="person_id").with_columns(
            days_free=pl.when(pl.col("arm") == side).then(0).otherwise("days_free").cast(pl.Int64)
        )
        estimate(replace(data, outcomes=away.drop("arm")))
