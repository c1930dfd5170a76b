"""What stands beside the effect on areas: other averages, estimators and errors, permutation, rings, subgroups.

Not here: the main rows (`staggered_areas_rows`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache

import polars as pl

from effectmeter.designs.rows import ReasonedError, not_estimable, with_counts
from effectmeter.designs.staggered_areas_calibrated import dealt_anew
from effectmeter.designs.staggered_areas_fits import (
    RATIOS,
    How,
    by_group,
    effect_of,
    few_events_ratio,
    fixed_effects,
    has_few_events,
    is_difference,
    ring_numbers,
    ring_panel,
    rings_are_dated,
)
from effectmeter.designs.staggered_areas_panel import AreaPanel, lay_out
from effectmeter.designs.staggered_areas_rows import Asked, estimated, fitted, row_at, served_areas
from effectmeter.estimators.base import Estimate, EstimationError
from effectmeter.estimators.calibration_permutation import Deals
from effectmeter.estimators.group_time import Comparison
from effectmeter.estimators.group_time_panel import Effect, as_percent
from effectmeter.estimators.group_time_permutation import permutation
from effectmeter.estimators.small_samples import bayesian_interval
from effectmeter.results import EffectRow

MOST_CELLS = 60
"""With more group-time effects than this, only their averages are rows."""
LEVELS = 8
"""A subgroup column with more levels than this makes no subgroups."""


def _try(effect: Callable[[], Effect]) -> Effect | EstimationError:
    try:
        return effect()
    except EstimationError as fault:
        return fault


def _plain(asked: Asked) -> How:
    """Return Callaway-Sant'Anna, whatever the plan's own estimator."""
    return How(estimator="callaway_santanna", comparison=asked.how.comparison)


def aggregation_rows(asked: Asked, area: AreaPanel) -> list[EffectRow]:
    """Return the other averages of group-time effects, those of each cohort and period, and (if few) each cell."""
    if asked.how.estimator != "callaway_santanna":
        return []
    is_small = asked.role == "primary" and len(area.panel.cohorts) * len(area.panel.periods) <= 2 * MOST_CELLS
    try:
        fit = by_group(area, asked.how, before=False, keep_cells=is_small)
    except EstimationError:
        return []

    def row(analysis: str, subgroup: str, effect: Callable[[], Effect]) -> EffectRow:
        return estimated(
            asked, asked.row(asked.measures[0], analysis, subgroup=subgroup), area, _try(effect), few=False
        )

    rows = [
        row("sensitivity", "aggregation=dynamic", lambda: fit.overall("dynamic")),
        row("sensitivity", "aggregation=cohort", lambda: fit.overall("cohort")),
        row("sensitivity", "aggregation=calendar", lambda: fit.overall("calendar")),
    ]
    if len(fit.by_cohort) > 1:
        for start in sorted(fit.by_cohort):
            rows.append(row("subgroup", f"cohort={area.label(start)}", lambda at=start: fit.cohort(at)))  # type: ignore[misc]
    for period in sorted(fit.by_period):
        rows.append(row("subgroup", f"period={area.label(period)}", lambda at=period: fit.period(at)))  # type: ignore[misc]
    if is_small and len(fit.by_cohort) > 1 and len(fit.cells) <= MOST_CELLS:
        for cell in fit.cells:
            name = f"cohort={area.label(cell.cohort)}, period={area.label(cell.period)}"
            rows.append(row("subgroup", name, lambda at=cell: fit.cell(at)))  # type: ignore[misc]
    return rows


def other_rows(asked: Asked, area: AreaPanel) -> list[EffectRow]:
    """Return the effect by the other estimators, with the other comparison, and without covariates."""
    measure, main = asked.measures[0], asked.how
    ways: list[tuple[How, str | None]] = []
    never = int((~area.is_treated).sum())
    if main.estimator == "callaway_santanna":
        other = "never_treated" if main.comparison == "not_yet_treated" else "not_yet_treated"
        if never >= 2 and (len(area.panel.cohorts) > 1):
            ways.append((replace(main, comparison=other), f"comparison={other}"))
        if area.panel.X.shape[1]:
            ways.append((replace(main, with_covariates=False), "covariates=none"))
    else:
        ways.append((_plain(asked), None))
    if main.estimator != "twoway_fe":
        ways.append((How(estimator="twoway_fe"), None))
    if main.estimator != "poisson_fe" and area.kind == "count":
        ways.append((How(estimator="poisson_fe"), None))
    return [
        estimated(
            asked,
            asked.row(measure, "sensitivity", how=how, subgroup=name),
            area,
            fitted(asked, area, how),
            few=how.estimator == "poisson_fe",
        )
        for how, name in ways
    ]


def variance_rows(asked: Asked, area: AreaPanel) -> list[EffectRow]:
    """Return the same estimate with every other error that the plan asks for."""
    rows = []
    measure = asked.measures[0]
    for variance in asked.data.plan.variance:
        how = replace(asked.how, variance=variance)
        if how == asked.how:
            continue
        if how.estimator == "twoway_fe":
            plain = _difference(area) if measure in RATIOS else measure
            rows += _fixed_effect_rows(asked, area, plain, variance, "sensitivity")
            continue
        row = asked.row(measure, "sensitivity", how=how)
        if how.estimator == "calibrated" or not variance.startswith("cr"):
            names = "only the linearised one" if how.estimator == "calibrated" else "cr0, cr1 and cr3"
            fault = ReasonedError(
                f"the error {variance} does not exist for {how.estimator}, which has {names}",
                f"Deze marge ({variance}) bestaat niet bij deze methode.",
            )
            rows.append(not_estimable(row, fault))
        else:
            rows.append(estimated(asked, row, area, _try(lambda how=how: effect_of(area, how)), few=False))  # type: ignore[misc]
    return rows


def _difference(area: AreaPanel) -> str:
    return "rate_difference" if area.kind == "count" else "mean_difference"


def _fixed_effect_rows(asked: Asked, area: AreaPanel, measure: str, variance: str, analysis: str) -> list[EffectRow]:
    """Return the treated indicator and each ring's of one two-way fit, as differences."""
    how = How(estimator="twoway_fe", variance=variance)
    row = asked.row(measure, analysis, how=how)
    try:
        fit = fixed_effects(area)
    except EstimationError as fault:
        return [not_estimable(row, fault)]
    rows = [row_at(asked.data, row, lambda level: fit.coefficient(0, variance, level))]
    if len(fit.beta) > 1:
        for number, ring in enumerate(ring_numbers(area), start=1):
            own = asked.row(measure, analysis, how=how, subgroup=f"ring={ring:g}")
            rows.append(row_at(asked.data, own, lambda level, at=number: fit.coefficient(at, variance, level)))  # type: ignore[misc]
    return rows


def beside_rows(asked: Asked, area: AreaPanel) -> list[EffectRow]:
    """Return the permutation of start dates, and the estimate as seen with a sceptical prior."""
    measure = asked.measures[0]
    is_ratio = measure in RATIOS
    comparison: Comparison = "never_treated" if asked.how.comparison == "never_treated" else "not_yet_treated"

    @cache
    def deals() -> Deals:
        return _weighed_anew(asked, area)

    def dealt(level: float) -> Estimate:
        if asked.how.estimator == "calibrated":
            found = deals().estimate(level)
        else:
            found = permutation(
                area.panel,
                comparison=comparison,
                is_ratio=is_ratio,
                level=level,
                draws=999 if area.panel.y.size < 50_000 else 199,
            )
        return as_percent(found) if measure == "percent_change" else found

    rows = [
        row_at(
            asked.data,
            asked.row(measure, "sensitivity", how=How(estimator="permutation", variance="permutation")),
            dealt,
        )
    ]
    effect = fitted(asked, area, asked.how)

    def sceptical(level: float) -> Estimate:
        if isinstance(effect, EstimationError):
            raise effect
        ratio = few_events_ratio(area, level) if has_few_events(area) else effect.ratio(level)
        found = replace(bayesian_interval(ratio), estimator="bayes")
        return as_percent(found) if measure == "percent_change" else found

    if is_ratio:
        rows.append(
            row_at(
                asked.data, asked.row(measure, "sensitivity", how=How(estimator="bayes", variance="bayes")), sceptical
            )
        )
    return rows


def _weighed_anew(asked: Asked, area: AreaPanel) -> Deals:
    """Return the deals of calibrated areas: the primary outcome's alone, since every deal is weighed anew."""
    if isinstance(asked.cohorts, EstimationError):
        raise asked.cohorts
    if asked.role != "primary" or asked.measures[0] not in RATIOS:
        raise ReasonedError(
            "weighted areas are dealt anew for the primary outcome's ratio alone",
            "Deze controle is er alleen voor de verhouding van de hoofduitkomst.",
        )
    return dealt_anew(area, asked.cohorts or ())


def ring_rows(asked: Asked, area: AreaPanel) -> list[EffectRow]:
    """Return the effect on areas around treated ones, ring by ring; none where no rings were delivered."""
    numbers = ring_numbers(area)
    if not numbers:
        return []
    measure = asked.measures[0]
    if asked.how.estimator == "twoway_fe":
        return _joint_rings(asked, area, measure, numbers)
    how = asked.how if asked.how.estimator == "poisson_fe" else _plain(asked)
    rows = []
    for number in numbers:
        row = asked.row(measure, "sensitivity", how=how, subgroup=f"ring={number:g}")
        try:
            around = ring_panel(area, number)
            row = with_counts(row, around.numbers())
            rows.append(estimated(asked, row, around, effect_of(around, replace(how, with_covariates=False))))
        except EstimationError as fault:
            rows.append(not_estimable(row, fault))
    return rows


def _joint_rings(asked: Asked, area: AreaPanel, measure: str, numbers: tuple[float, ...]) -> list[EffectRow]:
    """Return rings of the joint fit, and the treated indicator with fewer rings entered."""
    how = asked.how
    rows = []
    for position, number in enumerate(numbers, start=1):
        row = asked.row(measure, "sensitivity", subgroup=f"ring={number:g}")
        try:
            if not rings_are_dated(area):
                ring_panel(area, number)  # says why
            effect: Effect | EstimationError = fixed_effects(area).effect(position, how.variance)
            row = with_counts(row, ring_panel(area, number).numbers())
        except EstimationError as fault:
            effect = fault
        rows.append(estimated(asked, row, area, effect, few=False))
    if rings_are_dated(area):
        for entered in range(len(numbers)):
            row = asked.row(measure, "sensitivity", subgroup=f"rings_entered={entered}")
            found = _try(lambda n=entered: fixed_effects(area, n).effect(0, how.variance))  # type: ignore[misc]
            rows.append(estimated(asked, row, area, found, few=False))
            for variance in asked.data.plan.variance:
                if variance != how.variance:
                    plain = _difference(area) if not is_difference(measure) else measure
                    other = asked.row(
                        plain, "sensitivity", how=replace(how, variance=variance), subgroup=f"rings_entered={entered}"
                    )
                    rows.append(
                        row_at(
                            asked.data,
                            other,
                            lambda level, n=entered, v=variance: fixed_effects(area, n).coefficient(0, v, level),  # type: ignore[misc]
                        )
                    )
    return rows


def cohort_left_out_rows(asked: Asked, area: AreaPanel) -> list[EffectRow]:
    """Return the effect without each cohort in turn."""
    cohorts = area.panel.cohorts
    if asked.how.estimator != "callaway_santanna" or not 2 < len(cohorts) <= 24:
        return []
    try:
        fit = by_group(area, asked.how, before=False)
    except EstimationError:
        return []
    return [
        estimated(
            asked,
            asked.row(asked.measures[0], "sensitivity", subgroup=f"without_cohort={area.label(start)}"),
            area,
            _try(lambda at=start: fit.overall("simple", without=float(at))),  # type: ignore[misc]
            few=False,
        )
        for start in cohorts
    ]


def subgroup_rows(asked: Asked, area: AreaPanel) -> list[EffectRow]:
    """Return the effect within the areas of each level of the plan's subgroup columns."""
    if asked.how.estimator == "calibrated":
        return []
    areas = asked.data.units["areas"]
    rows = []
    for column in asked.data.plan.subgroups:
        if column not in areas.columns:
            continue
        levels = areas[column].drop_nulls().cast(pl.String).unique().sort().to_list()
        if not 1 < len(levels) <= LEVELS:
            continue
        for level in levels:
            row = asked.row(asked.measures[0], "subgroup", subgroup=f"{column}={level}")
            try:
                inside = lay_out(asked.data, asked.outcome, areas.filter(pl.col(column).cast(pl.String) == level))
                row = with_counts(row, inside.numbers(served_areas(inside, asked.how)))
                rows.append(estimated(asked, row, inside, effect_of(inside, asked.how)))
            except EstimationError as fault:
                rows.append(not_estimable(row, fault))
    return rows
