"""From the frame of a series to arrays in order of time, and from a plan's block to a model.

Here: layout, gaps, whether a control series can be used, and where a pretended start can lie. Not here: any estimate.
"""

from __future__ import annotations

import numpy as np
import polars as pl

from effectmeter.designs.base import SERIES_COLUMNS, AnalysisData
from effectmeter.designs.rows import ReasonedError
from effectmeter.estimators.base import FloatArray
from effectmeter.estimators.series import Series, SeriesModel
from effectmeter.estimators.series_terms import Terms
from effectmeter.plan import Plan
from effectmeter.plan_fields import SeriesOptions

FEWEST_BEFORE, FEWEST_AFTER = 8, 3
"""Fewer periods before or after the start fail the gate `periods`; a pretended start needs as many."""
FEWEST_OF_CONTROL = 3
"""Periods that a control must share with the series on each side of the start to be used."""


def options_of(plan: Plan) -> SeriesOptions:
    """Return the plan's block on series, or its defaults."""
    return plan.series if plan.series is not None else SeriesOptions()


def model_of(plan: Plan) -> SeriesModel:
    """Return the model that a plan asks for."""
    options = options_of(plan)
    terms = Terms(
        season_length=options.season_length,
        harmonics=options.harmonics,
        with_slope=options.effect == "level_and_slope",
    )
    return SeriesModel(terms=terms, autocorrelation=options.autocorrelation)


def rows_of(data: AnalysisData, outcome: str, *, control: bool = False) -> pl.DataFrame:
    """Return an outcome's periods in order of time: those with a count and, where any has one, a population."""
    frame = data.units.get("series", pl.DataFrame(schema=SERIES_COLUMNS))
    rows = frame.filter((pl.col("outcome") == outcome) & (pl.col("is_control") == control))
    rows = rows.filter(pl.col("count").is_not_null() & (pl.col("count") >= 0.0))
    if rows["population"].is_not_null().any():
        rows = rows.filter(pl.col("population") > 0.0)
    return rows.sort("period").unique("period", keep="first", maintain_order=True)


def series_of(data: AnalysisData, outcome: str, *, with_control: bool = True) -> Series:
    """Return an outcome's series, with its control in the periods that both have where that can be used.

    A control needs `FEWEST_OF_CONTROL` shared periods on each side of the start, and counts on both.

    Raises
    ------
    ReasonedError
        No start in the plan, no periods, or a start outside them.
    """
    rows = rows_of(data, outcome)
    if options_of(data.plan).start is None:
        raise ReasonedError(
            "the plan does not say when the programme began; add 'start: <first period>' under series",
            "Het plan zegt niet wanneer het programma begon. Zet 'start: <eerste periode>' bij series.",
        )
    if rows.height == 0:
        raise ReasonedError(
            f"no counts were delivered for '{outcome}'; deliver its periods in the series table",
            f"Er zijn geen aantallen aangeleverd voor '{outcome}'. Lever die aan in de tabel series.",
        )
    if not rows["after"].any():
        raise ReasonedError(
            f"the start lies after the last period delivered ({rows['label'][-1]}); deliver later periods",
            f"De start ligt na de laatste periode ({rows['label'][-1]}). Lever latere perioden aan.",
        )
    if rows["after"].all():
        raise ReasonedError(
            f"the start lies before the first period delivered ({rows['label'][0]}); deliver the time before it",
            f"De start ligt vóór de eerste periode ({rows['label'][0]}). Lever ook de tijd ervóór aan.",
        )
    start = int(rows.filter("after")["period"].to_numpy().min())
    if with_control:
        control = rows_of(data, outcome, control=True)
        control = control.select("period", control_count="count", control_population="population")
        both = rows.join(control, on="period", how="inner", maintain_order="left")
        found = _laid_out(both, start, with_control=True)
        if _is_usable(found):
            return found
    return _laid_out(rows, start, with_control=False)


def control_of(data: AnalysisData, outcome: str) -> Series | None:
    """Return the control as a series of its own; None without one."""
    rows = rows_of(data, outcome, control=True)
    if rows.height == 0 or rows["after"].all() or not rows["after"].any():
        return None
    start = int(rows.filter("after")["period"].to_numpy().min())
    return _laid_out(rows, start, with_control=False)


def _laid_out(rows: pl.DataFrame, start: int, *, with_control: bool) -> Series:
    def numbers(column: str) -> FloatArray:
        return np.asarray(rows[column].cast(pl.Float64).to_numpy(), dtype=np.float64)

    def population(column: str) -> FloatArray | None:
        return numbers(column) if rows[column].null_count() == 0 else None

    return Series(
        period=rows["period"].to_numpy().astype(np.int64),
        after=rows["after"].to_numpy().astype(np.bool_),
        season=rows["season"].to_numpy().astype(np.int64),
        start=start,
        count=numbers("count"),
        population=population("population"),
        control_count=numbers("control_count") if with_control else None,
        control_population=population("control_population") if with_control else None,
    )


def _is_usable(series: Series) -> bool:
    if series.control_count is None or min(series.n_periods) < FEWEST_OF_CONTROL:
        return False
    return all(float(series.control_count[side].sum()) > 0.0 for side in (series.after, ~series.after))


def placebo_starts(data: AnalysisData, outcome: str, series: Series) -> tuple[tuple[int, str], ...]:
    """Return pretended starts (period, label) before the real one; the middle one first.

    In the middle of the time before, half a year and a year before the real start (a peak or a fall just before it is
    what most often passes for an effect), at a third and at two thirds; only where enough periods lie on both sides,
    and none next to another.
    """
    before = series.period[~series.after]
    labels = dict(rows_of(data, outcome).select("period", "label").iter_rows())
    year = max(options_of(data.plan).season_length, 2 * FEWEST_AFTER)
    n = len(before)
    found: dict[int, str] = {}
    for place in (round(n / 2), n - year // 2, n - year, round(n / 3), round(2 * n / 3)):
        if not (place >= FEWEST_BEFORE and n - place >= FEWEST_AFTER):
            continue
        start = int(before[place])
        if all(abs(start - other) >= FEWEST_AFTER for other in found):
            found[start] = str(labels.get(start, start))
    return tuple(found.items())
