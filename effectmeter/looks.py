"""Quarterly looks: how wide the interval must be when an answer is read every quarter.

Here: the level at which an interval holds over all looks, and the interval itself. Not here: what the interval means
for the verdict (`effectmeter.verdicts`) or for a claim (`effectmeter.claims`).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from statistics import NormalDist

from effectmeter.plan import Looks

TUNED_STD_ERROR = 0.2
"""Log-scale standard error at which the confidence sequence is narrowest. Fixed in advance for every programme: about
what 200 events over both arms give. Tuning it to the data would void the guarantee."""

_LARGEST_MULTIPLIER = 6.0  # beyond it a level cannot be told from 1 in floating point

Bounds = tuple[float | None, float | None]


def mixture_multiplier(std_error: float, *, level: float = 0.95, scale: float = 1.0) -> float:
    """How many standard errors to each side hold at every look, however often one looks.

    Parameters
    ----------
    std_error
        Of the estimate now (log scale for ratios).
    level
        Chance that the interval holds the truth at all looks together.
    scale
        1 for ratios; for a difference the size of the outcome (its standard deviation or the comparison's risk), so
        that the tuning means the same thing.

    Notes
    -----
    Normal-mixture boundary with mixing variance tau^2 on the effect: with r = se^2 / tau^2,
    k = sqrt((1 + r) (2 log(1 / alpha) + log(1 + 1 / r))). tau makes k least at `TUNED_STD_ERROR`. Asymptotic: it asks
    that the estimate is about normal and its error well known at each look.

    References
    ----------
    Howard, Ramdas, McAuliffe & Sekhon (2021), Annals of Statistics 49, 1055-1080, doi:10.1214/20-AOS1991.
    Waudby-Smith, Arbour, Sinha, Kennedy & Ramdas (2021), Time-uniform central limit theory, arXiv:2103.06476.

    Examples
    --------
    >>> round(mixture_multiplier(0.2), 2), round(mixture_multiplier(0.05), 2)
    (3.04, 3.31)
    """
    constant = -2 * math.log(1 - level)
    inverse = constant
    for _ in range(60):  # dk/dr = 0 at 1 / r = constant + log(1 + 1 / r); the iteration contracts
        inverse = constant + math.log1p(inverse)
    ratio = (std_error / (TUNED_STD_ERROR * scale)) ** 2 / inverse
    return math.sqrt((1 + ratio) * (constant + math.log1p(1 / ratio)))


def verdict_level(std_error: float | None, looks: Looks, *, level: float = 0.95, scale: float = 1.0) -> float:
    """Return the level of an ordinary interval that is as wide as the one over all looks.

    Alpha spending shares alpha equally over the planned looks, which holds whatever the looks have in common. So does a
    confidence sequence without a standard error (the exact bound of an arm without events): there is no normal
    estimate to build the sequence on.

    Examples
    --------
    >>> verdict_level(0.2, Looks(method="alpha_spending", planned=5))
    0.99
    >>> verdict_level(0.2, Looks(method="none"))
    0.95
    """
    if looks.method == "none":
        return level
    if looks.method == "alpha_spending" or std_error is None or not std_error > 0 or not math.isfinite(std_error):
        return 1 - (1 - level) / looks.planned
    multiplier = min(mixture_multiplier(std_error, level=level, scale=scale), _LARGEST_MULTIPLIER)
    return 1 - 2 * NormalDist().cdf(-multiplier)


def implied_std_error(low: float | None, high: float | None, *, is_ratio: bool, level: float = 0.95) -> float | None:
    """Return the standard error that a two-sided interval amounts to; None for a bound."""
    if low is None or high is None or (is_ratio and not 0 < low < high) or not low < high:
        return None
    width = math.log(high / low) if is_ratio else high - low
    return width / (2 * NormalDist().inv_cdf((1 + level) / 2)) if math.isfinite(width) else None


def wald_bounds(value: float, std_error: float, *, is_ratio: bool, level: float, df: float | None = None) -> Bounds:
    """Return value -/+ quantile x standard error, on the log scale for ratios; t with `df`, else normal."""
    tail = (1 - level) / 2
    if df is None:
        quantile = -NormalDist().inv_cdf(tail)
    else:
        from scipy.special import stdtrit

        quantile = -float(stdtrit(df, tail))
    if is_ratio:
        return value * math.exp(-quantile * std_error), value * math.exp(min(quantile * std_error, 700.0))
    return value - quantile * std_error, value + quantile * std_error


def verdict_interval(
    value: float | None,
    std_error: float | None,
    low: float | None,
    high: float | None,
    *,
    looks: Looks,
    is_ratio: bool = True,
    level: float = 0.95,
    df: float | None = None,
    scale: float = 1.0,
    refit: Callable[[float], Bounds] | None = None,
) -> Bounds:
    """Interval that holds over all quarterly looks; verdicts and claims read this one.

    Parameters
    ----------
    value, std_error, low, high
        The estimate and its ordinary interval at `level`; `std_error` on the log scale for ratios.
    looks
        The plan's way of paying for repeated looks.
    df
        Degrees of freedom of the t reference.
    scale
        See `mixture_multiplier`.
    refit
        Gives the same method's interval at another level: for score, profile and exact intervals. Without it the
        interval is Wald's.

    Returns
    -------
    tuple
        Low and high; never inside the ordinary interval. None where there is no such limit.
    """
    if low is None and high is None:
        return None, None
    if looks.method == "none":
        return low, high
    known = std_error or implied_std_error(low, high, is_ratio=is_ratio, level=level)
    wider = verdict_level(known, looks, level=level, scale=scale)
    if refit is not None:
        verdict_low, verdict_high = refit(wider)
    elif value is not None and known is not None and (value > 0 or not is_ratio):
        verdict_low, verdict_high = wald_bounds(value, known, is_ratio=is_ratio, level=wider, df=df)
    else:
        verdict_low, verdict_high = low, high
    return (
        None if low is None or verdict_low is None else min(low, verdict_low),
        None if high is None or verdict_high is None else max(high, verdict_high),
    )
