"""What would have been seen, and what would explain it away: detectable ratio, E-value, tipping point, calibration.

Here: figures about an estimate that are themselves no effect. Not here: whether analyses agree
(`effectmeter.estimators.agreement`), nor which of these rows a design shows (`effectmeter.designs`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from effectmeter.estimators.base import Estimate, EstimationError

BOUND = "bound_with_few"
"""Estimator of rows with the bound that an arm with few events would have with one event below the smallest cell."""

NO_EFFECT_ESTIMATORS = frozenset({"e_value", "tipping_point", "interaction", "expected_without_effect", BOUND})
"""Estimators of rows whose `estimate` is no effect of the programme: no plot, verdict or claim reads them."""

FEWEST_CONTROLS = 5
"""Negative controls from which on a systematic error can be estimated."""


def minimum_detectable_ratio(std_error_null: float) -> float:
    """Return the ratio below 1 that a study with this error finds with 80 % power at 5 %.

    Parameters
    ----------
    std_error_null
        Error of the log ratio under no effect, clustering included.

    Notes
    -----
    ``exp(-(1.96 + 0.84) se)``.
    """
    return math.exp(-2.80 * std_error_null)


def e_value(ratio: float) -> float:
    """Return how strong an unmeasured confounder must be to explain a risk ratio away.

    Both its ratio with the arm and with the outcome must be at least this; 1 when there is nothing to explain.

    Notes
    -----
    ``r + sqrt(r (r - 1))`` with r the ratio or its inverse, whichever exceeds 1.

    References
    ----------
    VanderWeele & Ding (2017), doi:10.7326/M16-2607.

    Examples
    --------
    >>> round(e_value(0.5), 2), round(e_value(1 / 3), 2)
    (3.41, 5.45)
    """
    r = max(ratio, 1.0 / ratio)
    return r + math.sqrt(r * (r - 1.0))


def e_value_of_limit(low: float, high: float) -> float:
    """Return the E-value of the limit nearest to no effect; 1 when the interval holds 1."""
    if low <= 1.0 <= high:
        return 1.0
    return e_value(high if high < 1.0 else low)


def as_risk_ratio(ratio: float, measure: str, *, is_common: bool) -> float:
    """Return about which risk ratio an odds or hazard ratio amounts to, as the E-value asks for one.

    Parameters
    ----------
    is_common
        Whether more than 15 % have the event; else both are about risk ratios already.

    References
    ----------
    VanderWeele & Ding (2017), doi:10.7326/M16-2607, table 2; VanderWeele (2020), doi:10.1111/biom.13197.

    Examples
    --------
    >>> as_risk_ratio(0.25, "odds_ratio", is_common=True), as_risk_ratio(0.25, "odds_ratio", is_common=False)
    (0.5, 0.25)
    """
    if not is_common or measure not in {"odds_ratio", "hazard_ratio"}:
        return ratio
    if measure == "odds_ratio":
        return math.sqrt(ratio)
    root = math.sqrt(ratio)
    return -math.expm1(-math.log(2.0) * root) / -math.expm1(-math.log(2.0) / root)


def e_value_row(
    measure: str,
    value: float | None,
    low: float | None,
    high: float | None,
    *,
    is_common: bool = False,
    scale: float | None = None,
) -> tuple[float | None, float]:
    """Return the E-values of an estimate and of its limit nearest to no effect.

    Parameters
    ----------
    measure
        A ratio, or ``mean_difference``.
    value, low, high
        None where there is none: an arm without events has no finite E-value of its own, but its bound has.
    is_common
        See `as_risk_ratio`.
    scale
        For a difference in means: the standard deviation of the value, with which it becomes about a risk ratio,
        ``exp(0.91 d)``.

    Raises
    ------
    EstimationError
        The measure has no E-value.

    Examples
    --------
    >>> value, limit = e_value_row("risk_ratio", 0.5, 1 / 3, 0.9)
    >>> round(value, 2), round(limit, 2)
    (3.41, 1.46)
    >>> e_value_row("risk_ratio", 0.0, None, 1.2)
    (None, 1.0)
    """
    if measure == "mean_difference":
        if not scale:
            raise EstimationError("an E-value of a difference needs the spread of the value")
        one = scale
        ratios = [None if x is None else math.exp(max(min(0.91 * x / one, 50.0), -50.0)) for x in (value, low, high)]
    elif measure.endswith("_difference"):
        raise EstimationError("an E-value is about ratios: see the ratio beside this difference")
    else:
        ratios = [
            None if x is None or x <= 0.0 else as_risk_ratio(x, measure, is_common=is_common)
            for x in (value, low, high)
        ]
    if ratios[0] is None and ratios[1] is None and ratios[2] is None:
        raise EstimationError("there is neither an estimate nor a limit to give an E-value of")
    below, above = ratios[1] or 0.0, ratios[2] if ratios[2] is not None else math.inf
    return None if ratios[0] is None else e_value(ratios[0]), e_value_of_limit(below, above)


@dataclass(frozen=True, slots=True, kw_only=True)
class TippingPoint:
    """How unlike the others those without an outcome must be before the conclusion turns.

    Attributes
    ----------
    factor
        The missing treated persons have the outcome this many times as often as the other treated persons (or, with
        `direction` less, this many times less often), the missing comparison persons the reverse. For a difference in
        means: standard deviations, the treated one way and the comparison the other. None: however extreme the missing
        are, they cannot turn it.
    unit
        What `factor` counts.
    direction
        Whether the missing treated persons must have more or less of the outcome.
    limit
        The limit of the verdict interval that crosses no effect.
    missing_treated, missing_comparison
        Shares of the arms without an outcome.
    """

    factor: float | None
    unit: Literal["times", "standard_deviations"]
    direction: Literal["more", "less"]
    limit: Literal["low", "high"]
    missing_treated: float
    missing_comparison: float


def tipping_point(
    low: float | None,
    high: float | None,
    *,
    measure: str,
    missing: tuple[float, float],
    observed: tuple[float, float] = (1.0, 1.0),
    scale: float = 1.0,
) -> TippingPoint:
    """Return how extreme missing outcomes must be to move the verdict's limit across no effect.

    Parameters
    ----------
    low, high
        The verdict interval.
    measure
        A ratio or a difference of risks, odds or rates; hazards count as rates; or ``mean_difference``.
    missing
        Shares of the treated and of the comparison arm without an outcome.
    observed
        The risks or rates of those with one; above 0. A risk of the missing stops at 1.
    scale
        For a difference in means: the standard deviation of the value.

    Raises
    ------
    EstimationError
        Nothing is missing, or there is no interval.

    Notes
    -----
    A delta-adjusted pattern mixture: the missing differ by a factor k in the treated arm and 1 / k in the comparison
    arm, the worst direction in both. The interval moves with the contrast of the completed arms and keeps its width.
    Where the interval holds no effect, the limit nearest to it is moved away from it.

    References
    ----------
    Carpenter, Kenward & White (2007), doi:10.1177/0962280206075303; National Research Council (2010), The Prevention
    and Treatment of Missing Data in Clinical Trials, doi:10.17226/12955, chapter 5.

    Examples
    --------
    >>> found = tipping_point(0.5, 0.8, measure="rate_ratio", missing=(0.1, 0.0))
    >>> round(found.factor, 2), found.direction
    (3.5, 'more')
    """
    if not sum(missing) > 0.0:
        raise EstimationError("no outcome is missing")
    limit, side, is_up = _limit_to_move(low, high, is_log=not measure.endswith("_difference"))
    if measure == "mean_difference":
        reach = scale * sum(missing)
        factor = abs(limit) / reach if reach > 0.0 else None
        unit: Literal["times", "standard_deviations"] = "standard_deviations"
    else:
        factor = _factor(limit, measure, missing, observed, is_up=is_up)
        unit = "times"
    return TippingPoint(
        factor=factor,
        unit=unit,
        direction="more" if is_up else "less",
        limit=side,
        missing_treated=missing[0],
        missing_comparison=missing[1],
    )


def _limit_to_move(
    low: float | None, high: float | None, *, is_log: bool
) -> tuple[float, Literal["low", "high"], bool]:
    """Return the limit (log for ratios) that must cross 0, which one it is, and whether it must go up."""
    at = [None if x is None or (is_log and x <= 0.0) else math.log(x) if is_log else x for x in (low, high)]
    if at[1] is not None and at[1] < 0.0:
        return at[1], "high", True
    if at[0] is not None and at[0] > 0.0:
        return at[0], "low", False
    if at[1] is not None and (at[0] is None or at[1] <= -at[0]):
        return at[1], "high", False
    if at[0] is not None:
        return at[0], "low", True
    raise EstimationError("there is no interval that missing outcomes could move")


def _factor(
    limit: float, measure: str, missing: tuple[float, float], observed: tuple[float, float], *, is_up: bool
) -> float | None:
    """Return the factor by which the missing must differ, None where no factor is enough."""
    from scipy import optimize

    cap = 1.0 if measure.startswith(("risk", "odds")) else math.inf

    def level(arm: int, k: float) -> float:
        of_missing = min(observed[arm] * k, cap)
        return (1.0 - missing[arm]) * observed[arm] + missing[arm] * of_missing

    def contrast(log_k: float) -> float:
        one, zero = level(0, math.exp(log_k)), level(1, math.exp(-log_k))
        if measure.endswith("_difference"):
            return one - zero
        if measure == "odds_ratio":
            one, zero = one / max(1.0 - one, 1e-12), zero / max(1.0 - zero, 1e-12)
        return math.log(one / zero)

    start = contrast(0.0)

    def gap(log_k: float) -> float:
        return limit + contrast(log_k) - start

    end = math.log(1e6) * (1.0 if is_up else -1.0)
    if gap(0.0) * gap(end) > 0.0:
        return None
    return math.exp(abs(float(optimize.brentq(gap, min(0.0, end), max(0.0, end), xtol=1e-10))))


@dataclass(frozen=True, slots=True)
class SystematicError:
    """The error that a design makes beside chance, as outcomes without an effect reveal it: normal, on the log scale.

    Attributes
    ----------
    mean, deviation
        Of the systematic error.
    mean_error
        Standard error of `mean`.
    n_controls
        Outcomes that it rests on.
    """

    mean: float
    deviation: float
    mean_error: float
    n_controls: int


def systematic_error(log_estimates: Sequence[float], std_errors: Sequence[float]) -> SystematicError:
    """Estimate the systematic error from negative controls by maximum likelihood.

    Raises
    ------
    EstimationError
        There are fewer than `FEWEST_CONTROLS`.

    Notes
    -----
    Estimate j is N(mean, deviation^2 + se_j^2). The mean is profiled out; the deviation is found in one dimension.

    References
    ----------
    Schuemie et al. (2014), doi:10.1002/sim.5925.
    """
    from scipy import optimize

    y, se = np.asarray(log_estimates, dtype=np.float64), np.asarray(std_errors, dtype=np.float64)
    if len(y) < FEWEST_CONTROLS:
        raise EstimationError(
            f"{FEWEST_CONTROLS} outcomes that the programme cannot change are needed, {len(y)} could be used"
        )

    def mean_at(deviation: float) -> tuple[float, float]:
        precision = 1.0 / (se**2 + deviation**2)
        return float((y * precision).sum() / precision.sum()), float(1.0 / precision.sum())

    def deviance(deviation: float) -> float:
        variance = se**2 + deviation**2
        return float((np.log(variance) + (y - mean_at(deviation)[0]) ** 2 / variance).sum())

    grid = np.r_[0.0, np.geomspace(1e-3, 5.0, 60)]
    values = [deviance(float(at)) for at in grid]
    best = int(np.argmin(values))
    deviation = float(grid[best])
    if best > 0:
        around = (float(grid[best - 1]), float(grid[min(best + 1, len(grid) - 1)]))
        inside = float(optimize.minimize_scalar(deviance, bounds=around, method="bounded", options={"xatol": 1e-9}).x)
        deviation = inside if deviance(inside) <= values[best] else deviation
    mean, variance = mean_at(deviation)
    return SystematicError(mean=mean, deviation=deviation, mean_error=math.sqrt(variance), n_controls=len(y))


def calibrated(estimate: Estimate, error: SystematicError) -> Estimate:
    """Return a ratio's estimate with the design's systematic error taken off it and into its interval.

    Notes
    -----
    ``log r - mean`` with variance ``se^2 + deviation^2 + mean_error^2``: the systematic error is taken not to depend on
    the true effect, as negative controls alone cannot tell. The last term, which the original leaves out, keeps five
    controls from passing for fifty.

    References
    ----------
    Schuemie et al. (2018), doi:10.1073/pnas.1708282114.
    """
    from effectmeter.estimators.sandwich import wald

    if estimate.value is None or estimate.value <= 0.0 or not estimate.std_error:
        raise EstimationError("an estimate without an error cannot be calibrated")
    spread = math.sqrt(estimate.std_error**2 + error.deviation**2 + error.mean_error**2)
    found = wald(
        math.log(estimate.value) - error.mean,
        spread,
        level=estimate.level,
        estimator="empirical_calibration",
        variance="calibrated",
        df=estimate.df,
        is_log=True,
    )
    return replace(found, df=estimate.df)
