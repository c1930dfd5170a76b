"""The one shape of a design: what it needs, what it is given, what it returns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import polars as pl

from effectmeter.plan import Plan
from effectmeter.quarters import Quarter
from effectmeter.results import Comparability, EffectRow, GateResult

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
    placebo
        The same with time zero moved one (primary) window back and covariates recomputed; None where that cannot be.
    """

    plan: Plan
    quarter: Quarter
    persons: pl.DataFrame
    outcomes: pl.DataFrame
    placebo: AnalysisData | None = None


class Design(Protocol):
    """A way to answer "did it work?"."""

    name: str
    tables: tuple[str, ...]
    """Standard tables that it reads; the first is required."""

    def compare(self, data: AnalysisData) -> Comparability:
        """Return weights, balance and overlap."""

    def estimate(self, data: AnalysisData, comparability: Comparability) -> tuple[EffectRow, ...]:
        """Return every row of the effects table, nothing hidden yet."""

    def gates(
        self, data: AnalysisData, comparability: Comparability, effects: tuple[EffectRow, ...]
    ) -> tuple[GateResult, ...]:
        """Return the gates; `effectmeter.diagnostics` hides what failed ones concern."""
