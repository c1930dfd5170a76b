"""Intervals that hold with few events, and bounds where an arm has none.

None of these needs a Wald error. All return `Estimate`; an arm without events gives a bound on one side and None on
the other, never infinity. When to turn to them is `few_events`, decided by `benchmarks/coverage.py`. Penalised
likelihood with covariates is in `effectmeter.estimators.penalised`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from effectmeter.estimators.base import Estimate, EstimationError, FloatArray, NoEventsError
from effectmeter.estimators.marginal import check_arms
from effectmeter.estimators.sandwich import quantile, sum_by_unit, two_sided_p

FEWEST_EVENTS = 5
"""Below this many events (or persons without one) in an arm, Wald intervals give way.

They would still cover (98-100 % with HC3 and t) but are then far wider than the score intervals, which cover 94-98 %:
benchmarks/coverage.md."""


def few_events(
    events_treated: float,
    events_comparison: float,
    n_treated: float | None = None,
    n_comparison: float | None = None,
) -> bool:
    """Return whether an arm has too few events for a Wald interval to hold its level.

    With the numbers of persons given, too few persons *without* an event count likewise.
    """
    counts = [events_treated, events_comparison]
    if n_treated is not None and n_comparison is not None:
        counts += [n_treated - events_treated, n_comparison - events_comparison]
    return min(counts) < FEWEST_EVENTS


def effective_counts(
    event01: FloatArray, treated01: FloatArray, weight: FloatArray | None = None, *, persons: FloatArray | None = None
) -> tuple[float, float, float, float]:
    """Return events and persons, treated and then comparison, for the score intervals below.

    With weights each arm counts for Kish's effective number of persons at its weighted risk. A row stands for `persons`
    (n,), all alike; one by default.
    """
    weight = np.ones(len(event01)) if weight is None else weight
    size = np.ones(len(event01)) if persons is None else persons
    found: list[float] = []
    for arm in (1.0, 0.0):
        w, own = weight[treated01 == arm], size[treated01 == arm]
        total = float(own @ w)
        if not total > 0.0:
            raise EstimationError("an arm has no persons with weight")
        n = total**2 / float(own @ w**2)
        found += [n * float(np.average(event01[treated01 == arm], weights=own * w)), n]
    return found[0], found[1], found[2], found[3]


def score_risk_ratio(
    events_treated: float, n_treated: float, events_comparison: float, n_comparison: float, *, level: float = 0.95
) -> Estimate:
    """Return the score interval of a risk ratio.

    Parameters
    ----------
    events_treated, n_treated, events_comparison, n_comparison
        Persons with an event, and persons, per arm; need not be whole (see `effective_counts`).
    level
        Two-sided level. A bound has the same error on its one side as an interval has on each.

    Raises
    ------
    EstimationError
        An arm is empty, or neither has events.

    Notes
    -----
    Holds the ratios r with ``(p1 - r p0)^2 / (v1 / n1 + r^2 v0 / n0) <= z^2 N / (N - 1)``, the v at the most likely
    risks whose ratio is r (a quadratic).

    References
    ----------
    Koopman (1984), doi:10.2307/2531405; Miettinen & Nurminen (1985), doi:10.1002/sim.4780040211.
    """
    x1, n1, x0, n0 = check_counts(events_treated, n_treated, events_comparison, n_comparison)
    p1, p0, n = x1 / n1, x0 / n0, n1 + n0

    def statistic(log_ratio: float) -> float:
        r = math.exp(log_ratio)
        a, b, c = n * r, -(n1 * r + x1 + n0 + x0 * r), x1 + x0
        q0 = min((-b - math.sqrt(max(b * b - 4.0 * a * c, 0.0))) / (2.0 * a), 1.0)
        q1 = min(q0 * r, 1.0)
        variance = (q1 * (1.0 - q1) / n1 + r * r * q0 * (1.0 - q0) / n0) * n / (n - 1.0)
        return signed(p1 - r * p0, variance)

    value = p1 / p0 if x0 > 0.0 else None
    low, high = invert(statistic, None if value in (None, 0.0) else math.log(value or 1.0), level, 30.0)
    return Estimate(
        value=value,
        std_error=None,
        low=None if x1 == 0.0 or low is None else math.exp(low),
        high=None if x0 == 0.0 or high is None else math.exp(high),
        p_value=two_sided_p(statistic(0.0), None),
        level=level,
        estimator="score_risk_ratio",
        variance="score",
    )


def score_risk_difference(
    events_treated: float, n_treated: float, events_comparison: float, n_comparison: float, *, level: float = 0.95
) -> Estimate:
    """Return the score interval of a risk difference; parameters are those of `score_risk_ratio`.

    Always has both limits, also when an arm has no events.

    References
    ----------
    Miettinen & Nurminen (1985), doi:10.1002/sim.4780040211.
    """
    x1, n1, x0, n0 = check_counts(events_treated, n_treated, events_comparison, n_comparison)
    p1, p0, n = x1 / n1, x0 / n0, n1 + n0

    def statistic(difference: float) -> float:
        q0 = _restricted_risk(x1, n1, x0, n0, difference)
        q1 = min(max(q0 + difference, 0.0), 1.0)
        variance = (q1 * (1.0 - q1) / n1 + q0 * (1.0 - q0) / n0) * n / (n - 1.0)
        return signed(p1 - p0 - difference, variance)

    low, high = invert(statistic, p1 - p0, level, 1.0)
    return Estimate(
        value=p1 - p0,
        std_error=None,
        low=-1.0 if low is None else low,
        high=1.0 if high is None else high,
        p_value=two_sided_p(statistic(0.0), None),
        level=level,
        estimator="score_risk_difference",
        variance="score",
    )


def _restricted_risk(x1: float, n1: float, x0: float, n0: float, difference: float) -> float:
    """Return the most likely comparison risk when the treated risk is `difference` higher: a root of a cubic."""
    d, n = difference, n1 + n0
    # d/dq of x1 log(q + d) + (n1 - x1) log(1 - q - d) + x0 log q + (n0 - x0) log(1 - q), cleared of fractions.
    cubic = [
        n,
        (n1 + 2.0 * n0) * d - n - (x1 + x0),
        (n0 * d - n - 2.0 * x0) * d + x1 + x0,
        x0 * d * (1.0 - d),
    ]
    low, high = max(0.0, -d), min(1.0, 1.0 - d)
    roots = np.roots(cubic)
    real = roots.real[np.abs(roots.imag) < 1e-6]
    inside = np.clip(np.r_[real[(real > low - 1e-6) & (real < high + 1e-6)], low, high], low, high)

    def log_likelihood(q0: float) -> float:
        q1 = min(max(q0 + d, 0.0), 1.0)
        terms = ((x1, q1), (n1 - x1, 1.0 - q1), (x0, q0), (n0 - x0, 1.0 - q0))
        return sum(0.0 if count == 0.0 else count * math.log(max(p, 1e-300)) for count, p in terms)

    return float(max(inside, key=log_likelihood))


def quasi_score_rate_ratio(
    n_events: FloatArray,
    years: FloatArray,
    treated01: FloatArray,
    *,
    cluster: NDArray[np.generic] | None = None,
    persons: FloatArray | None = None,
    level: float = 0.95,
) -> Estimate:
    """Return the score interval of a rate ratio, widened for overdispersion.

    Parameters
    ----------
    n_events, years, treated01
        (n,) events, person-years at risk, 1 for treated.
    cluster
        (n,) clusters, whose events are then the units whose dispersion counts.
    persons
        (n,) how many persons, all alike, a row stands for; one by default.
    level
        Two-sided level.

    Raises
    ------
    EstimationError
        Neither arm has events, or an arm has no time at risk.

    Notes
    -----
    Given their total N, events in the treated arm are binomial with ``p = r T1 / (r T1 + T0)``; Wilson's interval for p
    with ``z^2 phi``, phi the Pearson dispersion around the two arms' rates and never below 1; t with n - 2.

    References
    ----------
    Wilson (1927), doi:10.1080/01621459.1927.10502953; McCullagh & Nelder (1989), section 6.2.3.
    """
    treated = np.asarray(treated01, dtype=np.float64)
    check_arms(treated)
    y, t, arm = np.asarray(n_events, np.float64), np.asarray(years, np.float64), treated
    n_of = np.ones(len(y)) if persons is None else persons
    if cluster is not None:
        _, unit = np.unique(np.unique(cluster, return_inverse=True)[1] * 2 + (treated == 1.0), return_inverse=True)
        sums = (n_of * y, n_of * t, treated, np.ones(len(unit)))
        y, t, arm, size = (sum_by_unit(values, unit, unit.max() + 1) for values in sums)
        arm, n_of = arm / size, np.ones(len(y))
    y, t, arm, n_of = y[t > 0.0], t[t > 0.0], arm[t > 0.0], n_of[t > 0.0]
    y1, y0, t1, t0 = (float(n_of[arm == a] @ v[arm == a]) for v in (y, t) for a in (1.0, 0.0))
    check_rates(y1, t1, y0, t0)
    mean = np.where(arm == 1.0, y1 / t1, y0 / t0) * t
    degrees = round(float(n_of.sum())) - 2
    if degrees < 1:
        raise EstimationError("there are too few units to see how much their rates differ")
    pearson = n_of @ np.divide((y - mean) ** 2, mean, out=np.zeros_like(y), where=mean > 0.0)
    phi = max(1.0, float(pearson) / degrees)
    z2, n = quantile(level, degrees) ** 2 * phi, y1 + y0
    p = y1 / n
    centre, half = (
        (p + z2 / (2 * n)) / (1 + z2 / n),
        math.sqrt(z2 * (p * (1 - p) / n + z2 / (4 * n * n))) / (1 + z2 / n),
    )
    null = t1 / (t1 + t0)
    return _rate_ratio(
        (y1, t1, y0, t0),
        (centre - half, centre + half),
        two_sided_p((y1 - n * null) / math.sqrt(phi * n * null * (1.0 - null)), degrees),
        level,
        "quasi_score",
        "score",
    )


def exact_rate_ratio(
    events_treated: float,
    years_treated: float,
    events_comparison: float,
    years_comparison: float,
    *,
    level: float = 0.95,
) -> Estimate:
    """Return the exact conditional interval of a rate ratio, for counts that are Poisson.

    Notes
    -----
    Clopper and Pearson's interval for the treated arm's share in all events; conservative. Not for overdispersed
    counts.

    References
    ----------
    Clopper & Pearson (1934), doi:10.1093/biomet/26.4.404; Lehmann & Romano (2005), section 4.5.
    """
    from scipy import stats

    y1, t1, y0, t0 = events_treated, years_treated, events_comparison, years_comparison
    check_rates(y1, t1, y0, t0)
    tail = (1.0 - level) / 2.0
    low = 0.0 if y1 == 0 else float(stats.beta.ppf(tail, y1, y0 + 1.0))
    high = 1.0 if y0 == 0 else float(stats.beta.ppf(1.0 - tail, y1 + 1.0, y0))
    null = t1 / (t1 + t0)
    twice = 2.0 * min(stats.binom.cdf(y1, y1 + y0, null), stats.binom.sf(y1 - 1.0, y1 + y0, null))
    return _rate_ratio((y1, t1, y0, t0), (low, high), min(1.0, float(twice)), level, "exact_conditional", "exact")


def bayesian_interval(estimate: Estimate, *, prior_sd: float = 1.0, is_ratio: bool = True) -> Estimate:
    """Return an estimate as seen with a sceptical prior, for small studies, beside the estimate itself.

    Parameters
    ----------
    prior_sd
        Deviation of the normal prior around no effect, on the log scale for ratios.
    is_ratio
        False: a difference, with `prior_sd` in its own unit.

    Raises
    ------
    EstimationError
        There is a bound only, or no error.

    Notes
    -----
    The log ratio has a normal prior around 0; with the default deviation of 1 it is within 0.14-7.1 with 95 %
    probability. Posterior from the normal likelihood of the estimate; its error is what the interval amounts to where
    that is wider than the error itself (t with few units, score and profile intervals).

    References
    ----------
    Greenland (2006), doi:10.1093/ije/dyi312.
    """
    low, high, value = estimate.low, estimate.high, estimate.value
    if value is None or low is None or high is None or (is_ratio and min(value, low) <= 0.0):
        raise EstimationError("a bound has no normal likelihood to set beside a prior")
    shown, scaled = (math.exp, math.log) if is_ratio else (float, float)
    error = max((scaled(high) - scaled(low)) / (2.0 * quantile(estimate.level, None)), estimate.std_error or 0.0)
    if not error > 0.0:
        raise EstimationError("an estimate without an error has no normal likelihood")
    precision = 1.0 / error**2
    deviation = math.sqrt(1.0 / (precision + 1.0 / prior_sd**2))
    mean = scaled(value) * precision * deviation**2
    half = quantile(estimate.level, None) * deviation
    return replace(
        estimate,
        value=shown(mean),
        std_error=deviation,
        low=shown(mean - half),
        high=shown(mean + half),
        p_value=None,
        variance="bayes",
        df=None,
    )


def check_counts(x1: float, n1: float, x0: float, n0: float) -> tuple[float, float, float, float]:
    """Return the counts, or say why they cannot be compared."""
    if n1 <= 0.0 or n0 <= 0.0:
        raise EstimationError("an arm has no persons")
    if x1 <= 0.0 and x0 <= 0.0:
        raise NoEventsError("neither arm has events, so there is nothing to compare")
    return x1, n1, x0, n0


def check_rates(y1: float, t1: float, y0: float, t0: float) -> None:
    """Raise unless rates can be compared."""
    if t1 <= 0.0 or t0 <= 0.0:
        raise EstimationError("an arm has no time at risk")
    if y1 + y0 <= 0.0:
        raise NoEventsError("neither arm has events, so there is nothing to compare")


def signed(gap: float, variance: float) -> float:
    """Return a z statistic; a gap without variance is beyond every limit."""
    if abs(gap) < 1e-14:
        return 0.0
    return gap / math.sqrt(variance) if variance > 1e-300 else math.copysign(1e6, gap)


def invert(
    statistic: Callable[[float], float], centre: float | None, level: float, reach: float
) -> tuple[float | None, float | None]:
    """Return where a falling statistic crosses +z and -z within `reach` of 0; None where it does not."""
    from scipy import optimize

    z = quantile(level, None)
    middle = 0.0 if centre is None else centre
    limits: list[float | None] = []
    for target, end in ((z, -reach), (-z, reach)):
        ends = sorted((end, middle if centre is not None else -end))

        def gap(at: float, target: float = target) -> float:
            return statistic(at) - target

        edges = (ends[0] + 1e-12 * reach, ends[1] - (1e-12 * reach if centre is None or ends[1] == reach else 0.0))
        limits.append(float(optimize.brentq(gap, *edges, xtol=1e-13)) if gap(edges[0]) * gap(edges[1]) < 0.0 else None)
    return limits[0], limits[1]


def _rate_ratio(
    counts: tuple[float, float, float, float],
    share: tuple[float, float],
    p_value: float,
    level: float,
    estimator: str,
    variance: str,
) -> Estimate:
    """Return the ratio whose treated share of events lies within `share`."""
    y1, t1, y0, t0 = counts
    return Estimate(
        value=(y1 / t1) / (y0 / t0) if y0 > 0 else None,
        std_error=None,
        low=share[0] / (1.0 - share[0]) * t0 / t1 if y1 > 0 else None,
        high=share[1] / (1.0 - share[1]) * t0 / t1 if y0 > 0 else None,
        p_value=p_value,
        level=level,
        estimator=estimator,
        variance=variance,
    )
