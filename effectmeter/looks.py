"""Quarterly looks: how wide the interval must be when an answer is read every quarter, and what that has used up.

Here: the level at which an interval holds over all looks, the interval itself, and the budget of false alarms. Not
here: what the interval means for the verdict (`effectmeter.verdicts`) or for a claim (`effectmeter.claims`), nor how
the budget is said (`effectmeter.gates.looks`).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from effectmeter.plan import Looks
from effectmeter.quarters import Quarter

TUNED_STD_ERROR = 0.2
"""Log-scale standard error at which the confidence sequence is narrowest. Fixed in advance for every programme: about
what 200 events over both arms give. Tuning it to the data would void the guarantee."""

_LARGEST_MULTIPLIER = 6.0  # beyond it a level cannot be told from 1 in floating point
_LEAST_ALPHA = 2 * NormalDist().cdf(-_LARGEST_MULTIPLIER)

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


def look_number(looks: Looks, quarter: Quarter | str) -> int | None:
    """Return which look a quarter is, counted from the plan's first one; None where the plan does not say.

    Examples
    --------
    >>> look_number(Looks(first="2025-Q4"), "2026-Q3"), look_number(Looks(), "2026-Q3")
    (4, None)
    """
    if looks.first is None:
        return None
    now = Quarter.parse(quarter) if isinstance(quarter, str) else quarter
    first = Quarter.parse(looks.first)
    return max(4 * (now.year - first.year) + now.number - first.number + 1, 1)


def alpha_spent(looks: Looks, look: int, *, level: float = 0.95) -> float:
    """Return how much of alpha a spending plan has given away up to and including a look.

    Notes
    -----
    With t the share of the planned looks, ``equal``: alpha t; ``obrien_fleming``: 2 - 2 Phi(z / sqrt t), z the quantile
    of alpha.

    References
    ----------
    Lan & DeMets (1983), Biometrika 70, 659-663, doi:10.1093/biomet/70.3.659.

    Examples
    --------
    >>> plan = Looks(method="alpha_spending", spending="obrien_fleming", first="2025-Q1", planned=4)
    >>> [round(alpha_spent(plan, look), 4) for look in (1, 2, 3, 4, 5)]
    [0.0001, 0.0056, 0.0236, 0.05, 0.05]
    """
    alpha, share = 1 - level, min(look / looks.planned, 1.0)
    if looks.spending == "equal":
        return alpha * share
    normal = NormalDist()
    return 2 * normal.cdf(normal.inv_cdf(alpha / 2) / math.sqrt(share))


def verdict_level(
    std_error: float | None, looks: Looks, *, level: float = 0.95, scale: float = 1.0, look: int | None = None
) -> float:
    """Return the level of an ordinary interval that is as wide as the one over all looks.

    Alpha spending gives each look what the plan's schedule spends at it (Bonferroni over the looks), which holds
    whatever the looks have in common; after the last planned look there is next to nothing left. Where the plan does
    not say which look this is, each has an equal share. So has a confidence sequence without a standard error (the
    exact bound of an arm without events): there is no normal estimate to build the sequence on.

    Parameters
    ----------
    look
        From `look_number`.

    Examples
    --------
    >>> verdict_level(0.2, Looks(method="alpha_spending", planned=5))
    0.99
    >>> verdict_level(0.2, Looks(method="none"))
    0.95
    """
    if looks.method == "none":
        return level
    if looks.method == "alpha_spending" and look is not None:
        before = alpha_spent(looks, look - 1, level=level) if look > 1 else 0.0
        return 1 - max(alpha_spent(looks, look, level=level) - before, _LEAST_ALPHA)
    if looks.method == "alpha_spending" or std_error is None or not std_error > 0 or not math.isfinite(std_error):
        return 1 - (1 - level) / looks.planned
    multiplier = min(mixture_multiplier(std_error, level=level, scale=scale), _LARGEST_MULTIPLIER)
    return 1 - 2 * NormalDist().cdf(-multiplier)


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """What repeated looking has used of the chance of a false alarm that the plan allows.

    Attributes
    ----------
    look
        Which look this is; None where the plan does not name the first.
    planned
        Looks planned; None where looking never ends.
    spent
        Share of alpha used up to and including this look; None where it cannot be told.
    is_over
        Whether this look comes after the last planned one.
    """

    look: int | None
    planned: int | None
    spent: float | None
    is_over: bool = False


def budget(
    looks: Looks, look: int | None, *, std_error: float | None = None, level: float = 0.95, scale: float = 1.0
) -> Budget:
    """Return the budget used up to and including a look.

    Parameters
    ----------
    look
        From `look_number`, or the number of editions so far.
    std_error
        Of the primary estimate now: a confidence sequence spends by how much is known, taken to have grown by equal
        steps from look to look.

    Examples
    --------
    >>> budget(Looks(method="alpha_spending", planned=8), 2)
    Budget(look=2, planned=8, spent=0.25, is_over=False)
    >>> round(budget(Looks(), 8, std_error=0.2).spent, 2)
    0.16
    """
    if looks.method == "none":
        return Budget(look=look, planned=1, spent=None if look is None else 1.0, is_over=look is not None and look > 1)
    if looks.method == "alpha_spending":
        spent = None if look is None else alpha_spent(looks, look, level=level) / (1 - level)
        return Budget(look=look, planned=looks.planned, spent=spent, is_over=look is not None and look > looks.planned)
    if look is None or std_error is None or not std_error > 0 or not math.isfinite(std_error):
        return Budget(look=look, planned=None, spent=None)
    shares = [number / look for number in range(1, look + 1)]
    limits = [mixture_multiplier(std_error / math.sqrt(share), level=level, scale=scale) for share in shares]
    return Budget(look=look, planned=None, spent=min(false_alarm_probability(limits, shares) / (1 - level), 1.0))


def false_alarm_probability(multipliers: Sequence[float], information: Sequence[float]) -> float:
    """Return the chance, with no effect, that an estimate ever leaves its limits at one of several looks.

    Parameters
    ----------
    multipliers
        Standard errors to each side at each look.
    information
        One over the squared error at each look, up to a factor; rising.

    Notes
    -----
    The score at each look is the one before plus an independent normal step; its density inside the limits is carried
    from look to look on a grid.

    References
    ----------
    Armitage, McPherson & Rowe (1969), Repeated significance tests on accumulating data, Journal of the Royal
    Statistical Society A 132, 235-244, doi:10.2307/2343787.

    Examples
    --------
    >>> round(false_alarm_probability([1.96] * 8, range(1, 9)), 3)
    0.176
    """
    known = np.asarray(information, dtype=np.float64)
    steps = np.sqrt(np.diff(known, prepend=0.0))
    reach = np.asarray(multipliers, dtype=np.float64) * np.sqrt(known)
    grid, density = np.zeros(1), np.ones(1)
    weight = np.ones(1)
    for step, limit in zip(steps, reach, strict=True):
        # fine enough to see the step from the look before
        n = 2 * max(100, min(math.ceil(6 * limit / step), 1500)) + 1
        new = np.linspace(-limit, limit, n)
        distance = (new[:, None] - grid[None, :]) / step
        density = np.exp(-0.5 * distance**2) @ (density * weight) / (step * math.sqrt(2 * math.pi))
        grid = new
        weight = np.full(n, grid[1] - grid[0])
        weight[0] = weight[-1] = weight[0] / 2
    return float(1 - density @ weight)


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
    look: int | None = None,
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
    look
        Which look this is (`look_number`), where the plan says.
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
    wider = verdict_level(known, looks, level=level, scale=scale, look=look)
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
