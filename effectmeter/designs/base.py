"""The one shape of a design: what it needs, what it is given, what it returns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

import numpy as np
import polars as pl
from numpy.typing import NDArray

from effectmeter.plan import Plan
from effectmeter.quarters import Quarter
from effectmeter.results import AttritionStep, Comparability, EffectRow, GateResult

PERSONS_COLUMNS = {
    "person_id": pl.String,
    "arm": pl.String,
    "cluster": pl.String,
    "stratum": pl.String,
    "pair": pl.String,
    "family": pl.String,
    "linked": pl.Boolean,
    "potential_follow_up_days": pl.Int64,
    "start_delay_days": pl.Int64,
}
"""Columns that every persons frame has (null where not delivered); covariates and delivered outcomes follow."""

OUTCOMES_COLUMNS = {
    "person_id": pl.String,
    "outcome": pl.String,
    "period": pl.String,
    "window_days": pl.Int64,
    "is_complete": pl.Boolean,
    "n_events": pl.Int64,
    "first_event_day": pl.Int64,
    "days_observed": pl.Int64,
    "days_calendar": pl.Int64,
    "days_free": pl.Int64,
}
"""Columns of the outcomes frame: one row per person, outcome, period and window."""

SIZE = "=persons"
"""Column of persons, outcomes and follow-up: how many persons a row stands for, where they are added up; absent where
every row is a person. No plan can name a column so."""

AREAS_COLUMNS = {"area_id": pl.String, "adopted": pl.Int64, "ring": pl.Int64, "cluster": pl.String}
"""Columns of ``units["areas"]``; the columns that the plan names follow (numeric Float64, else String)."""

AREA_PERIODS_COLUMNS = {
    "area_id": pl.String,
    "period": pl.Int64,
    "label": pl.String,
    "outcome": pl.String,
    "count": pl.Float64,
    "value": pl.Float64,
    "population": pl.Float64,
}
"""Columns of ``units["area_periods"]``: one row per area, period and outcome. Periods are counted on a regular calendar
from 0, so that a gap stays a gap; excluded periods, and those after the quarter, are not there."""

SERIES_COLUMNS = {
    "period": pl.Int64,
    "label": pl.String,
    "outcome": pl.String,
    "is_control": pl.Boolean,
    "count": pl.Float64,
    "population": pl.Float64,
    "after": pl.Boolean,
    "season": pl.Int64,
}
"""Columns of ``units["series"]``: one row per period, outcome and series. ``after``: from the plan's start on.
``season``: place in the year, from 0."""

TRIALS_COLUMNS = {
    "trial_id": pl.String,
    "events_treated": pl.Float64,
    "n_treated": pl.Float64,
    "events_comparison": pl.Float64,
    "n_comparison": pl.Float64,
    "measure": pl.String,
    "estimate": pl.Float64,
    "std_error": pl.Float64,
}
"""Columns of ``units["trials"]``; the plan's subgroup columns follow."""

UNIT_COLUMNS: Mapping[str, Mapping[str, type[pl.DataType]]] = {
    "areas": AREAS_COLUMNS,
    "area_periods": AREA_PERIODS_COLUMNS,
    "series": SERIES_COLUMNS,
    "trials": TRIALS_COLUMNS,
}
"""The frames of designs whose units are no persons."""

Scope = Literal["all", "verdict"]
"""How much a design estimates: everything, or only the rows that the verdict and the gates read."""


def sizes(rows: pl.DataFrame) -> NDArray[np.float64]:
    """Return how many persons each row stands for (n,)."""
    if SIZE not in rows.columns:
        return np.ones(rows.height)
    found: NDArray[np.float64] = rows[SIZE].cast(pl.Float64).to_numpy()
    return found


def n_persons(rows: pl.DataFrame) -> int:
    """Return how many persons the rows stand for."""
    return int(rows[SIZE].sum()) if SIZE in rows.columns else rows.height


@dataclass(frozen=True, slots=True)
class AnalysisData:
    """What a design sees of a programme's quarter. Comes out of the vault; never leaves it.

    Attributes
    ----------
    persons
        One row per person of the cohort: `PERSONS_COLUMNS`, then the covariates of `adjust_for` (computed ones such as
        ``age_at_index`` included), subgroup columns and delivered outcome values. Numeric covariates are Float64,
        categorical ones String; missing is null.
    outcomes
        `OUTCOMES_COLUMNS`. ``period`` is ``follow_up`` (days 1..window), ``before`` or ``after`` (before_after).
        ``window_days`` is null for "to the end of one's own follow-up". ``is_complete``: the whole window (and the
        waiting time, where decisions matter) lies before the reference date and inside the person's follow-up.
        ``n_events`` counts events on days 1..window within observation; ``first_event_day`` is null without one.
        ``days_observed``: last day at risk for a first event (event day, or end of observation). ``days_calendar``:
        days alive and under observation in the window. ``days_free``: those days less absences.
    follow_up
        None where every row of `persons` is a person. Where there are very many (`vault.alike`), a row of `persons`
        stands for all who are alike in its columns (`SIZE`; ``potential_follow_up_days`` and ``start_delay_days`` are
        null), a row of `outcomes` for those of them whom the same happened to, of the counted ones; and this holds, per
        arm, what happened to everybody, with the two columns that `persons` lacks then, cut off at the window's end.
    placebo
        The same with time zero moved one (primary) window back and covariates recomputed; None where that cannot be.
    from_start
        The same with time zero moved to the first day of actual participation, for those who have one: what immortal
        time would have given. None where no start was delivered.
    with_missing
        The same with those whom only a missing covariate left out (``missing: exclude``); None where nobody was.
    units
        The frames of designs whose units are areas, periods or trials (`UNIT_COLUMNS`); empty for persons.
    attrition
        Who was lost on the way from delivered to `persons`, per arm and step; empty where that was not counted.
    """

    plan: Plan
    quarter: Quarter
    persons: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=PERSONS_COLUMNS))
    outcomes: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=OUTCOMES_COLUMNS))
    follow_up: pl.DataFrame | None = None
    placebo: AnalysisData | None = None
    from_start: AnalysisData | None = None
    with_missing: AnalysisData | None = None
    units: Mapping[str, pl.DataFrame] = field(default_factory=dict)
    attrition: tuple[AttritionStep, ...] = ()

    @property
    def is_added_up(self) -> bool:
        """Return whether rows stand for several persons."""
        return self.follow_up is not None


class Design(Protocol):
    """A way to answer "did it work?"."""

    name: str
    tables: tuple[str, ...]
    """Standard tables that it reads; the first is required."""
    gate_list: tuple[Any, ...]
    """Its gates, in the order in which a report shows them (`effectmeter.gates.base.Gate`)."""

    def compare(self, data: AnalysisData) -> Comparability:
        """Return weights, balance and overlap."""

    def estimate(self, data: AnalysisData, comparability: Comparability, scope: Scope = "all") -> tuple[EffectRow, ...]:
        """Return the rows of the effects table, nothing hidden yet; the primary row first."""

    def gates(
        self, data: AnalysisData, comparability: Comparability, effects: tuple[EffectRow, ...]
    ) -> tuple[GateResult, ...]:
        """Return the gates; `effectmeter.diagnostics` hides what failed ones concern."""
