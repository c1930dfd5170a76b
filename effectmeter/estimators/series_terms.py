"""The terms of a series' model: level, slope, trend, season; and bends for testing the time before the start.

Here: columns. Not here: the fit (`effectmeter.estimators.series_model`).
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from effectmeter.estimators.base import FloatArray

IntArray = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """Which terms a model has.

    Attributes
    ----------
    season_length, harmonics
        Periods per year, and pairs of sine and cosine; no more pairs than the year has room for.
    with_trend, with_slope, with_change
        A linear trend; a change of that trend at the start; a change of level there.
    n_bends
        Powers of time above the first (2: square and cube), for testing the trend.
    """

    season_length: int = 12
    harmonics: int = 2
    with_trend: bool = True
    with_slope: bool = False
    with_change: bool = True
    n_bends: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class SeriesDesign:
    """A design with the names of its columns: ``level``, ``slope``, ``trend``, ``bend2`` ..., ``sin1``, ``cos1`` ...

    Attributes
    ----------
    X
        (n, p), intercept first.
    """

    X: FloatArray = field(repr=False)
    names: tuple[str, ...]

    def direction(self, name: str) -> FloatArray:
        """Return (p,) with 1 at the column of that name."""
        return np.array([float(column == name) for column in self.names])

    def without(self, *names: str) -> FloatArray:
        """Return the design (n, p) with these columns at 0: what would have been without them."""
        found: FloatArray = self.X * np.array([float(column not in names) for column in self.names])
        return found


def build_terms(
    period: IntArray, after: NDArray[np.bool_], season: IntArray, terms: Terms, *, start: int
) -> SeriesDesign:
    """Return the columns of a series.

    Parameters
    ----------
    period, after, season
        (n,) number of the period, whether it lies after the start, place in the year from 0.
    start
        The first period with the programme: there the slope's change is 0, so that ``level`` is the jump at the start.

    Notes
    -----
    Trend in years, so that its size is of the order of the others; the change of slope is per period. A season of k
    pairs needs 2 k < `season_length`; of the last pair of an even year only the cosine is left.
    """
    since = (period - start).astype(np.float64)
    years = since / terms.season_length
    columns: dict[str, FloatArray] = {"intercept": np.ones(len(period))}
    if terms.with_change:
        columns["level"] = after.astype(np.float64)
        if terms.with_slope:
            columns["slope"] = np.where(after, since, 0.0)
    if terms.with_trend:
        columns["trend"] = years
    span = max(float(np.ptp(years)), 1e-12)
    for power in range(2, 2 + terms.n_bends):
        columns[f"bend{power}"] = (years / span) ** power
    for number in range(1, min(terms.harmonics, terms.season_length // 2) + 1):
        angle = 2.0 * np.pi * number * season / terms.season_length
        if 2 * number < terms.season_length:
            columns[f"sin{number}"] = np.sin(angle)
        columns[f"cos{number}"] = np.cos(angle)
    return SeriesDesign(X=np.column_stack(list(columns.values())), names=tuple(columns))
