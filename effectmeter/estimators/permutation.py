"""Arms dealt anew over clusters: a p-value and an interval that need no error, for few clusters of persons.

Here: ratios of risks and rates, and differences in means, adjusted through residuals; and signs dealt anew where nobody
dealt the arms (`sign_flip_contrast`). Not here: the permutation of
`before_after`, whose clusters are compared with themselves.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from effectmeter.estimators.base import Estimate, EstimationError, FloatArray, SeparationError
from effectmeter.estimators.glm import fit_glm, inverse_link
from effectmeter.estimators.marginal import check_arms, stratum_columns

N_PERMUTATIONS = 1999
_STEPS = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class _Problem:
    """What is dealt: persons (n,), their units, the arm per unit, and (B, units) labels dealt anew."""

    family: Literal["poisson", "gaussian"]
    y: FloatArray
    log_size: FloatArray
    treated: FloatArray
    X: FloatArray
    unit: NDArray[np.intp]
    arm: FloatArray
    labels: FloatArray
    is_flipped: bool = False


def sign_flip_contrast(
    y: FloatArray,
    treated01: FloatArray,
    X: FloatArray,
    cluster: NDArray[np.generic],
    *,
    size: FloatArray | None = None,
    strata: NDArray[np.generic] | None = None,
    is_ratio: bool = True,
    n_permutations: int = N_PERMUTATIONS,
    seed: int = 20260101,
    level: float = 0.95,
) -> Estimate:
    """Compare arms that are mixed in every cluster and were not drawn, by flipping the signs of what clusters say.

    Parameters, errors and result are those of `permutation_contrast`; the variance is called ``sign_flip``.

    Notes
    -----
    For an effect r known, a cluster's contribution is the sum over its persons of the outcome's residual times what
    covariates leave of the treatment: the effective score. Without any other effect it is as likely to be above zero as
    below, whatever its size, so that every cluster's sign may be dealt anew. It asks independent clusters and no draw.

    References
    ----------
    Hemerik, Goeman & Finos (2020), doi:10.1111/rssb.12369; for clusters Canay, Romano & Shaikh (2017),
    doi:10.3982/ECTA13081.
    """
    inside, years, covariates = _laid_out(y, treated01, X, size, strata, is_ratio=is_ratio)
    _, unit = np.unique(cluster[inside], return_inverse=True)
    n_units = int(unit.max()) + 1
    if n_units < 2:
        raise EstimationError("everybody belongs to one cluster, so chance cannot be seen")
    signs = np.random.default_rng(seed).choice(np.array([-1.0, 1.0]), (n_permutations, n_units))
    problem = _Problem(
        family="poisson" if is_ratio else "gaussian",
        y=np.asarray(y, dtype=np.float64)[inside],
        log_size=np.log(years[inside]),
        treated=np.asarray(treated01, dtype=np.float64)[inside],
        X=covariates,
        unit=unit.astype(np.intp),
        arm=np.ones(n_units),
        labels=signs,
        is_flipped=True,
    )
    return replace(_inverted(problem, level), variance="sign_flip")


def permutation_contrast(
    y: FloatArray,
    treated01: FloatArray,
    X: FloatArray,
    cluster: NDArray[np.generic],
    *,
    size: FloatArray | None = None,
    strata: NDArray[np.generic] | None = None,
    is_ratio: bool = True,
    n_permutations: int = N_PERMUTATIONS,
    seed: int = 20260101,
    level: float = 0.95,
) -> Estimate:
    """Compare arms by dealing the arm labels anew over the clusters.

    Parameters
    ----------
    y, treated01, X
        (n,) events (0/1 or counts) or values; 1 for treated; (n, k) covariates without intercept.
    cluster
        (n,) labels. Where every cluster is wholly in one arm, clusters are dealt; where they hold both arms, persons
        within clusters are (as in a trial with sites as blocks).
    size
        (n,) years at risk, for rates.
    strata
        (n,) blocks within which arms were drawn; a cluster in several blocks is dealt over all.
    is_ratio
        False: a difference in means.
    n_permutations, seed
        Deals, and where they start: the same data give the same answer.
    level
        Of the interval: the effects that the deals do not reject.

    Returns
    -------
    Estimate
        Estimator and variance ``permutation``. A limit is None where so few deals exist that none can be rejected.

    Raises
    ------
    EstimationError
        There is one way to deal only, or an arm has no events.

    Notes
    -----
    For an effect r, the model without arm (Poisson with log size, or linear) is fitted with r as a known offset of the
    treated; the statistic is the treated units' sum of residuals, which is 0 at the estimate. p counts the deals at
    least as far from 0, this one included.

    References
    ----------
    Gail, Mark, Carroll, Green & Pee (1996), doi:10.1002/(SICI)1097-0258(19960615)15:11<1069::AID-SIM220>3.0.CO;2-Q;
    Hayes & Moulton (2017), Cluster Randomised Trials, doi:10.4324/9781315370286, chapter 10.
    """
    outcome, treated = np.asarray(y, dtype=np.float64), np.asarray(treated01, dtype=np.float64)
    inside, years, covariates = _laid_out(outcome, treated, X, size, strata, is_ratio=is_ratio)
    blocks = None if strata is None else strata[inside]
    unit, block = _units(cluster[inside], treated[inside], blocks)
    labels: FloatArray = np.bincount(unit, treated[inside]) / np.bincount(unit)
    problem = _Problem(
        family="poisson" if is_ratio else "gaussian",
        y=outcome[inside],
        log_size=np.log(years[inside]),
        treated=treated[inside],
        X=covariates,
        unit=unit,
        arm=labels,
        labels=_deals(labels, block, n_permutations, seed),
    )
    return _inverted(problem, level)


def _laid_out(
    y: FloatArray,
    treated01: FloatArray,
    X: FloatArray,
    size: FloatArray | None,
    strata: NDArray[np.generic] | None,
    *,
    is_ratio: bool,
) -> tuple[NDArray[np.bool_], FloatArray, FloatArray]:
    """Return who has time at risk (n,), years (n,), and covariates with intercept and blocks of those (m, k)."""
    outcome, treated = np.asarray(y, dtype=np.float64), np.asarray(treated01, dtype=np.float64)
    years = np.ones(len(outcome)) if size is None else np.asarray(size, dtype=np.float64)
    inside = years > 0.0
    check_arms(treated[inside])
    if is_ratio:
        for arm, name in ((1.0, "treated"), (0.0, "comparison")):
            if not outcome[inside & (treated == arm)].any():
                raise SeparationError(f"nobody in the {name} arm has the event, so there is only a bound on the ratio")
    blocks, n = None if strata is None else strata[inside], int(inside.sum())
    return inside, years, np.column_stack([np.ones(n), X[inside], stratum_columns(blocks, n)])


def _units(
    cluster: NDArray[np.generic], treated: FloatArray, strata: NDArray[np.generic] | None
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return each person's unit (n,) and each unit's block: clusters in their block, or persons in their cluster."""
    _, group = np.unique(cluster, return_inverse=True)
    n_groups = int(group.max()) + 1
    share = np.bincount(group, treated, n_groups) / np.bincount(group, minlength=n_groups)
    stratum = np.zeros(len(group), dtype=np.intp) if strata is None else np.unique(strata, return_inverse=True)[1]
    if not ((share > 0.0) & (share < 1.0)).any():
        low, high = np.full(n_groups, len(group)), np.full(n_groups, -1)
        np.minimum.at(low, group, stratum)
        np.maximum.at(high, group, stratum)
        return group.astype(np.intp), (low if (low == high).all() else np.zeros(n_groups)).astype(np.intp)
    cell = group * (int(stratum.max()) + 1) + stratum
    return np.arange(len(group), dtype=np.intp), np.unique(cell, return_inverse=True)[1].astype(np.intp)


def _deals(arm: FloatArray, block: NDArray[np.intp], n_permutations: int, seed: int) -> FloatArray:
    """Return (B, units) labels, dealt anew within blocks."""
    ways = 0.0
    for b in np.unique(block):
        mine = arm[block == b]
        ways += math.lgamma(len(mine) + 1) - math.lgamma(mine.sum() + 1) - math.lgamma(len(mine) - mine.sum() + 1)
    if ways < math.log(2.0) - 1e-9:
        raise EstimationError("the arms can be dealt in one way only, so chance cannot be seen")
    rng = np.random.default_rng(seed)
    order = np.argsort(block, kind="stable")
    labels = np.empty((n_permutations, len(arm)))
    for b in range(n_permutations):
        shuffled = np.lexsort((rng.random(len(arm)), block))
        labels[b, order] = arm[shuffled]
    return labels


def _residuals(problem: _Problem, effect: float) -> FloatArray:
    """Return the sums of residuals per unit, with the effect (log for ratios) known."""
    if problem.family == "gaussian":
        shifted = problem.y - effect * problem.treated
        rest = shifted - problem.X @ np.linalg.lstsq(problem.X, shifted)[0]
        return _summed(problem, rest, np.ones(len(rest)))
    offset = problem.log_size + effect * problem.treated
    fit = fit_glm("poisson", problem.y, problem.X, offset=offset)
    mean = np.where(fit.free, inverse_link("poisson", offset + fit.design @ fit.beta)[0], fit.mean)
    return _summed(problem, problem.y - mean, mean)


def _summed(problem: _Problem, residual: FloatArray, weight: FloatArray) -> FloatArray:
    """Return the residuals' sums per unit; where signs are flipped, times what covariates leave of the treatment."""
    if problem.is_flipped:
        root = np.sqrt(weight)[:, None]
        known = problem.X @ np.linalg.lstsq(root * problem.X, root[:, 0] * problem.treated)[0]
        residual = residual * (problem.treated - known)
    return np.bincount(problem.unit, residual).astype(np.float64)


def _p_value(problem: _Problem, effect: float) -> tuple[float, float]:
    """Return the two-sided p-value of an effect, and the statistic."""
    residual = _residuals(problem, effect)
    observed = float(problem.arm @ residual)
    dealt = np.abs(problem.labels @ residual)
    slack = 1e-9 * max(1.0, float(np.abs(residual).sum()))
    return float((1.0 + (dealt >= abs(observed) - slack).sum()) / (len(dealt) + 1.0)), observed


def _inverted(problem: _Problem, level: float) -> Estimate:
    """Return the effect whose statistic is 0, and those that are not rejected."""
    from scipy import optimize

    is_ratio = problem.family == "poisson"
    one, zero = (problem.treated == arm for arm in (1.0, 0.0))
    size = np.exp(problem.log_size)
    raw = [float(problem.y[side].sum() / size[side].sum()) for side in (one, zero)]
    start = math.log(raw[0] / raw[1]) if is_ratio else raw[0] - raw[1]
    spread = 0.5 if is_ratio else max(float(problem.y.std()), 1e-12)
    if not is_ratio and problem.y.min() == problem.y.max():
        raise EstimationError("everybody has the same value")

    def statistic(effect: float) -> float:
        return _p_value(problem, effect)[1]

    reach = spread
    while statistic(start - reach) * statistic(start + reach) > 0.0:
        reach *= 2.0
        if reach > 64.0 * spread:
            raise EstimationError("no effect makes the arms alike, so there is nothing to deal around")
    point = float(optimize.brentq(statistic, start - reach, start + reach, xtol=1e-10))
    limits = [_limit(problem, point, side * spread, 1.0 - level) for side in (-1.0, 1.0)]
    shown = math.exp if is_ratio else float
    return Estimate(
        value=shown(point),
        std_error=None,
        low=None if limits[0] is None else shown(limits[0]),
        high=None if limits[1] is None else shown(limits[1]),
        p_value=_p_value(problem, 0.0)[0],
        level=level,
        estimator="permutation",
        variance="permutation",
    )


def _limit(problem: _Problem, point: float, step: float, alpha: float) -> float | None:
    """Return the effect furthest to one side that is not rejected; None where nothing is."""
    inside, outside = point, point + step
    for _ in range(7):
        if _p_value(problem, outside)[0] <= alpha:
            break
        inside, step = outside, 2.0 * step
        outside = point + step
    else:
        return None
    for _ in range(_STEPS):
        middle = (inside + outside) / 2.0
        if _p_value(problem, middle)[0] <= alpha:
            outside = middle
        else:
            inside = middle
        if abs(outside - inside) < 1e-5 * max(1.0, abs(step)):
            break
    return outside
