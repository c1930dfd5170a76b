"""Pooling of counts that are too few for a normal interval: likelihoods of the counts themselves.

Here: the conditional model with true effects that differ between trials, and the exact bound where an arm has no events
in any trial. Not here: everything on estimates with errors (`effectmeter.estimators.pooling`).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, lru_cache

import numpy as np

from effectmeter.estimators.base import ConvergenceError, Estimate, EstimationError, FloatArray
from effectmeter.estimators.pooling_counts import TrialCounts, check_events, informative
from effectmeter.estimators.sandwich import quantile

_REACH = 15.0
"""A log ratio that stands for one without end."""
_LARGEST_TAU = 3.0
"""Largest standard deviation between trials that is tried: true odds a factor of 20 apart as a matter of course."""
_LARGEST_SUPPORT = 20_000
_NODES = 15


@dataclass(frozen=True, slots=True, kw_only=True)
class _Given:
    """The law of each trial's treated events, given how many events it had.

    Attributes
    ----------
    observed
        (k,) treated events.
    support
        (k, s) what they could have been, padded on the right.
    log_weight
        (k, s) log probability at no effect, up to a constant per trial; minus infinity in the padding.
    """

    observed: FloatArray
    support: FloatArray
    log_weight: FloatArray

    def log_likelihood(self, theta: FloatArray) -> FloatArray:
        """Return the log probability of what was observed, (k, m), at log ratios (k, m)."""
        at = theta[:, :, None] * self.support[:, None, :] + self.log_weight[:, None, :]
        found: FloatArray = (
            self._own_weight()[:, None] + self.observed[:, None] * theta - np.logaddexp.reduce(at, axis=2)
        )
        return found

    def moments(self, theta: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return mean and variance of each trial's treated events, (k,), at log ratios (k,)."""
        at = theta[:, None] * self.support + self.log_weight
        share = np.exp(at - at.max(axis=1, keepdims=True))
        share /= share.sum(axis=1, keepdims=True)
        mean = (share * self.support).sum(axis=1)
        return mean, (share * (self.support - mean[:, None]) ** 2).sum(axis=1)

    def _own_weight(self) -> FloatArray:
        first = self.support[:, 0]
        place = np.rint(self.observed - first).astype(np.intp)
        return np.asarray(self.log_weight[np.arange(len(place)), place])


def binomial_normal(counts: TrialCounts, measure: str = "odds_ratio", *, level: float = 0.95) -> Estimate:
    """Pool counts by their exact conditional likelihood, with true effects that differ normally between trials.

    Parameters
    ----------
    counts
        The trials; those without events, or with events in everybody, tell nothing and are passed over.
    measure
        ``odds_ratio``: treated events given all events are non-central hypergeometric. ``risk_ratio``: binomial with
        ``p = r n1 / (r n1 + n0)``, which is right where events are rare and too wide where they are not.
    level
        Of the interval.

    Returns
    -------
    Estimate
        Estimator ``binomial_normal``, variance ``profile``: the limits at which the likelihood, at its best over the
        variance between trials, has dropped by half the chi-square. None where it never does. Where in no trial an arm
        has events: estimator ``exact_conditional``, variance ``exact``, one bound (`exact_bound`).

    Raises
    ------
    EstimationError
        Counts are not whole, there are no events, or more persons than can be enumerated.

    Notes
    -----
    The integral over true effects is adaptive Gauss-Hermite quadrature around each trial's mode. metafor's
    ``rma.glmm(model="CM.EL")`` is the same model with Wald's interval.

    References
    ----------
    Stijnen, Hamza & Özdemir (2010), doi:10.1002/sim.4040; Jackson, Law, Stijnen, Viechtbauer & White (2018),
    doi:10.1002/sim.7588.
    """
    from scipy import optimize, stats

    given, is_bound = _prepared(counts, measure)
    if is_bound:
        return exact_bound(counts, measure, level=level)

    @cache
    def profile(mu: float) -> tuple[float, float]:
        """Return the largest log likelihood at a mean log ratio, and the standard deviation between trials there."""
        best = (_log_likelihood(given, mu, 0.0), 0.0)
        found = optimize.minimize_scalar(
            lambda tau: -_log_likelihood(given, mu, tau),
            bounds=(0.0, _LARGEST_TAU),
            method="bounded",
            options={"xatol": 1e-4},
        )
        return max(best, (-float(found.fun), float(found.x)))

    top = optimize.minimize_scalar(
        lambda mu: -profile(float(mu))[0], bounds=_around(given), method="bounded", options={"xatol": 1e-7}
    )
    centre = float(top.x)
    highest = profile(centre)[0]
    if not top.success or not math.isfinite(highest):
        raise ConvergenceError("the likelihood of the counts has no maximum")
    drop = 0.5 * quantile(level, None) ** 2

    def inside(mu: float) -> float:
        # roots, since they are nearly straight in the mean: found in half the steps
        return math.sqrt(drop) - math.sqrt(max(highest - profile(mu)[0], 0.0))

    low, high = (_limit(inside, centre, side) for side in (-1.0, 1.0))
    deviance = max(0.0, 2.0 * (highest - profile(0.0)[0]))
    return Estimate(
        value=math.exp(centre),
        std_error=None,
        low=None if low is None else math.exp(low),
        high=None if high is None else math.exp(high),
        p_value=float(stats.chi2.sf(deviance, 1)),
        level=level,
        estimator="binomial_normal",
        variance="profile",
    )


def exact_bound(counts: TrialCounts, measure: str = "odds_ratio", *, level: float = 0.95) -> Estimate:
    """Return the exact interval of the one ratio that all trials share.

    Parameters and errors are those of `binomial_normal`. With no events in an arm of any trial nothing can be known of
    how trials differ, so one true effect is assumed.

    Notes
    -----
    Inverts the two tails of the conditional law of the treated events over all trials together (Clopper-Pearson's way;
    R's ``mantelhaen.test(exact = TRUE)``). A bound has the same error on its one side as an interval has on each.

    References
    ----------
    Mehta, Patel & Gray (1985), doi:10.1080/01621459.1985.10478212.
    """
    given, _ = _prepared(counts, measure)
    log_weight, first = np.zeros(1), 0.0
    for row, support in zip(given.log_weight, given.support, strict=True):
        used = np.isfinite(row)
        log_weight = _convolved(log_weight, row[used])
        first += float(support[0])
    total = float(given.observed.sum())
    support = first + np.arange(len(log_weight))

    def tail(theta: float, *, upper: bool) -> float:
        at = log_weight + theta * (support - total)
        share = np.exp(at - at.max())
        side = support >= total - 0.5 if upper else support <= total + 0.5
        return float(share[side].sum() / share.sum())

    alpha = (1.0 - level) / 2.0
    is_lowest, is_highest = total <= support[0], total >= support[-1]
    low = None if is_lowest else _crossing(lambda at: tail(at, upper=True) - alpha)
    high = None if is_highest else _crossing(lambda at: tail(at, upper=False) - alpha)
    value = None
    if not is_lowest and not is_highest:
        whole = _Given(
            observed=np.array([total]), support=support[None, :].astype(np.float64), log_weight=log_weight[None, :]
        )
        value = math.exp(_fixed_effect(whole)[0])
    return Estimate(
        value=0.0 if is_lowest else value,
        std_error=None,
        low=None if low is None else math.exp(low),
        high=None if high is None else math.exp(high),
        p_value=min(1.0, 2.0 * min(tail(0.0, upper=True), tail(0.0, upper=False))),
        level=level,
        estimator="exact_conditional",
        variance="exact",
    )


def _prepared(counts: TrialCounts, measure: str) -> tuple[_Given, bool]:
    """Return the conditional laws, and whether all treated events are at an end of what they could be."""
    from scipy.special import gammaln

    numbers = np.concatenate(counts.cells)
    if not np.allclose(numbers, np.rint(numbers), atol=1e-6):
        raise EstimationError("the counts are not whole numbers, and only whole persons can be enumerated")
    used = counts.only(informative(counts, measure))
    if len(used) == 0:
        check_events(counts, measure)
        raise EstimationError("in every trial everybody had the event, so there is nothing to compare")
    a, n1, n0 = np.rint(used.events_treated), np.rint(used.n_treated), np.rint(used.n_comparison)
    events = np.rint(used.events)
    odds = measure == "odds_ratio"
    first = np.maximum(0.0, events - n0) if odds else np.zeros(len(a))
    last = np.minimum(n1, events) if odds else events
    size = int((last - first).max()) + 1
    if size * len(a) > 50 * _LARGEST_SUPPORT:
        raise EstimationError("these trials are too large to be enumerated, and need not be")
    support = first[:, None] + np.arange(size)[None, :]
    inside = support <= last[:, None]
    x = np.where(inside, support, first[:, None])
    rest = events[:, None] - x

    def log_choose(n: FloatArray, r: FloatArray) -> FloatArray:
        return np.asarray(gammaln(n + 1) - gammaln(r + 1) - gammaln(n - r + 1))

    if odds:
        log_weight = log_choose(n1[:, None], x) + log_choose(n0[:, None], rest)
    else:
        log_weight = log_choose(events[:, None], x) + x * np.log(n1 / n0)[:, None]
    log_weight = np.where(inside, log_weight, -np.inf)
    log_weight -= log_weight.max(axis=1, keepdims=True)
    is_bound = bool((a == first).all() or (a == last).all())
    return _Given(observed=a, support=np.where(inside, support, 0.0), log_weight=log_weight), is_bound


def _fixed_effect(given: _Given) -> tuple[float, float]:
    """Return the most likely common log ratio and its error; cut where it would be without end."""
    from scipy import optimize

    def score(theta: float) -> float:
        mean, _ = given.moments(np.full(len(given.observed), theta))
        return float((given.observed - mean).sum())

    if score(-_REACH) <= 0.0:
        return -_REACH, math.inf
    if score(_REACH) >= 0.0:
        return _REACH, math.inf
    centre = float(optimize.brentq(score, -_REACH, _REACH, xtol=1e-12))
    information = float(given.moments(np.full(len(given.observed), centre))[1].sum())
    return centre, 1.0 / math.sqrt(information)


def _around(given: _Given) -> tuple[float, float]:
    """Return bounds between which the mean log ratio lies: every trial's own, and the common one."""
    centre, error = _fixed_effect(given)
    width = max(2.0, 4.0 * error)
    return max(-_REACH, centre - width), min(_REACH, centre + width)


def _log_likelihood(given: _Given, mu: float, tau: float) -> float:
    """Return the log likelihood over all trials at a mean and a standard deviation between trials."""
    k = len(given.observed)
    if tau < 1e-6:
        return float(given.log_likelihood(np.full((k, 1), mu)).sum())
    node, weight = _hermite()
    mode = np.full(k, mu)
    for _ in range(100):
        mean, variance = given.moments(mode)
        step = (given.observed - mean - (mode - mu) / tau**2) / (variance + 1.0 / tau**2)
        mode = mode + np.clip(step, -1.0, 1.0)
        if float(np.abs(step).max()) < 1e-9:
            break
    spread = 1.0 / np.sqrt(given.moments(mode)[1] + 1.0 / tau**2)
    theta = mode[:, None] + math.sqrt(2.0) * spread[:, None] * node[None, :]
    inside = (
        given.log_likelihood(theta) - 0.5 * ((theta - mu) / tau) ** 2 + node[None, :] ** 2 + np.log(weight)[None, :]
    )
    return float((np.logaddexp.reduce(inside, axis=1) + np.log(spread / tau) - 0.5 * math.log(math.pi)).sum())


@lru_cache(maxsize=1)
def _hermite() -> tuple[FloatArray, FloatArray]:
    node, weight = np.polynomial.hermite.hermgauss(_NODES)
    return node, weight


def _limit(gap: Callable[[float], float], centre: float, side: float) -> float | None:
    """Return where the profile has dropped enough on one side; None where it does not within reach."""
    from scipy import optimize

    inner, step = centre, 0.25
    while abs(inner) < _REACH:
        outer = inner + side * step
        if gap(outer) < 0.0:
            return float(optimize.brentq(gap, inner, outer, xtol=1e-8))
        inner, step = outer, step * 1.6
    return None


def _crossing(gap: Callable[[float], float]) -> float | None:
    """Return where a monotone function is 0 within reach."""
    from scipy import optimize

    if gap(-_REACH) * gap(_REACH) > 0.0:
        return None
    return float(optimize.brentq(gap, -_REACH, _REACH, xtol=1e-12))


def _convolved(one: FloatArray, other: FloatArray) -> FloatArray:
    """Return the log weights of a sum, from those of its parts."""
    from scipy.special import logsumexp

    result = np.full(len(one) + len(other) - 1, -np.inf)
    for shift, weight in enumerate(other):
        window = slice(shift, shift + len(one))
        result[window] = np.logaddexp(result[window], one + weight)
    return np.asarray(result - logsumexp(result))
