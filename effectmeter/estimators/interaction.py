"""Whether effects differ between subgroups: a ratio of ratios between two, a joint test over more.

Here: the test on the subgroups' own estimates. Not here: which subgroups there are (`effectmeter.designs`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from effectmeter.estimators.base import Estimate, EstimationError
from effectmeter.estimators.sandwich import quantile, wald


def interaction(
    estimates: Sequence[float], std_errors: Sequence[float], *, is_log: bool, level: float = 0.95
) -> Estimate:
    """Compare effects between independent subgroups.

    Parameters
    ----------
    estimates, std_errors
        (k,) effects and errors, ratios on the log scale; k >= 2. Errors may be what an interval amounts to.
    is_log
        Whether they are log ratios, so that the result is a ratio of ratios.
    level
        Of the interval.

    Returns
    -------
    Estimate
        Two subgroups: the first over the second (or less it), with Wald's interval. More: the largest effect over the
        smallest, with Scheffe's interval, which holds for every pair at once and so for the pair that was picked; the
        p-value is that of the joint test that all are equal, and the interval never excludes no difference where the
        test does not.

    Raises
    ------
    EstimationError
        There are fewer than two.

    Notes
    -----
    Joint test: Cochran's Q, chi-squared with k - 1. Subgroups that share clusters are positively related, which makes
    this test conservative.

    References
    ----------
    Cochran (1954), doi:10.2307/3001666; Altman & Bland (2003), doi:10.1136/bmj.326.7382.219; Scheffe (1953),
    doi:10.1093/biomet/40.1-2.87.

    Examples
    --------
    >>> found = interaction([math.log(0.4), math.log(0.8)], [0.3, 0.4], is_log=True)
    >>> round(found.value, 2), round(found.low, 2), round(found.high, 2)
    (0.5, 0.19, 1.33)
    """
    from scipy import stats

    y, se = np.asarray(estimates, dtype=np.float64), np.asarray(std_errors, dtype=np.float64)
    if len(y) < 2:
        raise EstimationError(
            "fewer than two subgroups have an effect with an interval, so there is nothing to compare"
        )
    if len(y) == 2:
        gap, error = float(y[0] - y[1]), math.hypot(se[0], se[1])
        return wald(gap, error, level=level, estimator="interaction", variance="wald", is_log=is_log)
    weight = 1.0 / se**2
    q = float((weight * (y - (weight * y).sum() / weight.sum()) ** 2).sum())
    first, second = int(y.argmax()), int(y.argmin())
    gap = float(y[first] - y[second])
    half = math.sqrt(float(stats.chi2.ppf(level, len(y) - 1))) * math.hypot(se[first], se[second])
    shown = math.exp if is_log else float
    return Estimate(
        value=shown(gap),
        std_error=half / quantile(level, None),
        low=shown(gap - half),
        high=shown(gap + half),
        p_value=float(stats.chi2.sf(q, len(y) - 1)),
        level=level,
        estimator="interaction",
        variance="scheffe",
    )
