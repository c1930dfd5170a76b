"""From the frames of areas to a panel: who is treated, who may be compared with, what is counted per what.

Here: the layout of one outcome. Not here: any estimate (`staggered_areas_fits`), nor rows (`staggered_areas_rows`).
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Literal

import numpy as np
import polars as pl

from effectmeter.designs.base import AREA_PERIODS_COLUMNS, AREAS_COLUMNS, AnalysisData
from effectmeter.designs.rows import Counts, ReasonedError
from effectmeter.errors import DeliveryError
from effectmeter.estimators.base import FloatArray
from effectmeter.estimators.design_matrix import build_design_matrix
from effectmeter.estimators.group_time import always_treated
from effectmeter.estimators.group_time_panel import NEVER, BoolArray, Panel
from effectmeter.periods import Calendar
from effectmeter.plan import CovariateSpec, Plan
from effectmeter.plan_fields import AreaOptions

_YEARS = {"year": 1.0, "quarter": 1 / 4, "month": 1 / 12, "day": 1 / 365.25}


@dataclass(frozen=True, kw_only=True)
class AreaPanel:
    """One outcome of a programme, laid out.

    Attributes
    ----------
    kind
        ``count`` or ``value``.
    panel
        The areas that are compared: treated ones, and those that may serve as comparison. Its outcome is the value, or
        the count over the population, or the count per area-period where no population was delivered.
    counts, exposure
        (n, T) of the same areas; exposure 1 without a population.
    labels
        Of the periods, as delivered.
    area_id
        (n,) of the same areas.
    ring, ring_start
        (n,) distance ring (NaN: far or not delivered) and, for rings, when exposure began (`NEVER` when unknown).
    n_always
        Areas that had started in their first period, left out: nothing came before.
    with_always
        The same with those areas in it, for two-way effects, which let them show the course of time; None without.
    n_rings
        Areas in rings around treated ones, left out of the comparison.
    ring_areas
        The same with the areas in rings in it, for their own effects; None without rings.
    period_years
        Length of a period in years; None for bare numbers.
    """

    outcome: str
    kind: Literal["count", "value"]
    panel: Panel
    counts: FloatArray = field(repr=False)
    exposure: FloatArray = field(repr=False)
    has_population: bool
    labels: dict[int, str]
    area_id: tuple[str, ...] = field(repr=False)
    ring: FloatArray = field(repr=False)
    ring_start: FloatArray = field(repr=False)
    n_always: int
    n_rings: int = 0
    ring_areas: AreaPanel | None = field(default=None, repr=False)
    with_always: AreaPanel | None = field(default=None, repr=False)
    period_years: float | None = None

    @cached_property
    def is_treated(self) -> BoolArray:
        """(n,) whether the programme starts here within the panel."""
        result: BoolArray = np.isfinite(self.panel.start)
        return result

    def label(self, period: float) -> str:
        """Return a period as delivered."""
        return self.labels.get(round(period), str(round(period)))

    def keep(self, areas: BoolArray) -> AreaPanel:
        """Return the panel of some areas."""
        return replace(
            self,
            panel=self.panel.keep(areas),
            counts=self.counts[areas],
            exposure=self.exposure[areas],
            area_id=tuple(name for name, kept in zip(self.area_id, areas, strict=True) if kept),
            ring=self.ring[areas],
            ring_start=self.ring_start[areas],
            ring_areas=None,
            with_always=None,
        )

    def numbers(self, served: BoolArray | None = None) -> Counts:
        """Return areas, events in treated periods and in the same periods of comparison areas, and person-years.

        Parameters
        ----------
        served
            (n,) areas that served as comparison; by default all that are not treated, or else that start later.
        """
        one = self.is_treated
        zero = ~one if served is None else served
        after = self.panel.treated
        later = self.panel.periods >= (self.panel.cohorts.min() if len(self.panel.cohorts) else NEVER)
        compared = ~after & later[None, :] & zero[:, None]
        events = years = None
        if self.kind == "count":
            counts = np.nan_to_num(self.counts)
            events = float(counts[after].sum()), float(counts[compared].sum())
        if self.has_population and self.period_years is not None:
            size = np.where(self.panel.observed, self.exposure, 0.0) * self.period_years
            years = float(size[after].sum()), float(size[compared].sum())
        clusters = (len(np.unique(self.panel.cluster[side])) for side in (one, zero))
        return Counts(
            n=(int(one.sum()), int(zero.sum())),
            events=events,
            person_years=years,
            n_clusters=tuple(clusters),  # type: ignore[arg-type]
        )


def options_of(plan: Plan) -> AreaOptions:
    """Return the plan's block on areas, or its defaults."""
    return plan.areas if plan.areas is not None else AreaOptions()


def lay_out(data: AnalysisData, outcome: str, areas: pl.DataFrame | None = None) -> AreaPanel:
    """Lay out one outcome.

    Parameters
    ----------
    areas
        Some of the areas, for subgroups; by default all.

    Raises
    ------
    ReasonedError
        Nothing was delivered, no area starts within the periods, or there is nothing to compare with.
    """
    areas = data.units.get("areas", pl.DataFrame(schema=AREAS_COLUMNS)) if areas is None else areas
    rows = data.units.get("area_periods", pl.DataFrame(schema=AREA_PERIODS_COLUMNS))
    rows = rows.filter((pl.col("outcome") == outcome) & pl.col("area_id").is_in(areas["area_id"].implode()))
    kind: Literal["count", "value"] = "count" if rows["count"].is_not_null().any() else "value"
    rows = rows.filter(pl.col(kind).is_not_null() & pl.col(kind).is_not_nan())
    areas = areas.filter(pl.col("area_id").is_in(rows["area_id"].implode())).sort("area_id")
    if rows.height == 0 or areas.height == 0:
        raise ReasonedError(
            f"no counts or values were delivered for '{outcome}'; deliver them in the table area_counts",
            f"Er zijn geen aantallen of waarden aangeleverd voor '{outcome}'. Lever die aan in area_counts.",
        )
    whole = _whole(data.plan, outcome, kind, areas, rows)
    always = always_treated(whole.panel)
    starts_within = whole.panel.start[np.isfinite(whole.panel.start)] > whole.panel.periods.min()
    if starts_within.any() and not whole.is_treated[~always].any() and rows["population"].null_count():
        raise ReasonedError(
            "the population of the treated areas is unknown in every period before their start, so there is no rate "
            "to compare with; deliver it for every period, or for none: counts are then compared",
            "Van de gebieden is het aantal inwoners vóór de start onbekend. Lever dat voor elke periode. Of lever het "
            "voor geen enkele periode: dan worden aantallen vergeleken.",
        )
    compared = _compared(whole.keep(~always))
    if not always.any():
        return compared
    return replace(compared, n_always=int(always.sum()), with_always=_compared(whole))


def _compared(whole: AreaPanel) -> AreaPanel:
    """Return the panel without the areas in rings around treated ones, which are kept beside it.

    Raises
    ------
    ReasonedError
        No area starts within the periods, or there is nothing to compare with.
    """
    if not whole.is_treated.any():
        raise ReasonedError(
            "no area starts after its first period and within those delivered; deliver periods before the start",
            "Geen enkel gebied begint binnen de aangeleverde perioden. Lever ook perioden van vóór de start aan.",
        )
    in_ring = ~whole.is_treated & (whole.ring >= 1.0)
    far = ~whole.is_treated & ~in_ring
    if in_ring.any() and not far.any():  # the outermost ring is the farthest there is to compare with
        in_ring &= whole.ring < np.nanmax(whole.ring)
    compared = replace(whole.keep(~in_ring), n_rings=int(in_ring.sum()))
    compared = replace(compared, ring_areas=whole if in_ring.any() else None)
    if int((~compared.is_treated).sum()) + len(compared.panel.cohorts) < 2:
        raise ReasonedError(
            "every area starts in the same period: there is none to compare with; deliver areas without the programme",
            "Alle gebieden beginnen tegelijk. Er is niets om mee te vergelijken. Lever ook gebieden zonder programma.",
        )
    return compared


def _whole(
    plan: Plan, outcome: str, kind: Literal["count", "value"], areas: pl.DataFrame, rows: pl.DataFrame
) -> AreaPanel:
    """Return the panel of all areas of an outcome."""
    matrix = build_design_matrix(areas, _covariates(plan, areas), plan.missing)
    areas = areas.filter(pl.Series(np.asarray(matrix.keep), dtype=pl.Boolean))
    rows = rows.join(areas.select("area_id").with_row_index("place"), on="area_id")
    periods = np.unique(rows["period"].to_numpy())
    at = rows["place"].to_numpy().astype(np.intp), np.searchsorted(periods, rows["period"].to_numpy())
    shape = areas.height, len(periods)
    counts, exposure = np.full(shape, np.nan), np.ones(shape)
    counts[at] = rows[kind].to_numpy()
    has_population = kind == "count" and rows["population"].is_not_null().any()
    if has_population:  # an area-period whose population is unknown has no rate
        exposure = np.full(shape, np.nan)
        exposure[at] = rows["population"].cast(pl.Float64).fill_null(np.nan).to_numpy()
        exposure[~(exposure > 0.0)] = np.nan
        counts[np.isnan(exposure)] = np.nan
    numbers = {name: areas[name].cast(pl.Float64).fill_null(np.nan).to_numpy() for name in ("adopted", "ring")}
    ring, adopted = numbers["ring"], numbers["adopted"]
    in_ring = ring >= 1.0
    start = np.where(np.isnan(adopted) | in_ring | (adopted > periods.max()), NEVER, adopted)
    own = pl.when(pl.col("cluster").is_null()).then(pl.format("- {}", pl.col("area_id"))).otherwise(pl.col("cluster"))
    _, cluster = np.unique(areas.select(own).to_series().to_numpy().astype(str), return_inverse=True)
    labels = dict(rows.select("period", "label").unique().sort("period").iter_rows())
    return AreaPanel(
        outcome=outcome,
        kind=kind,
        panel=Panel(
            y=counts / exposure,
            start=start,
            periods=periods.astype(np.float64),
            cluster=cluster.astype(np.intp),
            X=np.asarray(matrix.X, dtype=np.float64),
        ),
        counts=counts,
        exposure=exposure,
        has_population=bool(has_population),
        labels=labels,
        area_id=tuple(areas["area_id"].to_list()),
        ring=ring,
        ring_start=_ring_starts(start, adopted, in_ring),
        n_always=0,
        period_years=_years(labels),
    )


def _covariates(plan: Plan, areas: pl.DataFrame) -> dict[str, CovariateSpec]:
    return {
        name: spec if areas[name].dtype.is_numeric() else CovariateSpec(type="categorical", degree=1)
        for name, spec in plan.adjust_for.items()
        if name in areas.columns
    }


def _ring_starts(start: FloatArray, adopted: FloatArray, in_ring: BoolArray) -> FloatArray:
    """Return when exposure began in rings: their own date, else the only one of the treated areas, else `NEVER`."""
    dates = np.unique(start[np.isfinite(start)])
    default = dates[0] if len(dates) == 1 else NEVER
    result: FloatArray = np.where(in_ring, np.where(np.isnan(adopted), default, adopted), NEVER)
    return result


def _years(labels: dict[int, str]) -> float | None:
    """Return the length of a period in years, None for bare numbers."""
    try:
        calendar = Calendar.of(labels.values())
    except DeliveryError:
        return None
    length = _YEARS.get(calendar.kind)
    return None if length is None else length * calendar.step
