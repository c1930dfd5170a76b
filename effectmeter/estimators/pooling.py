"""Estimates of several trials, taken together: the mean, how far trials differ, and where a next trial may fall.

Here: inverse-variance pooling of estimates with their errors, heterogeneity, the prediction interval, and the checks on
small trials and on too much good news. Not here: pooling of counts (`effectmeter.estimators.pooling_counts`) and what
is exact (`effectmeter.estimators.pooling_exact`).

All estimates are on the scale on which they are about normal: the log for ratios.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from statistics import NormalDist
from typing import Literal

import numpy as np

from effectmeter.estimators.base import ConvergenceError, Estimate, EstimationError, FloatArray
from effectmeter.estimators.sandwich import wald

Method = Literal["reml_hk", "reml_wald", "dl_wald", "pmm_hk"]
MEAN, PREDICTION = "mean", "prediction"


@dataclass(frozen=True, slots=True, kw_only=True)
class Heterogeneity:
    """How far trials differ beyond chance.

    Attributes
    ----------
    n_trials
        k.
    q, p_value
        Cochran's Q with inverse-variance weights, and its chi-square p-value with k - 1 degrees of freedom.
    i2
        ``max(0, (Q - (k - 1)) / Q)``: share of the differences that is not chance (Higgins & Thompson).
    tau2
        REML variance between trials, on the scale of the estimates.
    tau2_low, tau2_high
        Q-profile interval of the variance between trials, 95 % (Viechtbauer).
    """

    n_trials: int
    q: float
    p_value: float
    i2: float
    tau2: float
    tau2_low: float
    tau2_high: float

    @property
    def tau(self) -> float:
        """Standard deviation between trials."""
        return math.sqrt(self.tau2)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asymmetry:
    """What a regression of the estimates on their precision found.

    Attributes
    ----------
    test
        ``egger`` or ``peters``.
    slope, std_error
        Change of the estimate per unit of standard error (Egger) or of one over the number of persons (Peters).
    """

    test: Literal["egger", "peters"]
    slope: float
    std_error: float
    p_value: float


def pool(
    estimates: FloatArray,
    variances: FloatArray,
    *,
    method: Method = "reml_hk",
    what: str = MEAN,
    level: float = 0.95,
    is_log: bool = True,
) -> Estimate:
    """Pool estimates of several trials by a model in which every trial has its own true effect.

    Parameters
    ----------
    estimates, variances
        (k,) estimates and their squared standard errors, log scale for ratios.
    method
        ``reml_hk``: REML, error by Hartung and Knapp, t(k - 1). ``reml_wald``: REML, normal. ``dl_wald``: DerSimonian
        and Laird's moments, normal. ``pmm_hk``: as the first, with a variance between trials that is as often too large
        as too small.
    what
        ``mean``: the mean of the true effects. ``prediction``: where the true effect of a next, similar trial lies.
    level
        Of the interval.
    is_log
        The result is a ratio.

    Returns
    -------
    Estimate
        Estimator: the method, of a prediction with ``_prediction`` behind it; variance ``hartung_knapp``, ``model`` or
        ``prediction``. A prediction has the mean as its value, the error of a next trial's true effect as its
        `std_error`, and no p-value.

    Raises
    ------
    EstimationError
        Fewer than two trials, or an error that is zero or not a number.

    Notes
    -----
    With weights ``1 / (v + tau2)`` the Wald error is ``1 / sqrt(sum w)``, and Hartung and Knapp's is
    ``sqrt(sum w (y - m)^2 / ((k - 1) sum w))``. The latter is arbitrarily small where trials happen to agree (a tiny
    Q), and with few trials that happens by luck while they do differ. Where no variance between trials is seen (tau2
    is 0) it is therefore not taken below Wald's, and the quantile stays t(k - 1): Knapp and Hartung's own correction,
    metafor's ``test="adhoc"``. Elsewhere it is metafor's ``test="knha"`` as it is. Falling back on Wald's interval
    instead ("hybrid 2" of Jackson et al.) left wide spread unseen: see benchmarks/trials_coverage.md.

    The prediction interval has the same quantile as the mean's interval: t(k - 1) for Hartung and Knapp's, normal for
    the others, as metafor. It hangs on the variance between trials, of which REML's estimate is more often too small
    than too large. With the median-unbiased one (``pmm_hk``, metafor's ``PMM``) predictions are a tenth wider, and of
    very different trials hold 94 to 95 % instead of 92 to 93 %. The older t(k - 2) of Higgins et al. does not reduce to
    the mean's interval where tau2 is 0, says nothing with three trials (t(1) = 12.7), and covers no better where it
    counts: benchmarks/trials_coverage.md.

    statsmodels' ``combine_effects(method_re="dl")`` lets tau2 be negative; here it is cut at 0.

    References
    ----------
    DerSimonian & Laird (1986), doi:10.1016/0197-2456(86)90046-2; Hartung & Knapp (2001), doi:10.1002/sim.791; Knapp &
    Hartung (2003), doi:10.1002/sim.1482; Viechtbauer (2005), doi:10.3102/10769986030003261; Viechtbauer (2021),
    Median-unbiased estimators for the amount of heterogeneity; Higgins, Thompson & Spiegelhalter (2009),
    doi:10.1111/j.1467-985X.2008.00552.x; Jackson, Law, Rücker & Schwarzer (2017), doi:10.1002/sim.7411.
    """
    y, v = _checked(estimates, variances)
    tau2 = {"dl_wald": tau2_dl, "pmm_hk": tau2_pmm}.get(method, tau2_reml)(y, v)
    weight = 1.0 / (v + tau2)
    mean = float(weight @ y / weight.sum())
    plain = 1.0 / float(weight.sum())
    chosen, df, name = plain, None, "model"
    if method in ("reml_hk", "pmm_hk"):
        own = float(weight @ (y - mean) ** 2) / ((len(y) - 1) * float(weight.sum()))
        chosen, df, name = own if tau2 > 0.0 else max(own, plain), len(y) - 1.0, "hartung_knapp"
    is_prediction = what == PREDICTION
    error = math.sqrt(chosen + tau2) if is_prediction else math.sqrt(chosen)
    variance = PREDICTION if is_prediction else name
    # a name of its own: who looks for a method's mean must not meet its prediction
    estimator = f"{method}_{PREDICTION}" if is_prediction else method
    found = wald(mean, error, level=level, estimator=estimator, variance=variance, df=df, is_log=is_log)
    return replace(found, p_value=None) if is_prediction else found


def weights(estimates: FloatArray, variances: FloatArray, *, method: str = "reml_hk") -> FloatArray:
    """Return each trial's share in the pooled mean, (k,), summing to 1; inverse variances for other methods."""
    y, v = np.asarray(estimates, np.float64), np.asarray(variances, np.float64)
    tau2 = 0.0
    if len(y) > 1:
        tau2 = tau2_dl(y, v) if method == "dl_wald" else tau2_reml(y, v) if method.startswith("reml") else 0.0
    weight = 1.0 / (v + tau2)
    share: FloatArray = weight / weight.sum()
    return share


def heterogeneity(estimates: FloatArray, variances: FloatArray) -> Heterogeneity:
    """Return how far the trials differ; parameters and errors are those of `pool`.

    References
    ----------
    Higgins & Thompson (2002), doi:10.1002/sim.1186; Viechtbauer (2007), doi:10.1002/sim.2514.
    """
    from scipy import stats

    y, v = _checked(estimates, variances)
    df = len(y) - 1
    q = _generalised_q(y, v, 0.0)
    # a small Q cuts the interval at 0; a large one is inverted
    low, high = (_where_q_is(y, v, float(stats.chi2.ppf(probability, df))) for probability in (0.975, 0.025))
    return Heterogeneity(
        n_trials=len(y),
        q=q,
        p_value=float(stats.chi2.sf(q, df)),
        i2=max(0.0, (q - df) / q) if q > 0 else 0.0,
        tau2=tau2_reml(y, v),
        tau2_low=low,
        tau2_high=high,
    )


def tau2_dl(estimates: FloatArray, variances: FloatArray) -> float:
    """Return the variance between trials by moments, never below 0 (DerSimonian and Laird)."""
    weight = 1.0 / variances
    q = _generalised_q(estimates, variances, 0.0)
    scale = float(weight.sum() - (weight**2).sum() / weight.sum())
    return max(0.0, (q - (len(estimates) - 1)) / scale)


def tau2_pmm(estimates: FloatArray, variances: FloatArray) -> float:
    """Return the variance between trials at which Q has its median: as often too large as too small, never below 0."""
    from scipy import stats

    return _where_q_is(estimates, variances, float(stats.chi2.median(len(estimates) - 1)))


def tau2_reml(estimates: FloatArray, variances: FloatArray) -> float:
    """Return the variance between trials by restricted maximum likelihood, never below 0.

    Every stationary point on a fine grid is tried and the most likely one taken, so that it does not hang on a
    starting value.

    Raises
    ------
    ConvergenceError
        The likelihood has no maximum.
    """
    from scipy import optimize

    y, v = estimates, variances

    def slope(tau2: float) -> float:
        weight = 1.0 / (v + tau2)
        mean = weight @ y / weight.sum()
        squares = weight**2
        return float(squares @ (y - mean) ** 2 - weight.sum() + squares.sum() / weight.sum())

    def log_likelihood(tau2: float) -> float:
        weight = 1.0 / (v + tau2)
        mean = weight @ y / weight.sum()
        return float(0.5 * np.log(weight).sum() - 0.5 * math.log(weight.sum()) - 0.5 * weight @ (y - mean) ** 2)

    spread = float(np.var(y, ddof=1))
    top = 10.0 * (spread + float(v.max()))
    grid = np.r_[0.0, np.geomspace(1e-8 * (spread + float(v.min())), top, 60)]
    slopes = [slope(float(tau2)) for tau2 in grid]
    found = [0.0]
    for number in range(len(grid) - 1):
        if slopes[number] > 0.0 >= slopes[number + 1]:
            found.append(float(optimize.brentq(slope, grid[number], grid[number + 1], xtol=1e-15, rtol=1e-13)))
    best = max(found, key=log_likelihood)
    if not math.isfinite(log_likelihood(best)):
        raise ConvergenceError("the variance between trials has no most likely value")
    return best


def asymmetry(
    estimates: FloatArray, variances: FloatArray, *, events: FloatArray | None = None, n: FloatArray | None = None
) -> Asymmetry:
    """Test whether small trials tell another story than large ones.

    Parameters
    ----------
    estimates, variances
        As in `pool`.
    events, n
        (k,) events and persons of both arms. Given both, Peters' test is done, else Egger's.

    Raises
    ------
    EstimationError
        Fewer than three trials, or all equally large.

    Notes
    -----
    Egger: the estimates on their standard errors, weighted by inverse variances. The log odds ratio and its error hang
    together, which makes that test cry wolf for 2 x 2 counts; Peters' regresses on ``1 / n``, weighted by
    ``events (n - events) / n``. Both: t(k - 2).

    References
    ----------
    Egger et al. (1997), doi:10.1136/bmj.315.7109.629; Peters et al. (2006), doi:10.1001/jama.295.6.676; Sterne et al.
    (2011), doi:10.1136/bmj.d4002.
    """
    import statsmodels.api as sm

    y, v = _checked(estimates, variances)
    if len(y) < 3:
        raise EstimationError("a regression on precision needs at least three trials")
    if events is not None and n is not None:
        test: Literal["egger", "peters"] = "peters"
        size, weight = 1.0 / n, events * (n - events) / n
    else:
        test, size, weight = "egger", np.sqrt(v), 1.0 / v
    used = weight > 0
    if used.sum() < 3 or float(np.ptp(size[used])) <= 1e-9 * float(size[used].max()):
        raise EstimationError("the trials are all equally large, so size cannot matter")
    fit = sm.WLS(y[used], sm.add_constant(size[used]), weights=weight[used]).fit()
    return Asymmetry(test=test, slope=float(fit.params[1]), std_error=float(fit.bse[1]), p_value=float(fit.pvalues[1]))


@dataclass(frozen=True, slots=True, kw_only=True)
class Excess:
    """How many trials were significantly in favour, and how many should have been.

    Attributes
    ----------
    observed, expected
        Trials whose estimate is in favour at one-sided 5 %, and the sum of their chances to be.
    p_value
        Chance of as many or more.
    """

    observed: int
    expected: float
    p_value: float


def excess_of_significance(estimates: FloatArray, variances: FloatArray, *, favours_lower: bool = True) -> Excess:
    """Test whether more trials are significantly in favour than trials of their size can be.

    Parameters
    ----------
    estimates, variances
        As in `pool`.
    favours_lower
        Whether an estimate below 0 is good news.

    Notes
    -----
    A trial's chance is that of ``N(m, v + tau2)`` beyond ``1.645 sqrt(v)``, with m the inverse-variance mean (which
    small trials move least) and tau2 by REML; the number is then a sum of unequal coins, whose tail is summed exactly.
    One-sided 5 %: who selects at two-sided 5 % has passed it as well. Without tau2 the test cries wolf where effects
    differ: in 22 % of sound sets of 40 trials with a spread of 0.3, and with it in none.

    References
    ----------
    Ioannidis & Trikalinos (2007), doi:10.1177/1740774507079441; Stanley, Doucouliagos, Ioannidis & Carter (2021),
    doi:10.1002/jrsm.1512.
    """
    y, v = _checked(estimates, variances)
    good = -y if favours_lower else y
    mean = float((good / v).sum() / (1.0 / v).sum())
    needed = NormalDist().inv_cdf(0.95) * np.sqrt(v)
    away = (mean - needed) / np.sqrt(v + tau2_reml(y, v))
    chances = [NormalDist().cdf(float(each)) for each in away]
    observed, law = int((good > needed).sum()), np.ones(1)
    for chance in chances:
        law = np.convolve(law, [1.0 - chance, chance])
    return Excess(observed=observed, expected=sum(chances), p_value=min(1.0, float(law[observed:].sum())))


def _checked(estimates: FloatArray, variances: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return the estimates as numbers, or say why they cannot be pooled."""
    y, v = np.asarray(estimates, np.float64), np.asarray(variances, np.float64)
    if len(y) < 2:
        raise EstimationError("there are fewer than two trials to take together")
    if not (np.isfinite(y).all() and np.isfinite(v).all() and (v > 0).all()):
        raise EstimationError("a trial has no estimate, or an error that is not above zero")
    return y, v


def _generalised_q(y: FloatArray, v: FloatArray, tau2: float) -> float:
    """Return the weighted squares around the weighted mean, at a variance between trials."""
    weight = 1.0 / (v + tau2)
    mean = weight @ y / weight.sum()
    return float(weight @ (y - mean) ** 2)


def _where_q_is(y: FloatArray, v: FloatArray, target: float) -> float:
    """Return the variance between trials at which Q, which falls with it, is `target`; 0 where it starts below."""
    from scipy import optimize

    if _generalised_q(y, v, 0.0) <= target:
        return 0.0
    top = float(np.ptp(y) ** 2 + v.max())
    while _generalised_q(y, v, top) > target:
        top *= 2.0
    return float(optimize.brentq(lambda tau2: _generalised_q(y, v, tau2) - target, 0.0, top, xtol=1e-14))
