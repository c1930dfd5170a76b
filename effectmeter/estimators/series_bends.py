"""Whether a series ran along a straight line before the start.

Not here: what is made of it (`effectmeter.gates.series`).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from effectmeter.estimators.base import EstimationError
from effectmeter.estimators.series import Series, SeriesModel, offset_and_totals
from effectmeter.estimators.series_model import fit_series
from effectmeter.estimators.series_terms import build_terms

FEWEST_LEFT = 4
"""Degrees of freedom that the test needs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bend:
    """Test of a bend before the start.

    Attributes
    ----------
    p_value
        Of the joint test of square and cube of time.
    at_start
        95 % interval of the factor by which the bent line lies above the straight one at the start.
    """

    p_value: float
    at_start: tuple[float, float]


def bend_before(series: Series, model: SeriesModel, level: float = 0.95) -> Bend:
    """Test the straight line of the time before the start.

    Raises
    ------
    EstimationError
        Too few periods or counts before the start.

    Notes
    -----
    Wald's test with F(2, n - p), with the covariance averaged over the correlation of neighbours. Square and cube are
    freed of the straight line, so that the bend at the start is what extending that line would miss.
    """
    from scipy import stats

    before = series.only(~series.after)
    if before.control_count is not None:
        before = before.only(before.count + before.control_count > 0.0)
    terms = replace(model.terms, with_change=False, with_slope=False, n_bends=2)
    # the start itself is laid out with the rest, as the last row, and left out of the fit
    period = np.append(before.period, series.start)
    season = np.append(before.season, before.season[-1])
    whole = build_terms(period, np.zeros(len(period), dtype=np.bool_), season, terms, start=series.start)
    line = whole.X[:, [whole.names.index("intercept"), whole.names.index("trend")]]
    X = whole.X.copy()
    places = [whole.names.index(name) for name in ("bend2", "bend3")]
    for place in places:
        X[:, place] -= line @ np.linalg.lstsq(line[:-1], X[:-1, place])[0]
        size = float(np.abs(X[:-1, place]).max())
        X[:, place] /= size if size > 0.0 else 1.0
    if len(before.period) - X.shape[1] < FEWEST_LEFT:
        raise EstimationError("there are too few periods before the start to see a bend")
    offset, totals = offset_and_totals(before)
    fit = fit_series(
        before.count, X[:-1], before.period, offset=offset, totals=totals, autocorrelation=model.autocorrelation
    )
    if not fit.kept[places].all():
        raise EstimationError("the periods before the start do not show a bend")
    gamma = fit.beta[places]
    covariance = fit.covariance()[np.ix_(places, places)]
    statistic = float(gamma @ np.linalg.solve(covariance, gamma)) / 2.0
    direction = np.zeros(X.shape[1])
    direction[places] = X[-1, places]
    shown = fit.combination(direction, level=level, estimator="bend", variance=model.variance)
    if shown.low is None or shown.high is None:
        raise EstimationError("the periods before the start do not show a bend")
    return Bend(p_value=float(stats.f.sf(statistic, 2, fit.df)), at_start=(shown.low, shown.high))
