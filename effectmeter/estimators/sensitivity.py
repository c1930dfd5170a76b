"""What would have been seen, and what would explain it away: smallest detectable ratio and E-value."""

from __future__ import annotations

import math


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
