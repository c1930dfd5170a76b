"""One series, one start: what changed when the programme began, alone or against a control series.

Here: which rows the design shows. Not here: the fit (`effectmeter.estimators.series`), the gates
(`effectmeter.gates.series`), nor the picture (`effectmeter.designs.series_points`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from effectmeter.designs.base import AnalysisData, Scope
from effectmeter.designs.questions import measures_of, primary_outcome
from effectmeter.designs.rows import LEVEL, Counts, blank_row, not_estimable, with_counts, with_estimate
from effectmeter.designs.series_data import control_of, model_of, placebo_starts, series_of
from effectmeter.estimators.base import Estimate, EstimationError
from effectmeter.estimators.sensitivity import BOUND
from effectmeter.estimators.series import (
    AVERAGED,
    CONTROLLED,
    UNCONTROLLED,
    Series,
    SeriesAnalysis,
    SeriesModel,
    analyse,
    plain_change,
    raw_ratio,
)
from effectmeter.gates.agreement import agreement
from effectmeter.gates.base import Gate
from effectmeter.gates.comparable import negative_controls
from effectmeter.gates.looks import looks
from effectmeter.gates.series import autocorrelation, control_series, periods, placebo_period, power, pre_trends
from effectmeter.results import RATIO_MEASURES, Comparability, EffectRow, GateResult

WASH_IN = (1, 2, 3)
"""Periods after the start that a sensitivity row leaves out."""
HARMONICS = (0, 1, 2, 3)
"""Numbers of pairs that sensitivity rows try."""

OWN_CHANGE = "series=control"
"""Subgroup of the row with the control's own change."""

At = Callable[[float], Estimate]


class InterruptedSeries:
    """One series of counts with one start; with a control series its change is set against the control's.

    The primary row is the ratio of the level at the start by quasi-Poisson regression with trend and season, its
    interval widened for the correlation of neighbouring periods.
    """

    name = "interrupted_series"
    tables: tuple[str, ...] = ("series",)
    gate_list: tuple[Gate, ...] = (
        periods,
        pre_trends,
        placebo_period,
        control_series,
        autocorrelation,
        negative_controls,
        agreement,
        looks,
        power,
    )

    def compare(self, data: AnalysisData) -> Comparability:
        """Return nothing: the series is compared with its own past."""
        return Comparability()

    def estimate(self, data: AnalysisData, comparability: Comparability, scope: Scope = "all") -> tuple[EffectRow, ...]:
        """Return every row of the effects table, nothing hidden yet; the primary row first."""
        first = primary_outcome(data.plan)
        names = [name for name in data.plan.outcomes if name not in data.plan.negative_controls or name == first]
        names.sort(key=lambda name: name != first)
        rows: list[EffectRow] = []
        for outcome in names:
            rows += _outcome_rows(data, outcome, scope, is_primary=outcome == first)
        for outcome in data.plan.negative_controls:
            if outcome != first:
                rows += _negative_control(data, outcome)
        return tuple(sorted(rows, key=lambda row: row.analysis != "primary"))

    def gates(
        self, data: AnalysisData, comparability: Comparability, effects: tuple[EffectRow, ...]
    ) -> tuple[GateResult, ...]:
        """Return the gates of a series; negative controls only where the plan names some."""
        asked = [gate for gate in self.gate_list if gate is not negative_controls or data.plan.negative_controls]
        named = [row for row in effects if row.subgroup != OWN_CHANGE]
        return tuple(
            result
            for gate in asked
            for result in gate(data, comparability, named if gate is negative_controls else effects)
        )


def _row(data: AnalysisData, outcome: str, measure: str, analysis: str, variance: str, **more: str | None) -> EffectRow:
    return blank_row(
        data,
        outcome=outcome,
        measure=measure,
        contrast=data.plan.contrasts[0][1],
        estimand="att",
        estimator=more.get("estimator") or UNCONTROLLED,
        variance=variance,
        analysis=analysis,
        subgroup=more.get("subgroup"),
    )


def _name(series: Series) -> str:
    return CONTROLLED if series.has_control else UNCONTROLLED


def _counted(row: EffectRow, series: Series, season_length: int) -> EffectRow:
    """Return the row with its periods, events and population x years, after against before."""
    sides = (series.after, ~series.after)
    years = None
    if series.population is not None:
        years = (
            float(series.population[sides[0]].sum()) / season_length,
            float(series.population[sides[1]].sum()) / season_length,
        )
    return with_counts(row, Counts(n=series.n_periods, events=series.n_events, person_years=years))


def as_percent(estimate: Estimate) -> Estimate:
    """Return a ratio as a change in per cent, ``100 (ratio - 1)``; its error in per cent points by the delta method."""

    def shown(value: float | None) -> float | None:
        return None if value is None else 100.0 * (value - 1.0)

    error = None
    if estimate.std_error is not None and estimate.value:
        error = 100.0 * estimate.value * estimate.std_error
    return replace(
        estimate,
        value=shown(estimate.value),
        std_error=error,
        low=-100.0 if estimate.low is None and estimate.high is not None else shown(estimate.low),
        high=shown(estimate.high),
    )


def _estimated(data: AnalysisData, row: EffectRow, at: At) -> EffectRow:
    """Return the row with its estimate, or with the reason why there is none."""
    try:
        ratio = at(LEVEL)
        if row.measure in RATIO_MEASURES:
            return with_estimate(data, row, ratio, refit=at)
        scale = 100.0 * (ratio.value or 1.0)  # so that the looks widen it exactly as its ratio
        return with_estimate(data, row, as_percent(ratio), refit=lambda level: as_percent(at(level)), scale=scale)
    except EstimationError as fault:
        return not_estimable(row, fault)


def _at(analysis: SeriesAnalysis | EstimationError, quantity: Callable[[SeriesAnalysis], At]) -> At:
    """Return the quantity of an analysis, or the fault that stands in its way, whenever it is asked."""

    def at(level: float) -> Estimate:
        if isinstance(analysis, EstimationError):
            raise analysis
        return quantity(analysis)(level)

    return at


def _attempt(series: Series, model: SeriesModel) -> SeriesAnalysis | EstimationError:
    try:
        return analyse(series, model)
    except EstimationError as fault:
        return fault


def _quantity(measure: str) -> Callable[[SeriesAnalysis], At]:
    """Return which quantity answers a measure.

    A rate ratio is the ratio over the whole time after the start: the level's ratio where only the level changes.
    """
    if measure == "slope_ratio":
        return lambda analysis: analysis.slope
    if measure == "rate_ratio":
        return lambda analysis: analysis.whole_period
    return lambda analysis: analysis.level


def primary_ratio(measures: tuple[str, ...]) -> str:
    """Return the measure of the primary row: the first ratio that the plan asks, else the level's."""
    return next((measure for measure in measures if measure in RATIO_MEASURES), "level_ratio")


def _outcome_rows(data: AnalysisData, outcome: str, scope: Scope, *, is_primary: bool) -> list[EffectRow]:
    """Return one outcome's rows."""
    model = model_of(data.plan)
    measures: tuple[str, ...] = measures_of(data.plan, outcome)
    main = primary_ratio(measures)
    label = "primary" if is_primary else "secondary"
    try:
        series = series_of(data, outcome)
    except EstimationError as fault:
        return [not_estimable(_row(data, outcome, main, label, model.variance), fault)]
    analysis = _attempt(series, model)
    name = _name(series)
    beside = main if main == "rate_ratio" and not model.terms.with_slope else "level_ratio"
    shown = series if isinstance(analysis, EstimationError) else analysis.series

    def row(measure: str, kind: str, subgroup: str | None = None, variance: str = model.variance) -> EffectRow:
        blank = _row(data, outcome, measure, kind, variance, estimator=name, subgroup=subgroup)
        return _counted(blank, shown, model.terms.season_length)

    rows = [_estimated(data, row(main, label), _at(analysis, _quantity(main)))]
    if scope == "all":
        others = [*measures, "percent_change", *(("slope_ratio",) if model.terms.with_slope else ())]
        rows += [
            _estimated(data, row(measure, "secondary"), _at(analysis, _quantity(measure)))
            for measure in dict.fromkeys(others)
            if measure != main
        ]
        if model.terms.with_slope:
            rows += _aggregations(data, row, analysis)
        rows += _bound(data, row, main, analysis)
        rows += _beside(data, outcome, series, model, beside)
        if is_primary:
            rows += _sensitivity(data, row, series, model, beside)
    if is_primary:
        rows += _placebo(data, outcome, series, model)
    if series.has_control:
        rows += _own_change_of_control(data, outcome, model)
    return rows


def _bound(
    data: AnalysisData, row: Callable[..., EffectRow], main: str, analysis: SeriesAnalysis | EstimationError
) -> list[EffectRow]:
    """Return what may be told where too few events after the start keep the level's ratio from being told."""
    least = data.plan.disclosure.minimum_persons
    if isinstance(analysis, EstimationError) or main == "slope_ratio":
        return []
    after, before = analysis.series.n_events
    if not after < least <= before or least < 2:
        return []
    blank = replace(row(main, "sensitivity", None, "score"), estimator=BOUND, events_treated=None)
    return [_estimated(data, blank, lambda level: analysis.bound(least - 1.0, level))]


def _aggregations(
    data: AnalysisData, row: Callable[..., EffectRow], analysis: SeriesAnalysis | EstimationError
) -> list[EffectRow]:
    """Return what a jump and a bend amount to: over the whole time after the start, and in its last period."""
    kinds: tuple[tuple[str, Callable[[SeriesAnalysis], At]], ...] = (
        ("whole_period", lambda found: found.whole_period),
        ("last_period", lambda found: found.last_period),
    )
    return [
        _estimated(data, row(measure, "secondary", f"aggregation={name}"), _at(analysis, quantity))
        for name, quantity in kinds
        for measure in ("rate_ratio", "percent_change")
    ]


def _beside(data: AnalysisData, outcome: str, series: Series, model: SeriesModel, main: str) -> list[EffectRow]:
    """Return the raw ratio, the ordinary regression that most studies print, and, with a control, both without it."""
    length = model.terms.season_length
    alone = series_of(data, outcome, with_control=False)

    def blank(measure: str, kind: str, variance: str, of: Series, subgroup: str | None = None) -> EffectRow:
        return _counted(_row(data, outcome, measure, kind, variance, subgroup=subgroup), of, length)

    def plain(of: Series, subgroup: str | None) -> list[EffectRow]:
        columns = {main: "level"} | ({"slope_ratio": "slope"} if model.terms.with_slope else {})
        return [
            _estimated(data, blank(measure, "sensitivity", "model", of, subgroup), _plain_at(of, model, column))
            for measure, column in columns.items()
        ]

    rows = [_estimated(data, blank(main, "unadjusted", "model", alone), lambda level: raw_ratio(alone, level))]
    if model.autocorrelation == "ar1" or series.has_control:
        rows += plain(series, None)
    if model.autocorrelation == "none":
        widened = _attempt(series, replace(model, autocorrelation="ar1"))
        row = replace(blank(main, "sensitivity", AVERAGED, series), estimator=_name(series))
        rows.append(_estimated(data, row, _at(widened, _quantity("level_ratio"))))
    if series.has_control:
        found = _attempt(alone, model)
        row = blank(main, "sensitivity", model.variance, alone, "control=none")
        rows.append(_estimated(data, row, _at(found, _quantity("level_ratio"))))
        if model.autocorrelation == "ar1":
            rows += plain(alone, "control=none")
    return rows


def _plain_at(series: Series, model: SeriesModel, column: str) -> At:
    return lambda level: plain_change(series, model.terms, column, level)


def _sensitivity(
    data: AnalysisData, row: Callable[..., EffectRow], series: Series, model: SeriesModel, main: str
) -> list[EffectRow]:
    """Return the level's ratio under other choices: no trend, other seasons, a wash-in, the effect's other form."""
    terms = model.terms
    level = _quantity("level_ratio")
    tries: list[tuple[str, str, Series, SeriesModel, Callable[[SeriesAnalysis], At]]] = [
        (main, "trend=none", series, replace(model, terms=replace(terms, with_trend=False)), level)
    ]
    for number in HARMONICS:
        if number != terms.harmonics and number <= terms.season_length // 2:
            other = replace(model, terms=replace(terms, harmonics=number))
            tries.append((main, f"harmonics={number}", series, other, level))
    tries += [(main, f"wash_in={number}", series.washed_in(number), model, level) for number in WASH_IN]
    if terms.with_slope:
        tries.append((main, "effect=level", series, replace(model, terms=replace(terms, with_slope=False)), level))
    else:
        other = replace(model, terms=replace(terms, with_slope=True))
        tries.append(("rate_ratio", "effect=level_and_slope", series, other, _quantity("rate_ratio")))
    found = []
    for measure, subgroup, of, how, quantity in tries:
        blank = _counted(row(measure, "sensitivity", subgroup), of, terms.season_length)
        found.append(_estimated(data, blank, _at(_attempt(of, how), quantity)))
    return found


def _placebo(data: AnalysisData, outcome: str, series: Series, model: SeriesModel) -> list[EffectRow]:
    """Return pretended starts before the real one, where the ratio must be 1; the middle one first."""
    how = replace(model, terms=replace(model.terms, with_slope=False))
    rows = []
    for start, label in placebo_starts(data, outcome, series):
        pretended = series.pretending(start)
        blank = _row(
            data,
            outcome,
            "level_ratio",
            "placebo",
            model.variance,
            estimator=_name(series),
            subgroup=f"pretended_start={label}",
        )
        blank = _counted(blank, pretended, model.terms.season_length)
        rows.append(_estimated(data, blank, _at(_attempt(pretended, how), _quantity("level_ratio"))))
    return rows


def _own_change_of_control(data: AnalysisData, outcome: str, model: SeriesModel) -> list[EffectRow]:
    """Return the control's own change of level, which should be none; nothing without a control."""
    control = control_of(data, outcome)
    if control is None:
        return []
    how = replace(model, terms=replace(model.terms, with_slope=False))
    blank = _row(data, outcome, "level_ratio", "negative_control", model.variance, subgroup=OWN_CHANGE)
    blank = _counted(blank, control, model.terms.season_length)
    return [_estimated(data, blank, _at(_attempt(control, how), _quantity("level_ratio")))]


def _negative_control(data: AnalysisData, outcome: str) -> list[EffectRow]:
    """Return the same analysis of something that the programme cannot have changed."""
    model = model_of(data.plan)
    how = replace(model, terms=replace(model.terms, with_slope=False))
    blank = _row(data, outcome, "level_ratio", "negative_control", model.variance)
    try:
        series = series_of(data, outcome)
    except EstimationError as fault:
        return [not_estimable(blank, fault)]
    blank = replace(blank, estimator=_name(series))
    blank = _counted(blank, series, model.terms.season_length)
    return [_estimated(data, blank, _at(_attempt(series, how), _quantity("level_ratio")))]
