"""Analysis tables built by hand, for tests of designs, gates and verdicts; and two real studies in the same form."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from effectmeter.designs.base import OUTCOMES_COLUMNS, PERSONS_COLUMNS, AnalysisData
from effectmeter.plan import Plan
from effectmeter.quarters import Quarter
from effectmeter.results import EffectRow

QUARTER = Quarter(2026, 3)


def plan_for(design: str = "comparison_cohort", **fields: Any) -> Plan:
    """A plan with one outcome, `contact`, over 365 days."""
    base: dict[str, Any] = {
        "programme": "proef",
        "title": {"nl": "Proef", "en": "Trial"},
        "design": design,
        "source": {"persons": {"file": "p.csv"}, "events": {"file": "e.csv"}},
        "outcomes": {"contact": {"event": "contact", "measures": ["risk_ratio"], "primary": True}},
        "follow_up": {"days": [365]},
    }
    return Plan.model_validate(base | fields)


def persons_frame(arm: np.ndarray, **columns: Any) -> pl.DataFrame:
    """Persons with every standard column; `columns` override or add."""
    n = len(arm)
    frame = pl.DataFrame(
        {
            name: pl.Series(name, columns.pop(name), dtype=dtype)
            if name in columns
            else pl.Series(name, [None] * n, dtype=dtype)
            for name, dtype in PERSONS_COLUMNS.items()
        }
    )
    ids = [f"p{number:05d}" for number in range(n)]
    frame = frame.with_columns(person_id=pl.Series(ids), arm=pl.Series(arm.astype(str)))
    if frame["potential_follow_up_days"].null_count() == n:
        frame = frame.with_columns(potential_follow_up_days=pl.lit(400, dtype=pl.Int64))
    return frame.with_columns(**{name: pl.Series(name, values) for name, values in columns.items()})


def outcome_frame(
    persons: pl.DataFrame,
    n_events: np.ndarray,
    first_day: np.ndarray,
    *,
    outcome: str = "contact",
    window: int | None = 365,
    period: str = "follow_up",
    is_complete: np.ndarray | None = None,
    days_free: np.ndarray | None = None,
    days_calendar: np.ndarray | None = None,
) -> pl.DataFrame:
    """One outcome and window for everyone; `first_day` nan without an event."""
    n = persons.height
    calendar = np.full(n, window or 365) if days_calendar is None else days_calendar
    first = pl.Series("first_event_day", first_day).fill_nan(None).cast(pl.Int64)
    return pl.DataFrame(
        {
            "person_id": persons["person_id"],
            "outcome": [outcome] * n,
            "period": [period] * n,
            "window_days": pl.Series([window] * n, dtype=pl.Int64),
            "is_complete": np.ones(n, dtype=bool) if is_complete is None else is_complete,
            "n_events": n_events.astype(np.int64),
            "first_event_day": first,
            "days_observed": first.fill_null(pl.Series(calendar.astype(np.int64))),
            "days_calendar": calendar.astype(np.int64),
            "days_free": (calendar if days_free is None else days_free).astype(np.int64),
        },
        schema=OUTCOMES_COLUMNS,
    )


def events_at(
    n: int, risk: np.ndarray | float, rng: np.random.Generator, window: int = 365
) -> tuple[np.ndarray, np.ndarray]:
    """Number of events (0 or 1) and the day of the first."""
    happens = rng.random(n) < risk
    return happens.astype(int), np.where(happens, rng.integers(1, window + 1, n).astype(float), np.nan)


def cohort(
    plan: Plan | None = None,
    *,
    n_treated: int = 200,
    n_comparison: int = 300,
    risks: tuple[float, float] = (0.2, 0.4),
    seed: int = 1,
    shift: float = 0.0,
    **persons: Any,
) -> AnalysisData:
    """Two arms with a covariate `age` (shifted by `shift` standard deviations among the treated) and `sex`."""
    rng = np.random.default_rng(seed)
    arm = np.array(["treated"] * n_treated + ["comparison"] * n_comparison)
    n = len(arm)
    age = rng.normal(size=n) + shift * (arm == "treated")
    columns: dict[str, Any] = {"age": age, "sex": rng.choice(["f", "m"], n)} | persons
    frame = persons_frame(arm, **columns)
    number, first = events_at(n, np.where(arm == "treated", *risks), rng)
    return AnalysisData(plan or plan_for(), QUARTER, frame, outcome_frame(frame, number, first))


def families(
    plan: Plan | None = None,
    *,
    n_treated: int = 30,
    n_comparison: int = 40,
    rates: tuple[tuple[float, float], tuple[float, float]] = ((6.0, 3.0), (6.0, 5.0)),
    seed: int = 2,
    placebo_rates: tuple[tuple[float, float], tuple[float, float]] | None = None,
) -> AnalysisData:
    """Families of three, with events before and after at the given rates per family."""
    rng = np.random.default_rng(seed)
    family_arm = np.array(["treated"] * n_treated + ["comparison"] * n_comparison)
    arm = np.repeat(family_arm, 3)
    family = np.repeat([f"f{number}" for number in range(len(family_arm))], 3)
    frame = persons_frame(arm, cluster=family, family=family)
    plan = plan or plan_for(
        "before_after", cluster="family_id", outcomes={"contact": {"event": "contact", "primary": True}}
    )

    def periods(by_arm: tuple[tuple[float, float], tuple[float, float]]) -> pl.DataFrame:
        level = np.repeat(rng.gamma(4, 0.25, len(family_arm)), 3)
        parts = []
        for side, period in enumerate(("before", "after")):
            mean = np.where(arm == "treated", by_arm[0][side], by_arm[1][side]) / 3 * level
            counts = rng.poisson(mean)
            first = np.where(counts > 0, rng.integers(1, 366, len(arm)).astype(float), np.nan)
            parts.append(outcome_frame(frame, counts, first, period=period))
        return pl.concat(parts)

    data = AnalysisData(plan, QUARTER, frame, periods(rates))
    if placebo_rates is None:
        return data
    return replace(data, placebo=AnalysisData(plan, QUARTER, frame, periods(placebo_rates)))


def swapped(data: AnalysisData) -> AnalysisData:
    """The same data with the arms' labels exchanged."""
    other = pl.when(pl.col("arm") == "treated").then(pl.lit("comparison")).otherwise(pl.lit("treated"))
    return replace(data, persons=data.persons.with_columns(arm=other))


def only(rows: tuple[EffectRow, ...], **wanted: Any) -> EffectRow:
    """The one row with these values."""
    found = [row for row in rows if all(getattr(row, key) == value for key, value in wanted.items())]
    assert len(found) == 1, f"{len(found)} rows have {wanted}"
    return found[0]


def effect(**fields: Any) -> EffectRow:
    """A row of the effects table with sensible values."""
    base: dict[str, Any] = {
        "programme": "proef",
        "quarter": "2026-Q3",
        "design": "comparison_cohort",
        "outcome": "contact",
        "measure": "risk_ratio",
        "contrast": "treated vs comparison",
        "estimand": "att",
        "estimator": "g_computation",
        "variance": "hc3",
        "analysis": "primary",
        "window_days": 365,
        "estimate": 0.6,
        "conf_low": 0.5,
        "conf_high": 0.72,
        "std_error": 0.1,
        "verdict_low": 0.45,
        "verdict_high": 0.8,
        "p_value": 0.001,
        "n_treated": 200,
        "n_comparison": 300,
        "events_treated": 40.0,
        "events_comparison": 100.0,
    }
    return EffectRow(**(base | fields))


def tarp(shared: Path) -> AnalysisData:
    """Aid to released prisoners: 432 persons drawn by lot, arrests within 52 weeks."""
    raw = pl.read_csv(shared / "rossi_tarp" / "rossi.csv")
    covariates = ["age", "race", "wexp", "mar", "paro", "prio"]
    plan = plan_for(
        "randomised",
        follow_up={"days": [364]},
        adjust_for={name: {"type": "numeric"} for name in covariates},
        outcomes={"arrest": {"event": "arrest", "measures": ["risk_ratio", "rate_ratio", "hazard_ratio"]}},
    )
    arm = np.where(raw["fin"].to_numpy() == 1, "treated", "comparison")
    frame = persons_frame(
        arm,
        potential_follow_up_days=[364] * raw.height,
        **{name: raw[name].cast(pl.Float64) for name in covariates},
    )
    day = np.where(raw["arrest"].to_numpy() == 1, 7.0 * raw["week"].to_numpy(), np.nan)
    return AnalysisData(
        plan, QUARTER, frame, outcome_frame(frame, raw["arrest"].to_numpy(), day, outcome="arrest", window=364)
    )


def recid(shared: Path) -> AnalysisData:
    """A prison work programme, everyone to the end of their own follow-up, in days of 30 per month."""
    raw = pl.read_csv(shared / "recid_nc" / "recid.csv")
    covariates = ["priors", "tserved", "felon", "drugs", "black", "married", "educ", "age"]
    plan = plan_for(
        follow_up={"until_end": True},
        adjust_for={name: {"type": "numeric"} for name in covariates},
        outcomes={"return": {"event": "return", "measures": ["hazard_ratio", "rate_ratio"]}},
    )
    arm = np.where(raw["workprg"].to_numpy() == 1, "treated", "comparison")
    follow = 30 * raw["follow"].to_numpy()
    frame = persons_frame(
        arm, potential_follow_up_days=follow, **{name: raw[name].cast(pl.Float64) for name in covariates}
    )
    returned = raw["cens"].to_numpy() == 0
    observed = 30 * raw["durat"].to_numpy()
    outcomes = outcome_frame(
        frame,
        returned.astype(int),
        np.where(returned, observed.astype(float), np.nan),
        outcome="return",
        window=None,
        days_calendar=observed,
    )
    return AnalysisData(plan, QUARTER, frame, outcomes)
