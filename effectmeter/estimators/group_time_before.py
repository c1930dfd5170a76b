"""Whether areas went the same way before the start: a joint test, and what it could have missed."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from effectmeter.estimators.base import FloatArray
from effectmeter.estimators.group_time_panel import Shares

MOST_BINS = 6
AREAS_PER_BIN = 6
"""Treated clusters per tested piece of the time before the start: with fewer the joint test is unreliable."""


def number_of_pieces(n_times: int, n_treated: int) -> int:
    """Return in how many pieces the time before the start is tested, with so many treated clusters."""
    return max(1, min(n_times, MOST_BINS, n_treated // AREAS_PER_BIN))


@dataclass(frozen=True, slots=True)
class PreTrend:
    """The joint test of the time before the start.

    Attributes
    ----------
    p_value, n_tested
        Of the test that every piece of that time shows no difference, and how many pieces.
    largest
        The largest difference in any piece that the data do not rule out (simultaneous 95 %).
    drift
        What a steady difference in trend that is missed half the time would add to the effect.
    """

    p_value: float
    n_tested: int
    largest: float
    drift: float


def pre_trend_test(found: Mapping[int, tuple[float, Shares]], ahead: float) -> PreTrend | None:
    """Test the leads together; None where there are none, or no error.

    Parameters
    ----------
    found
        Time before the start (negative) -> difference and shares.
    ahead
        Mean time since the last period before the start, over treated area-periods.

    Notes
    -----
    Neighbouring leads are averaged into at most `MOST_BINS` pieces, and one per `AREAS_PER_BIN` treated clusters, so
    that the covariance is known. Hotelling's reference: ``W (v - q + 1) / (v q)`` is F with q and v - q + 1.

    References
    ----------
    Roth (2022), doi:10.1257/aeri.20210236: passing a test is no proof, so what it could have missed is said.
    """
    from scipy import stats

    times = sorted(found)
    if not times:
        return None
    values = np.array([found[time][0] for time in times])
    shares = np.array([found[time][1].values for time in times])
    is_treated = found[times[0]][1].is_treated
    degrees = float(np.median([found[time][1].df for time in times]))
    n_bins = number_of_pieces(len(times), int(is_treated.sum()))
    pieces = np.array_split(np.arange(len(times)), n_bins)
    bins = np.array([values[piece].mean() for piece in pieces])
    loads = np.array([shares[piece].mean(axis=0) for piece in pieces])
    covariance = loads @ loads.T
    errors = np.sqrt(np.diag(covariance))
    if not (errors > 0.0).all() or degrees <= n_bins:
        return None
    wald = float(bins @ np.linalg.pinv(covariance, hermitian=True) @ bins)
    rest = degrees - n_bins + 1.0
    p_value = float(stats.f.sf(wald * rest / (degrees * n_bins), n_bins, rest))
    reach = float(stats.t.ppf(1.0 - 0.025 / n_bins, degrees))
    slope_error = _slope_error(np.array([np.mean([times[i] + 1.0 for i in piece]) for piece in pieces]), covariance)
    drift = float(stats.t.ppf(0.975, degrees)) * slope_error * ahead
    return PreTrend(p_value, n_bins, float((np.abs(bins) + reach * errors).max()), drift)


def _slope_error(time: FloatArray, covariance: FloatArray) -> float:
    """Return the error of a straight line through the last period before the start."""
    precision = float(time @ np.linalg.pinv(covariance, hermitian=True) @ time)
    return 1.0 / math.sqrt(precision) if precision > 0.0 else 0.0
