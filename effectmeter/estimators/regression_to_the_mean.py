"""The drop that would come without any programme, when people are picked at their worst.

Here: what a reference population says of it. Not here: comparison families picked by the same rule, whose own change is
the answer, and the period before the picking, which is like the one after it would have been (Davis 1976, American
Journal of Epidemiology 104, 493-498): both are a `effectmeter.estimators.before_after.change`.

It cannot be had from the counts by which people were picked: when everyone was picked at the peak, those counts alone
look like a stable high level, and their own empirical Bayes predicts no drop at all. Something from outside is needed.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from effectmeter.estimators.base import Estimate, EstimationError, FloatArray, NoEventsError
from effectmeter.estimators.sandwich import sum_by_unit, wald


def expected_from_reference(
    before: FloatArray,
    years_before: FloatArray,
    years_after: FloatArray,
    *,
    mean: float,
    dispersion: float,
    cluster: NDArray[np.generic] | None = None,
    level: float = 0.95,
) -> Estimate:
    """Return the ratio of rates after/before to expect without effect, from a reference population.

    Parameters
    ----------
    before
        (n,) events per person (or family) in the period by which they were picked.
    years_before, years_after
        (n,) time at risk in years.
    mean
        Events per year and unit in the population from which people were picked.
    dispersion
        By how much units differ: the variance of their own rates over the squared mean, so that a count with mean m
        over units has variance m + dispersion m^2. 0: everyone has the same rate.
    cluster
        (n,) family or site, which is then the unit; persons by default.
    level
        Of the interval, in which the *observed* ratio lies without an effect.

    Notes
    -----
    Rates are gamma over units, counts Poisson given the rate. Given a unit's own count y over t years its rate is
    expected at ``(1 + dispersion y) / (1 + dispersion mean t) mean``. Picking by y changes nothing once y is given, so
    that no threshold need be known. Expected after is that times the time after; the spread of the observed number is
    the negative binomial's. Reference and model are taken as known: the interval holds their consequence only.

    References
    ----------
    Efron & Morris (1977), Stein's paradox in statistics, Scientific American 236(5), 119-127.
    Hauer (1986), On the estimation of the expected number of accidents, Accident Analysis & Prevention 18, 1-12.
    Barnett, van der Pols & Dobson (2005), Regression to the mean, doi:10.1093/ije/dyh299.
    """
    if mean <= 0.0 or dispersion < 0.0:
        raise EstimationError("a reference needs a mean above zero and a dispersion that is not below zero")
    y, t_before, t_after = _by_unit(before, years_before, years_after, cluster=cluster)
    seen = (t_before > 0.0) & (t_after > 0.0)
    y, t_before, t_after = y[seen], t_before[seen], t_after[seen]
    if y.sum() == 0.0:
        raise NoEventsError("nothing happened before the start, so there is no drop to expect")
    shrunk = 1.0 + dispersion * mean * t_before
    rate = mean * (1.0 + dispersion * y) / shrunk
    expected = float((t_after * rate).sum())
    # negative binomial: gamma rate with variance rate * mean * dispersion / shrunk, and the Poisson count's own
    spread = float((t_after * rate + t_after**2 * rate * mean * dispersion / shrunk).sum())
    ratio = (expected / float(t_after.sum())) / (float(y.sum()) / float(t_before.sum()))
    return wald(
        float(np.log(ratio)),
        float(np.sqrt(spread)) / expected,
        level=level,
        estimator="expected_without_effect",
        variance="model",
        is_log=True,
    )


def _by_unit(*columns: FloatArray, cluster: NDArray[np.generic] | None) -> list[FloatArray]:
    """Return each column's sums per cluster; the column itself without clusters."""
    if cluster is None:
        return [np.asarray(column, dtype=np.float64) for column in columns]
    labels, unit = np.unique(cluster, return_inverse=True)
    return [sum_by_unit(np.asarray(column, dtype=np.float64), unit.astype(np.intp), len(labels)) for column in columns]
