"""Who is analysed for one contrast, outcome and window, as arrays.

Here: the choice of persons and the arrays that estimators take. Not here: estimation (`effectmeter.designs.fitting`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray

from effectmeter.designs.base import AnalysisData
from effectmeter.designs.questions import outcome_of
from effectmeter.designs.rows import Counts, ReasonedError
from effectmeter.estimators.base import EmptyArmError, FloatArray
from effectmeter.estimators.design_matrix import build_design_matrix

DAYS_PER_YEAR = 365.25
NO_LABEL = "-"
"""Label of persons without a stratum or pair."""
_COUNTED = "counted: "
"""Before the names of what was counted in a window: a plan may have a covariate called `n_events`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """The analysed persons of a contrast, outcome and window.

    Attributes
    ----------
    treated01
        (n,) 1 for treated.
    X, terms
        (n, k) covariates without intercept, and their names.
    cluster, strata, pair
        (n,) labels, None where the plan has none.
    event01, n_events
        (n,) whether and how often; for a delivered value both are the value.
    days
        (n,) last day at risk for a first event.
    free_years, calendar_years
        (n,) person-years net of absences, and on the calendar.
    has_absences
        Whether the two differ for anyone.
    in_contrast
        (n,) False for persons of other arms, who are there only to tell what blocks and covariates do.
    value
        (n,) delivered value; None for events.
    person_id
        (n,) pseudonyms, for the weights' table only.
    notes
        A sentence per covariate column that was left out.
    """

    treated01: FloatArray
    X: FloatArray
    terms: tuple[str, ...]
    cluster: NDArray[np.generic] | None
    strata: NDArray[np.generic] | None
    pair: NDArray[np.generic] | None
    event01: FloatArray
    n_events: FloatArray
    days: FloatArray
    free_years: FloatArray
    calendar_years: FloatArray
    has_absences: bool
    in_contrast: NDArray[np.bool_]
    value: FloatArray | None
    person_id: tuple[str, ...]
    notes: tuple[str, ...] = ()

    @property
    def key(self) -> bytes:
        """Identify arms and covariates, so that the same weights are estimated once."""
        return self.treated01.tobytes() + self.X.tobytes()

    def sides(self, values: FloatArray) -> tuple[float, float]:
        """Return the sums of `values` (n,) over the treated and the comparison arm."""
        comparison = (self.treated01 == 0) & self.in_contrast
        return float(values[self.treated01 == 1].sum()), float(values[comparison].sum())

    def counts(self, measure: str, denominator: str | None) -> Counts:
        """Return the counts behind a measure: persons with an event for risks and hazards, events for rates."""
        n = (int((self.treated01 == 1).sum()), int(((self.treated01 == 0) & self.in_contrast).sum()))
        clusters = None
        if self.cluster is not None:
            of_arm = [len(np.unique(self.cluster[(self.treated01 == arm) & self.in_contrast])) for arm in (1, 0)]
            clusters = (of_arm[0], of_arm[1])
        if measure == "mean_difference":
            return Counts(n=n, n_clusters=clusters)
        if self.value is not None:
            return Counts(n=n, events=self.sides(self.n_events), n_clusters=clusters)
        if measure.startswith("rate"):
            years = self.calendar_years if denominator == "calendar_time" else self.free_years
            return Counts(n=n, events=self.sides(self.n_events), person_years=self.sides(years), n_clusters=clusters)
        years = self.days / DAYS_PER_YEAR if measure == "hazard_ratio" else self.calendar_years
        return Counts(n=n, events=self.sides(self.event01), person_years=self.sides(years), n_clusters=clusters)


def assemble(
    data: AnalysisData,
    treated: str,
    outcome: str,
    window_days: int | None,
    *,
    within: pl.Expr | None = None,
    missing: Literal["indicator", "exclude"] | None = None,
    all_arms: bool = False,
) -> Sample:
    """Choose the analysed persons and lay them out.

    With `all_arms` the other treated arms join, each with its own indicator among the covariates: one regression for
    the whole trial, as it is published.

    A fixed window takes persons with a complete window; "to the end of follow-up" takes everyone observed for a day or
    more; a delivered value takes everyone who has one. Under ``missing: exclude`` (the plan's, or `missing` in its
    place) persons without a covariate go.

    Raises
    ------
    EmptyArmError
        An arm of the contrast has nobody left.
    """
    others = [arm for arm in data.plan.arms.treated if arm != treated] if all_arms else []
    people = data.persons.filter(pl.col("arm").is_in([treated, data.plan.arms.comparison, *others]))
    if within is not None:
        people = people.filter(within)
    value_column = outcome_of(data.plan, outcome).value
    rows = (
        _with_value(people, value_column)
        if value_column is not None
        else _with_window(data, people, outcome, window_days)
    )
    covariates = {name: spec for name, spec in data.plan.adjust_for.items() if name in rows.columns}
    rule = data.plan.missing if missing is None else data.plan.missing.model_copy(update={"covariates": missing})
    in_contrast = rows["arm"].is_in([treated, data.plan.arms.comparison]).to_numpy()
    side = np.where(in_contrast, (rows["arm"] == treated).to_numpy().astype(np.float64), np.nan)
    matrix = build_design_matrix(rows, covariates, rule, side)
    rows = rows.filter(pl.Series(np.asarray(matrix.keep), dtype=pl.Boolean))
    arm = rows["arm"]
    for name in (treated, data.plan.arms.comparison):
        if not (arm == name).any():
            raise EmptyArmError(f"nobody in arm '{name}' can be counted for '{outcome}'")
    joined = [(arm == name).to_numpy().astype(np.float64) for name in others if (arm == name).any()]
    has_value = value_column is not None
    count = _floats(rows, value_column if value_column is not None else _COUNTED + "n_events")
    free, calendar = (
        (np.ones(rows.height),) * 2
        if has_value
        else (_years(rows, _COUNTED + "days_free"), _years(rows, _COUNTED + "days_calendar"))
    )
    return Sample(
        treated01=(arm == treated).to_numpy().astype(np.float64),
        X=np.column_stack([np.asarray(matrix.X, dtype=np.float64), *joined]),
        terms=(*matrix.terms, *(f"arm={name}" for name in others if (arm == name).any())),
        cluster=_labels(rows, "cluster") if data.plan.cluster else None,
        strata=_labels(rows, "stratum") if data.plan.strata else None,
        pair=_labels(rows, "pair") if data.plan.pairs else None,
        event01=count if has_value else (count > 0).astype(np.float64),
        n_events=count,
        days=np.ones(rows.height) if has_value else _floats(rows, _COUNTED + "days_observed"),
        free_years=free,
        calendar_years=calendar,
        has_absences=bool(np.any(free != calendar)),
        in_contrast=(~arm.is_in(others)).to_numpy() if others else np.ones(rows.height, dtype=np.bool_),
        value=count if has_value else None,
        person_id=tuple(rows["person_id"].to_list()),
        notes=matrix.notes,
    )


def share_without_outcome(
    data: AnalysisData, treated: str, outcome: str, window_days: int | None
) -> tuple[float, float]:
    """Return the shares of the treated and of the comparison arm whose outcome is not known."""
    people = data.persons.filter(pl.col("arm").is_in([treated, data.plan.arms.comparison]))
    column = outcome_of(data.plan, outcome).value
    known = _with_value(people, column) if column is not None else _with_window(data, people, outcome, window_days)
    shares = []
    for arm in (treated, data.plan.arms.comparison):
        everyone = int((people["arm"] == arm).sum())
        shares.append(1.0 - int((known["arm"] == arm).sum()) / everyone if everyone else 0.0)
    return shares[0], shares[1]


def lacks_covariates(data: AnalysisData) -> bool:
    """Return whether a covariate is missing for anyone."""
    columns = [data.persons[name] for name in data.plan.adjust_for if name in data.persons.columns]
    return any(column.is_null().any() or (column.dtype.is_float() and column.is_nan().any()) for column in columns)


def _with_value(people: pl.DataFrame, column: str) -> pl.DataFrame:
    """Return the persons who have a delivered value."""
    if column not in people.columns:
        raise ReasonedError(f"the value '{column}' was not delivered", f"De waarde '{column}' is niet aangeleverd.")
    number = pl.col(column).cast(pl.Float64, strict=False)
    return people.with_columns(number).filter(pl.col(column).is_not_null() & pl.col(column).is_not_nan())


def _with_window(data: AnalysisData, people: pl.DataFrame, outcome: str, window_days: int | None) -> pl.DataFrame:
    """Return the persons who can be counted in a window, with their outcome columns."""
    rows = data.outcomes.filter(
        (pl.col("outcome") == outcome)
        & (pl.col("period") == "follow_up")
        & pl.col("window_days").eq_missing(pl.lit(window_days))
    )
    if rows.height == 0:
        raise ReasonedError(f"'{outcome}' has no events table to count from", f"Voor '{outcome}' is niets te tellen.")
    rows = rows.filter(pl.col("is_complete") if window_days is not None else pl.col("days_observed") > 0)
    counted = rows.select("person_id", pl.all().exclude("person_id").name.prefix(_COUNTED))
    return people.join(counted, on="person_id", how="inner", maintain_order="left")


def _floats(rows: pl.DataFrame, column: str) -> FloatArray:
    return np.asarray(rows[column].cast(pl.Float64).fill_null(0.0).to_numpy(), dtype=np.float64)


def _years(rows: pl.DataFrame, column: str) -> FloatArray:
    return _floats(rows, column) / DAYS_PER_YEAR


def _labels(rows: pl.DataFrame, column: str) -> NDArray[np.generic] | None:
    """Return labels, None when none was delivered; persons without one are clusters of one, or one stratum together."""
    if column not in rows.columns or rows[column].null_count() == rows.height:
        return None
    own = pl.format("- {}", pl.col("person_id")) if column == "cluster" else pl.lit(NO_LABEL)
    labels: NDArray[np.generic] = rows.select(pl.coalesce(pl.col(column), own)).to_series().to_numpy().astype(str)
    return labels
