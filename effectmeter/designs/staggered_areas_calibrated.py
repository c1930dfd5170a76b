"""Comparison areas weighted until they had the treated areas' past: which constraints, and what follows from them.

The weights themselves are `effectmeter.estimators.calibration`.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
import polars as pl
from numpy.typing import NDArray

from effectmeter.designs.base import AnalysisData
from effectmeter.designs.rows import ReasonedError
from effectmeter.designs.staggered_areas_panel import AreaPanel, lay_out, options_of
from effectmeter.estimators.balance import TermBalance, balance_table, effective_sample_size
from effectmeter.estimators.base import Estimate, EstimationError, FloatArray
from effectmeter.estimators.calibration import CalibratedPart, Calibration, calibrate, calibrated_effect
from effectmeter.estimators.calibration_permutation import Deals, DealtPart, deal
from effectmeter.estimators.design_matrix import build_design_matrix
from effectmeter.estimators.group_time_panel import Effect
from effectmeter.estimators.small_samples import exact_rate_ratio
from effectmeter.plan import CovariateSpec

CONTROLS_NEED = 2
"""Fewer areas that never start cannot be weighted."""


@dataclass(frozen=True, kw_only=True)
class CalibratedCohort:
    """Areas that start together, and weights of areas that never start.

    Attributes
    ----------
    start
        Calendar index of their first treated period.
    treated, comparison
        Area ids.
    variables
        (n1 + n0, m) what was reproduced, treated areas first.
    terms
        (m,) its names.
    """

    start: float
    treated: tuple[str, ...]
    comparison: tuple[str, ...]
    variables: FloatArray = field(repr=False)
    terms: tuple[str, ...]
    calibration: Calibration


def calibrated_cohorts(data: AnalysisData) -> tuple[CalibratedCohort, ...]:
    """Weigh areas that never start for each cohort: every earlier period of every outcome, and `areas.match_on`.

    Areas with a gap in what must be reproduced are left out.

    Raises
    ------
    ReasonedError
        No area never starts, or none is known in every period.
    """
    panels = []
    for outcome in data.plan.outcomes:
        if outcome not in data.plan.negative_controls:
            try:
                panels.append(lay_out(data, outcome))
            except EstimationError:
                continue
    if not panels:
        lay_out(data, next(iter(data.plan.outcomes)))  # says why
    found = []
    for start in sorted({float(start) for panel in panels for start in panel.panel.cohorts}):
        cohort = _cohort(data, panels, start)
        if cohort is not None:
            found.append(cohort)
    if not found:
        raise ReasonedError(
            "calibration needs areas that never start, known in every period before the start; deliver those, or use "
            "not_yet_treated",
            "Hiervoor zijn gebieden zonder programma nodig, met alle perioden van vóór de start. Lever die aan.",
        )
    return tuple(found)


def _cohort(data: AnalysisData, panels: list[AreaPanel], start: float) -> CalibratedCohort | None:
    """Return one cohort with its weights; None where a side has no area."""
    known: dict[str, list[FloatArray]] = {}
    terms: list[str] = []
    for number, area in enumerate(panels):
        earlier = np.flatnonzero(area.panel.periods < start)
        terms += [f"{area.outcome} {area.label(area.panel.periods[t])}" for t in earlier]
        values = (area.counts if area.kind == "count" else area.panel.y)[:, earlier]
        usable = (area.panel.start == start) | ~area.is_treated
        for row in np.flatnonzero(usable & ~np.isnan(values).any(axis=1)):
            if number == 0 or len(known.get(area.area_id[row], ())) == number:
                known.setdefault(area.area_id[row], []).append(values[row])
    known = {name: parts for name, parts in known.items() if len(parts) == len(panels)}
    treated_ids = {
        name for area in panels for name, first in zip(area.area_id, area.panel.start, strict=True) if first == start
    }
    one = tuple(name for name in known if name in treated_ids)
    zero = tuple(name for name in known if name not in treated_ids)
    if not one or len(zero) < CONTROLS_NEED:
        return None
    past = np.array([np.concatenate(known[name]) for name in (*one, *zero)])
    matched, names, kept = _matched(data, (*one, *zero))
    variables = np.column_stack([past, matched]) if matched.shape[1] else past
    side = np.arange(len(variables)) < len(one)
    if not (kept & side).any() or (kept & ~side).sum() < CONTROLS_NEED:
        return None
    ids = np.array([*one, *zero])
    return CalibratedCohort(
        start=start,
        treated=tuple(ids[kept & side].tolist()),
        comparison=tuple(ids[kept & ~side].tolist()),
        variables=variables[kept],
        terms=(*terms, *names),
        calibration=calibrate(variables[kept & side], variables[kept & ~side]),
    )


def _matched(data: AnalysisData, ids: tuple[str, ...]) -> tuple[FloatArray, tuple[str, ...], np.ndarray]:
    """Return the columns of `areas.match_on` for these areas, their names, and which areas have them all."""
    frame = pl.DataFrame({"area_id": list(ids)}).join(
        data.units["areas"], on="area_id", how="left", maintain_order="left"
    )
    names = [name for name in options_of(data.plan).match_on if name in frame.columns]
    specs = {
        name: CovariateSpec(type="numeric" if frame[name].dtype.is_numeric() else "categorical", degree=1)
        for name in names
    }
    kept = np.ones(len(ids), dtype=np.bool_)
    for name in names:
        kept &= frame[name].is_not_null().to_numpy()
    matrix = build_design_matrix(frame, specs, data.plan.missing)
    X = np.asarray(matrix.X, dtype=np.float64)
    if len(X) < len(ids):  # rows were left out for a missing value; they are not kept either way
        full = np.zeros((len(ids), X.shape[1]))
        full[np.asarray(matrix.keep, dtype=np.bool_)] = X
        X = full
    keep = [j for j, term in enumerate(matrix.terms) if not term.endswith(" missing")]
    return X[:, keep], tuple(matrix.terms[j] for j in keep), kept


def calibrated_balance(cohorts: tuple[CalibratedCohort, ...]) -> list[tuple[TermBalance, float]]:
    """Return how alike treated and comparison areas became, and each term's mean in the comparison before weighting."""
    found = []
    for number, cohort in enumerate(cohorts, start=1):
        n1 = len(cohort.treated)
        arm = (np.arange(len(cohort.variables)) < n1).astype(np.float64)
        weight = np.concatenate([np.ones(n1), cohort.calibration.weight])
        before = cohort.variables[n1:].mean(axis=0)
        for row, mean in zip(balance_table(cohort.variables, cohort.terms, arm, weight), before, strict=True):
            term = row.term if len(cohorts) == 1 else f"{row.term} (cohort {number})"
            found.append((replace(row, term=term), float(mean)))
    return found


def effective_areas(cohorts: tuple[CalibratedCohort, ...]) -> float:
    """Return Kish's effective number of comparison areas, of the smallest cohort's weighting."""
    return min(float(effective_sample_size(cohort.calibration.weight)) for cohort in cohorts)


def effect_of_cohorts(
    area: AreaPanel, cohorts: tuple[CalibratedCohort, ...], period: float | None = None, event_time: int | None = None
) -> Effect:
    """Return the effect over all treated area-periods, or those of one time since the start.

    Raises
    ------
    ReasonedError
        No period after the start was delivered.
    """
    parts = [
        part
        for cohort in cohorts
        if (part := _part(area, cohort, lambda periods, g=cohort.start: _asked(periods, g, period, event_time)))
        is not None
    ]
    if not parts:
        raise ReasonedError(
            "no period after the start was delivered for areas that could be weighted",
            "Van gebieden die konden worden gewogen is geen periode na de start aangeleverd.",
        )
    return calibrated_effect(parts, area.panel.n_clusters)


def _asked(periods: FloatArray, start: float, period: float | None, event_time: int | None) -> np.ndarray:
    asked = periods >= start
    if period is not None:
        asked &= periods == period
    if event_time is not None:
        asked &= periods == start + event_time
    result: np.ndarray = asked
    return result


def _part(area: AreaPanel, cohort: CalibratedCohort, asked) -> CalibratedPart | None:  # type: ignore[no-untyped-def]
    """Return a cohort's outcome after its start; areas with a gap there count for the periods they have."""
    after = asked(area.panel.periods)
    if not after.any():
        return None
    place = {name: row for row, name in enumerate(area.area_id)}
    values = area.counts if area.kind == "count" else area.panel.y
    rows = [
        np.array([place.get(name, -1) for name in ids], dtype=np.intp) for ids in (cohort.treated, cohort.comparison)
    ]
    if any((side < 0).any() for side in rows):
        return None
    inside = [np.where(after, values[side], np.nan) for side in rows]
    seen = [(~np.isnan(part)).sum(axis=1) for part in inside]
    # an area with a gap counts at its own mean; one without any period after the start at nothing
    totals = [np.nansum(p, axis=1) / np.maximum(n, 1) * int(after.sum()) for p, n in zip(inside, seen, strict=True)]
    return CalibratedPart(
        calibration=cohort.calibration,
        treated=totals[0],
        comparison=totals[1],
        unit_treated=area.panel.cluster[rows[0]],
        unit_comparison=area.panel.cluster[rows[1]],
        exposure=_exposure(area, rows[0], after),
    )


def _exposure(area: AreaPanel, treated: NDArray[np.intp], after: NDArray[np.bool_]) -> float:
    """Return the treated areas' inhabitants times periods; an area counts for its mean where one is not known."""
    inside = area.exposure[np.ix_(treated, np.flatnonzero(after))]
    known = (~np.isnan(inside)).sum(axis=1)
    means = np.nansum(inside, axis=1) / np.maximum(known, 1)
    total = float(means.sum()) * int(after.sum())
    return total if total > 0.0 else float(after.sum()) * len(treated)


def dealt_anew(area: AreaPanel, cohorts: tuple[CalibratedCohort, ...]) -> Deals:
    """Deal the treated areas' part anew over treated and comparison areas, weights and all.

    Raises
    ------
    ReasonedError
        The outcome is a value, areas share clusters, or nothing came after the start.
    """
    if area.kind != "count" or area.panel.n_clusters < len(area.area_id):
        raise ReasonedError(
            "weighted areas are dealt anew for ratios of counts, and where every area stands by itself",
            "Deze controle is er alleen voor aantallen, en als elk gebied op zichzelf staat.",
        )
    dealt = []
    for cohort in cohorts:
        part = _part(area, cohort, lambda periods, g=cohort.start: periods >= g)
        if part is not None:
            dealt.append(
                DealtPart(
                    n_treated=len(part.treated),
                    variables=cohort.variables,
                    total=np.concatenate([part.treated, part.comparison]),
                    weight=cohort.calibration.weight,
                )
            )
    if not dealt:
        raise ReasonedError(
            "no period after the start was delivered for areas that could be weighted",
            "Van gebieden die konden worden gewogen is geen periode na de start aangeleverd.",
        )
    return deal(dealt)


def calibrated_bound(area: AreaPanel, cohorts: tuple[CalibratedCohort, ...], level: float) -> Estimate:
    """Return the exact bound where treated areas had no events; the comparison counts for its effective events.

    Raises
    ------
    EstimationError
        The comparison had none either.
    """
    expected = effective = 0.0
    for cohort in cohorts:
        part = _part(area, cohort, lambda periods, g=cohort.start: periods >= g)
        if part is not None:
            weighted = float(cohort.calibration.weight @ part.comparison)
            spread = float(cohort.calibration.weight**2 @ part.comparison)
            expected += weighted
            effective += weighted**2 / spread if spread > 0.0 else 0.0
    if expected <= 0.0 or effective <= 0.0:
        raise EstimationError("nothing was counted after the start, with or without the programme")
    return exact_rate_ratio(0.0, expected, effective, effective, level=level)
