"""Who is analysed for one contrast, outcome and window.

Here: the choice of persons, one by one or added up. Not here: the arrays (`effectmeter.designs.sample`), nor who is
alike where persons are added up (`vault.alike`).
"""

from __future__ import annotations

from typing import Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray

from effectmeter.designs.base import AnalysisData, n_persons, sizes
from effectmeter.designs.questions import outcome_of
from effectmeter.designs.rows import ReasonedError
from effectmeter.designs.sample import DAYS_PER_YEAR, NO_LABEL, Sample
from effectmeter.estimators.base import EmptyArmError, FloatArray
from effectmeter.estimators.design_matrix import build_design_matrix
from effectmeter.plan import Missing

_COUNTED = "counted: "
"""Before the names of what was counted in a window: a plan may have a covariate called `n_events`."""


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
    if data.is_added_up:
        return _assemble_added_up(data, people, treated, outcome, window_days, missing)
    value_column = outcome_of(data.plan, outcome).value
    rows = (
        _with_value(people, value_column)
        if value_column is not None
        else _with_window(data, people, outcome, window_days)
    )
    covariates = {name: spec for name, spec in data.plan.adjust_for.items() if name in rows.columns}
    rule = _rule(data, missing)
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
        notes=matrix.notes,
    )


def _assemble_added_up(
    data: AnalysisData,
    profiles: pl.DataFrame,
    treated: str,
    outcome: str,
    window_days: int | None,
    missing: Literal["indicator", "exclude"] | None,
) -> Sample:
    """Lay out persons of whom a row stands for several: covariates per profile, what happened per row of outcomes."""
    rows = _counted(data, outcome, window_days).rename({"person_id": "profile"})
    number = profiles.select(profile="person_id", number=pl.int_range(pl.len()))
    rows = rows.join(number, on="profile", how="inner", maintain_order="left")
    place, size = rows["number"].to_numpy().astype(np.intp), sizes(rows)
    arm = profiles["arm"]
    counted = np.bincount(place, size, profiles.height).astype(np.float64)
    for name in (treated, data.plan.arms.comparison):
        if not counted[(arm == name).to_numpy()].any():
            raise EmptyArmError(f"nobody in arm '{name}' can be counted for '{outcome}'")
    present = counted > 0.0
    profiles, counted = profiles.filter(pl.Series(present)), counted[present]
    covariates = {name: spec for name, spec in data.plan.adjust_for.items() if name in profiles.columns}
    side = (profiles["arm"] == treated).to_numpy().astype(np.float64)
    matrix = build_design_matrix(profiles, covariates, _rule(data, missing), side, size=counted)
    keep = np.asarray(matrix.keep)
    profiles, side = profiles.filter(pl.Series(keep)), side[keep]
    if not 0.0 < side.sum() < len(side):
        raise EmptyArmError(f"an arm has nobody who can be counted for '{outcome}' and has all covariates")
    stays = np.flatnonzero(present)[keep]
    new_place = np.full(len(present), -1)
    new_place[stays] = np.arange(len(stays))
    here = new_place[place] >= 0
    rows, place, size = rows.filter(pl.Series(here)), new_place[place[here]].astype(np.intp), size[here]
    count = _floats(rows, "n_events")
    free, calendar = _years(rows, "days_free"), _years(rows, "days_calendar")
    return Sample(
        treated01=side,
        X=np.asarray(matrix.X, dtype=np.float64),
        terms=matrix.terms,
        cluster=_labels(profiles, "cluster") if data.plan.cluster else None,
        strata=_labels(profiles, "stratum") if data.plan.strata else None,
        pair=None,
        event01=(count > 0).astype(np.float64),
        n_events=count,
        days=_floats(rows, "days_observed"),
        free_years=free,
        calendar_years=calendar,
        has_absences=bool(np.any(free != calendar)),
        in_contrast=np.ones(len(side), dtype=np.bool_),
        value=None,
        place=place,
        size=size,
        notes=matrix.notes,
    )


def _rule(data: AnalysisData, missing: Literal["indicator", "exclude"] | None) -> Missing:
    """Return the plan's rule for missing covariates, or the other one."""
    return data.plan.missing if missing is None else data.plan.missing.model_copy(update={"covariates": missing})


def share_without_outcome(
    data: AnalysisData, treated: str, outcome: str, window_days: int | None
) -> tuple[float, float]:
    """Return the shares of the treated and of the comparison arm whose outcome is not known."""
    people = data.persons.filter(pl.col("arm").is_in([treated, data.plan.arms.comparison]))
    column = outcome_of(data.plan, outcome).value
    if data.is_added_up:
        counted = _counted(data, outcome, window_days)
        known = counted.join(people.select("person_id", "arm"), on="person_id", how="inner")
    elif column is not None:
        known = _with_value(people, column)
    else:
        known = _with_window(data, people, outcome, window_days)
    shares = []
    for arm in (treated, data.plan.arms.comparison):
        everyone = n_persons(people.filter(pl.col("arm") == arm))
        shares.append(1.0 - n_persons(known.filter(pl.col("arm") == arm)) / everyone if everyone else 0.0)
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
    rows = _counted(data, outcome, window_days)
    counted = rows.select("person_id", pl.all().exclude("person_id").name.prefix(_COUNTED))
    return people.join(counted, on="person_id", how="inner", maintain_order="left")


def _counted(data: AnalysisData, outcome: str, window_days: int | None) -> pl.DataFrame:
    """Return the outcome's rows of who can be counted in a window."""
    rows = data.outcomes.filter(
        (pl.col("outcome") == outcome)
        & (pl.col("period") == "follow_up")
        & pl.col("window_days").eq_missing(pl.lit(window_days))
    )
    if rows.height == 0:
        raise ReasonedError(f"'{outcome}' has no events table to count from", f"Voor '{outcome}' is niets te tellen.")
    return rows.filter(pl.col("is_complete") if window_days is not None else pl.col("days_observed") > 0)


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
