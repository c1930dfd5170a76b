"""One series with one start: its change of level and slope, alone or against a control series.

Here: the analysis of a series as given. Not here: the fit (`effectmeter.estimators.series_model`), hardly any counts
(`effectmeter.estimators.series_few`), nor which rows a design shows (`effectmeter.designs.interrupted_series`).
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from effectmeter.estimators.base import Estimate, EstimationError, FloatArray
from effectmeter.estimators.series_few import few_bound, few_score_ratio
from effectmeter.estimators.series_model import Autocorrelation, SeriesFit, fit_series
from effectmeter.estimators.series_terms import IntArray, SeriesDesign, Terms, build_terms
from effectmeter.estimators.small_samples import few_events, quasi_score_rate_ratio

UNCONTROLLED, CONTROLLED = "quasi_poisson", "conditional_poisson"
"""Names in the effects table; `CONTROLLED` is the grouped binomial that `before_after` has too."""

AVERAGED = "ar1"
"""Name of the error that is averaged over the correlation of neighbours; ``model`` takes them as independent."""


class SeriesError(EstimationError):
    """A series that does not allow an estimate, with the reason in both languages."""

    def __init__(self, what: str, reason_nl: str) -> None:
        super().__init__(what)
        self.reason_nl = reason_nl


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """A series in order of time, with its control where there is one.

    Attributes
    ----------
    period, after, season
        (n,) number of the period (gaps stay gaps), whether it lies after the start, place in the year from 0.
    start
        The first period with the programme.
    count, population
        (n,) counts, and population or None.
    control_count, control_population
        (n,) of the control series in the same periods, or None.
    """

    period: IntArray
    after: NDArray[np.bool_]
    season: IntArray
    start: int
    count: FloatArray = field(repr=False)
    population: FloatArray | None = field(default=None, repr=False)
    control_count: FloatArray | None = field(default=None, repr=False)
    control_population: FloatArray | None = field(default=None, repr=False)

    @property
    def n_periods(self) -> tuple[int, int]:
        """Return the number of periods after and before."""
        return int(self.after.sum()), int((~self.after).sum())

    @property
    def n_events(self) -> tuple[float, float]:
        """Return the events after and before."""
        return float(self.count[self.after].sum()), float(self.count[~self.after].sum())

    @property
    def has_control(self) -> bool:
        """Return whether there is a control series."""
        return self.control_count is not None

    def only(self, who: NDArray[np.bool_]) -> Series:
        """Return some of the periods."""

        def some(values: FloatArray | None) -> FloatArray | None:
            return None if values is None else values[who]

        return replace(
            self,
            period=self.period[who],
            after=self.after[who],
            season=self.season[who],
            count=self.count[who],
            population=some(self.population),
            control_count=some(self.control_count),
            control_population=some(self.control_population),
        )

    def alone(self) -> Series:
        """Return the series without its control."""
        return replace(self, control_count=None, control_population=None)

    def pretending(self, start: int) -> Series:
        """Return the time before the start, as if the programme had begun at `start`."""
        before = self.only(~self.after)
        return replace(before, after=before.period >= start, start=start)

    def washed_in(self, n_periods: int) -> Series:
        """Return the series without the first periods after the start."""
        return self.only(~self.after | (self.period >= self.start + n_periods))


@dataclass(frozen=True, slots=True, kw_only=True)
class SeriesModel:
    """What a series is modelled with: its terms, and how neighbouring periods hang together."""

    terms: Terms
    autocorrelation: Autocorrelation = "ar1"

    @property
    def variance(self) -> str:
        """Return the error's name in the effects table."""
        return AVERAGED if self.autocorrelation == "ar1" else "model"


@dataclass(frozen=True, slots=True, kw_only=True)
class SeriesAnalysis:
    """A fitted series; `few` where hardly anything was counted after the start and only a score interval is left."""

    series: Series
    model: SeriesModel
    design: SeriesDesign
    fit: SeriesFit | None
    few: bool = False

    @property
    def estimator(self) -> str:
        """Return the estimator's name in the effects table."""
        return CONTROLLED if self.series.has_control else UNCONTROLLED

    def level(self, level: float = 0.95) -> Estimate:
        """Return the ratio at the start: with the programme against without it."""
        if self.fit is None:
            return few_score_ratio(*self._few_arguments(), level=level)
        return self._combine(self.design.direction("level"), 0.0, level)

    def bound(self, n_after: float, level: float = 0.95) -> Estimate:
        """Return the upper bound on the ratio at the start that `n_after` events after it would give."""
        return few_bound(*self._few_arguments(), n_after=n_after, level=level)

    def slope(self, level: float = 0.95) -> Estimate:
        """Return the change of the trend, as a ratio per period.

        Raises
        ------
        SeriesError
            The model has no such change, or too few events after the start to see one.
        """
        if not self.model.terms.with_slope:
            raise SeriesError(
                "the plan asks for a change of level only; a slope needs 'effect: level_and_slope' under series",
                "Het plan vraagt alleen om een sprong. Zet voor een helling 'effect: level_and_slope' bij series.",
            )
        if self.fit is None:
            raise SeriesError(
                "too few events after the start to see a slope",
                "Na de start is te weinig geteld om een helling te zien.",
            )
        return self._combine(self.design.direction("slope"), 0.0, level)

    def whole_period(self, level: float = 0.95) -> Estimate:
        """Return what was expected with the programme over all periods after the start, against without it.

        Notes
        -----
        The ratio of two sums of fitted rates; its error by the delta method. Without a change of slope it is the ratio
        at the start.
        """
        if not self.model.terms.with_slope or self.fit is None:
            return self.level(level)
        return self._of_periods(self.series.after, level)

    def last_period(self, level: float = 0.95) -> Estimate:
        """Return the ratio in the last period."""
        if not self.model.terms.with_slope or self.fit is None:
            return self.level(level)
        return self._of_periods(np.arange(len(self.series.after)) == len(self.series.after) - 1, level)

    def _of_periods(self, who: NDArray[np.bool_], level: float) -> Estimate:
        assert self.fit is not None
        without = self.design.without("level", "slope")[who]
        change = self.design.X[who] - without
        base = self.fit.beta @ without.T + self._size(who)
        ratio = np.exp(change @ self.fit.beta)
        expected = np.exp(base - base.max())  # in proportion is enough
        weight_with, weight_without = expected * ratio, expected
        value = float(np.log(weight_with.sum() / weight_without.sum()))
        direction = np.asarray(
            weight_with @ self.design.X[who] / weight_with.sum() - weight_without @ without / weight_without.sum()
        )
        return self._combine(direction, value - float(direction @ self.fit.beta), level)

    def _size(self, who: NDArray[np.bool_]) -> FloatArray:
        """Return the log of what a period would count at a linear predictor of 0."""
        offset, _ = offset_and_totals(self.series)
        if self.series.control_count is not None:
            return offset[who] + np.log(np.maximum(self.series.control_count[who], 0.5))
        return offset[who]

    def _combine(self, direction: FloatArray, shift: float, level: float) -> Estimate:
        assert self.fit is not None
        return self.fit.combination(
            direction, level=level, estimator=self.estimator, variance=self.model.variance, shift=shift
        )

    def _few_arguments(self) -> tuple[Any, ...]:
        offset, totals = offset_and_totals(self.series)
        places = [self.design.names.index("level")]
        rest = [place for place, name in enumerate(self.design.names) if name not in {"level", "slope"}]
        return (
            self.series.count,
            self.design.X[:, places[0]],
            self.design.X[:, rest],
            self.series.period,
            offset,
            totals,
            self.model.autocorrelation,
        )


def offset_and_totals(series: Series) -> tuple[FloatArray, FloatArray | None]:
    """Return the offset (n,) and, against a control series, the totals (n,).

    Against a control the offset is the log ratio of the populations; one population alone stands as it is.
    """
    offset = np.zeros(len(series.count)) if series.population is None else np.log(series.population)
    if series.control_count is None:
        return offset, None
    if series.control_population is not None:
        offset = offset - np.log(series.control_population)
    return offset, series.count + series.control_count


def analyse(series: Series, model: SeriesModel) -> SeriesAnalysis:
    """Fit a series.

    Raises
    ------
    SeriesError
        No periods on one side of the start, or nothing counted before it.
    EstimationError
        The data do not allow the fit.

    Notes
    -----
    Against a control: each period's count given that of both series, ``log(p / (1 - p)) = log(N1 / N0) + X b``. The
    ratio of the level's change is then that of the series against that of the control, with its own trend and season
    for their ratio, and whatever moved both alike in a period drops out.

    References
    ----------
    Lopez Bernal, Cummins & Gasparrini (2017), doi:10.1093/ije/dyw098; with controls the same (2018),
    doi:10.1093/ije/dyy135.
    """
    _check(series)
    if series.control_count is not None:
        series = series.only(series.count + series.control_count > 0.0)
        _check(series)
    design = build_terms(series.period, series.after, series.season, model.terms, start=series.start)
    few = few_events(*series.n_events)
    if series.control_count is not None:
        few = few or few_events(
            float(series.control_count[series.after].sum()), float(series.control_count[~series.after].sum())
        )
    if few:
        return SeriesAnalysis(series=series, model=model, design=design, fit=None, few=True)
    offset, totals = offset_and_totals(series)
    fit = fit_series(
        series.count, design.X, series.period, offset=offset, totals=totals, autocorrelation=model.autocorrelation
    )
    return SeriesAnalysis(series=series, model=model, design=design, fit=fit)


def _check(series: Series) -> None:
    """Raise unless there is something on both sides of the start."""
    after, before = series.n_periods
    if not after:
        raise SeriesError(
            "no period after the start was delivered, so nothing can have changed yet",
            "Er is geen periode na de start aangeleverd. Er kan dus nog niets zijn veranderd.",
        )
    if not before:
        raise SeriesError(
            "no period before the start was delivered; deliver the time before the programme",
            "Er is geen periode vóór de start aangeleverd. Lever de tijd vóór het programma.",
        )
    if not series.count.sum() > 0.0:
        raise SeriesError(
            "nothing was counted, before or after, so there is nothing to compare",
            "Er is niets geteld, ervoor niet en erna niet. Er valt dus niets te vergelijken.",
        )
    if not series.n_events[1] > 0.0:
        raise SeriesError(
            "nothing was counted before the start, so there is no course to set the time after it against",
            "Vóór de start is niets geteld. Er is dus geen verloop om mee te vergelijken.",
        )


def _check_counts(series: Series) -> None:
    counts = [*series.n_events]
    if series.control_count is not None:
        counts += [float(series.control_count[side].sum()) for side in (series.after, ~series.after)]
    if min(counts) <= 0.0:
        raise SeriesError(
            "on one side of the start nothing was counted, which this model cannot fit",
            "Aan één kant van de start is niets geteld. Dit model kan daar niet mee rekenen.",
        )


def plain_change(series: Series, terms: Terms, column: str = "level", level: float = 0.95) -> Estimate:
    """Return a change by an ordinary quasi-Poisson regression with independent periods, as most studies do.

    Parameters
    ----------
    column
        ``level``, or ``slope`` where `terms` have one.

    Raises
    ------
    SeriesError
        Nothing was counted on one side of the start.

    Notes
    -----
    As R's ``glm(count ~ level + trend + season, quasipoisson, offset = log(population))``, but a dispersion below 1
    counts as 1, and the interval is t's. With a control series every term differs between the two, with one dispersion:
    ``glm(count ~ (level + trend + season) * series, ...)``, and the change is that of ``level:series``.

    References
    ----------
    Lopez Bernal, Cummins & Gasparrini (2017), doi:10.1093/ije/dyw098; with controls the same (2018),
    doi:10.1093/ije/dyy135.
    """
    _check(series)
    _check_counts(series)
    design = build_terms(series.period, series.after, series.season, terms, start=series.start)
    y, X, period, direction = series.count, design.X, series.period, design.direction(column)
    offset = np.zeros(len(y)) if series.population is None else np.log(series.population)
    if series.control_count is not None:
        own = np.zeros(len(y)) if series.control_population is None else np.log(series.control_population)
        y, offset = np.concatenate([y, series.control_count]), np.concatenate([offset, own])
        X = np.vstack([np.hstack([X, X]), np.hstack([X, np.zeros_like(X)])])
        period, direction = np.concatenate([period, period]), np.concatenate([np.zeros_like(direction), direction])
    fit = fit_series(y, X, period, offset=offset, autocorrelation="none")
    return fit.combination(direction, level=level, estimator=UNCONTROLLED, variance="model")


def raw_ratio(series: Series, level: float = 0.95) -> Estimate:
    """Return the rate after against the rate before, as they are; a score interval where few were counted."""
    _check(replace(series, count=series.count + 1.0))  # nothing counted on one side is a bound here
    population = series.population if series.population is not None else np.ones(len(series.count))
    if few_events(*series.n_events):
        return quasi_score_rate_ratio(series.count, population, series.after.astype(np.float64), level=level)
    return plain_change(series.alone(), Terms(harmonics=0, with_trend=False), level=level)
