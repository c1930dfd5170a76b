"""Cells: persons who are alike in arm, covariates and cluster, added up.

A cell's six sums are all that the likelihood of a logit or Poisson model and its robust error need, exactly. Here: the
cells, and how persons become them. Not here: contrasts on cells (`effectmeter.estimators.cells_contrast`), which the
estimators for risks and rates hand them to.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from effectmeter.estimators.base import FloatArray, Weights


@dataclass(frozen=True, slots=True, kw_only=True)
class Cells:
    """One row per cell; every array has (c,) rows.

    Attributes
    ----------
    n
        Persons in the cell.
    y, t, yy, yt, tt
        Sums over them of events, of time at risk, and of their squares and product. Time is 0 where only risks matter.
    treated01
        1 for cells of treated persons.
    X
        (c, k) covariates without intercept.
    cluster, strata
        Cluster of allocation or sampling, and block of allocation; None where there are none.
    days
        Days until the first event or the end of observation, for hazards: then `y` is 0 or `n`. None otherwise.
    profile
        Which row of the weights is a cell's; None: weights have a row per cell.

    Notes
    -----
    An influence value of a person is ``a + b y + c t`` with a, b, c the same for everybody in the cell. So its sum is
    ``a n + b sum(y) + c sum(t)`` and the sum of its squares needs ``sum(y^2)``, ``sum(y t)`` and ``sum(t^2)`` beside
    these, and nothing else, however times differ within a cell.

    References
    ----------
    Wong, Forsell, Lewis, Mao & Wardrop (2021), You Only Compress Once, arXiv:2102.11297.
    """

    n: FloatArray
    y: FloatArray
    t: FloatArray
    yy: FloatArray
    yt: FloatArray
    tt: FloatArray
    treated01: FloatArray
    X: FloatArray
    cluster: NDArray[np.generic] | None = field(default=None)
    strata: NDArray[np.generic] | None = field(default=None)
    days: FloatArray | None = field(default=None)
    profile: NDArray[np.intp] | None = field(default=None)

    def __len__(self) -> int:
        """Return how many cells there are."""
        return len(self.n)

    def total(self, a: FloatArray, b: FloatArray, c: FloatArray) -> FloatArray:
        """Return each cell's sum (c,) of ``a + b y + c t`` over its persons."""
        return a * self.n + b * self.y + c * self.t

    def own(self, weights: Weights | None) -> Weights | None:
        """Return weights with a row per cell."""
        return weights if weights is None or self.profile is None else weights.of(self.profile)

    def without_covariates(self) -> Cells:
        """Return the same persons for the raw comparison, in which only arm and cluster count."""
        return replace(self, X=np.empty((len(self), 0)), strata=None)

    def squares(self, a: FloatArray, b: FloatArray, c: FloatArray) -> FloatArray:
        """Return each cell's sum (c,) of ``(a + b y + c t)^2`` over its persons."""
        own = a**2 * self.n + b**2 * self.yy + c**2 * self.tt
        return own + 2.0 * (a * b * self.y + a * c * self.t + b * c * self.yt)


def to_cells(
    y: FloatArray,
    treated01: FloatArray,
    X: FloatArray,
    *,
    years: FloatArray | None = None,
    days: FloatArray | None = None,
    cluster: NDArray[np.generic] | None = None,
    strata: NDArray[np.generic] | None = None,
) -> Cells:
    """Add up persons who are alike.

    Parameters
    ----------
    y
        (n,) events: 0 or 1 for risks and hazards, counts for rates.
    treated01, X, cluster, strata
        As in `effectmeter.estimators.risk.risk_contrast`.
    years
        (n,) time at risk, for rates; persons without any carry nothing and are left out.
    days
        (n,) days until the first event or the end of observation, for hazards: persons are then alike only when they
        also share the day and how it ended.

    Notes
    -----
    With a continuous covariate a cell is a person, and nothing is gained or lost.
    """
    y, treated01 = np.asarray(y, dtype=np.float64), np.asarray(treated01, dtype=np.float64)
    time = np.zeros(len(y)) if years is None else np.asarray(years, dtype=np.float64)
    keep = np.ones(len(y), dtype=np.bool_) if years is None else time > 0.0
    parts: list[FloatArray] = [treated01[:, None], np.asarray(X, dtype=np.float64).reshape(len(y), -1)]
    for labels in (cluster, strata):
        if labels is not None:
            parts.append(np.unique(labels, return_inverse=True)[1].astype(np.float64)[:, None])
    if days is not None:
        parts.append(np.column_stack([np.asarray(days, dtype=np.float64), y]))
    key = np.column_stack(parts)[keep]
    _, first, place = np.unique(key, axis=0, return_index=True, return_inverse=True)
    place = place.reshape(-1)
    rows = np.flatnonzero(keep)[first]
    y, time = y[keep], time[keep]

    def added(values: FloatArray) -> FloatArray:
        return np.bincount(place, values, len(rows)).astype(np.float64)

    return Cells(
        n=added(np.ones(len(y))),
        y=added(y),
        t=added(time),
        yy=added(y**2),
        yt=added(y * time),
        tt=added(time**2),
        treated01=treated01[rows],
        X=np.asarray(X, dtype=np.float64)[rows],
        cluster=None if cluster is None else np.asarray(cluster)[rows],
        strata=None if strata is None else np.asarray(strata)[rows],
        days=None if days is None else np.asarray(days, dtype=np.float64)[rows],
    )
