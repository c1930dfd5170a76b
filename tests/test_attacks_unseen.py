"""Studies that nobody built this for: published numbers, awkward names, odd files, all through plan and delivery.

Each goes through intake, cohort, outcomes and design in process. What a hand or least squares makes of the same rows is
what must come out; where there is nothing to say, a reason. Checks are evaluated where a test is about them.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import polars as pl
import pytest
from workbench import QUARTER, minimal_plan

from effectmeter.designs.base import AnalysisData
from effectmeter.designs.registry import design_for
from effectmeter.errors import EffectmeterError, PlanError
from effectmeter.plan import Plan
from effectmeter.results import Comparability, EffectRow
from expectations.evaluation import evaluate
from expectations.landing import landing_rules
from vault.analysis import read_analysis_data
from vault.cohort import build_cohort
from vault.connection import open_vault
from vault.intake import land
from vault.outcomes import build_outcomes

Table = tuple[Sequence[str], Iterable[Sequence[Any]]]
Answers = Callable[..., list[EffectRow]]
PERSONS = ("person_id", "arm", "follow_up_days")
EVENTS = ("person_id", "event_type", "event_day")
MEASURES = ["risk_ratio", "rate_ratio", "hazard_ratio"]


def write(folder: Path, tables: dict[str, Table | pl.DataFrame]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for file, table in tables.items():
        if isinstance(table, pl.DataFrame):
            table.write_parquet(folder / file)
            continue
        with (folder / file).open("w", newline="", encoding="utf-8") as stream:
            writer = csv.writer(stream)
            writer.writerow(table[0])
            writer.writerows(table[1])


@pytest.fixture(scope="module")
def connection(tmp_path_factory: pytest.TempPathFactory) -> Iterator[duckdb.DuckDBPyConnection]:
    with open_vault(tmp_path_factory.mktemp("unseen") / "vault" / "p" / "q.duckdb") as opened:
        yield opened


@pytest.fixture
def answers(connection: duckdb.DuckDBPyConnection, tmp_path: Path) -> Answers:
    """Deliver a study and return the rows that its verdict rests on, the primary ones first."""

    def run(plan: dict[str, Any], tables: dict[str, Table | pl.DataFrame]) -> list[EffectRow]:
        return answer(delivered(connection, tmp_path, plan, tables))

    return run


def delivered(
    connection: duckdb.DuckDBPyConnection, folder: Path, plan: dict[str, Any], tables: dict[str, Table | pl.DataFrame]
) -> AnalysisData:
    """Bring a study into the vault and return what its design sees."""
    write(folder, tables)
    read = Plan.model_validate(plan)
    land(connection, read, folder, QUARTER)
    build_cohort(connection, read, QUARTER)
    build_outcomes(connection, read, QUARTER)
    return read_analysis_data(connection, read, QUARTER)


def answer(data: AnalysisData) -> list[EffectRow]:
    return list(design_for(data.plan).estimate(data, Comparability(), "verdict"))


def failed(connection: duckdb.DuckDBPyConnection, plan: dict[str, Any], *names: str) -> set[str]:
    """Return which of the named checks fail on what was landed last."""
    rules = [
        rule for rule in landing_rules(Plan.model_validate(plan), QUARTER.reference_date) if rule.spec.name in names
    ]
    assert len(rules) == len(names)
    return {outcome.spec.name for outcome in evaluate(connection, rules) if not outcome.passed}


def trial(n: int = 120, risks: tuple[float, float] = (0.3, 0.45), seed: int = 1) -> tuple[list[Any], list[Any]]:
    """Return persons (with a number as last column) and events of two arms."""
    rng = np.random.default_rng(seed)
    persons, events = [], []
    for arm, risk in zip(("treated", "comparison"), risks, strict=True):
        for i in range(n):
            persons.append([f"{arm[0]}{i}", arm, 365, round(float(rng.normal()), 3)])
            if rng.random() < risk:
                events.append([f"{arm[0]}{i}", "arrest", int(rng.integers(1, 366))])
    return persons, events


def figures(rows: Iterable[EffectRow]) -> list[tuple[Any, ...]]:
    return [(row.measure, row.estimate, row.conf_low, row.conf_high, row.person_years_treated) for row in rows]


@pytest.mark.parametrize("name", ["n_events", "days_calendar", "days_observed", "Sex", "âge (jaren)"])
def test_a_covariate_may_be_called_anything(answers: Answers, name: str) -> None:
    """One called `n_events` was counted as the outcome: the names of the two frames met in a join."""
    persons, events = trial()
    found = []
    for called in ("x", name):
        plan = minimal_plan("p", adjust_for={called: "numeric"}, outcomes={"arrest": {"measures": MEASURES}})
        tables = {"persons.csv": ((*PERSONS, called), persons), "events.csv": (EVENTS, events)}
        found.append(figures(answers(plan, tables)))
    assert found[0] == found[1]


@pytest.mark.parametrize("names", [["row_number"], ["REJECT_REASON"], ["age", "Age"]])
def test_names_that_the_vault_could_not_tell_apart_are_refused(names: list[str]) -> None:
    with pytest.raises(ValueError, match=r"name of the intake's own|differ in capitals only"):
        Plan.model_validate(minimal_plan("p", adjust_for=dict.fromkeys(names, "numeric")))


ARMS = [("1", "0"), ("treated", "control"), ("a vs b", "Één-op-één O'Neil")]


@pytest.mark.parametrize(("comparison", "treated"), ARMS)
def test_arms_may_be_called_anything(answers: Answers, comparison: str, treated: str) -> None:
    persons, events = trial()
    tables = {"persons.csv": (PERSONS, [row[:3] for row in persons]), "events.csv": (EVENTS, events)}
    plain = figures(answers(minimal_plan("p"), tables))
    names = {"comparison": comparison, "treated": treated}
    tables["persons.csv"] = (PERSONS, [[row[0], names[row[1]], row[2]] for row in persons])
    renamed = answers(minimal_plan("p", arms={"comparison": comparison, "treated": [treated]}), tables)
    assert figures(renamed) == plain
    swapped = answers(minimal_plan("p", arms={"comparison": treated, "treated": [comparison]}), tables)
    assert swapped[0].estimate == pytest.approx(1 / plain[0][1], rel=1e-10)


@pytest.mark.parametrize("design", ["randomised", "comparison_cohort"])
@pytest.mark.parametrize("step", [1, 2])
def test_a_delivered_yes_or_no_that_nobody_has_in_an_arm_gets_a_bound(answers: Answers, design: str, step: int) -> None:
    """Delivered as a value, 0 in a whole arm was a reason and no bound; also where values are 0, a half and 1."""
    rng = np.random.default_rng(2)
    rows = [[f"v{i}", ("treated", "comparison")[i % 2], int(rng.integers(0, step + 1)) / step] for i in range(150)]
    rows = [[*row[:2], 0 if row[1] == "treated" else row[2]] for row in rows]
    plan = minimal_plan("p", design) | {
        "source": {"persons": "persons.csv"},
        "outcomes": {"sells": {"value": "y", "scale": "binary", "measures": ["risk_ratio"]}},
    }
    row, gap = answers(plan, {"persons.csv": (("person_id", "arm", "y"), rows)})
    assert (row.estimate, row.conf_low, row.status) == (0, None, "shown")
    assert row.conf_high is not None
    assert row.conf_high < 0.2
    assert gap.conf_high is not None
    assert gap.conf_high < 0


@pytest.mark.parametrize(("level", "unit"), [(1e9, 1.0), (0.0, 1e-12)])
def test_a_value_far_from_zero_or_in_other_units_keeps_its_digits(answers: Answers, level: float, unit: float) -> None:
    rng = np.random.default_rng(3)
    values = rng.integers(-400, 400, 120) / 100
    arms = [("treated", "comparison")[i % 3 > 0] for i in range(120)]
    plan = minimal_plan("p") | {"source": {"persons": "persons.csv"}, "outcomes": {"score": {"value": "y"}}}
    rows = [[f"v{i}", arms[i], str(float(level + unit * values[i]))] for i in range(120)]
    (row,) = answers(plan, {"persons.csv": (("person_id", "arm", "y"), rows)})
    read = np.array([float(row[2]) for row in rows])
    one = np.array(arms) == "treated"
    assert row.estimate == pytest.approx(read[one].mean() - read[~one].mean(), rel=1e-6, abs=unit * 1e-9)
    assert row.std_error == pytest.approx(
        np.sqrt(sum(((read[w] - read[w].mean()) ** 2).sum() / (w.sum() - 1) ** 2 for w in (one, ~one))), rel=1e-5
    )


def test_numbers_of_any_size_are_finite(answers: Answers) -> None:
    """Their squares are not: a fit crashed on them."""
    plan = minimal_plan("p") | {"source": {"persons": "persons.csv"}, "outcomes": {"score": {"value": "y"}}}
    rows = [[f"v{i}", ("treated", "comparison")[i % 2], f"{(-1) ** (i // 2) * (i + 1)}e300"] for i in range(120)]
    (row,) = answers(plan, {"persons.csv": (("person_id", "arm", "y"), rows)})
    assert row.estimate is not None
    assert row.conf_low is not None
    assert row.conf_high is not None
    assert np.isfinite([row.estimate, row.conf_low, row.conf_high]).all()
    assert row.verdict_low is None or np.isfinite(row.verdict_low)


def test_moments_in_a_time_zone_are_the_day_on_the_local_clock(answers: Answers) -> None:
    """Midnight in Amsterdam is kept in Parquet as an hour of the day before: every window lost its last day."""
    persons, events = trial()
    start = {row[0]: date(2023, 3, 1) + timedelta(days=i % 60) for i, row in enumerate(persons)}
    frame = pl.DataFrame({"person_id": [row[0] for row in persons], "arm": [row[1] for row in persons]})
    day = pl.Series("index_date", list(start.values()))
    happened = pl.DataFrame(
        {
            "person_id": [row[0] for row in events],
            "event_type": "arrest",
            "event_date": [start[row[0]] + timedelta(days=row[2]) for row in events],
        }
    )
    local = pl.Series("index_date", [datetime(d.year, d.month, d.day) for d in start.values()])
    found = []
    for column in (day, local.dt.replace_time_zone("Europe/Amsterdam")):
        plan = minimal_plan("p", source={"persons": "persons.parquet", "events": "events.parquet"})
        plan["outcomes"] = {"arrest": {"measures": MEASURES}}
        tables = {"persons.parquet": frame.with_columns(column), "events.parquet": happened}
        found.append(figures(answers(plan, tables)))
    assert found[0] == found[1]


def test_truth_values_of_a_program_are_ones_and_zeros(answers: Answers) -> None:
    frame = pl.DataFrame({"person_id": [f"b{i}" for i in range(160)], "arm": ["treated", "comparison"] * 80})
    frame = frame.with_columns(y=pl.Series([i % 5 == 0 or i % 4 == 1 for i in range(160)]))
    plan = minimal_plan("p") | {
        "source": {"persons": "persons.parquet"},
        "outcomes": {"y": {"value": "y", "scale": "binary", "measures": ["risk_ratio"]}},
    }
    row = answers(plan, {"persons.parquet": frame})[0]
    share = frame.group_by("arm").agg(pl.col("y").mean())
    risk = dict(share.iter_rows())
    assert row.estimate == pytest.approx(risk["treated"] / risk["comparison"])


# ---- a file pasted below itself


def counts(n: int = 30, seed: int = 4) -> tuple[list[list[Any]], list[list[Any]]]:
    """Return persons of two arms, and counts before and after over days that differ from person to person."""
    rng = np.random.default_rng(seed)
    persons, rows = [], []
    for arm in ("treated", "comparison"):
        for i in range(n):
            person, rate = f"{arm[0]}{i}", rng.gamma(2, 1)
            persons.append([person, arm])
            for period, factor in (("before", 1.0), ("after", 0.5 if arm == "treated" else 0.9)):
                days = int(rng.integers(100, 900))
                rows.append([person, period, "contact", int(rng.poisson(rate * factor * days / 365)), days])
    return persons, rows


COUNTS = ("person_id", "period", "outcome", "count", "days")
BEFORE_AFTER = minimal_plan("p", "before_after") | {
    "source": {"persons": "persons.csv", "person_counts": "counts.csv"},
    "outcomes": {"contact": {"measures": ["ratio_of_rate_ratios"]}},
}


def test_counts_over_unequal_days_are_a_binomial_that_swaps(answers: Answers) -> None:
    """The same numbers as a logit of after among all, with the log of the days' ratio beside it."""
    import statsmodels.api as sm

    persons, rows = counts()
    row = answers(BEFORE_AFTER, {"persons.csv": (("person_id", "arm"), persons), "counts.csv": (COUNTS, rows)})[0]
    n = np.array([entry[3] for entry in rows], dtype=float).reshape(-1, 2)
    days = np.array([entry[4] for entry in rows], dtype=float).reshape(-1, 2)
    treated = np.repeat([1.0, 0.0], len(n) // 2)
    use = n.sum(axis=1) > 0
    model = sm.GLM(
        n[use][:, ::-1],
        sm.add_constant(treated[use]),
        family=sm.families.Binomial(),
        offset=np.log(days[use, 1] / days[use, 0]),
    ).fit()
    assert row.estimate == pytest.approx(np.exp(model.params[1]), rel=1e-8)
    other = {"treated": "comparison", "comparison": "treated"}
    swapped = [[person, other[arm]] for person, arm in persons]
    back = answers(BEFORE_AFTER, {"persons.csv": (("person_id", "arm"), swapped), "counts.csv": (COUNTS, rows)})[0]
    assert back.estimate == pytest.approx(1 / row.estimate, rel=1e-8)


def test_a_change_from_nothing_in_both_arms_is_no_empty_row(answers: Answers) -> None:
    """Nothing counted before in either arm gave a row that was shown and had no number in it."""
    persons, rows = counts()
    rows = [[*row[:3], 0 if row[1] == "before" else row[3] + 1, row[4]] for row in rows]
    found = answers(BEFORE_AFTER, {"persons.csv": (("person_id", "arm"), persons), "counts.csv": (COUNTS, rows)})
    assert {row.status for row in found if row.estimate is None and row.conf_low is None} == {"not_estimable"}
    assert all(row.reason and row.reason_nl for row in found if row.status == "not_estimable")


@pytest.mark.parametrize("times", [1, 2])
def test_a_table_that_is_a_copy_of_itself_blocks(
    answers: Answers, connection: duckdb.DuckDBPyConnection, times: int
) -> None:
    persons, rows = counts()
    answers(BEFORE_AFTER, {"persons.csv": (("person_id", "arm"), persons), "counts.csv": (COUNTS, rows * times)})
    assert bool(failed(connection, BEFORE_AFTER, "person_counts_not_delivered_twice")) == (times == 2)
    members, events = trial()
    plan = minimal_plan("p")
    tables: dict[str, Table] = {
        "persons.csv": (PERSONS, [row[:3] for row in members]),
        "events.csv": (EVENTS, events * times),
    }
    answers(plan, tables)
    assert bool(failed(connection, plan, "events_not_delivered_twice")) == (times == 2)


# ---- areas and series


def panel() -> tuple[list[list[Any]], list[list[Any]]]:
    """Return areas of which some start in period 5 or 7, and values below and above zero in periods 1 to 9."""
    rng = np.random.default_rng(6)
    start = {i: 5 if i < 10 else 7 if i < 18 else 0 for i in range(40)}
    rows = [
        [i, t, "harm", round(float(rng.normal() - 0.4 * (0 < start[i] <= t)), 4)] for i in start for t in range(1, 10)
    ]
    return [[i, first] for i, first in start.items()], rows


def area_plan(**more: Any) -> dict[str, Any]:
    return {
        "programme": "p",
        "title": "p",
        "design": "staggered_areas",
        "source": {"areas": {"file": "areas.csv"}, "area_counts": "counts.csv"},
        "outcomes": {"harm": {"value": "harm", "measures": ["mean_difference"]}},
    } | more


AREA_COUNTS = ("area_id", "period", "outcome", "value")


def test_a_start_of_zero_is_never_silently_before_the_data(
    answers: Answers, connection: duckdb.DuckDBPyConnection
) -> None:
    """R's convention for areas that never start; read as "long ago" all of them were left out."""
    areas, rows = panel()
    tables: dict[str, Table] = {
        "areas.csv": (("area_id", "adopted_period"), areas),
        "counts.csv": (AREA_COUNTS, rows),
    }
    answers(area_plan(), tables)
    assert failed(connection, area_plan(), "areas_start_of_the_same_kind")
    mapped = area_plan(
        source={
            "areas": {
                "file": "areas.csv",
                "columns": {"adopted_period": {"column": "adopted_period", "values": {0: ""}}},
            },
            "area_counts": "counts.csv",
        },
        areas={"estimator": "twoway_fe", "comparison": "not_yet_treated"},
    )
    row = answers(mapped, tables)[0]
    assert not failed(connection, mapped, "areas_start_of_the_same_kind")
    area, period, value = (np.array([entry[at] for entry in rows]) for at in (0, 1, 3))
    first = np.array([start for _, start in areas])[area]
    X = np.column_stack(
        [(first > 0) & (period >= first), *(area == i for i in range(40)), *(period == t for t in range(2, 10))]
    ).astype(float)
    assert row.estimate == pytest.approx(np.linalg.lstsq(X, value, rcond=None)[0][0], abs=1e-9)


SICILY = (
    "728 659 791 734 757 726 760 740 720 814 795 858 887 766 851 769 781 756 766 752 765 831 879 928 914 808 937 840 "
    "916 828 845 818 860 839 887 886 831 796 833 820 877 758 767 738 781 843 850 908 1021 859 976 888 962 838 810 876 "
    "843 936 912"
)
"""Acute coronary events per month in Sicily, 2002-2006, with a smoking ban from January 2005 (Bernal et al. 2017,
doi:10.1093/ije/dyw098, table in its supplement)."""
WAYS = ["{y}-{m:02d}", "{y}-{m:02d}-15", "{y}{m:02d}", "{m:02d}-{y}", "{t}"]


@pytest.mark.parametrize("way", WAYS)
def test_months_are_months_however_they_are_written(answers: Answers, way: str) -> None:
    """Months given as their fifteenth were taken for days, and the season with them."""
    import statsmodels.api as sm

    y = np.array([int(word) for word in SICILY.split()])
    t = np.arange(len(y))
    labels = [way.format(y=2002 + i // 12, m=i % 12 + 1, t=i + 1) for i in t]
    plan = {
        "programme": "p",
        "title": "p",
        "design": "interrupted_series",
        "source": {"series": "series.csv"},
        "series": {"start": labels[36], "autocorrelation": "none"},
        "outcomes": {"events": {"measures": ["level_ratio"]}},
    }
    rows = [[label, "events", count] for label, count in zip(labels, y, strict=True)]
    row = answers(plan, {"series.csv": (("period", "outcome", "count"), rows)})[0]
    angle = 2 * np.pi * t / 12
    waves = [wave(k * angle) for k in (1, 2) for wave in (np.sin, np.cos)]
    X = np.column_stack([np.ones(len(t)), t >= 36, t, *waves])
    model = sm.GLM(y, X, family=sm.families.Poisson()).fit(scale="X2")
    assert row.estimate == pytest.approx(np.exp(model.params[1]), rel=1e-8)
    assert row.std_error == pytest.approx(model.bse[1], rel=1e-6)


def test_permuted_outcomes_are_seldom_called_anything(connection: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    """Arms dealt to the same people by lot, forty times: a verdict interval that excludes 1 is rare."""
    persons, events = trial(risks=(0.4, 0.4))
    tables: dict[str, Table | pl.DataFrame] = {
        "persons.csv": (PERSONS, [row[:3] for row in persons]),
        "events.csv": (EVENTS, events),
    }
    data = delivered(connection, tmp_path, minimal_plan("p"), tables)
    called = 0
    for seed in range(40):
        dealt = data.persons.with_columns(pl.col("arm").shuffle(seed))
        row = answer(replace(data, persons=dealt))[0]
        assert row.verdict_low is not None
        assert row.verdict_high is not None
        called += row.verdict_high < 1 or row.verdict_low > 1
    assert called <= 2


def test_refusals_quote_no_cell(answers: Answers) -> None:
    persons, events = trial()
    persons[3][3] = "geheim-van-Jansen"
    plan = minimal_plan("p", adjust_for={"x": "numeric"}, expectations={"max_rejected": 0})
    with pytest.raises(EffectmeterError) as refused:
        answers(plan, {"persons.csv": ((*PERSONS, "x"), persons), "events.csv": (EVENTS, events)})
    assert not isinstance(refused.value, PlanError)
    assert "x: not a number" in str(refused.value)
    assert "Jansen" not in str(refused.value)
