"""Counts before and after a start: a change, and the difference in change between arms.

Here: the grouped binomial with its errors, bounds where one side is empty, and leaving out a cluster. Not here: what
stands beside it where clusters are few (`effectmeter.estimators.before_after_few`).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from effectmeter.estimators.base import Estimate, EstimationError, FloatArray, SeparationError
from effectmeter.estimators.marginal import check_arms
from effectmeter.estimators.sandwich import sum_by_unit, wald


@dataclass(frozen=True, slots=True, kw_only=True)
class Clusters:
    """Counts and time per cluster that has any event.

    Attributes
    ----------
    before, after
        (g,) events.
    log_time_ratio
        (g,) log of time at risk after over before.
    treated
        (g,) 1 or 0.
    label
        (g,) position of the cluster among all clusters.
    """

    before: FloatArray
    after: FloatArray
    log_time_ratio: FloatArray
    treated: FloatArray
    label: NDArray[np.intp]


def change(
    before: FloatArray,
    after: FloatArray,
    years_before: FloatArray,
    years_after: FloatArray,
    *,
    cluster: NDArray[np.generic] | None = None,
    level: float = 0.95,
    variance: str = "cr3",
) -> Estimate:
    """Compare the rate of events after a start with that before it, in the same clusters.

    Parameters
    ----------
    before, after
        (n,) events per person (or family).
    years_before, years_after
        (n,) time at risk in years.
    cluster
        (n,) family or site; persons by default.
    level
        Of the interval.
    variance
        ``cr3`` (the cluster jackknife), ``cr1``, ``cr0``, ``model`` (the binomial's own), or ``hc1`` and ``hc3``, which
        are ``cr1`` and ``cr3`` over persons instead of clusters.

    Returns
    -------
    Estimate
        Ratio after / before; estimator ``conditional_poisson``, t with informative clusters - 1 (normal for ``model``).

    Raises
    ------
    SeparationError
        No events after, or none before: there is only a bound.
    EstimationError
        No events at all, or fewer than two clusters with any.

    Notes
    -----
    Given a cluster's total, its events after are binomial:
    ``after | total ~ Binomial(total, expit(beta + log(t_after / t_before)))``, which frees the ratio from what each
    cluster is like. Clusters without events carry nothing. The error is the cluster jackknife (CR3). (statsmodels'
    `ConditionalPoisson` drops clusters whose counts do not change, which exaggerates the change.)

    References
    ----------
    Farrington & Whitaker (2006), doi:10.1111/j.1467-9876.2006.00554.x; Bell & McCaffrey (2002).
    """
    unit = None if variance.startswith("hc") else cluster
    units = aggregate(before, after, years_before, years_after, np.ones(len(before)), unit)
    log_ratio, squared, df = _log_change(units, np.ones(len(units.after), dtype=np.bool_), variance)
    return wald(
        log_ratio,
        float(np.sqrt(squared)),
        level=level,
        estimator="conditional_poisson",
        variance=variance,
        df=None if variance == "model" else df,
        is_log=True,
    )


def change_bound(
    before: FloatArray,
    after: FloatArray,
    years_before: FloatArray,
    years_after: FloatArray,
    *,
    cluster: NDArray[np.generic] | None = None,
    level: float = 0.95,
) -> Estimate:
    """Return the score interval of a change, for where one side of the start has no events and `change` has no fit.

    Parameters are those of `change`. The periods are taken as if they were of different clusters, and clusters' own
    levels as dispersion: both make the bound wider than it need be, never narrower.
    """
    from effectmeter.estimators.small_samples import quasi_score_rate_ratio

    label = np.arange(len(before)) if cluster is None else cluster
    return quasi_score_rate_ratio(
        np.concatenate([after, before]),
        np.concatenate([years_after, years_before]),
        np.repeat([1.0, 0.0], len(before)),
        cluster=np.concatenate([label, label]),
        level=level,
    )


def difference_in_change_bound(
    before: FloatArray,
    after: FloatArray,
    years_before: FloatArray,
    years_after: FloatArray,
    treated01: FloatArray,
    *,
    cluster: NDArray[np.generic] | None = None,
    level: float = 0.95,
) -> Estimate:
    """Return the bound on the ratio of two changes, for where an arm has no events on one side of the start.

    Notes
    -----
    The limits of the arms' changes (`change_bound`), divided; each arm at half the error, so that both hold together
    (Bonferroni). There is no p-value.
    """
    arms = []
    for arm in (1.0, 0.0):
        who = treated01 == arm
        own = None if cluster is None else cluster[who]
        numbers = (before[who], after[who], years_before[who], years_after[who])
        arms.append(change_bound(*numbers, cluster=own, level=(1.0 + level) / 2.0))
    one, zero = arms

    def divided(above: float | None, below: float | None) -> float | None:
        return above / below if above is not None and below else None

    value = divided(one.value, zero.value)
    return Estimate(
        value=value,
        std_error=None,
        low=divided(one.low, zero.high) or None,
        high=divided(one.high, zero.low),
        p_value=None,
        level=level,
        estimator=one.estimator,
        variance=one.variance,
    )


def difference_in_change(
    before: FloatArray,
    after: FloatArray,
    years_before: FloatArray,
    years_after: FloatArray,
    treated01: FloatArray,
    *,
    cluster: NDArray[np.generic] | None = None,
    level: float = 0.95,
    variance: str = "cr3",
) -> Estimate:
    """Compare the change in treated clusters with that in comparison clusters: a ratio of rate ratios.

    Parameters are those of `change`, with (n,) `treated01` constant within clusters. The t reference has the
    informative clusters' Welch-Satterthwaite degrees of freedom over both arms, since the smaller arm
    decides the precision.
    """
    check_arms(np.asarray(treated01, dtype=np.float64))
    unit = None if variance.startswith("hc") else cluster
    units = aggregate(before, after, years_before, years_after, treated01, unit)
    one, v1, df1 = _log_change(units, units.treated == 1.0, variance)
    zero, v0, df0 = _log_change(units, units.treated == 0.0, variance)
    return wald(
        one - zero,
        float(np.sqrt(v1 + v0)),
        level=level,
        estimator="conditional_poisson",
        variance=variance,
        df=None if variance == "model" else (v1 + v0) ** 2 / max(v1**2 / df1 + v0**2 / df0, 1e-300),
        is_log=True,
    )


def difference_in_rates(
    before: FloatArray,
    after: FloatArray,
    years_before: FloatArray,
    years_after: FloatArray,
    treated01: FloatArray,
    *,
    cluster: NDArray[np.generic] | None = None,
    level: float = 0.95,
) -> Estimate:
    """Return events per year after the start, less what the comparison's change makes of the rate before it.

    Parameters are those of `change`. There is no p-value: the ratio tests the same.

    Notes
    -----
    ``r1_after - r1_before * change0``, with the treated rates and the comparison's `change`. Error from the clusters'
    influence values, times g / (g - 1) per arm; t with the smaller arm's clusters - 1.
    """
    label = np.arange(len(before)) if cluster is None else np.unique(cluster, return_inverse=True)[1]
    one, n = treated01 == 1.0, int(label.max()) + 1

    def per_cluster(values: FloatArray) -> FloatArray:
        return sum_by_unit(np.asarray(values[one], dtype=np.float64), label[one].astype(np.intp), n)

    a, b, ta, tb = (per_cluster(values) for values in (after, before, years_after, years_before))
    if not (ta.sum() > 0.0 and tb.sum() > 0.0):
        raise EstimationError("there is no time at risk on one side of the start")
    own = None if cluster is None else cluster[~one]
    other = change(before[~one], after[~one], years_before[~one], years_after[~one], cluster=own, level=level)
    if other.value is None or other.std_error is None or other.df is None:
        raise EstimationError("the comparison's change has no error")
    rate_after, rate_before = float(a.sum() / ta.sum()), float(b.sum() / tb.sum())
    expected = rate_before * other.value
    influence = (a - rate_after * ta) / ta.sum() - other.value * (b - rate_before * tb) / tb.sum()
    g = len(np.unique(label[one]))
    if g < 2:
        raise EstimationError("fewer than two persons or clusters were treated")
    variance = float((influence**2).sum()) * g / (g - 1) + (expected * other.std_error) ** 2
    found = wald(
        rate_after - expected,
        float(np.sqrt(variance)),
        level=level,
        estimator="conditional_poisson",
        variance="cr1",
        df=min(float(g - 1), other.df),
    )
    return replace(found, p_value=None)


def leave_one_out(
    before: FloatArray,
    after: FloatArray,
    years_before: FloatArray,
    years_after: FloatArray,
    treated01: FloatArray,
    *,
    cluster: NDArray[np.generic] | None = None,
    level: float = 0.95,
) -> tuple[Estimate, Estimate]:
    """Return the lowest and the highest ratio of `difference_in_change` that leaving out one cluster gives.

    Parameters are those of `change`. Which cluster that is, is not returned: it is nobody's business.

    Raises
    ------
    SeparationError
        Without one cluster an arm has no events on one side of the start.
    EstimationError
        An arm has fewer than three clusters with events.
    """
    label = np.arange(len(before)) if cluster is None else np.unique(cluster, return_inverse=True)[1]
    columns = [np.asarray(values, dtype=np.float64) for values in (before, after, years_before, years_after, treated01)]
    b, a, tb, ta, t = columns
    units = aggregate(b, a, tb, ta, t, label)
    share = np.zeros(len(units.after))
    for arm, sign in ((1.0, 1.0), (0.0, -1.0)):
        inside = units.treated == arm
        if inside.sum() < 3:
            raise EstimationError("fewer than three clusters have any event, so none can be left out")
        total = (units.after + units.before)[inside]
        if not 0.0 < units.after[inside].sum() < total.sum():
            raise SeparationError("there are no events on one side of the start, so there is only a bound on the ratio")
        _, residual, information = fit_change(units.after[inside], total, units.log_time_ratio[inside])
        share[inside] = sign * residual / np.maximum(information.sum() - information, 1e-12)
    found = [
        difference_in_change(
            *(values[label != units.label[left_out]] for values in columns),
            cluster=label[label != units.label[left_out]],
            level=level,
        )
        for left_out in (int(np.argmax(share)), int(np.argmin(share)))
    ]
    lowest, highest = (replace(each, estimator="leave_one_out") for each in found)
    return lowest, highest


def aggregate(
    before: FloatArray,
    after: FloatArray,
    years_before: FloatArray,
    years_after: FloatArray,
    treated01: FloatArray,
    cluster: NDArray[np.generic] | None,
) -> Clusters:
    """Return the counts and times of clusters that have events; without time on one side they carry nothing."""
    n = len(before)
    unit = np.arange(n) if cluster is None else np.unique(cluster, return_inverse=True)[1]
    g = int(unit.max()) + 1 if n else 0
    sums = [
        sum_by_unit(np.asarray(values, dtype=np.float64), unit.astype(np.intp), g)
        for values in (before, after, years_before, years_after, treated01, np.ones(n))
    ]
    b, a, tb, ta, t, size = sums
    arm = t / np.maximum(size, 1.0)
    if not np.isin(arm, (0.0, 1.0)).all():
        raise EstimationError("a cluster has persons of both arms, so its change belongs to neither")
    informative = (a + b > 0.0) & (ta > 0.0) & (tb > 0.0)
    return Clusters(
        before=b[informative],
        after=a[informative],
        log_time_ratio=np.log(ta[informative] / tb[informative]),
        treated=arm[informative],
        label=np.flatnonzero(informative),
    )


def _log_change(units: Clusters, inside: NDArray[np.bool_], variance: str) -> tuple[float, float, float]:
    """Return the log ratio of one arm, its squared error, and the degrees of freedom of that."""
    a, total, offset = units.after[inside], (units.after + units.before)[inside], units.log_time_ratio[inside]
    if len(a) < 2:
        raise EstimationError("fewer than two persons or clusters have any event")
    if a.sum() == 0.0 or a.sum() == total.sum():
        raise SeparationError("there are no events on one side of the start, so there is only a bound on the ratio")
    beta, residual, information = fit_change(a, total, offset)
    whole, df = float(information.sum()), float(len(a) - 1)
    if variance == "model":
        return beta, 1.0 / whole, df
    if variance in {"cr3", "hc3"}:
        return beta, float(((residual / np.maximum(whole - information, 1e-12)) ** 2).sum()), df
    correction = len(a) / df if variance in {"cr1", "hc1"} else 1.0
    return beta, correction * float((residual**2).sum()) / whole**2, df


def fit_change(a: FloatArray, total: FloatArray, offset: FloatArray) -> tuple[float, FloatArray, FloatArray]:
    """Return the log ratio, and per cluster the residual and the information."""
    beta = float(np.log(a.sum() / (total.sum() - a.sum())) - np.average(offset, weights=total))
    for _ in range(100):
        p = 1.0 / (1.0 + np.exp(-(beta + offset)))
        step = float((a - total * p).sum() / (total * p * (1.0 - p)).sum())
        beta += float(np.clip(step, -2.0, 2.0))
        if abs(step) < 1e-13:
            break
    p = 1.0 / (1.0 + np.exp(-(beta + offset)))
    return beta, a - total * p, total * p * (1.0 - p)
