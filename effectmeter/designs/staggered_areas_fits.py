"""Which estimator answers for areas: a panel and a way in, an effect out, and what is done where events are few.

Not here: the layout (`staggered_areas_panel`), calibrated weights (`staggered_areas_calibrated`), rows.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import cast

import numpy as np

from effectmeter.designs.rows import ReasonedError
from effectmeter.designs.staggered_areas_panel import AreaPanel, options_of
from effectmeter.estimators.base import Estimate, EstimationError, FloatArray, SeparationError
from effectmeter.estimators.before_after import difference_in_change, difference_in_change_bound
from effectmeter.estimators.group_time import FEWEST_COMPARISON, Aggregation, Comparison, GroupTime, group_time
from effectmeter.estimators.group_time_adjusted import adjusted
from effectmeter.estimators.group_time_before import number_of_pieces
from effectmeter.estimators.group_time_panel import NEVER, BoolArray, Effect, Panel, Shares, as_percent
from effectmeter.estimators.panel_fixed_effects import TwoWayFit, two_way
from effectmeter.estimators.panel_poisson import poisson_effect
from effectmeter.estimators.small_samples import few_events, quasi_score_rate_ratio
from effectmeter.plan import Plan

RATIOS = ("rate_ratio", "percent_change")
_NO_POISSON = (
    "the Poisson model is for counts, and this outcome was delivered as a value; use callaway_santanna or twoway_fe",
    "Dit model is voor aantallen, en deze uitkomst is een waarde. Kies callaway_santanna of twoway_fe.",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class How:
    """How an outcome is estimated.

    Attributes
    ----------
    estimator
        ``callaway_santanna``, ``twoway_fe``, ``poisson_fe`` or ``calibrated``.
    comparison
        ``not_yet_treated`` or ``never_treated``.
    variance
        ``cr3`` and so on.
    with_covariates
        Whether the plan's covariates are used, by estimators that can.
    """

    estimator: str
    comparison: str = "not_yet_treated"
    variance: str = "cr3"
    with_covariates: bool = True


def how_of(plan: Plan) -> How:
    """Return what the plan asks for."""
    options = options_of(plan)
    if options.comparison == "calibrated":
        return How(estimator="calibrated", variance="linearised")
    return How(estimator=options.estimator, comparison=options.comparison)


def is_difference(measure: str) -> bool:
    """Return whether no effect is a difference of 0 in the outcome's own units."""
    return measure not in RATIOS


def by_group(
    area: AreaPanel, how: How, *, base: str = "varying", before: bool = True, keep_cells: bool = False
) -> GroupTime:
    """Return the group-time effects of a panel.

    Raises
    ------
    ReasonedError
        The plan compares with areas that never start, and there are none (or one) of them.
    """
    never = int((~area.is_treated).sum())
    later = int((area.panel.start > area.panel.cohorts.min()).sum()) if len(area.panel.cohorts) else 0
    if how.comparison == "never_treated" and never < FEWEST_COMPARISON <= later:
        raise ReasonedError(
            f"{never or 'none'} of the areas never starts, and the plan compares with such areas only; write "
            "`areas: {comparison: not_yet_treated}` in the plan, so that areas that start later serve until they do",
            "Bijna elk gebied begint een keer, en het plan vergelijkt alleen met gebieden die nooit beginnen. Zet "
            "`areas: {comparison: not_yet_treated}` in het plan. Dan tellen gebieden die later beginnen mee.",
        )
    X = area.panel.X if how.with_covariates else area.panel.X[:, :0]
    return group_time(
        area.panel,
        comparison=cast(Comparison, how.comparison),
        base="universal" if base == "universal" else "varying",
        variance=how.variance,
        fitter=adjusted(X),
        before=before,
        keep_cells=keep_cells,
    )


def effect_of(area: AreaPanel, how: How, aggregation: Aggregation = "simple") -> Effect:
    """Return the effect over all treated area-periods.

    Raises
    ------
    EstimationError
        The data do not allow it.
    """
    if how.estimator == "callaway_santanna":
        return by_group(area, how, before=False).overall(aggregation)
    if how.estimator == "poisson_fe":
        if area.kind != "count":
            raise ReasonedError(*_NO_POISSON)
        return poisson_effect(area.counts, area.exposure, area.panel, variance=how.variance).effect
    return fixed_effects(area).effect(0, how.variance)


def fixed_effects(area: AreaPanel, rings: int | None = None) -> TwoWayFit:
    """Fit area and period effects with the treated indicator first and then the rings.

    Areas that had started in their first period are in it, as in published panels: they have no change of their own to
    show, but they do have a part in the course of time. Where effects grow this compares with what grows as well,
    which is why other estimators stand beside it (Goodman-Bacon 2021, doi:10.1016/j.jeconom.2021.03.014).

    Parameters
    ----------
    rings
        How many rings enter, the nearest first; by default all of those around treated areas.
    """
    area = area.with_always or area
    whole = area if area.ring_areas is None else area.ring_areas
    numbers = ring_numbers(area)
    if area.ring_areas is not None and rings is None and not rings_are_dated(area):
        whole, numbers = area, ()
    numbers = numbers if rings is None else numbers[:rings]
    panel = whole.panel
    exposed = panel.periods[None, :] >= whole.ring_start[:, None]
    masks = [panel.treated] + [exposed & (whole.ring == number)[:, None] for number in numbers]
    return two_way(panel.y, np.stack(masks, axis=2).astype(np.float64), panel.cluster)


def ring_numbers(area: AreaPanel) -> tuple[float, ...]:
    """Return the rings whose own effect can be told, the nearest first."""
    whole = area.ring_areas
    if whole is None:
        return ()
    outside = {name for name, side in zip(area.area_id, ~area.is_treated, strict=True) if side}
    inside = np.array([name not in outside for name in whole.area_id]) & ~whole.is_treated
    return tuple(float(number) for number in np.unique(whole.ring[inside]))


def rings_are_dated(area: AreaPanel) -> bool:
    """Return whether it is known when every ring's exposure began."""
    whole = area.ring_areas
    if whole is None:
        return False
    inside = np.isin(whole.ring, ring_numbers(area)) & ~whole.is_treated
    return bool(np.isfinite(whole.ring_start[inside]).all())


def ring_panel(area: AreaPanel, number: float) -> AreaPanel:
    """Return one ring's areas as if they were treated from their exposure on, with areas far away to compare with.

    Raises
    ------
    ReasonedError
        It is not known when exposure began.
    """
    whole = area.ring_areas
    if whole is None or not rings_are_dated(area):
        raise ReasonedError(
            "areas started at different times, and it was not delivered when each ring's exposure began (`adopted_on`)",
            "De gebieden begonnen op verschillende momenten. Lever per gebied eromheen aan wanneer dat was.",
        )
    outside = {name for name, side in zip(area.area_id, ~area.is_treated, strict=True) if side}
    is_far = np.array([name in outside for name in whole.area_id])
    inside = (whole.ring == number) & ~whole.is_treated & ~is_far
    last = whole.panel.periods.max()
    start = np.where(inside & (whole.ring_start <= last), whole.ring_start, NEVER)
    return replace(whole, panel=replace(whole.panel, start=start)).keep(inside | is_far)


def estimate_of(measure: str, effect: Effect, level: float) -> Estimate:
    """Return one measure of an effect."""
    if measure == "rate_ratio":
        return effect.ratio(level)
    if measure == "percent_change":
        return as_percent(effect.ratio(level))
    return effect.difference(level)


def has_few_events(area: AreaPanel) -> bool:
    """Return whether treated areas had so few events after the start that an interval of scores takes over."""
    if area.kind != "count":
        return False
    counts = np.nan_to_num(area.counts)
    later = area.panel.periods >= area.panel.cohorts.min()
    rest = counts[~area.panel.treated & later[None, :]].sum()
    return few_events(float(counts[area.panel.treated].sum()), float(rest))


def few_events_ratio(area: AreaPanel, level: float) -> Estimate:
    """Return the rate ratio's score interval, with what untreated area-periods predict as the time at risk.

    An upper bound where treated areas had no events at all.

    Raises
    ------
    EstimationError
        Nothing was counted that could be compared.
    """
    found = poisson_effect(area.counts, area.exposure, area.panel, variance="cr0")
    one, zero = found.expected > 0.0, found.comparison_expected > 0.0
    if not one.any() or not zero.any():
        raise EstimationError("too little was counted to compare anything")
    return quasi_score_rate_ratio(
        np.concatenate([found.observed[one], found.comparison_observed[zero]]),
        np.concatenate([found.expected[one], found.comparison_expected[zero]]),
        np.repeat([1.0, 0.0], [int(one.sum()), int(zero.sum())]),
        cluster=np.concatenate([area.panel.cluster[one], area.panel.cluster[zero]]),
        level=level,
    )


@dataclass(frozen=True, slots=True)
class AtTime:
    """The effect at a time since the start, or why there is none.

    Attributes
    ----------
    areas
        Treated and comparison areas that contribute.
    """

    effect: Effect | EstimationError
    areas: tuple[int, int]


def event_effects(area: AreaPanel, how: How) -> dict[int, AtTime]:
    """Return the effect per time since the start, before it too.

    Group-time effects before the start are against the period before; Poisson's are of periods that were left out and
    predicted from the others.
    """
    if how.estimator == "poisson_fe" and area.kind == "count":
        return {
            time: AtTime(_poisson_event(area, how, mask), _areas_of(area, mask))
            for time, mask in _event_masks(area).items()
        }
    fit = by_group(area, How(estimator="callaway_santanna", comparison=how.comparison))
    found: dict[int, AtTime] = {}
    for time in sorted(fit.by_event):
        effect: Effect | EstimationError
        try:
            effect = fit.event(time)
        except EstimationError as fault:
            effect = fault
        found[time] = AtTime(effect, fit.areas_at(time))
    return found


def _areas_of(area: AreaPanel, mask: BoolArray) -> tuple[int, int]:
    """Return the areas with such area-periods, and the others that are untreated in the same periods."""
    seen = mask & area.panel.observed
    inside, periods = np.asarray(seen.any(axis=1)), np.asarray(seen.any(axis=0))
    free = area.panel.observed & ~area.panel.treated & periods[None, :]
    return int(inside.sum()), int((np.asarray(free.any(axis=1)) & ~inside).sum())


def _poisson_event(area: AreaPanel, how: How, mask: BoolArray) -> Effect | EstimationError:
    try:
        return poisson_effect(area.counts, area.exposure, area.panel, treated=mask, variance=how.variance).effect
    except EstimationError as fault:
        return fault


def _event_masks(area: AreaPanel) -> dict[int, BoolArray]:
    """Return the area-periods of each time since the start."""
    panel = area.panel
    started = np.isfinite(panel.start)
    time = panel.periods[None, :] - np.where(started, panel.start, 0.0)[:, None]
    times = np.unique(time[started])
    return {round(value): started[:, None] & (time == value) for value in times}


def leads(area: AreaPanel, how: How) -> dict[int, tuple[float, Shares]]:
    """Return how treated and comparison areas differed before the start, per time to it, with errors.

    On the scale on which their courses are taken to be parallel: logs for Poisson, by pieces of that time of which each
    is predicted from the others; else the outcome's own units, each against the last period before the start.
    """
    if how.estimator == "poisson_fe" and area.kind == "count":
        return _poisson_leads(area, how)
    found: dict[int, tuple[float, Shares]] = {}
    fit = by_group(area, How(estimator="callaway_santanna", comparison=how.comparison), base="universal")
    for time in sorted(fit.by_event):
        if time < 0:
            try:
                effect = fit.event(time)
            except EstimationError:
                continue
            found[time] = effect.att, effect.att_shares
    return found


def _poisson_leads(area: AreaPanel, how: How) -> dict[int, tuple[float, Shares]]:
    """Return a log ratio per piece of the time before the start, the last piece being what it is held against.

    Single periods predicted from all others would hardly show a trend: it bends what they are predicted from.
    """
    masks = {time: mask for time, mask in _event_masks(area).items() if (mask & area.panel.observed).any()}
    times = sorted(time for time in masks if time < 0)
    if len(times) < 2:
        return {}
    is_treated = np.bincount(area.panel.cluster, area.is_treated, area.panel.n_clusters) > 0.0
    n_treated = int(is_treated.sum())
    pieces = np.array_split(np.array(times), number_of_pieces(len(times) - 1, n_treated) + 1)
    found: dict[int, tuple[float, Shares]] = {}
    for piece in pieces[:-1]:
        effect = _poisson_event(area, how, np.any([masks[int(time)] for time in piece], axis=0))
        if isinstance(effect, Effect) and effect.mean > 0.0 and effect.without > 0.0:
            own = effect.mean_shares.values
            shares = own / effect.mean - (own - effect.att_shares.values) / effect.without
            distance = round(float(piece.mean() - pieces[-1].mean())) - 1
            found[distance] = (
                float(np.log(effect.mean / effect.without)),
                Shares(values=shares, is_treated=is_treated),
            )
    return found


def unadjusted(area: AreaPanel, measure: str, level: float) -> Estimate:
    """Return the raw change of treated areas against that of comparison areas.

    Treated areas before and after their own start; areas that never start before and after the middle one of those
    starts. Where every area starts, the last ones to start serve, up to their own start.
    """
    panel = area.panel
    start, periods = panel.start.copy(), panel.periods
    if np.isfinite(start).all():
        last = start.max()
        start = np.where(start == last, NEVER, start)
        periods = np.where(periods < last, periods, np.nan)
    treated = np.isfinite(start)
    if not treated.any() or treated.all():
        raise EstimationError("there is nothing to compare with")
    split = np.where(treated, start, np.sort(start[treated])[int(treated.sum()) // 2])
    known = panel.observed & ~np.isnan(periods)[None, :]
    after = known & (periods[None, :] >= split[:, None])
    before = known & (periods[None, :] < split[:, None])
    both: BoolArray = np.asarray(after.any(axis=1) & before.any(axis=1))
    if area.kind == "count" and not is_difference(measure):
        sums = [
            np.where(mask, np.nan_to_num(values), 0.0).sum(axis=1)[both]
            for values in (area.counts, area.exposure)
            for mask in (before, after)
        ]
        arrays = (*sums, treated[both].astype(np.float64))
        try:
            found = difference_in_change(*arrays, cluster=panel.cluster[both], level=level)
        except SeparationError:
            found = difference_in_change_bound(*arrays, cluster=panel.cluster[both], level=level)
        return as_percent(found) if measure == "percent_change" else found
    return estimate_of(measure, _raw_change(panel, before, after, both, treated), level)


def _raw_change(panel: Panel, before: BoolArray, after: BoolArray, both: BoolArray, treated: BoolArray) -> Effect:
    """Return the difference between mean changes."""
    y = np.nan_to_num(panel.y)

    def mean_over(mask: BoolArray) -> FloatArray:
        result: FloatArray = np.where(mask, y, 0.0).sum(axis=1) / np.maximum(mask.sum(axis=1), 1)
        return result

    change, level = mean_over(after) - mean_over(before), mean_over(after)
    size = panel.n_clusters
    shares, means = np.zeros((2, size)), []
    for sign, side in ((1.0, treated & both), (-1.0, ~treated & both)):
        n = np.bincount(panel.cluster[side], minlength=size).astype(np.float64)
        if (n > 0.0).sum() < 2:
            raise EstimationError("this rests on one area, so that nothing can be said about precision")
        means.append((float(change[side].mean()), float(level[side].mean())))
        left = n.sum() - n
        for row, values in enumerate((change, level)):
            if row == 0 or sign > 0:
                total = np.bincount(panel.cluster[side], values[side] - values[side].mean(), size)
                shares[row] += sign * total / left
    is_treated = np.bincount(panel.cluster, treated, size) > 0.0
    return Effect(
        att=means[0][0] - means[1][0],
        mean=means[0][1],
        att_shares=Shares(values=shares[0], is_treated=is_treated),
        mean_shares=Shares(values=shares[1], is_treated=is_treated),
        estimator="difference_in_change",
        variance="cr3",
    )
