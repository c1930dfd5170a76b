"""Matched pairs of one treated and one comparison person: risk ratio, risk difference, conditional odds ratio."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from effectmeter.estimators.base import Estimate, EstimationError, FloatArray
from effectmeter.estimators.sandwich import wald


def matched_pairs(
    event_treated: FloatArray, event_comparison: FloatArray, *, level: float = 0.95
) -> dict[str, Estimate]:
    """Compare the two members of each pair.

    Parameters
    ----------
    event_treated, event_comparison
        (pairs,) 1 where that member of the pair has the event.
    level
        Of the intervals.

    Returns
    -------
    dict
        By measure: ``risk_ratio``, ``risk_difference`` and ``odds_ratio`` (conditional, exact), where they exist. All
        carry McNemar's exact p-value.

    Raises
    ------
    EstimationError
        There are no pairs, no pair has an event, or the two of every pair are alike.

    Notes
    -----
    With b pairs in which only the treated member has the event, c the reverse and a both:
    RR = (a + b) / (a + c), var(log RR) = (b + c) / ((a + b)(a + c)); RD = (b - c) / n; OR = b / c, exact limits from
    b ~ Binomial(b + c, OR / (1 + OR)).

    References
    ----------
    McNemar (1947), doi:10.1007/BF02295996; Agresti & Min (2004), doi:10.1093/biostatistics/5.3.429;
    Rothman, Greenland & Lash (2008), Modern Epidemiology, chapter 16.
    """
    from scipy import stats

    one, zero = np.asarray(event_treated) > 0, np.asarray(event_comparison) > 0
    n, a = len(one), float((one & zero).sum())
    b, c = float((one & ~zero).sum()), float((~one & zero).sum())
    if n == 0 or a + b + c == 0:
        raise EstimationError("no pair has an event, so there is nothing to compare")
    if b + c == 0:
        raise EstimationError("the two of every pair are alike, so nothing shows how much chance could do")
    p_value = float(stats.binomtest(int(b), int(b + c)).pvalue) if b + c else 1.0
    found = {}
    if a + b > 0 and a + c > 0 and b + c > 0:
        error = float(np.sqrt((b + c) / ((a + b) * (a + c))))
        found["risk_ratio"] = _with_p(float(np.log((a + b) / (a + c))), error, p_value, level, is_log=True)
        spread = float(np.sqrt(b + c - (b - c) ** 2 / n)) / n
        if spread > 0:
            found["risk_difference"] = _with_p((b - c) / n, spread, p_value, level, is_log=False)
    if b + c > 0:
        tail = (1 - level) / 2
        low = float(stats.beta.ppf(tail, b, c + 1)) if b else None
        high = float(stats.beta.ppf(1 - tail, b + 1, c)) if c else None
        found["odds_ratio"] = Estimate(
            value=b / c if c else None,
            std_error=float(np.sqrt(1 / b + 1 / c)) if b and c else None,
            low=None if low is None else low / (1 - low),
            high=None if high is None else high / (1 - high),
            p_value=p_value,
            level=level,
            estimator="mcnemar",
            variance="exact",
        )
    return found


def _with_p(value: float, error: float, p_value: float, level: float, *, is_log: bool) -> Estimate:
    """Return a Wald interval with McNemar's p-value in place of its own."""
    found = wald(value, error, level=level, estimator="mcnemar", variance="matched", df=None, is_log=is_log)
    return replace(found, p_value=p_value)
