"""The two periods of a before-after design laid out, and one row of each kind made of them.

Here: `Periods`, a change and an effect as rows. Not here: which rows a study has (`before_after`), nor what stands
beside them (`before_after_beside`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from effectmeter.designs.base import AnalysisData
from effectmeter.designs.questions import Question, outcome_of
from effectmeter.designs.rows import LEVEL, Counts, ReasonedError, blank_row, not_estimable, with_counts, with_estimate
from effectmeter.designs.sample import DAYS_PER_YEAR
from effectmeter.estimators.base import Estimate, EstimationError, FloatArray, SeparationError
from effectmeter.estimators.before_after import (
    change,
    change_bound,
    difference_in_change,
    difference_in_change_bound,
)
from effectmeter.plan import Measure
from effectmeter.results import EffectRow

EFFECT: Measure = "ratio_of_rate_ratios"
TIMES = ("free_time", "calendar_time")

Estimator = Callable[..., Estimate]


@dataclass(frozen=True, slots=True)
class Periods:
    """Counts and person-time of everyone with both periods complete.

    Attributes
    ----------
    before, after
        (n,) events.
    years_before, years_after
        (n,) person-years, by denominator.
    arm, cluster
        (n,) labels; cluster None where persons are the units.
    """

    before: FloatArray
    after: FloatArray
    years_before: dict[str, FloatArray]
    years_after: dict[str, FloatArray]
    arm: NDArray[np.generic]
    cluster: NDArray[np.generic] | None

    def of(self, *arms: str) -> NDArray[np.bool_]:
        """Return who is in one of the arms."""
        return np.isin(self.arm, arms)

    def units(self, who: NDArray[np.bool_]) -> int:
        """Return the number of clusters among some persons; 0 where persons are the units."""
        return len(np.unique(self.cluster[who])) if self.cluster is not None else 0

    def cluster_of(self, who: NDArray[np.bool_]) -> NDArray[np.generic] | None:
        """Return the clusters of some persons."""
        return None if self.cluster is None else self.cluster[who]

    @property
    def denominators(self) -> tuple[str, ...]:
        """Return the kinds of person-time; both where absences make them differ."""
        differ = any(
            np.any(years["free_time"] != years["calendar_time"]) for years in (self.years_before, self.years_after)
        )
        return TIMES if differ else TIMES[:1]


def periods_of(
    data: AnalysisData, outcome: str, *, before: pl.DataFrame | None = None, after: pl.DataFrame | None = None
) -> Periods:
    """Lay out both periods of everyone for whom both are complete.

    Parameters
    ----------
    before, after
        Outcomes whose ``before`` takes the place of the data's own before, or of its after: a period further back.

    Raises
    ------
    EstimationError
        The outcome is a delivered value, or nobody has both periods.
    """
    if outcome_of(data.plan, outcome).value is not None:
        raise ReasonedError(
            "a before-after design counts events in two periods; a delivered value has one",
            "Deze opzet telt voorvallen in twee perioden. Een aangeleverde waarde heeft er maar één.",
        )
    columns = ["n_events", "days_free", "days_calendar"]

    def period(frame: pl.DataFrame, name: str) -> pl.DataFrame:
        mine = (pl.col("outcome") == outcome) & pl.col("is_complete") & (pl.col("period") == name)
        return frame.filter(mine).select("person_id", *columns)

    both = period(data.outcomes if before is None else before, "before")
    second = period(data.outcomes, "after") if after is None else period(after, "before")
    both = both.join(second, on="person_id", suffix="_after")
    people = data.persons.select("person_id", "arm", "cluster").join(both, on="person_id", maintain_order="left")
    if people.height == 0:
        raise ReasonedError(
            f"nobody has both periods complete for '{outcome}'", "Van niemand zijn beide perioden helemaal bekend."
        )

    def numbers(column: str) -> FloatArray:
        return np.asarray(people[column].cast(pl.Float64).fill_null(0.0).to_numpy(), dtype=np.float64)

    def years(suffix: str) -> dict[str, FloatArray]:
        days = dict(zip(TIMES, ("days_free", "days_calendar"), strict=True))
        return {name: numbers(f"{column}{suffix}") / DAYS_PER_YEAR for name, column in days.items()}

    has_clusters = bool(data.plan.cluster) and people["cluster"].null_count() < people.height
    own = pl.coalesce(pl.col("cluster"), pl.format("- {}", pl.col("person_id")))
    return Periods(
        before=numbers("n_events"),
        after=numbers("n_events_after"),
        years_before=years(""),
        years_after=years("_after"),
        arm=people["arm"].to_numpy().astype(str),
        cluster=people.select(own).to_series().to_numpy().astype(str) if has_clusters else None,
    )


def stated_window(data: AnalysisData, outcome: str) -> int | None:
    """Return the days after the start that an outcome's rows speak of; None where they differ from person to person.

    Of dated events it is the plan's window. Of delivered counts, which have no dates, it is what was delivered: the
    periods before and after may be of any length.
    """
    window = data.plan.before_after.after_days
    after = data.outcomes.filter((pl.col("outcome") == outcome) & (pl.col("period") == "after") & pl.col("is_complete"))
    after = after.join(data.persons.select("person_id"), on="person_id", how="semi")
    if "person_counts" not in data.plan.source or after["first_event_day"].is_not_null().any():
        return window
    days = after["days_calendar"].unique()
    return window if days.is_empty() else int(days[0]) if len(days) == 1 else None


def empty_row(
    data: AnalysisData, question: Question, contrast: str, analysis: str, denominator: str | None, **fields: Any
) -> EffectRow:
    """Return a row of the effect without its figures."""
    return blank_row(
        data,
        outcome=question.outcome,
        contrast=contrast,
        estimand="att",
        analysis=analysis,
        window_days=question.window_days,
        denominator=denominator,
        **({"measure": EFFECT, "estimator": "conditional_poisson", "variance": "cr3"} | fields),
    )


def estimated(data: AnalysisData, row: EffectRow, at: Callable[[float], Estimate]) -> EffectRow:
    """Return the row with its estimate, or with the reason why there is none."""
    try:
        return with_estimate(data, row, at(LEVEL), refit=at)
    except EstimationError as fault:
        return not_estimable(row, fault)


def change_row(
    data: AnalysisData,
    question: Question,
    periods: Periods,
    arm: str,
    analysis: str,
    denominator: str,
    *,
    contrast: str = "",
    by: Estimator | None = None,
    **fields: Any,
) -> EffectRow:
    """Return one arm's rate after against before. The sides of the contrast are the periods."""
    who = periods.of(arm)
    row = empty_row(
        data,
        question,
        contrast or f"{arm} after vs before",
        analysis,
        denominator,
        **({"measure": "rate_ratio"} | fields),
    )
    years = periods.years_after[denominator][who], periods.years_before[denominator][who]
    n, units = int(who.sum()), periods.units(who)
    row = with_counts(
        row,
        Counts(
            n=(n, n),
            events=(float(periods.after[who].sum()), float(periods.before[who].sum())),
            person_years=(float(years[0].sum()), float(years[1].sum())),
            n_clusters=(units, units) if periods.cluster is not None else None,
        ),
    )
    numbers = periods.before[who], periods.after[who], years[1], years[0]
    answer = by or _change
    return estimated(data, row, lambda level: answer(*numbers, cluster=periods.cluster_of(who), level=level))


def effect_row(
    data: AnalysisData,
    question: Question,
    periods: Periods,
    treated: str,
    contrast: str,
    analysis: str,
    denominator: str,
    *,
    by: Estimator | None = None,
    **fields: Any,
) -> EffectRow:
    """Return one arm's change against that of the comparison arm."""
    row, arrays, cluster = effect_parts(data, question, periods, treated, contrast, analysis, denominator, **fields)
    answer = by or _difference
    return estimated(data, row, lambda level: answer(*arrays, cluster=cluster, level=level))


def effect_parts(
    data: AnalysisData,
    question: Question,
    periods: Periods,
    treated: str,
    contrast: str,
    analysis: str,
    denominator: str,
    **fields: Any,
) -> tuple[EffectRow, tuple[FloatArray, ...], NDArray[np.generic] | None]:
    """Return the row of an effect with its counts, the arrays that estimators take, and the clusters."""
    comparison = data.plan.arms.comparison
    who, one, zero = periods.of(treated, comparison), periods.of(treated), periods.of(comparison)
    years = periods.years_after[denominator]
    row = with_counts(
        empty_row(data, question, contrast, analysis, denominator, **fields),
        Counts(
            n=(int(one.sum()), int(zero.sum())),
            events=(float(periods.after[one].sum()), float(periods.after[zero].sum())),
            person_years=(float(years[one].sum()), float(years[zero].sum())),
            n_clusters=(periods.units(one), periods.units(zero)) if periods.cluster is not None else None,
        ),
    )
    treated01 = (periods.arm[who] == treated).astype(np.float64)
    arrays = (periods.before[who], periods.after[who], periods.years_before[denominator][who], years[who], treated01)
    return row, arrays, periods.cluster_of(who)


def _change(*arrays: Any, **options: Any) -> Estimate:
    """Return the change, or its bound where one side of the start has no events."""
    try:
        return change(*arrays, **options)
    except SeparationError:
        return change_bound(*arrays, **options)


def _difference(*arrays: Any, **options: Any) -> Estimate:
    """Return the ratio of the changes, or its bound where an arm has no events on one side of the start."""
    try:
        return difference_in_change(*arrays, **options)
    except SeparationError:
        return difference_in_change_bound(*arrays, **options)
