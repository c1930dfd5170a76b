"""The bootstrap on cells: persons, or whole clusters, drawn anew with replacement, a thousand times in a minute.

A check on the robust errors that is asked of no formula. Here: drawing and summing up. Not here: what is estimated from
every draw, which is handed over as a function of cells.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from effectmeter.estimators.base import Estimate, EstimationError, FloatArray
from effectmeter.estimators.cells import Cells
from effectmeter.estimators.sandwich import sum_by_unit

REPLICATES = 1000
MOST_FAILED = 0.05
"""Share of draws without an estimate above which the others say nothing of all of them."""


def bootstrap_ratio(
    cells: Cells,
    estimate: Callable[[Cells], Estimate],
    *,
    seed: int,
    replicates: int = REPLICATES,
    level: float = 0.95,
) -> Estimate:
    """Return a ratio with its error and percentile limits over draws of persons, or of clusters where there are any.

    Parameters
    ----------
    cells
        Persons who are alike in the outcome too (`effectmeter.estimators.cells.to_cells` of hazards, or
        `vault.cells.read_cells` with `alike_in_outcome`): a draw then needs only how many of each it took.
    estimate
        What is asked of every draw; its ratio is taken on the log scale.
    seed
        Draws are the same for the same seed and cells.

    Returns
    -------
    Estimate
        The estimate of all cells, with the deviation of the draws' logarithms as `std_error`, their percentiles as
        limits, and no p-value; `variance` is ``bootstrap``.

    Raises
    ------
    EstimationError
        More than 5 % of the draws have no estimate (an arm without events, say).

    Notes
    -----
    Persons of a cell are exchangeable, so that drawing N persons with replacement is drawing how often each cell is
    taken: multinomial, with the cells' sizes as chances. Cells alike in all but the outcome are added up before a fit.

    References
    ----------
    Efron & Tibshirani (1993), An Introduction to the Bootstrap, ch. 6, 13, doi:10.1201/9780429246593; clusters:
    Davison & Hinkley (1997), section 3.8, doi:10.1017/CBO9780511802843.
    """
    whole = estimate(cells)
    random = np.random.default_rng(seed)
    profile, first = _profiles(cells)
    units, size = _units(cells)
    logs = []
    for _ in range(replicates):
        taken = random.multinomial(int(size.sum()), size / size.sum()).astype(np.float64)
        drawn = cells.n * taken[units] if cells.cluster is not None else taken
        try:
            found = estimate(_added_up(cells, drawn, profile, first)).value
        except EstimationError:
            found = None
        if found is not None:
            logs.append(np.log(found))
    if len(logs) < (1.0 - MOST_FAILED) * replicates:
        raise EstimationError(f"of {replicates} draws {replicates - len(logs)} have no estimate")
    tail = 100.0 * (1.0 - level) / 2.0
    low, high = np.exp(np.percentile(logs, [tail, 100.0 - tail]))
    return replace(
        whole,
        std_error=float(np.std(logs, ddof=1)),
        low=float(low),
        high=float(high),
        p_value=None,
        level=level,
        variance="bootstrap",
    )


def _units(cells: Cells) -> tuple[NDArray[np.intp], FloatArray]:
    """Return what is drawn: which unit a cell belongs to, and the chances; cells by size, or clusters alike."""
    if cells.cluster is None:
        return np.arange(len(cells)), cells.n
    names, units = np.unique(cells.cluster, return_inverse=True)
    return units, np.ones(len(names))


def _profiles(cells: Cells) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return which cells are alike in all but the outcome (a number each), and the first cell of each number."""
    parts = [cells.treated01[:, None], cells.X]
    for labels in (cells.cluster, cells.strata):
        if labels is not None:
            parts.append(np.unique(labels, return_inverse=True)[1].astype(np.float64)[:, None])
    if cells.days is not None:
        parts.append(np.column_stack([cells.days, cells.y > 0.0]))
    _, first, profile = np.unique(np.column_stack(parts), axis=0, return_index=True, return_inverse=True)
    return profile.reshape(-1), first


def _added_up(cells: Cells, drawn: FloatArray, profile: NDArray[np.intp], first: NDArray[np.intp]) -> Cells:
    """Return the cells of a draw: `drawn` (c,) persons of each, added up by profile; profiles without anybody go."""
    times = drawn / cells.n
    sums = np.column_stack([drawn, *(times * each for each in (cells.y, cells.t, cells.yy, cells.yt, cells.tt))])
    n, y, t, yy, yt, tt = sum_by_unit(sums, profile, len(first)).T
    is_there = n > 0.0
    rows = first[is_there]

    def labels(of: NDArray[np.generic] | None) -> NDArray[np.generic] | None:
        return None if of is None else of[rows]

    return Cells(
        n=n[is_there],
        y=y[is_there],
        t=t[is_there],
        yy=yy[is_there],
        yt=yt[is_there],
        tt=tt[is_there],
        treated01=cells.treated01[rows],
        X=cells.X[rows],
        cluster=labels(cells.cluster),
        strata=labels(cells.strata),
        days=None if cells.days is None else cells.days[rows],
    )
